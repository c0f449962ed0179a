"""Birth and death of calls: placing, accepting, ending, accounting, and messages that belong to no call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sipreplay.engine import abort, dialogs
from sipreplay.engine.call import ALIVE, DEAD, Address, Call
from sipreplay.engine.failure import CallFailed, FatalError
from sipreplay.engine.headers import header
from sipreplay.engine.matching import UNEXPECTED, Received, find
from sipreplay.engine.perform import perform
from sipreplay.engine.program import scaled_pause
from sipreplay.engine.render import render
from sipreplay.engine.steps import NO_VARIABLE, RECV, RECV_COMMAND, Step
from sipreplay.engine.variables import is_set, read
from sipreplay.errors import ScenarioError, UsageError
from sipreplay.stats.calls import FailureExample

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

INIT_CALL_ID = b"///main-init"
INIT_STEPS = 10_000
_PLAIN = re.compile(rb"[!-~]+")
_AUTOMATIC = (b"INFO", b"NOTIFY", b"OPTIONS", b"UPDATE")


def begin(engine: Engine, now: float) -> None:
    """Run `<init>`, open the shared media port, plan the first call."""
    config = engine.config
    program = engine.program
    engine.started = now
    if (program.client or engine.calling) and engine.destination is None:
        raise UsageError("this scenario places calls: a remote host is needed")
    if config.users is not None and not program.client:
        raise UsageError("--users needs a scenario that places calls")
    set_rates = getattr(engine.media, "clock_rates", None)
    if set_rates is not None and program.clock_rates:
        set_rates(program.clock_rates)
    if program.shared_media and program.media_kinds:
        engine.media.shared(engine.endpoint.media_port)
    for text in program.warnings:
        engine.warn(text)
    if program.init:
        _run_init(engine, now)
    engine.plan(now)


def _run_init(engine: Engine, now: float) -> None:
    """The steps of `<init>` as a call of their own, which leaves no trace but its number (SIPp counts it too)."""
    init = engine.program.init
    call = Call(INIT_CALL_ID, next(engine.numbers), None, now)
    for _ in range(INIT_STEPS):
        if call.index >= len(init):
            return
        step = init[call.index]
        index = call.index
        skipped = step.condexec != NO_VARIABLE and is_set(read(engine, call, step.condexec)) == step.condexec_inverse
        if not skipped:
            perform(engine, call, step.operations, b"", now)
        if call.index < 0:
            call.index = -1 - call.index
        elif call.index == index:
            call.index = engine.branch_of(call, step) if step.branches else step.following
    raise FatalError(f"<init> does not end ({engine.program.file})")


def scaled(engine: Engine, seconds: float) -> float:
    """A pause with the run's factor and bound."""
    return scaled_pause(engine.config, seconds)


# Birth.


def place_call(engine: Engine, now: float, due: float, user: int = 0) -> None:
    """Start an outgoing call that was due at `due`."""
    engine.counters.start_lateness.add(int((now - due) * 1_000_000))
    number = next(engine.numbers)
    call = Call(engine.new_call_id(number, now), number, engine.destination, now)
    call.cseq = engine.config.base_cseq - 1
    call.user = user
    totals = engine.totals
    totals.outgoing += 1
    totals.generating_s = now - engine.started
    _open(engine, call, now)


def commanded_call(engine: Engine, call_id: bytes, now: float) -> Call:
    """An outgoing call that a twin's command starts, under the twin's Call-ID."""
    call = Call(call_id, next(engine.numbers), engine.destination, now)
    call.cseq = engine.config.base_cseq - 1
    engine.totals.outgoing += 1
    _open(engine, call, now, run=engine.steps[0].kind not in (RECV, RECV_COMMAND))
    return call


def _open(engine: Engine, call: Call, now: float, *, run: bool = True) -> None:
    totals = engine.totals
    engine.created += 1
    engine.calls[call.call_id] = call
    totals.current += 1
    if totals.current > totals.peak:
        totals.peak = totals.current
    if engine.injections:
        random = engine.random
        try:
            call.lines = [source.line(call.user, random.random()) for source in engine.injections]
        except ScenarioError as error:
            raise FatalError(str(error)) from None
    if engine.program.auto_media:
        try:
            media_port(engine, call)
        except CallFailed as failed:
            fail(engine, call, now, failed.reason, failed.text)
            return
    if run and (engine.program.client or engine.steps[0].kind != RECV):
        engine.run(call, now)


def locate(engine: Engine, data: bytes, seen: bytes, address: Address | None, now: float) -> Call | None:
    """The call a message belongs to, by the whole rule; a new call for a server; None if the message ends here.

    `seen`: the Call-ID if it was found in its usual spelling, else b"".
    """
    if data.find(b"SIP/2.0") < 0:
        if data.strip(b"\r\n\0"):
            engine.warn(f'non SIP message discarded: "{data[:60]!r}" ({len(data)} bytes)')
        return None
    call_id = seen if _PLAIN.fullmatch(seen) else b""
    if not call_id:
        call_id = header(data, b"Call-ID")
    if not call_id:
        engine.warn(f"SIP message without Call-ID discarded: {data[:60]!r}")
        return None
    if b"///" in call_id and not engine.config.keep_call_id_prefix:
        call_id = call_id.partition(b"///")[2]
    call = engine.calls.get(call_id)
    if call is not None:
        return call
    if engine.strangers is not None and engine.strangers(data, call_id, address, now):
        return None
    if engine.client or address is None or not _accepts(engine, now) or not _begins_a_call(engine, data):
        _out_of_call(engine, data, address, now)
        return None
    call = Call(call_id, next(engine.numbers), engine.config.sending_address or address, now)
    call.cseq = engine.config.base_cseq - 1
    engine.totals.incoming += 1
    _open(engine, call, now)
    return call if call.state == ALIVE else None


