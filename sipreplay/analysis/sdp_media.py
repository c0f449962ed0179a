"""What SDP in a dialog says about media: offers and answers, and which address receives what for whom.

Owns the tie between a stream's addresses and a hop-dialog. Never looks at RTP, and takes SDP at its word: an address
that nobody sends to is an endpoint all the same.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sipreplay.analysis.dialogs import sent_by_caller
from sipreplay.analysis.model import Address, CapturedMessage, HopDialog, MessageList
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import parse_message
from sipreplay.sip.sdp import STATIC_PAYLOADS, MediaDescription, SessionDescription, parse_sdp
from sipreplay.sip.syntax import SipSyntaxError

LINGER_S = 32.0
"""A stream that begins this long after the last message of a finished dialog is not that dialog's (RFC 3261's
64*T1).
"""
EARLY_S = 32.0
"""A stream may begin this long before the SDP that announces its destination was seen (early media, clock skew)."""

MAX_CANDIDATES = 32
MAX_CRYPTO = 16
_NEAR = 64
"""How many dialogs that used an address before are looked at: all calls of a generator may name the same one."""

_FINISHED = frozenset({"completed", "cancelled", "rejected", "redirected"})

Codec = tuple[str, int, int]


class MediaFact(NamedTuple):
    """What one m= section says of where its sender receives: little enough to keep for every message."""

    kind: str
    address: Address | None
    """None where nothing can be sent to: a name, 0.0.0.0 (RFC 2543 hold), port 0."""
    rtcp: Address | None
    port_count: int
    proto: str
    direction: str
    codecs: dict[int, Codec]
    candidates: tuple[Address, ...] = ()
    """Where ICE may let it be sent instead (RFC 8839, component 1)."""
    ptime: int | None = None
    """In ms, as its sender wants to receive."""
    crypto: tuple[str, ...] = ()
    """Values of a=crypto (RFC 4568)."""
    fingerprint: bool = False
    """Whether DTLS is announced (RFC 8122)."""
    types: tuple[int, ...] = ()
    """Payload types of the m= line, those too whose codec is not known."""
    bundled: bool = False
    """Whether it may share the first bundled section's address (RFC 9143)."""

    @property
    def security(self) -> str:
        """How its media is protected: "" (not), "sdes", "dtls", or "unknown": a secure profile without either."""
        if self.crypto:
            return "sdes"
        if self.fingerprint:
            return "dtls"
        return "unknown" if "SAVP" in self.proto.upper() else ""


Facts = tuple[MediaFact, ...]
KnownFacts = Mapping[int, Facts | None]
"""What was read of messages already, by their index."""


class SdpSight(NamedTuple):
    """One SDP body of a dialog."""

    captured: CapturedMessage
    from_caller: bool
    role: str
    """offer, answer, or repeat: an answer (or an offer) said again in a later response to the same request."""
    media: tuple[MediaFact, ...]

    @property
    def description(self) -> SessionDescription:
        """All of it."""
        description = sdp_of(self.captured)
        assert description is not None, "a sight is of a body that was read"
        return description


class MediaEndpoint(NamedTuple):
    """Where one side of a dialog receives one medium."""

    address: Address
    rtcp: Address
    dialog: int
    of_caller: bool
    """Whether the dialog's caller receives here (so that the callee sends)."""
    since: float
    kind: str
    """audio, video, ..."""
    proto: str
    direction: str
    """As its owner announced it: sendrecv, sendonly, recvonly or inactive."""
    codecs: dict[int, Codec]
    """Payload type to (name, clock rate, channels)."""
    line: int = 0
    """Place of its m= line, which an answer keeps (RFC 3264 section 6)."""
    candidate: bool = False
    """Whether the address is an ICE candidate besides the m= line's own."""
    ptime: int | None = None
    crypto: tuple[str, ...] = ()
    security: str = ""
    types: tuple[int, ...] = ()
    """Payload types of its m= line."""
    packet: tuple[int, int] = (0, 0)
    """Capture and packet of its SDP."""


