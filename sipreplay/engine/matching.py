"""Which step takes a received message: SIPp's search, exact and slow. The engine remembers its answers by state.

Forward from the current step as far as steps are optional; then backward, over optional steps that lie directly behind
or are global, or to an older transaction whose acknowledgement is due again. Pure: looks at steps, changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sipreplay.engine.steps import GLOBAL, MANDATORY, RECV, SEND, Step

UNEXPECTED: Final = -1
CONSUMED: Final = -2
"""An old provisional response of a transaction: nothing is due."""
REPEATED: Final = -3
"""A final response of an old transaction without ACK: consumed if it is the one that was recorded, else unexpected."""
RESEND: Final = -10
"""RESEND - n: send the ACK of step n again."""


class Received(NamedTuple):
    """What matching looks at."""

    method: bytes
    """Of a request; b"" for a response."""
    code: int
    """Of a response; 0 for a request."""
    cseq_method: bytes
    transaction: int
    """The named transaction of the call whose branch the top Via of a response carries; -1 if none."""
    dialog: int = 0
    """Number of the dialog that it came in."""


def matches(step: Step, received: Received) -> bool:
    """Whether a receive step fits a message."""
    if step.kind != RECV or step.dialog != received.dialog:
        return False
    if step.request:
        if not received.method:
            return False
        if step.pattern is not None:
            return step.pattern.search(received.method) is not None
        return step.request == received.method
    if not received.code:
        return False
    if step.pattern is not None:
        if step.pattern.search(b"%d" % received.code) is None:
            return False
    elif step.response != received.code:
        return False
    if step.response_txn >= 0:
        return step.response_txn == received.transaction
    return step.index == 0 or received.cseq_method in step.methods_before


def find(steps: list[Step], current: int, received: Received) -> int:
    """The index of the step that takes the message, or UNEXPECTED, CONSUMED, REPEATED or RESEND - n."""
    for index in range(current, len(steps)):
        step = steps[index]
        if matches(step, received):
            return index
        if step.kind != RECV or step.optional == MANDATORY:
            break
    contiguous = True
    for index in range(current - 1, -1, -1):
        step = steps[index]
        if step.kind != RECV or step.optional == MANDATORY:
            contiguous = False
        if not matches(step, received):
            continue
        if contiguous or step.optional == GLOBAL:
            return index
        old = _old_transaction(steps, current, step, received)
        if old != UNEXPECTED:
            return old
    return UNEXPECTED


def _old_transaction(steps: list[Step], current: int, step: Step, received: Received) -> int:
    """A response that a past step would have taken: provisional, or a final one that came again."""
    if step.response_txn >= 0:
        if received.code < 200:
            return CONSUMED
        ack = next((s.index for s in steps[:current] if s.ack_txn == step.response_txn), -1)
        return RESEND - ack if ack >= 0 else REPEATED
    following = step.index + 1
    if received.cseq_method == b"INVITE" and following < len(steps):
        after = steps[following]
        if after.kind == SEND and after.is_ack:
            return RESEND - following
    return UNEXPECTED
