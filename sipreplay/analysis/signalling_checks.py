"""Checks of one hop-dialog's signalling: failures, losses, timers, races, redirects, slow set-up.

Each check is a function from a case to findings, listed in `CHECKS` or `ODD_CHECKS`. Severity is ERROR only for what a
user would call broken; what users bring about (busy, cancelled, declined) is no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sipreplay.analysis.case import Case, packets_in_words, printable
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import HopDialog, Transaction
from sipreplay.analysis.states import initial_transactions
from sipreplay.analysis.stored import data_of
from sipreplay.analysis.transaction_facts import GIVE_UP_S, TIMERS, TransactionFacts

EXPECTED = frozenset({401, 407, 422, 423, 486, 487, 491, 600, 603})
"""Answers that users and protocol bring about in sound networks, or that have a check of their own."""
_CODECS = frozenset({415, 488, 606})
SLOW_PDD_MS = 8000.0
"""Post-dial delay from which callers give up (ITU-T E.721 asks for a mean of 8 s on international calls)."""
SURE_S = 4.0
"""What is missing counts as missing only if the capture goes on for this much longer."""
MANY_REPEATS = 3

REASONS = {
    "failed": "see what the answering side logged at that time; Reason and Warning headers say more where it sent them",
    "dead": "see whether the peer is up and whether a firewall or NAT drops the way there or back",
    "ack": "see whether the ACK is routed to the Contact of the 2xx (Record-Route, NAT) and whether it got there",
    "lossy": "look for loss between the two addresses, or for a peer that is too slow to answer within 500 ms",
}


def failed(case: Case) -> Iterator[Finding]:
    """The answer that ended the attempt, at the hop where it arose."""
    final = case.final
    if final is None or final.message.status < 400 or final.message.status in EXPECTED | _CODECS:
        return
    dialog, message = case.dialog, final.message
    status = message.status
    if any(_status(hop) == status for hop in case.downstream):
        return
    kind = printable(dialog.kind.upper())
    reasons = [printable(v) for name in ("reason", "warning") for v in message.get_all(name)[:3]]
    why = f"packet {final.packet} answers packet {case.initial[-1].request.packet} with {status}"
    if reasons:
        why += f" ({'; '.join(reasons)})"
    text = f"{kind} to {dialog.callee} failed: {status} {printable(message.reason)}".rstrip()
    severity = Severity.ERROR if 500 <= status < 600 and status not in (501, 505) else Severity.WARNING
    if dialog.kind not in ("invite", "register"):
        severity = Severity.NOTE if status < 500 or status in (501, 505) else Severity.WARNING
    if status in (482, 483):
        why += f"; Max-Forwards {printable(case.initial[-1].request.message.get('max-forwards') or '?')} in the request"
        yield case.finding(
            Severity.ERROR,
            "loop",
            f"{kind} went in circles behind {dialog.callee}: {status} {printable(message.reason)}",
            why,
            "see which proxy sends the request to one that has had it already: compare Via and Request-URI hop by hop",
            case.initial[-1].request,
            final,
        )
        return
    rule = f"{dialog.kind}-failed-{status}" if dialog.kind.isalpha() and len(dialog.kind) < 20 else f"failed-{status}"
    yield case.finding(severity, rule, text, why, REASONS["failed"], case.initial[-1].request, final)


def failed_in_dialog(case: Case) -> Iterator[Finding]:
    """Requests within a dialog that were refused."""
    opened = {id(t) for t in case.initial}
    for transaction in case.dialog.transactions:
        final = transaction.final
        if final is None or id(transaction) in opened or not transaction.request.message.to_tag:
            continue
        status = final.message.status
        if status < 400 or status in EXPECTED | _CODECS:
            continue
        if any(_same_request(hop.transactions, transaction, status) for hop in case.downstream):
            continue
        method = printable(transaction.method)
        yield case.finding(
            Severity.ERROR if transaction.method == "BYE" and status == 404 else Severity.WARNING,
            f"in-dialog-failed-{status}",
            f"{method} within a dialog at {transaction.request.destination} failed: {status} "
            + printable(final.message.reason),
            f"packet {final.packet} answers packet {transaction.request.packet}",
            "481 and 404 say that it does not know the dialog: compare tags, Route set and Request-URI with the 2xx",
            transaction.request,
            final,
        )


def _same_request(transactions: Sequence[Transaction], request: Transaction, status: int) -> bool:
    return any(
        t.method == request.method
        and t.cseq == request.cseq
        and t.final is not None
        and t.final.message.status == status
        for t in transactions
    )


def _status(dialog: HopDialog) -> int:
    rounds = initial_transactions(dialog)
    final = rounds[-1].final if rounds else None
    return final.message.status if final else 0


def unanswered(case: Case) -> Iterator[Finding]:
    """Requests that nothing came back to, although there was time."""
    if case.half_seen:
        return
    for facts in case.transactions.facts:
        transaction = facts.transaction
        if transaction.method == "ACK" or facts.outcome == "answered":
            continue
        request = transaction.request
        waited_s = case.end - request.time
        if facts.outcome == "no answer":
            if facts.request.count == 0 and waited_s < GIVE_UP_S:
                continue  # the capture ends too early to say
            if waited_s < SURE_S or not case.view.covers(request.time + SURE_S, request.time + 2 * GIVE_UP_S):
                continue
            tries = facts.request.count + 1
            why = f"packet {request.packet} of dialog {case.dialog.id}" + (
                f" was sent {tries} times in {facts.gave_up_s or 0:.1f} s{_spacing(facts)}" if tries > 1 else ""
            )
            yield case.finding(
                Severity.ERROR if tries > MANY_REPEATS else Severity.WARNING,
                "no-answer",
                f"no answer from {request.destination} to {printable(transaction.method)}",
                f"{why}; nothing came back in {min(waited_s, GIVE_UP_S):.1f} s",
                REASONS["dead"],
                *facts.request.messages[:8],
            )
        elif transaction.method != "INVITE" and waited_s > GIVE_UP_S:
            last = transaction.responses[-1]
            yield case.finding(
                Severity.WARNING,
                "no-final-answer",
                f"{printable(transaction.method)} to {request.destination} never got its final answer",
                f"packet {request.packet} got {last.message.status}, and no more in {waited_s:.1f} s",
                REASONS["dead"],
                request,
                last,
            )


def _spacing(facts: TransactionFacts) -> str:
    repeats = facts.request
    if repeats.fits is None or repeats.t1_s is None:
        return ""
    timer = TIMERS[repeats.timer]
    return (
        f", as timer {timer.name} has it (T1 {repeats.t1_s:.2f} s)"
        if repeats.fits
        else f", not as timer {timer.name} has it ({timer.source})"
    )


def repeated(case: Case) -> Iterator[Finding]:
    """Requests that had to be said again before they were answered."""
    for facts in case.transactions.facts:
        count = facts.request.count
        if not count or facts.outcome == "no answer" or facts.transaction.method == "ACK":
            continue
        transaction = facts.transaction
        yield case.finding(
            Severity.WARNING if count >= MANY_REPEATS else Severity.NOTE,
            "retransmissions",
            f"{printable(transaction.method)} had to be sent again to {transaction.request.destination}",
            f"sent {count + 1} times in {facts.request.messages[-1].time - transaction.request.time:.1f} s"
            f"{_spacing(facts)} before {transaction.responses[0].message.status}",
            REASONS["lossy"],
            *facts.request.messages[:8],
        )


def lost_ack(case: Case) -> Iterator[Finding]:
    """Final answers to an INVITE that were repeated for want of an ACK."""
    if case.half_seen:
        return
    for facts in case.transactions.facts:
        final = facts.transaction.final
        if not facts.lost_ack or final is None:
            continue
        own = max(facts.finals, key=lambda repeats: repeats.count)
        over_s = own.messages[-1].time - own.messages[0].time
        sent = facts.transaction.ack
        bye = case.bye
        why = f"{final.message.status} was sent {own.count + 1} times in {over_s:.1f} s, "
        why += f"though packet {sent.packet} is an ACK" if sent else "and no ACK was seen"
        if bye is not None and abs(bye.time - final.time - GIVE_UP_S) < 2:
            why += f"; the BYE of packet {bye.packet} came {bye.time - final.time:.1f} s after it (64*T1)"
        yield case.finding(
            Severity.ERROR if sent is None and own.count >= MANY_REPEATS else Severity.WARNING,
            "lost-ack",
            f"the ACK to {final.message.status} did not get to {final.source}",
            why,
            REASONS["ack"],
            *own.messages[:8],
            sent,
        )


def cancel_race(case: Case) -> Iterator[Finding]:
    """A CANCEL that crossed an answer, or that was not followed by 487."""
    for facts in case.transactions.facts:
        if not facts.cancel_race:
            continue
        final = facts.transaction.final
        cancel = next(t for t in case.dialog.transactions if t.method == "CANCEL" and t.cseq == facts.transaction.cseq)
        if final is None:
            answer = cancel.final
            if answer is None or case.end - answer.time < SURE_S:
                continue
            yield case.finding(
                Severity.WARNING,
                "cancel-without-487",
                f"{case.dialog.callee} took a CANCEL and never ended the INVITE",
                f"packet {answer.packet} accepts the CANCEL; no 487 in {case.end - answer.time:.1f} s",
                "the server has to answer the INVITE with 487 (RFC 3261 9.2): see what it waits for",
                cancel.request,
                answer,
            )
            continue
        ended = case.bye is not None
        if not ended and case.end - final.time < SURE_S:
            continue
        yield case.finding(
            Severity.NOTE if ended else Severity.WARNING,
            "cancel-crossed-2xx",
            f"a CANCEL and the 2xx of {case.dialog.callee} crossed",
            f"CANCEL in packet {cancel.request.packet}, {final.message.status} in packet {final.packet}; "
            + ("a BYE ended the call" if ended else "no BYE ended the call"),
            "the caller has to end the call with BYE once the 2xx is there (RFC 3261 9.1)",
            cancel.request,
            final,
        )


def glare(case: Case) -> Iterator[Finding]:
    """Offers that met each other (491)."""
    met = [f.transaction for f in case.transactions.facts if f.glare]
    if not met:
        return
    last = met[-1]
    solved = any(
        t.method == last.method and t.request.time > last.request.time and t.final and t.final.message.status < 300
        for t in case.dialog.transactions
    )
    finals = [t.final for t in met if t.final]
    yield case.finding(
        Severity.NOTE if solved else Severity.WARNING,
        "glare",
        f"{printable(last.method)} met one from the other side (491)",
        f"{packets_in_words(*finals)}; " + ("a later one was accepted" if solved else "none was accepted later"),
        "each side has to try again after a random time of its own (RFC 3261 14.1); see who sends both at once",
        *finals,
    )


def late_2xx(case: Case) -> Iterator[Finding]:
    """A second branch of a fork that answered."""
    for facts in case.transactions.facts:
        for extra in facts.extra_finals:
            tag = extra.message.to_tag
            ended = any(
                t.method == "BYE" and tag in (t.request.message.to_tag, t.request.message.from_tag)
                for t in case.dialog.transactions
            )
            yield case.finding(
                Severity.NOTE if ended else Severity.WARNING,
                "second-2xx",
                f"two branches of a fork answered at {case.dialog.callee}",
                f"packet {extra.packet} is a second {extra.message.status} to the INVITE of packet "
                f"{facts.transaction.request.packet}; " + ("a BYE ended it" if ended else "no BYE ended it"),
                "the caller has to send ACK and BYE to it (RFC 3261 13.2.2.4), or somebody stays on a silent line",
                facts.transaction.final,
                extra,
            )


def slow(case: Case) -> Iterator[Finding]:
    """Callers that wait for a ring."""
    dialog = case.hop
    if dialog.pdd_ms is None or dialog.pdd_ms < SLOW_PDD_MS or dialog.upstream is not None:
        return
    first = case.initial[0]
    answer = next((r for t in case.initial for r in t.responses if r.message.status > 100), None)
    yield case.finding(
        Severity.WARNING,
        "slow-setup",
        f"callers wait long for an answer from {dialog.callee}",
        f"{dialog.pdd_ms / 1000:.1f} s from the INVITE to the first answer above 100",
        "see at which hop the time goes: compare the same INVITE's times hop by hop",
        first.request,
        answer,
    )


def redirect(case: Case) -> Iterator[Finding]:
    """Redirects that nobody followed."""
    for item in case.facts.redirects:
        elsewhere = any(
            d.call == case.dialog.call and d.id != case.dialog.id and d.first > item.captured.time
            for d in case.analysis.dialogs[case.dialog.id :][:64]
        )
        if item.tried or elsewhere or case.end - item.captured.time < SURE_S:
            continue
        yield case.finding(
            Severity.NOTE,
            "redirect-not-followed",
            f"a redirect by {item.captured.source} was not followed",
            f"packet {item.captured.packet} ({item.captured.message.status}) names "
            + (printable(item.targets[0]) if item.targets else "no target"),
            "see whether the caller may go there",
            item.captured,
        )


def prack(case: Case) -> Iterator[Finding]:
    """Reliable provisional responses without their PRACK."""
    provisional = (data_of(case.hop.messages, at) for at in case.outline.ringing)
    if case.hop.kind != "invite" or not any(b"\nrseq" in data.lower() for data in provisional):
        return
    missing = case.facts.reliable - case.facts.pracked
    if missing <= 0 or case.half_seen or case.end - case.dialog.last < SURE_S:
        return
    reliable = [r for t in case.initial for r in t.responses if r.message.status < 200 and r.message.get("rseq")]
    yield case.finding(
        Severity.WARNING,
        "missing-prack",
        f"{case.dialog.caller} did not acknowledge reliable responses",
        f"{missing} of {case.facts.reliable} responses that asked for it (RSeq) got no PRACK",
        "the caller said that it supports 100rel: it has to send PRACK (RFC 3262 4)",
        *reliable[:8],
    )


ODD_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    failed,
    failed_in_dialog,
    unanswered,
    repeated,
    lost_ack,
    cancel_race,
    glare,
    late_2xx,
    redirect,
)
"""What has nothing to find in a dialog that is `Case.plain`."""

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (slow, prack)
