"""What a hop-dialog's transactions show: repeats and whether they keep a timer, what was lost, what crossed.

Timers are those of RFC 3261 17 (A, E, G) and 13.3.1.4 (2xx); the table `TIMERS` says how each spaces repeats. Computed
for one dialog when asked for. Never judges (`sip_findings` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from sipreplay.analysis.model import CapturedMessage, HopDialog, Transaction
from sipreplay.analysis.outline import outline

T1_S = 0.5
T2_S = 4.0
GIVE_UP_S = 64 * T1_S
"""Timers B, F and H: when a client, or a server that waits for an ACK, gives up."""
TOLERANCE = 0.25
"""What an interval may differ from its timer's, as a share of it."""
SLACK_S = 0.06
"""What it may differ besides: schedulers and networks are not exact."""


class Timer(NamedTuple):
    """How a kind of message is repeated."""

    name: str
    source: str
    capped: bool
    """Whether intervals stop growing at T2."""
    repeats: str


TIMERS = {
    "A": Timer("A", "RFC 3261 17.1.1.2", False, "an INVITE without any response: T1, 2*T1, 4*T1, ..."),
    "E": Timer("E", "RFC 3261 17.1.2.2", True, "another request without a final response: T1, 2*T1, ... up to T2"),
    "G": Timer("G", "RFC 3261 17.2.1", True, "a failure of an INVITE without its ACK: T1, 2*T1, ... up to T2"),
    "2xx": Timer("2xx", "RFC 3261 13.3.1.4", True, "a 2xx to an INVITE without its ACK: T1, 2*T1, ... up to T2"),
}


@dataclass(frozen=True, slots=True)
class Repeats:
    """A message that was said several times."""

    timer: str
    """Key of `TIMERS`; "" for answers to repeated requests and for 1xx, which no timer repeats."""
    messages: tuple[CapturedMessage, ...]
    """All sights, the first too, without copies."""
    t1_s: float | None
    """The first interval when later ones follow from it, else None."""
    fits: bool | None
    """Whether the intervals are the timer's; None with no timer or no interval."""

    @property
    def count(self) -> int:
        """Repeats after the first."""
        return len(self.messages) - 1


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """One transaction, and what is odd about it."""

    transaction: Transaction
    request: Repeats
    finals: tuple[Repeats, ...]
    """Each final response (several with forks)."""
    outcome: str
    """answered; no answer (nothing came back); no final answer (only 1xx)."""
    gave_up_s: float | None
    """For what got no answer: seconds from the request to its last repeat."""
    waited_s: float
    """Seconds from the request to its final response, or to the dialog's last message."""
    lost_ack: bool
    """A final response to an INVITE was repeated for want of an ACK, or none was seen for it."""
    cancelled: bool
    cancel_race: str
    """A CANCEL that crossed: "2xx crossed CANCEL", "no 487 after CANCEL", or ""."""
    glare: bool
    """491 (RFC 3261 14.1)."""
    extra_finals: tuple[CapturedMessage, ...]
    """2xx from further branches of a fork (RFC 3261 13.2.2.4)."""


@dataclass(frozen=True, slots=True)
class DialogTransactions:
    """All of a dialog."""

    facts: tuple[TransactionFacts, ...]
    orphans: tuple[CapturedMessage, ...]
    """Responses to no request that was captured."""
    overlaps: tuple[tuple[Transaction, Transaction], ...] = field(default=())
    """Requests that were sent while the same side's, or the other's, INVITE or UPDATE waited for its answer."""


def transaction_facts(dialog: HopDialog, *, odd: bool = False) -> DialogTransactions:
    """The facts of a dialog's transactions; of the odd ones only, if only they have anything to tell."""
    drawn = outline(dialog)
    chosen = [said for said in drawn.said if said.odd or not odd]
    messages = dialog.messages
    orphans = tuple(messages[at] for at in drawn.orphans)
    if not chosen and not drawn.overlaps:
        return DialogTransactions((), orphans)
    transactions = dialog.transactions if odd else list(dialog.transactions)
    facts = tuple(
        _facts(
            dialog,
            transactions[said.transaction],
            [messages[at] for at in said.requests],
            [[messages[at] for at in sights] for sights in said.answers],
            transactions[said.cancel] if said.cancel >= 0 else None,
        )
        for said in chosen
    )
    overlaps = tuple((transactions[first], transactions[second]) for first, second in drawn.overlaps)
    return DialogTransactions(facts, orphans, overlaps)


