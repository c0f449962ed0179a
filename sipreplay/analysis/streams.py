"""RTP streams while a capture is read: packets in columns go in, one row of figures a stream stays.

Owns telling streams apart, dropping packets that were captured twice, payload types, digits, and what counts as RTP at
the end. Memory grows with streams, never with packets. Never knows dialogs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.analysis.announced import Announcements, CodecTables, Place
from sipreplay.analysis.copies import CopyFilter
from sipreplay.analysis.found_stream import MAX_CHANGES, Candidate, EventSight, FoundStream, without_twins
from sipreplay.analysis.model import Address
from sipreplay.analysis.opened import OpenedRows
from sipreplay.analysis.share import ALL, Share
from sipreplay.analysis.stream_facts import FactBook, is_sampled
from sipreplay.analysis.stream_table import StreamTable
from sipreplay.capture.batch import Batch
from sipreplay.capture.columns import Pairs, RtpColumns
from sipreplay.capture.sieve import host_text
from sipreplay.rtp.payload_types import COMFORT_NOISE
from sipreplay.rtp.quality import QualityState
from sipreplay.rtp.windows import WindowBook

Int = NDArray[np.int64]

MAX_STREAMS = 100_000
"""Keys beyond this are not followed: only noise that resembles RTP has so many at a time."""
SWEEP_EVERY = 10_000
"""After so many new rows, those that have come to nothing are given to others."""
FORGOTTEN_AFTER_NS = 10_000_000_000
"""A flow that no SDP announced and that has had fewer than FEWEST_PACKETS comes to nothing after this silence."""
FEWEST_PACKETS = 6
"""A stream that no SDP announced needs this many packets, and this part of them in sequence, to be believed."""
IN_SEQUENCE = 0.6
MAX_EVENTS = 4096
"""Telephone events that are remembered for one stream."""
RESTART_NS = 200_000_000
"""A pause after which a stream that jumps, at an address that another call took over, is that call's."""
SEAM_NS = 5_000_000_000
"""A stream goes on in another file if it pauses no longer between them: files of a rotated capture follow at once."""
_SMALL_STEP = 64
_EVENT_BY_HABIT = 101
"""Without SDP, four bytes of this payload type are taken for a telephone event: nearly everyone uses it so."""


