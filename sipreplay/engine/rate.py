"""When calls are due: an open loop of calls a second, or a number of users. Knows nothing of what a call is.

Due times follow from the start of the run alone, never from how fast calls end, so that a slow generator or a slow peer
shows as lateness or as calls not started instead of a silently lower rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

NEVER: Final = math.inf


class Rate:
    """Due times of calls since the start or the last change of rate: the first is due 1/rate after it (SIPp's rule)."""

    __slots__ = ("_origin", "next_due", "opened", "rate_cps")

    def __init__(self, rate_cps: float, now: float) -> None:
        self.rate_cps = rate_cps
        self.opened = 0
        self._origin = now
        self.next_due = NEVER
        self._plan()

    def taken(self) -> None:
        """The call that was due is started, or will not be."""
        self.opened += 1
        self._plan()

    def change(self, rate_cps: float, now: float) -> None:
        """Another rate from now on; counting begins again."""
        self.rate_cps = rate_cps
        self.opened = 0
        self._origin = now
        self._plan()

    def _plan(self) -> None:
        self.next_due = self._origin + (self.opened + 1) / self.rate_cps if self.rate_cps > 0 else NEVER


class Schedule(Rate):
    """Due times that are given, such as the captured ones. A change of the rate does not change them."""

    __slots__ = ("_due",)

    def __init__(self, starts_s: Sequence[float], now: float) -> None:
        self._due = [now + start for start in starts_s]
        super().__init__(0.0, now)

    def change(self, rate_cps: float, now: float) -> None:
        """Nothing changes."""

    def _plan(self) -> None:
        self.next_due = self._due[self.opened] if self.opened < len(self._due) else NEVER


class Users:
    """User numbers from 1 that are not in a call. A call is due as long as there is one."""

    __slots__ = ("count", "free", "leaving", "numbers", "since")

    def __init__(self, count: int, now: float) -> None:
        self.count = count
        self.free = list(range(1, count + 1))
        """The last one is next: SIPp gives its users numbers from the highest down, and one that ended goes on."""
        self.since = now
        """When the next free user became free: what its call's lateness is measured from."""
        self.leaving = 0
        """How many of those in a call do not come back."""
        self.numbers = count
        """The highest number given so far."""

    def released(self, user: int, now: float) -> None:
        """A user's call has ended."""
        if self.leaving:
            self.leaving -= 1
            return
        if not self.free:
            self.since = now
        self.free.append(user)

    def change(self, count: int, now: float) -> None:
        """More users, or fewer: free ones leave first, others when their calls end."""
        more = count - self.count
        self.count = count
        if more < 0:
            gone = min(-more, len(self.free))
            del self.free[len(self.free) - gone :]
            self.leaving += -more - gone
            return
        staying = min(more, self.leaving)
        self.leaving -= staying
        if more > staying and not self.free:
            self.since = now
        first = self.numbers + 1
        self.numbers += more - staying
        self.free += range(first, self.numbers + 1)
