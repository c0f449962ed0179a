"""Loss, order, delta, jitter and skew of RTP streams, many streams at a time, by Wireshark's rules (docs/analysis.md).

Owns one row of columns a stream, and the state that carries from batch to batch: a capture's chunk or a receiver's
sweep. Never sees payloads, addresses or clocks; packets come in as columns, in arrival order within each stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.rtp.emodel import mos as mos  # re-exported: quality of a stream is one topic for its users
from sipreplay.rtp.filters import last_before, running_mean, segment_farthest, segment_max, smoothed, value_before
from sipreplay.rtp.payload_types import COMFORT_NOISE
from sipreplay.rtp.rows import Rows

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

MAX_MISORDER = 1024
"""A sequence number further back than this starts over or has wrapped; nearer, it is late (RFC 3550 appendix A.1)."""
WINDOW = 64
"""How many sequence numbers behind the highest a late packet is told apart from a duplicate."""


@dataclass(frozen=True, slots=True)
class StreamQuality:
    """What is known of one stream so far."""

    packets: int
    lost: int
    """Expected less received, as Wireshark counts; duplicates make it smaller, even negative."""
    duplicates: int
    reordered: int
    mean_delta_ms: float
    max_delta_ms: float
    mean_jitter_ms: float
    max_jitter_ms: float
    max_skew_ms: float
    """Media clock less arrival, at its largest distance from 0. Positive: the sender's clock is fast."""
    missing: int
    """Sequence numbers in gaps that no late packet filled. Unlike `lost` it knows a stray packet from a wrap."""
    burst: float
    """Mean length of loss runs over that of random loss, at least 1 (G.107's BurstR)."""

    @property
    def loss(self) -> float:
        """Part of the expected packets that are missing, 0.0 to 1.0."""
        expected = self.packets + self.lost
        return max(self.lost, 0) / expected if expected > 0 else 0.0


class QualityState(Rows):
    """Quality of streams 0 to rows - 1. Every public column has one value a stream."""

    _COLUMNS = (
        ("packets", np.int64),
        ("duplicates", np.int64),
        ("reordered", np.int64),
        ("gaps", np.int64),  # runs of missing packets
        ("gap_packets", np.int64),  # packets missing in them, late ones too
        ("steps", np.int64),  # packets that follow their predecessor by a small step: what tells RTP from noise
        ("first_ns", np.int64),
        ("last_ns", np.int64),
        ("mean_delta_ms", np.float64),
        ("max_delta_ms", np.float64),
        ("jitter_ms", np.float64),
        ("mean_jitter_ms", np.float64),
        ("max_jitter_ms", np.float64),
        ("max_skew_ms", np.float64),
        ("_start_sequence", np.int64),
        ("_stop_sequence", np.int64),
        ("_cycles", np.int64),
        ("_under", np.bool_),
        ("_highest", np.int64),  # extended; counts from 0 at the stream's first packet
        ("_last", np.int64),  # extended sequence of the last packet
        ("_seen", np.uint64),  # bit n: highest - n has arrived
        ("_first_timestamp", np.int64),
        ("_time_ms", np.float64),  # last arrival in time sequence, from the stream's first
        ("_nominal_ms", np.float64),  # media time of the last packet that had a clock
        ("_noise", np.bool_),  # the last packet was comfort noise
        ("_mean_delta_n", np.int64),  # packet count at which the mean was last touched
        ("_mean_jitter_n", np.int64),
    )

    packets: Int
    first_ns: Int
    last_ns: Int
    steps: Int

    def result(self, row: int) -> StreamQuality:
        """The figures of one stream."""
        column: Any = self
        packets = int(self.packets[row])
        return StreamQuality(
            packets=packets,
            lost=int(self._lost(row)),
            duplicates=int(column.duplicates[row]),
            reordered=int(column.reordered[row]),
            mean_delta_ms=float(column.mean_delta_ms[row]),
            max_delta_ms=float(column.max_delta_ms[row]),
            mean_jitter_ms=float(column.mean_jitter_ms[row]),
            max_jitter_ms=float(column.max_jitter_ms[row]),
            max_skew_ms=float(column.max_skew_ms[row]),
            missing=max(int(column.gap_packets[row]) - int(column.reordered[row]), 0),
            burst=burst_ratio(packets, int(column.gaps[row]), int(column.gap_packets[row])),
        )

    def reported(self, row: int) -> tuple[int, float]:
        """(extended highest sequence number, jitter in ms) of one stream, as a receiver report has them now."""
        column: Any = self
        return int(column._stop_sequence[row] + 65536 * column._cycles[row]), float(column.jitter_ms[row])

    @property
    def lost(self) -> Int:
        """Expected less received, a stream: last sequence number (with its cycles) less the first, plus one."""
        lost: Int = self._lost(slice(None))
        return lost

    def _lost(self, rows: Any) -> Any:
        column: Any = self
        expected = column._stop_sequence[rows] + 65536 * column._cycles[rows] - column._start_sequence[rows] + 1
        return np.where(self.packets[rows] > 0, expected - self.packets[rows], 0)

    def update(
        self,
        stream: NDArray[Any],
        sequence: NDArray[Any],
        timestamp: NDArray[Any],
        arrival_ns: NDArray[Any],
        marker: NDArray[Any],
        payload_type: NDArray[Any],
        clock_rate: NDArray[Any],
    ) -> Counted | None:
        """Count a batch: one value a packet in every column, packets of a stream in arrival order, streams in any.

        `stream` is the row; `clock_rate` is in Hz, 0 where no jitter can be computed (telephone events, unknown types).
        Returns what was found on the way, None of an empty batch.
        """
        if len(stream) == 0:
            return None
        rows = np.asarray(stream, np.int64)
        if np.any(rows[1:] < rows[:-1]):
            order = np.argsort(rows, kind="stable")
            columns = [
                np.asarray(c)[order] for c in (sequence, timestamp, arrival_ns, marker, payload_type, clock_rate)
            ]
            rows = rows[order]
        else:
            columns = [np.asarray(c) for c in (sequence, timestamp, arrival_ns, marker, payload_type, clock_rate)]
        batch = Counted(self, rows, *columns)
        batch.run()
        return batch


