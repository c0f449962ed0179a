"""The engine: plays one program for many calls. Sans-IO: datagrams, the time and randomness come in, datagrams go out.

Owns the calls, the timer wheel and the order of things inside a call (docs: message processing). Opens nothing, never
reads a clock, and keeps no reference cycles, because it runs with the garbage collector off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Final

from sipreplay.engine import commands, dialogs, lifecycle, special, unexpected
from sipreplay.engine.call import ALIVE, Address, Call
from sipreplay.engine.call_id import call_ids
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import Endpoint
from sipreplay.engine.failure import CallFailed
from sipreplay.engine.headers import cseq_of, header, top_branch
from sipreplay.engine.matching import UNEXPECTED, Received, find
from sipreplay.engine.pacing import Pacing
from sipreplay.engine.perform import perform
from sipreplay.engine.rate import NEVER
from sipreplay.engine.render import render
from sipreplay.engine.steps import (
    MANDATORY,
    NO_VARIABLE,
    PAUSE,
    RECV,
    RECV_COMMAND,
    SEND,
    SEND_COMMAND,
    Program,
    Step,
)
from sipreplay.engine.twin import Twin
from sipreplay.engine.variables import as_double, is_set, read
from sipreplay.engine.wheel import Wheel
from sipreplay.media.port import MediaPort, NoMedia
from sipreplay.scenario.injection import InjectionFile
from sipreplay.stats.calls import CallStatistics

Send = Callable[[bytes, Address], object]

MEMO_LIMIT: Final = 128
"""Answers remembered for one state: what peers can send is not bounded, memory is."""
REFUSING_LIMIT: Final = 1000
STEPS_IN_A_TURN: Final = 10_000
"""Steps that a call may do without waiting. More is a circle, which would flood the peer and starve the others."""
_STOPPERS: Final = frozenset((b"ACK", b"PRACK", b"CANCEL", b"BYE"))
_CSEQ_LIMIT: Final = 0xFFFFFFFF


class Engine(Pacing):
    """One scenario, all its calls.

    Times are seconds of one monotonic clock; `send` may raise BlockingIOError or OSError.
    """

    def __init__(
        self,
        program: Program,
        config: EngineConfig,
        endpoint: Endpoint,
        send: Send,
        random: Random,
        *,
        media: MediaPort | None = None,
        injections: Sequence[InjectionFile] = (),
        now: float = 0.0,
        wall: float = 0.0,
        read_file: Callable[[str], bytes] | None = None,
    ) -> None:
        super().__init__(program, config, endpoint, random, injections, now, wall, read_file)
        self.send = send
        self.media: MediaPort = media or NoMedia(config.media_port)
        self.steps = program.steps
        self.end = len(program.steps)
        self.destination: Address | None = config.sending_address
        """Where calls that are placed go."""
        if self.destination is None and endpoint.remote_ip:
            self.destination = (endpoint.remote_ip, endpoint.remote_port)
        self.calling = next((s.kind == SEND for s in self.steps if s.kind in (SEND, RECV)), self.client)
        """Whether the first message is sent: a call of ours, even if a twin's command starts it."""
        self.retransmits = endpoint.transport == "UDP" and config.retransmission
        self.loose_copies = config.loose_copies
        self.deaf_in_pauses = config.ignore_while_pausing
        self.t2_s = config.t2_ms / 1000.0
        self.calls: dict[bytes, Call] = {}
        self.dead: deque[Call] = deque()
        self.refusing: set[Address] = set()
        """Where nobody listened when something was sent there."""
        self.memo: list[dict[bytes, int]] = [{} for _ in range((self.end + 1) * len(program.dialogs))]
        """By position and dialog: the step that takes a message."""
        self.wheel = Wheel()
        self.new_call_id = call_ids(config, endpoint, random)
        self.numbers = count(1)
        """Of calls; engines on the same sockets share them."""
        self.strangers: Callable[[bytes, bytes, Address | None, float], bool] | None = None
        """Offered each message of no call of this engine, with its Call-ID; whether somebody took it."""
        self.on_rtd: Callable[[str, float, float], None] | None = None
        """Called with (name, milliseconds, now) for each response time, if set."""
        self.twin: Twin | None = None
        """Where `<sendCmd>` goes."""
        self.commands_start_calls = False
        """Whether a command with an unknown Call-ID starts a call."""
        self.extended_commands = False
        """Whether twins have names (-master, -slave)."""

    # What the outside asks.

    def start(self, now: float) -> None:
        """Begin: run `<init>`, and from now on calls are due."""
        lifecycle.begin(self, now)

    def abort(self, now: float) -> None:
        """No new calls; open ones are released by BYE, CANCEL or ACK and count as failed."""
        self.stopping = True
        for call in [call for call in self.calls.values() if call.state == ALIVE]:
            unexpected.forced(self, call, now)

    @property
    def statistics(self) -> CallStatistics:
        """Cumulative statistics, up to date. The object goes on changing."""
        return self.counters.snapshot()

    def place(self, now: float, due: float, user: int = 0) -> None:
        """Start the call that was due at `due`."""
        lifecycle.place_call(self, now, due, user)

    def advance(self, now: float) -> float | None:
        """Do what is due, but start no call; when something (a call, too) is due next on the same clock, or None."""
        due = min(self.expire(now), self.next_start(now))
        return None if due == NEVER else due

    def expire(self, now: float) -> float:
        """Run the timers that are due; when the next one is, infinity if none is set."""
        wheel = self.wheel
        # A deadline of key / 1000.0 times 1000.0 can come out a little less than key: a microsecond early is on time.
        tick = int(now * 1000.0 + 0.001)
        left = self.config.calls_a_turn
        while wheel.keys and wheel.keys[0] <= tick:
            moment = max(now, wheel.keys[0] / 1000.0)
            for call in wheel.pop():
                self._fire(call, moment)
                left -= 1
            if left <= 0:
                return now
        dead = self.dead
        while dead and dead[0].dead_until <= now:
            lifecycle.bury(self, dead.popleft(), now)
        due = wheel.keys[0] / 1000.0 if wheel.keys else NEVER
        if now >= self.next_rate_step:
            self.step_rate(now)
        due = min(due, self.next_rate_step)
        if not self.stopping and self.time_out_at != NEVER:
            if now >= self.time_out_at:
                self.timed_out = self.stopping = True
            due = min(due, self.time_out_at)
        return due

    def receive(self, data: bytes, address: Address | None, now: float) -> None:
        """Take one message. `address` is where it came from; None if it does not matter (a client's)."""
        start = data.find(b"\nCall-ID: ")
        call_id = b""
        call: Call | None = None
        if start > 0 and data.find(b"\r\n\r\n", 0, start) < 0:
            call_id = data[start + 10 : data.find(b"\r", start)]
            call = self.calls.get(call_id)
        if call is None:
            call = lifecycle.locate(self, data, call_id, address, now)
            if call is None:
                return
        if call.state != ALIVE:
            lifecycle.dead_call(self, call, data, now)
            return
        if call.dialogs is not None:
            dialogs.receive(self, call, data, now)
            return
        if self.deaf_in_pauses and self.steps[call.index].kind == PAUSE:
            return
        if self.retransmits:
            if data == call.trigger:
                special.repeat(self, call, now)
                return
            if data == call.fresh:
                self.counters.retransmissions[call.last_recv_index] += 1
                return
            if self.loose_copies and special.loose_copy(self, call, data, now):
                return
        self.process(call, data, now)

    def connection_lost(self, address: Address, now: float) -> None:
        """The stream to `address` is gone: its calls fail, but for those that only wait out their end.

        Over UDP: nobody listens there. Somebody may yet: its calls go on retransmitting, and know why if they give up.
        """
        if self.endpoint.transport == "UDP":
            self.socket_errors[1] += 1
            if len(self.refusing) < REFUSING_LIMIT:
                self.refusing.add(address)
            return
        for call in [call for call in self.calls.values() if call.state == ALIVE and call.address == address]:
            if call.index < self.end and self.steps[call.index].timewait:
                lifecycle.finish(self, call, now)
            else:
                lifecycle.fail(self, call, now, "TcpClosed", "the peer closed the connection", release=False)

    # Inside a call.

    def process(self, call: Call, data: bytes, now: float) -> None:
        """A message of a live call that is not a copy: find its step."""
        if data.startswith(b"SIP/2.0 "):
            at = data.find(b"\nCSeq: ") + 7
            space = data.find(b" ", at)
            stop = data.find(b"\r", at)
            if at < 7 or not 0 < space < stop:
                key = data[8:11] + cseq_of(data)[1]
            else:
                key = data[8:11] + data[space + 1 : stop]
            call.last_response = data
            if call.more is not None and call.more.branches:
                # A method holds no line end, whatever else a peer wrote into it.
                key = b"%s\r%d" % (key, call.more.branches.get(top_branch(data), -1))
            response = True
        else:
            key = data[: data.find(b" ")]
            response = False
            if (key == b"ACK" or key == b"INVITE") and not special.sequence(self, call, key, data, now):
                return
        found = self.memo[call.index + call.dialog * (self.end + 1)].get(key)
        if found is None:
            found = self._search(call, key, response)
        if data.find(b"\nTo: ") < 0 and not header(data, b"To"):
            found = UNEXPECTED
        if found < 0:
            special.unmatched(self, call, found, data, now)
            return
        self.accept(call, self.steps[found], key, response, data, now)

    def _search(self, call: Call, key: bytes, response: bool) -> int:
        """The exact search, its answer remembered for this state."""
        if response:
            code = int(key[:3]) if key[:3].isdigit() else 0
            method, _, transaction = key[3:].partition(b"\r")
            received = Received(b"", code, method, int(transaction) if transaction else -1, call.dialog)
            found = find(self.steps, call.index, received) if code else UNEXPECTED
        else:
            found = find(self.steps, call.index, Received(key, 0, b"", -1, call.dialog))
        memo = self.memo[call.index + call.dialog * (self.end + 1)]
        if len(memo) < MEMO_LIMIT:
            memo[key] = found
        return found

    def accept(self, call: Call, step: Step, key: bytes, response: bool, data: bytes, now: float) -> None:
        """The message is this step's: count, act, remember, go on."""
        index = step.index
        if step.lost and self.random.random() < step.lost:
            special.lost(self, step, data, sending=False)
            return
        if step.booked:
            self.book(call, step, now)
        self.counters.messages[index] += 1
        if not step.plain_after and not special.before(self, call, step, response, data, now):
            return
        if response:
            if call.retrans_due and index > call.last_send_index:
                if key[0] == 0x31 and not key.startswith(b"INVITE", 3):
                    call.retrans_delay = self.t2_s
                    call.retrans_due = now + self.t2_s
                else:
                    call.retrans_due = 0.0
            if call.invite_at > 0.0 and key[0] <= 0x32:
                self._answered(call, key, now)
        else:
            if call.retrans_due and key in _STOPPERS and index > call.last_send_index:
                call.retrans_due = 0.0
            if self.program.uses_cseq:
                number = special.cseq_number(data)
                if number > call.cseq:
                    call.cseq = number
        if self.program.learns_sdp and not step.ignore_sdp:
            special.learn_sdp(self, call, response, key, data)
        if not step.advance_state:
            return
        call.last_received = call.fresh = data
        call.last_recv_index = index
        call.headers = None
        call.head = None
        if step.branches:
            if step.optional != MANDATORY and step.test != NO_VARIABLE and not is_set(read(self, call, step.test)):
                return
            call.index = self.branch_of(call, step)
        else:
            call.index = step.following
        call.paused_until = 0.0
        call.recv_due = 0.0
        self.run(call, now)

    def _answered(self, call: Call, key: bytes, now: float) -> None:
        """Setup and ringing times of a client's INVITE."""
        if not key.startswith(b"INVITE", 3):
            return
        if key[0] == 0x32:
            call.ack_pending = True
            self.counters.setup_time.add(int((now - call.invite_at) * 1_000_000))
            call.invite_at = -1.0
        elif key[1] == 0x38 and not call.rang:
            call.rang = True
            self.counters.ring_time.add(int((now - call.invite_at) * 1_000_000))

    def run(self, call: Call, now: float) -> None:
        """Go on from the call's step until it waits for something or ends."""
        try:
            steps = self.steps
            for _ in range(STEPS_IN_A_TURN):
                index = call.index
                if index >= self.end:
                    lifecycle.finish(self, call, now)
                    return
                step = steps[index]
                if step.condexec != NO_VARIABLE and is_set(read(self, call, step.condexec)) == step.condexec_inverse:
                    call.index = self.branch_of(call, step) if step.branches else step.following
                    continue
                if step.dialog != call.dialog and step.dialog >= 0:
                    dialogs.enter(self, call, step.dialog, now)
                kind = step.kind
                if kind == SEND:
                    if call.retrans_due or not self._send(call, step, now):
                        return
                elif kind == RECV:
                    if call.more is not None and call.more.queued:
                        queued = call.more.queued
                        call.more.queued = b""
                        self.process(call, queued, now)
                    elif call.more is not None and call.more.waiting and unexpected.offer(self, call, now):
                        pass
                    elif step.timeout_s:
                        self.await_message(call, step, now)
                    return
                elif kind == PAUSE:
                    if not call.paused_until:
                        call.paused_until = now + self._pause(call, step)
                        self.book(call, step, now)
                        self.counters.messages[index] += 1
                        if step.operations:
                            perform(self, call, step.operations, b"", now)
                    if call.paused_until > now:
                        self.wheel.schedule(call, call.paused_until)
                        return
                    call.paused_until = 0.0
                elif kind == SEND_COMMAND:
                    commands.send(self, call, step, now)
                elif kind == RECV_COMMAND:
                    self.await_message(call, step, now)
                    return
                else:
                    self.book(call, step, now)
                    self.counters.messages[index] += 1
                    call.index = index
                    if step.operations and not perform(self, call, step.operations, b"", now):
                        lifecycle.fail(self, call, now, "CallRejected", "stopped by the scenario")
                        return
                if call.state != ALIVE:
                    return
                if call.index == index:
                    call.index = self.branch_of(call, step) if step.branches else step.following
                elif call.index < 0:
                    call.index = -1 - call.index
            raise CallFailed("", f"{STEPS_IN_A_TURN} steps without waiting: the scenario goes round in a circle")
        except CallFailed as failed:
            lifecycle.fail(self, call, now, failed.reason, failed.text)

    def await_message(self, call: Call, step: Step, now: float) -> None:
        """The call waits here: set the step's timeout."""
        if step.timeout_s:
            call.recv_due = now + step.timeout_s
            self.wheel.schedule(call, call.recv_due)

    def branch_of(self, call: Call, step: Step) -> int:
        """Where `next`, `test` and `chance` lead."""
        if step.test != NO_VARIABLE and not is_set(read(self, call, step.test)):
            return step.index + 1
        if step.chance < 1.0 and self.random.random() >= step.chance:
            return step.index + 1
        return step.next

    def _pause(self, call: Call, step: Step) -> float:
        """Length of a pause in seconds."""
        if step.variable != NO_VARIABLE:
            return lifecycle.scaled(self, as_double(read(self, call, step.variable)) // 1 / 1000.0)
        if step.sample is not None:
            return lifecycle.scaled(self, float(step.sample(self.random)) // 1 / 1000.0)
        return step.pause_s

    def _send(self, call: Call, step: Step, now: float) -> bool:
        """Send a step's message; False if the socket refused and the call waits."""
        template = step.template
        assert template is not None
        if step.booked:
            self.book(call, step, now)
        if step.uses_cseq:
            call.cseq = (call.cseq + 1) & _CSEQ_LIMIT
        data = render(self, call, template, now)
        index = step.index
        if step.lost and self.random.random() < step.lost:
            special.lost(self, step, data, sending=True)
        else:
            try:
                self.send(data, call.address)  # type: ignore[arg-type]
            except BlockingIOError:
                return special.congested(self, call, step, now)
            except OSError as error:
                special.send_failed(self, call, data, error)
        self.counters.messages[index] += 1
        call.last_sent = data
        call.last_send_index = index
        if call.fresh:
            call.trigger = call.fresh
            call.trigger_recv_index = call.last_recv_index
            call.trigger_send_index = index
            call.fresh = b""
        elif not step.is_request and call.trigger:
            # A copy of the request is answered with the latest response (RFC 3261, 17.2.1), not with the first.
            call.trigger_send_index = index
        if step.retrans_s and self.retransmits:
            call.retrans_delay = step.retrans_s
            call.retrans_due = now + step.retrans_s
            call.retrans_count = 0
            self.wheel.schedule(call, call.retrans_due)
        if step.is_invite:
            if call.invite_at == 0.0:
                call.invite_at = now
        elif step.is_ack:
            call.established = True
            call.ack_pending = False
        if step.start_txn >= 0 or template.media_ports or step.operations:
            special.after_send(self, call, step, data, now)
        return call.state == ALIVE

    def book(self, call: Call, step: Step, now: float) -> None:
        """Response times and counters of a step."""
        if not step.booked:
            return
        if step.counter >= 0:
            self.counters.generic[step.counter] += 1
        if step.rtd_start >= 0:
            if call.rtds is None:
                call.rtds = [call.started] * len(self.program.rtds)
            call.rtds[step.rtd_start] = now
        rtd = step.rtd_stop
        if rtd >= 0 and (step.repeat_rtd or not call.booked_rtds >> rtd & 1):
            call.booked_rtds |= 1 << rtd
            elapsed = now - (call.started if call.rtds is None else call.rtds[rtd])
            self.counters.response_times[rtd].add(int(elapsed * 1_000_000))
            if self.on_rtd is not None:
                self.on_rtd(self.program.rtds[rtd], elapsed * 1000.0, now)

    # Time.

    def _fire(self, call: Call, now: float) -> None:
        """A call's time has come, or an entry is left over from something that was cancelled."""
        if call.state != ALIVE:
            return
        if 0.0 < call.retrans_due <= now:
            special.retransmit(self, call, now)
        if 0.0 < call.paused_until <= now and call.state == ALIVE:
            self.counters.loop_lateness.add(int((now - call.paused_until) * 1_000_000))
            self.run(call, now)
        elif 0.0 < call.recv_due <= now and call.state == ALIVE:
            call.recv_due = 0.0
            special.receive_timeout(self, call, now)
        more = call.more
        if more is not None and 0.0 < more.resend_due <= now and call.state == ALIVE:
            more.resend_due = 0.0
            self.run(call, now)
        if call.state == ALIVE:
            due = min(
                call.retrans_due or NEVER,
                call.paused_until or NEVER,
                call.recv_due or NEVER,
                (call.more.resend_due if call.more is not None else 0.0) or NEVER,
            )
            if due != NEVER:
                self.wheel.schedule(call, due)

    def media_port_of(self, call: Call) -> int:
        """The call's own port, allocated on first use. Raises CallFailed if none is free."""
        return lifecycle.media_port(self, call)
