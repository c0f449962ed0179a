"""Which packets of a capture belong to something: signalling by number, media by address and time, TCP by connection.

Told what is wanted, it reads a capture again and returns packet numbers; memory grows with what is chosen, not with the
file. Never decides what belongs to a call, and never writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.batch import Batch, Int
from sipreplay.capture.columns import TCP, UDP, Pairs, RtpColumns
from sipreplay.capture.link import checked, ip_headers
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.sieve import Sieve
from sipreplay.capture.tunnel import MAX_DEPTH, enter, may_be

U64 = NDArray[np.uint64]
Endpoint = tuple[str, int]
"""Numeric host and port."""

MAX_FRAGMENTED = 65536
"""Fragmented datagrams whose fate is open; the oldest is given up."""
_SLACK_NS = 4096
"""Times come as floats of seconds since 1970, which are exact to some hundred nanoseconds."""
_FRAGMENT_HEADER = 44
_SETUP = 0x07
"""FIN, SYN and RST."""
_ONE, _TWO, _THREE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)


class Window(NamedTuple):
    """A span of time, seconds since the epoch, both ends in it."""

    first: float
    last: float


class Span(NamedTuple):
    """The segments of one TCP message: later than packet `after`, up to `upto`. Packet `after` itself, which ended the
    message before, is one of them if it ends with a beginning of `head`, the message's own."""

    after: int
    upto: int
    head: bytes


@dataclass(slots=True)
class Connection:
    """A TCP connection that is wanted, of one capture."""

    whole: bool = False
    spans: dict[tuple[Endpoint, Endpoint], list[Span]] = field(default_factory=dict)
    """By direction, unless the whole connection is wanted."""


@dataclass(slots=True)
class Wanted:
    """What to look for."""

    packets: dict[int, set[int]] = field(default_factory=dict)
    """Numbers of packets that hold or complete SIP messages, by capture."""
    streams: list[tuple[Endpoint, Endpoint, int, Window]] = field(default_factory=list)
    """Source, destination, SSRC, time."""
    others: list[tuple[Endpoint, Endpoint, int, Window]] = field(default_factory=list)
    """Streams that are known to be of something else, although they may use a wanted endpoint."""
    endpoints: list[tuple[Endpoint, Window]] = field(default_factory=list)
    """Where media may come from or go to: all UDP there is wanted, but for `others`."""
    connections: dict[int, dict[tuple[Endpoint, Endpoint], Connection]] = field(default_factory=dict)
    """By capture, then by the two ends of a connection, the lower first."""


class _Nobody:
    """Takes payloads and wants no more of them."""

    def datagram(self, *_: Any, **__: Any) -> None:
        return None

    def message(self, *_: Any, **__: Any) -> None:
        return None

    def broken(self, *_: Any, **__: Any) -> None:
        return None


def _no_note(*_: Any, **__: Any) -> None:
    """What cannot be used was told when the capture was read first."""


class Slicer:
    """Finds what is wanted, a capture at a time."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._pairs = Pairs()
        self._streams = self._stream_table(wanted.streams)
        self._others = self._stream_table(wanted.others)
        self._endpoints = _Windows((_endpoint_key(end), window) for end, window in wanted.endpoints)

    def packets(self, index: int, reader: CaptureReader) -> Int:
        """Numbers of the wanted packets of one capture, ascending."""
        search = _Search(self._wanted, index, self._streams, self._others, self._endpoints)
        sieve = Sieve(_no_note, self._pairs)
        nobody = _Nobody()
        for batch in reader.batches():
            search.take(batch, list(sieve.sift(batch, nobody)))
        return search.finish()

    def _stream_table(self, streams: Iterable[tuple[Endpoint, Endpoint, int, Window]]) -> _Windows:
        keys = []
        for source, destination, ssrc, window in streams:
            a, b = ip_address(source[0]).packed, ip_address(destination[0]).packed
            if len(a) != len(b):
                continue
            addresses = int.from_bytes(a + b, "big") if len(a) == 4 else self._pairs.number(a + b)
            keys.append((_mixed_int(addresses, source[1] << 48 | destination[1] << 32 | ssrc, 0), window))
        return _Windows(keys)


class _Windows:
    """Keys, each with spans of time in which it counts."""

    def __init__(self, items: Iterable[tuple[int, Window]]) -> None:
        spans: dict[int, list[tuple[int, int]]] = {}
        for key, window in items:
            begin, end = int(window.first * 1e9) - _SLACK_NS, int(window.last * 1e9) + _SLACK_NS
            spans.setdefault(key, []).append((begin, end))
        self._keys = np.array(sorted(spans), np.uint64)
        places, begins, ends = [], [], []
        for place, key in enumerate(sorted(spans)):
            for begin, end in _merged(spans[key]):
                places.append(place)
                begins.append(begin)
                ends.append(end)
        self._start = min(begins, default=0)
        self._begins = self._place(np.array(places, np.int64), np.array(begins, np.int64))
        self._ends = np.array(ends, np.int64)
        self._places = np.array(places, np.int64)

    def _place(self, place: Int, time_ns: Int) -> Int:
        """Key and time in one number that sorts: microseconds in 43 bits, more than a hundred days."""
        return np.asarray((place << 43) | np.clip((time_ns - self._start) >> 10, 0, (1 << 43) - 1), np.int64)

    def hit(self, keys: U64, time_ns: Int) -> NDArray[np.bool_]:
        """Which of these keys count at these times."""
        if not len(self._keys):
            return np.zeros(len(keys), bool)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1).astype(np.int64)
        known = self._keys[place] == keys
        span = np.searchsorted(self._begins, self._place(place, time_ns), side="right") - 1
        span = np.maximum(span, 0)
        inside = (self._places[span] == place) & (time_ns <= self._ends[span]) & (time_ns >= self._start)
        return np.asarray(known & inside)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap, as one."""
    out: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], end)
        else:
            out.append((begin, end))
    return out


