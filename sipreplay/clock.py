"""Time and randomness, as they are handed to the rest.

Sans-IO rooms never read the clock: they are given `now`, seconds on one monotonic axis. Only process loops use
`SystemClock`.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a loop gets its time."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
