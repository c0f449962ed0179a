"""The loop of one engine process: epoll, the socket, the clock. Drains, acts, then waits once.

Owns sockets, clock and garbage collector settings; knows nothing of what is inside a call.
"""

from __future__ import annotations

import contextlib
import gc
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sipreplay.engine import transport
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.engine import Engine
from sipreplay.engine.failure import FatalError
from sipreplay.engine.link import Link, open_link
from sipreplay.engine.program import compile_program
from sipreplay.engine.rate import NEVER
from sipreplay.engine.trace import Traces
from sipreplay.errors import ScenarioError, UsageError
from sipreplay.media.port import MediaPort, NoMedia
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.injection import InjectionFile, read_injection
from sipreplay.scenario.model import Scenario
from sipreplay.scenario.reader import read_scenario
from sipreplay.stats.calls import CallStatistics

STARTS = 64
"""Calls started in one turn."""
START_GRID_S = 0.001
"""Calls that become due within a millisecond start together: each wake-up of a sleeping peer costs both sides 10 us."""
IDLE_S = 0.25


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How a run of one engine ended."""

    statistics: CallStatistics
    reason: str
    """finished, stopped, aborted, timeout, stop_now or fatal."""
    message: str = ""
    """What was fatal."""
    address: tuple[str, int] = ("", 0)


def load_scenario(config: EngineConfig) -> Scenario:
    """The scenario that a configuration names. Raises ScenarioError or UsageError."""
    if config.builtin:
        return read_scenario(builtin(str(config.scenario)), "", config.keys)
    path = Path(config.scenario)
    try:
        return read_scenario(path.read_bytes(), str(path), config.keys)
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", str(path)) from None


def load_injections(config: EngineConfig) -> list[InjectionFile]:
    """The injection files of a configuration, in order. Raises ScenarioError."""
    out = []
    for path in config.injection:
        try:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise ScenarioError(f"cannot be read: {error.strerror}", str(path)) from None
        out.append(read_injection(text, str(path)))
    return out


def file_reader(config: EngineConfig) -> Callable[[str], bytes]:
    """What [file name=...] reads with: files below the scenario's folder or the working one; any with --allow-exec."""
    beside = Path.cwd() if config.builtin else Path(config.scenario).resolve().parent
    roots = (beside, Path.cwd().resolve())

    def read(name: str) -> bytes:
        path = Path(name).resolve()
        if not config.allow_exec and not any(path.is_relative_to(root) for root in roots):
            raise FatalError(f"[file name={name}]: outside of the scenario's folder and the working directory")
        try:
            return path.read_bytes()
        except OSError as error:
            raise FatalError(f"[file name={name}]: {error.strerror}") from None

    return read


def run_engine(
    config: EngineConfig,
    media: MediaPort | None = None,
    *,
    on_ready: Callable[[tuple[str, int]], None] | None = None,
    control: socket.socket | None = None,
    hold: bool = False,
    on_snapshot: Callable[[CallStatistics], None] | None = None,
    snapshot_interval_s: float = 1.0,
) -> EngineResult:
    """Play a configuration to its end.

    `on_ready` is called with the bound address once the socket listens. `control` takes lines: `stop` (gracefully),
    `abort`, `rate N`, and `go`, for which a run with `hold` waits; its end of file means that the parent is gone, and
    aborts, as SIGTERM does. Raises ScenarioError, UsageError and TransportError before the start; what is fatal later
    is in the result.
    """
    scenario = load_scenario(config)
    injections = load_injections(config)
    if config.transport not in ("UDP", "TCP"):
        raise UsageError(f"transport {config.transport} is not supported by the engine; use UDP or TCP")
    if scenario.is_client and config.remote is None:
        raise UsageError("this scenario places calls: a remote host is needed")
    remote_ip = ""
    if config.remote is not None:
        remote_ip, family = transport.resolve(*config.remote)
        if family != transport.family_of(config.local_ip):
            raise UsageError(
                f"local address {config.local_ip} and remote address {remote_ip} are not of one IP version"
            )
    remote = (remote_ip, config.remote[1]) if config.remote is not None else None
    with contextlib.closing(open_link(config, remote, client=scenario.is_client)) as link:
        loop = _Loop(config, scenario, injections, media, link, remote_ip, control, on_snapshot, snapshot_interval_s)
        return loop.run(on_ready, hold)


