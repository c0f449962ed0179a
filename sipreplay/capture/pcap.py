"""The pcap format: its file header, and the records of a chunk.

Reads both byte orders, micro- and nanoseconds. Never opens files; the reader hands it bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from sipreplay.capture.batch import MAX_PACKET, Batch, Bytes, words

HEADER_BYTES = 24
RECORD_BYTES = 16

_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


class PcapHeader(NamedTuple):
    """What a pcap file header says."""

    order: str
    """"<" or ">"."""
    tick_ns: int
    """Nanoseconds in a unit of the fraction."""
    link: int


def is_pcap(start: bytes) -> bool:
    """Whether a file that starts so is pcap."""
    return start[:4] in _MAGIC


def read_header(data: bytes) -> PcapHeader:
    """The file header, from at least HEADER_BYTES bytes."""
    order, tick = _MAGIC[data[:4]]
    # The upper bits of the link field tell of frame check sequences.
    return PcapHeader(order, tick, struct.unpack_from(order + "I", data, 20)[0] & 0x03FFFFFF)


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
        order, tick, link = self._header
        length_at = struct.Struct(order + "I").unpack_from
        view = buffer.data
        offsets: list[int] = []
        append = offsets.append
        position = start
        limit = end - RECORD_BYTES
        while position <= limit:
            append(position)
            position += RECORD_BYTES + length_at(view, position + 8)[0]
        if position > end and offsets:
            position = offsets.pop()
            if length_at(view, position + 8)[0] > MAX_PACKET:
                self.damage = f"record length of {length_at(view, position + 8)[0]} bytes"
        if not offsets:
            return [], position
        at = np.array(offsets, np.int64)
        fields = words(buffer, at, order, 4).astype(np.int64)
        batch = Batch(
            buffer=buffer,
            first=self._next,
            offset=at + RECORD_BYTES,
            captured=fields[:, 2],
            original=fields[:, 3],
            time_ns=fields[:, 0] * 1_000_000_000 + fields[:, 1] * tick,
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
