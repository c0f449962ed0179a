"""What arrives: a sweep over the sockets of open calls, counted and measured per call and port.

Kernel time stamps make the sweep's interval irrelevant to what is measured. Owns the receive side of sockets that
`blocks` opened, and one leg (a call on one RTP port) of columns each; never sends.
"""

from __future__ import annotations

import socket
import struct

import numpy as np
from numpy.typing import NDArray

from sipreplay.media.record import RECORDED_BYTES, MediaRecord
from sipreplay.media.reports import Heard, Reporting
from sipreplay.media.results import CallMedia
from sipreplay.media.sockets import BATCH, HEAD, Arena, dropped
from sipreplay.media.sweep import PortSocket, Round
from sipreplay.rtp.emodel import mos
from sipreplay.rtp.packet import HEADER_BYTES
from sipreplay.rtp.payload_types import COMFORT_NOISE, STATIC
from sipreplay.rtp.quality import QualityState

SWEEP_US = 200_000
RTCP_SWEEP_US = 1_000_000
REST = 2
"""Turns for which a socket is passed over after it was found empty; its buffer holds several."""
ANALYSE_ROWS = 2048
MAX_DROPOUT = 3000
"""A sequence number further away than this is a new stream under the old SSRC (RFC 3550 appendix A.1)."""
MAX_STREAMS = 64
"""SSRCs counted apart on one port of a call; what comes under more is counted as other datagrams."""
_MAX_READS = 64
_MAX_OPENING_READS = 32


