"""What happens inside a call off the main road: retransmission, timeouts, actions after a match, transactions, media.

Functions on an engine and a call; the state is theirs.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sipreplay.engine import lifecycle, unexpected
from sipreplay.engine.call import ALIVE, Call
from sipreplay.engine.failure import CallFailed
from sipreplay.engine.headers import body_of, cseq_of, header, top_branch
from sipreplay.engine.matching import CONSUMED, REPEATED, RESEND
from sipreplay.engine.perform import perform
from sipreplay.engine.render import render
from sipreplay.engine.route_set import route_set
from sipreplay.engine.sdp_target import event_type, media_targets
from sipreplay.engine.steps import Step

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine


def cseq_number(data: bytes) -> int:
    """The number in CSeq, 0 if there is none."""
    at = data.find(b"\nCSeq: ") + 7
    if at >= 7:
        number = data[at : data.find(b" ", at)]
        if number.isdigit() and len(number) <= 10:
            return int(number)
    return cseq_of(data)[0]


def sequence(engine: Engine, call: Call, method: bytes, data: bytes, now: float) -> bool:
    """INVITE and ACK: remember the number, and refuse an ACK for another INVITE. False if that ended the call."""
    number = cseq_number(data)
    if method == b"INVITE":
        call.invite_cseq = number
        return True
    if engine.config.check_ack_cseq and call.invite_cseq >= 0 and number != call.invite_cseq:
        engine.warn(f"the ACK's CSeq is {number}, the INVITE's was {call.invite_cseq}: call {call.call_id!r} is ended")
        lifecycle.fail(
            engine, call, now, "", "ACK whose CSeq is not the INVITE's", got=f"ACK with CSeq {number}", release=False
        )
        return False
    call.established = True
    return True


def unmatched(engine: Engine, call: Call, found: int, data: bytes, now: float) -> None:
    """No step takes the message: an old transaction's response, or unexpected."""
    if found <= RESEND:
        resend(engine, call, engine.steps[RESEND - found], now)
        return
    if found == CONSUMED:
        return
    if found == REPEATED and call.more is not None and data in call.more.finals.values():
        return
    unexpected.unexpected(engine, call, data, now)


def lost(engine: Engine, step: Step, data: bytes, *, sending: bool) -> None:
    """A message is lost on purpose."""
    engine.counters.lost[step.index] += 1
    if engine.on_remark is not None:
        what = "message voluntary lost (while sending)." if sending else "message lost (recv)."
        engine.on_remark(f"{engine.endpoint.transport} {what}", data)


def loose_copy(engine: Engine, call: Call, data: bytes, now: float) -> bool:
    """Whether a message is a copy by its dialog, CSeq and content alone (SIPp's -rtcheck loose); then it is handled."""
    if call.trigger and _core(data) == _core(call.trigger):
        repeat(engine, call, now)
        return True
    if call.fresh and _core(data) == _core(call.fresh):
        engine.counters.retransmissions[call.last_recv_index] += 1
        return True
    return False


def _core(data: bytes) -> tuple[bytes, ...]:
    """What tells messages apart when copies are recognised loosely: a copy may come another way, with another Via."""
    names = (b"To", b"From", b"Call-ID", b"CSeq")
    said = (data.partition(b"\r\n")[0], body_of(data)) if data.startswith(b"SIP/2.0") else ()
    return (*(header(data, name) for name in names), *said)


def repeat(engine: Engine, call: Call, now: float) -> None:
    """The message that triggered an answer came again: answer again, keywords evaluated anew."""
    index = call.trigger_recv_index
    engine.counters.retransmissions[index] += 1
    chance = engine.steps[index].lost
    if not chance or engine.random.random() >= chance:
        resend(engine, call, engine.steps[call.trigger_send_index], now)


def resend(engine: Engine, call: Call, step: Step, now: float) -> None:
    """Build and send a step's message again, outside of the flow."""
    assert step.template is not None
    try:
        engine.send(render(engine, call, step.template, now), call.address)  # type: ignore[arg-type]
    except (OSError, CallFailed):
        return
    engine.counters.retransmissions[step.index] += 1
    engine.totals.retransmissions += 1


def before(engine: Engine, call: Call, step: Step, response: bool, data: bytes, now: float) -> bool:
    """What a matched step does besides counting and advancing. False if the call ended."""
    if step.response_txn >= 0 and data[8:9] != b"1":
        call.extra().finals[step.response_txn] = data
    if step.operations:
        index = call.index
        try:
            go_on = perform(engine, call, step.operations, data, now)
        except CallFailed as failed:
            call.last_received = data
            call.headers = None
            call.head = None
            if response and data[8:9] == b"2":
                # It was not counted yet, but the peer has answered: what releases it is ACK and BYE, not CANCEL.
                call.ack_pending = True
            lifecycle.fail(engine, call, now, failed.reason, failed.text)
            return False
        call.index = index
        if not go_on:
            lifecycle.fail(engine, call, now, "CallRejected", "stopped by the scenario", release=False)
            return False
        if call.state != ALIVE:
            return False
    if step.rrs and (call.more is None or call.more.routes is None):
        recorded = route_set(data, response=response)
        if recorded is None:
            engine.warn(f"rrs: the message has no Contact (call {call.call_id!r})")
        else:
            more = call.extra()
            more.routes, more.next_url = recorded
    if step.auth and data[8:11] in (b"401", b"407"):
        if not header(data, b"WWW-Authenticate") and not header(data, b"Proxy-Authenticate"):
            text = f"a {data[8:11].decode()} without WWW-Authenticate or Proxy-Authenticate"
            lifecycle.fail(engine, call, now, "", text, step=step)
            return False
        more = call.extra()
        more.challenge = data
        more.challenge_code = int(data[8:11])
        more.nonce_count = 0
    return True


