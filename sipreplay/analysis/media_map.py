"""Which address receives what for whom, as the SDP of a set of dialogs says.

Owns the tie between a stream's addresses and a hop-dialog. Never looks at RTP, and takes SDP at its word: an address
that nobody sends to is an endpoint all the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sipreplay.analysis.model import Address, HopDialog, MessageList
from sipreplay.analysis.sdp_media import Codec, Facts, KnownFacts, offers_answers
from sipreplay.sip.sdp import STATIC_PAYLOADS

LINGER_S = 32.0
"""A stream that begins this long after the last message of a finished dialog is not that dialog's (RFC 3261's
64*T1).
"""
EARLY_S = 32.0
"""A stream may begin this long before the SDP that announces its destination was seen (early media, clock skew)."""

_NEAR = 64
"""How many dialogs that used an address before are looked at: all calls of a generator may name the same one."""

_FINISHED = frozenset({"completed", "cancelled", "rejected", "redirected"})


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


@lru_cache(maxsize=4096)
def _beside(address: Address) -> Address:
    """Where RTCP goes when nothing else is said (RFC 3550 11); one object for all SDP of a call."""
    return Address(address.host, address.port + 1)


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
            media.rtcp or _beside(media.address),
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
