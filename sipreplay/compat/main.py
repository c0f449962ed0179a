"""`sipreplay sipp`: one process that plays one scenario with SIPp's options, keys, files, screens and exit codes."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from sipreplay import __version__
from sipreplay.compat import steering
from sipreplay.compat.config import Settings, settings_of
from sipreplay.compat.keyboard import Keyboard, datagrams, open_control
from sipreplay.compat.media import open_media
from sipreplay.compat.options import CommandLine, evaluate, help_text, statistics_help
from sipreplay.compat.reports import Reports
from sipreplay.compat.steering import Steering
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.files import load_companion, load_injections, load_scenario
from sipreplay.engine.loop import EngineResult, Loop, run_engine
from sipreplay.errors import SipReplayError, TransportError, UsageError
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.checks import check_injection, short_line_problems
from sipreplay.scenario.distributions import percentile_99
from sipreplay.scenario.model import Pause, Scenario

if TYPE_CHECKING:
    from sipreplay.media.process import MediaProcess

PASSED, FAILED, NOTHING_DONE, HELPED = 0, 1, 97, 99
MEDIA_CHECK, PORT_BUSY, FATAL = 253, 254, 255
SERVER_CALLS = 1000
"""Media ports of a server, unless -l or -m say less."""
_SIGNALS = {
    signal.SIGINT: steering.INTERRUPTED,
    signal.SIGUSR1: steering.SOFT,
    signal.SIGUSR2: steering.SCREENS,
    signal.SIGALRM: steering.ALARM,
}


def main(arguments: list[str]) -> int:
    """Run SIPp's command line (without the program's name); returns SIPp's exit code."""
    try:
        if not arguments:
            print(help_text(), end="")
            return HELPED
        line = evaluate(arguments)
        if "h" in line or "help" in line:
            print(statistics_help() if "stat" in arguments else help_text(), end="")
            return HELPED
        if "v" in line:
            print(f"\n SIPp-compatible sipreplay v{__version__} (UDP, TCP, PCAP media; no TLS, no SCTP).\n")
            return HELPED
        if "sd" in line:
            print(builtin(line.text("sd")))
            return HELPED
        return _run(line)
    except TransportError as error:
        print(f"sipreplay sipp: {_in_sipps_words(str(error))}", file=sys.stderr)
        cause = error.__cause__ or error.__context__
        busy = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
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


def _run(line: CommandLine) -> int:
    """Load, go to the background if asked to, play."""
    settings = settings_of(line)
    scenarios = _load(settings.engine)
    if settings.background:
        child = os.fork()
        if child:
            print(f"Background mode - PID=[{child}]", flush=True)
            return HELPED
        _detach()
        # Names of files and Call-IDs carry the process id: the one that was printed.
        settings = settings_of(line)
    return _play(settings, scenarios)


def _load(config: EngineConfig) -> dict[str, Scenario]:
    """The scenarios of a run by what `set display` calls them. Raises what is wrong with them."""
    scenario = load_scenario(config)
    for warning in scenario.warnings:
        print(f"sipreplay sipp: warning: {warning}", file=sys.stderr)
    injections = load_injections(config, scenario)
    check_injection(scenario, injections, config.keys, short_lines=config.short_lines)
    for short in short_line_problems(scenario, injections, config.keys):
        print(f"sipreplay sipp: warning: {short}", file=sys.stderr)
    if scenario.is_client and config.remote is None:
        raise TransportError(
            "the scenario places calls: give the remote host, as in 'sipreplay sipp -sn uac 127.0.0.1'"
        )
    out = {"main": scenario}
    for name, which, option in (("ooc", "out_of_call", "-oocsf or -oocsn"), ("rx", "terminating", "-rxsf")):
        companion = load_companion(config, which)
        if companion is None:
            continue
        if not scenario.is_client:
            raise UsageError(f"{option} needs a scenario that places calls; a server answers everything with its own")
        if companion.is_client:
            raise UsageError(f"{option}: the scenario must begin with a <recv>")
        out[name] = companion
    return out


