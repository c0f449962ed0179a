"""Columns of what is played, and the prepared packets of a window. Data only; `sender` works on them.

A shelf holds the packets of all flows of one width; a lane is a set of streams on one shelf that are planned
together, 40 ms at a time; a batch is one such plan: rows of stamped packets in the order in which they are due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.media.sources import Flow

FLOW_SPAN_US = 1 << 40
"""Room of one flow on the shelf's one ascending axis of keys: 12 days."""
_VIEW_LENGTHS = 8

Address = tuple[str, int] | tuple[str, int, int, int]
Send = Callable[[memoryview, Any], int]


class Shelf:
    """All packets of one width, flow after flow, so that one search finds what is due for any number of streams."""

    __slots__ = (
        "flows",
        "key",
        "lanes",
        "length",
        "offset_us",
        "rewritable",
        "sequence",
        "ssrc",
        "template",
        "ticks",
        "width",
    )

    def __init__(self, width: int) -> None:
        self.width = width
        self.flows = 0
        self.lanes: list[Lane] = []
        self.template: NDArray[np.uint8] = np.zeros((0, width), np.uint8)
        self.key: NDArray[np.int64] = np.zeros(0, np.int64)
        """offset_us + number of the flow * FLOW_SPAN_US."""
        self.offset_us: NDArray[np.int64] = np.zeros(0, np.int64)
        self.length: NDArray[np.int64] = np.zeros(0, np.int64)
        self.rewritable: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.sequence: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self.ticks: NDArray[np.uint32] = np.zeros(0, np.uint32)
        """RTP timestamp."""
        self.ssrc: NDArray[np.uint32] = np.zeros(0, np.uint32)

    def add(self, flow: Flow, number: int) -> None:
        """Put a flow on the shelf; its `shelf` and `first` say where it is."""
        flow.shelf, flow.first = number, len(self.key)
        self.key = np.concatenate((self.key, flow.offset_us + self.flows * FLOW_SPAN_US))
        self.offset_us = np.concatenate((self.offset_us, flow.offset_us))
        self.template = np.concatenate((self.template, flow.template))
        self.length = np.concatenate((self.length, flow.length))
        self.rewritable = np.concatenate((self.rewritable, flow.rewritable))
        half, word = flow.template.view(">u2"), flow.template.view(">u4")
        self.sequence = np.concatenate((self.sequence, half[:, 1].astype(np.uint32)))
        self.ticks = np.concatenate((self.ticks, word[:, 1].astype(np.uint32)))
        self.ssrc = np.concatenate((self.ssrc, word[:, 2].astype(np.uint32)))
        self.flows += 1
        flow.template = flow.template[:0]


class Staging:
    """Rows that packets are stamped in and sent from."""

    __slots__ = ("_by_length", "capacity", "memory", "rows", "width")

    def __init__(self, capacity: int, width: int) -> None:
        self.capacity = capacity
        self.width = width
        self.rows: NDArray[np.uint8] = np.zeros((capacity, width), np.uint8)
        self.memory = memoryview(self.rows.reshape(-1).data)
        self._by_length: dict[int, list[memoryview]] = {}

    def views(self, lengths: NDArray[np.int64]) -> list[memoryview]:
        """One view a packet, of its length, on the first rows. Views of common lengths are made once."""
        count = len(lengths)
        distinct = np.unique(lengths)
        if len(distinct) == 1:
            return self._column(int(distinct[0]))[:count]
        if len(distinct) <= _VIEW_LENGTHS:
            columns = {length: self._column(length) for length in distinct.tolist()}
            return [columns[length][row] for row, length in enumerate(lengths.tolist())]
        memory = self.memory
        return [
            memory[start : start + length]
            for start, length in zip(range(0, count * self.width, self.width), lengths.tolist(), strict=True)
        ]

    def _column(self, length: int) -> list[memoryview]:
        column = self._by_length.get(length)
        if column is None:
            if len(self._by_length) >= _VIEW_LENGTHS:
                self._by_length.clear()
            memory = self.memory
            stop = self.capacity * self.width
            column = [memory[start : start + length] for start in range(0, stop, self.width)]
            self._by_length[length] = column
        return column


@dataclass(slots=True)
class Batch:
    """Packets of one lane's window, in the order in which they are due. Lists, because a plain loop sends them."""

    sends: list[Send]
    views: list[memoryview]
    addresses: list[Address]
    streams: NDArray[np.int64]
    """Stream of each packet; -1 once it was withdrawn or refused."""
    due_us: NDArray[np.int64]
    length: NDArray[np.int64]
    sent: list[tuple[int, int]] = field(default_factory=list)
    """(packets, time in us) of each chunk that left since the last count."""
    done: int = 0
    """Packets before this were sent."""
    counted: int = 0
    """Packets before this are in the streams' counters."""


@dataclass(slots=True)
class Lane:
    """Streams of one shelf that are planned together."""

    shelf: Shelf
    phase: int
    """Its windows begin at ticks that leave this remainder."""
    members: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    joining: list[int] = field(default_factory=list)
    """Started in this tick, not planned yet."""
    planned_until: int = 0
    """Every packet of a tick before this one is in a slot."""
    active: bool = False
    """Whether its next plan is in the sender's calendar."""
    staging: list[Staging] = field(default_factory=list)
    turn: int = 0
    planned: tuple[NDArray[np.int64], list[Send], list[Address]] | None = None
    """Streams of the last plan, with the lists made for it."""
    batches: list[Batch] = field(default_factory=list)
    """Not all counted yet."""

    def rows(self, count: int) -> Staging:
        """The staging of the next window: two in turn, since one window is planned while the other is being sent."""
        self.turn ^= 1
        while len(self.staging) < 2:
            self.staging.append(Staging(0, self.shelf.width))
        if self.staging[self.turn].capacity < count:
            self.staging[self.turn] = Staging(max(64, count + count // 4), self.shelf.width)
        return self.staging[self.turn]
