"""A clock that stands still until it is told to go on: what takes a minute takes no time."""

from __future__ import annotations


class VirtualClock:
    """Implements `sipreplay.clock.Clock`.

    `start` is any positive number of seconds; `epoch` is the wall time at that moment.
    """

    def __init__(self, start: float = 1000.0, epoch: float = 1_767_225_600.0) -> None:
        self._now = start
        self._offset = epoch - start

    def now(self) -> float:
        """Monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._now + self._offset

    def jump(self, when: float) -> None:
        """Go to a moment; never back."""
        self._now = max(self._now, when)

    def advance(self, seconds: float) -> None:
        """Go on by that much."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        self._now += seconds
