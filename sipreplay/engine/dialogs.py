"""Several dialogs in one call, beyond SIPp (`sr:dialog`): each has its own Call-ID, tags, CSeq, routes and challenge.

The call's fields are those of the dialog that it is in; the others' are kept here. Retransmission is the call's: a send
waits until the one before it was answered, whatever dialog that was in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipreplay.engine.call import ALIVE, Call
from sipreplay.engine.headers import header

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

_FIELDS = (
    "call_id",
    "cseq",
    "last_received",
    "fresh",
    "trigger",
    "trigger_recv_index",
    "trigger_send_index",
    "last_recv_index",
    "last_response",
    "peer_tag",
    "invite_at",
    "rang",
    "invite_cseq",
    "established",
    "ack_pending",
    "headers",
    "head",
)
_RARE = ("routes", "next_url", "challenge", "challenge_code", "nonce_count")


class Kept:
    """A dialog that the call is not in now."""

    __slots__ = ("call_id", "rare", "sent", "values")

    def __init__(self, call_id: bytes) -> None:
        self.call_id = call_id
        self.values: tuple[Any, ...] = ()
        self.rare: tuple[Any, ...] = ()
        self.sent = b""
        """The last message sent in it."""


def enter(engine: Engine, call: Call, number: int, now: float) -> None:
    """Make a dialog (0: the call's first) the one that the call is in; begin it if there is none yet. -1: stay."""
    if number == call.dialog or number < 0:
        return
    more = call.extra()
    dialogs = call.dialogs
    if dialogs is None:
        dialogs = call.dialogs = {}
    left = dialogs.get(call.dialog)
    if left is None:
        left = dialogs[call.dialog] = Kept(call.call_id)
    left.values = tuple(getattr(call, name) for name in _FIELDS)
    left.rare = tuple(getattr(more, name) for name in _RARE)
    if call.last_sent and engine.steps[call.last_send_index].dialog == call.dialog:
        left.sent = call.last_sent
    kept = dialogs.get(number)
    if kept is None:
        first = dialogs[0].call_id
        kept = dialogs[number] = Kept(engine.program.dialogs[number].encode("utf-8", "surrogateescape") + b"-" + first)
        engine.calls[kept.call_id] = call
        fresh = Call(kept.call_id, call.number, call.address, now)
        fresh.cseq = engine.config.base_cseq - 1
        kept.values = tuple(getattr(fresh, name) for name in _FIELDS)
        kept.rare = tuple(getattr(fresh.extra(), name) for name in _RARE)
    for name, value in zip(_FIELDS, kept.values, strict=True):
        setattr(call, name, value)
    for name, value in zip(_RARE, kept.rare, strict=True):
        setattr(more, name, value)
    call.dialog = number


def number_of(call: Call, data: bytes) -> int:
    """The dialog that a message belongs to, by its Call-ID."""
    call_id = header(data, b"Call-ID")
    for number, kept in (call.dialogs or {}).items():
        if kept.call_id == call_id or (b"///" in call_id and kept.call_id == call_id.partition(b"///")[2]):
            return number
    return call.dialog


def receive(engine: Engine, call: Call, data: bytes, now: float) -> None:
    """A message of a call with several dialogs. Afterwards the call is in the dialog of its step again."""
    from sipreplay.engine import special

    enter(engine, call, number_of(call, data), now)
    if engine.retransmits and data == call.trigger:
        special.repeat(engine, call, now)
    elif engine.retransmits and data == call.fresh:
        engine.counters.retransmissions[call.last_recv_index] += 1
    else:
        engine.process(call, data, now)
    if call.state == ALIVE and call.index < engine.end:
        enter(engine, call, engine.steps[call.index].dialog, now)


def release_others(engine: Engine, call: Call, now: float) -> None:
    """The call ends badly: release the peers of the dialogs that it is not in."""
    from sipreplay.engine.abort import release

    begun = call.dialog
    for number in [number for number in call.dialogs or {} if number != begun]:
        enter(engine, call, number, now)
        assert call.dialogs is not None
        call.last_sent = call.dialogs[number].sent
        release(engine, call, now)


def forget(engine: Engine, call: Call, now: float) -> None:
    """The call is over: it is known by its first Call-ID only."""
    enter(engine, call, 0, now)
    for number, kept in (call.dialogs or {}).items():
        if number:
            engine.calls.pop(kept.call_id, None)
    call.dialogs = None
