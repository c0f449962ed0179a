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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from sipreplay.engine import commands, transport
from sipreplay.engine.companions import Companions
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.counters import warm_up
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.engine import Engine
from sipreplay.engine.failure import FatalError, StopNow
from sipreplay.engine.files import file_reader, load_companion, load_injections, load_scenario
from sipreplay.engine.link import Link, open_link
from sipreplay.engine.program import compile_program
from sipreplay.engine.rate import NEVER
from sipreplay.engine.steps import SEND_COMMAND
from sipreplay.engine.trace import Traces
from sipreplay.engine.twin import Role, TwinLink, role_of
from sipreplay.engine.watchdog import Watch
from sipreplay.errors import UsageError
from sipreplay.media.port import MediaPort, NoMedia
from sipreplay.scenario.injection import InjectionFile
from sipreplay.scenario.model import Scenario
from sipreplay.stats.calls import CallStatistics

if TYPE_CHECKING:
    from sipreplay.engine.legs import LegsState

STARTS = 64
"""Calls started in one turn."""
START_GRID_S = 0.001
"""Calls that become due within a millisecond start together: each wake-up of a sleeping peer costs both sides 10 us."""
IDLE_S = 0.25
PARTING_S = 5.0
"""How long calls go on after the twin has gone."""

Watched = Mapping[int, Callable[[], None]]
"""Descriptors of others that the loop polls, and what it calls when they are readable."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How a run of one engine ended."""

    statistics: CallStatistics
    reason: str
    """finished, stopped, aborted, timeout, stop_now or fatal."""
    message: str = ""
    """What was fatal."""
    address: tuple[str, int] = ("", 0)
    legs: LegsState | None = None
    """Of a run with both sides of a system under test."""


def run_engine(
    config: EngineConfig,
    media: MediaPort | None = None,
    *,
    on_ready: Callable[[tuple[str, int]], None] | None = None,
    control: socket.socket | None = None,
    hold: bool = False,
    on_snapshot: Callable[[CallStatistics], None] | None = None,
    snapshot_interval_s: float = 1.0,
    attend: Callable[[Loop], Watched] | None = None,
    scenario: Scenario | None = None,
) -> EngineResult:
    """Play a configuration to its end.

    `on_ready` is called with the bound address once the socket listens. `control` takes lines: `stop` (gracefully),
    `abort`, `rate N`, and `go`, for which a run with `hold` waits; its end of file means that the parent is gone, and
    aborts, as SIGTERM does. `attend` is called before the start with the loop, whose engine it may then steer from what
    it returns. `scenario` is the configuration's, if it was read already.

    Raises ScenarioError, UsageError and TransportError before the start; what is fatal later is in the result.
    """
    scenario = scenario or load_scenario(config)
    injections = load_injections(config, scenario)
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
    if config.sending_address is not None:
        host, port = config.sending_address
        config.sending_address = remote = (transport.resolve(host, port)[0], port)
    connects = scenario.is_client or config.sending_address is not None
    with contextlib.closing(open_link(config, remote, client=connects)) as link:
        loop = Loop(config, scenario, injections, media, link, remote_ip, control, on_snapshot, snapshot_interval_s)
        return loop.run(on_ready, hold, attend)


