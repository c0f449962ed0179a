"""The timing wheel: which packet of which stream leaves in which millisecond, and the loop that sends them.

Every lane is planned 40 ms ahead: one search finds what is due for all its streams, numpy stamps the rows, and each
slot of the wheel gets its part of the prepared lists. Owns no socket (it is handed `sendto`) and reads time only
through the clock it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from operator import length_hint

import numpy as np
from numpy.typing import NDArray

from sipreplay.media.impairer import Impairer
from sipreplay.media.lanes import FLOW_SPAN_US, Address, Batch, Lane, Send, Shelf, Staging
from sipreplay.media.sources import Flow
from sipreplay.media.tally import Tally

TICK_US = 1000
WINDOW = 40
"""Ticks in a plan: long enough that numpy's fixed cost does not count, short enough that a plan stalls nothing."""
LEAD = 2
"""Ticks before its window at which a lane is planned."""
LANE_STREAMS = 512
_CHUNK = 32
_PHASES = [(7 * number) % WINDOW for number in range(WINDOW)]


@dataclass(slots=True)
class SendTotals:
    """What became of all streams."""

    errors: int = 0
    """Packets that the kernel refused."""
    streams: int = 0
    """Started."""
    active: int = 0
    peak: int = 0
    rates: float = 0.0
    """Sum of the packets a second of all started."""