class MediaMatch(NamedTuple):
    """What SDP says about a stream."""

    dialog: int
    from_caller: bool
    kind: str
    codecs: dict[int, Codec]
    """Of both sides, the receiver's first: a sender uses the receiver's numbers (RFC 3264 5.1), not all do."""
    by: str
    """"destination" where the receiver's SDP names it, "source" where only the sender's own address is known."""
    receiver: MediaEndpoint | None
    """What the receiving side announced of this m= line, last before the stream or first after."""
    sender: MediaEndpoint | None
    """What the sending side announced of it."""
    accepted: Container[int]
    """Payload types that the receiving side named at any time; where it said nothing, those of the sending side."""
    sender_addresses: frozenset[Address]
    """All that the sending side announced for it, candidates too."""


def _sdp_bytes(captured: CapturedMessage) -> bytes | None:
    return sdp_body(captured.message)


def sdp_of(captured: CapturedMessage) -> SessionDescription | None:
    """The SDP in a message, or None when it carries none that can be read."""
    found = _sdp_bytes(captured)
    return None if found is None else _parsed(found)


def facts_of(captured: CapturedMessage) -> Facts | None:
    """What the sections of the SDP in a message say, or None when it carries none that can be read."""
    found = _sdp_bytes(captured)
    return None if found is None else media_facts(found)


def facts_in(data: bytes) -> Facts | None:
    """As `facts_of`, from a message's bytes."""
    end = data.find(b"\r\n\r\nv=0\r\n")
    if end >= 0 and data.find(_SDP_TYPE, 0, end + 2) >= 0:
        length = data.find(b"\r\nContent-Length: ", 0, end)
        if length >= 0 and data[length + 18 : data.find(b"\r", length + 18)] == b"%d" % (len(data) - end - 4):
            return _usual_facts(data[end + 4 :])
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return None
    found = sdp_body(message)
    return None if found is None else media_facts(found)


_USUAL_SDP = re.compile(
    rb"v=0\r\no=[^\s]++ \d{1,20}+ \d{1,20}+ IN IP[46] [^\s]++\r\n(s=[^\r\n]++\r\n(?:[^ocmtv\r\n]=[^\r\n]*+\r\n)*+)"
    rb"c=IN IP4 (\d[\d.]++)\r\n((?:[^ocmv\r\n]=[^\r\n]*+\r\n)*+m=[a-z]++ )(\d{1,5}+)"
    rb"( [^\r\n]++\r\n(?:[^ocmv\r\n]=[^\r\n]*+\r\n)*+)\Z"
).match
"""One section, with the connection before it: what differs from call to call is address and port."""
_templates: dict[tuple[bytes, bytes, bytes], MediaFact | None] = {}
_filled: dict[tuple[int, bytes, bytes], Facts] = {}
MAX_TEMPLATES = 4096


def _usual_facts(body: bytes) -> Facts | None:
    """As `media_facts`; descriptions that differ only in origin, address and port are read once."""
    match = _USUAL_SDP(body)
    if match is None:
        return media_facts(body)
    before, host, middle, port, after = match.groups()
    key = before, middle, after
    address = _address(host.decode(), int(port))
    if address is None:
        return media_facts(body)
    if key not in _templates:
        if len(_templates) >= MAX_TEMPLATES:
            _templates.clear()
            _filled.clear()
        facts = media_facts(body)
        plain = facts is not None and len(facts) == 1 and facts[0].rtcp is None and not facts[0].candidates
        _templates[key] = facts[0] if plain and facts else None
        return facts
    template = _templates[key]
    if template is None:
        return media_facts(body)
    place = id(template), host, port
    known = _filled.get(place)
    if known is None:
        if len(_filled) >= 16 * MAX_TEMPLATES:
            _filled.clear()
        known = _filled[place] = (template._replace(address=address),)
    return known


_SDP_TYPE = b"\r\nContent-Type: application/sdp\r\n"
_short: dict[int, tuple[dict[int, Codec], dict[int, tuple[str, int]]]] = {}


