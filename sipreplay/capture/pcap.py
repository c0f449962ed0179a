"""The pcap format: its file header, and the records of a chunk.

Reads both byte orders, micro- and nanoseconds, and the variants with longer records that Wireshark knows too: those of
patched libpcaps (the "modified" format, and the ones before it), of Nokia, of Ixia and of AIX. Never opens files; the
reader hands it bytes.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from sipreplay.capture.batch import MAX_PACKET, Batch, Bytes, Int, words

HEADER_BYTES = 24
RECORD_BYTES = 16

_PLAIN, _NANOSECONDS, _MODIFIED, _IXIA_HARDWARE, _IXIA_SOFTWARE = (
    0xA1B2C3D4,
    0xA1B23C4D,
    0xA1B2CD34,
    0x1C0001AC,
    0x1C0001AB,
)
_MAGIC = {
    struct.pack(order + "I", magic): (order, magic)
    for order in "<>"
    for magic in (_PLAIN, _NANOSECONDS, _MODIFIED, _IXIA_HARDWARE, _IXIA_SOFTWARE)
}
_RECORD_SIZES = {_PLAIN: (16, 24, 20), _MODIFIED: (24, 28)}
"""Of record headers, the commonest first: magic numbers do not tell them apart. With the plain one: libpcap, Red Hat
6.1, Nokia; with the modified one: Alexey Kuznetsov's, SuSE 6.3."""
_LOOKED_AT = 4
"""Records that have to make sense."""
_FAR_APART_S = 366 * 86400
_AIX = (2, 2)
_AIX_LINKS = {6: 1, 9: 6, 15: 10, 24: 0}
"""Interface types in the place of link types: Ethernet, Token Ring, FDDI, loopback."""


class PcapHeader(NamedTuple):
    """What a pcap file header says."""

    order: str
    """"<" or ">"."""
    tick_ns: int
    """Nanoseconds in a unit of the fraction."""
    link: int
    record: int = RECORD_BYTES
    """Bytes of a record's header."""
    size: int = HEADER_BYTES
    """Bytes of the file's header."""


def is_pcap(start: bytes) -> bool:
    """Whether a file that starts so is pcap."""
    return start[:4] in _MAGIC


def read_header(data: bytes) -> PcapHeader:
    """The file header, from at least HEADER_BYTES bytes; those after it tell the variants apart."""
    order, magic = _MAGIC[data[:4]]
    major, minor = struct.unpack_from(order + "HH", data, 4)
    # The upper bits of the link field tell of frame check sequences.
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x03FFFFFF
    size = HEADER_BYTES + 4 if magic in (_IXIA_HARDWARE, _IXIA_SOFTWARE) else HEADER_BYTES
    tick = 1 if magic == _NANOSECONDS else 1000
    if magic == _PLAIN and (major, minor) == _AIX:
        return PcapHeader(order, 1, _AIX_LINKS.get(link, link))
    sizes = _RECORD_SIZES.get(magic, (RECORD_BYTES,))
    record = max(sizes, key=lambda each: (_records_that_make_sense(data, size, each, order), -sizes.index(each)))
    if magic == _IXIA_HARDWARE and _in_nanoseconds(data, size, order):
        tick = 1
    return PcapHeader(order, tick, link, record, size)


def _records_that_make_sense(data: bytes, start: int, record: int, order: str) -> int:
    """How many of the first records do, if their headers have this size. Where one packet is all there is, the common
    size stands: a file may have been cut."""
    position, first = start, None
    for count in range(_LOOKED_AT):
        if position + RECORD_BYTES > len(data):
            return count
        second, fraction, captured, original = struct.unpack_from(order + "IIII", data, position)
        first = second if first is None else first
        if captured > MAX_PACKET or captured > original or fraction >= 1_000_000 or abs(second - first) > _FAR_APART_S:
            return count
        position += record + captured
    return _LOOKED_AT


def _in_nanoseconds(data: bytes, position: int, order: str) -> bool:
    """Whether one of the first records has more microseconds than there are."""
    for _ in range(_LOOKED_AT):
        if position + RECORD_BYTES > len(data):
            break
        _, fraction, captured, _ = struct.unpack_from(order + "IIII", data, position)
        if fraction >= 1_000_000:
            return True
        position += RECORD_BYTES + captured
    return False


