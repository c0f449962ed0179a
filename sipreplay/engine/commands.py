"""Commands of third party call control inside a call: sending, finding call and step, passing aborts on.

Follows SIPp: a command belongs to the call of its Call-ID; where a scenario begins with a command, an unknown Call-ID
starts a call.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sipreplay.engine import lifecycle
from sipreplay.engine.call import ALIVE, DEAD, Call
from sipreplay.engine.failure import CallFailed
from sipreplay.engine.headers import header
from sipreplay.engine.perform import perform
from sipreplay.engine.render import render
from sipreplay.engine.steps import MANDATORY, NOP, RECV, RECV_COMMAND, SEND_COMMAND, Step

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

_ABORT = re.compile(rb"internal-cmd:[ \t]*abort_call(?=[ \t\r\n]|$)")
_BLANK_OR_END = re.compile(rb"[ \t\r\n]")


def send(engine: Engine, call: Call, step: Step, now: float) -> None:
    """Play a `<sendCmd>`. Raises CallFailed if the command cannot be sent."""
    assert step.template is not None
    engine.book(call, step, now)
    text = render(engine, call, step.template, now)
    if engine.twin is None:
        raise CallFailed("CmdNotSent", "there is no twin to send a command to")
    try:
        engine.twin.send(text, step.peer)
    except OSError as error:
        raise CallFailed("CmdNotSent", f"the command could not be sent: {error.strerror or error}") from None
    engine.counters.messages[step.index] += 1
    if step.operations:
        perform(engine, call, step.operations, b"", now)


def received(engine: Engine, text: bytes, now: float) -> None:
    """Take one command (without its ESC)."""
    # A command is all header lines; the first has none before it.
    call_id = header(b"\r\n" + text, b"Call-ID")
    if b"///" in call_id and not engine.config.keep_call_id_prefix:
        call_id = call_id.partition(b"///")[2]
    if not call_id:
        engine.warn(f"a command without Call-ID, discarded: {text[:60]!r}")
        return
    call = engine.calls.get(call_id)
    if call is not None and call.state == DEAD:
        lifecycle.dead_call(engine, call, text, now)
        return
    if call is None:
        if not engine.commands_start_calls or not engine.may_create(now):
            engine.totals.out_of_call += 1
            engine.warn(f"no call for the command: {text[:60]!r}")
            return
        call = lifecycle.commanded_call(engine, call_id, now)
        if call.state != ALIVE:
            return
    if _ABORT.search(text):
        lifecycle.fail(engine, call, now, "", "the twin gave the call up", got="abort_call")
        return
    try:
        _take(engine, call, text, now)
    except CallFailed as failed:
        lifecycle.fail(engine, call, now, failed.reason, failed.text)


def _take(engine: Engine, call: Call, text: bytes, now: float) -> None:
    """The step that waits for the command, past optional receives and nops; its actions; go on."""
    for step in engine.steps[call.index :]:
        if step.kind == RECV_COMMAND:
            break
        if step.kind != NOP and not (step.kind == RECV and step.optional != MANDATORY):
            raise CallFailed("CallRejected", f"a command came while the call was at {step.expected}")
    else:
        raise CallFailed("CallRejected", "a command came that no step waits for")
    if step.peer and sender_of(text) != step.peer.encode():
        raise CallFailed("CallRejected", f"a command of {sender_of(text)!r} came, expected was one of {step.peer}")
    engine.counters.messages[step.index] += 1
    engine.book(call, step, now)
    call.index = step.index
    if step.operations and not perform(engine, call, step.operations, text.rstrip(b"\r\n"), now):
        raise CallFailed("CallRejected", "stopped by the scenario")
    if call.state != ALIVE:
        return
    if call.index == step.index:
        call.index = engine.branch_of(call, step) if step.branches else step.following
    elif call.index < 0:
        call.index = -1 - call.index
    call.paused_until = 0.0
    call.recv_due = 0.0
    engine.run(call, now)


def sender_of(text: bytes) -> bytes:
    """The name that an extended command's `From:` gives: up to the first blank."""
    return _BLANK_OR_END.split(header(b"\r\n" + text, b"From").strip(), maxsplit=1)[0]


def pass_on_abort(engine: Engine, call: Call, now: float) -> None:
    """Tell the twin of -3pcc that a call has come to a bad end here."""
    if engine.twin is None or engine.extended_commands or call.index <= 0:
        return
    text = render(engine, call, engine.program.default_messages["3pcc_abort"], now)
    try:
        engine.twin.send(text, "")
    except OSError:
        engine.warn(f"the twin could not be told of the end of call {call.call_id.decode('latin-1')}")


def abandon(engine: Engine, now: float) -> None:
    """The twin has gone: end the calls that still have a command before them."""
    last = max((step.index for step in engine.steps if step.kind in (SEND_COMMAND, RECV_COMMAND)), default=-1)
    for call in [call for call in engine.calls.values() if call.state == ALIVE and call.index <= last]:
        lifecycle.fail(engine, call, now, "", "the twin has ended", got="the twin has ended")
