"""The loop of one engine process: epoll, the socket, the clock. Drains, acts, then waits once.

Owns sockets, clock and garbage collector settings; knows nothing of what is inside a call.
"""

from __future__ import annotations

import gc
import ipaddress
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sipreplay.engine import transport
from sipreplay.engine.call import Address
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.engine import Engine
from sipreplay.engine.failure import FatalError
from sipreplay.engine.program import compile_program
from sipreplay.engine.trace import Traces
from sipreplay.errors import ScenarioError, TransportError, UsageError
from sipreplay.media.port import MediaPort, NoMedia
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.injection import InjectionFile, read_injection
from sipreplay.scenario.model import Scenario
from sipreplay.scenario.reader import read_scenario
from sipreplay.stats.calls import CallStatistics

DRAIN = 1000
"""Datagrams taken in one turn, before timers get theirs."""
STARTS = 64
"""Calls started in one turn."""
LARGEST = 65536
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
    """What [file name=...] reads with: files beside the scenario or below the working directory, any with --allow-exec."""
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
    on_snapshot: Callable[[CallStatistics], None] | None = None,
    snapshot_interval_s: float = 1.0,
) -> EngineResult:
    """Play a configuration to its end.

    `on_ready` is called with the bound address once the socket listens. `control` takes lines: `go`, `stop` (gracefully),
    `abort`, `rate N`; its end of file means that the parent is gone, and aborts. If `on_ready` is given and `control` too, the
    run waits for `go`. Raises ScenarioError, UsageError and TransportError before the start; what is fatal later is the result's.
    """
    scenario = load_scenario(config)
    injections = load_injections(config)
    if config.transport not in ("UDP",):
        raise UsageError(f"transport {config.transport} is not supported by the engine yet; use UDP")
    if scenario.is_client and config.remote is None:
        raise UsageError("this scenario places calls: a remote host is needed")
    remote_ip = ""
    if config.remote is not None:
        remote_ip, family = transport.resolve(*config.remote)
        if family != transport.family_of(config.local_ip):
            raise UsageError(f"local address {config.local_ip} and remote address {remote_ip} are not of one IP version")
    with transport.open_udp(config) as sock:
        return _Loop(config, scenario, injections, media, sock, remote_ip).run(
            on_ready, control, on_snapshot, snapshot_interval_s
        )


class _Loop:
    """One engine on one UDP socket."""

    def __init__(
        self,
        config: EngineConfig,
        scenario: Scenario,
        injections: list[InjectionFile],
        media: MediaPort | None,
        sock: socket.socket,
        remote_ip: str,
    ) -> None:
        self.config = config
        self.sock = sock
        name = sock.getsockname()
        self.address: tuple[str, int] = (str(name[0]), int(name[1]))
        self.media: MediaPort = media or NoMedia(config.media_port)
        endpoint = endpoint_of(config, self.address[1], remote_ip)
        self.program = compile_program(scenario, config, endpoint, media=self.media, injections=injections)
        self.traces = Traces(config)
        seed = config.random_seed
        now = time.monotonic()
        self.engine = Engine(
            self.program,
            config,
            endpoint,
            self.traces.sending(sock.sendto),
            Random(seed) if seed is not None else Random(),
            media=self.media,
            injections=injections,
            now=now,
            wall=time.time(),
            read_file=file_reader(config),
        )
        self.receive = self.traces.receiving(self.engine.receive)
        self.traces.attach(self.engine)
        self.reason = ""
        self.message = ""

    def run(
        self,
        on_ready: Callable[[tuple[str, int]], None] | None,
        control: socket.socket | None,
        on_snapshot: Callable[[CallStatistics], None] | None,
        snapshot_interval_s: float,
    ) -> EngineResult:
        engine = self.engine
        totals = engine.totals
        totals.receive_buffer, totals.send_buffer = transport.granted_buffers(self.sock)
        poll = select.epoll()
        was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            poll.register(self.sock, select.EPOLLIN)
            if control is not None:
                control.setblocking(False)
                poll.register(control, select.EPOLLIN)
            if on_ready is not None:
                on_ready(self.address)
            engine.start(time.monotonic())
            self._turns(poll, control, on_snapshot, snapshot_interval_s)
        except FatalError as error:
            self.reason, self.message = "fatal", str(error)
        finally:
            poll.close()
            self.traces.close()
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        return EngineResult(self._statistics(), self.reason or "finished", self.message, self.address)

    def _statistics(self) -> CallStatistics:
        statistics = self.engine.statistics
        statistics.datagrams_dropped = transport.dropped_datagrams(self.sock)
        statistics.busy_seconds = time.process_time()
        return statistics

    def _turns(
        self,
        poll: select.epoll,
        control: socket.socket | None,
        on_snapshot: Callable[[CallStatistics], None] | None,
        snapshot_interval_s: float,
    ) -> None:
        """Drain, act, wait, until all is over."""
        engine = self.engine
        monotonic = time.monotonic
        sock_fd = self.sock.fileno()
        drain = self._drain_client if self.program.client else self._drain_server
        now = monotonic()
        next_snapshot = now + snapshot_interval_s if on_snapshot is not None else float("inf")
        while True:
            due = engine.advance(monotonic())
            now = monotonic()
            for _ in range(STARTS):
                if not engine.start_next(now):
                    break
                now = monotonic()
            else:
                due = now
            if due is not None and engine.rate is not None and engine.rate.next_due < due:
                due = engine.rate.next_due
            if now >= next_snapshot and on_snapshot is not None:
                on_snapshot(self._statistics())
                next_snapshot = now + snapshot_interval_s
            if engine.stopped_now:
                self.reason = "stop_now"
                return
            if not engine.totals.current and engine.done(now):
                if engine.timed_out:
                    self.reason = "timeout"
                return
            wait = IDLE_S if due is None else min(max(due - now, 0.0), IDLE_S)
            for fd, _ in poll.poll(wait):
                if fd == sock_fd:
                    drain()
                elif control is not None:
                    self._command(poll, control)

    def _drain_client(self) -> None:
        """Where a datagram comes from does not matter to a client, and telling it costs time."""
        receive, take, monotonic = self.receive, self.sock.recv, time.monotonic
        try:
            for _ in range(DRAIN):
                receive(take(LARGEST), None, monotonic())
        except BlockingIOError:
            pass

    def _drain_server(self) -> None:
        receive, take, monotonic = self.receive, self.sock.recvfrom, time.monotonic
        try:
            for _ in range(DRAIN):
                data, address = take(LARGEST)
                receive(data, address[:2], monotonic())
        except BlockingIOError:
            pass

    def _command(self, poll: select.epoll, control: socket.socket) -> None:
        """A line from the parent, or its end."""
        try:
            text = control.recv(4096).decode("ascii", "replace")
        except BlockingIOError:
            return
        except OSError:
            text = ""
        now = time.monotonic()
        if not text:
            poll.unregister(control)
            self.reason = "aborted"
            self.engine.abort(now)
        for line in text.splitlines():
            word, _, value = line.partition(" ")
            if word == "stop":
                self.reason = self.reason or "stopped"
                self.engine.stop_gracefully(now)
            elif word == "abort":
                self.reason = "aborted"
                self.engine.abort(now)
            elif word == "rate":
                try:
                    self.engine.set_rate(max(0.0, float(value)), now)
                except ValueError:
                    self.engine.warn(f"not a rate: {value!r}")


