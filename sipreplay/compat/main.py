"""`sipreplay sipp`: one process that plays one scenario with SIPp's options, files, screens and exit codes."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from types import FrameType
from typing import TYPE_CHECKING

from sipreplay import __version__
from sipreplay.compat import screens
from sipreplay.compat.config import Settings, settings_of
from sipreplay.compat.options import evaluate, help_text
from sipreplay.dumps.stat import StatWriter, stat_writer
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.files import load_injections, load_scenario
from sipreplay.engine.loop import EngineResult, run_engine
from sipreplay.errors import SipReplayError, TransportError
from sipreplay.media.port import MediaPort
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.checks import check_injection, media_kinds
from sipreplay.scenario.distributions import percentile_99
from sipreplay.scenario.model import Pause, Scenario
from sipreplay.stats.calls import CallStatistics

if TYPE_CHECKING:
    from sipreplay.media.process import MediaProcess

PASSED, FAILED, NOTHING_DONE, HELPED = 0, 1, 97, 99
PORT_BUSY, FATAL = 254, 255
SERVER_CALLS = 1000
"""Media ports of a server, unless -l or -m say less."""
_CLEAR = "\x1b[2J\x1b[H"


def main(arguments: list[str]) -> int:
    """Run SIPp's command line (without the program's name); returns SIPp's exit code."""
    try:
        if not arguments:
            print(help_text(), end="")
            return HELPED
        line = evaluate(arguments)
        if "h" in line or "help" in line:
            print(help_text(), end="")
            return HELPED
        if "v" in line:
            print(f"\n SIPp-compatible sipreplay v{__version__} (UDP, TCP, PCAP media; no TLS, no SCTP).\n")
            return HELPED
        if "sd" in line:
            print(builtin(line.text("sd")))
            return HELPED
        return _play(settings_of(line))
    except TransportError as error:
        print(f"sipreplay sipp: {_in_sipps_words(str(error))}", file=sys.stderr)
        busy = isinstance(error.__context__, OSError) and error.__context__.errno == errno.EADDRINUSE
        return PORT_BUSY if busy else FATAL
    except SipReplayError as error:
        print(f"sipreplay sipp: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"sipreplay sipp: {error}", file=sys.stderr)
        return FATAL
    except KeyboardInterrupt:
        return FATAL


def _in_sipps_words(message: str) -> str:
    """A message of the engine with SIPp's names of options."""
    return message.replace("--port", "-p").replace("--local-ip", "-i")


def _play(settings: Settings) -> int:
    config = settings.engine
    scenario = load_scenario(config)
    check_injection(scenario, load_injections(config), config.keys)
    if scenario.is_client and config.remote is None:
        raise TransportError(
            "the scenario places calls: give the remote host, as in 'sipreplay sipp -sn uac 127.0.0.1'"
        )
    if config.remote is not None:
        print(f"Resolving remote host '{config.remote[0]}'... Done.", file=sys.stderr)
    with ExitStack() as stack:
        media, process = stack.enter_context(_media(config, scenario))
        run = _Run(settings, scenario, stack, process)
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        stack.callback(theirs.close)
        stack.enter_context(_signals(settings, run, ours))
        result = run_engine(
            config,
            media,
            on_ready=run.ready,
            control=theirs,
            on_snapshot=run.snapshot,
            snapshot_interval_s=min(settings.screen_s, settings.row_s),
        )
        run.finish(result)
    return _exit_code(settings, run, result)


def _exit_code(settings: Settings, run: _Run, result: EngineResult) -> int:
    if result.reason == "fatal":
        print(f"sipreplay sipp: {result.message}", file=sys.stderr)
        return FATAL
    if run.timed_out and settings.timeout_error:
        print(f"sipreplay sipp: timed out after {settings.timeout_s:g} s (-timeout_error)", file=sys.stderr)
        return FATAL
    if result.reason == "stop_now":
        return NOTHING_DONE
    statistics = result.statistics
    if statistics.failed:
        return FAILED
    if run.timed_out and not statistics.successful:
        return NOTHING_DONE
    return PASSED


@contextmanager
def _signals(settings: Settings, run: _Run, control: socket.socket) -> Iterator[None]:
    """Ctrl-C and SIGUSR1: no new calls, then force; the alarm of -timeout: force."""

    def stop(signum: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            control.send(b"abort\n" if run.stopping else b"stop\n")
        run.stopping = True

    def alarm(signum: int, frame: FrameType | None) -> None:
        run.timed_out = run.stopping = True
        with contextlib.suppress(OSError):
            control.send(b"abort\n")

    control.setblocking(False)
    handlers = {signal.SIGINT: stop, signal.SIGUSR1: stop, signal.SIGALRM: alarm}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        if settings.timeout_s:
            signal.setitimer(signal.ITIMER_REAL, settings.timeout_s)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _media(config: EngineConfig, scenario: Scenario) -> Iterator[tuple[MediaPort | None, MediaProcess | None]]:
    """A media process for a scenario that plays, nothing for others."""
    if not media_kinds(scenario):
        yield None, None
        return
    from sipreplay.media.client import MediaClient
    from sipreplay.media.process import MediaProcess

    host = config.media_ip or config.advertise_ip or config.local_ip
    with MediaProcess() as process:
        description = process.add_client(
            host,
            calls=_most_calls(config, scenario),
            least=1,
            media=len(media_kinds(scenario)),
            first_port=config.media_port,
            rewrite=False,
        )
        client = MediaClient(description)
        try:
            yield client, process
        finally:
            client.close()


def _most_calls(config: EngineConfig, scenario: Scenario) -> int:
    """For how many calls at a time media ports are opened. A server does not know how many will come."""
    limit = config.users or config.limit
    if limit is None:
        limit = default_limit(config, scenario) if scenario.is_client else SERVER_CALLS
    return max(min(limit, config.calls if config.calls is not None else limit), 1)


def default_limit(config: EngineConfig, scenario: Scenario) -> int:
    """SIPp's `-l`: three times the calls that start during one scenario (its pauses, -d, at least a second)."""
    longest_ms = 0.0
    for element in scenario.elements:
        if isinstance(element, Pause) and not element.variable:
            milliseconds = config.pause_ms if element.milliseconds is None else element.milliseconds
            longest_ms += percentile_99(element.distribution) if element.distribution else milliseconds
    seconds = max(longest_ms, config.pause_ms, 1000.0) / 1000.0
    return max(int(3 * config.rate_cps * seconds), 1)


class _Run:
    """Screens and statistics rows of one run, drawn from the engine's snapshots."""

    def __init__(
        self, settings: Settings, scenario: Scenario, stack: ExitStack, media: MediaProcess | None = None
    ) -> None:
        config = settings.engine
        self.settings = settings
        self.scenario = scenario
        self.stopping = False
        self.timed_out = False
        self._stack = stack
        self._media = media
        self._stat: StatWriter | None = None
        self._live = sys.stdout.isatty()
        self._next_row = 0.0
        self._peak = 0
        self.view = screens.View(
            scenario=scenario,
            rate_cps=config.rate_cps,
            period_ms=settings.period_ms,
            pause_ms=config.pause_ms,
            users=config.users,
            limit=config.limit or default_limit(config, scenario) if config.users is None else config.users,
            calls=config.calls,
            remote=f"{config.remote[0]}:{config.remote[1]}" if config.remote else "",
            transport=config.transport,
            keys=config.keys,
        )

    def ready(self, address: tuple[str, int]) -> None:
        """The socket is bound: traffic starts."""
        now = time.time()
        self.view.local_port = address[1]
        self.view.started = self.view.previous_wall = now
        self._next_row = now + self.settings.row_s
        if self.settings.stat_file is not None:
            writer = stat_writer(self.settings.stat_file, self.scenario, started=now, delimiter=self.settings.delimiter)
            self._stat = self._stack.enter_context(writer)
            self._row(CallStatistics(), time.time())

    def snapshot(self, statistics: CallStatistics) -> None:
        """Called by the engine about once a second."""
        now = time.time()
        if statistics.peak > self._peak:
            self._peak, self.view.peak_at = statistics.peak, now - self.view.started
        if now >= self._next_row:
            self._row(statistics, now)
            self._next_row = now + self.settings.row_s
        if self._live:
            last = (
                screens.WAITING
                if self.stopping
                else screens.CLIENT_MODE
                if self.scenario.is_client
                else screens.SERVER_MODE
            )
            print(_CLEAR + screens.scenario_screen(self.view, statistics, now, last), end="", flush=True)
            self.view.previous, self.view.previous_wall = copy(statistics), now

    def finish(self, result: EngineResult) -> None:
        """The last two rows, and both screens for the end."""
        statistics, now = result.statistics, time.time()
        self._row(statistics, now)
        self._row(statistics, time.time())
        if self._media is not None:
            media = self._media.summary()
            self.view.media = (
                f"{media.sent_packets} Total RTP pckts sent, {media.received_packets} received, {media.lost} lost"
            )
        print(_CLEAR if self._live else "", end="")
        self.view.previous, self.view.previous_wall = statistics, now
        now = time.time()
        print(screens.scenario_screen(self.view, statistics, now, screens.TERMINATED), end="")
        print(screens.statistics_screen(self.view, statistics, now, screens.TERMINATED), flush=True)
        if statistics.failed:
            print(screens.failures(statistics), end="", file=sys.stderr)
        if statistics.warnings and self.settings.engine.trace_errors is None:
            print(f"{statistics.warnings} warnings; -trace_err writes them to a file.", file=sys.stderr)

    def _row(self, statistics: CallStatistics, now: float) -> None:
        if self._stat is not None:
            users = self.settings.engine.users
            self._stat.row(statistics, now, users if users is not None else self.settings.engine.rate_cps)
