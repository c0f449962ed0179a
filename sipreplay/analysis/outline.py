"""What the shape of a hop-dialog alone decides: which of its messages and transactions anything can be said about.

All dialogs of one shape (`hops.HopShape`) have the same outline, so it is drawn once and looked up for the others:
methods, status codes, order, repeats, and which tags, branches and CSeqs are equal are parts of the shape. What depends
on other bytes, or on how much time passes, is not here. Never judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sipreplay.analysis.hops import sent_by_caller
from sipreplay.analysis.model import CapturedMessage, HopDialog, Transaction
from sipreplay.analysis.states import CHALLENGES, initial_transactions
from sipreplay.analysis.stored import DialogMessages

MAX_OUTLINES = 65_536
"""Outlines that are remembered; then they are drawn anew."""


class Said(NamedTuple):
    """The messages of a transaction."""

    transaction: int
    """Its place among the transactions."""
    requests: tuple[int, ...]
    """Places of all sights of its request, without copies."""
    answers: tuple[tuple[int, ...], ...]
    """Of each final response all sights."""
    cancel: int
    """The transaction that cancels it, -1 without one."""
    odd: bool
    """Something was said again, went unanswered, met another or crossed."""


class Exchange(NamedTuple):
    """A message that may carry an SDP, or that ends an offer."""

    place: int
    from_caller: bool
    branch: int
    """Number of the (early) dialog that it belongs to; 0 is the one that was answered."""
    kind: str
    """As `offer_answer.KINDS`, not saying whether a 1xx is reliable; "" of a failure."""
    status: int
    update: bool
    """A failure of UPDATE."""
    opens: bool
    """An INVITE outside a dialog."""


class Invite(NamedTuple):
    """Places of the messages of an INVITE transaction."""

    request: int
    responses: tuple[int, ...]
    final: int
    ack: int


class Outline(NamedTuple):
    """Places are those in `HopDialog.messages`, -1 where there is none."""

    plain: bool
    """Every request was answered once with 2xx, acknowledged where it has to be, and nothing was repeated."""
    final: int
    """The final answer to the last round of the request that made the dialog."""
    final_status: int
    last_status: int
    """The last final status of a request of the dialog's kind; 0 without one."""
    answered: int
    """The first 2xx to an INVITE."""
    bye: int
    """The first BYE."""
    statuses: frozenset[int]
    """Of the final answers of all transactions."""
    challenges: int
    """Transactions that were challenged."""
    waiting: bool
    """A request other than ACK got no final answer."""
    retransmissions: int
    requests_again: int
    """Of those, requests."""
    early_answer: bool
    """An answer was seen before its request."""
    ringing: tuple[int, ...]
    """Provisional answers past 100 of the opening rounds."""
    provisional: tuple[int, ...]
    """All 1xx to INVITEs."""
    agreed: tuple[int, ...]
    """2xx to INVITE and UPDATE, transaction by transaction."""
    branches: int
    """To-tags among the answers to the last opening round."""
    said: tuple[Said, ...]
    orphans: tuple[int, ...]
    """Responses to no request that was captured."""
    overlaps: tuple[tuple[int, int], ...]
    """Transactions of which the second was sent while the first waited."""
    exchanges: tuple[Exchange, ...]
    only_invite: Invite | None
    """None if there is none, or several."""


def outline(dialog: HopDialog) -> Outline:
    """The outline of a dialog."""
    messages = dialog.messages
    if not isinstance(messages, DialogMessages):
        return draw(dialog)
    known = messages.outlines
    shape = messages.shape
    found = known.get(id(shape))
    if found is None:
        if len(known) >= MAX_OUTLINES:
            known.clear()
        found = known[id(shape)] = shape, draw(dialog)  # the shape too: its id is its own as long as it is there
    drawn: Outline = found[1]
    return drawn


def draw(dialog: HopDialog) -> Outline:
    """The outline, from the messages and transactions themselves."""
    messages, transactions = list(dialog.messages), list(dialog.transactions)
    places = {captured: number for number, captured in enumerate(messages)}

    def place(captured: CapturedMessage | None) -> int:
        return -1 if captured is None else places[captured]

    initial = initial_transactions(dialog)
    final = initial[-1].final if initial else None
    finals = [t.final for t in transactions]
    again = [m for m in messages if m.retransmission]
    own = [f for t, f in zip(transactions, finals, strict=True) if f and t.method.lower() == dialog.kind]
    invites = [t for t in transactions if t.method == "INVITE"]
    twos = (r for t in invites for r in t.responses if 200 <= r.message.status < 300)
    said, orphans = _said(messages, transactions, finals, place)
    return Outline(
        plain=_plain(dialog, transactions, bool(again)),
        final=place(final),
        final_status=final.message.status if final else 0,
        last_status=own[-1].message.status if own else 0,
        answered=place(next(twos, None)),
        bye=place(next((t.request for t in transactions if t.method == "BYE"), None)),
        statuses=frozenset(f.message.status for f in finals if f),
        challenges=sum(f is not None and f.message.status in CHALLENGES for f in finals),
        waiting=any(f is None and t.method != "ACK" for t, f in zip(transactions, finals, strict=True)),
        retransmissions=len(again),
        requests_again=sum(m.message.is_request for m in again),
        early_answer=any(t.responses and t.responses[0].time < t.request.time for t in transactions),
        ringing=tuple(place(r) for t in initial for r in t.responses if 100 < r.message.status < 200),
        provisional=tuple(place(r) for t in invites for r in t.responses if r.message.status < 200),
        agreed=tuple(
            place(f)
            for t, f in zip(transactions, finals, strict=True)
            if f and t.method in ("INVITE", "UPDATE") and 200 <= f.message.status < 300
        ),
        branches=len({r.message.to_tag for r in initial[-1].responses if r.message.status > 100}) if initial else 0,
        said=said,
        orphans=orphans,
        overlaps=tuple(_overlaps(transactions)),
        exchanges=tuple(_exchanges(dialog, messages)),
        only_invite=Invite(
            place(invites[0].request),
            tuple(place(r) for r in invites[0].responses),
            place(invites[0].final),
            place(invites[0].ack),
        )
        if len(invites) == 1
        else None,
    )


