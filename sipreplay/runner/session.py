"""The processes of one run: media, answering engines, calling engines. Starts, stops and collects them.

Prints nothing and judges nothing. Whatever happens, leaving the context ends every process that was started.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.legs import LegsConfig
from sipreplay.engine.legs_process import LegHandle, LegsProcess
from sipreplay.engine.loop import EngineResult
from sipreplay.engine.process import EngineProcess
from sipreplay.errors import ScenarioError, SipReplayError, TransportError
from sipreplay.media.client import ClientDescription
from sipreplay.media.process import MediaProcess
from sipreplay.media.results import MediaSummary
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import Pair, Plan, Side
from sipreplay.runner.recording import Recording
from sipreplay.runner.sizing import open_calls
from sipreplay.stats.calls import CallStatistics, merged
from sipreplay.stats.legs import LegTotals

TURN_S = 0.1
SNAPSHOT_S = 0.5
FINISH_S = 5.0
"""After an interrupt: how long open calls may end by themselves before they are released."""
LINGER_S = 8.0
"""How long answering sides may take once no caller is left: their timewait, and some."""
ABORT_S = 5.0


@dataclass(slots=True)
class Player:
    """A side and its process."""

    side: Side
    process: EngineProcess | LegHandle
    result: EngineResult | None = None
    fault: str = ""
    seen_at: float = 0.0
    """When the latest statistics came, seconds since 1970."""

    @property
    def statistics(self) -> CallStatistics:
        """The latest that is known."""
        return self.process.statistics or CallStatistics()


@dataclass(slots=True)
class Outcome:
    """What a session leaves."""

    callers: list[Player] = field(default_factory=list)
    callees: list[Player] = field(default_factory=list)
    media: MediaSummary | None = None
    started: float = 0.0
    """Seconds since 1970."""
    wall_s: float = 0.0
    interrupted: bool = False
    broken: list[str] = field(default_factory=list)
    legs: LegTotals | None = None
    """Of a run with both sides of a system under test."""


class Session:
    """One run of a plan."""

    def __init__(
        self, plan: Plan, options: RunOptions, records: Path | None = None, recording: Recording | None = None
    ) -> None:
        """`records`: CSV that gets one line for every call's media. `recording`: where media is recorded."""
        self._options = options
        self.plan = plan
        self.outcome = Outcome()
        self._records = records
        self._recording = recording
        self._media: MediaProcess | None = None
        self._legs: LegsProcess | None = None
        self._interrupts = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def interrupt(self) -> None:
        """The user wants an end: first no new calls, then (or at a second interrupt) open calls are released."""
        self._interrupts += 1
        self.outcome.interrupted = True

    @property
    def players(self) -> list[Player]:
        """Everyone."""
        return self.outcome.callees + self.outcome.callers

    def totals(self) -> tuple[CallStatistics, CallStatistics]:
        """Calling and answering side so far."""
        return merged([p.statistics for p in self.outcome.callers]), merged(
            [p.statistics for p in self.outcome.callees]
        )

    def media_so_far(self) -> MediaSummary | None:
        """Media totals, None without media or when the process does not answer in time."""
        if self._media is None:
            return None
        try:
            return self._media.snapshot(0.5)
        except TransportError:
            return None

    def run(self, turn: Callable[[float, bool], None]) -> Outcome:
        """Play all stages. `turn(seconds since the start, stopping)` is called about ten times a second."""
        outcome = self.outcome
        outcome.started = time.time()
        began = time.monotonic()

        def tick() -> None:
            self._collect()
            turn(time.monotonic() - began, self._interrupts > 0)
            time.sleep(TURN_S)

        for stage in self.plan.stages:
            if self._interrupts:
                break
            self._play_stage(stage, tick)
        self._end_callees(tick)
        self._collect()
        outcome.wall_s = time.monotonic() - began
        if self._media is not None:
            try:
                outcome.media = self._media.summary()
            except TransportError as error:
                outcome.broken.append(str(error))
        outcome.broken += [p.fault for p in self.players if p.fault]
        if self._legs is not None:
            outcome.legs = self._legs.totals
        return outcome

    def close(self) -> None:
        """End every process."""
        for player in self.players:
            player.process.close(0.5)
        if self._media is not None:
            self._media.stop()

    def _start(self) -> None:
        if any(side.uses_media for side in self.plan.sides):
            recording = self._recording
            self._media = MediaProcess(
                records=self._records,
                limits=self._options.limits.quality,
                impairment=self._options.impairment,
                rtcp=self._options.rtcp,
                record=recording.media_part if recording else None,
                record_received=recording.received if recording else False,
            ).start()
        if self.plan.legs is not None:
            self._start_legs(self.plan.legs.config)
            return
        for pair in self.plan.pairs:
            if pair.uas is not None:
                alone = pair.uac is None
                calls = open_calls(pair.uac.config if pair.uac else pair.uas.config, pair.uas.config)
                self.outcome.callees.append(self._player(pair.uas, calls, hold=alone))
        for player in self.outcome.callees:
            player.process.wait_ready()
        addresses = {id(p.side): p.process.address for p in self.outcome.callees}
        for pair in self.plan.pairs:
            if pair.uac is not None:
                if pair.uas is not None:
                    pair.uac.config.remote = addresses[id(pair.uas)]
                calls = open_calls(pair.uac.config, pair.uas.config if pair.uas else None)
                self.outcome.callers.append(self._player(pair.uac, calls, hold=True))
        for player in self.outcome.callers:
            player.process.wait_ready()

    @property
    def answers_at(self) -> tuple[str, int] | None:
        """Where calls that a system under test passes on are answered; None if they are not."""
        return self._legs.process.address if self._legs is not None else None

    def _start_legs(self, config: LegsConfig) -> None:
        """Both sides of a system under test in one process."""
        sides = {side.name: side for side in self.plan.sides}
        ours = [sides[leg.name] for leg in config.legs if leg.name in sides]
        calling = sum(open_calls(side.config, None) for side in ours if side.role == "uac")
        config.legs = [leg for leg in config.legs if leg.name in sides]
        config.rules = [rule for rule in config.rules if rule.from_leg in sides and rule.to_leg in sides]
        clients = [
            self._client(side, open_calls(side.config, None) if side.role == "uac" else calling) for side in ours
        ]
        self._legs = LegsProcess(config, clients, snapshot_interval_s=SNAPSHOT_S)
        for side, handle in zip(ours, self._legs.handles, strict=True):
            players = self.outcome.callers if side.role == "uac" else self.outcome.callees
            players.append(Player(side, handle))
        self._legs.process.wait_ready()

    def _client(self, side: Side, calls: int) -> ClientDescription | None:
        if self._media is None or not side.uses_media:
            return None
        return self._media.add_client(_media_host(side.config), calls=calls, least=1, media=side.media_ports)

    def _player(self, side: Side, calls: int, hold: bool) -> Player:
        client = self._client(side, calls)
        process = EngineProcess(side.config, client, hold=hold, snapshot_interval_s=SNAPSHOT_S, name=side.name)
        return Player(side, process)

    def _play_stage(self, stage: list[Pair], tick: Callable[[], None]) -> None:
        names = {id(side) for pair in stage for side in pair.sides}
        callers = [p for p in self.outcome.callers if id(p.side) in names]
        if not callers:
            callers = [p for p in self.outcome.callees if id(p.side) in names]
        for player in callers:
            player.process.go()
        told = 0
        asked_at = 0.0
        while any(p.process.running and p.result is None for p in callers):
            if self._interrupts and not told:
                told, asked_at = 1, time.monotonic()
                for player in callers:
                    player.process.stop()
            if told == 1 and (self._interrupts > 1 or time.monotonic() - asked_at > FINISH_S):
                told = 2
                for player in callers:
                    player.process.abort()
            tick()

    def _end_callees(self, tick: Callable[[], None]) -> None:
        callees = [p for p in self.outcome.callees if p.process.running and p.result is None]
        for player in callees:
            player.process.stop()
        deadline = time.monotonic() + LINGER_S
        while any(p.process.running and p.result is None for p in callees) and time.monotonic() < deadline:
            if self._interrupts > 1:
                break
            tick()
        for player in callees:
            if player.process.running and player.result is None:
                player.process.abort()
        deadline = time.monotonic() + ABORT_S
        while any(p.process.running and p.result is None for p in callees) and time.monotonic() < deadline:
            tick()

    def _collect(self) -> None:
        for player in self.players:
            for kind, value in player.process.poll():
                if kind in ("snapshot", "result"):
                    player.seen_at = time.time()
                if kind == "result":
                    player.result = value
                    if value.reason == "fatal":
                        player.fault = f"{player.side.name}: {value.message}"
                elif kind == "error":
                    raise _placed(value, player)
                elif kind == "died":
                    player.fault = f"the process of {player.side.name} ended unexpectedly (exit code {value})"


def _placed(error: SipReplayError, player: Player) -> SipReplayError:
    return error if isinstance(error, ScenarioError) else type(error)(f"{player.side.name}: {error}")


def _media_host(config: EngineConfig) -> str:
    return config.media_ip or config.local_ip
