"""Both sides of a system under test in one process: scenarios that call it, and others that answer what it passes on.

Each calling scenario has a socket of its own. Those that answer share one, with the registrations that lead there; who
gets what comes in is decided by Call-ID and tag, and for a new call by the book of legs. UDP only.
"""

from __future__ import annotations

import contextlib
import gc
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from sipreplay.engine import transport
from sipreplay.engine.call import Address, Call
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.engine import Engine, Send
from sipreplay.engine.failure import FatalError, StopNow
from sipreplay.engine.files import load_injections, load_scenario
from sipreplay.engine.headers import header, header_values, tag_of, top_branch
from sipreplay.engine.leg_book import LegBook, Rule
from sipreplay.engine.link import Link, Lost, Receive, UdpLink
from sipreplay.engine.loop import IDLE_S, START_GRID_S, STARTS, EngineResult, Loop
from sipreplay.engine.rate import NEVER
from sipreplay.engine.watchdog import Watch
from sipreplay.errors import UsageError
from sipreplay.media.port import MediaPort
from sipreplay.stats.calls import CallStatistics, merged
from sipreplay.stats.legs import LegTotals

_COPIED = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")


@dataclass(slots=True)
class Leg:
    """One scenario."""

    name: str
    config: EngineConfig
    shared: bool
    """Whether it uses the answering socket."""


@dataclass(slots=True)
class LegsConfig:
    """All that the process plays. Scenarios that share the answering socket have its address in their configuration."""

    legs: list[Leg]
    rules: list[Rule]


@dataclass(slots=True)
class LegsState:
    """A snapshot. Cumulative."""

    statistics: list[CallStatistics]
    """In the order of the legs."""
    done: list[bool]
    totals: LegTotals = field(default_factory=LegTotals)


class _Shared:
    """A link of one scenario on the answering socket, which others use too."""

    def __init__(self, link: UdpLink) -> None:
        self.address = link.address
        self.send: Callable[[bytes, Address], object] = link.send
        self._local_of = link.local_of
        self.sockets = 1

    def begin(self, poll: select.epoll, receive: Receive, lost: Lost, *, client: bool, sources: bool = False) -> None:
        """The socket is registered once, by the loop."""

    def local_of(self, address: Address) -> Address:
        """That of the socket."""
        return self._local_of(address)

    def deliver_to(self, receive: Receive) -> None:
        """The loop decides who gets what."""

    def handle(self, fd: int, events: int) -> None:
        """Nothing is registered here."""

    def settle(self) -> None:
        """There are no connections."""

    def account(self, statistics: CallStatistics) -> None:
        """The socket's numbers are told once, by the loop."""

    def close(self) -> None:
        """The loop closes it."""


@dataclass(slots=True)
class _Part:
    leg: Leg
    loop: Loop
    started: bool = False
    done: bool = False
    reason: str = ""
    next_starts: float = 0.0

    @property
    def engine(self) -> Engine:
        return self.loop.engine