def _mixed(high: U64, low: U64, port: U64) -> U64:
    with np.errstate(over="ignore"):
        mixed = (high * _ONE) ^ ((low ^ (low >> np.uint64(31))) * _TWO) ^ (port * _THREE)
        mixed ^= mixed >> np.uint64(29)
        return mixed * _ONE


def _mixed_int(high: int, low: int, port: int) -> int:
    return int(_mixed(np.array([high], np.uint64), np.array([low], np.uint64), np.array([port], np.uint64))[0])


def _endpoint_key(end: Endpoint) -> int:
    packed = ip_address(end[0]).packed.rjust(16, b"\0")
    return _mixed_int(int.from_bytes(packed[:8], "big"), int.from_bytes(packed[8:], "big"), end[1])


class _Search:
    """One capture."""

    def __init__(self, wanted: Wanted, index: int, streams: _Windows, others: _Windows, endpoints: _Windows) -> None:
        self._streams, self._others, self._endpoints = streams, others, endpoints
        self._numbers = np.array(sorted(wanted.packets.get(index, ())), np.int64)
        self._found: list[Int] = [self._numbers]
        self._connections = wanted.connections.get(index, {})
        pairs = {_endpoint_key(a): _endpoint_key(b) for a, b in self._connections}
        both = [(a + b) & 0xFFFFFFFFFFFFFFFF for a, b in pairs.items()]
        self._tcp = np.array(sorted(both), np.uint64)
        self._fragments: dict[bytes, _Fragments] = {}
        self._number = self._numbers
        """Of the packets of the batch at hand, in their file."""

    def finish(self) -> Int:
        return np.unique(np.concatenate(self._found))

    def take(self, batch: Batch, rtp: list[RtpColumns]) -> None:
        self._number = batch.numbers(np.arange(len(batch)))
        foreign = np.zeros(len(batch), bool)
        for columns in rtp:
            keys = _mixed(columns.addresses, columns.ports_ssrc, np.zeros(len(columns), np.uint64))
            self._found.append(columns.packet[self._streams.hit(keys, columns.time_ns)])
            foreign |= np.isin(self._number, columns.packet[self._others.hit(keys, columns.time_ns)])
        at, version = ip_headers(batch)
        index = np.arange(len(batch))
        for _ in range(MAX_DEPTH + 1):
            inside = []
            for number in (4, 6):
                some = np.flatnonzero(version == number)
                if len(some):
                    self._of_version(batch, index[some], at[some], number, foreign)
                    inside.append(_inside(batch, index[some], at[some], number))
            if not any(len(found) for found, _, _ in inside):
                break
            index, at, version = (np.concatenate(column) for column in zip(*inside, strict=True))

    def _of_version(self, batch: Batch, some: Int, at: Int, version: int, foreign: NDArray[np.bool_]) -> None:
        buffer = batch.buffer
        if version == 4:
            protocol = buffer[at + 9]
            transport = at + (buffer[at] & 15).astype(np.int64) * 4
            apart = (_number(buffer, at + 6, 2) & np.uint64(0x3FFF)) != 0
            source = np.zeros(len(at), np.uint64), _number(buffer, at + 12, 4)
            destination = np.zeros(len(at), np.uint64), _number(buffer, at + 16, 4)
        else:
            protocol = buffer[at + 6]
            transport = at + 40
            apart = protocol == _FRAGMENT_HEADER
            source = _number(buffer, at + 8, 8), _number(buffer, at + 16, 8)
            destination = _number(buffer, at + 24, 8), _number(buffer, at + 32, 8)
        held = transport + 4 <= batch.offset[some] + batch.captured[some]
        sender = _mixed(*source, _number(buffer, transport, 2))
        receiver = _mixed(*destination, _number(buffer, transport + 2, 2))
        times = batch.time_ns[some]
        udp = held & (protocol == UDP) & ~apart & ~foreign[some]
        udp &= self._endpoints.hit(sender, times) | self._endpoints.hit(receiver, times)
        self._found.append(self._number[some[udp]])
        if len(self._tcp):
            with np.errstate(over="ignore"):
                tcp = held & (protocol == TCP) & ~apart & np.isin(sender + receiver, self._tcp)
            for i in np.flatnonzero(tcp).tolist():
                self._segment(batch, int(some[i]), int(at[i]), int(transport[i]), version)
        for i in np.flatnonzero(apart).tolist():
            self._fragment(batch, int(some[i]), int(at[i]), int(transport[i]), version)

    def _segment(self, batch: Batch, index: int, at: int, transport: int, version: int) -> None:
        """Whether a segment of a wanted connection is wanted itself."""
        view = batch.buffer.data
        first, second = (bytes(view[begin : begin + size]) for begin, size in _places(at, version))
        ports = view[transport : transport + 4]
        source = _text(first), int.from_bytes(ports[:2], "big")
        destination = _text(second), int.from_bytes(ports[2:], "big")
        connection = self._connections.get(_ends(source, destination))
        if connection is None:
            return
        number = int(self._number[index])
        taken = connection.whole or bool(view[transport + 13] & _SETUP)
        if not taken:
            begin = transport + (view[transport + 12] >> 4) * 4
            payload = bytes(view[begin : int(batch.offset[index] + batch.captured[index])])
            for span in connection.spans.get((source, destination), ()) if payload else ():
                if span.after < number <= span.upto or (number == span.after and _begins_in(span.head, payload)):
                    taken = True
                    break
        if taken:
            self._found.append(np.array([number], np.int64))

    def _fragment(self, batch: Batch, index: int, at: int, transport: int, version: int) -> None:
        """A fragment is wanted with its datagram: one that a wanted message ended in, or media at a wanted endpoint."""
        view = batch.buffer.data
        if version == 4:
            protocol, offset = view[at + 9], int.from_bytes(view[at + 6 : at + 8], "big") & 0x1FFF
            key = bytes(view[at + 4 : at + 6]) + bytes(view[at + 9 : at + 10]) + bytes(view[at + 12 : at + 20])
        else:
            protocol, offset = view[at + 40], int.from_bytes(view[at + 42 : at + 44], "big") >> 3
            key = bytes(view[at + 8 : at + 40]) + bytes(view[at + 44 : at + 48])
            transport += 8
        parts = self._fragments.pop(key, None) or _Fragments()
        self._fragments[key] = parts
        while len(self._fragments) > MAX_FRAGMENTED:
            del self._fragments[next(iter(self._fragments))]
        number = int(self._number[index])
        place = int(np.searchsorted(self._numbers, number))
        parts.wanted |= place < len(self._numbers) and int(self._numbers[place]) == number
        if offset == 0 and protocol == UDP:
            keys = [
                _endpoint_key((_text(bytes(view[begin : begin + size])), int.from_bytes(view[port : port + 2], "big")))
                for (begin, size), port in zip(_places(at, version), (transport, transport + 2), strict=True)
            ]
            times = np.full(2, batch.time_ns[index])
            parts.wanted |= bool(self._endpoints.hit(np.array(keys, np.uint64), times).any())
        parts.numbers.append(number)
        if parts.wanted:
            self._found.append(np.array(parts.numbers, np.int64))
            parts.numbers.clear()