class StreamBook:
    """All streams of a set of captures."""

    def __init__(self, share: Share = ALL) -> None:
        self._share = share
        self.tables = CodecTables()
        self.announced = Announcements(self.tables)
        self.copies = 0
        """Packets that were dropped because they had been captured twice."""
        self.cut = 0
        """Packets whose payload the capture does not hold whole."""
        self.unfollowed = False
        """Whether there were keys past MAX_STREAMS."""
        self._pairs = Pairs()
        self._capture = 0
        self._group = 0
        self._open: dict[int, tuple[StreamTable, CopyFilter]] = {}
        """What is known of the files that are being read."""
        self._table = StreamTable()
        self._quality = QualityState()
        self._windows, self._facts = WindowBook(), FactBook()
        self._rows: list[Candidate | None] = []
        self._free: list[int] = []
        self._created = 0
        self._earlier: dict[tuple[Address, Address, int], list[int]] = {}
        """(source, destination, SSRC) of earlier captures to rows, to go on where a rotated file ended."""
        self._at: dict[tuple[str, int], list[int]] = {}
        """Rows by media address."""
        self._last_type: Int = np.zeros(0, np.int64)
        self._codecs: Int = np.zeros(0, np.int64)
        self._last_packet: Int = np.zeros(0, np.int64)
        self._last_timestamp: Int = np.zeros(0, np.int64)
        self._seams: dict[int, Place] = {}
        """Rows of earlier files that go on in the batch at hand, with the place of their last packet there."""
        self._type_sets: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._several: set[int] = set()
        """Rows whose codecs changed on the way."""
        self._copy_filter = CopyFilter()
        self._opened = OpenedRows()

    def open_capture(
        self, capture: int, pairs: Pairs, group: int | None = None, going_on: Collection[int] = ()
    ) -> None:
        """The packets that follow are of this capture file; `pairs` is its table of IPv6 addresses. Streams of earlier
        files may go on in it, but not of those that are `going_on` themselves. Without a group it is one by itself."""
        self._pairs, self._group = pairs, capture if group is None else group
        self._earlier.clear()
        for row, candidate in enumerate(self._rows):
            if candidate is not None and candidate.capture not in going_on:
                same = candidate.source, candidate.destination, candidate.ssrc
                self._earlier.setdefault(same, []).append(row)
        self._open = {number: held for number, held in self._open.items() if group is not None}
        self._open[capture] = StreamTable(), CopyFilter()
        self._turn_to(capture)

    def follow(self, batch: Batch, pairs: Pairs, going_on: Collection[int]) -> None:
        """The packets that follow are of this batch. `going_on` are the files that have more after it."""
        files = [batch.capture] if isinstance(batch.capture, int) else np.unique(batch.capture).tolist()
        if batch.group != self._group:
            self._open.clear()
        for capture in files:
            if capture not in self._open:
                self.open_capture(capture, pairs, batch.group, going_on)
        for capture in [number for number in self._open if number not in files and number not in going_on]:
            self._close(capture)

    def _close(self, capture: int) -> None:
        """A file is at its end: what began in it after the last one was opened may go on too."""
        del self._open[capture]
        for row, candidate in enumerate(self._rows):
            if candidate is not None and candidate.capture == capture:
                same = candidate.source, candidate.destination, candidate.ssrc
                if row not in self._earlier.setdefault(same, []):
                    self._earlier[same].append(row)

    def _turn_to(self, capture: int) -> None:
        self._capture = capture
        self._table, self._copy_filter = self._open[capture]

    def add(self, rtp: RtpColumns) -> None:
        """Count packets. Signalling of the same batch comes first, so that its SDP is known."""
        if self._share.of > 1:
            rtp = rtp.some(self._share.streams(rtp.addresses, rtp.ports_ssrc))
            if not len(rtp):
                self.cut += rtp.cut
                return
        for part in rtp.by_capture():
            if part.capture != self._capture:
                self._turn_to(int(part.capture))
            self._add(part)

    def _add(self, rtp: RtpColumns) -> None:
        def create(high: int, low: int, index: int) -> int:
            place = int(rtp.time_ns[index]), int(rtp.sequence[index]), int(rtp.timestamp[index])
            return self._create(high, low, *place)

        self.cut += rtp.cut
        rows = self._table.ids(rtp.addresses, rtp.ports_ssrc, create)
        self._resolve()
        order = np.argsort(_narrow(rows, len(self._rows)), kind="stable")
        rows = rows[order]
        if len(rows) and rows[0] < 0:
            order = order[np.searchsorted(rows, 0) :]
            rows = rows[-len(order) :] if len(order) else rows[:0]
        if len(rows) == 0:
            return
        keep = self._copy_filter.keep(rows, order, rtp, self._quality)
        if keep is not None:
            self.copies += len(rows) - len(keep)
            rows, order = rows[keep], order[keep]
        if len(rows):
            self._count(rows, order, rtp)
        self._seams.clear()

    def _create(self, high: int, low: int, time_ns: int, sequence: int, timestamp: int) -> int:
        """A row for a key that was not seen in this capture."""
        source, destination = self._pairs.addresses(high)
        ports, ssrc = low >> 32, low & 0xFFFFFFFF
        sender = Address(host_text(source), ports >> 16)
        receiver = Address(host_text(destination), ports & 0xFFFF)
        row = self._going_on((sender, receiver, ssrc), time_ns, sequence, timestamp)
        if row >= 0:
            known = self._row(row)
            self._seams[row] = known.group, int(self._last_packet[row])
            known.capture, known.key, known.group = self._capture, (high, low), self._group
            return row
        self._created += 1
        if self._created % SWEEP_EVERY == 0:
            self._sweep(time_ns)
        return self._add_row(Candidate(sender, receiver, ssrc, self._capture, (high, low), self._group))

    def _going_on(self, same: tuple[Address, Address, int], time_ns: int, sequence: int, timestamp: int) -> int:
        """The row of an earlier file that goes on with this packet, or -1: tools that play recorded media use one SSRC
        for ever, so that a file recorded an hour later has streams of its own."""
        state: Any = self._quality
        for row in sorted(self._earlier.get(same, ()), key=lambda row: -int(state.last_ns[row])):
            candidate = self._rows[row]
            if candidate is None or (candidate.source, candidate.destination, candidate.ssrc) != same:
                continue  # given to another flow since
            pause = time_ns - int(state.last_ns[row])
            if pause <= 0:
                continue
            step = (sequence - int(state._stop_sequence[row])) & 0xFFFF
            ahead = (timestamp - int(self._last_timestamp[row])) & 0xFFFFFFFF
            follows = 0 < step <= _SMALL_STEP and ahead < 1 << 31
            return row if pause <= SEAM_NS or follows else -1
        return -1

    def _add_row(self, candidate: Candidate) -> int:
        if self._free:
            row = self._free.pop()
            self._rows[row] = candidate
            self._last_type[row], self._last_packet[row] = -1, 0
        elif len(self._rows) >= MAX_STREAMS:
            self.unfollowed = True
            return -1
        else:
            row = len(self._rows)
            self._rows.append(candidate)
            for book in (self._quality, self._windows, self._facts):
                book.grow(row + 1)
        if row >= len(self._codecs):
            for name, value in (("_codecs", 0), ("_last_type", -1), ("_last_packet", 0), ("_last_timestamp", 0)):
                old = getattr(self, name)
                new = np.full(max(256, 2 * len(old)), value, np.int64)
                new[: len(old)] = old
                setattr(self, name, new)
        for address in (candidate.source, candidate.destination):
            self._at.setdefault(address, []).append(row)
        self._set_codecs(row)
        return row

    def _sweep(self, now_ns: int) -> None:
        """Free the rows of flows that have come to nothing, so that memory follows streams and not noise."""
        count = len(self._rows)
        old = self._quality.last_ns[:count] < now_ns - FORGOTTEN_AFTER_NS
        few = self._quality.packets[:count] < FEWEST_PACKETS
        freed = set()
        touched: set[Address] = set()
        for row in np.flatnonzero(old & few & (self._quality.packets[:count] > 0)).tolist():
            candidate = self._rows[row]
            if candidate is None or self._is_announced(candidate):
                continue
            touched.update((candidate.source, candidate.destination))
            self._table.forget(candidate.key, row)
            self._rows[row] = None
            self._several.discard(row)
            self._opened.forget(row)
            freed.add(row)
        for address in touched:
            left = [row for row in self._at[address] if row not in freed]
            if left:
                self._at[address] = left
            else:
                del self._at[address]
        if freed:
            for book in (self._quality, self._windows, self._facts):
                book.reset(np.array(sorted(freed)))
            self._free.extend(sorted(freed, reverse=True))

    def _is_announced(self, candidate: Candidate) -> bool:
        return self.announced.knows(candidate.source) or self.announced.knows(candidate.destination)

    def _row(self, row: int) -> Candidate:
        candidate = self._rows[row]
        assert candidate is not None
        return candidate

    def _resolve(self) -> None:
        """Take in what SDP has announced since the last batch."""
        if self.announced.changed:
            for address in self.announced.changed:
                for row in self._at.get(address, ()):
                    self._set_codecs(row)
            self.announced.changed.clear()

    def _set_codecs(self, row: int) -> None:
        candidate = self._row(row)
        candidate.codecs = self.announced.of_stream(candidate.source, candidate.destination)
        self._opened.set_keys(row, self.announced.keys_of(candidate.source, candidate.destination))
        self._codecs[row] = candidate.codecs[-1][1] if candidate.codecs else 0
        if len(candidate.codecs) > 1:
            self._several.add(row)

    def _codec_numbers(self, rows: Int, packets: Int) -> Int:
        """The codec set of each packet; `rows` is sorted."""
        numbers = self._codecs[rows]
        if not self._several:
            return numbers
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(rows[1:] != rows[:-1]) + 1))
        ends = np.append(starts[1:], len(rows))
        for row, start, end in zip(rows[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
            if row in self._several:
                history = self._row(row).codecs
                places = [place[1] if place[0] == self._group else 0 for place, _ in history]
                if packets[start] >= places[-1]:
                    # Packets that follow come later still: until there is news, the last set holds.
                    self._several.discard(row)
                    continue
                turn = np.maximum(np.searchsorted(places, packets[start:end], side="right") - 1, 0)
                numbers[start:end] = np.array([number for _, number in history])[turn]
        return numbers

    def _count(self, rows: Int, order: Int, rtp: RtpColumns) -> None:
        rows, order = self._split(rows, order, rtp)
        packets = rtp.place[order]
        second = rtp.second[order]
        kind = (second & 0x7F).astype(np.int64)
        numbers = self._codec_numbers(rows, packets)
        entry = numbers << 7 | kind  # one index is three times as fast as two
        clock = self.tables.clock.reshape(-1).take(entry)
        sequence, timestamp, time_ns = rtp.sequence[order], rtp.timestamp[order], rtp.time_ns[order]
        law = self.tables.law.reshape(-1).take(entry)
        event = self.tables.event.reshape(-1).take(entry)
        if self._opened:
            locked = self._opened.locked(rows)
            asked = np.flatnonzero(locked & (event | (law >= 0) & is_sampled(sequence)))
            clear = {at: self._opened.payload(int(rows[at]), rtp, int(order[at])) for at in asked.tolist()}
        else:
            locked, clear = None, {}
        counted = self._quality.update(rows, sequence, timestamp, time_ns, second >> 7, kind, clock)
        if counted is not None:
            self._windows.add(counted)
            if locked is not None:
                self._facts.note_payloads(rows, law, clear)
                law = np.where(locked, -1, law)
            self._facts.add(counted, rtp, order, law)
        last = np.append(rows[1:] != rows[:-1], True)
        self._last_packet[rows[last]] = packets[last]
        self._last_timestamp[rows[last]] = timestamp[last]
        by_habit = kind == _EVENT_BY_HABIT
        if by_habit.any():
            event |= by_habit & (numbers == 0) & (rtp.length[order] == 16)
        self._note_types(rows, kind, time_ns, event)
        for at in np.flatnonzero(event).tolist():
            payload = clear[at] if at in clear else _payload(rtp, int(order[at]))
            self._event(self._row(int(rows[at])), int(timestamp[at]), int(time_ns[at]), payload or b"")

    def _split(self, rows: Int, order: Int, rtp: RtpColumns) -> tuple[Int, Int]:
        """Give a row of its own to what another call sends with the same addresses and SSRC: tools that play recorded
        media do so. It starts where the numbers jump after a pause and after that call's SDP."""
        sequence, time_ns = rtp.sequence[order], rtp.time_ns[order]
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(rows[1:] != rows[:-1]) + 1))
        state: Any = self._quality
        old = rows[starts]
        before, pause = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        before[1:], pause[1:] = sequence[:-1], time_ns[1:] - time_ns[:-1]
        before[starts] = state._stop_sequence[old]
        pause[starts] = np.where(state.packets[old] > 0, time_ns[starts] - state.last_ns[old], 0)
        late = np.flatnonzero(pause > RESTART_NS)
        step = (sequence[late] - before[late]) & 0xFFFF
        jumps = late[(step == 0) | (step > _SMALL_STEP)]
        moved = False
        for at in jumps.tolist():
            row = int(rows[at])
            if at and rows[at - 1] == row:
                previous = self._group, int(rtp.place[order[at - 1]])
            else:
                previous = self._seams.get(row) or (self._group, int(self._last_packet[row]))
            old_one = self._row(row)
            if self._taken_over(old_one, previous, int(rtp.place[order[at]])):
                same = old_one.source, old_one.destination, old_one.ssrc
                fresh = self._add_row(Candidate(*same, self._capture, old_one.key, self._group))
                if fresh >= 0:
                    self._table.set(old_one.key, fresh)
                    rows = rows.copy() if not moved else rows
                    rows[at:][rows[at:] == row] = fresh
                    moved = True
        if not moved:
            return rows, order
        again = np.argsort(rows, kind="stable")
        return rows[again], order[again]

    def _taken_over(self, candidate: Candidate, before: Place, after: int) -> bool:
        """Whether another call announced one of the addresses between two packets."""
        window = before, (self._group, after)
        addresses = candidate.source, candidate.destination
        return any(self.announced.new_call_between(address, *window) for address in addresses)

    def _note_types(self, rows: Int, kind: Int, time_ns: Int, event: NDArray[np.bool_]) -> None:
        before = np.empty_like(kind)
        before[1:] = kind[:-1]
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(rows[1:] != rows[:-1]) + 1))
        before[starts] = self._last_type[rows[starts]]
        changed = np.flatnonzero(kind != before)
        if len(changed) == 0:
            return
        for at in changed[~event[changed]][:MAX_CHANGES].tolist():
            self._row(int(rows[at])).note_type(int(time_ns[at]), int(kind[at]))
        pairs = rows[changed] << 7 | kind[changed]
        _, first = np.unique(pairs, return_index=True)
        for at in changed[np.sort(first)].tolist():
            candidate = self._row(int(rows[at]))
            if int(kind[at]) not in candidate.payload_types:
                types = (*candidate.payload_types, int(kind[at]))
                candidate.payload_types = self._type_sets.setdefault(types, types)
        last = np.append(rows[1:] != rows[:-1], True)
        self._last_type[rows[last]] = kind[last]

    def _event(self, candidate: Candidate, timestamp: int, time_ns: int, payload: bytes) -> None:
        """Remember a telephone event packet."""
        payload = payload[:4]
        if candidate.events is None:
            candidate.events = {}
        held = candidate.events.get(timestamp)
        if held is not None:
            candidate.events[timestamp] = held._replace(last=payload)
        elif len(candidate.events) < MAX_EVENTS and len(payload) == 4:
            candidate.events[timestamp] = EventSight(time_ns, payload, payload)

    def finish(self) -> list[FoundStream]:
        """The rows that count as RTP, in order of their first packet."""
        self._resolve()
        self._windows.finish()
        found: dict[tuple[Address, Address, int], list[FoundStream]] = {}
        for row, candidate in enumerate(self._rows):
            stream = self._judge(row, candidate) if candidate is not None else None
            if candidate is not None and stream is not None:
                found.setdefault((candidate.source, candidate.destination, candidate.ssrc), []).append(stream)
        kept = [stream for same in found.values() for stream in without_twins(same)]
        return sorted(kept, key=lambda stream: (stream.first, stream.candidate.source, stream.candidate.destination))

    def _judge(self, row: int, candidate: Candidate) -> FoundStream | None:
        packets = int(self._quality.packets[row])
        if packets == 0:
            return None
        announced = self._is_announced(candidate)
        if not announced:
            plausible = all(kind < 64 or kind > 95 for kind in candidate.payload_types)
            steady = int(self._quality.steps[row]) >= IN_SEQUENCE * (packets - 1)
            if packets < FEWEST_PACKETS or not plausible or not steady or len(candidate.payload_types) > 8:
                return None
        first_ns, last_ns = int(self._quality.first_ns[row]), int(self._quality.last_ns[row])
        windows: Any = self._windows
        stream = FoundStream(candidate, self._quality.result(row), self._facts.result(row), first_ns, last_ns)
        stream.announced = announced
        stream.windows, stream.worst = windows.of(row), windows.worst_of(row)
        stream.discarded = int(windows.all_discarded[row])
        numbers = self._codec_sets(candidate)
        for kind in candidate.payload_types:
            stream.codec, stream.clock_rate = self._speech(numbers, kind)
            if stream.codec:
                break
        stream.segments = tuple((at / 1e9, kind, self._speech(numbers, kind)[0]) for at, kind in candidate.changes)
        stream.decrypted = self._opened.has_opened(row)
        stream.event_clock = stream.clock_rate or 8000
        return stream

    def _codec_sets(self, candidate: Candidate) -> list[int]:
        # What a later file announces for the same address names other media.
        held = [number for place, number in candidate.codecs if place[0] <= candidate.group]
        return held or [number for _, number in candidate.codecs] or [0]

    def _speech(self, numbers: list[int], kind: int) -> tuple[str, int]:
        """Name and clock of a payload type, ("", 0) for one that is unknown, an event or comfort noise."""
        for number in reversed(numbers):
            name = self.tables.name(number, kind)
            if name and not self.tables.event[number, kind] and kind not in COMFORT_NOISE and name != "CN":
                return name, int(self.tables.clock[number, kind])
        return "", 0


def _narrow(rows: Int, count: int) -> NDArray[Any]:
    """The smallest type that holds the rows: numpy sorts 16-bit numbers by radix, several times as fast."""
    return rows.astype(np.int16) if count < 32768 else rows.astype(np.int32)


def _payload(rtp: RtpColumns, index: int) -> bytes:
    """The first four bytes of a packet's payload, fewer if it has no more."""
    start, end = int(rtp.offset[index]), int(rtp.offset[index] + rtp.length[index])
    first = int(rtp.first[index])
    body = start + 12 + 4 * (first & 15)
    if first & 0x10:
        body += 4 + 4 * int.from_bytes(rtp.buffer[body + 2 : body + 4], "big")
    return rtp.buffer[body : min(body + 4, end)].tobytes() if body < end else b""