def learn_sdp(engine: Engine, call: Call, response: bool, method: bytes, data: bytes) -> None:
    """Keep the addresses of the peer's SDP: from responses, INVITE, ACK and PRACK."""
    if (response or method in (b"INVITE", b"ACK", b"PRACK")) and body_of(data):
        targets = media_targets(data)
        if targets:
            call.extra().targets.update(targets)
        if engine.program.learns_events:
            call.extra().event_type = event_type(data) or call.extra().event_type


def after_send(engine: Engine, call: Call, step: Step, data: bytes, now: float) -> None:
    """What a sent message leaves behind: its branch, the ports it announced, actions."""
    if step.start_txn >= 0:
        branches = call.extra().branches
        for branch in [branch for branch, txn in branches.items() if txn == step.start_txn]:
            del branches[branch]
        branches[top_branch(data)] = step.start_txn
    template = step.template
    if template is not None and template.media_ports:
        for kind, own, offset in template.media_ports:
            call.extra().sources[kind] = (own, offset)
    if step.operations:
        perform(engine, call, step.operations, data, now)


def send_failed(engine: Engine, call: Call, data: bytes, error: OSError) -> None:
    """The socket would not send. Raises CallFailed, unless it only told of an earlier datagram that came back."""
    engine.socket_errors[0] += 1
    if engine.endpoint.transport == "UDP":
        try:
            engine.send(data, call.address)  # type: ignore[arg-type]
        except ConnectionRefusedError:
            return
        except OSError as again:
            error = again
        else:
            return
    reason = "TcpConnect" if engine.endpoint.transport == "TCP" and call.index == 0 else "CannotSendMessage"
    way = f"from {engine.config.local_ip} to {call.address[0]}:{call.address[1]}" if call.address is not None else ""
    raise CallFailed(reason, f"could not be sent {way}: {error.strerror}")


def congested(engine: Engine, call: Call, step: Step, now: float) -> bool:
    """The socket has no room: try again in a millisecond, until the send's timeout. Returns False: the call waits."""
    engine.socket_errors[2] += 1
    more = call.extra()
    if step.uses_cseq:
        call.cseq -= 1
    if step.timeout_s:
        if not more.send_deadline:
            more.send_deadline = now + step.timeout_s
        elif now >= more.send_deadline:
            more.send_deadline = 0.0
            lifecycle.fail(engine, call, now, "TimeoutOnSend", "the socket stayed full")
            return False
    more.resend_due = now + 0.001
    engine.wheel.schedule(call, more.resend_due)
    return False


def retransmit(engine: Engine, call: Call, now: float) -> None:
    """The retransmission timer ran out: send the same bytes again, or give up."""
    step = engine.steps[call.last_send_index]
    engine.counters.loop_lateness.add(int((now - call.retrans_due) * 1_000_000))
    config = engine.config
    limit = config.max_invite_retrans if step.is_invite else config.max_non_invite_retrans
    call.retrans_count += 1
    if call.retrans_count > min(limit, config.max_retrans):
        call.retrans_due = 0.0
        engine.counters.timeouts[step.index] += 1
        text = f"no answer after {call.retrans_count - 1} retransmissions"
        if call.address in engine.refusing:
            text += f": nothing listens on {call.address[0]}:{call.address[1]} (unreachable)"
        jump_or_fail(engine, call, step, now, "MaxUDPRetrans", text)
        return
    if step.lost and engine.random.random() < step.lost:
        lost(engine, step, call.last_sent, sending=True)
    else:
        with contextlib.suppress(OSError):
            engine.send(call.last_sent, call.address)  # type: ignore[arg-type]
    engine.counters.retransmissions[step.index] += 1
    engine.totals.retransmissions += 1
    call.retrans_delay *= 2
    if not step.is_invite:
        call.retrans_delay = min(call.retrans_delay, engine.t2_s)
    call.retrans_due = now + call.retrans_delay


def receive_timeout(engine: Engine, call: Call, now: float) -> None:
    """A receive waited as long as it may."""
    step = engine.steps[call.index]
    engine.counters.timeouts[step.index] += 1
    jump_or_fail(engine, call, step, now, "TimeoutOnRecv", f"nothing came for {step.timeout_s * 1000:.0f} ms")


def jump_or_fail(engine: Engine, call: Call, step: Step, now: float, reason: str, text: str) -> None:
    """To the label of `ontimeout`, or the end of the call as failed; a label at the scenario's end fails as well."""
    if 0 <= step.ontimeout < engine.end:
        call.index = step.ontimeout
        call.recv_due = 0.0
        call.paused_until = 0.0
        engine.run(call, now)
        return
    lifecycle.fail(engine, call, now, reason, text, step=step)
