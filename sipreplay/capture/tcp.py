"""TCP directions put back in order: what came twice is dropped, what came early waits, what is missing is skipped.

Owns one small state a direction, all bounded. Never frames messages and never looks into the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

FIN, SYN, RST = 1, 2, 4
MAX_DIRECTIONS = 50_000
MAX_WAITING_BYTES = 256 * 1024
"""Of early segments in one direction. Once they hold more, the missing bytes before them are given up."""
MAX_WAITING_SEGMENTS = 256
MAX_WAITING_TOTAL = 32 << 20

Direction = tuple[bytes, bytes, int]
"""Packed source and destination address; source port << 16 | destination port."""


class Piece(NamedTuple):
    """The next bytes of a direction."""

    payload: bytes
    missing: int
    """Bytes that are missing before them; 0 if they follow what was handed out before. -1: a new connection."""


@dataclass(slots=True)
class _State:
    expected: int
    """Next sequence number."""
    waiting: dict[int, bytes] = field(default_factory=dict)
    waiting_bytes: int = 0
    opened: bool = False
    """Whether the SYN was seen."""
    fresh: bool = True
    """Whether nothing was handed out yet."""
    ignored: bool = False
    offered: int = 0
    """Segments handed out while nobody wanted them."""


class TcpDirections:
    """All TCP directions of a capture."""

    def __init__(self) -> None:
        self._states: dict[Direction, _State] = {}
        self._waiting_total = 0
        self.retransmitted = 0
        """Segments that held nothing new."""
        self.missing = 0
        """Bytes that were given up."""

    def segment(self, direction: Direction, sequence: int, flags: int, payload: bytes) -> list[Piece]:
        """Take one segment; returns what can be handed on, in order."""
        state = self._states.get(direction)
        if flags & SYN:
            sequence = (sequence + 1) & 0xFFFFFFFF
            if state is None or not (state.opened and state.fresh and state.expected == sequence):
                state = self._open(direction, _State(sequence, opened=True))
        elif state is None:
            if not payload:
                return []
            state = self._open(direction, _State(sequence))
        if flags & RST:
            self._forget(direction)
            return []
        if state.ignored or not payload:
            return []
        pieces: list[Piece] = []
        ahead = _signed(sequence - state.expected)
        if ahead > 0:
            self._wait(state, sequence, payload)
            if state.waiting_bytes > MAX_WAITING_BYTES or len(state.waiting) > MAX_WAITING_SEGMENTS:
                self._skip(state, pieces)
        elif ahead + len(payload) <= 0:
            self.retransmitted += 1
        else:
            self._deliver(state, payload[-ahead:] if ahead else payload, 0, pieces)
            self._drain(state, pieces)
        if self._waiting_total > MAX_WAITING_TOTAL:
            self._skip(state, pieces)
        return pieces

    def unwanted(self, direction: Direction) -> None:
        """The bytes just handed out were of no use. A direction whose beginning is of no use is left alone from now on;
        one that was joined in the middle gets some more chances."""
        state = self._states.get(direction)
        if state is None:
            return
        state.offered += 1
        if state.opened or state.offered > 64:
            self._empty(state)
            state.ignored = True

    def finish(self) -> list[tuple[Direction, list[Piece]]]:
        """At the end of the capture: what still waits behind missing bytes."""
        out = []
        for direction, state in self._states.items():
            pieces: list[Piece] = []
            while state.waiting:
                self._skip(state, pieces)
            if pieces:
                out.append((direction, pieces))
        self._states.clear()
        return out

    def _open(self, direction: Direction, state: _State) -> _State:
        self._forget(direction)
        while len(self._states) >= MAX_DIRECTIONS:
            self._forget(next(iter(self._states)))
        self._states[direction] = state
        return state

    def _forget(self, direction: Direction) -> None:
        state = self._states.pop(direction, None)
        if state is not None:
            self._empty(state)

    def _empty(self, state: _State) -> None:
        self._waiting_total -= state.waiting_bytes
        state.waiting.clear()
        state.waiting_bytes = 0

    def _wait(self, state: _State, sequence: int, payload: bytes) -> None:
        """Keep an early segment; of two that start alike, the longer."""
        held = state.waiting.get(sequence)
        if held is not None and len(held) >= len(payload):
            self.retransmitted += 1
            return
        more = len(payload) - (len(held) if held else 0)
        state.waiting[sequence] = payload
        state.waiting_bytes += more
        self._waiting_total += more

    def _take(self, state: _State, sequence: int) -> bytes:
        payload = state.waiting.pop(sequence)
        state.waiting_bytes -= len(payload)
        self._waiting_total -= len(payload)
        return payload

    def _deliver(self, state: _State, payload: bytes, missing: int, pieces: list[Piece]) -> None:
        if state.fresh and state.opened and not missing:
            missing = -1
        state.fresh = False
        state.expected = (state.expected + len(payload)) & 0xFFFFFFFF
        pieces.append(Piece(payload, missing))

    def _drain(self, state: _State, pieces: list[Piece]) -> None:
        """Hand on what waited for the bytes that have come."""
        while state.waiting:
            sequence = min(state.waiting, key=lambda number: _signed(number - state.expected))
            ahead = _signed(sequence - state.expected)
            if ahead > 0:
                return
            payload = self._take(state, sequence)
            if ahead + len(payload) > 0:
                self._deliver(state, payload[-ahead:] if ahead else payload, 0, pieces)
            else:
                self.retransmitted += 1

    def _skip(self, state: _State, pieces: list[Piece]) -> None:
        """Give up the bytes before the first waiting segment."""
        if not state.waiting:
            return
        sequence = min(state.waiting, key=lambda number: _signed(number - state.expected))
        missing = _signed(sequence - state.expected)
        self.missing += missing
        payload = self._take(state, sequence)
        state.expected = sequence
        self._deliver(state, payload, max(missing, 1), pieces)
        self._drain(state, pieces)


def _signed(difference: int) -> int:
    """A difference of sequence numbers, modulo 2^32, as the nearer of both directions (RFC 9293 section 3.4)."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