def _inside(batch: Batch, index: Int, at: Int, version: int) -> tuple[Int, Int, Int]:
    """The packets with a tunnel in them, where the IP header inside begins, and its version."""
    buffer = batch.buffer
    protocol = buffer[at + (9 if version == 4 else 6)]
    ports = _number(buffer, at + (20 if version == 4 else 40), 4).astype(np.uint32)
    some = np.flatnonzero(may_be(protocol, ports))
    if version == 4:  # options and fragments are the slow path's
        some = some[(buffer[at[some]] == 0x45) & ((_number(buffer, at[some] + 6, 2) & np.uint64(0x3FFF)) == 0)]
    end = (batch.offset + batch.captured)[index[some]]
    place, inner = enter(buffer, at[some], version, end)
    inner = checked(buffer, place, inner, end)
    found = inner > 0
    return index[some][found], place[found], inner[found]


@dataclass(slots=True)
class _Fragments:
    wanted: bool = False
    numbers: list[int] = field(default_factory=list)


def _places(at: int, version: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return ((at + 12, 4), (at + 16, 4)) if version == 4 else ((at + 8, 16), (at + 24, 16))


def _begins_in(message: bytes, payload: bytes) -> bool:
    """Whether a payload ends with the first bytes of a message, but not with all of it."""
    most = min(len(message) - 1, len(payload))
    return any(payload.endswith(message[:size]) for size in range(most, 0, -1))


def _text(packed: bytes) -> str:
    return str(ip_address(packed))


def _ends(one: Endpoint, other: Endpoint) -> tuple[Endpoint, Endpoint]:
    return (one, other) if one <= other else (other, one)


def _number(buffer: NDArray[np.uint8], at: Int, size: int) -> U64:
    """The big-endian number at each place."""
    out = np.zeros(len(at), np.uint64)
    for step in range(size):
        out = (out << np.uint64(8)) | buffer[np.minimum(at + step, len(buffer) - 1)]
    return out
