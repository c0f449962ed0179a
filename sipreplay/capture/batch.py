"""A batch: the packets that one chunk of a capture file holds, as columns over the chunk's bytes.

Owns the chunk size and the padding that lets column code look past the last packet. Never decodes packets.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(slots=True)
class Batch:
    """Columns have one value a packet, in file order. Valid until the next batch is asked for: the buffer is reused."""

    buffer: Bytes
    first: int
    """Number of the first packet in the file, from 1."""
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

    def __len__(self) -> int:
        return len(self.offset)


def words(buffer: Bytes, at: Int, order: str, count: int) -> Any:
    """`count` consecutive 32-bit words at each offset, as an array of shape (packets, count); `order` is "<" or ">"."""
    window = np.lib.stride_tricks.sliding_window_view(buffer, 4 * count)[at]
    return window.view(order + "u4")
