"""Messages that no step takes: the scenario's own handler, automatic answers, or the end of the call.

Follows SIPp: `_unexp.main` first, then BYE, CANCEL, PING and (if switched on) INFO, NOTIFY, OPTIONS, UPDATE, then the
abort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipreplay.engine import abort, commands, dialogs, lifecycle
from sipreplay.engine.call import ALIVE, Call
from sipreplay.engine.headers import cseq_of, top_branch
from sipreplay.engine.matching import Received, find
from sipreplay.engine.steps import NO_VARIABLE, PAUSE, RECV, RECV_COMMAND, SEND, SEND_COMMAND, Step
from sipreplay.engine.variables import as_double, read, write

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

_AUTOMATIC = frozenset((b"INFO", b"NOTIFY", b"OPTIONS", b"UPDATE"))
WAITING = 16
"""Messages of one call that wait for their step."""
CODES_KEPT = 100_000
"""Response codes between two rows of -trace_error_codes: peers decide how many come, memory is bounded."""
_DOING = {
    SEND: "sending",
    PAUSE: "pausing",
    SEND_COMMAND: "sending command",
    RECV_COMMAND: "expecting command",
}


def unexpected(engine: Engine, call: Call, data: bytes, now: float) -> None:
    """What becomes of a message that does not fit."""
    if _handled_by_scenario(engine, call, data, now):
        return
    config = engine.config
    step = engine.steps[min(call.index, engine.end - 1)]
    method = b"" if data.startswith(b"SIP/2.0") else data[: data.find(b" ")]
    name = call.call_id.decode("latin-1")
    if step.unexpected != "fail":
        _tolerated(engine, call, step, method, data, now)
        return
    if method in (b"BYE", b"CANCEL"):
        engine.counters.unexpected[step.index] += 1
        if not config.abort_unexpected:
            engine.warn(f"Continuing call on unexpected {method.decode()} for call: {name}")
            return
        engine.warn(f"Aborting call on an unexpected {method.decode()} for call: {name}")
        if config.default_bye:
            _answer(engine, call, data, now)
        commands.pass_on_abort(engine, call, now)
        lifecycle.account(engine, call, "UnexpectedMessage", "", step, shown(data))
        lifecycle.end(engine, call, now, f"failed at index {step.index}", remember=False)
        return
    if method == b"PING" and not config.answer_ping:
        engine.warn(f"Do not answer on unexpected PING for call: {name}")
        return
    if method == b"PING" or (method in _AUTOMATIC and config.auto_answer):
        last = call.last_received
        _answer(engine, call, data, now)
        call.last_received = last
        call.headers = None
        call.head = None
        engine.totals.auto_answered += 1
        return
    engine.counters.unexpected[step.index] += 1
    if engine.on_remark is not None:
        engine.on_remark(f"Unexpected {engine.endpoint.transport} message received:", data)
    if engine.unexpected_codes is not None and not method and len(engine.unexpected_codes) < CODES_KEPT:
        engine.unexpected_codes.append(int(data[8:11]) if data[8:11].isdigit() else 0)
    verb = "Aborting" if config.abort_unexpected else "Continuing"
    text = data.decode("utf-8", "replace")
    engine.warn(
        f"{verb} call on unexpected message for Call-Id '{name}': while {_doing(step)} (index {step.index}), "
        f"received '{text}'"
    )
    if not config.abort_unexpected:
        return
    commands.pass_on_abort(engine, call, now)
    call.last_received = data
    call.headers = None
    call.head = None
    lifecycle.fail(
        engine,
        call,
        now,
        "UnexpectedMessage",
        f"unexpected {shown(data)}",
        step=step,
        got=shown(data),
        warn=False,
    )


def _tolerated(engine: Engine, call: Call, step: Step, method: bytes, data: bytes, now: float) -> None:
    """The scenario goes on in spite of a message that does not fit here: beyond SIPp, and only where it asks for it."""
    how = step.unexpected
    if how == "queue":
        waiting = call.extra().waiting
        if data in waiting:
            engine.counters.retransmissions[step.index] += 1
            return
        if len(waiting) < WAITING:
            waiting.append(data)
            return
        engine.warn(f"call {call.call_id.decode('latin-1')}: {WAITING} messages wait already, {shown(data)} is dropped")
    engine.counters.unexpected[step.index] += 1
    if how == "answer" and method not in (b"", b"ACK"):
        last = call.last_received
        _answer(engine, call, data, now)
        call.last_received = last
        call.headers = None
        call.head = None
        engine.totals.auto_answered += 1


def offer(engine: Engine, call: Call, now: float) -> bool:
    """A receive was reached: the first message that waits and fits comes now. Whether there was one."""
    assert call.more is not None
    waiting = call.more.waiting
    for number, data in enumerate(waiting):
        if _fits(engine, call, data):
            del waiting[number]
            if call.dialogs is not None:
                dialogs.enter(engine, call, dialogs.number_of(call, data), now)
            engine.process(call, data, now)
            return True
    return False


def _fits(engine: Engine, call: Call, data: bytes) -> bool:
    """Whether a step takes the message where the call is now."""
    dialog = call.dialog if call.dialogs is None else dialogs.number_of(call, data)
    if not data.startswith(b"SIP/2.0"):
        return find(engine.steps, call.index, Received(data[: data.find(b" ")], 0, b"", -1, dialog)) >= 0
    if not data[8:11].isdigit():
        return False
    branches = call.more.branches if call.more is not None else {}
    transaction = branches.get(top_branch(data), -1) if branches else -1
    return find(engine.steps, call.index, Received(b"", int(data[8:11]), cseq_of(data)[1], transaction, dialog)) >= 0


def _doing(step: Step) -> str:
    """What the call was at, in SIPp's words."""
    if step.kind == RECV:
        return f"expecting '{step.expected}'"
    return _DOING.get(step.kind, f"in message type {step.kind}")


def _handled_by_scenario(engine: Engine, call: Call, data: bytes, now: float) -> bool:
    """The label `_unexp.main`, if there is one and the call is not already there."""
    program = engine.program
    if program.unexpected_label < 0 or program.unexpected_label >= engine.end:
        return False
    back = program.unexpected_return
    if back != NO_VARIABLE:
        if as_double(read(engine, call, back)) != 0.0:
            return False
        write(engine, call, back, float(call.index))
    if program.unexpected_pause != NO_VARIABLE:
        paused = (call.paused_until - engine.started) * 1000.0 if call.paused_until else 0.0
        write(engine, call, program.unexpected_pause, paused)
    call.paused_until = 0.0
    call.recv_due = 0.0
    call.extra().queued = data
    call.index = program.unexpected_label
    engine.run(call, now)
    return True


def _answer(engine: Engine, call: Call, data: bytes, now: float) -> None:
    """200 to a request."""
    call.last_received = data
    call.headers = None
    call.head = None
    abort.default(engine, call, "200", now)


def forced(engine: Engine, call: Call, now: float) -> None:
    """The run ends before this call does. One that only waits for what may still come has done all it should."""
    if call.state != ALIVE:
        return
    if call.index < engine.end and engine.steps[call.index].timewait:
        lifecycle.finish(engine, call, now)
    else:
        lifecycle.fail(engine, call, now, "", "the run was stopped", got="the run was stopped")


def shown(data: bytes) -> str:
    """A message in a word or two: `404 Not Found`, `BYE`."""
    line = data.partition(b"\r\n")[0]
    if line.startswith(b"SIP/2.0 "):
        return line[8:60].decode("utf-8", "replace")
    return line.partition(b" ")[0][:40].decode("utf-8", "replace")