def _walk(buffer: Bytes, start: int, end: int, record: int, order: str) -> tuple[Int, int]:
    """Where the records begin, and where the one after the last would; one after the other."""
    length_at = struct.Struct(order + "I").unpack_from
    view = buffer.data
    offsets: list[int] = []
    append = offsets.append
    position = start
    limit = end - record
    while position <= limit:
        append(position)
        position += record + length_at(view, position + 8)[0]
    return np.array(offsets, np.int64), position


def _leap(buffer: Bytes, start: int, end: int, record: int, order: str) -> tuple[Int | None, Any, int]:
    """The same, all at once, with the first four words of each record: what has the date of the first record where a
    date would be is a record, if each begins where the one before ends. None where that does not come out."""
    if end - start < _LEAP_FROM:
        return None, None, start
    at = _dated(buffer, start + (2 if order == "<" else 0), end - record + 3) - (2 if order == "<" else 0)
    at = at[: int(np.searchsorted(at, end - record, side="right"))]
    fields = words(buffer, at, order, 4)
    captured = fields[:, 2].astype(np.uint32)
    sound = (captured <= fields[:, 3]) & (captured <= MAX_PACKET)
    if not sound.all():
        at, captured = at[sound], captured[sound]
        fields = words(buffer, at, order, 4)
    following = at + record + captured
    for _ in range(_LEAPS):
        if len(at) and at[0] == start and bool((following[:-1] == at[1:]).all()):
            # Where one more record would fit after the last, there are records of another date.
            return (at, fields, int(following[-1])) if following[-1] > end - record else (None, None, start)
        place = np.minimum(np.searchsorted(following, at), len(following) - 1)
        follows = (following[place] == at) | (at == start)
        at, following, fields = at[follows], following[follows], fields[follows]
    return None, None, start


def _dated(buffer: Bytes, first: int, stop: int) -> Int:
    """Where the two bytes at `first` stand again, up to `stop`."""
    date = buffer[first : first + 2].copy().view(np.uint16)[0]
    found = []
    for odd in (0, 1):
        begin = first + odd
        pairs = buffer[begin : begin + (stop - begin) // 2 * 2].view(np.uint16)
        found.append(np.flatnonzero(pairs == date) * 2 + begin)
    both = np.concatenate(found)
    both.sort(kind="stable")  # two runs: merged in one go
    return both


_LEAP_FROM = 1 << 16
_LEAPS = 4


class PcapRecords:
    """Cuts chunks into batches. `damage` says why reading stopped before the end, if it did."""

    format = "pcap"

    def __init__(self, header: PcapHeader) -> None:
        self._header = header
        self._next = 1
        self.damage = ""

    def links(self) -> list[int]:
        """Link types of the file."""
        return [self._header.link]

    def problems(self) -> list[tuple[int, str]]:
        """Packet number and text of what was skipped."""
        return []

    def batch(self, buffer: Bytes, start: int, end: int) -> tuple[list[Batch], int]:
        """The whole records between two offsets, and the offset of the first one that is not whole."""
        order, tick, link, record, _ = self._header
        at, fields, position = _leap(buffer, start, end, record, order)
        if at is None:
            at, position = _walk(buffer, start, end, record, order)
            fields = words(buffer, at, order, 4)
        if position > end and len(at):
            at, fields, position = at[:-1], fields[:-1], int(at[-1])
            length = struct.unpack_from(order + "I", buffer.data, position + 8)[0]
            if length > MAX_PACKET:
                self.damage = f"record length of {length} bytes"
        if not len(at):
            return [], position
        time_ns = fields[:, 0].astype(np.int64)
        time_ns *= 1_000_000_000
        time_ns += fields[:, 1].astype(np.int64) * tick
        batch = Batch(
            buffer=buffer,
            first=self._next,
            offset=at + record,
            captured=fields[:, 2].astype(np.int64),
            original=fields[:, 3].astype(np.int64),
            time_ns=time_ns,
            link=link,
        )
        self._next += len(batch)
        return [batch], position

    def missing(self, left: int) -> str:
        """What to say of `left` bytes after the last whole record."""
        return "the file ends in the middle of this packet" if left else ""

    @property
    def next_packet(self) -> int:
        """Number of the packet that comes next."""
        return self._next