def _plain(dialog: HopDialog, transactions: list[Transaction], again: bool) -> bool:
    if "CANCEL" in dialog.methods:
        return False
    for transaction in transactions:
        finals = [m.message.status for m in transaction.responses if m.message.status >= 200]
        if len(finals) != 1 or finals[0] >= 300:
            return False
        if transaction.method == "INVITE" and transaction.ack is None:
            return False
    return bool(transactions) and not again


_Key = tuple[str, int, str]


def _said(
    messages: list[CapturedMessage],
    transactions: list[Transaction],
    finals: list[CapturedMessage | None],
    place: Callable[[CapturedMessage | None], int],
) -> tuple[tuple[Said, ...], tuple[int, ...]]:
    """What was said in each transaction, and responses to no request."""
    requests: dict[_Key, list[int]] = {}
    answers: dict[_Key, dict[tuple[int, str], list[int]]] = {}
    for number, captured in enumerate(messages):
        if captured.copy:
            continue
        message = captured.message
        if message.is_request:
            requests.setdefault((message.branch, message.cseq_number, message.method), []).append(number)
        elif message.status >= 200:
            key = (message.branch, message.cseq_number, message.cseq_method)
            answers.setdefault(key, {}).setdefault((message.status, message.to_tag), []).append(number)
    cancels = {
        (t.cseq, t.from_caller): number for number, t in reversed(list(enumerate(transactions))) if t.method == "CANCEL"
    }
    known: set[_Key] = set()
    found = []
    for number, (transaction, final) in enumerate(zip(transactions, finals, strict=True)):
        key = (transaction.branch, transaction.cseq, transaction.method)
        known.add(key)
        asked = requests.get(key) or [place(transaction.request)]
        source = messages[asked[0]].source
        sights = [tuple(s) for s in answers.get(key, {}).values() if messages[s[0]].source != source]
        cancel = cancels.get((transaction.cseq, transaction.from_caller), -1) if transaction.method == "INVITE" else -1
        usual = len(asked) == 1 and all(len(s) == 1 for s in sights) and cancel < 0
        failed = final is None or final.message.status == 491
        forked = sum(200 <= r.message.status < 300 for r in transaction.responses) > 1
        odd = not usual or forked or (failed and transaction.method != "ACK")
        found.append(Said(number, tuple(asked), tuple(sights), cancel, odd))
    orphans = tuple(
        number
        for number, m in enumerate(messages)
        if m.message.status
        and not (m.copy or m.retransmission)
        and (m.message.branch, m.message.cseq_number, m.message.cseq_method) not in known
    )
    return tuple(found), orphans


_CHANGING = frozenset({"INVITE", "UPDATE"})


def _overlaps(transactions: list[Transaction]) -> Iterator[tuple[int, int]]:
    """Pairs of session-changing requests of which the second was sent before the first was answered."""
    changing = [(number, t) for number, t in enumerate(transactions) if t.method in _CHANGING]
    for at, (one, first) in enumerate(changing):
        if not first.request.message.to_tag:
            continue
        end = first.final.time if first.final else float("inf")
        for other, second in changing[at + 1 : at + 9]:
            if second.branch == first.branch or first.request.time > second.request.time:
                continue
            if second.request.time < end:
                yield one, other


def _exchanges(dialog: HopDialog, messages: list[CapturedMessage]) -> Iterator[Exchange]:
    """The messages that offers and answers may be in, or that end one."""
    if dialog.kind != "invite":
        return
    branches = {dialog.to_tag: 0}
    for number, captured in enumerate(messages):
        message = captured.message
        if captured.copy or captured.retransmission or message.status == 100:
            continue
        failure = message.status >= 300 and message.cseq_method in _CHANGING
        kind = "" if failure else _kind(captured)
        if not (failure or kind):
            continue
        from_caller = sent_by_caller(dialog, captured)
        tag = message.to_tag if message.is_request == from_caller else message.from_tag
        if tag == dialog.from_tag:
            tag = dialog.to_tag
        branch = branches.setdefault(tag, len(branches))
        opens = kind == "INVITE" and not message.to_tag
        update = failure and message.cseq_method == "UPDATE"
        yield Exchange(number, from_caller, branch, kind, message.status, update, opens)


def _kind(captured: CapturedMessage) -> str:
    message = captured.message
    if message.is_request:
        return message.method if message.method in ("INVITE", "ACK", "PRACK", "UPDATE") else ""
    if message.cseq_method == "INVITE":
        return "1xx" if message.status < 200 else "2xx" if message.status < 300 else ""
    if 200 <= message.status < 300 and message.cseq_method in ("PRACK", "UPDATE"):
        return f"2xx to {message.cseq_method}"
    return ""
