"""IP, UDP, RTP and TCP headers of a batch as numpy columns.

Owns what is decoded without touching single packets: IPv4 without options and fragments, IPv6 without extension
headers, both in tunnels too. The rest is listed for the slow path. Never looks at payloads beyond the RTP header and
the first byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.batch import Batch, Bytes, Int, windows
from sipreplay.capture.ethertype import IPV4
from sipreplay.capture.hep import SHORTEST
from sipreplay.capture.link import ETHERNET, checked, ip_headers
from sipreplay.capture.tunnel import MAX_DEPTH, TUNNELS, enter, may_be

WINDOW = 64
"""Bytes from the start of the IP header that are decoded: enough for IPv6, UDP and RTP."""
UDP, TCP = 17, 6
HEP = -1
"""What may be HEP: UDP to whatever port."""
_AH = 51
_RTP_HEADER = 12
_SHORTEST = 4
_SIP_SHORTEST = 16
"""A shorter datagram (a keep-alive) is no SIP message."""

_STARTS_TEXT = np.zeros(256, bool)
for _byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n":
    _STARTS_TEXT[_byte] = True


def _layout(fields: dict[str, tuple[str, int]]) -> np.dtype[Any]:
    return np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [at for _, at in fields.values()],
            "itemsize": WINDOW,
        }
    )


def _transport(at: int) -> dict[str, tuple[str, int]]:
    """Fields from the transport header on."""
    return {
        "ports": (">u4", at),
        "udp_length": (">u2", at + 4),
        "checksum": (">u2", at + 6),
        "tcp_sequence": (">u4", at + 4),
        "tcp_offset": ("u1", at + 12),
        "tcp_flags": ("u1", at + 13),
        "rtp_first": ("u1", at + 8),
        "rtp_second": ("u1", at + 9),
        "rtp_sequence": (">u2", at + 10),
        "rtp_timestamp": (">u4", at + 12),
        "rtp_ssrc": (">u4", at + 16),
    }


_V4 = _layout(
    {
        "start": ("u1", 0),
        "total": (">u2", 2),
        "ident": (">u2", 4),
        "fragment": (">u2", 6),
        "protocol": ("u1", 9),
        "addresses": (">u8", 12),
        "source": (">u4", 12),
        **_transport(20),
    }
)
_PLAIN_FROM = 10
"""Where in an Ethernet frame the window begins whose fields are `_PLAIN`: all stand at multiples of their size there,
which makes them twice as fast to read."""
_PLAIN = np.dtype(
    {
        "names": ["type", *(_V4.names or ())],
        "formats": [">u2", *(_V4[name] for name in _V4.names or ())],
        "offsets": [2, *(_V4.fields[name][1] + 4 for name in _V4.names or () if _V4.fields)],
        "itemsize": 48,
    }
)
_V6 = _layout({"total": (">u2", 4), "protocol": ("u1", 6), "addresses": ("V32", 8), **_transport(40)})


@dataclass(slots=True)
class RtpColumns:
    """Packets that look like RTP, in file order."""

    buffer: Bytes
    packet: Int
    """Number in the file."""
    time_ns: Int
    addresses: NDArray[np.uint64]
    """IPv4: source and destination. IPv6: a number the `Pairs` table knows, above a source of 255.255.255.255."""
    ports_ssrc: NDArray[np.uint64]
    """Source port, destination port, SSRC."""
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    second: NDArray[np.uint8]
    """Marker bit and payload type."""
    first: NDArray[np.uint8]
    """Version, padding, extension, CSRC count."""
    ident: NDArray[np.uint16]
    """IP identification."""
    checksum: NDArray[np.uint16]
    """Of UDP."""
    offset: Int
    """Of the RTP header in `buffer`."""
    length: Int
    """Of the RTP packet, as far as captured."""
    cut: int = 0
    """How many of the packets the capture does not hold whole."""
    capture: Int | int = 0
    """Index of the file: one for all, or one a packet."""
    place: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    """In the order of reading, from 1, over all files."""

    def __len__(self) -> int:
        return len(self.packet)

    def some(self, which: NDArray[Any]) -> RtpColumns:
        """Chosen packets."""
        values = {
            name: value[which]
            for name in self.__slots__
            if name != "buffer" and isinstance(value := getattr(self, name), np.ndarray) and len(value) == len(self)
        }
        return replace(self, **values)

    def by_capture(self) -> list[RtpColumns]:
        """The packets of each file by themselves."""
        if isinstance(self.capture, int):
            return [self]
        columns = [each.name for each in fields(self) if each.name not in ("buffer", "cut", "capture")]
        out: list[RtpColumns] = []
        for capture in np.unique(self.capture).tolist():
            some = np.flatnonzero(self.capture == capture)
            values = {name: getattr(self, name)[some] for name in columns}
            out.append(replace(self, **values, capture=capture, cut=0 if out else self.cut))
        return out


@dataclass(slots=True)
class OneByOne:
    """Packets that Python must look at, by index in the batch. Only of UDP and TCP."""

    index: list[int]
    kind: list[int]
    """UDP, TCP or HEP decoded here, or 0: IP header for the slow path."""
    at: list[int]
    """Offset of the payload (UDP, TCP, HEP) or of the IP header (0)."""
    end: list[int]
    """Where the payload or the packet ends."""
    header: list[int]
    """Offset of the IP header."""
    sequence: list[int]
    """Of TCP."""
    flags: list[int]
    """Of TCP; for UDP 1 if the payload was cut by the capture."""
    version: list[int]
    ident: list[int]

    def part(self, start: int, stop: int) -> OneByOne:
        """Some of them."""
        return OneByOne(*(getattr(self, name)[start:stop] for name in self.__slots__))

    def pick(self, places: list[int]) -> OneByOne:
        """Those at these places."""
        return OneByOne(*([column[at] for at in places] for column in (getattr(self, n) for n in self.__slots__)))


@dataclass(slots=True)
class Aside:
    """UDP datagrams that are no RTP: RTCP, fax, STUN, signalling too. Columns, like those of RTP."""

    index: Int
    offset: Int
    """Of the payload in the buffer."""
    length: Int
    header: Int
    """Offset of the IP header."""
    ports: NDArray[np.uint32]
    """Source and destination."""
    version: int


class Pairs:
    """Numbers for pairs of IPv6 addresses, so that a pair fits a 64-bit column."""

    V6 = 0xFFFFFFFF << 32

    def __init__(self, limit: int = 1 << 20) -> None:
        self._numbers: dict[bytes, int] = {}
        self._pairs: list[bytes] = []
        self._limit = limit

    def number(self, pair: bytes) -> int:
        """The column value of source and destination (32 bytes). Past the limit all share the last one."""
        number = self._numbers.get(pair)
        if number is None:
            if len(self._pairs) >= self._limit:
                return self.V6 | (self._limit - 1)
            number = self._numbers[pair] = len(self._pairs)
            self._pairs.append(pair)
        return self.V6 | number

    def addresses(self, value: int) -> tuple[bytes, bytes]:
        """Packed source and destination of a column value."""
        if value >> 32 == 0xFFFFFFFF:
            pair = self._pairs[value & 0xFFFFFFFF]
            return pair[:16], pair[16:]
        pair = value.to_bytes(8, "big")
        return pair[:4], pair[4:]


def decode(batch: Batch, pairs: Pairs, asides: list[Aside] | None = None) -> tuple[list[RtpColumns], OneByOne]:
    """Split a batch: RTP as columns (one set an IP version), and what has to be looked at one by one, in file order.

    `asides` is given the UDP that is no RTP, one set an IP version.
    """
    plain = _plain(batch) if isinstance(batch.link, int) and batch.link == ETHERNET else None
    if plain is None:
        return _decode(batch, pairs, asides, np.arange(len(batch)), [])
    return _decode(batch, pairs, asides, plain[1], [plain[0]])


def _plain(batch: Batch) -> tuple[RtpColumns, Int] | None:
    """The RTP of whole packets of IPv4 without options, fragments and tunnels right in Ethernet frames, which nearly
    all RTP is, and the packets that are something else. None where those are many: then one way does for all."""
    at = batch.offset + _PLAIN_FROM
    ip = windows(batch.buffer, at, _PLAIN)
    is_rtp = (ip["type"] == IPV4) & (ip["start"] == 0x45) & (ip["protocol"] == UDP) & ((ip["fragment"] & 0x3FFF) == 0)
    first, second = ip["rtp_first"], ip["rtp_second"]
    is_rtp &= (first >> 6) == 2
    is_rtp &= (second - 192) > 31  # unsigned: no RTCP (RFC 5761)
    length = ip["udp_length"].astype(np.int32)
    total = ip["total"].astype(np.int32)
    is_rtp &= (length + 20 == total) & (total + 14 <= batch.captured)
    length -= 8
    is_rtp &= length >= _RTP_HEADER + ((first & 15).astype(np.int32) << 2)
    is_rtp &= ~may_be(ip["protocol"], ip["ports"])
    keep = np.flatnonzero(is_rtp)
    if 2 * len(keep) < len(is_rtp):
        return None
    found = windows(batch.buffer, at[keep], _PLAIN)
    nobody = Pairs(0)  # IPv4 needs none
    columns = _rtp_columns(batch, nobody, found, keep, batch.offset[keep] + 42, length[keep].astype(np.int64), 4)
    return columns, np.flatnonzero(~is_rtp)


def _together(one: RtpColumns, other: RtpColumns) -> RtpColumns:
    """Packets of one batch in one set, in file order."""
    order = np.argsort(np.concatenate((one.place, other.place)), kind="stable")
    values = {
        each.name: np.concatenate((value, getattr(other, each.name)))[order]
        for each in fields(one)
        if each.name != "buffer" and isinstance(value := getattr(one, each.name), np.ndarray)
    }
    return replace(one, **values, cut=one.cut + other.cut)


def _decode(
    batch: Batch, pairs: Pairs, asides: list[Aside] | None, index: Int, rtp: list[RtpColumns]
) -> tuple[list[RtpColumns], OneByOne]:
    """As `decode`, of the packets at `index`; `rtp` holds what is known of IPv4 already."""
    some = batch
    if len(index) < len(batch):
        some = replace(batch, offset=batch.offset[index], captured=batch.captured[index])
    at, version = ip_headers(some)
    limit = some.offset + some.captured
    singles: list[tuple[Any, ...]] = []
    for depth in range(MAX_DEPTH + 1):
        inside: list[_Headers] = []
        deeper = inside if depth < MAX_DEPTH else None
        for number in (4, 6):
            if (version == number).all():
                headers = _Headers(index, at, version, limit)
            else:
                chosen = np.flatnonzero(version == number)
                headers = _Headers(index[chosen], at[chosen], version[chosen], limit[chosen])
            if len(headers.packet):
                _decode_version(batch, pairs, headers, number, rtp, singles, asides, deeper)
            if depth == 0 and number == 4 and len(rtp) > 1:
                rtp[:] = [_together(*rtp)]
        if not inside:
            break
        index, at, version, limit = (np.concatenate(column) for column in zip(*inside, strict=True))
    return rtp, _merge(singles)


class _Headers(NamedTuple):
    """IP headers: those of the packets, then those inside tunnels, depth by depth."""

    packet: Int
    """Its index in the batch."""
    at: Int
    version: Int
    limit: Int
    """Where what carries it ends: the packet, or the packet around it."""


def _decode_version(
    batch: Batch,
    pairs: Pairs,
    headers: _Headers,
    version: int,
    rtp: list[RtpColumns],
    singles: list[tuple[Any, ...]],
    asides: list[Aside] | None,
    inside: list[_Headers] | None,
) -> None:
    index, at, _, present = headers
    layout = _V4 if version == 4 else _V6
    ip = windows(batch.buffer, at, layout)
    protocol = ip["protocol"]
    total = ip["total"].astype(np.int64)
    if version == 4:
        simple = (ip["start"] == 0x45) & ((ip["fragment"] & 0x3FFF) == 0)
        header = 20
        # A total length of 0 is a packet that the sending card cut into smaller ones after it was captured.
        end = np.where(total == 0, present, np.minimum(at + total, present))
        slow = (~simple & ((protocol == UDP) | (protocol == TCP) | TUNNELS[protocol])) | (protocol == _AH)
    else:
        simple = np.ones(len(at), bool)
        header = 40
        end = np.where(total == 0, present, np.minimum(at + 40 + total, present))
        slow = np.isin(protocol, (0, 43, 44, 51, 60))
    if inside is not None and (tunnel := simple & may_be(protocol, ip["ports"])).any():
        kept = _enter(batch, headers, tunnel, end, version, inside)
        if kept is not None:
            index, at, end, slow, simple = index[kept], at[kept], end[kept], slow[kept], simple[kept]
            ip = windows(batch.buffer, at, layout)
            protocol = ip["protocol"]
    start = at + header
    room = end - start
    udp = simple & (protocol == UDP) & (room >= 8)
    tcp = simple & (protocol == TCP) & (room >= 20)
    declared = ip["udp_length"].astype(np.int64) - 8
    # A UDP length of 0 is a jumbogram or was left to the card; the IP length says enough.
    length = np.where(declared < 0, room - 8, np.minimum(declared, room - 8))
    first, second = ip["rtp_first"], ip["rtp_second"]
    is_rtp = udp & ((first >> 6) == 2) & (length >= _RTP_HEADER) & ((second < 192) | (second > 223))
    is_rtp &= length >= _RTP_HEADER + 4 * (first & 15).astype(np.int64)
    text = udp & _STARTS_TEXT[first] & (length >= _SIP_SHORTEST)
    hep = _hep(ip, udp, length, first, second)
    if hep is not None:
        text |= hep
    keep = np.flatnonzero(is_rtp)
    if len(keep):
        found = windows(batch.buffer, at[keep], layout)
        columns = _rtp_columns(batch, pairs, found, index[keep], start[keep] + 8, length[keep], version)
        columns.cut = int(np.count_nonzero(declared[keep] > length[keep]))
        rtp.append(columns)
    rest = np.flatnonzero(udp & ~is_rtp & (length >= _SHORTEST)) if asides is not None else index[:0]
    if asides is not None and len(rest):
        ports = ip["ports"][rest].astype(np.uint32)
        asides.append(Aside(index[rest], start[rest] + 8, length[rest], at[rest], ports, version))
    tcp_start = start + (ip["tcp_offset"] >> 4).astype(np.int64) * 4
    tcp &= (end > tcp_start) | ((ip["tcp_flags"] & 0x07) != 0)
    pick = np.flatnonzero(text | tcp | slow)
    if len(pick):
        is_udp, is_tcp = text[pick], tcp[pick]
        kind = np.where(is_udp, UDP, np.where(is_tcp, TCP, 0))
        if hep is not None:
            kind[hep[pick]] = HEP
        place = np.where(is_udp, start[pick] + 8, np.where(is_tcp, tcp_start[pick], at[pick]))
        stop = np.where(is_udp, place + length[pick], end[pick])
        cut = (declared[pick] > length[pick]).astype(np.int64)
        flags = np.where(is_tcp, ip["tcp_flags"][pick], cut)
        ident = ip["ident"][pick] if version == 4 else np.zeros(len(pick), np.int64)
        versions = np.full(len(pick), version)
        singles.append((index[pick], kind, place, stop, at[pick], ip["tcp_sequence"][pick], flags, versions, ident))


def _hep(ip: Any, udp: Any, length: Int, first: Any, second: Any) -> NDArray[np.bool_] | None:
    """Which datagrams may be HEP: "HEP3", or a header of version 1 or 2. None if there are none."""
    maybe = udp & ((first == 0x48) | ((first - 1) < 2)) & (length >= SHORTEST)
    if not maybe.any():
        return None
    following = ip["rtp_sequence"]
    newer = (first == 0x48) & (second == 0x45) & (following == 0x5033)
    family, protocol = following >> 8, following & 0xFF
    older = (first < 3) & np.isin(family, (2, 10)) & np.isin(protocol, (6, 17, 132)) & (second >= 16) & (second <= 52)
    found: NDArray[np.bool_] = maybe & (newer | older)
    return found if found.any() else None


def _enter(
    batch: Batch, headers: _Headers, tunnel: NDArray[np.bool_], end: Int, version: int, inside: list[_Headers]
) -> Int | None:
    """Put the headers inside tunnels into `inside`; returns the places of the other packets, None for all."""
    some = np.flatnonzero(tunnel)
    at, versions = enter(batch.buffer, headers.at[some], version, end[some])
    versions = checked(batch.buffer, at, versions, end[some])
    entered = versions > 0
    if not entered.any():
        return None
    found = some[entered]
    inside.append(_Headers(headers.packet[found], at[entered], versions[entered], end[found]))
    tunnel = tunnel.copy()
    tunnel[some[~entered]] = False
    return np.flatnonzero(~tunnel)


def _rtp_columns(batch: Batch, pairs: Pairs, ip: Any, index: Int, offset: Int, length: Int, version: int) -> RtpColumns:
    if version == 4:
        addresses = ip["addresses"].astype(np.uint64)
        ident = ip["ident"].astype(np.uint16)
    else:
        raw = np.ascontiguousarray(ip["addresses"])
        unique, place = np.unique(raw, return_inverse=True)
        numbers = np.array([pairs.number(pair.tobytes()) for pair in unique], np.uint64)
        addresses = numbers[place]
        ident = np.zeros(len(ip), np.uint16)
    return RtpColumns(
        buffer=batch.buffer,
        packet=batch.numbers(index),
        place=index + batch.first,
        time_ns=batch.time_ns[index],
        addresses=addresses,
        ports_ssrc=(ip["ports"].astype(np.uint64) << np.uint64(32)) | ip["rtp_ssrc"],
        sequence=ip["rtp_sequence"].astype(np.uint16),
        timestamp=ip["rtp_timestamp"].astype(np.uint32),
        second=ip["rtp_second"],
        first=ip["rtp_first"],
        ident=ident,
        checksum=ip["checksum"].astype(np.uint16),
        offset=offset,
        length=length,
        capture=batch.captures(index),
    )


def _merge(parts: list[tuple[Any, ...]]) -> OneByOne:
    """Both IP versions' lists as one, in file order."""
    if not parts:
        return OneByOne([], [], [], [], [], [], [], [], [])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if len(parts) > 1:
        order = np.argsort(columns[0])
        columns = [column[order] for column in columns]
    return OneByOne(*(column.tolist() for column in columns))