def _facts(
    dialog: HopDialog,
    transaction: Transaction,
    said: list[CapturedMessage],
    answers: list[list[CapturedMessage]],
    cancel: Transaction | None,
) -> TransactionFacts:
    invite = transaction.method == "INVITE"
    reliable = dialog.transport != "UDP"
    final = transaction.final
    first_answer = transaction.responses[0].time if transaction.responses else None
    waiting = [m for m in said if first_answer is None or m.time <= first_answer] if invite else said
    request = _repeats("" if reliable or transaction.method == "ACK" else "A" if invite else "E", waiting, said)
    repeated = tuple(_repeats(_final_timer(transaction, a[0], reliable, len(said)), a, a) for a in answers)
    outcome = "answered" if final else "no final answer" if transaction.responses else "no answer"
    last = final.time if final else max(said[-1].time, dialog.last)
    extra = tuple(
        r
        for r in transaction.responses
        if final is not None
        and 200 <= final.message.status < 300
        and 200 <= r.message.status < 300
        and r.message.to_tag != final.message.to_tag
    )
    return TransactionFacts(
        transaction=transaction,
        request=request,
        finals=repeated,
        outcome=outcome,
        gave_up_s=None if transaction.responses else said[-1].time - said[0].time,
        waited_s=max(0.0, last - said[0].time),
        lost_ack=invite and final is not None and _ack_lost(transaction, final, repeated),
        cancelled=cancel is not None,
        cancel_race=_cancel_race(transaction, cancel),
        glare=final is not None and final.message.status == 491,
        extra_finals=extra if invite else (),
    )


def _final_timer(transaction: Transaction, final: CapturedMessage, reliable: bool, requests: int) -> str:
    """The timer that repeats a final response by itself; another's is repeated for a repeated request only."""
    if transaction.method != "INVITE" or requests > 1:
        return ""
    if 200 <= final.message.status < 300:
        return "2xx"
    return "" if reliable else "G"


def _repeats(timer: str, timed: Sequence[CapturedMessage], said: Sequence[CapturedMessage]) -> Repeats:
    gaps = [later.time - earlier.time for earlier, later in pairwise(timed)]
    if not timer or not gaps:
        return Repeats(timer, tuple(said), None, None)
    t1_s = gaps[0]
    expected = t1_s
    fits = 0.05 <= t1_s <= T2_S + SLACK_S
    for gap in gaps[1:]:
        expected *= 2
        wanted = [expected]
        if TIMERS[timer].capped:
            expected = min(expected, max(T2_S, t1_s))
            wanted = [expected, T2_S]  # once a 1xx is in, Timer E fires at T2
        fits = fits and any(abs(gap - w) <= w * TOLERANCE + SLACK_S for w in wanted)
    return Repeats(timer, tuple(said), t1_s, fits)


def _ack_lost(transaction: Transaction, final: CapturedMessage, finals: Sequence[Repeats]) -> bool:
    """Whether no ACK was seen although the answer was repeated, or the answer went on after the ACK."""
    own = next((r for r in finals if r.messages[0].message.to_tag == final.message.to_tag), None)
    repeats = own.count if own is not None and own.timer else 0
    if transaction.ack is None:
        return repeats > 0
    after = [m for m in own.messages if m.time > transaction.ack.time + T1_S] if own is not None and own.timer else []
    return bool(after)


def _cancel_race(transaction: Transaction, cancel: Transaction | None) -> str:
    if cancel is None:
        return ""
    final = transaction.final
    if final is None:
        return "no 487 after CANCEL" if cancel.final is not None else ""
    return "2xx crossed CANCEL" if 200 <= final.message.status < 300 else ""
