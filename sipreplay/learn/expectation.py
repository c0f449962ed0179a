"""What a call showed: its messages, answers, times and media, as values that two calls can be compared by.

Made in the same way of a captured call and of its replay. Never compares. What is new in every call (tags, branches,
addresses, nonces) is left out or masked here, so that equal behaviour has equal values.
"""

from __future__ import annotations

import re

from sipreplay.analysis.model import CapturedMessage, Stream
from sipreplay.analysis.sdp_media import sdp_of
from sipreplay.bundle.model import Expect, ExpectedMessage, ExpectedStream
from sipreplay.learn.media import StreamTable
from sipreplay.learn.unit import CALLER, Event, Unit
from sipreplay.sip.sdp import MediaDescription
from sipreplay.sip.syntax import canonical_name

MOST_DETAILED = 2000
"""Calls of a bundle that are kept with headers and SDP; of others the start lines, times and media."""
MOST_HEADERS = 60
MOST_VALUE = 200

_ROUTING = frozenset({"via", "from", "to", "call-id", "cseq", "content-length", "max-forwards"})
"""New in every call, and said by the start line or by the call's going on."""
_CHALLENGES = frozenset({"www-authenticate", "proxy-authenticate", "authentication-info", "authorization"})
_ADDRESS = re.compile(r"\[[0-9A-Fa-f:.]+\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?")
_LIVE = re.compile(
    r"(?i)\b((?:\w*tag|branch|received|rport|expires|nonce|opaque|did|icid-value|ob|transport)=)[^;,>\s]*"
)


def expectation(unit: Unit, scenario: str, streams: StreamTable, *, detailed: bool = True, origin: float) -> Expect:
    """What is expected of, or was shown by, the call of a unit. `origin`: when the first call began."""
    dialog = unit.dialog
    began = unit.events[0].time
    shown = [event for event in unit.events if event.status != 100]
    found = Expect(
        scenario=scenario,
        dialog=dialog.id,
        call_id=dialog.call_id,
        setup_ms=_rounded(dialog.setup_ms),
        pdd_ms=_rounded(dialog.pdd_ms),
        start_s=round(began - origin, 6),
        stream=_streams(streams.of(unit)),
    )
    if detailed:
        found.message = [_message(event, began) for event in shown]
    else:
        found.ladder = [line_of(event) for event in shown]
    return found


def line_of(event: Event) -> str:
    """A message as it stands in `[[expect]]`."""
    arrow = ">" if event.sender == CALLER else "<"
    return f"{arrow} {event.method}" if event.is_request else f"{arrow} {event.status} {event.method}"


def _message(event: Event, began: float) -> ExpectedMessage:
    made = ExpectedMessage(line_of(event), round((event.time - began) * 1000, 3))
    if event.sender != CALLER:
        made.headers = _headers(event.captured)
        made.sdp = _sdp(event.captured)
    return made


def _headers(captured: CapturedMessage) -> list[str]:
    found = []
    for written, value in captured.message.headers[:MOST_HEADERS]:
        name = canonical_name(written).lower()
        if name in _ROUTING:
            continue
        if name in _CHALLENGES:
            value = value.partition(" ")[0]
        masked = _LIVE.sub(r"\1*", _ADDRESS.sub("ADDRESS", value))
        found.append(f"{name}: {masked[:MOST_VALUE]}")
    return found


def _sdp(captured: CapturedMessage) -> list[str]:
    description = sdp_of(captured)
    return [_section(media) for media in description.media] if description is not None else []


def _section(media: MediaDescription) -> str:
    if not media.port:
        return f"{media.kind} rejected"
    codecs = []
    for number in media.payload_types:
        codec = media.codec(number)
        codecs.append(f"{codec[0]}/{codec[1]}" if codec else f"payload-{number}")
    words = [media.kind, media.direction, *(codecs or media.formats)]
    if media.ptime:
        words.append(f"ptime={media.ptime}")
    return " ".join(words)


def _streams(streams: list[Stream]) -> list[ExpectedStream]:
    """By direction, media type and codec; the pieces of one sender are one."""
    found: dict[str, ExpectedStream] = {}
    for stream in sorted(streams, key=lambda s: s.first):
        line = f"{'>' if stream.from_caller else '<'} {stream.media} {stream.codec or 'unknown'}"
        one = found.setdefault(line, ExpectedStream(line))
        one.packets += stream.packets
        one.lost += stream.gone
        one.jitter_ms = round(max(one.jitter_ms, stream.mean_jitter_ms), 3)
        if stream.mos is not None:
            one.mos = round(min(stream.mos, one.mos if one.mos is not None else 5.0), 2)
        one.digits += stream.dtmf
        one.duration_ms = round(one.duration_ms + (stream.last - stream.first) * 1000, 1)
    return list(found.values())


def _rounded(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms, 3)
