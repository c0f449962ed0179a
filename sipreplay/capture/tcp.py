"""TCP directions put back in order: what came twice is dropped, what came early waits, what is missing is skipped.

Owns one small state a direction, all bounded. Of bytes that come twice with different content the first count. Never
frames messages and never looks into the bytes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import NamedTuple

FIN, SYN, RST = 1, 2, 4
MAX_DIRECTIONS = 50_000
MAX_WAITING_BYTES = 256 * 1024
"""Of early segments in one direction. Once they hold more, the missing bytes before them are given up."""
MAX_WAITING_SEGMENTS = 256
MAX_WAITING_TOTAL = 32 << 20
"""Of early segments in all directions together."""
MAX_WINDOW = 16 << 20
"""A segment that is further from the expected one than this does not wait: reading goes on there (RFC 7323 allows
windows of up to 1 GB, but none so large is in flight on a signalling connection)."""
_CHANCES = 64
_REMEMBERED = 4096

Direction = tuple[bytes, bytes, int]
"""Packed source and destination address; source port << 16 | destination port."""


class Piece(NamedTuple):
    """The next bytes of a direction."""

    payload: bytes
    missing: int
    """Bytes that are missing before them; 0 if they follow what was handed out before."""
    begins: bool
    """Whether they are the first of a connection whose SYN was seen (some may be missing before them all the same)."""


@dataclass(slots=True)
class _State:
    first: int
    """Sequence number of the first byte."""
    opened: bool = False
    """Whether the SYN was seen."""
    at: int = 0
    """Position of the next byte, counted from the first."""
    starts: list[int] = field(default_factory=list)
    """Positions of early segments, sorted; they do not overlap."""
    waiting: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """Early segments by position, each with the bytes after it that the capture cut off."""
    waiting_bytes: int = 0
    lost: int = 0
    """Bytes before the next one that are known to be lost."""
    recent: bytes = b""
    """The last bytes handed out."""
    fresh: bool = True
    """Whether nothing was handed out yet."""
    ends: int | None = None
    """Position of FIN, once it was seen."""
    ignored: bool = False
    offered: int = 0
    """Times that what was handed out was of no use."""


class TcpDirections:
    """All TCP directions of a capture."""

    def __init__(self) -> None:
        self._states: dict[Direction, _State] = {}
        self._waiting_total = 0
        self.ignored: set[bytes] = set()
        """Directions that nobody wants: addresses and ports as they follow each other in a packet."""
        self.retransmitted = 0
        """Segments that held nothing new."""
        self.conflicting = 0
        """Segments that held other bytes than those that had come before for the same place."""
        self.missing = 0
        """Bytes that were given up."""
        self.forgotten = 0
        """Directions that were dropped because there were too many at a time."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes of early segments that are held now, all directions together."""
        return self._waiting_total

    def ignores(self, direction: Direction, flags: int) -> bool:
        """Whether a segment can be passed over without its bytes being copied: nobody wants this direction."""
        state = self._states.get(direction)
        return state is not None and state.ignored and not flags & (SYN | RST)

    def segment(self, direction: Direction, sequence: int, flags: int, payload: bytes, cut: int = 0) -> list[Piece]:
        """Take one segment; returns what can be handed on, in order. `cut`: bytes at its end that the capture lacks."""
        pieces: list[Piece] = []
        state = self._states.get(direction)
        if flags & SYN:
            sequence = (sequence + 1) & 0xFFFFFFFF
            # The same SYN again is a retransmission or a copy, unless the connection it opened was closed.
            if state is not None and not state.opened and state.first == sequence:
                state.opened = True  # its first bytes were captured before it
            elif state is None or state.first != sequence or (state.ends is not None and not state.fresh):
                state = self._open(direction, _State(sequence, True), pieces)
        elif state is None or (state.ends is not None and state.at + self._ahead(state, sequence) > state.ends):
            if not payload or flags & RST:
                return pieces
            state = self._open(direction, _State(sequence), pieces)
        if flags & RST:
            self._forget(direction, pieces)
            return pieces
        if flags & FIN:
            state.ends = state.at + self._ahead(state, sequence) + len(payload) + cut
        if state.ignored or not (payload or cut):
            return pieces
        self._take_in(state, self._ahead(state, sequence), payload, cut, pieces)
        return pieces

    def unwanted(self, direction: Direction, for_good: bool = False) -> None:
        """The bytes just handed out were of no use. A direction whose beginning is of no use is left alone from now on;
        one that was joined in the middle gets some more chances, unless this is `for_good`."""
        state = self._states.get(direction)
        if state is None:
            return
        state.offered += 1
        if for_good or state.opened or state.offered > _CHANCES:
            self._empty(state)
            state.recent = b""
            state.ignored = True
            self.ignored.add(_raw(direction))

    def finish(self) -> list[tuple[Direction, list[Piece]]]:
        """At the end of the capture: what still waits behind missing bytes."""
        out = []
        for direction, state in self._states.items():
            pieces: list[Piece] = []
            self._flush(state, pieces)
            if pieces:
                out.append((direction, pieces))
        self._states.clear()
        return out

    def _ahead(self, state: _State, sequence: int) -> int:
        """How far a sequence number lies after the expected one."""
        return _signed(sequence - state.first - state.at)

    def _take_in(self, state: _State, ahead: int, payload: bytes, cut: int, pieces: list[Piece]) -> None:
        if not -MAX_WINDOW < ahead < MAX_WINDOW:
            self._flush(state, pieces)
            self._jump(state, ahead if ahead > 0 else 1, ahead)
            ahead = 0
        if ahead > 0:
            self._wait(state, state.at + ahead, payload, cut)
            if state.waiting_bytes > MAX_WAITING_BYTES or len(state.waiting) > MAX_WAITING_SEGMENTS:
                self._skip(state, pieces)
        elif ahead + len(payload) + cut <= 0:
            self.retransmitted += 1
            self._compare(state, ahead, payload)
        else:
            if ahead:
                self._compare(state, ahead, payload)
            payload, cut = payload[-ahead:], cut + min(0, ahead + len(payload))
            if state.starts and state.starts[0] < state.at + len(payload):
                self._wait(state, state.at, payload, cut)  # what waits came before it
            else:
                self._deliver(state, payload, cut, pieces)
            self._drain(state, pieces)
        if self._waiting_total > MAX_WAITING_TOTAL:
            self._flush(state, pieces)

    def _open(self, direction: Direction, state: _State, pieces: list[Piece]) -> _State:
        self._forget(direction, pieces)
        while len(self._states) >= MAX_DIRECTIONS:
            self._forget(next(iter(self._states)), [])
            self.forgotten += 1
        self._states[direction] = state
        return state

    def _forget(self, direction: Direction, pieces: list[Piece]) -> None:
        """Drop a state; what waited in it goes to `pieces`."""
        state = self._states.pop(direction, None)
        if state is not None:
            if state.ignored:
                self.ignored.discard(_raw(direction))
            self._flush(state, pieces)

    def _empty(self, state: _State) -> None:
        self._waiting_total -= state.waiting_bytes
        state.waiting.clear()
        state.starts.clear()
        state.waiting_bytes = 0

    def _compare(self, state: _State, ahead: int, payload: bytes) -> None:
        """Count a segment that says something else than what was handed out. One byte is a keep-alive, whose content
        means nothing (RFC 9293 section 3.8.4)."""
        again = payload[: -ahead or None]
        have = state.recent
        # `again` starts -ahead bytes before the expected one, `have` ends right before it.
        skip = max(0, -ahead - len(have))
        again = again[skip:]
        start = len(have) + ahead + skip
        if len(payload) > 1 and again and again != have[start : start + len(again)]:
            self.conflicting += 1

    def _wait(self, state: _State, start: int, payload: bytes, cut: int) -> None:
        """Keep an early segment, as far as its bytes do not wait already."""
        stop = start + len(payload)
        origin = start
        starts = state.starts
        index = bisect_left(starts, start + 1) - 1
        new = differs = False
        # The segment that starts at or before this one first, then those that start within it.
        while start < stop:
            if index >= 0 and index < len(starts):
                held_at = starts[index]
                held = state.waiting[held_at][0]
                end = min(held_at + len(held), stop)
                if held_at <= start < end:
                    differs |= held[start - held_at : end - held_at] != payload[start - origin : end - origin]
                    start = end
            index += 1
            until = min(starts[index], stop) if index < len(starts) else stop
            if start < until:
                part = payload[start - origin : until - origin]
                insort(starts, start)
                index += 1
                state.waiting[start] = (part, cut if until == stop else 0)
                state.waiting_bytes += len(part)
                self._waiting_total += len(part)
                new = True
                start = until
        self.conflicting += differs
        self.retransmitted += not new

    def _take_first(self, state: _State) -> tuple[int, bytes, int]:
        """Remove the first early segment: position, bytes, bytes cut off after it."""
        start = state.starts.pop(0)
        payload, cut = state.waiting.pop(start)
        state.waiting_bytes -= len(payload)
        self._waiting_total -= len(payload)
        return start, payload, cut

    def _deliver(self, state: _State, payload: bytes, cut: int, pieces: list[Piece]) -> None:
        if payload:
            pieces.append(Piece(payload, state.lost, state.fresh and state.opened))
            state.fresh = False
            state.lost = 0
            state.recent = payload[-_REMEMBERED:]
        state.at += len(payload) + cut
        if cut:
            state.lost += cut
            state.recent = b""
            self.missing += cut

    def _drain(self, state: _State, pieces: list[Piece]) -> None:
        """Hand on what waited for the bytes that have come."""
        while state.starts and state.starts[0] <= state.at:
            start, payload, cut = self._take_first(state)
            done = state.at - start
            if done < len(payload) + cut:
                self._deliver(state, payload[done:], cut + min(0, len(payload) - done), pieces)
            else:
                self.retransmitted += 1

    def _skip(self, state: _State, pieces: list[Piece]) -> None:
        """Give up the bytes before the first waiting segment."""
        if state.starts:
            missing = state.starts[0] - state.at
            self._jump(state, missing, missing)
            self._drain(state, pieces)

    def _flush(self, state: _State, pieces: list[Piece]) -> None:
        """Hand on all that waits, whatever is missing between."""
        while state.starts:
            self._skip(state, pieces)

    def _jump(self, state: _State, missing: int, by: int) -> None:
        """Go on `by` bytes further; `missing` are lost."""
        state.at += by
        state.lost += missing
        state.recent = b""
        self.missing += missing


def _raw(direction: Direction) -> bytes:
    source, destination, ports = direction
    return source + destination + ports.to_bytes(4, "big")


def _signed(difference: int) -> int:
    """A difference of sequence numbers, modulo 2^32, as the nearer of both directions (RFC 9293 section 3.4)."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