def short_codecs(codecs: dict[int, Codec]) -> dict[int, tuple[str, int]]:
    """Payload type to (name, clock rate); one dict for all that are asked for with the same dict."""
    known = _short.get(id(codecs))
    if known is None or known[0] is not codecs:
        if len(_short) >= 1024:
            _short.clear()
        known = _short[id(codecs)] = codecs, {kind: codec[:2] for kind, codec in codecs.items()}
    return known[1]


@lru_cache(maxsize=1024)
def _parsed(body: bytes) -> SessionDescription | None:
    """Remembered, because every hop and every retransmission says the same again."""
    try:
        return parse_sdp(body)
    except SipSyntaxError:
        return None


@lru_cache(maxsize=1024)
def media_facts(body: bytes) -> Facts | None:
    """What the sections of an SDP body say, or None when it cannot be read."""
    description = _parsed(body)
    if description is None:
        return None
    fingerprint = any(attribute.name == "fingerprint" for attribute in description.attributes)
    groups = [attribute.value or "" for attribute in description.attributes if attribute.name == "group"]
    bundled = {mid for group in groups for mid in group.split()[1:] if group.startswith("BUNDLE")}
    return tuple(_fact(media, fingerprint, bundled) for media in description.media)


def _fact(media: MediaDescription, fingerprint: bool, bundled: set[str]) -> MediaFact:
    host = media.connection.host if media.connection else ""
    address = _address(host, media.port)
    rtcp: Address | None = None
    if media.rtcp is not None:
        rtcp = _address(media.rtcp.host or host, media.rtcp.port)
    elif media.rtcp_mux:
        rtcp = address
    codecs = tuple((p, c) for p in media.payload_types if (c := media.codec(p)) is not None)
    return MediaFact(
        media.kind,
        address,
        rtcp,
        min(media.port_count, 16),
        media.proto,
        media.direction,
        _codec_map(codecs),
        _candidates(media, address) if media.has_ice else (),
        media.ptime,
        tuple(media.crypto[:MAX_CRYPTO]),
        fingerprint or media.has("fingerprint"),
        tuple(media.payload_types),
        bool(bundled) and any(mid in bundled for mid in media.attribute_values("mid")),
    )


def _candidates(media: MediaDescription, address: Address | None) -> tuple[Address, ...]:
    """The UDP addresses of a=candidate, component 1, but the section's own."""
    found: dict[Address, None] = {}
    for value in media.attribute_values("candidate")[:MAX_CANDIDATES]:
        words = value.split()
        if len(words) < 6 or words[1] != "1" or words[2].upper() != "UDP" or not words[5].isascii():
            continue
        candidate = _address(words[4], int(words[5])) if words[5].isdigit() and len(words[5]) < 6 else None
        if candidate is not None and candidate != address:
            found[candidate] = None
    return tuple(found)


@lru_cache(maxsize=1024)
def _codec_map(codecs: tuple[tuple[int, Codec], ...]) -> dict[int, Codec]:
    """One dict for all sections that offer the same."""
    return dict(codecs)


def offers_answers(dialog: HopDialog, known: KnownFacts | None = None) -> list[SdpSight]:
    """Every SDP of a dialog in order, without copies and retransmissions, with its role (RFC 3264, RFC 6337 2).

    SDP of messages in `known` is not read again.
    """
    known = known or {}
    sights: list[SdpSight] = []
    offered: tuple[bool, int] | None = None
    """Side and CSeq of the offer that waits for its answer."""
    answered: tuple[bool, int] | None = None
    """Side and CSeq of the last answer."""
    for captured in dialog.messages:
        if captured.copy or captured.retransmission:
            continue
        message = captured.message
        cseq = message.cseq_number
        if message.status >= 300:
            if offered is not None and offered == (not sent_by_caller(dialog, captured), cseq):
                offered = None
            continue
        media = known[captured.index] if captured.index in known else facts_of(captured)
        if media is None:
            continue
        from_caller = sent_by_caller(dialog, captured)
        mine = (from_caller, cseq)
        if offered is not None and offered[0] != from_caller:
            role, offered, answered = "answer", None, mine
        elif message.status and mine in (offered, answered):
            role = "repeat"
        else:
            role, offered = "offer", mine
        sights.append(SdpSight(captured, from_caller, role, media))
    return sights


