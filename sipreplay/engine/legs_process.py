"""The parent's handles on a process that plays both sides of a system under test: one for each scenario.

A handle looks like `EngineProcess` to whoever starts, stops and collects the sides of a run.
"""

from __future__ import annotations

from typing import Any

from sipreplay.engine.legs import LegsConfig, LegsState
from sipreplay.engine.loop import EngineResult
from sipreplay.engine.process import EngineProcess
from sipreplay.media.client import ClientDescription
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.legs import LegTotals


class LegsProcess:
    """The process, and what it said last."""

    def __init__(
        self, config: LegsConfig, media: list[ClientDescription | None], *, snapshot_interval_s: float = 1.0
    ) -> None:
        self.process = EngineProcess(
            config, media, hold=True, snapshot_interval_s=snapshot_interval_s, name="both legs"
        )
        self.totals = LegTotals()
        self.handles = [LegHandle(self, number, leg.name) for number, leg in enumerate(config.legs)]

    def pump(self) -> None:
        """Hand out what the process has said."""
        for kind, value in self.process.poll():
            if kind == "legs":
                self._take(value)
            elif kind == "result":
                if value.legs is not None:
                    self._take(value.legs)
                for handle in self.handles:
                    handle.conclude(value.reason, value.message)
            elif kind in ("error", "died"):
                self.handles[0].events.append((kind, value))

    def _take(self, state: LegsState) -> None:
        self.totals = state.totals
        for handle, statistics, done in zip(self.handles, state.statistics, state.done, strict=True):
            handle.statistics = statistics
            handle.events.append(("snapshot", statistics))
            if done:
                handle.conclude("finished", "")


class LegHandle:
    """One scenario of the process."""

    def __init__(self, owner: LegsProcess, number: int, name: str) -> None:
        self.name = name
        self.statistics: CallStatistics | None = None
        self.events: list[tuple[str, Any]] = []
        self._owner = owner
        self._number = number
        self._concluded = False

    @property
    def address(self) -> tuple[str, int] | None:
        """Where what the system under test passes on is answered."""
        return self._owner.process.address

    @property
    def running(self) -> bool:
        """Whether a result can still come."""
        return self._owner.process.running

    def wait_ready(self, timeout_s: float = 10.0) -> tuple[str, int]:
        """As of the process."""
        return self._owner.process.wait_ready(timeout_s)

    def poll(self) -> list[tuple[str, Any]]:
        """What happened to this scenario since the last time."""
        self._owner.pump()
        events, self.events = self.events, []
        return events

    def conclude(self, reason: str, message: str) -> None:
        """It is done, with the statistics of now; a fatal end is told once."""
        if not self._concluded:
            self._concluded = True
            fatal = reason == "fatal" and self._number > 0
            result = EngineResult(self.statistics or CallStatistics(), "finished" if fatal else reason, message)
            self.events.append(("result", result))

    def go(self) -> None:
        """Let it start to call."""
        self._owner.process.tell(f"go {self._number}")

    def stop(self) -> None:
        """No new calls."""
        self._owner.process.tell(f"stop {self._number}")

    def abort(self) -> None:
        """No new calls, and open ones are released."""
        self._owner.process.tell(f"abort {self._number}")

    def close(self, grace_s: float = 5.0) -> None:
        """End the process; another handle may have done so."""
        self._owner.process.close(grace_s)