class _Loop:
    """One engine on one link."""

    def __init__(
        self,
        config: EngineConfig,
        scenario: Scenario,
        injections: list[InjectionFile],
        media: MediaPort | None,
        link: Link,
        remote_ip: str,
        control: socket.socket | None,
        on_snapshot: Callable[[CallStatistics], None] | None,
        snapshot_interval_s: float,
    ) -> None:
        self.config = config
        self.link = link
        self.control = control
        self.on_snapshot = on_snapshot
        self.snapshot_interval_s = snapshot_interval_s
        self.address = link.address
        endpoint = endpoint_of(config, self.address[1], remote_ip)
        chosen = media or NoMedia(config.media_port)
        self.program = compile_program(scenario, config, endpoint, media=chosen, injections=injections)
        self.traces = Traces(config, self.address)
        seed = config.random_seed
        self.engine = Engine(
            self.program,
            config,
            endpoint,
            self.traces.sending(link.send),
            Random(seed) if seed is not None else Random(),
            media=chosen,
            injections=injections,
            now=time.monotonic(),
            wall=time.time(),
            read_file=file_reader(config),
        )
        self.receive = self.traces.receiving(self.engine.receive)
        self.traces.attach(self.engine)
        self.reason = ""
        self.message = ""
        self._commands = ""
        self._gone = False
        self._held = False

    def run(self, on_ready: Callable[[tuple[str, int]], None] | None, hold: bool) -> EngineResult:
        """Get ready, wait for `go` if held, play to the end."""
        was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        poll = select.epoll()
        previous = signal.signal(signal.SIGTERM, self._terminated) if _in_main_thread() else None
        try:
            self.link.begin(poll, self.receive, self.engine.connection_lost, client=self.program.client)
            if self.control is not None:
                self.control.setblocking(False)
                poll.register(self.control, select.EPOLLIN)
            if on_ready is not None:
                on_ready(self.address)
                if self.control is not None:
                    self.control.setblocking(False)
            self._held = hold and self.control is not None
            while self._held and not self.engine.stopping:
                for fd, events in poll.poll(IDLE_S):
                    if self.control is not None and fd == self.control.fileno():
                        self._command(poll)
                    else:
                        self.link.handle(fd, events)
            self.engine.start(time.monotonic())
            self._turns(poll)
        except FatalError as error:
            self.reason, self.message = "fatal", str(error)
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)
            poll.close()
            self.traces.close()
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        return EngineResult(self._statistics(), self.reason or "finished", self.message, self.address)

    def _statistics(self) -> CallStatistics:
        statistics = self.engine.statistics
        self.link.account(statistics)
        statistics.busy_seconds = time.process_time()
        return statistics

    def _turns(self, poll: select.epoll) -> None:
        """Drain, act, wait, until all is over."""
        engine = self.engine
        monotonic = time.monotonic
        handle = self.link.handle
        control_fd = self.control.fileno() if self.control is not None else -1
        next_snapshot = monotonic() + self.snapshot_interval_s if self.on_snapshot is not None else NEVER
        next_starts = 0.0
        while True:
            now = monotonic()
            due = engine.expire(now)
            if now >= next_starts:
                next_starts = now + START_GRID_S
                for _ in range(STARTS):
                    if not engine.start_next(now):
                        break
                    now = monotonic()
                else:
                    next_starts = now
            due = min(due, max(engine.next_start(now), next_starts))
            if now >= next_snapshot and self.on_snapshot is not None:
                self.on_snapshot(self._statistics())
                next_snapshot = now + self.snapshot_interval_s
            if engine.stopped_now:
                self.reason = "stop_now"
                return
            if not engine.totals.current and engine.done(now):
                if engine.timed_out:
                    self.reason = "timeout"
                return
            wait = min(max(due - now, 0.0), IDLE_S)
            for fd, events in poll.poll(wait):
                if fd == control_fd:
                    self._command(poll)
                else:
                    handle(fd, events)
            self.link.settle()
            if self._gone:
                self._gone = False
                self._abort()

    def _terminated(self, signum: int, frame: object) -> None:
        """SIGTERM: the same as an end of file on the control pipe. Acts between two turns."""
        self._gone = True

    def _abort(self) -> None:
        self.reason = "aborted"
        self.engine.abort(time.monotonic())

    def _command(self, poll: select.epoll) -> None:
        """Lines from the parent, or its end."""
        control = self.control
        if control is None:
            return
        try:
            data = control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            poll.unregister(control)
            self._abort()
        self._commands += data.decode("ascii", "replace")
        *lines, self._commands = self._commands.split("\n")
        for line in lines:
            self._obey(line)

    def _obey(self, line: str) -> None:
        word, _, value = line.partition(" ")
        now = time.monotonic()
        if word == "go":
            self._held = False
        elif word == "stop":
            self.reason = self.reason or "stopped"
            self.engine.stop_gracefully(now)
        elif word == "abort":
            self._abort()
        elif word == "rate":
            try:
                self.engine.set_rate(max(0.0, float(value)), now)
            except ValueError:
                self.engine.warn(f"not a rate: {value!r}")


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