@lru_cache(maxsize=4096)
def _numeric(host: str) -> str:
    """The host as captured addresses are written; "" for names and 0.0.0.0 (RFC 2543 hold)."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return "" if ip.is_unspecified else str(ip)


def _address(host: str, port: int) -> Address | None:
    """An address to compare captured ones with, or None when nothing can be sent to it."""
    host = _numeric(host)
    return Address(host, port) if host and 0 < port < 65536 else None


Announced = tuple[Facts, bool, float, tuple[int, int]]
"""What an SDP says, whether the caller sent it, when, and capture and packet."""


def _announced(dialog: HopDialog, known: KnownFacts | None) -> Iterator[Announced]:
    """Each SDP of a dialog."""
    if known is not None and isinstance(dialog.messages, MessageList):
        for index, from_caller, time, place in dialog.messages.media():
            facts = known.get(index)
            if facts is not None:
                yield facts, from_caller, time, place
        return
    for sight in offers_answers(dialog, known):
        yield sight.media, sight.from_caller, sight.captured.time, (sight.captured.capture, sight.captured.packet)


def _endpoints(
    sections: Facts, from_caller: bool, time: float, place: tuple[int, int], dialog: int
) -> list[MediaEndpoint]:
    """The endpoints that one SDP announces."""
    found = []
    shared = next((media.address for media in sections if media.bundled and media.address), None)
    for index, media in enumerate(sections):
        if media.address is None:
            continue
        host, first = media.address
        announced = MediaEndpoint(
            media.address,
            media.rtcp or Address(host, first + 1),
            dialog,
            from_caller,
            time,
            media.kind,
            media.proto,
            media.direction,
            media.codecs,
            index,
            False,
            media.ptime,
            media.crypto,
            media.security,
            media.types,
            place,
        )
        found.append(announced)
        for port in range(first + 2, min(first + 2 * media.port_count, 65536), 2):
            found.append(announced._replace(address=Address(host, port), rtcp=Address(host, port + 1)))
        elsewhere = media.candidates
        if media.bundled and shared is not None and shared != media.address:
            elsewhere = (shared, *elsewhere)
        for address in elsewhere:
            found.append(announced._replace(address=address, rtcp=announced.rtcp, candidate=True))
    return found


Line = tuple[bool, int, str]


@dataclass(slots=True)
class _Sides:
    """What a dialog said, by (side, place of the m= line, kind)."""

    types: dict[Line, set[int]] = field(default_factory=dict)
    codecs: dict[Line, dict[int, Codec]] = field(default_factory=dict)
    """All its SDP together."""
    endpoints: dict[Line, list[MediaEndpoint]] = field(default_factory=dict)
    """In order; candidates are left out."""
    addresses: dict[Line, set[Address]] = field(default_factory=dict)


class MediaMap:
    """All endpoints of a set of dialogs, by address."""

    def __init__(self, dialogs: Iterable[HopDialog], known: KnownFacts | None = None) -> None:
        """`known`: what was read of their messages' SDP already."""
        self.endpoints: dict[Address, list[MediaEndpoint]] = {}
        """By RTP address, in order of announcement."""
        self.rtcp: dict[Address, MediaEndpoint] = {}
        """The first endpoint by RTCP address."""
        self._sides: dict[int, _Sides] = {}
        self._dialogs: dict[int, HopDialog] = {}
        self._first_hop: dict[tuple[Address, str, int, bool, int], MediaEndpoint] = {}
        for dialog in dialogs:
            self._dialogs[dialog.id] = dialog
            sides = self._sides[dialog.id] = _Sides()
            for said in _announced(dialog, known):
                for endpoint in _endpoints(*said, dialog.id):
                    self._add(endpoint, sides)
        for announced in self.endpoints.values():
            announced.sort(key=lambda e: e.since)

    def _add(self, endpoint: MediaEndpoint, sides: _Sides) -> None:
        known = self.endpoints.setdefault(endpoint.address, [])
        line = endpoint.of_caller, endpoint.line, endpoint.kind
        sides.codecs.setdefault(line, {}).update(endpoint.codecs)
        sides.types.setdefault(line, set()).update(endpoint.types)
        sides.addresses.setdefault(line, set()).add(endpoint.address)
        if not endpoint.candidate:
            sides.endpoints.setdefault(line, []).append(endpoint)
        if known and known[-1][:4] == endpoint[:4] and known[-1][5:-1] == endpoint[5:-1]:  # said again
            return
        known.append(endpoint)
        key = self._hop_key(endpoint)
        first = self._first_hop.setdefault(key, endpoint)
        if endpoint.dialog < first.dialog:
            self._first_hop[key] = endpoint
        self.rtcp.setdefault(endpoint.rtcp, endpoint)

    def find(
        self, source: Address, destination: Address, first: float, payload_type: int | None = None
    ) -> MediaMatch | None:
        """What SDP says about the stream from `source` to `destination` that began at `first`, or None. Where several
        m= lines share an address (BUNDLE, RFC 9143), that counts which names `payload_type`.

        The destination decides; a stream from an announced address to an unannounced one (a NAT, a latching relay) is
        its owner's. Of a dialog's hops, which all announce the same media when no proxy touches it, the first is named.
        """
        endpoint = self._at(destination, first, payload_type)
        if endpoint is not None:
            return self._match(endpoint, not endpoint.of_caller, first, "destination")
        endpoint = self._at(source, first, payload_type)
        return self._match(endpoint, endpoint.of_caller, first, "source") if endpoint is not None else None

    def _at(self, address: Address, first: float, payload_type: int | None) -> MediaEndpoint | None:
        known = self.endpoints.get(address)
        if not known:
            return None
        after = bisect_right(known, first, key=lambda e: e.since)
        before = known[max(0, after - _NEAR) : after]
        chosen = next((e for e in reversed(before) if not self._is_over(e, first)), None)
        if chosen is None and after < len(known) and known[after].since - first <= EARLY_S:
            chosen = known[after]
        if chosen is None:
            return None
        if payload_type is not None and payload_type not in chosen.codecs:
            for other in known[max(0, after - _NEAR) : after + _NEAR]:
                if other[2:5] == chosen[2:5] and payload_type in other.codecs:
                    chosen = other
                    break
        return self._first_hop[self._hop_key(chosen)]

    def _hop_key(self, endpoint: MediaEndpoint) -> tuple[Address, str, int, bool, int]:
        """What the endpoints of one side have in common on all hops."""
        dialog = self._dialogs[endpoint.dialog]
        return endpoint.address, dialog.call_id, dialog.conversation, endpoint.of_caller, endpoint.line

    def _is_over(self, endpoint: MediaEndpoint, now: float) -> bool:
        dialog = self._dialogs[endpoint.dialog]
        return dialog.state in _FINISHED and now > dialog.last + LINGER_S

    def _match(self, endpoint: MediaEndpoint, from_caller: bool, first: float, by: str) -> MediaMatch:
        sides = self._sides[endpoint.dialog]
        sent = from_caller, endpoint.line, endpoint.kind
        received = not from_caller, endpoint.line, endpoint.kind
        merged = {**STATIC_PAYLOADS, **sides.codecs.get(sent, {})}
        merged.update(sides.codecs.get(received, {}))
        return MediaMatch(
            endpoint.dialog,
            from_caller,
            endpoint.kind,
            merged,
            by,
            _in_force(sides.endpoints.get(received, []), first),
            _in_force(sides.endpoints.get(sent, []), first),
            sides.types.get(received) or merged,
            frozenset(sides.addresses.get(sent, ())),
        )


def _in_force(announced: list[MediaEndpoint], first: float) -> MediaEndpoint | None:
    """The last that was said by then, else the first that was said after."""
    before = [endpoint for endpoint in announced if endpoint.since <= first]
    return before[-1] if before else announced[0] if announced else None