class Loop:
    """One engine on one link, with its companions and twins."""

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
        random = Random(config.random_seed) if config.random_seed is not None else Random()

        def engine_of(played: Scenario, lines: list[InjectionFile], settings: EngineConfig) -> Engine:
            program = compile_program(played, settings, endpoint, media=chosen, injections=lines)
            return Engine(
                program,
                settings,
                endpoint,
                link.send,
                random,
                media=chosen,
                injections=lines,
                now=time.monotonic(),
                wall=time.time(),
                read_file=file_reader(config),
            )

        self.engine = engine_of(scenario, injections, config)
        self.program = self.engine.program
        # What comes in beside the main scenario is not counted by -m, and has no part in -set.
        settings = replace(config, calls=None, users=None, set_variables={}, twin=None)
        beside = [load_companion(config, which) for which in ("out_of_call", "terminating")]
        self.companions = Companions(
            self.engine,
            engine_of(beside[0], [], settings) if beside[0] is not None else None,
            engine_of(beside[1], injections, settings) if beside[1] is not None else None,
        )
        self.role = role_of(self.program, config.twin)
        self.twin: TwinLink | None = self._twins()
        self.traces = Traces(config, link)
        self.wire()
        self.reason = ""
        self.message = ""
        self._commands = ""
        self._gone = False
        self._held = False
        self._abort_at = NEVER
        self._poll: select.epoll | None = None
        self._others: set[int] = set()

    def _twins(self) -> TwinLink | None:
        """The connections of third party call control, if the scenario has a part in it."""
        if self.role is Role.NONE or self.config.twin is None:
            return None
        engine = self.engine
        engine.commands_start_calls = self.role.starts_calls_on_command
        engine.extended_commands = self.config.twin.address is None
        destinations = [step.peer for step in self.program.steps if step.kind == SEND_COMMAND and step.peer]
        engine.twin = link = TwinLink(
            self.config.twin,
            self.role,
            destinations,
            received=lambda text: commands.received(engine, text, time.monotonic()),
            closed=self._twin_gone,
            noted=lambda text, sent: self.traces.command(text, sent=sent),
        )
        return link

    def _twin_gone(self, why: str) -> None:
        """A twin has hung up: no new calls, and the end of those that cannot go on without it. Others have a moment."""
        now = time.monotonic()
        self.engine.warn(why)
        self.engine.stop_gracefully(now)
        if self.role not in (Role.CONTROLLER_A, Role.A_PASSIVE):
            commands.abandon(self.engine, now)
            self._abort_at = now + PARTING_S

    def wire(self) -> None:
        """Put what is traced now around sending and receiving; again after each change of the traces."""
        send = self.traces.sending(self.link.send)
        self.receive = self.traces.receiving(self.engine.receive, quiet=self._quiet)
        self.link.deliver_to(self.receive)
        self.engine.send = send
        self.traces.attach(self.engine)
        for engine in self.companions.engines:
            engine.send = send
            self.traces.attach(engine, main=False)

    @property
    def _quiet(self) -> bool:
        """Whether the engine need not know where messages come from."""
        return self.program.client and not (self.config.auto_answer or bool(self.companions.engines))

    def run(
        self,
        on_ready: Callable[[tuple[str, int]], None] | None,
        hold: bool,
        attend: Callable[[Loop], Watched] | None = None,
    ) -> EngineResult:
        """Get ready, wait for `go` if held, play to the end."""
        was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        poll = select.epoll()
        loading: threading.Thread | None = None
        previous = signal.signal(signal.SIGTERM, self._terminated) if _in_main_thread() else None
        try:
            self._begin(poll)
            if on_ready is not None:
                on_ready(self.address)
                if self.control is not None:
                    self.control.setblocking(False)
            watched = dict(attend(self)) if attend is not None else {}
            for fd in watched:
                with contextlib.suppress(PermissionError):  # A regular file as standard input is always readable.
                    poll.register(fd, select.EPOLLIN)
            if self.program.client:
                warm_up()
            else:
                # Its peers may be at it already: what comes meanwhile is answered.
                loading = threading.Thread(target=warm_up)
                loading.start()
            self._held = hold and self.control is not None
            while self._held and not self.engine.stopping:
                for fd, events in poll.poll(IDLE_S):
                    self._handle(fd, events, watched, poll)
            now = time.monotonic()
            self.engine.start(now)
            self.companions.each(lambda engine: engine.start(now))
            self._turns(poll, watched)
        except StopNow:
            self.reason = "stop_now"
        except FatalError as error:
            self.reason, self.message = "fatal", str(error)
            self.engine.totals.fatal_errors += 1
            self.traces.warning(str(error))
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)
            poll.close()
            if loading is not None:
                loading.join()
            self.traces.close()
            if self.twin is not None:
                self.twin.close()
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        return EngineResult(self.statistics(), self.reason or "finished", self.message, self.address)

    def forget(self, fd: int) -> None:
        """A watched descriptor is at its end."""
        self._others.discard(fd)
        if self._poll is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(fd)

    def _begin(self, poll: select.epoll) -> None:
        """Register all sockets."""
        self._poll = poll
        sources = self.config.record is not None and self.config.record_received
        self.link.begin(poll, self.receive, self._lost, client=self._quiet, sources=sources)
        if self.control is not None:
            self.control.setblocking(False)
            poll.register(self.control, select.EPOLLIN)
        if self.twin is not None:
            self.twin.begin(poll)

    def _lost(self, address: tuple[str, int], now: float) -> None:
        self.engine.connection_lost(address, now)
        self.companions.each(lambda engine: engine.connection_lost(address, now))

    def statistics(self) -> CallStatistics:
        """The cumulative statistics so far. The object goes on changing."""
        statistics = self.engine.statistics
        self.link.account(statistics)
        statistics.busy_seconds = time.process_time()
        return statistics

    def _turns(self, poll: select.epoll, watched: Watched) -> None:
        """Drain, act, wait, until all is over."""
        engine = self.engine
        monotonic = time.monotonic
        handle = self.link.handle
        others = self._others = set(watched)
        if self.control is not None:
            others.add(self.control.fileno())
        twin = self.twin
        beside = self.companions.engines
        watch = Watch(self.config.watchdog, engine, monotonic())
        timers = engine.wheel.keys
        resolution_s = self.config.timer_resolution_s
        next_snapshot = monotonic() + self.snapshot_interval_s if self.on_snapshot is not None else NEVER
        next_starts = next_timers = 0.0
        due = NEVER
        while True:
            now = monotonic()
            if now >= next_timers:
                due = engine.expire(now)
                for companion in beside:
                    due = min(due, companion.expire(now))
                if resolution_s:
                    next_timers = now + resolution_s
                    due = max(due, next_timers)
            if now >= next_starts:
                next_starts = now + START_GRID_S
                for _ in range(STARTS):
                    if not engine.start_next(now):
                        break
                    now = monotonic()
                else:
                    next_starts = now
                if timers:
                    # Calls that have just begun may have set timers that end earlier.
                    due = min(due, max(timers[0] / 1000.0, next_timers))
            wake = min(due, max(engine.next_start(now), next_starts))
            if now >= next_snapshot and self.on_snapshot is not None:
                self.on_snapshot(self.statistics())
                next_snapshot = now + self.snapshot_interval_s
            if now >= watch.due:
                watch.look(now)
            if not engine.totals.current and engine.done(now) and self.companions.idle:
                if engine.timed_out:
                    self.reason = "timeout"
                return
            wait = min(max(min(wake, watch.due) - now, 0.0), IDLE_S)
            for fd, events in poll.poll(wait):
                if fd in others or (twin is not None and twin.owns(fd)):
                    self._handle(fd, events, watched, poll)
                else:
                    handle(fd, events)
            self.link.settle()
            if self._gone or now >= self._abort_at:
                self._gone = False
                self._abort_at = NEVER
                self.abort()

    def _handle(self, fd: int, events: int, watched: Watched, poll: select.epoll) -> None:
        """Something on a descriptor that may not be the link's."""
        act = watched.get(fd)
        if act is not None:
            act()
        elif self.control is not None and fd == self.control.fileno():
            self._command(poll)
        elif self.twin is not None and self.twin.owns(fd):
            self.twin.handle(fd, events)
        else:
            self.link.handle(fd, events)

    def _terminated(self, signum: int, frame: object) -> None:
        """SIGTERM: the same as an end of file on the control pipe. Acts between two turns."""
        self._gone = True

    def abort(self) -> None:
        """No new calls; open ones are released and count as failed."""
        self.reason = "aborted"
        now = time.monotonic()
        self.engine.abort(now)
        self.companions.each(lambda engine: engine.abort(now))

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
            self.abort()
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
            self.abort()
        elif word == "rate":
            try:
                self.engine.set_rate(max(0.0, float(value)), now)
            except ValueError:
                self.engine.warn(f"not a rate: {value!r}")


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