class LegsLoop:
    """The loop. Raises ScenarioError, UsageError and TransportError before the start."""

    def __init__(
        self, config: LegsConfig, media: Sequence[MediaPort | None], control: socket.socket, stack: contextlib.ExitStack
    ) -> None:
        self.book = LegBook(config.rules)
        self._control = control
        self._commands = ""
        self._gone = False
        self._message = ""
        self.links: dict[int, UdpLink] = {}
        """Place of the leg to its own socket; -1: the answering one."""
        answering = next(leg.config for leg in config.legs if leg.shared)
        self._shared = self.links[-1] = stack.enter_context(contextlib.closing(UdpLink(answering)))
        self.parts = [self._part(n, leg, media[n], stack) for n, leg in enumerate(config.legs)]
        numbers = count(1)
        for part in self.parts:
            part.engine.numbers = numbers  # so that tags of two scenarios never meet
        self._by_name = {part.leg.name: part for part in self.parts}
        self._answering = [part for part in self.parts if part.leg.shared]
        self._branches: dict[tuple[str, bytes], bytes] = {}
        """(leg, Call-ID) of a call that came in, to the branch of the request that opened it."""

    def _part(self, number: int, leg: Leg, media: MediaPort | None, stack: contextlib.ExitStack) -> _Part:
        config = leg.config
        if config.transport != "UDP":
            raise UsageError(
                f"{leg.name}: both sides of a system under test over {config.transport} is not built yet; "
                "give --transport udp, or --callers-only"
            )
        scenario = load_scenario(config)
        remote_ip = ""
        if config.remote is not None:
            remote_ip, family = transport.resolve(*config.remote)
            if family != transport.family_of(config.local_ip):
                raise UsageError(
                    f"local address {config.local_ip} and remote address {remote_ip} are not of one IP version"
                )
        link: Link = _Shared(self._shared)
        if not leg.shared:
            link = self.links[number] = stack.enter_context(contextlib.closing(UdpLink(config)))
        injections = load_injections(config, scenario)
        loop = Loop(config, scenario, injections, media, link, remote_ip, None, None, 1.0)
        stack.callback(loop.traces.close)
        part = _Part(leg, loop)
        self._watch(part)
        return part

    def _watch(self, part: _Part) -> None:
        """Have the book told of calls that are opened and of calls that end."""
        engine, book, name = part.engine, self.book, part.leg.name
        before = engine.on_end

        def ended(call: Call, reason: str) -> None:
            self._branches.pop((name, call.call_id), None)
            book.ended(name, call.call_id, "" if reason == "successful" else reason)
            if before is not None:
                before(call, reason)

        engine.on_end = ended
        if part.loop.program.client:
            engine.send = _telling(engine.send, book, name)

    # ---- what comes to the answering socket

    def arrive(self, data: bytes, address: Address | None, now: float) -> None:
        """Give a message to the scenario whose call it belongs to; a new call to the one that the book says."""
        call_id = header(data, b"Call-ID")
        knowing = [part for part in self._answering if call_id in part.engine.calls]
        opens = (
            not data.startswith(b"SIP/2.0") and not tag_of(data, b"To") and not data.startswith((b"ACK ", b"CANCEL "))
        )
        if knowing and opens:
            # The branch tells a request that comes again from another branch of a fork.
            branch = top_branch(data)
            knowing = [p for p in knowing if self._branches.get((p.leg.name, call_id), branch) == branch]
        elif len(knowing) > 1:
            knowing = [p for p in knowing if _is_for(p.engine.calls[call_id], data)] or knowing
        if knowing:
            knowing[0].loop.receive(data, address, now)
            return
        if not opens or address is None:
            return  # a message of a call that is forgotten
        self._new(data, call_id, address, now)

    def _new(self, data: bytes, call_id: bytes, address: Address, now: float) -> None:
        method = data[: data.find(b" ")].decode("latin-1")
        leg, why = "", ""
        if method not in ("OPTIONS", "NOTIFY", "INFO", "PING", "BYE", "UPDATE", "PRACK"):
            leg, why = self.book.link(data, now)
        part = self._by_name.get(leg)
        if part is not None and call_id in part.engine.calls:
            why = f"{leg} has a call with this Call-ID already"
            part = None
        if part is not None:
            self._branches[leg, call_id] = top_branch(data)
            part.loop.receive(data, address, now)
            return
        if why:
            self._answering[0].engine.warn(f"{method} from {address[0]}:{address[1]} arrived but is not linked: {why}")
        else:
            self.book.totals.pings += 1
        known = method in ("OPTIONS", "NOTIFY", "INFO", "PING")
        with contextlib.suppress(OSError):
            self._shared.send(
                _answer(data, "200 OK" if known else "480 Not Linked" if why else "481 No Such Call"), address
            )

    # ---- the run

    def run(
        self,
        on_ready: Callable[[Address], None],
        on_snapshot: Callable[[LegsState], None],
        snapshot_interval_s: float,
    ) -> EngineResult:
        """Play until every scenario is done. Those that answer start at once, those that call when they are told."""
        was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        previous = signal.signal(signal.SIGTERM, self._terminated)
        poll = select.epoll()
        reason = "finished"
        try:
            for number, link in self.links.items():
                receive = self.arrive if number < 0 else self.parts[number].loop.receive
                recorded = number >= 0 and self.parts[number].leg.config.record is not None
                link.begin(poll, receive, self._lost(number), client=number >= 0, sources=recorded)
            self._control.setblocking(False)
            poll.register(self._control, select.EPOLLIN)
            on_ready(self._shared.address)
            for part in self.parts:
                if not part.loop.program.client:
                    self._start(part)
            self._turns(poll, on_snapshot, snapshot_interval_s)
        except StopNow:
            reason = "stop_now"
        except FatalError as error:
            reason, self._message = "fatal", str(error)
        finally:
            signal.signal(signal.SIGTERM, previous)
            poll.close()
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        self.book.finish()
        state = self.state()
        return EngineResult(merged(state.statistics), reason, self._message, self._shared.address, state)

    def state(self) -> LegsState:
        """What is known so far."""
        statistics = []
        for number, part in enumerate(self.parts):
            one = part.engine.statistics
            if number in self.links:
                self.links[number].account(one)
            statistics.append(one)
        self._shared.account(self._answering[0].engine.statistics)
        return LegsState(statistics, [part.done for part in self.parts], self.book.totals)

    def _lost(self, number: int) -> Lost:
        parts = self._answering if number < 0 else [self.parts[number]]

        def lost(address: Address, now: float) -> None:
            for part in parts:
                part.engine.connection_lost(address, now)

        return lost

    def _start(self, part: _Part) -> None:
        part.started = True
        part.engine.start(time.monotonic())

    def _turns(self, poll: select.epoll, on_snapshot: Callable[[LegsState], None], interval_s: float) -> None:
        """Drain, act, wait, until all is over."""
        monotonic = time.monotonic
        watches = [Watch(part.leg.config.watchdog, part.engine, monotonic()) for part in self.parts]
        owners = {fd: link for link in self.links.values() for fd in (link.fileno(),)}
        next_snapshot = monotonic() + interval_s
        while not all(part.done for part in self.parts):
            now = monotonic()
            wake = NEVER
            for part in self.parts:
                if part.started and not part.done:
                    wake = min(wake, self._turn(part, now))
            for watch in watches:
                if now >= watch.due:
                    watch.look(now)
            if now >= next_snapshot:
                on_snapshot(self.state())
                next_snapshot = now + interval_s
            for fd, events in poll.poll(min(max(wake - now, 0.0), IDLE_S)):
                link = owners.get(fd)
                if link is not None:
                    link.handle(fd, events)
                else:
                    self._command(poll)
            if self._gone:
                self._gone = False
                self._abort(self.parts)

    def _turn(self, part: _Part, now: float) -> float:
        """Timers and calls of one scenario that are due; when the next is."""
        engine = part.engine
        due = engine.expire(now)
        if now >= part.next_starts:
            part.next_starts = now + START_GRID_S
            for _ in range(STARTS):
                if not engine.start_next(now):
                    break
                now = time.monotonic()
            else:
                part.next_starts = now
        if not engine.totals.current and engine.done(now):
            part.done = True
        timers = engine.wheel.keys
        if timers:
            due = min(due, timers[0] / 1000.0)  # calls that have just begun may have set some that end earlier
        return min(due, max(engine.next_start(now), part.next_starts))

    # ---- commands of the parent

    def _terminated(self, signum: int, frame: object) -> None:
        self._gone = True

    def _abort(self, parts: Sequence[_Part]) -> None:
        now = time.monotonic()
        for part in parts:
            part.engine.abort(now)
            part.done |= not part.started

    def _command(self, poll: select.epoll) -> None:
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            poll.unregister(self._control)
            self._abort(self.parts)
        self._commands += data.decode("ascii", "replace")
        *lines, self._commands = self._commands.split("\n")
        for line in lines:
            word, _, number = line.partition(" ")
            part = self.parts[int(number)]
            if word == "go" and not part.started:
                self._start(part)
            elif word == "stop":
                part.engine.stop_gracefully(time.monotonic())
                part.done |= not part.started
            elif word == "abort":
                self._abort([part])


def _telling(send: Send, book: LegBook, name: str) -> Send:
    """Sending, with the book told of requests that open a call."""

    def sending(data: bytes, address: Address) -> object:
        if data.startswith((b"INVITE ", b"MESSAGE ", b"SUBSCRIBE ", b"REFER ")) and not tag_of(data, b"To"):
            book.opened(name, data, time.monotonic())
        return send(data, address)

    return sending


def _is_for(call: Call, data: bytes) -> bool:
    """Whether a message carries the tag that the call sends."""
    own = tag_of(data, b"From" if data.startswith(b"SIP/2.0") else b"To")
    return bool(own) and own in call.last_sent


def _answer(data: bytes, status: str) -> bytes:
    """A response to a request that no scenario takes."""
    lines = [b"SIP/2.0 " + status.encode()]
    for name in _COPIED:
        for value in header_values(data, name):
            tag = b";tag=none" if name == b"To" and not tag_of(data, b"To") else b""
            lines.append(name + b": " + value + tag)
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])
