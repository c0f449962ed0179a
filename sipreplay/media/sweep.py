"""Bound ports, and the rounds in which they are looked at: which socket's turn it is, never what it holds."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

SLICE = 16
"""Sockets a slice of a sweep looks at: little enough to fit between two ticks of the sender."""


@dataclass(slots=True, eq=False)
class PortSocket:
    """One bound port."""

    opened: socket.socket
    number: int
    rtcp: bool
    leg: int = -1
    """Which leg its datagrams count for; -1: no call has the port, and it is not swept."""
    place: int = -1
    """In its sweep's list."""
    dropped_before: int = 0
    rest: int = 0
    """Turns to pass over."""
    descriptor: int = -1

    def __post_init__(self) -> None:
        self.descriptor = self.opened.fileno()


@dataclass(slots=True, eq=False)
class Round:
    """One sweep: sockets to look at, again and again."""

    interval_us: int
    ports: list[PortSocket] = field(default_factory=list)
    at: int = 0
    since_us: int = 0

    def add(self, port: PortSocket) -> None:
        port.place = len(self.ports)
        self.ports.append(port)

    def remove(self, port: PortSocket) -> None:
        if port.place < 0:
            return
        last = self.ports.pop()
        if last is not port:
            self.ports[port.place] = last
            last.place = port.place
        port.place = -1

    def slice_us(self) -> int:
        """Time between two slices, so that every socket's turn comes within the interval."""
        slices = -(-len(self.ports) // SLICE)
        return self.interval_us // slices if slices else self.interval_us
