"""When an engine starts calls and when it is done: the rate and its steps, users, limits, ends, pausing.

Knows nothing of what a call does: `place` starts one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.context import Context
from sipreplay.engine.endpoint import Endpoint
from sipreplay.engine.rate import NEVER, Rate, Schedule, Users
from sipreplay.engine.steps import Program
from sipreplay.scenario.injection import InjectionFile


class Pacing(Context, ABC):
    """The part of an engine that is asked for new calls."""

    def __init__(
        self,
        program: Program,
        config: EngineConfig,
        endpoint: Endpoint,
        random: Random,
        injections: Sequence[InjectionFile],
        now: float,
        wall: float,
        read_file: Callable[[str], bytes] | None,
    ) -> None:
        super().__init__(program, config, endpoint, random, injections, now, wall, read_file)
        self.client = program.client
        self.created = 0
        self.rate: Rate | None = None
        self.users: Users | None = None
        self.limit = 0
        """Most calls at a time; 0: no limit."""
        self.limit_given = config.limit is not None
        """Whether the limit stays when the rate changes."""
        self.paused = False
        self.stop_creating_at = NEVER
        self.time_out_at = NEVER
        self.timed_out = False
        self.next_rate_step = NEVER

    @abstractmethod
    def place(self, now: float, due: float, user: int = 0) -> None:
        """Start the call that was due at `due`."""

    def plan(self, now: float) -> None:
        """Plan the first call of a client."""
        config = self.config
        if config.duration_s is not None:
            self.stop_creating_at = now + config.duration_s
        if config.timeout_s:
            self.time_out_at = now + config.timeout_s
        if not self.client:
            return
        if config.users is not None:
            self.users = Users(config.users, now)
            return
        if config.starts_s:
            self.rate = Schedule(config.starts_s, now)
            self.limit = config.limit or 0
            return
        self.rate = Rate(config.rate_cps, now)
        self.limit = self.default_limit(config.rate_cps) if config.limit is None else config.limit
        if config.rate_increase_cps:
            self.next_rate_step = now + config.rate_interval_s

    def default_limit(self, rate_cps: float) -> int:
        """SIPp's: three times the calls that the rate starts during one scenario (at least a second), at least 1."""
        length_s = max(1.0, self.config.pause_ms / 1000.0, self.program.length_s)
        return max(1, int(3 * rate_cps * length_s))

    # What the outside asks.

    def set_rate(self, rate_cps: float, now: float) -> None:
        """Another rate of calls a second from now on."""
        if self.rate is not None:
            self.rate.change(max(rate_cps, 0.0), now)
            if not self.limit_given:
                self.limit = self.default_limit(rate_cps)

    def set_users(self, count: int, now: float) -> None:
        """Another number of users from now on; those too many leave when their calls end."""
        if self.users is not None:
            self.users.change(max(count, 0), now)

    def set_limit(self, limit: int) -> None:
        """Another limit, which stays."""
        self.limit = max(limit, 0)
        self.limit_given = True

    def pause(self, on: bool, now: float) -> None:
        """Start no calls until resumed; then the rate counts from that moment."""
        self.paused = on
        if not on and self.rate is not None:
            self.rate.change(self.rate.rate_cps, now)

    def stop_gracefully(self, now: float) -> None:
        """No new calls; open ones go on to their end."""
        self.stopping = True

    def done(self, now: float) -> bool:
        """Whether all is over: nothing will start, nothing is open."""
        if self.totals.current > 0:
            return False
        if self.stopping or now >= self.time_out_at:
            return True
        if self.config.calls is not None and self.created >= self.config.calls:
            return True
        return self.client and now >= self.stop_creating_at

    def may_create(self, now: float) -> bool:
        """Whether calls may still be created."""
        if self.stopping or now >= self.stop_creating_at or now >= self.time_out_at:
            return False
        return self.config.calls is None or self.created < self.config.calls

    # The calls that are due.

    def start_next(self, now: float) -> bool:
        """Start the next call if one is due; whether one was due. Call it until it says no."""
        rate = self.rate
        if rate is None:
            return self.users is not None and self._start_user(self.users, now)
        due = rate.next_due
        if now < due or self.paused or not self.may_create(now):
            return False
        rate.taken()
        if self.limit and self.totals.current >= self.limit:
            self.totals.not_started += 1
            self.totals.generating_s = now - self.started
            return True
        self.place(now, due)
        return True

    def _start_user(self, users: Users, now: float) -> bool:
        """Start the call of a user that is free; whether there was one."""
        if not users.free or self.paused or not self.may_create(now):
            return False
        user = users.free.pop()
        self.place(now, users.since if users.since > self.started else now, user)
        return True

    def next_start(self, now: float) -> float:
        """When the next call is due, or creating calls ends; infinity if neither is planned."""
        if not self.may_create(now):
            return NEVER
        if self.paused:
            return self.stop_creating_at
        if self.rate is not None:
            return min(self.rate.next_due, self.stop_creating_at)
        return now if self.users is not None and self.users.free else self.stop_creating_at

    def step_rate(self, now: float) -> None:
        """The rate goes up by its step; at its bound the run ends gracefully, unless it is to go on."""
        config = self.config
        self.next_rate_step = NEVER if self.stopping else now + config.rate_interval_s
        if self.rate is None or self.stopping:
            return
        rate_cps = self.rate.rate_cps + config.rate_increase_cps
        if config.rate_max_cps and rate_cps > config.rate_max_cps:
            rate_cps = config.rate_max_cps
            if config.stop_at_rate_max:
                self.stop_gracefully(now)
            self.next_rate_step = NEVER
        self.set_rate(rate_cps, now)