def _accepts(engine: Engine, now: float) -> bool:
    """A server takes new calls until it is told to stop or has had all of them."""
    if engine.stopping or now >= engine.time_out_at:
        return False
    return engine.config.calls is None or engine.created < engine.config.calls


def _begins_a_call(engine: Engine, data: bytes) -> bool:
    """Whether an unknown Call-ID is a call for a server: any request is, but for those that are answered automatically.

    SIPp makes a call, which fails, of a stray response or ACK as well: nobody can want that.
    """
    method = b"" if data.startswith(b"SIP/2.0") else data[: data.find(b" ")]
    if method and method != b"ACK" and not (engine.config.auto_answer and method in _AUTOMATIC):
        return True
    return bool(method) and find(engine.steps, 0, Received(method, 0, b"", -1)) != UNEXPECTED


def _out_of_call(engine: Engine, data: bytes, address: Address | None, now: float) -> None:
    if engine.config.auto_answer and address is not None and data.startswith(_AUTOMATIC):
        answer_once(engine, data, address, now)
        return
    engine.totals.out_of_call += 1
    text = data.decode("utf-8", "replace")
    if engine.stopping and not engine.client:
        engine.warn(f"Discarded message for new calls while quitting: {text}")
        return
    engine.warn(f"Discarding message which can't be mapped to a known SIPp call:\n{text}")


def answer_once(engine: Engine, data: bytes, address: Address, now: float) -> None:
    """200 to a request outside of any call."""
    call = Call(header(data, b"Call-ID"), 0, address, now)
    call.last_received = data
    try:
        engine.send(render(engine, call, engine.program.default_messages["200"], now), address)
    except OSError:
        return
    engine.totals.auto_answered += 1


# Death.


def finish(engine: Engine, call: Call, now: float) -> None:
    """The end of the scenario: success, unless an action's check failed on the way."""
    if call.failure:
        step = engine.steps[min(call.index, engine.end) - 1]
        account(engine, call, call.failure, "a check of the scenario failed", step, "")
        end(engine, call, now, f"failed: {call.failure}")
        return
    engine.totals.successful += 1
    end(engine, call, now, "successful")


def fail(
    engine: Engine,
    call: Call,
    now: float,
    reason: str,
    text: str,
    *,
    step: Step | None = None,
    got: str = "",
    release: bool = True,
    warn: bool = True,
) -> None:
    """The call failed here: count it, release the peer (`release`), forget it."""
    if call.state != ALIVE:
        return
    if step is None:
        step = engine.steps[min(call.index, engine.end - 1)]
    account(engine, call, reason, text, step, got)
    if warn:
        engine.warn(f"call {call.call_id.decode('latin-1')}: {text} (step {step.index}, {step.expected})")
    if release and engine.config.default_bye:
        abort.release(engine, call, now)
        if call.dialogs is not None:
            dialogs.release_others(engine, call, now)
    end(engine, call, now, f"{'aborted' if release else 'failed'} at index {step.index}")


def account(engine: Engine, call: Call, reason: str, text: str, step: Step, got: str) -> None:
    """Count a failed call, with an example for the first of its kind."""
    example = FailureExample(
        reason, step.index, step.expected, got or text, call.call_id.decode("latin-1"), note=step.note
    )
    engine.counters.failure(reason, example)


def end(engine: Engine, call: Call, now: float, reason: str, *, remember: bool = True) -> None:
    """Close a call: free what it held and remember its Call-ID for a while."""
    totals = engine.totals
    totals.current -= 1
    if call.dialogs is not None:
        dialogs.forget(engine, call, now)
    engine.counters.call_length.add(int((now - call.started) * 1_000_000))
    call.state = DEAD
    call.reason = reason
    if engine.on_end is not None:
        engine.on_end(call, reason)
    more = call.more
    if more is not None and more.circuit and engine.circuits is not None:
        engine.circuits.release(more.circuit)
    if more is not None and more.media_port:
        engine.media.release(call.number, more.media_port)
    if more is not None and more.playing and engine.program.shared_media:
        engine.media.release(call.number, engine.endpoint.media_port)
    if engine.users is not None and call.user:
        engine.users.released(call.user, now)
    call.forget()
    wait_s = engine.config.dead_call_wait_ms / 1000.0
    if remember and wait_s:
        call.dead_until = now + wait_s
        engine.dead.append(call)
    else:
        engine.calls.pop(call.call_id, None)


def dead_call(engine: Engine, call: Call, data: bytes, now: float) -> None:
    """A message for a call that has ended: counted, not answered; the call is remembered anew."""
    engine.totals.dead_call += 1
    call.dead_until = now + engine.config.dead_call_wait_ms / 1000.0
    name = call.call_id.decode("latin-1")
    engine.warn(f"Dead call {name} ({call.reason}), received '{data.decode('utf-8', 'replace')}'")
    if engine.on_remark is not None:
        engine.on_remark(f"Dead call {name} received a {engine.endpoint.transport} message:", data)


def bury(engine: Engine, call: Call, now: float) -> None:
    """Forget a dead call for good, unless messages kept coming."""
    if call.dead_until > now:
        engine.dead.append(call)
    elif engine.calls.get(call.call_id) is call:
        del engine.calls[call.call_id]


def media_port(engine: Engine, call: Call) -> int:
    """The call's own RTP port, allocated on first use. Raises CallFailed if none is free."""
    more = call.extra()
    if not more.media_port:
        more.media_port = engine.media.allocate(call.number)
        if not more.media_port:
            raise CallFailed("OutboundCongestion", "no media port is free")
    return more.media_port