def _detach() -> None:
    """The child of -bg: a session of its own, nothing to read from and nowhere to print."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _play(settings: Settings, scenarios: dict[str, Scenario]) -> int:
    config = settings.engine
    if config.remote is not None:
        print(f"Resolving remote host '{config.remote[0]}'... Done.", file=sys.stderr)
    if settings.sleep_s:
        time.sleep(settings.sleep_s)
    with ExitStack() as stack:
        calls = _most_calls(config, scenarios["main"])
        media, process = stack.enter_context(open_media(config, settings.media, scenarios.values(), calls))
        run = _Run(settings, scenarios, stack, process)
        result = run_engine(
            config,
            media,
            on_snapshot=run.reports.snapshot,
            snapshot_interval_s=min(settings.screen_s, settings.row_s),
            attend=run.attend,
            scenario=scenarios["main"],
        )
        # The terminal is as it was before anything is printed for good.
        run.keyboard.close()
        result = run.judged(result)
        run.reports.finish(result)
        return run.exit_code(result)


class _Run:
    """What is attached to the loop of one run: reports, keys, control socket, signals."""

    def __init__(
        self, settings: Settings, scenarios: dict[str, Scenario], stack: ExitStack, media: MediaProcess | None
    ) -> None:
        self.settings = settings
        self.reports = Reports(settings, scenarios, stack, media)
        self._stack = stack
        self._steering: Steering | None = None
        self._loop: Loop | None = None
        ours, self._signals = socket.socketpair()
        stack.callback(ours.close)
        stack.callback(self._signals.close)
        self._signals.setblocking(False)
        stack.enter_context(_handlers(settings, ours))
        self.keyboard = stack.enter_context(Keyboard(wanted=settings.reads_keys))
        self._control = open_control(settings.control_ip, settings.control_port)
        if self._control is not None:
            stack.callback(self._control.close)

    def attend(self, loop: Loop) -> Mapping[int, Callable[[], None]]:
        """What the loop polls for us."""
        settings = self.settings
        self._loop = loop
        self._steering = wheel = Steering(
            loop, self.reports, period_ms=settings.period_ms, scale=settings.rate_scale, logs=settings.log_files
        )
        self.reports.attend(loop, wheel)
        if self._control is None:
            loop.engine.warn("no control socket: all of its ports are in use; choose one with -cp")
        watched: dict[int, Callable[[], None]] = {self._signals.fileno(): self._signalled}
        if self.keyboard.fd >= 0:
            watched[self.keyboard.fd] = self._keys
        if self._control is not None:
            watched[self._control.fileno()] = self._commanded
        return watched

    def _signalled(self) -> None:
        assert self._steering is not None
        with contextlib.suppress(BlockingIOError):
            for letter in self._signals.recv(64).decode("ascii", "replace"):
                self._steering.signalled(letter)

    def _keys(self) -> None:
        assert self._steering is not None
        assert self._loop is not None
        text = self.keyboard.read()
        if text is None:
            self._loop.forget(self.keyboard.fd)
        else:
            self._steering.keys(text)

    def _commanded(self) -> None:
        assert self._steering is not None
        assert self._control is not None
        for text in datagrams(self._control):
            self._steering.datagram(text)

    def judged(self, result: EngineResult) -> EngineResult:
        """The result, where -timeout_error makes the end a fatal error."""
        settings = self.settings
        if result.reason == "fatal" or not settings.timeout_error:
            return result
        if self._steering is None or not self._steering.timed_out:
            return result
        result.statistics.fatal_errors += 1
        return replace(result, reason="fatal", message=f"timed out after {settings.timeout_s:g} s (-timeout_error)")

    def exit_code(self, result: EngineResult) -> int:
        """SIPp's exit code for how the run ended."""
        timed_out = self._steering is not None and self._steering.timed_out
        if result.reason == "fatal":
            print(f"sipreplay sipp: {result.message}", file=sys.stderr)
            return FATAL
        if self.reports.failed_checks:
            text = f"{self.reports.failed_checks} bit patterns did not come back as they were sent (rtpcheck)"
            print(f"sipreplay sipp: {text}", file=sys.stderr)
            return MEDIA_CHECK
        if result.reason == "stop_now":
            return NOTHING_DONE
        if self.reports.failed():
            return FAILED
        if timed_out and not result.statistics.successful:
            return NOTHING_DONE
        return PASSED


@contextmanager
def _handlers(settings: Settings, pipe: socket.socket) -> Iterator[None]:
    """Signals become letters in a pipe that the loop reads: they act between two of its turns."""

    def handler(signum: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            pipe.send(_SIGNALS[signal.Signals(signum)].encode())

    pipe.setblocking(False)
    previous = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        if settings.timeout_s:
            signal.setitimer(signal.ITIMER_REAL, settings.timeout_s)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, old in previous.items():
            signal.signal(number, old)


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