class Counted:
    """One batch, sorted by stream, on its way into the state, and what was found of its packets on that way."""

    missing: Int | None = None
    """Packets missing before each packet; None if none are."""
    late: Bool | None = None
    """Packets that fill a gap: late, and no duplicates. None if none are."""
    timed: Int
    """Which packets have a clock and are not their stream's first."""
    jitter: Float
    """Of `timed`: RFC 3550's J after each, in ms."""
    skew_ms: Float
    """Of `timed`: media time less arrival, both from the stream's first packet."""
    since_ms: Float
    """Of `timed`: arrival since the stream's first packet."""

    def __init__(
        self,
        state: Any,
        rows: Int,
        sequence: NDArray[Any],
        timestamp: NDArray[Any],
        arrival_ns: NDArray[Any],
        marker: NDArray[Any],
        payload_type: NDArray[Any],
        clock_rate: NDArray[Any],
    ) -> None:
        self.state = state
        self.rows = rows
        self.sequence = sequence.astype(np.int64, copy=False)
        self.timestamp = timestamp.astype(np.int64, copy=False)
        self.arrival_ns = arrival_ns.astype(np.int64, copy=False)
        self.marker = marker.astype(bool, copy=False)
        self.payload_type = payload_type
        self.clock_rate = clock_rate.astype(np.float64, copy=False)
        edge = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        self.starts: Int = np.concatenate((np.zeros(1, np.int64), edge))
        self.ends: Int = np.concatenate((edge - 1, np.full(1, len(rows) - 1)))
        self.touched = rows[self.starts]
        self.lengths = self.ends - self.starts + 1
        self.segment = np.repeat(np.arange(len(self.starts)), self.lengths)

    def run(self) -> None:
        self._open()
        self._order()
        self._cycles()
        self._timing()
        state, last = self.state, self.ends
        state._stop_sequence[self.touched] = self.sequence[last]
        state.last_ns[self.touched] = self.arrival_ns[last]
        state._noise[self.touched] = self.noise[last]
        state.packets[self.touched] += self.lengths

    def _open(self) -> None:
        """Give new streams their origin. `number` is how many packets of the stream came before each packet."""
        state, touched = self.state, self.touched
        before = state.packets[touched]
        fresh = before == 0
        at, rows = self.starts[fresh], touched[fresh]
        state.first_ns[rows] = self.arrival_ns[at]
        state._start_sequence[rows] = self.sequence[at]
        state._stop_sequence[rows] = self.sequence[at]
        state._first_timestamp[rows] = self.timestamp[at]
        self.number: Int = np.arange(len(self.rows)) + np.repeat(before - self.starts, self.lengths)
        self.is_first = np.zeros(len(self.rows), bool)
        self.is_first[at] = True
        self.noise = (self.payload_type == COMFORT_NOISE[0]) | (self.payload_type == COMFORT_NOISE[1])

    def _order(self) -> None:
        """Duplicates, late packets and gaps, from sequence numbers extended past 16 bits."""
        state, touched, starts = self.state, self.touched, self.starts
        step = np.empty(len(self.rows), np.int64)
        step[1:] = self.sequence[1:] - self.sequence[:-1]
        step[starts] = self.sequence[starts] - state._stop_sequence[touched]
        step = ((step + 32768) & 0xFFFF) - 32768
        step[step < -MAX_MISORDER] += 65536
        small = (step > 0) & (step < WINDOW)
        state.steps[touched] += np.add.reduceat(small.astype(np.int64), starts)
        highest, last = state._highest[touched], state._last[touched]
        in_order = bool(np.all((step > 0) | self.is_first)) and bool(np.all(highest == last))
        sums = np.cumsum(step)
        extended = sums - np.repeat(sums[starts] - step[starts] - last, self.lengths)
        if in_order:
            new_highest = extended[self.ends]
            missing = np.where(self.is_first, 0, step - 1)
        else:
            ceiling = self._running_highest(extended, highest)
            late = (extended <= ceiling) & ~self.is_first
            new_highest = np.maximum(ceiling[self.ends], extended[self.ends])
            missing = np.where(late | self.is_first, 0, extended - ceiling - 1)
            self._count_late(late, extended, highest)
        gap = missing > 0
        if gap.any():
            self.missing = missing
            state.gaps[touched] += np.add.reduceat(gap.astype(np.int64), starts)
            state.gap_packets[touched] += np.add.reduceat(missing, starts)
        self._remember(extended, highest, new_highest)
        state._highest[touched] = new_highest
        state._last[touched] = extended[self.ends]

    def _running_highest(self, extended: Int, highest: Int) -> Int:
        """The highest extended sequence number before each packet. One accumulate over all streams: each stream is
        lifted above the one before it."""
        low = np.repeat(np.minimum(np.minimum.reduceat(extended, self.starts), highest), self.lengths)
        relative = extended - low
        carried = np.repeat(highest, self.lengths) - low
        span = int(max(relative.max(), carried.max())) + 1
        lift = self.segment * span
        before = np.empty(len(extended), np.int64)
        before[1:] = relative[:-1] + lift[:-1]
        before[self.starts] = carried[self.starts] + lift[self.starts]
        highest_so_far: Int = np.maximum.accumulate(before) - lift + low
        return highest_so_far

    def _count_late(self, late: Bool, extended: Int, highest: Int) -> None:
        """Tell a late packet from a duplicate: seen in an earlier batch, or before it in this one."""
        if not late.any():
            return
        behind = np.repeat(highest, self.lengths) - extended
        seen = np.repeat(self.state._seen[self.touched], self.lengths)
        known = (behind >= 0) & (behind < WINDOW)
        bit = (seen >> np.where(known, behind, 0).astype(np.uint64)) & np.uint64(1)
        duplicate = known & (bit == 1)
        order = np.lexsort((np.arange(len(extended)), extended, self.rows))
        again = np.zeros(len(extended), bool)
        again[1:] = (extended[order][1:] == extended[order][:-1]) & (self.rows[order][1:] == self.rows[order][:-1])
        duplicate[order[again]] = True
        duplicate &= late
        self.late = late & ~duplicate
        self.state.duplicates[self.touched] += np.add.reduceat(duplicate.astype(np.int64), self.starts)
        self.state.reordered[self.touched] += np.add.reduceat(self.late.astype(np.int64), self.starts)

    def _remember(self, extended: Int, highest: Int, new_highest: Int) -> None:
        """Note which of the last numbers have arrived."""
        shift = new_highest - highest
        old = np.where(shift < WINDOW, self.state._seen[self.touched] << np.minimum(shift, 63).astype(np.uint64), 0)
        behind = np.repeat(new_highest, self.lengths) - extended
        bits = np.where(
            (behind >= 0) & (behind < WINDOW),
            np.uint64(1) << np.clip(behind, 0, 63).astype(np.uint64),
            np.uint64(0),
        )
        self.state._seen[self.touched] = old.astype(np.uint64) | np.bitwise_or.reduceat(bits, self.starts)

    def _cycles(self) -> None:
        """Wireshark's count of wraps: below the start raises a flag and counts, above it lowers the flag."""
        state = self.state
        origin = np.repeat(state._start_sequence[self.touched], self.lengths)
        moved = (self.timestamp - np.repeat(state._first_timestamp[self.touched], self.lengths)) & 0xFFFFFFFF
        self.ticks = moved
        self.in_time: Bool = moved < 0x80000000
        below = self.sequence < origin
        if (origin == 0).any():
            before = np.empty(len(self.rows), np.int64)
            before[1:] = self.sequence[:-1]
            before[self.starts] = state._stop_sequence[self.touched]
            below |= (self.sequence == 0) & (before == 65535)
        below &= self.in_time
        if not below.any() and not state._under[self.touched].any():
            return
        above = (self.sequence > origin) & self.in_time
        at = np.flatnonzero(below | above)
        if len(at) == 0:
            return
        raised = below[at]
        rows = self.rows[at]
        first = np.concatenate((np.ones(1, bool), rows[1:] != rows[:-1]))
        was = np.concatenate((np.zeros(1, bool), raised[:-1]))
        was[first] = state._under[rows[first]]
        np.add.at(state._cycles, rows[raised & ~was], 1)
        final = np.concatenate((rows[1:] != rows[:-1], np.ones(1, bool)))
        state._under[rows[final]] = raised[final]

    def _timing(self) -> None:
        """Delta, jitter and skew."""
        state, rows, starts = self.state, self.rows, self.starts
        arrival = (self.arrival_ns - np.repeat(state.first_ns[self.touched], self.lengths)) / 1e6
        delta = arrival - value_before(arrival, self.in_time, starts, self.segment, state._time_ms[self.touched])
        fresh_noise = np.empty(len(rows), bool)
        fresh_noise[1:] = self.noise[:-1]
        fresh_noise[starts] = state._noise[self.touched]
        regular = self.in_time & ~self.marker & ~self.noise & ~fresh_noise & ~self.is_first
        at = np.flatnonzero(regular)
        if len(at):
            running_mean(state.mean_delta_ms, state._mean_delta_n, rows[at], delta[at], self.number[at])
            segment_max(state.max_delta_ms, rows[at], delta[at])
        self._jitter(arrival, delta, regular)
        kept = self.ends
        if not self.in_time[kept].all():
            kept = last_before(self.in_time, starts, self.segment, inclusive=True)[kept]
        some = kept >= 0
        state._time_ms[self.touched[some]] = arrival[kept[some]]

    def _jitter(self, arrival: Float, delta: Float, regular: Bool) -> None:
        """J += (|D| - J) / 16 over the packets that have a clock; the first packet is the origin of media time."""
        state, rows = self.state, self.rows
        clocked = (self.clock_rate > 0) & self.in_time
        self.timed = at = np.flatnonzero(clocked & ~self.is_first)
        if len(at) == 0:
            self.jitter = self.skew_ms = self.since_ms = np.zeros(0)
            return
        nominal = np.zeros(len(rows))
        np.divide(self.ticks * 1000.0, self.clock_rate, out=nominal, where=clocked)
        carried = state._nominal_ms[self.touched]
        previous = value_before(nominal, clocked | self.is_first, self.starts, self.segment, carried)
        some, now = rows[at], nominal[at]
        difference = np.abs(delta[at] - (now - previous[at]))
        jitter = smoothed(state.jitter_ms, some, difference)
        since = arrival[at]
        skew = now - since
        self.jitter, self.skew_ms, self.since_ms = jitter, skew, since
        segment_farthest(state.max_skew_ms, some, skew)
        last = np.concatenate((some[1:] != some[:-1], np.ones(1, bool)))
        state._nominal_ms[some[last]] = now[last]
        state.jitter_ms[some[last]] = jitter[last]
        counted = regular[at]
        if counted.any():
            some, jitter = some[counted], jitter[counted]
            running_mean(state.mean_jitter_ms, state._mean_jitter_n, some, jitter, self.number[at][counted])
            segment_max(state.max_jitter_ms, some, jitter)


def burst_ratio(packets: int, gaps: int, missing: int) -> float:
    """BurstR: mean run of missing packets, against 1 / (1 - p) of random loss."""
    if gaps == 0 or packets == 0:
        return 1.0
    received = packets / (packets + missing)
    return max(1.0, missing / gaps * received)
