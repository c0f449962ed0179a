"""Findings about media: calls that were not heard, and what `stream_findings` says of each stream.

Judges the streams of a call together, by the thresholds below; each check is a function of its own in `CALL_CHECKS`.
Reads SDP again only of calls that look wrong. Judges no signalling (`sip_findings` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sipreplay.analysis.dialog_facts import info_digits
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, Digit, HopDialog, Stream
from sipreplay.analysis.outline import outline
from sipreplay.analysis.sdp_media import SdpSight, offers_answers
from sipreplay.analysis.stored import time_of
from sipreplay.analysis.stream_findings import FEWEST_PACKETS, SIDES, STREAM_CHECKS, about, sent_by, way

TALK_SECONDS = 3.0
"""How long a call has to be answered before it is missed that nobody was heard."""
LATE_SECONDS = 2.0
EARLY_SECONDS = 0.5
AFTER_BYE_SECONDS = 2.0
NEAR_SECONDS = 3.0
"""How much later a digit may be on the next leg."""

_TALKED = frozenset({"established", "completed"})
_MUTE = frozenset({"recvonly", "inactive"})


class _Call(NamedTuple):
    """An answered INVITE dialog with its streams."""

    dialog: HopDialog
    streams: list[tuple[int, Stream]]
    """With their places in the analysis, from 1."""
    answered: float
    ended: float
    """Its BYE, else the last that was seen of it or of its media."""
    bye: float | None

    def of(self, from_caller: bool) -> list[Stream]:
        """What one side sends, audio only."""
        return [s for _, s in self.streams if s.from_caller is from_caller and s.media == "audio" and s.kind != "t38"]


def found(analysis: Analysis) -> Iterator[Finding]:
    """All findings of media, one for each case."""
    by_dialog: dict[int, list[tuple[int, Stream]]] = {}
    untied: list[int] = []
    for place, stream in enumerate(analysis.streams, 1):
        if stream.dialog is None:
            untied.append(place)
        else:
            by_dialog.setdefault(stream.dialog, []).append((place, stream))
        call = -1 if stream.dialog is None else analysis.dialog(stream.dialog).call
        for check in STREAM_CHECKS:
            yield from check(place, stream, call)
    yield from _blind(analysis, untied)
    heard = {analysis.dialog(ident).call for ident in by_dialog}
    for dialog in analysis.dialogs:
        if dialog.kind != "invite" or dialog.state not in _TALKED or dialog.alias_of is not None:
            continue
        case = _case(dialog, by_dialog.get(dialog.id, []))
        if case is None:
            continue
        if case.streams:
            for judge in CALL_CHECKS:
                yield from judge(case)
        elif analysis.streams and dialog.call not in heard and dialog.upstream is None:
            yield from _no_media(case)
    yield from _digits_between_legs(analysis, by_dialog)


def _case(dialog: HopDialog, streams: list[tuple[int, Stream]]) -> _Call | None:
    drawn = outline(dialog)
    if drawn.answered < 0:
        return None
    answered = time_of(dialog.messages, drawn.answered)
    bye = time_of(dialog.messages, drawn.bye) if drawn.bye >= 0 else None
    last = max([dialog.last, *(stream.last for _, stream in streams)])
    return _Call(dialog, streams, answered, last if bye is None else bye, bye)


def _of_call(severity: Severity, rule: str, title: str, why: str, remedy: str, call: _Call) -> Finding:
    last = [(m.capture, m.packet) for m in call.dialog.messages[:2]]
    return Finding(
        severity,
        rule,
        title,
        why,
        remedy,
        calls=(call.dialog.call,),
        dialogs=(call.dialog.id,),
        streams=tuple(place for place, _ in call.streams),
        packets=tuple(last),
    )


def _name(call: _Call) -> str:
    return f"{call.dialog.caller} to {call.dialog.callee}"


def _one_way(call: _Call) -> Iterator[Finding]:
    """Only one side was heard."""
    heard = [side for side in (True, False) if call.of(side)]
    if len(heard) != 1:
        return
    (side,) = heard
    streams = call.of(side)
    sent_to = {stream.destination for stream in streams}
    if any(stream.source in sent_to for stream in streams):
        return  # one leaves from where another goes to: both ways are there, whoever's they are (a proxy between)
    packets = sum(stream.packets for stream in streams)
    if call.ended - call.answered < TALK_SECONDS or packets < FEWEST_PACKETS:
        return
    reason = _excuse(call.dialog, not side)
    silent = SIDES[not side]
    # Where media passes addresses that SDP does not name, it is not certain whose it is.
    certain = all(stream.tied_by == "destination" and not stream.nat for stream in streams)
    yield _of_call(
        Severity.NOTE if reason else Severity.ERROR if certain else Severity.WARNING,
        "one-way-audio" if not reason else "one-way-by-sdp",
        f"one-way audio: nothing from the {silent}" + (", as SDP says" if reason else ""),
        f"{_name(call)}: {packets} packets of the {SIDES[side]}, none of the {silent} in"
        f" {call.ended - call.answered:.0f} s after the answer; " + (reason or "SDP let both sides send"),
        "nothing to do if that was meant"
        if reason
        else f"does the {silent} send at all (its address in SDP may be private or wrong), or does a firewall or NAT"
        " drop it, or does it take another way than past the capture point?",
        call,
    )


def _excuse(dialog: HopDialog, from_caller: bool) -> str:
    """Which SDP lets this side be silent; "" if none does."""
    for sight in offers_answers(dialog):
        for media in sight.media:
            if media.kind != "audio":
                continue
            who = "offer" if sight.role == "offer" else "answer"
            if sight.from_caller == from_caller and media.direction in _MUTE:
                return f"its {who} in packet {sight.captured.packet} says {media.direction}"
            if sight.from_caller != from_caller and media.direction in ("sendonly", "inactive"):
                return f"the other side's {who} in packet {sight.captured.packet} says {media.direction}"
            if sight.from_caller != from_caller and media.address is None:
                return f"the other side's {who} in packet {sight.captured.packet} names no address to send to"
    return ""


def _late(call: _Call) -> Iterator[Finding]:
    """A side that is heard long after the answer, or before its SDP."""
    for side in (True, False):
        streams = call.of(side)
        if not streams:
            continue
        begun = min(stream.first for stream in streams)
        wait = begun - call.answered
        if wait > LATE_SECONDS and not _excuse(call.dialog, side):
            yield _of_call(
                Severity.WARNING,
                "late-media",
                f"the {SIDES[side]} is first heard {wait:.1f} s after the answer",
                f"{_name(call)}: the first packet comes {wait:.2f} s after the 200 (limit: {LATE_SECONDS:.0f} s)",
                "look at ICE and DTLS set-up, at a re-INVITE that moves media, or at a device that opens slowly",
                call,
            )
        elif not side and wait < 0:
            described = next((s.captured.time for s in offers_answers(call.dialog) if not s.from_caller), None)
            if described is not None and described - begun > EARLY_SECONDS:
                yield _of_call(
                    Severity.NOTE,
                    "media-before-sdp",
                    f"the callee is heard {described - begun:.1f} s before its SDP",
                    f"{_name(call)}: its first packet comes {described - begun:.2f} s before the answer",
                    "callers that wait for the answer do not play this (RFC 3264 section 5.1 says they should)",
                    call,
                )


def _after_bye(call: _Call) -> Iterator[Finding]:
    """Media that nobody told to stop."""
    if call.bye is None or call.dialog.state != "completed":
        return
    for place, stream in call.streams:
        over = stream.last - call.bye
        if over > AFTER_BYE_SECONDS:
            yield about(
                Severity.WARNING,
                "rtp-after-bye",
                f"media{sent_by(stream)} goes on {over:.1f} s after the BYE, {way(stream)}",
                f"{_name(call)}: the last packet comes {over:.2f} s after the BYE (limit: {AFTER_BYE_SECONDS:.0f} s)",
                "the sender has not heard or not heeded the BYE: see whether it was answered",
                place,
                stream,
                call.dialog.call,
            )


def _digits(call: _Call) -> Iterator[Finding]:
    """Digits sent in two ways, or in another way than was agreed."""
    if "INFO" not in call.dialog.methods or not any(stream.dtmf for _, stream in call.streams):
        return
    by_info = info_digits(call.dialog)
    if not by_info:
        return
    for side in (True, False):
        told = "".join(digit.digit for digit in by_info if digit.from_caller is side)
        sent = "".join(stream.dtmf for stream in call.of(side))
        if told and sent:
            yield _of_call(
                Severity.WARNING,
                "digits-twice",
                f"the {SIDES[side]} sends digits in RTP and by INFO",
                f"{_name(call)}: {sent} in RTP, {told} by INFO",
                "a receiver that takes both counts each digit twice: turn one way off",
                call,
            )


CALL_CHECKS: tuple[Callable[[_Call], Iterator[Finding]], ...] = (_one_way, _late, _after_bye, _digits)


def _no_media(call: _Call) -> Iterator[Finding]:
    """An answered call of which no media was captured."""
    if call.ended - call.answered < TALK_SECONDS:
        return
    sights = offers_answers(call.dialog)
    sides = {sight.from_caller for sight in sights if _wants_media(sight)}
    if len(sides) < 2:
        return
    yield _of_call(
        Severity.WARNING,
        "no-media",
        "an answered call without any media",
        f"{_name(call)}: no packet in {call.ended - call.answered:.0f} s after the answer, though both sides announced"
        " where they receive",
        "does the media take another way than past the capture point? If not, look at firewalls and at the addresses"
        " in SDP",
        call,
    )


def _wants_media(sight: SdpSight) -> bool:
    return any(m.address is not None and m.direction != "inactive" and "RTP/" in m.proto.upper() for m in sight.media)


def _blind(analysis: Analysis, untied: list[int]) -> Iterator[Finding]:
    """What the capture does not hold."""
    if untied and analysis.dialogs:
        packets = sum(analysis.streams[place - 1].packets for place in untied)
        yield Finding(
            Severity.NOTE,
            "rtp-without-sdp",
            f"{len(untied)} RTP {'stream' if len(untied) == 1 else 'streams'} that no captured SDP announced",
            f"{packets} packets look like RTP by their headers; payload types past 95 have no clock, so no jitter",
            "capture the signalling too, from before the call begins",
            streams=tuple(untied[:1000]),
            count=len(untied),
        )


def _digits_between_legs(analysis: Analysis, by_dialog: dict[int, list[tuple[int, Stream]]]) -> Iterator[Finding]:
    """Digits of a caller that the leg on the other side of a B2BUA does not carry on."""
    for call in analysis.calls:
        if len(call.dialogs) < 2:
            continue
        legs = {
            ident: [(place, s) for place, s in by_dialog.get(ident, ()) if s.from_caller and s.media == "audio"]
            for ident in call.dialogs
        }
        for ident, streams in legs.items():
            digits = [digit for _, stream in streams for digit in stream.digits]
            if not digits:
                continue
            dialog = analysis.dialog(ident)
            beyond = [
                other
                for other in call.dialogs
                if legs[other] and other != ident and analysis.dialog(other).caller.host == dialog.callee.host
            ]
            lost = [digit for digit in digits if _is_lost(digit, [stream for o in beyond for _, stream in legs[o]])]
            if lost:
                keys = "".join(digit.digit for digit in lost)
                yield Finding(
                    Severity.WARNING,
                    "digits-lost-between-legs",
                    f"digits of the caller do not go on past {dialog.callee}",
                    f"{keys} in dialog {ident}, within {NEAR_SECONDS:.0f} s not in"
                    f" {', '.join(f'dialog {other}' for other in beyond)}",
                    "see how each leg agreed to send digits (telephone-event, INFO, tones), and what converts them",
                    calls=(call.id,),
                    dialogs=(ident, *beyond),
                    streams=tuple(place for o in (ident, *beyond) for place, _ in legs[o]),
                )


def _is_lost(digit: Digit, streams: list[Stream]) -> bool:
    """Whether none of some streams has a digit, though one was there to carry it."""
    there = [s for s in streams if s.first <= digit.time <= s.last]
    return bool(there) and not any(
        other.digit == digit.digit and abs(other.time - digit.time) <= NEAR_SECONDS
        for stream in streams
        for other in stream.digits
    )
