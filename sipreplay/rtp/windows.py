"""Streams in windows of ten seconds: loss, runs of it, jitter, and what a jitter buffer would have dropped.

Owns the window at hand of every stream and the closed ones, of which at most MAX_WINDOWS are kept; the worst window of
a stream always is. Follows `quality.Counted`, batch by batch; never sees payloads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.rtp.quality import Counted, Float, Int
from sipreplay.rtp.rows import Rows

WINDOW_S = 10
_WINDOW_NS = WINDOW_S * 1_000_000_000
MAX_WINDOWS = 1_000_000
"""Closed windows that are kept, for all streams together: 2,777 hours of media in 36 MB."""
BUFFER_MS = 60.0
"""The jitter buffer: it plays each packet this long after the quickest packet of the window would have been played. A
packet that comes later than that is dropped."""
RESYNC_MS = 500.0
"""A step of this size between media time and arrival is a new time base, to which a buffer adapts; it is no delay."""
FEWEST_EXPECTED = 25
"""A window of fewer packets (half a second of speech) says little: it is the worst only where there is no other."""

RECORD = np.dtype(
    [
        ("tenant", np.int64),
        ("number", np.int32),
        ("packets", np.int32),
        ("lost", np.int32),
        ("gaps", np.int32),
        ("discarded", np.int32),
        ("mean_jitter_ms", np.float32),
        ("max_jitter_ms", np.float32),
    ]
)
"""A closed window; `number` counts from the stream's first packet, `lost` may be negative where late packets fill a gap
of the window before."""
Records = NDArray[Any]

_SUMS = ("packets", "lost", "gaps", "discarded", "_jitter_n", "_jitter_sum")


class WindowBook(Rows):
    """The windows of streams 0 to rows - 1."""

    _COLUMNS = (
        ("tenant", np.int64),  # which stream has the row: rows are used again
        ("number", np.int32),
        ("packets", np.int64),
        ("lost", np.int64),
        ("gaps", np.int64),
        ("discarded", np.int64),
        ("max_jitter", np.float64),
        ("_jitter_n", np.int64),
        ("_jitter_sum", np.float64),
        ("_anchor", np.float64),  # skew of the window's quickest packet
        ("all_discarded", np.int64),
        ("worst", RECORD),
    )

    def __init__(self) -> None:
        self._tenants = 1
        self._closed: list[Records] = []
        self._kept = 0
        self.dropped = 0
        """Windows that were not kept."""
        super().__init__()

    def grow(self, rows: int) -> None:
        before = self.rows
        super().grow(rows)
        if self.rows > before:
            self._move_in(np.arange(before, self.rows))

    def reset(self, rows: Any) -> None:
        super().reset(rows)
        self._move_in(np.atleast_1d(rows))

    def _move_in(self, rows: Int) -> None:
        column: Any = self
        column.tenant[rows] = self._tenants + np.arange(len(rows))
        self._tenants += len(rows)

    def add(self, counted: Counted) -> None:
        """Count a batch that went into the streams' quality."""
        starts, group_rows, numbers = self._groups(counted)
        ends = np.append(starts[1:], len(counted.rows))
        sums: dict[str, Any] = dict.fromkeys(_SUMS, 0)
        sums["packets"] = ends - starts
        if counted.missing is not None:
            sums["lost"] = np.add.reduceat(counted.missing, starts)
            sums["gaps"] = np.add.reduceat((counted.missing > 0).astype(np.int64), starts)
        if counted.late is not None:
            sums["lost"] = sums["lost"] - np.add.reduceat(counted.late.astype(np.int64), starts)
        peak, anchor = self._timing(counted, starts, ends, group_rows, numbers, sums)
        self._fold(group_rows, numbers, sums, peak, anchor)

    def _groups(self, counted: Counted) -> tuple[Int, Int, Int]:
        """Where the packets of one stream's one window start, its row, and the window's number."""
        column: Any = self
        touched, starts, ends = counted.touched, counted.starts, counted.ends
        origin = counted.state.first_ns[touched]
        fresh = column.packets[touched] == 0
        current = np.where(fresh, 0, column.number[touched])
        first = np.maximum((counted.arrival_ns[starts] - origin) // _WINDOW_NS, current)
        last = np.maximum((counted.arrival_ns[ends] - origin) // _WINDOW_NS, current)
        crossing = first != last
        if not crossing.any():
            return starts, touched, first
        at = np.flatnonzero(np.repeat(crossing, counted.lengths))
        segment = counted.segment[at]
        number = (counted.arrival_ns[at] - origin[segment]) // _WINDOW_NS
        number = np.maximum(number, current[segment])
        # Times may step back, windows do not: each stream is lifted above the one before it, for one running maximum.
        span = int(number.max()) + 1
        number = np.maximum.accumulate(number + segment * span) - segment * span
        changed = (segment[1:] == segment[:-1]) & (number[1:] != number[:-1])
        extra = at[1:][changed]
        every = np.concatenate((starts, extra))
        numbers = np.concatenate((first, number[1:][changed]))
        order = np.argsort(every, kind="stable")
        every = every[order]
        return every, counted.rows[every], numbers[order]

    def _timing(
        self, counted: Counted, starts: Int, ends: Int, rows: Int, numbers: Int, sums: dict[str, Any]
    ) -> tuple[Float, Float]:
        """Jitter and discarded packets of each group; returns peaks of jitter and quickest skews (-inf: no packet)."""
        column: Any = self
        timed = counted.timed
        peak, anchor = np.zeros(len(starts)), np.full(len(starts), -np.inf)
        if len(timed) == 0:
            return peak, anchor
        edges = np.searchsorted(timed, starts)
        counts = np.append(edges[1:], len(timed)) - edges
        some = np.flatnonzero(counts)
        edges = edges[some]
        jitter_sum, discarded = np.zeros(len(starts)), np.zeros(len(starts), np.int64)
        peak[some] = np.maximum.reduceat(counted.jitter, edges)
        jitter_sum[some] = np.add.reduceat(counted.jitter, edges)
        anchor[some] = np.maximum.reduceat(counted.skew_ms, edges)
        slowest = np.minimum.reduceat(counted.skew_ms, edges)
        row = rows[some]
        goes_on = (column.packets[row] > 0) & (column.number[row] == numbers[some]) & (column._jitter_n[row] > 0)
        carried = np.where(goes_on, column._anchor[row], -np.inf)
        anchor[some] = np.maximum(anchor[some], carried)
        spread = np.flatnonzero(anchor[some] - slowest > BUFFER_MS)
        if len(spread):
            late, left = _too_late(counted.skew_ms, edges[spread], counts[some[spread]], carried[spread])
            discarded[some[spread]], anchor[some[spread]] = late, left
        sums["_jitter_n"], sums["_jitter_sum"], sums["discarded"] = counts, jitter_sum, discarded
        np.add.at(column.all_discarded, rows, discarded)
        return peak, anchor

    def _fold(self, rows: Int, numbers: Int, sums: dict[str, Any], peak: Float, anchor: Float) -> None:
        """Into the window at hand of each row, closing those that are over."""
        column: Any = self
        leads = np.concatenate((np.ones(1, bool), rows[1:] != rows[:-1]))
        trails = np.append(leads[1:], True)
        lead = np.flatnonzero(leads)
        row = rows[lead]
        over = row[(column.packets[row] > 0) & (column.number[row] != numbers[lead])]
        if len(over):
            self._close(over)
        self._put(row, numbers, sums, peak, anchor, lead)
        if len(lead) == len(rows):
            return
        self._close(rows[leads & ~trails])
        middle = np.flatnonzero(~leads & ~trails)
        if len(middle):
            whole = np.zeros(len(middle), RECORD)
            whole["tenant"], whole["number"] = column.tenant[rows[middle]], numbers[middle]
            for name in ("packets", "lost", "gaps", "discarded"):
                values = sums[name]
                whole[name] = 0 if isinstance(values, int) else values[middle]
            jitter_sum, jitter_n = sums["_jitter_sum"], sums["_jitter_n"]
            if not isinstance(jitter_sum, int):
                whole["mean_jitter_ms"] = jitter_sum[middle] / np.maximum(jitter_n[middle], 1)
            whole["max_jitter_ms"] = peak[middle]
            self._keep(whole, rows[middle])
        last = np.flatnonzero(trails & ~leads)
        self._put(rows[last], numbers, sums, peak, anchor, last)

    def _put(self, rows: Int, numbers: Int, sums: dict[str, Any], peak: Float, anchor: Float, at: Int) -> None:
        """Add groups, one of a row, to the windows at hand."""
        column: Any = self
        column.number[rows] = numbers[at]
        column._anchor[rows] = np.where(anchor[at] == -np.inf, column._anchor[rows], anchor[at])
        for name, values in sums.items():
            if not isinstance(values, int):
                getattr(self, name)[rows] += values[at]
        column.max_jitter[rows] = np.maximum(column.max_jitter[rows], peak[at])

    def _close(self, rows: Int) -> None:
        """Make records of the windows at hand of these rows (each once), and empty them."""
        column: Any = self
        records = np.zeros(len(rows), RECORD)
        for name in ("tenant", "number", "packets", "lost", "gaps", "discarded"):
            records[name] = getattr(self, name)[rows]
        records["mean_jitter_ms"] = column._jitter_sum[rows] / np.maximum(column._jitter_n[rows], 1)
        records["max_jitter_ms"] = column.max_jitter[rows]
        self._keep(records, rows)
        for name in (*_SUMS, "max_jitter"):
            getattr(self, name)[rows] = 0

    def _keep(self, records: Records, rows: Int) -> None:
        column: Any = self
        room = max(min(len(records), MAX_WINDOWS - self._kept), 0)
        self.dropped += len(records) - room
        if room:
            self._closed.append(records[:room])
            self._kept += room
        enough = records["packets"] + records["lost"] >= FEWEST_EXPECTED
        order = np.lexsort((-records["number"], impairment(records), enough, rows))
        last = order[np.append(rows[order][1:] != rows[order][:-1], True)]
        records, rows = records[last], rows[last]
        worse = _worse(records, column.worst[rows])
        column.worst[rows[worse]] = records[worse]

    def finish(self) -> None:
        """Close what is open. Afterwards `of` and `worst_of` answer."""
        column: Any = self
        left = np.flatnonzero(column.packets[: self.rows] > 0)
        if len(left):
            self._close(left)
        table = np.concatenate(self._closed) if self._closed else np.zeros(0, RECORD)
        table = table[np.lexsort((table["number"], table["tenant"]))]
        self._closed = [table]
        tenants = np.ascontiguousarray(table["tenant"])
        self._starts = np.searchsorted(tenants, column.tenant[: self.rows]).tolist()
        self._stops = np.searchsorted(tenants, column.tenant[: self.rows] + 1).tolist()

    def of(self, row: int) -> Records:
        """The kept windows of a stream, in order; those without a packet are not there."""
        return self._closed[0][self._starts[row] : self._stops[row]].copy()

    def worst_of(self, row: int) -> Any:
        """The window of a stream with the most packets missing or dropped (the first such), as a record."""
        column: Any = self
        return column.worst[row]


def impairment(records: Records) -> Float:
    """Part of the expected packets that were not there to be played, 0.0 to 1.0."""
    expected = np.maximum(records["packets"] + records["lost"], 1)
    result: Float = np.clip((records["lost"] + records["discarded"]) / expected, 0.0, 1.0)
    return result


def _worse(records: Records, others: Records) -> NDArray[np.bool_]:
    """Which records are worse than the other of the same place; any is worse than an empty one."""
    enough, had = records["packets"] + records["lost"], others["packets"] + others["lost"]
    worse = impairment(records) > impairment(others)
    settled = (enough >= FEWEST_EXPECTED) == (had >= FEWEST_EXPECTED)
    result: NDArray[np.bool_] = (others["packets"] == 0) | np.where(settled, worse, enough >= FEWEST_EXPECTED)
    return result


def _too_late(skew_ms: Float, starts: Int, counts: Int, anchor: Float) -> tuple[Int, Float]:
    """Of runs of packets, each with the anchor before it (-inf for none): how many a buffer drops, and its anchor
    afterwards. A step of RESYNC_MS begins anew."""
    first = np.cumsum(counts) - counts
    place = np.arange(int(counts.sum())) + np.repeat(starts - first, counts)
    skew = skew_ms[place]
    step = np.empty(len(skew))
    step[1:] = np.abs(np.diff(skew))
    goes_on = np.abs(skew[first] - anchor) < RESYNC_MS
    step[first] = RESYNC_MS
    cut = step >= RESYNC_MS
    seeded = skew.copy()
    seeded[first[goes_on]] = np.maximum(skew[first[goes_on]], anchor[goes_on])
    # One running maximum for all: each part is lifted above the one before it.
    low = float(seeded.min())
    lift = (np.cumsum(cut) - 1) * (float(seeded.max()) - low + 1.0)
    quickest = np.maximum.accumulate(seeded - low + lift) - lift + low
    late = np.add.reduceat((quickest - skew > BUFFER_MS).astype(np.int64), first)
    return late, quickest[first + counts - 1]
