"""A capture's batches, sifted: RTP as columns, and what may be signalling as payloads in capture order.

Joins columns, slow path and TCP directions of one capture. Never decides what is SIP: whoever takes the payloads does,
and says so, so that TCP directions without SIP are left alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from sipreplay.capture.batch import PADDING, Batch, Int, windows
from sipreplay.capture.columns import HEP, TCP, UDP, Aside, OneByOne, Pairs, RtpColumns, decode
from sipreplay.capture.hep import parse_hep
from sipreplay.capture.layers import MessageTaker, Noting, StreamLayers
from sipreplay.capture.layers import Origin as Origin
from sipreplay.capture.layers import TlsSession as TlsSession
from sipreplay.capture.link import RAW
from sipreplay.capture.slow import IpPacket, SlowPath
from sipreplay.capture.tcp import RST, SYN, Direction, TcpDirections
from sipreplay.capture.tls_keys import KeyLog
from sipreplay.capture.tunnel import MAX_DEPTH, is_tunnel

_TCP_HEADER = struct.Struct("!HHIIBB")
_RTP_HEADER = struct.Struct("!BBHII")
_HEP_FIRST = b"H\1\2"
_TRANSPORTS = {TCP: "TCP", UDP: "UDP", 132: "SCTP"}
_OVERLAPS = "of IPv4 the bytes that came first were used, IPv6 datagrams were dropped (RFC 5722)"
_V4_ENDS = np.dtype("V12")
_SPARSE = 3
"""Payloads are copied one by one where the bytes between them are more than so many times theirs."""
_CAPTURE = 1 << 40
"""Packet numbers of several files in one: the file's index is multiplied by this."""


class _Sight(NamedTuple):
    """Which packet something came from."""

    packet: int
    time_ns: int
    capture: int
    place: int

    def origin(self, source: bytes, source_port: int, destination: bytes, destination_port: int) -> Origin:
        sender, receiver = host_text(source), host_text(destination)
        packet, time_ns, capture, place = self
        now = time_ns / 1e9
        return Origin(packet, now, sender, source_port, receiver, destination_port, "", "UDP", capture, place)


class Taker(MessageTaker, Protocol):
    """Who is given the payloads."""

    def datagram(self, origin: Origin, payload: bytes, ip_id: int, cut: bool) -> None:
        """A UDP payload that starts like text. `cut`: the capture does not hold all of it."""


class DatagramRun(NamedTuple):
    """UDP payloads that follow each other and start like text, as lists with one value a datagram."""

    captures: list[int]
    """Index of the file."""
    order: list[int]
    """Place in the order of reading, over all files."""
    packets: list[int]
    """Number in the file."""
    times: list[float]
    ends: list[bytes]
    """Source and destination address and port, packed one after the other as (source, destination, ports)."""
    payloads: list[bytes]
    ids: list[int]
    """IP identification."""
    places: list[int]
    """Offset of the payload in the file; below 0 if the file does not hold the bytes as they are."""


def _run(batch: Batch, some: OneByOne) -> DatagramRun:
    index, at, end = np.array(some.index), np.array(some.at), np.array(some.end)
    captures = batch.captures(index)
    return DatagramRun(
        [captures] * len(index) if isinstance(captures, int) else captures.tolist(),
        (index + batch.first).tolist(),
        batch.numbers(index).tolist(),
        (batch.time_ns[index] / 1e9).tolist(),
        _ends(batch, some),
        _payloads(batch, at, end),
        some.ident,
        (at + batch.places(index)).tolist(),
    )


def _ends(batch: Batch, some: OneByOne) -> list[bytes]:
    """Source and destination address and port, as they stand in the packets."""
    header = np.array(some.header)
    if 6 not in some.version:
        ends: list[bytes] = windows(batch.buffer, header + 12, _V4_ENDS).tolist()
        return ends
    view = batch.buffer.data
    return [
        bytes(view[at + 12 : at + 24] if version == 4 else view[at + 8 : at + 44])
        for at, version in zip(some.header, some.version, strict=True)
    ]


def _payloads(batch: Batch, at: Int, end: Int) -> list[bytes]:
    start, stop = int(at.min()), int(end.max())
    if stop - start > _SPARSE * int((end - at).sum()):
        view = batch.buffer.data
        return [bytes(view[here:there]) for here, there in zip(at.tolist(), end.tolist(), strict=True)]
    data = batch.buffer[start:stop].tobytes()  # slices of bytes are twice as fast as of anything else
    return [data[here:there] for here, there in zip((at - start).tolist(), (end - start).tolist(), strict=True)]


@lru_cache(maxsize=65536)
def host_text(packed: bytes) -> str:
    """A packed address as text. IPv4 addresses mapped into IPv6 stay IPv6."""
    return str(IPv4Address(packed)) if len(packed) == 4 else str(IPv6Address(packed))