class Sender:
    """Streams, by number. Times are microseconds of the clock it was given."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self.totals = SendTotals()
        self.tally = Tally()
        self.impairer: Impairer | None = None
        """What is done to the packets on purpose before they leave."""
        self.tick = clock_us() // TICK_US
        """The next tick to run."""
        self._slots: dict[int, list[tuple[Batch, int, int]]] = {}
        self._calendar: dict[int, list[Lane]] = {}
        self._shelves: dict[int, Shelf] = {}
        self._lane_count = 0
        self._joining: list[Lane] = []
        self._free: list[int] = []
        self._capacity = 0
        self._start_us: NDArray[np.int64] = np.zeros(0, np.int64)
        self._next: NDArray[np.int64] = np.zeros(0, np.int64)
        self._end: NDArray[np.int64] = np.zeros(0, np.int64)
        self._key: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sequence: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._ticks: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._ssrc: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._alive: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._muted: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._laps: NDArray[np.int64] = np.zeros(0, np.int64)
        """Still to come after the one that runs; negative: for ever."""
        self._lap_us: NDArray[np.int64] = np.zeros(0, np.int64)
        self._lap_ticks: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._lap_packets: NDArray[np.int64] = np.zeros(0, np.int64)
        self._send_of: list[Send] = []
        self._address_of: list[Address] = []
        self._lane_of: list[Lane | None] = []

    def add(self, flow: Flow) -> None:
        """Take a flow's packets. Does nothing if they are here already."""
        if flow.shelf >= 0:
            return
        width = flow.template.shape[1]
        shelf = self._shelves.get(width)
        if shelf is None:
            shelf = self._shelves[width] = Shelf(width)
        shelf.add(flow, width)

    def start(
        self,
        flow: Flow,
        send: Send,
        address: Address,
        start_us: int,
        rewrite: tuple[int, int, int] = (0, 0, 0),
        laps: int = 1,
    ) -> int:
        """Begin to play a flow, its first packet at `start_us` + its offset; returns the stream's number.

        `rewrite` is (added to the sequence, added to the timestamp, xor of the SSRC). `laps`: how often a flow with a
        lap is played, -1 for ever. `begin` must follow before the next `run`.
        """
        shelf = self._shelves[flow.shelf]
        stream = self._free.pop() if self._free else self._grow()
        self._start_us[stream] = start_us
        self._next[stream] = flow.first
        self._end[stream] = flow.first + flow.packets
        self._key[stream] = shelf.key[flow.first] // FLOW_SPAN_US * FLOW_SPAN_US
        self._sequence[stream], self._ticks[stream], self._ssrc[stream] = rewrite
        self._alive[stream], self._muted[stream] = True, False
        self._laps[stream] = laps - 1 if laps > 0 and flow.lap_us else -1 if laps < 0 and flow.lap_us else 0
        self._lap_us[stream], self._lap_ticks[stream] = flow.lap_us, flow.lap_ticks & 0xFFFFFFFF
        self._lap_packets[stream] = flow.packets
        self.tally.clear(stream)
        self._send_of[stream], self._address_of[stream] = send, address
        lane = self._lane(shelf)
        lane.joining.append(stream)
        if len(lane.joining) == 1:
            self._joining.append(lane)
        self._lane_of[stream] = lane
        totals = self.totals
        totals.streams += 1
        totals.rates += flow.rate
        totals.active += 1
        totals.peak = max(totals.peak, totals.active)
        return stream

    def begin(self) -> None:
        """Plan the streams that were started since the last call, up to where their lanes are planned."""
        for lane in self._joining:
            fresh = np.array(lane.joining, np.int64)
            lane.joining.clear()
            if not lane.active:
                self._activate(lane)
            self._plan(lane, fresh, Staging)
            lane.members = np.concatenate((lane.members, fresh))
        self._joining.clear()

    def stop(self, stream: int) -> None:
        """Send nothing more; what is planned is withdrawn. Does nothing if it has ended."""
        if self._alive[stream]:
            self._alive[stream] = False
            self.totals.active -= 1
        self._withdraw(stream)

    def retarget(self, stream: int, address: Address) -> None:
        """Send to another address from now on, planned packets too."""
        self._address_of[stream] = address
        lane = self._lane_of[stream]
        if lane is not None:
            lane.planned = None
        for batch, places in self._planned(stream):
            for place in places:
                batch.addresses[place] = address

    def mute(self, stream: int, muted: bool) -> None:
        """Keep the stream's clock, but send nothing while muted. Unmuting acts from the next window on (40 ms).

        Sequence numbers go on where they stopped: to a receiver, silence is no loss (RFC 3550 section 5.1).
        """
        self._muted[stream] = muted
        if muted:
            withdrawn = self._withdraw(stream)
            self._sequence[stream] = (int(self._sequence[stream]) - withdrawn) & 0xFFFFFFFF

    def progress(self, stream: int) -> tuple[int, int, int, int]:
        """(SSRC, RTP timestamp of the packet planned last, its due time in us, its payload type) of a stream."""
        lane = self._lane_of[stream]
        assert lane is not None
        shelf, packet = lane.shelf, int(self._next[stream]) - 1
        packet = max(packet, int(self._end[stream] - self._lap_packets[stream]))
        ticks = int(shelf.ticks[packet]) + int(self._ticks[stream]) & 0xFFFFFFFF
        due_us = int(self._start_us[stream] + shelf.offset_us[packet])
        ssrc = int(shelf.ssrc[packet]) ^ int(self._ssrc[stream])
        return ssrc, ticks, due_us, int(shelf.template[packet, 1]) & 0x7F

    def free(self, stream: int) -> None:
        """Forget a stopped stream. Its number will be used again, so `collect` must come between `stop` and this."""
        self._lane_of[stream] = None
        self._free.append(stream)

    def run(self, now_us: int) -> None:
        """Send all that is due, plan all that must be planned, up to the tick of `now_us`."""
        last = now_us // TICK_US
        if not self._slots and not self._calendar:
            self.tick = max(self.tick, last + 1)
            return
        while self.tick <= last:
            pieces = self._slots.pop(self.tick, None)
            if pieces is not None:
                for batch, start, stop in pieces:
                    self._send(batch, start, stop)
            lanes = self._calendar.pop(self.tick, None)
            self.tick += 1
            if lanes is not None:
                for lane in lanes:
                    self._next_window(lane)

    def next_us(self, latest_us: int) -> int:
        """When `run` has something to do, at most `latest_us`."""
        tick, last = self.tick, latest_us // TICK_US
        slots, calendar = self._slots, self._calendar
        if slots or calendar:
            while tick < last:
                if tick in slots or tick in calendar:
                    return tick * TICK_US
                tick += 1
        return latest_us

    def collect(self) -> None:
        """Bring the counters up to what was sent until now. Wants to be called some ten times a second."""
        streams, due_us, length, marks = [], [], [], []
        for shelf in self._shelves.values():
            for lane in shelf.lanes:
                for batch in lane.batches:
                    counted, done = batch.counted, batch.done
                    if counted < done:
                        batch.counted = done
                        streams.append(batch.streams[counted:done])
                        due_us.append(batch.due_us[counted:done])
                        length.append(batch.length[counted:done])
                        marks += batch.sent
                        batch.sent.clear()
                lane.batches = [batch for batch in lane.batches if batch.counted < len(batch.streams)]
        if marks:
            counts, times_us = zip(*marks, strict=True)
            late_us = np.repeat(times_us, counts) - np.concatenate(due_us)
            self.tally.count(np.concatenate(streams), late_us, np.concatenate(length))

    def _grow(self) -> int:
        old = self._capacity
        self._capacity = max(256, 2 * old)
        for name in (
            "_start_us",
            "_next",
            "_end",
            "_key",
            "_sequence",
            "_ticks",
            "_ssrc",
            "_alive",
            "_muted",
            "_laps",
            "_lap_us",
            "_lap_ticks",
            "_lap_packets",
        ):
            column = getattr(self, name)
            larger = np.zeros(self._capacity, column.dtype)
            larger[:old] = column
            setattr(self, name, larger)
        self.tally.grow(self._capacity)
        more = self._capacity - old
        self._send_of.extend([_withdrawn] * more)
        self._address_of.extend([("", 0)] * more)
        self._lane_of.extend([None] * more)
        self._free.extend(range(self._capacity - 1, old, -1))
        return old

    def _lane(self, shelf: Shelf) -> Lane:
        """The emptiest lane, or a new one if all are full."""
        best = min(shelf.lanes, key=lambda lane: len(lane.members) + len(lane.joining), default=None)
        if best is None or len(best.members) + len(best.joining) >= LANE_STREAMS:
            best = Lane(shelf, _PHASES[self._lane_count % WINDOW])
            self._lane_count += 1
            shelf.lanes.append(best)
        return best

    def _activate(self, lane: Lane) -> None:
        """Put an idle lane's next plan into the calendar."""
        earliest = self.tick + LEAD + 1
        lane.planned_until = earliest + (lane.phase - earliest) % WINDOW
        lane.active = True
        self._calendar.setdefault(lane.planned_until - LEAD, []).append(lane)

    def _next_window(self, lane: Lane) -> None:
        members = lane.members
        lane.members = members = members[self._alive[members] & (self._next[members] < self._end[members])]
        if not len(members):
            lane.active = False
            return
        lane.planned_until += WINDOW
        self._plan(lane, members, lambda count, _width: lane.rows(count))
        self._calendar.setdefault(lane.planned_until - LEAD, []).append(lane)

    def _plan(self, lane: Lane, members: NDArray[np.int64], staging: Callable[[int, int], Staging]) -> None:
        """Prepare what `members` send before the lane's `planned_until`, and put it into the wheel's slots."""
        members = members[self._alive[members]]
        self._plan_lap(lane, members, staging)
        while len(again := self._at_next_lap(members)):
            members = again
            self._plan_lap(lane, members, Staging)

    def _at_next_lap(self, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those that are at the end of a lap and have more of them, set to its beginning."""
        if not self._laps[members].any():
            return members[:0]
        again = members[self._alive[members] & (self._next[members] >= self._end[members])]
        packets = self._lap_packets[again]
        self._next[again] -= packets
        self._start_us[again] += self._lap_us[again]
        self._sequence[again] += packets.astype(np.uint32)
        self._ticks[again] += self._lap_ticks[again]
        self._laps[again] -= 1
        return again

    def _plan_lap(self, lane: Lane, members: NDArray[np.int64], staging: Callable[[int, int], Staging]) -> None:
        """Prepare what `members` send before `planned_until` in the lap that runs."""
        shelf = lane.shelf
        streams, packets, due_us = self._due(lane, members)
        if self.impairer is not None and len(streams):
            streams, packets, due_us = self.impairer.apply(streams, packets, due_us, shelf.offset_us)
            # A late packet may outlive the rows that windows use in turn.
            staging = Staging
        total = len(streams)
        if not total:
            return
        rows = staging(total, shelf.width)
        self._stamp(shelf, rows.rows[:total], streams, packets)
        length = shelf.length[packets]
        # The same streams in the same order, which is usual: the lists of the last window serve again.
        if lane.planned is None or not np.array_equal(lane.planned[0], streams):
            numbers = streams.tolist()
            sends, addresses = map(self._send_of.__getitem__, numbers), map(self._address_of.__getitem__, numbers)
            lane.planned = (streams.copy(), list(sends), list(addresses))
        batch = Batch(lane.planned[1], rows.views(length), lane.planned[2], streams, due_us, length)
        lane.batches.append(batch)
        ticks = np.maximum((due_us + TICK_US // 2) // TICK_US, self.tick)
        edges = [0, *(np.flatnonzero(ticks[1:] != ticks[:-1]) + 1).tolist(), total]
        slots = self._slots
        for tick, (begin, end) in zip(ticks[edges[:-1]].tolist(), pairwise(edges), strict=True):
            slots.setdefault(tick, []).append((batch, begin, end))

    def _due(
        self, lane: Lane, members: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(stream, packet, due time) of all that leaves before the lane's `planned_until`, in order of time."""
        shelf = lane.shelf
        # A packet goes into the tick that is nearest to its due time.
        limit_us = lane.planned_until * TICK_US - TICK_US // 2
        first, end, start_us = self._next[members], self._end[members], self._start_us[members]
        elapsed = np.minimum(limit_us - start_us, FLOW_SPAN_US - 1)
        stop = np.clip(np.searchsorted(shelf.key, self._key[members] + elapsed), first, end)
        self._next[members] = stop
        self._count_ended(members[(stop == end) & (self._laps[members] == 0)])
        counts = stop - first
        muted = self._muted[members]
        if muted.any():
            self._sequence[members[muted]] -= counts[muted].astype(np.uint32)
            counts[muted] = 0
        if (counts == 1).all():
            streams, packets = members, first
            due_us = start_us + shelf.offset_us[packets]
        else:
            streams = np.repeat(members, counts)
            packets = np.arange(len(streams)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
            due_us = self._start_us[streams] + shelf.offset_us[packets]
        if (due_us[1:] < due_us[:-1]).any():
            order = np.argsort(due_us, kind="stable")
            streams, packets, due_us = streams[order], packets[order], due_us[order]
        return streams, packets, due_us

    def _stamp(
        self, shelf: Shelf, rows: NDArray[np.uint8], streams: NDArray[np.int64], packets: NDArray[np.int64]
    ) -> None:
        """Fill the rows: the packets' bytes, with each stream's own sequence, timestamp and SSRC."""
        np.take(shelf.template, packets, axis=0, out=rows)
        sequence, ticks, ssrc = self._sequence[streams], self._ticks[streams], self._ssrc[streams]
        if not (sequence.any() or ticks.any() or ssrc.any()):
            return
        keep = ~shelf.rewritable[packets]
        if keep.any():
            sequence[keep] = ticks[keep] = ssrc[keep] = 0
        half, word = rows.view(">u2"), rows.view(">u4")
        half[:, 1] = (shelf.sequence[packets] + sequence) & 0xFFFF
        word[:, 1] = shelf.ticks[packets] + ticks
        word[:, 2] = shelf.ssrc[packets] ^ ssrc

    def _count_ended(self, ended: NDArray[np.int64]) -> None:
        """Streams whose last packet is planned are no longer active; the wheel still sends what it holds."""
        self.totals.active -= len(ended)
        self._alive[ended] = False

    def _send(self, batch: Batch, start: int, stop: int) -> None:
        """The loop that everything is for. The clock is read once in 32 packets: each counts as sent with the last."""
        clock_us = self._clock_us
        sends, views, addresses = batch.sends, batch.views, batch.addresses
        for at in range(start, stop, _CHUNK):
            end = min(at + _CHUNK, stop)
            upcoming = iter(sends[at:end])
            packets = zip(upcoming, views[at:end], addresses[at:end], strict=False)
            while True:
                try:
                    for send, view, address in packets:
                        send(view, address)
                    break
                except OSError:
                    self.totals.errors += 1
                    batch.streams[end - 1 - length_hint(upcoming)] = -1
            batch.sent.append((end - at, clock_us()))
        batch.done = stop

    def _planned(self, stream: int) -> Iterable[tuple[Batch, list[int]]]:
        """Where the stream's packets that are still to be sent are."""
        lane = self._lane_of[stream]
        if lane is None:
            return
        for batch in lane.batches:
            places = np.flatnonzero(batch.streams[batch.done :] == stream)
            if len(places):
                yield batch, (places + batch.done).tolist()

    def _withdraw(self, stream: int) -> int:
        """Take back what is planned; returns how many packets."""
        withdrawn = 0
        lane = self._lane_of[stream]
        if lane is not None:
            lane.planned = None
        for batch, places in self._planned(stream):
            for place in places:
                batch.sends[place] = _withdrawn
            batch.streams[places] = -1
            withdrawn += len(places)
        return withdrawn


def _withdrawn(_view: memoryview, _address: Address) -> int:
    """Stands in the place of a packet that must not leave any more."""
    return 0