class Receiver:
    """Legs by number. Times of arrival are the kernel's, in nanoseconds since the epoch."""

    _COLUMNS = (
        ("since_ns", np.int64),
        ("packets", np.int64),
        ("bytes", np.int64),
        ("first_ns", np.int64),
        ("last_ns", np.int64),
        ("rtcp", np.int64),
        ("other", np.int64),
        ("low_types", np.uint64),
        ("high_types", np.uint64),
        ("clocks", np.int64),
        ("shared", np.bool_),
        ("pattern", np.int64),
        ("pattern_bytes", np.int64),
        ("matched", np.int64),
    )

    def __init__(self, record: MediaRecord | None = None) -> None:
        """`record` gets every datagram that is read, if it wants what is received at all."""
        self._record = record
        self._arena = Arena(RECORDED_BYTES) if record is not None else Arena()
        self._arena_since_us = 0
        self._rounds = (Round(SWEEP_US), Round(RTCP_SWEEP_US))
        self.since_ns: NDArray[np.int64] = np.zeros(0, np.int64)
        self.packets: NDArray[np.int64] = np.zeros(0, np.int64)
        self.bytes: NDArray[np.int64] = np.zeros(0, np.int64)
        self.first_ns: NDArray[np.int64] = np.zeros(0, np.int64)
        self.last_ns: NDArray[np.int64] = np.zeros(0, np.int64)
        self.rtcp: NDArray[np.int64] = np.zeros(0, np.int64)
        self.other: NDArray[np.int64] = np.zeros(0, np.int64)
        self.low_types: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.high_types: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.clocks: NDArray[np.int64] = np.zeros(0, np.int64)
        self.shared: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.pattern: NDArray[np.int64] = np.zeros(0, np.int64)
        """The byte that the leg's echo is made of; 0: it is not compared."""
        self.pattern_bytes: NDArray[np.int64] = np.zeros(0, np.int64)
        self.matched: NDArray[np.int64] = np.zeros(0, np.int64)
        """Packets that held the pattern and nothing else."""
        self._comparing = False
        self._capacity = 0
        self._free: list[int] = []
        self._dropped: dict[int, int] = {}
        self._streams: dict[int, int] = {}
        """leg << 32 | ssrc to the row of the stream that is running."""
        self._rows_of: dict[int, list[tuple[int, int]]] = {}
        """Leg to (ssrc, row) of all its streams."""
        self._quality = QualityState()
        self._free_rows: list[int] = []
        self._last_sequence: NDArray[np.int64] = np.zeros(0, np.int64)
        self._tables: NDArray[np.int64] = np.zeros((1, 128), np.int64)
        for payload_type, (_, rate) in STATIC.items():
            self._tables[0, payload_type] = rate
        self._peers: dict[tuple[int, bytes], int] = {}
        """(leg of a shared port, sender) to the leg of the call that sends there; -1 if several do."""
        self.reports: dict[int, Reporting] = {}
        """Leg to what the peer's RTCP is told to."""
        self.strays = 0
        """Datagrams from before the call on their port."""

    def clock_table(self, rates: dict[int, int]) -> int:
        """Clock rates (payload type to Hz, 0: no jitter), over the static ones; returns their number for `open`."""
        table = self._tables[0].copy()
        for payload_type, rate in rates.items():
            table[payload_type & 0x7F] = rate
        self._tables = np.concatenate((self._tables, table[None]))
        return len(self._tables) - 1

    def open(self, since_ns: int, clocks: int = 0, *, shared: bool = False) -> int:
        """A new leg, which counts what arrives from `since_ns` (epoch) on."""
        if not self._free:
            self._grow()
        leg = self._free.pop()
        for name, _ in self._COLUMNS:
            getattr(self, name)[leg] = 0
        self.since_ns[leg] = since_ns
        self.clocks[leg] = clocks
        self.shared[leg] = shared
        self._rows_of[leg] = []
        self._dropped[leg] = 0
        return leg

    def attach(self, port: PortSocket, leg: int) -> None:
        """Sweep the port, for the leg. What waits there already is read, since it may fill the buffer."""
        port.leg, port.rest = leg, 0
        port.dropped_before = dropped(port.opened)
        self._rounds[port.rtcp].add(port)
        self._read(port, _MAX_OPENING_READS)

    def detach(self, port: PortSocket) -> None:
        """Read what has arrived until now, then let the port rest."""
        if port.leg < 0:
            return
        self._read(port, _MAX_READS)
        self._dropped[port.leg] += dropped(port.opened) - port.dropped_before
        self._rounds[port.rtcp].remove(port)
        port.leg = -1

    def pull_out(self, port: PortSocket) -> None:
        """Sweep the port no more: somebody else reads it, and tells of each datagram with `note`."""
        self._read(port, _MAX_READS)
        self._rounds[port.rtcp].remove(port)

    def put_back(self, port: PortSocket) -> None:
        """Sweep it again."""
        if port.leg >= 0 and port.place < 0:
            self._rounds[port.rtcp].add(port)

    def note(self, port: PortSocket, data: bytes, arrival_ns: int, address: tuple[str, int]) -> None:
        """A datagram of a port that was pulled out."""
        if self._arena.full:
            self.analyse()
        self._arena.append(port.leg << 1 | port.rtcp, data, arrival_ns, sender_key(address) if self._peers else b"")

    def compare(self, leg: int, pattern: int, payload_bytes: int) -> None:
        """Count as `matched` what has that many bytes of payload, all of them `pattern`."""
        self._comparing = True
        self.pattern[leg], self.pattern_bytes[leg] = pattern, payload_bytes

    def poll(self, port: PortSocket) -> None:
        """Read now what has arrived, whenever the port's turn is."""
        self._read(port, _MAX_READS)

    def expect(self, shared_leg: int, sender: bytes, leg: int) -> bool:
        """What comes to a shared port from that sender (`sender_key`) counts for `leg`. False if it is ambiguous."""
        known = self._peers.setdefault((shared_leg, sender), leg)
        if known != leg:
            self._peers[(shared_leg, sender)] = -1
        return known == leg

    def forget(self, shared_leg: int, sender: bytes, leg: int) -> None:
        """Undo `expect`."""
        if self._peers.get((shared_leg, sender)) == leg:
            del self._peers[(shared_leg, sender)]

    def finish(self, leg: int, record: CallMedia) -> None:
        """Write what the leg counted into `record` and free the leg. Its ports must be detached."""
        if self._arena.filled:
            self.analyse()
        record.received_packets = int(self.packets[leg])
        record.received_bytes = int(self.bytes[leg])
        record.rtcp_packets = int(self.rtcp[leg])
        record.other_datagrams = int(self.other[leg])
        record.first_s = int(self.first_ns[leg]) / 1e9
        record.last_s = int(self.last_ns[leg]) / 1e9
        record.dropped = self._dropped.pop(leg)
        bits = int(self.high_types[leg]) << 64 | int(self.low_types[leg])
        record.payload_types = tuple(number for number in range(128) if bits >> number & 1)
        streams = self._rows_of.pop(leg)
        weighted, timed = 0.0, 0
        codec = self._codec(record.payload_types, int(self.clocks[leg]))
        scored, scores = 0, 0.0
        for ssrc, row in streams:
            found = self._quality.result(row)
            record.duplicates += found.duplicates
            record.reordered += found.reordered
            # Wireshark lets duplicates fill the gaps of lost packets; here each counts for itself.
            record.lost += max(0, found.lost + found.duplicates)
            record.max_jitter_ms = max(record.max_jitter_ms, found.max_jitter_ms)
            if found.max_jitter_ms > 0:
                timed += found.packets
                weighted += found.mean_jitter_ms * found.packets
            score = mos(codec, found.missing / max(found.packets + found.missing, 1), found.burst) if codec else None
            if score is not None:
                scored += found.packets
                scores += score * found.packets
            self._streams.pop(leg << 32 | ssrc, None)
            self._free_rows.append(row)
        if streams:
            self._quality.reset([row for _, row in streams])
            record.mos = scores / scored if scored else 0.0
            record.jitter_measured = timed > 0
            record.mean_jitter_ms = weighted / max(timed, 1)
        record.ssrcs = tuple(dict.fromkeys(ssrc for ssrc, _ in streams))
        self._free.append(leg)

    def _codec(self, payload_types: tuple[int, ...], clocks: int) -> str:
        """The name of the one audio codec among them; "" if there is another than comfort noise and events with it."""
        audio = [n for n in payload_types if n not in COMFORT_NOISE and (n in STATIC or self._tables[clocks, n])]
        return STATIC[audio[0]][0] if len(audio) == 1 and audio[0] in STATIC else ""

    def heard(self, leg: int) -> list[Heard]:
        """What the streams of a leg have brought so far, for reports."""
        if self._arena.filled:
            self.analyse()
        out = []
        for ssrc, row in self._rows_of.get(leg, ()):
            found = self._quality.result(row)
            highest, jitter_ms = self._quality.reported(row)
            jitter = round(jitter_ms * self._clock_of(leg) / 1000)
            out.append(Heard(ssrc, found.packets, found.lost, highest, jitter))
        return out

    def _clock_of(self, leg: int) -> int:
        """Of what the leg received, the least: events share the clock of their audio."""
        bits = int(self.high_types[leg]) << 64 | int(self.low_types[leg])
        rates = [int(self._tables[self.clocks[leg], n]) for n in range(128) if bits >> n & 1]
        return min((rate for rate in rates if rate), default=0)

    def clock(self, leg: int, payload_type: int) -> int:
        """Hz; 0: not known."""
        return int(self._tables[self.clocks[leg], payload_type & 0x7F])

    def live(self) -> tuple[int, int]:
        """(packets, bytes) of RTP that the open legs have received, as of the last analysis."""
        legs = list(self._rows_of)
        return int(self.packets[legs].sum()), int(self.bytes[legs].sum())

    def sweep(self, now_us: int) -> int:
        """Look at as many sockets as their turn has come for; returns when it wants to be called again."""
        next_us = now_us + SWEEP_US
        for turn in self._rounds:
            count = len(turn.ports)
            waited = now_us - turn.since_us
            if count and waited >= turn.slice_us():
                turn.since_us = now_us
                self._look(turn, min(count, -(-count * waited // turn.interval_us)))
            if count:
                next_us = min(next_us, turn.since_us + turn.slice_us())
        arena = self._arena
        if not arena.filled:
            self._arena_since_us = now_us
        elif arena.filled >= ANALYSE_ROWS or now_us - self._arena_since_us >= SWEEP_US:
            self.analyse()
            self._arena_since_us = now_us
        return next_us

    def _look(self, turn: Round, count: int) -> None:
        ports = turn.ports
        for _ in range(count):
            if turn.at >= len(ports):
                turn.at = 0
            port = ports[turn.at]
            turn.at += 1
            if port.rest:
                port.rest -= 1
            elif not self._read(port, _MAX_READS):
                port.rest = REST

    def _read(self, port: PortSocket, reads: int) -> int:
        """Read what waits; returns how many datagrams the first read found."""
        arena, descriptor, tag = self._arena, port.descriptor, port.leg << 1 | port.rtcp
        first = -1
        for _ in range(reads):
            if arena.full:
                self.analyse()
            found = arena.receive(descriptor, tag)
            if first < 0:
                first = found
            if self._record is not None and found:
                self._record.received(port.opened, arena.last(found))
            if found < BATCH:
                break
        return first

    def analyse(self) -> None:
        """Count and measure all that was read."""
        arena = self._arena
        if not arena.filled:
            return
        got = arena.columns()
        leg = got.tag >> 1
        if self._peers:
            leg = self._by_sender(leg, got.name)
        second = got.head[:, 1]
        version_two = got.head[:, 0] >> 6 == 2
        control = (second >= 192) & (second <= 223)
        fresh = got.arrival_ns >= self.since_ns[leg]
        self.strays += len(leg) - int(fresh.sum())
        is_rtcp = fresh & version_two & control & (got.length >= 8)
        is_rtp = fresh & version_two & ~control & (got.length >= 12) & (got.tag & 1 == 0)
        if is_rtcp.any():
            np.add.at(self.rtcp, leg[is_rtcp], 1)
            if self.reports:
                for place in np.flatnonzero(is_rtcp).tolist():
                    reporting = self.reports.get(int(leg[place]))
                    if reporting is not None:
                        data = got.head[place, : int(got.length[place])].tobytes()
                        reporting.heard(data, int(got.arrival_ns[place]))
        neither = fresh & ~is_rtcp & ~is_rtp
        if neither.any():
            np.add.at(self.other, leg[neither], 1)
        at = np.flatnonzero(is_rtp)
        if len(at):
            if self._comparing:
                self._match(leg[at], got.head[at], got.length[at])
            half, word = got.head.view(">u2"), got.head.view(">u4")
            self._measure(
                leg[at],
                word[at, 2].astype(np.int64),
                half[at, 1].astype(np.int64),
                word[at, 1].astype(np.int64),
                got.arrival_ns[at],
                second[at],
                got.length[at],
            )
        arena.reset()

    def _match(self, leg: NDArray[np.int64], head: NDArray[np.uint8], length: NDArray[np.int64]) -> None:
        """Compare what came with the pattern that its leg sends, as far as the kept bytes reach."""
        at = np.flatnonzero(self.pattern[leg])
        leg, length = leg[at], length[at]
        same = head[at, HEADER_BYTES:] == self.pattern[leg][:, None]
        same |= np.arange(HEADER_BYTES, HEAD) >= length[:, None]
        matched = same.all(axis=1) & (length == self.pattern_bytes[leg] + HEADER_BYTES)
        np.add.at(self.matched, leg[matched], 1)

    def _measure(
        self,
        leg: NDArray[np.int64],
        ssrc: NDArray[np.int64],
        sequence: NDArray[np.int64],
        timestamp: NDArray[np.int64],
        arrival_ns: NDArray[np.int64],
        second: NDArray[np.uint8],
        length: NDArray[np.int64],
    ) -> None:
        """RTP packets, into their legs and streams."""
        key = leg << 32 | ssrc
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(key[1:] != key[:-1]) + 1))
        lengths = np.append(starts[1:], len(key)) - starts
        found = [self._row(one) for one in key[starts].tolist()]
        row = np.repeat(np.array(found, np.int64), lengths)
        order = np.argsort(row, kind="stable")
        order = order[int(np.searchsorted(row[order], 0)) :]
        if len(order) < len(row):
            np.add.at(self.other, leg[row < 0], 1)
        row, leg, sequence, timestamp = row[order], leg[order], sequence[order], timestamp[order]
        arrival_ns, second, length = arrival_ns[order], second[order], length[order]
        if not len(row):
            return
        self._restarted(row, sequence, ssrc[order], leg)
        self._last_sequence[row] = sequence
        payload_type = (second & 0x7F).astype(np.int64)
        clock_rate = self._tables[self.clocks[leg], payload_type]
        self._quality.update(row, sequence, timestamp, arrival_ns, second >= 128, payload_type, clock_rate)
        np.add.at(self.packets, leg, 1)
        np.add.at(self.bytes, leg, length)
        fresh = self.first_ns[leg] == 0
        if fresh.any():
            self.first_ns[leg[fresh]] = np.iinfo(np.int64).max
            np.minimum.at(self.first_ns, leg[fresh], arrival_ns[fresh])
        np.maximum.at(self.last_ns, leg, arrival_ns)
        bit = np.uint64(1) << (payload_type & 63).astype(np.uint64)
        low = payload_type < 64
        np.bitwise_or.at(self.low_types, leg[low], bit[low])
        np.bitwise_or.at(self.high_types, leg[~low], bit[~low])

    def _restarted(
        self, row: NDArray[np.int64], sequence: NDArray[np.int64], ssrc: NDArray[np.int64], leg: NDArray[np.int64]
    ) -> None:
        """Give a stream whose sequence jumps a new row from the jump on. Changes `row` in place."""
        before = np.empty(len(row), np.int64)
        before[1:] = sequence[:-1]
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(row[1:] != row[:-1]) + 1))
        known = self._last_sequence[row[starts]]
        before[starts] = np.where(known >= 0, known, sequence[starts])
        step = ((sequence - before + 32768) & 0xFFFF) - 32768
        jumps = np.flatnonzero(np.abs(step) > MAX_DROPOUT)
        if not len(jumps):
            return
        ends = np.append(starts[1:], len(row))
        for jump in jumps.tolist():
            end = int(ends[np.searchsorted(starts, jump, side="right") - 1])
            fresh = self._new_row(int(leg[jump]), int(ssrc[jump]))
            if fresh >= 0:
                row[jump:end] = fresh

    def _row(self, key: int) -> int:
        row = self._streams.get(key)
        return self._new_row(key >> 32, key & 0xFFFFFFFF) if row is None else row

    def _new_row(self, leg: int, ssrc: int) -> int:
        """A row for a stream of the leg; -1 if it has too many."""
        rows = self._rows_of[leg]
        if len(rows) >= MAX_STREAMS:
            return -1
        if self._free_rows:
            row = self._free_rows.pop()
        else:
            row = self._quality.rows
            self._quality.grow(row + 1)
            if row >= len(self._last_sequence):
                more = np.zeros(max(256, len(self._last_sequence)), np.int64)
                self._last_sequence = np.concatenate((self._last_sequence, more))
        self._last_sequence[row] = -1
        self._streams[leg << 32 | ssrc] = row
        rows.append((ssrc, row))
        return row

    def _by_sender(self, leg: NDArray[np.int64], name: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Legs with those of shared ports replaced by the calls' that the senders belong to, where they are known."""
        at = np.flatnonzero(self.shared[leg])
        if not len(at):
            return leg
        leg = leg.copy()
        names = np.ascontiguousarray(name[at, :24])
        four = names[:, 0] == socket.AF_INET
        names[four, 8:] = 0
        unique, inverse = np.unique(names.view("V24").reshape(-1), return_inverse=True)
        keys = [bytes(one) for one in unique]
        for place, which in zip(at.tolist(), inverse.tolist(), strict=True):
            found = self._peers.get((int(leg[place]), keys[which]), -1)
            if found >= 0:
                leg[place] = found
        return leg

    def _grow(self) -> None:
        old = self._capacity
        self._capacity = max(256, 2 * old)
        for name, kind in self._COLUMNS:
            larger = np.zeros(self._capacity, kind)
            larger[:old] = getattr(self, name)
            setattr(self, name, larger)
        self._free.extend(range(self._capacity - 1, old - 1, -1))


def sender_key(address: tuple[str, int] | tuple[str, int, int, int]) -> bytes:
    """How a sender's address looks in a sockaddr, up to the IPv6 scope: 24 bytes."""
    port = struct.pack("!H", address[1])
    if ":" in address[0]:
        packed = socket.inet_pton(socket.AF_INET6, address[0])
        return struct.pack("=H", socket.AF_INET6) + port + bytes(4) + packed
    return (struct.pack("=H", socket.AF_INET) + port + socket.inet_pton(socket.AF_INET, address[0])).ljust(24, b"\0")