class Sieve:
    """Sifts one capture, or several that are read together."""

    def __init__(
        self,
        note: Noting,
        pairs: Pairs | None = None,
        aside: Callable[[Origin, bytes], None] | None = None,
        keys: KeyLog | None = None,
    ) -> None:
        """`aside` is given RTCP, and what else goes from or to a watched port, after the signalling of its batch;
        `keys` are the TLS secrets that are known, to which more may come while packets are sifted.
        """
        self.pairs = pairs or Pairs()
        self._note = note
        self._slow = SlowPath()
        self._tcp = TcpDirections()
        self._layers = StreamLayers(note, keys)
        self._last = _Sight(0, 0, 0, 0)
        self._extra: list[tuple[_Sight, IpPacket, bytes]] = []
        self._opened: list[RtpColumns] = []
        """RTP of tunnels whose outer packets came through the slow path."""
        self._depth = 0
        self._aside = aside
        self.watched = np.zeros(65536, bool)
        """UDP ports, to be set by who makes a sieve."""

    def sift(self, batch: Batch, taker: Taker) -> Iterator[RtpColumns]:
        """Hand the batch's signalling to `taker`, then yield its RTP."""
        asides: list[Aside] | None = None if self._aside is None else []
        rtp, singles = decode(batch, self.pairs, asides)
        if singles.index:
            self._one_by_one(batch, singles, taker)
        for some in asides or ():
            self._put_aside(batch, some)
        yield from rtp
        if self._extra:
            yield self._extra_columns()
        opened, self._opened = self._opened, []
        yield from opened

    def _put_aside(self, batch: Batch, some: Aside) -> None:
        """Hand on the RTCP of some datagrams, and what is from or to a watched port."""
        assert self._aside is not None
        first, second = batch.buffer[some.offset], batch.buffer[some.offset + 1]
        wanted = (first >> 6 == 2) & (second >= 192) & (second <= 223)
        wanted |= self.watched[some.ports >> 16] | self.watched[some.ports & 0xFFFF]
        view = batch.buffer.data
        chosen = np.flatnonzero(wanted)
        if len(chosen) == 0:
            return
        place = some.index[chosen]
        numbers, files = batch.numbers(place).tolist(), batch.captures(place)
        captures = [files] * len(numbers) if isinstance(files, int) else files.tolist()
        for at, index, number, capture in zip(chosen.tolist(), place.tolist(), numbers, captures, strict=True):
            source, destination, ports = _addresses(view, int(some.header[at]), some.version)
            start = int(some.offset[at])
            sight = _Sight(number, int(batch.time_ns[index]), capture, batch.first + index)
            origin = sight.origin(source, ports >> 16, destination, ports & 0xFFFF)
            self._aside(origin, bytes(view[start : start + int(some.length[at])]))

    def finish(self, taker: Taker) -> None:
        """At the end of the capture."""
        for direction, pieces in self._tcp.finish():
            self._layers.take(direction, self._origin(direction), pieces, taker)
        self._layers.finish(self._origin, taker)
        self._slow.finish()
        fragments = self._slow.fragments
        whole = f" ({fragments.finished} were put together)"
        for count, number, what in (
            (self._slow.damaged, self._slow.first_damaged, "packets with unreadable IP headers or fragments"),
            (fragments.abandoned, fragments.first_abandoned, f"fragmented datagrams of which a part is missing{whole}"),
            (fragments.overlapping, fragments.first_overlapping, f"IP fragments that overlap others: {_OVERLAPS}"),
        ):
            if count:
                self._note(number % _CAPTURE, f"{count} {what}", number // _CAPTURE if number else self._last.capture)

    def _one_by_one(self, batch: Batch, singles: OneByOne, taker: Taker) -> None:
        """Hand on what is no RTP, in order; datagrams that follow each other are handed on together."""
        if self._tcp.ignored:
            singles = self._wanted(batch, singles)
            if not singles.index:
                return
        many = getattr(taker, "datagram_run", None)
        if many is None:
            self._each(batch, singles, taker)
            return
        kinds, flags = np.array(singles.kind), np.array(singles.flags)
        together = (kinds == UDP) & (flags == 0)
        cuts = [0, *(np.flatnonzero(together[1:] != together[:-1]) + 1).tolist(), len(kinds)]
        for start, stop in pairwise(cuts):
            some = singles if stop - start == len(kinds) else singles.part(start, stop)
            if together[start]:
                many(_run(batch, some))
            else:
                self._each(batch, some, taker)

    def _wanted(self, batch: Batch, singles: OneByOne) -> OneByOne:
        """Without the segments of TCP directions that nobody wants, unless a connection begins or ends in the batch."""
        kinds, flags, headers = np.array(singles.kind), np.array(singles.flags), np.array(singles.header)
        versions = np.array(singles.version)
        keep = np.ones(len(kinds), bool)
        # Addresses and ports lie side by side in a packet without options.
        for version, start, size in ((4, 12, 12), (6, 8, 36)):
            some = np.flatnonzero((kinds == TCP) & (versions == version))
            if len(some):
                raw = np.lib.stride_tricks.sliding_window_view(batch.buffer, size)[headers[some] + start].tobytes()
                turning = np.flatnonzero(flags[some] & (SYN | RST)).tolist()
                ignored = self._tcp.ignored.difference(raw[at * size : (at + 1) * size] for at in turning)
                keep[some] = [raw[at : at + size] not in ignored for at in range(0, len(raw), size)]
        return singles if keep.all() else singles.pick(np.flatnonzero(keep).tolist())

    def _each(self, batch: Batch, singles: OneByOne, taker: Taker) -> None:
        view = batch.buffer.data
        first = batch.first
        times = batch.time_ns
        place = np.array(singles.index, np.int64)
        numbers = batch.numbers(place).tolist()
        files = batch.captures(place)
        captures = [files] * len(numbers) if isinstance(files, int) else files.tolist()
        for index, number, capture, kind, at, end, header, sequence, flags, version, ident in zip(
            singles.index,
            numbers,
            captures,
            singles.kind,
            singles.at,
            singles.end,
            singles.header,
            singles.sequence,
            singles.flags,
            singles.version,
            singles.ident,
            strict=True,
        ):
            sight = _Sight(number, int(times[index]), capture, first + index)
            if kind == 0:
                self._last = sight
                whole = self._slow.packet(bytes(view[at:end]), version, sight.time_ns, capture * _CAPTURE + number)
                if whole is not None:
                    self._slow_packet(sight, whole, taker)
                continue
            source, destination, ports = _addresses(view, header, version)
            if kind == HEP and self._reported(sight, bytes(view[at:end]), taker):
                continue
            if kind in (UDP, HEP):
                origin = sight.origin(source, ports >> 16, destination, ports & 0xFFFF)
                taker.datagram(origin, bytes(view[at:end]), ident, bool(flags))
            else:
                direction = (source, destination, ports)
                if self._tcp.ignores(direction, flags):
                    continue
                payload = bytes(view[at:end]) if end > at else b""
                cut = max(0, _wire_end(view, header, version) - max(at, end))
                self._segment(sight, direction, sequence, flags, payload, cut, taker)

    def _slow_packet(self, sight: _Sight, whole: IpPacket, taker: Taker) -> None:
        """A datagram that came whole out of the slow path."""
        payload = whole.payload
        if len(payload) < 8:
            return
        source_port, destination_port, length = struct.unpack_from("!HHH", payload)
        if is_tunnel(whole.protocol, source_port, destination_port) and self._depth < MAX_DEPTH:
            self._open(sight, whole, taker)
            return
        if whole.protocol == UDP:
            body = payload[8 : length if length >= 8 else None]
            if len(body) >= 12 and body[0] >> 6 == 2:
                self._media_packet(sight, whole, body)
            elif len(body) >= 16 and not (body[0] in _HEP_FIRST and self._reported(sight, body, taker)):
                origin = sight.origin(whole.source, source_port, whole.destination, destination_port)
                taker.datagram(origin, body, whole.ident, whole.cut or length > len(payload))
        elif whole.protocol == TCP and len(payload) >= 20:
            source_port, destination_port, sequence, _, offset, flags = _TCP_HEADER.unpack_from(payload)
            direction = (whole.source, whole.destination, source_port << 16 | destination_port)
            body = payload[(offset >> 4) * 4 :]
            self._segment(sight, direction, sequence, flags, body, 0, taker)

    def _media_packet(self, sight: _Sight, whole: IpPacket, body: bytes) -> None:
        """RTP or RTCP (RFC 5761 section 4) of a whole UDP datagram."""
        source_port, destination_port = struct.unpack_from("!HH", whole.payload)
        if not 192 <= body[1] <= 223:
            if len(body) >= 12 + 4 * (body[0] & 15):
                self._extra.append((sight, whole, body))
        elif self._aside is not None:
            self._aside(sight.origin(whole.source, source_port, whole.destination, destination_port), body)

    def _reported(self, sight: _Sight, data: bytes, taker: Taker) -> bool:
        """What a HEP capture agent saw, with its time and addresses. Returns whether it was HEP after all."""
        inner = parse_hep(data)
        if inner is None:
            return False
        if inner.time_ns is not None:
            sight = sight._replace(time_ns=inner.time_ns)
        body = inner.payload
        if inner.protocol == UDP and len(body) >= 12 and body[0] >> 6 == 2:
            version = 4 if len(inner.source) == 4 else 6
            head = struct.pack("!HHHH", inner.source_port, inner.destination_port, min(8 + len(body), 65535), 0)
            whole = IpPacket(version, inner.source, inner.destination, UDP, head + body, 0)
            self._media_packet(sight, whole, body)
        else:
            origin = sight.origin(inner.source, inner.source_port, inner.destination, inner.destination_port)
            transport = _TRANSPORTS.get(inner.protocol, "UDP")
            taker.datagram(origin._replace(correlation=inner.correlation, transport=transport), body, 0, inner.cut)
        return True

    def _open(self, sight: _Sight, whole: IpPacket, taker: Taker) -> None:
        """Look into a datagram that may be a tunnel."""
        packet = whole.plain()
        one, size = np.zeros(1, np.int64), np.full(1, len(packet))
        batch = Batch(
            np.frombuffer(bytearray(packet + bytes(PADDING)), np.uint8),
            sight.place,
            offset=one,
            captured=size,
            original=size,
            time_ns=one + sight.time_ns,
            link=RAW,
            number=one + sight.packet,
            capture=sight.capture,
        )
        self._depth += 1
        asides: list[Aside] | None = None if self._aside is None else []
        rtp, singles = decode(batch, self.pairs, asides)
        self._each(batch, singles, taker)
        for some in asides or ():
            self._put_aside(batch, some)
        self._opened += rtp
        self._depth -= 1

    def _segment(
        self,
        sight: _Sight,
        direction: Direction,
        sequence: int,
        flags: int,
        payload: bytes,
        cut: int,
        taker: Taker,
    ) -> None:
        self._last = sight
        pieces = self._tcp.segment(direction, sequence, flags, payload, cut)
        if pieces:
            wanted = self._layers.take(direction, self._origin(direction), pieces, taker)
            if not wanted:
                self._tcp.unwanted(direction, for_good=wanted is None)

    @property
    def tls(self) -> list[TlsSession]:
        """TLS connections, once all was sifted; what could not be read of them is a blind spot."""
        return self._layers.tls

    def _origin(self, direction: Direction) -> Origin:
        """Of what the last segment made whole."""
        source, destination, ports = direction
        return self._last.origin(source, ports >> 16, destination, ports & 0xFFFF)

    def _extra_columns(self) -> RtpColumns:
        """The RTP packets that came through the slow path."""
        extra, self._extra = self._extra, []
        bodies = [body for _, _, body in extra]
        lengths = np.array([len(body) for body in bodies], np.int64)
        fields = np.array([_RTP_HEADER.unpack_from(body) for body in bodies], np.int64)
        addresses, ports = [], []
        for _, whole, _ in extra:
            pair = whole.source + whole.destination
            addresses.append(int.from_bytes(pair, "big") if whole.version == 4 else self.pairs.number(pair))
            ports.append(struct.unpack_from("!I", whole.payload)[0])
        return RtpColumns(
            buffer=np.frombuffer(b"".join(bodies) + bytes(64), np.uint8),
            packet=np.array([sight.packet for sight, _, _ in extra], np.int64),
            place=np.array([sight.place for sight, _, _ in extra], np.int64),
            time_ns=np.array([sight.time_ns for sight, _, _ in extra], np.int64),
            addresses=np.array(addresses, np.uint64),
            ports_ssrc=(np.array(ports, np.uint64) << np.uint64(32)) | fields[:, 4].astype(np.uint64),
            sequence=fields[:, 2].astype(np.uint16),
            timestamp=fields[:, 3].astype(np.uint32),
            second=fields[:, 1].astype(np.uint8),
            first=fields[:, 0].astype(np.uint8),
            ident=np.array([whole.ident for _, whole, _ in extra], np.uint16),
            checksum=np.array([struct.unpack_from("!H", whole.payload, 6)[0] for _, whole, _ in extra], np.uint16),
            offset=np.cumsum(lengths) - lengths,
            length=lengths,
            capture=np.array([sight.capture for sight, _, _ in extra], np.int64),
        )


def _addresses(view: memoryview, header: int, version: int) -> tuple[bytes, bytes, int]:
    """Packed source and destination, and both ports in one number, of a packet without options."""
    if version == 4:
        ports = int.from_bytes(view[header + 20 : header + 24], "big")
        return bytes(view[header + 12 : header + 16]), bytes(view[header + 16 : header + 20]), ports
    ports = int.from_bytes(view[header + 40 : header + 44], "big")
    return bytes(view[header + 8 : header + 24]), bytes(view[header + 24 : header + 40]), ports


def _wire_end(view: memoryview, header: int, version: int) -> int:
    """Where the packet ended on the wire; 0 where the header does not say (the card cut it after it was captured)."""
    at = header + (2 if version == 4 else 4)
    total = view[at] << 8 | view[at + 1]
    return header + total + (0 if version == 4 else 40) if total else 0
