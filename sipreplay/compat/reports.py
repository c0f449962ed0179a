"""What a run shows and writes of its numbers: screens on the terminal, in a file and at the end, rows of files.

Draws from the engines' counters about once a second; knows nothing of keys.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.compat import number_screens, screens
from sipreplay.compat.config import Settings
from sipreplay.dumps.counts import CountsWriter, ErrorCodesWriter
from sipreplay.dumps.stat import StatWriter, scenario_rtds, stat_writer
from sipreplay.engine.call import ALIVE
from sipreplay.engine.engine import Engine
from sipreplay.engine.loop import EngineResult, Loop
from sipreplay.errors import TransportError
from sipreplay.scenario.model import Scenario
from sipreplay.stats.calls import CallStatistics

if TYPE_CHECKING:
    from sipreplay.compat.steering import Steering
    from sipreplay.media.process import MediaProcess

_CLEAR = "\x1b[2J\x1b[H"
_LOOKED_THROUGH = 20_000
"""Open calls that a screen looks at to tell which of them pause."""


class Reports:
    """The reports of one run. Raises TransportError if a file cannot be created."""

    def __init__(
        self, settings: Settings, scenarios: dict[str, Scenario], stack: ExitStack, media: MediaProcess | None
    ) -> None:
        """`scenarios`: the run's, by what `set display` calls them; `main` is one of them."""
        self.settings = settings
        self.screen = screens.SCENARIO
        self.hidden = True
        self.displayed = "main"
        self.steering: Steering | None = None
        self._stack = stack
        self._media = media
        self.failed_checks = 0
        """Bit patterns whose echo differed from them, once the run has ended."""
        self._loop: Loop | None = None
        self._live = sys.stdout.isatty() and not settings.background
        self._stat: StatWriter | None = None
        self._counts: CountsWriter | None = None
        self._codes: ErrorCodesWriter | None = None
        self._next_row = self._next_screen = 0.0
        self._peak = 0
        self._views = {name: self._view(scenario) for name, scenario in scenarios.items()}

    def _view(self, scenario: Scenario) -> screens.View:
        config = self.settings.engine
        return screens.View(
            scenario=scenario,
            rate_cps=config.rate_cps,
            period_ms=self.settings.period_ms,
            pause_ms=config.pause_ms,
            users=config.users,
            limit=config.limit or 0,
            calls=config.calls,
            remote=f"{config.remote[0]}:{config.remote[1]}" if config.remote else "",
            transport=config.transport,
            keys=config.keys,
            auto_answer=config.auto_answer,
        )

    @property
    def displays(self) -> list[str]:
        """What `set display` can choose."""
        return list(self._views)

    def display(self, name: str) -> bool:
        """Show another scenario of the run; whether there is such a one."""
        if name in self._views:
            self.displayed = name
        return name in self._views

    def attend(self, loop: Loop, steering: Steering) -> None:
        """The run is about to start."""
        self._loop = loop
        self.steering = steering
        now = time.time()
        settings = self.settings
        for view in self._views.values():
            view.local_port = loop.address[1]
            view.started = view.previous_wall = now
        self._next_row = now + settings.row_s
        main = self._views["main"].scenario
        try:
            self._open(main, now)
        except OSError as error:
            raise TransportError(f"{error.filename}: cannot be written: {error.strerror}") from None
        self._rows(CallStatistics(), time.time())

    def _open(self, scenario: Scenario, now: float) -> None:
        """The files of rows."""
        settings = self.settings
        config = settings.engine
        if settings.stat_file is not None:
            writer = stat_writer(
                settings.stat_file,
                scenario,
                started=now,
                delimiter=settings.delimiter,
                rfc3339=config.rfc3339,
                periodic_rtd=settings.periodic_rtd,
            )
            self._stat = self._stack.enter_context(writer)
        if settings.counts_file is not None:
            self._counts = self._stack.enter_context(
                CountsWriter(
                    settings.counts_file,
                    scenario,
                    started=now,
                    keys=config.keys,
                    delimiter=settings.delimiter,
                    losses=settings.losses or screens.has_losses(scenario),
                    rfc3339=config.rfc3339,
                )
            )
        if settings.codes_file is not None:
            self._codes = self._stack.enter_context(
                ErrorCodesWriter(settings.codes_file, started=now, delimiter=settings.delimiter, rfc3339=config.rfc3339)
            )
            assert self._loop is not None
            self._loop.engine.unexpected_codes = []

    def snapshot(self, statistics: CallStatistics) -> None:
        """Called by the loop now and then, with the main scenario's counters."""
        now = time.time()
        if statistics.peak > self._peak:
            self._peak, self._views["main"].peak_at = statistics.peak, now - self._views["main"].started
        if now >= self._next_row:
            self._rows(statistics, now)
            if not self._live:
                self._new_period(now)
            self._next_row = now + self.settings.row_s
        if self._live and now >= self._next_screen:
            self._next_screen = now + self.settings.screen_s - 0.01
            self.draw()
            self._new_period(now)

    def _new_period(self, now: float) -> None:
        """What screens call periodic counts from here on."""
        for name, view in self._views.items():
            view.previous, view.previous_wall = deepcopy(self._engine(name).statistics), now

    def restart(self) -> None:
        """The counters began again at 0."""
        for view in self._views.values():
            view.previous = CallStatistics()
        if self._stat is not None:
            self._stat.restart()

    def draw(self) -> None:
        """Show the chosen screen on the terminal, if there is one."""
        if not self._live or self.steering is None:
            return
        text = self._text(self.screen, time.time(), self.steering.last_line)
        if self.steering.command is not None:
            text += f"\nCommand: {self.steering.command}"
        print(_CLEAR + text, end="", flush=True)

    def dump_screens(self, last_line: str = "") -> None:
        """Append the scenario, statistics and repartition screens to the screen file."""
        if self.steering is None:
            return
        now = time.time()
        rtds = len(scenario_rtds(self._views[self.displayed].scenario))
        which = [screens.SCENARIO, screens.STATISTICS, screens.REPARTITION, *range(6, min(rtds, 5) + 5)]
        path = self.settings.screen_file
        mode = "a" if self.settings.screen_append else "w"
        self.settings.screen_append = True
        try:
            with path.open(mode, encoding="utf-8", errors="surrogateescape") as file:
                for screen in which:
                    file.write(self._text(screen, now, last_line or self.steering.last_line))
        except OSError as error:
            self._engine("main").warn(f"{path}: the screens cannot be written: {error.strerror}")

    def finish(self, result: EngineResult) -> None:
        """The last two rows, and the screens for the end."""
        statistics = result.statistics
        # SIPp writes two rows at the end of a run, and one when something cuts the run off.
        for _ in range(1 if result.reason in ("fatal", "stop_now") else 2):
            self._rows(statistics, time.time())
        assert self._loop is not None
        if self._loop.traces.oversized:
            # SIPp's sign that the system's limit on file sizes ended a log.
            path = Path(f"{self.settings.engine.trace_stem}_traces_oversized.log")
            path.write_text("A trace became larger than the system allows; it is not complete.\n")
        if self._media is not None:
            media = self._media.summary()
            self.failed_checks = media.failed_checks
            text = f"{media.sent_packets} Total RTP pckts sent, {media.received_packets} received, {media.lost} lost"
            if media.echoed_packets:
                text += f", {media.echoed_packets} Total echo RTP pckts"
            if media.checked_streams:
                text += f", {media.failed_checks} of {media.checked_streams} patterns failed"
            self._views["main"].media = text
        self._new_period(time.time())
        if self.settings.screen_at_end:
            self.dump_screens(screens.WAITING)
        if self.settings.background:
            return
        now = time.time()
        print(_CLEAR if self._live else "", end="")
        for screen in dict.fromkeys((self.screen, screens.STATISTICS)):
            print(self._text(screen, now, screens.TERMINATED), end="")
        print(flush=True)
        if statistics.failed:
            print(screens.failures(statistics), end="", file=sys.stderr)
        self._errors()

    def _errors(self) -> None:
        """The last error, and where the others are."""
        assert self._loop is not None
        errors = self._loop.traces.errors
        if errors.count:
            print(errors.last, file=sys.stderr)
        if errors.count > 1:
            path = self.settings.engine.trace_errors
            where = "enable -trace_err to log them." if path is None else f"see '{path}' file"
            print(f"There were more errors, {where}", file=sys.stderr)

    def failed(self) -> int:
        """Failed calls of the scenario that is displayed: they decide the exit code."""
        return self._engine(self.displayed).statistics.failed

    def _engine(self, name: str) -> Engine:
        assert self._loop is not None
        companions = self._loop.companions
        engine = {"main": self._loop.engine, "ooc": companions.out_of_call, "rx": companions.terminating}[name]
        assert engine is not None
        return engine

    def _text(self, screen: int, now: float, last_line: str) -> str:
        view = self._views[self.displayed]
        engine = self._engine(self.displayed)
        statistics = engine.statistics
        self._refresh(view, engine)
        if screen == screens.STATISTICS:
            return number_screens.statistics_screen(view, statistics, now, last_line)
        if screen == screens.VARIABLES:
            return number_screens.variables_screen(view, last_line)
        if screen == screens.CIRCUITS and engine.circuits is not None:
            return number_screens.circuits_screen(view, engine.circuits.taken, engine.circuits.width, last_line)
        if screen == screens.REPARTITION or screen >= 6:
            return number_screens.repartition_screen(view, statistics, last_line, screen)
        return screens.scenario_screen(view, statistics, now, last_line)

    def _refresh(self, view: screens.View, engine: Engine) -> None:
        """What the engine can tell besides its counters."""
        assert self._loop is not None
        statistics = engine.statistics
        view.limit = engine.limit
        if engine.users is not None:
            view.users = engine.users.count
        if engine.rate is not None:
            view.rate_cps = engine.rate.rate_cps
        view.hidden = self.hidden
        view.last_error = self._loop.traces.errors.last_text
        view.errors = (engine.socket_errors[0], engine.socket_errors[1], engine.socket_errors[2])
        view.sockets = self._loop.link.sockets
        view.woken = statistics.loop_lateness.count - view.previous.loop_lateness.count
        view.paused = 0
        if statistics.current <= _LOOKED_THROUGH:
            view.paused = sum(call.state == ALIVE and call.paused_until > 0.0 for call in engine.calls.values())
        view.running = statistics.current - view.paused

    def _rows(self, statistics: CallStatistics, now: float) -> None:
        """One row to each file of numbers. A disk that is full ends the files, not the run."""
        try:
            self._write_rows(statistics, now)
        except OSError as error:
            self._stat = self._counts = self._codes = None
            self._engine("main").warn(f"no more rows are written: {error.strerror}")

    def _write_rows(self, statistics: CallStatistics, now: float) -> None:
        if self._stat is not None:
            main = self._engine("main")
            config = self.settings.engine
            users = main.users.count if main.users is not None else config.users
            rate_cps = main.rate.rate_cps if main.rate is not None else config.rate_cps
            # SIPp writes the rate as -r says it: calls a period.
            target = users if users is not None else rate_cps * self.settings.period_ms / 1000.0
            self._stat.row(statistics, now, target)
        if self._counts is not None:
            self._counts.row(statistics, now)
        if self._codes is not None:
            main = self._engine("main")
            self._codes.row(main.unexpected_codes or [], now)
            main.unexpected_codes = []
