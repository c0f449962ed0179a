"""RTP packets that a capture holds twice, as a mirror port shows them: found and dropped before anything is counted.

A copy has the addresses, IP identification, RTP header, length and UDP checksum of a packet less than 50 ms before it.
Never touches payloads: the checksum stands for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.columns import RtpColumns

Int = NDArray[np.int64]

WINDOW_NS = 50_000_000
_MOST_REMEMBERED = 65536


class CopyFilter:
    """Looks at batches in turn; remembers the last 50 ms of each."""

    def __init__(self) -> None:
        self._tail: list[NDArray[Any]] = []

    def keep(self, rows: Int, order: Int, rtp: RtpColumns, state: Any) -> Int | None:
        """Which places of `rows` (sorted stream numbers; `order` leads to the columns) are no copies; None for all."""
        sequence = rtp.sequence[order]
        before = np.empty(len(rows), np.uint16)
        before[1:] = sequence[:-1]
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(rows[1:] != rows[:-1]) + 1))
        fresh = state.packets[rows[starts]] == 0
        before[starts] = np.where(fresh, sequence[starts] - 1, state._stop_sequence[rows[starts]]).astype(np.uint16)
        step = (sequence - before).view(np.int16)
        backwards = (step <= 0) & (step > -1024)
        copies = self._copies(rows, order, rtp, backwards) if backwards.any() else None
        self._remember(rows, order, rtp)
        return None if copies is None or not copies.any() else np.flatnonzero(~copies)

    def _columns(self, rows: Int, order: Int, rtp: RtpColumns) -> list[NDArray[Any]]:
        same = (rtp.ident[order].astype(np.int64) << 16 | rtp.checksum[order]) << 16 | rtp.length[order] & 0xFFFF
        return [rows, rtp.sequence[order], rtp.timestamp[order], rtp.second[order], same, rtp.time_ns[order]]

    def _copies(self, rows: Int, order: Int, rtp: RtpColumns, backwards: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Compare the packets of streams that step backwards with their equals in number."""
        concerned = np.unique(rows[backwards], return_index=True)[0]  # without an index numpy would import numpy.ma
        place = np.flatnonzero(np.isin(rows, concerned))
        now = [column[place] for column in self._columns(rows, order, rtp)]
        old = len(self._tail[0]) if self._tail else 0
        columns = [np.concatenate(pair) for pair in zip(self._tail, now, strict=True)] if old else now
        stream, sequence, timestamp, second, same, time_ns = columns
        sort = np.lexsort((np.arange(len(stream)), same, sequence, stream))
        this, last = sort[1:], sort[:-1]
        equal = (
            (stream[this] == stream[last])
            & (sequence[this] == sequence[last])
            & (timestamp[this] == timestamp[last])
            & (second[this] == second[last])
            & (same[this] == same[last])
            & (np.abs(time_ns[this] - time_ns[last]) < WINDOW_NS)
        )
        again = this[equal]
        copies = np.zeros(len(rows), bool)
        copies[place[again[again >= old] - old]] = True
        return copies

    def _remember(self, rows: Int, order: Int, rtp: RtpColumns) -> None:
        time_ns = rtp.time_ns[order]
        recent = np.flatnonzero(time_ns > time_ns.max() - WINDOW_NS)[-_MOST_REMEMBERED:]
        columns = self._columns(rows[recent], order[recent], rtp)
        if self._tail:
            held = self._tail[5] > time_ns.max() - WINDOW_NS
            if held.any():
                columns = [
                    np.concatenate((old[held], new))[-_MOST_REMEMBERED:]
                    for old, new in zip(self._tail, columns, strict=True)
                ]
        self._tail = columns
