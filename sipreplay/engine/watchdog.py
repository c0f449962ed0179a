"""The watchdog of a loop (SIPp's): how often a turn came much too late, and when that ends the run."""

from __future__ import annotations

from sipreplay.engine.config import Watchdog
from sipreplay.engine.context import Context
from sipreplay.engine.failure import FatalError
from sipreplay.engine.rate import NEVER


class Watch:
    """Looks at the time between two looks. Trips are counted in the engine's statistics."""

    __slots__ = ("_config", "_engine", "_last", "_last_trip", "_major", "_minor", "due")

    def __init__(self, config: Watchdog | None, engine: Context, now: float) -> None:
        """None: never looks."""
        self._config = config or Watchdog()
        self._engine = engine
        self._last = self._last_trip = now
        self._major = self._minor = 0
        self.due = now + self._config.interval_ms / 1000.0 if config is not None and config.interval_ms else NEVER

    def look(self, now: float) -> None:
        """Compare and plan the next look. Raises FatalError for one trip too many."""
        config = self._config
        gap_ms = (now - self._last) * 1000.0
        self._last = now
        self.due = now + config.interval_ms / 1000.0
        if (now - self._last_trip) * 1000.0 > config.reset_ms:
            self._major = self._minor = 0
        if gap_ms > config.major_ms:
            self._major += 1
            self._engine.totals.watchdog_major += 1
        elif gap_ms > config.minor_ms:
            self._minor += 1
            self._engine.totals.watchdog_minor += 1
        else:
            return
        self._last_trip = now
        kind = "major" if gap_ms > config.major_ms else "minor"
        self._engine.warn(
            f"The {kind} watchdog timer {getattr(config, f'{kind}_ms'):g}ms has been tripped ({gap_ms:.0f}), "
            f"{self._major if kind == 'major' else self._minor} trips so far."
        )
        for name, trips, most in (("major", self._major, config.most_major), ("minor", self._minor, config.most_minor)):
            if most >= 0 and trips > most:
                raise FatalError(
                    f"Overload error: the watchdog timer has tripped the {name} threshold of "
                    f"{getattr(config, f'{name}_ms'):g} ms too many times ({trips} out of {most} allowed): the machine "
                    f"is too slow or too busy for this; -watchdog_{name}_maxtriggers -1 goes on all the same"
                )
