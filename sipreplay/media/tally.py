"""What was sent, counted in columns: packets and bytes a stream, and how late each packet was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sipreplay.stats.histogram import Histogram

_EXACT_US = 1 << 16


class Tally:
    """Counters of one sender. Lateness is exact to the microsecond up to 65 ms."""

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0
        self.sent: NDArray[np.int64] = np.zeros(0, np.int64)
        """Packets, a stream."""
        self.sent_bytes: NDArray[np.int64] = np.zeros(0, np.int64)
        self._late: NDArray[np.int64] = np.zeros(_EXACT_US, np.int64)
        self._very_late = Histogram()

    def grow(self, streams: int) -> None:
        """Have room for so many streams."""
        for name in ("sent", "sent_bytes"):
            column = getattr(self, name)
            larger = np.zeros(streams, np.int64)
            larger[: len(column)] = column
            setattr(self, name, larger)

    def clear(self, stream: int) -> None:
        """Count that stream from 0."""
        self.sent[stream] = self.sent_bytes[stream] = 0

    def count(self, streams: NDArray[np.int64], late_us: NDArray[np.int64], length: NDArray[np.int64]) -> None:
        """Add packets: their streams (-1: was not sent), lateness and bytes."""
        sent = streams >= 0
        if not sent.all():
            streams, late_us, length = streams[sent], late_us[sent], length[sent]
        self.packets += len(streams)
        self.bytes += int(length.sum())
        np.add.at(self.sent, streams, 1)
        np.add.at(self.sent_bytes, streams, length)
        very = late_us >= _EXACT_US
        if very.any():
            self._very_late.record_all(late_us[very].tolist())
            late_us = late_us[~very]
        np.add.at(self._late, np.maximum(late_us, 0), 1)

    def lateness(self) -> Histogram:
        """Microseconds by which each packet left after it was due; 0 for one that left before."""
        out = Histogram()
        out.merge(self._very_late)
        for value in np.flatnonzero(self._late).tolist():
            out.record(value, int(self._late[value]))
        return out
