"""Fragments of IP datagrams, put together in whatever order they come.

Owns those that wait for the rest, in bounded number, bytes and time, and counts what came of them. Where IPv4 fragments
overlap the bytes that came first stand (as in Wireshark); an IPv6 datagram with overlapping fragments is dropped whole
(RFC 5722 section 4). A fragment that comes twice, byte for byte, is no overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MAX_DATAGRAMS = 4096
"""Unfinished datagrams that are kept; the oldest goes first."""
MAX_WAITING_BYTES = 16 << 20
"""That all unfinished datagrams may hold; the oldest goes first."""
MAX_FRAGMENTS = 512
"""Of one datagram."""
TIMEOUT_NS = 30 * 1_000_000_000
"""RFC 8200 section 4.5 gives a datagram 60 s, RFC 1122 at most 120 s; captures that miss one are far commoner."""
COPY_WINDOW_NS = 1_000_000_000
"""A fragment of a datagram that was finished so recently is a copy, as a mirror port makes them."""
_REMEMBERED = 1024
_MAX_DATAGRAM = 65535

Key = tuple[bytes, bytes, int, int]
"""Source, destination, protocol, identification."""


class Fragment(NamedTuple):
    """One fragment."""

    key: Key
    version: int
    offset: int
    data: bytes
    size: int
    """Bytes it had on the wire: more than `data` where the capture cut it."""
    more: bool
    """Whether others follow it."""


class Whole(NamedTuple):
    """What fragments made together."""

    payload: bytes
    cut: bool
    """The capture does not hold all of it: the payload ends where the first byte is missing."""


class _Parts:
    """The fragments of one datagram."""

    __slots__ = ("began_ns", "fragments", "held", "number", "size", "total")

    def __init__(self, now_ns: int, number: int) -> None:
        self.began_ns = now_ns
        self.number = number
        self.fragments: list[Fragment] = []
        """In order of arrival."""
        self.total = -1
        self.size = 0
        """Bytes on the wire of all fragments, overlaps counted twice."""
        self.held = 0
        """Bytes kept."""

    def whole(self) -> Whole | None:
        """The payload, once no byte was missing on the wire."""
        if self.total < 0 or self.size < self.total or _reach((f.offset, f.size) for f in self.fragments) < self.total:
            return None
        out = bytearray(self.total)
        for fragment in reversed(self.fragments):
            out[fragment.offset : fragment.offset + len(fragment.data)] = fragment.data
        known = min(self.total, _reach((f.offset, len(f.data)) for f in self.fragments))
        return Whole(bytes(out[:known]), known < self.total)


def _reach(pieces: Iterable[tuple[int, int]]) -> int:
    """Up to where pieces (offset, size) leave nothing out."""
    covered = 0
    for offset, size in sorted(pieces):
        if offset > covered:
            break
        covered = max(covered, offset + size)
    return covered


class Fragments:
    """All unfinished datagrams of a capture."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Parts] = {}
        self._done: dict[Key, int] = {}
        """Datagrams that were finished, or dropped, lately."""
        self.held = 0
        """Bytes that all unfinished datagrams hold."""
        self.finished = 0
        """Datagrams that were put together."""
        self.abandoned = 0
        """Datagrams of which a fragment never came, or too late."""
        self.first_abandoned = 0
        """Number of the packet that began the first of them."""
        self.overlapping = 0
        """Fragments that overlap others."""
        self.first_overlapping = 0
        self.copies = 0
        """Fragments that came again."""
        self.damaged = 0
        """Fragments that no datagram can hold."""

    def add(self, fragment: Fragment, now_ns: int, number: int = 0) -> Whole | None:
        """Take a fragment (of packet `number`); returns the datagram that it completes."""
        key = fragment.key
        waiting = self._waiting.get(key)
        if waiting is not None and abs(now_ns - waiting.began_ns) > TIMEOUT_NS:
            self._abandon(key)
            waiting = None
        if waiting is None:
            done = self._done.get(key)
            if done is not None and abs(now_ns - done) < COPY_WINDOW_NS:
                self.copies += 1
                return None
            while len(self._waiting) >= MAX_DATAGRAMS or self.held > MAX_WAITING_BYTES:
                self._abandon(next(iter(self._waiting)))
            waiting = self._waiting[key] = _Parts(now_ns, number)
        end = fragment.offset + fragment.size
        if end > _MAX_DATAGRAM or len(waiting.fragments) >= MAX_FRAGMENTS:
            self.damaged += 1
            return None
        if fragment in waiting.fragments:
            self.copies += 1
            return None
        overlap = any(f.offset < end and fragment.offset < f.offset + f.size for f in waiting.fragments)
        if overlap and self._overlaps(key, fragment.version, now_ns, number):
            return None
        waiting.fragments.append(fragment)
        waiting.size += fragment.size
        waiting.held += len(fragment.data)
        self.held += len(fragment.data)
        if not fragment.more:
            waiting.total = end
        whole = waiting.whole()
        if whole is not None:
            self.finished += 1
            self._forget(key, now_ns)
        return whole

    def finish(self) -> None:
        """At the end of the capture: what still waits is given up."""
        for key in list(self._waiting):
            self._abandon(key)

    def _overlaps(self, key: Key, version: int, now_ns: int, number: int) -> bool:
        """Whether that is the end of the datagram."""
        self.overlapping += 1
        self.first_overlapping = self.first_overlapping or number
        if version == 6:
            self._forget(key, now_ns)
        return version == 6

    def _forget(self, key: Key, now_ns: int) -> None:
        self.held -= self._waiting.pop(key).held
        while len(self._done) >= _REMEMBERED:
            del self._done[next(iter(self._done))]
        self._done[key] = now_ns

    def _abandon(self, key: Key) -> None:
        parts = self._waiting.pop(key)
        self.held -= parts.held
        self.abandoned += 1
        self.first_abandoned = self.first_abandoned or parts.number
