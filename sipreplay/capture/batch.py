"""A batch: the packets that one chunk of a capture file holds, as columns over the chunk's bytes.

Owns the chunk size, the padding that lets column code look past the last packet, and the pool of buffers that files
are read into. Never decodes packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Bytes = NDArray[np.uint8]

CHUNK = 4 << 20
"""Bytes read at a time."""
PADDING = 256
"""Zero bytes that follow the chunk: windows over the last packets' headers end in them."""
MAX_PACKET = 1 << 20
"""A longer record than this is damage: libpcap's own limit for network links is 256 KiB."""
NOWHERE = -(1 << 62)


@dataclass(slots=True)
class Batch:
    """Columns have one value a packet, in order. Valid until the next batch is asked for: the buffer is reused."""

    buffer: Bytes
    first: int
    """Place of the first packet in the order of reading, from 1; the others count on from it. While one file is read
    alone and nothing in it is out of order, these are the packets' numbers."""
    offset: Int
    """Where each packet's data starts in `buffer`."""
    captured: Int
    """Bytes of it that the file holds."""
    original: Int
    """Bytes it had on the wire."""
    time_ns: Int
    """Since the epoch."""
    link: Int | int
    """Link type (LINKTYPE_ number): one for all, or one a packet; -1 where the interface is not known."""
    number: Int | None = None
    """Number of each packet in its file, from 1; None where that is its place (see `first`)."""
    capture: Int | int = 0
    """Index of the file among those that are read together: one for all, or one a packet."""
    group: int = 0
    """Files that follow each other at once, or overlap, are one group; the next begins after a pause."""
    base: Int | int = NOWHERE
    """Where `buffer` would begin in the file, so that bytes can be read there again: one for all, or one a packet.
    NOWHERE if they cannot (a pipe, a compressed file)."""

    def __len__(self) -> int:
        return len(self.offset)

    def numbers(self, index: Int) -> Int:
        """Packet numbers, in their files, of the packets at `index`."""
        return index + self.first if self.number is None else self.number[index]

    def captures(self, index: Int) -> Int | int:
        """The files of the packets at `index`."""
        return self.capture if isinstance(self.capture, int) else self.capture[index]

    def places(self, index: Int) -> Int | int:
        """What to add to an offset in the buffer to have the place in the file, for the packets at `index`."""
        return self.base if isinstance(self.base, int) else self.base[index]

    def take(self, index: Any) -> Batch:
        """The packets at `index` (an array of places or a slice) as a batch with `number` filled in."""
        numbers = np.arange(self.first, self.first + len(self)) if self.number is None else self.number
        return replace(
            self,
            offset=self.offset[index],
            captured=self.captured[index],
            original=self.original[index],
            time_ns=self.time_ns[index],
            link=self.link if isinstance(self.link, int) else self.link[index],
            number=numbers[index],
            capture=self.capture if isinstance(self.capture, int) else self.capture[index],
            base=self.base if isinstance(self.base, int) else self.base[index],
        )


def join(batches: Sequence[Batch]) -> Batch:
    """Batches over one buffer as one, in the order given."""
    if len(batches) == 1:
        return batches[0]
    numbers = [
        np.arange(batch.first, batch.first + len(batch)) if batch.number is None else batch.number for batch in batches
    ]
    return replace(
        batches[0],
        offset=np.concatenate([batch.offset for batch in batches]),
        captured=np.concatenate([batch.captured for batch in batches]),
        original=np.concatenate([batch.original for batch in batches]),
        time_ns=np.concatenate([batch.time_ns for batch in batches]),
        link=_column([batch.link for batch in batches], batches),
        number=np.concatenate(numbers),
        capture=_column([batch.capture for batch in batches], batches),
        base=_column([batch.base for batch in batches], batches),
    )


def _column(values: Sequence[Int | int], batches: Sequence[Batch]) -> Int | int:
    """One value if it is the same for all packets, else one a packet."""
    first = values[0]
    if isinstance(first, int) and all(isinstance(value, int) and value == first for value in values):
        return first
    return np.concatenate(
        [
            np.full(len(batch), value) if isinstance(value, int) else value
            for value, batch in zip(values, batches, strict=True)
        ]
    )


class Pool:
    """One buffer with a region for each file that is being read, so that packets of several can stand in one batch."""

    def __init__(self) -> None:
        self.buffer: Bytes = np.zeros(0, np.uint8)
        """Replaced by a larger one when a region is taken and there is no room: ask for it again after that."""
        self._used = 0
        self._free: list[tuple[int, int]] = []
        """(size, base) of regions given back."""

    def take(self, size: int) -> int:
        """Where a region of `size` bytes, and the padding after it, begins."""
        size += PADDING
        for place, (room, base) in enumerate(self._free):
            if room >= size:
                del self._free[place]
                if room - size > PADDING:
                    self._free.append((room - size, base + size))
                return base
        base = self._used
        self._used += size
        if self._used > len(self.buffer):
            larger = np.zeros(max(self._used, len(self.buffer) * 3 // 2) if base else size, np.uint8)
            larger[:base] = self.buffer[:base]
            self.buffer = larger
        return base

    def give_back(self, base: int, size: int) -> None:
        """The region is free again."""
        self._free.append((size + PADDING, base))
        self._free.sort()


def windows(buffer: Bytes, at: Int, layout: np.dtype[Any]) -> Any:
    """The bytes at each offset as structures of a layout. One copy a structure: an array of bytes takes twice the time,
    and one of a layout with fields ten times."""
    size = layout.itemsize
    return np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer, 0, (1,))[at].view(layout)


def words(buffer: Bytes, at: Int, order: str, count: int) -> Any:
    """`count` consecutive 32-bit words at each offset, as an array of shape (packets, count); `order` is "<" or ">"."""
    size = 4 * count
    window = np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer, 0, (1,))[at]
    return window.view(order + "u4").reshape(len(at), count)
