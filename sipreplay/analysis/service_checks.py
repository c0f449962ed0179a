"""Checks of what one hop-dialog's user wanted of a server: passwords, registrations, subscriptions, transfers.

Each check is a function from a case to findings, listed in `CHECKS` or `ODD_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipreplay.analysis.case import Case, printable
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import CapturedMessage
from sipreplay.analysis.signalling_checks import REASONS, SURE_S

_UNWANTED = frozenset({"rejected", "giveup", "probation"})
"""Reasons for which a notifier ends what the subscriber still wants (RFC 6665 4.1.3)."""


def digest(case: Case) -> Iterator[Finding]:
    """Credentials that were refused, challenges that nobody met."""
    refused = [c for c in case.facts.challenges if c.again]
    if refused:
        realm = printable(refused[0].realm)
        in_the_end = case.dialog.state == "challenged"
        yield case.finding(
            Severity.ERROR if in_the_end else Severity.WARNING,
            "digest-refused",
            f"{case.dialog.callee} refused the password for realm {realm}",
            f"challenged again after an answer to the challenge, without stale=true: {len(refused)} times, first in "
            f"packet {refused[0].captured.packet}; " + ("not accepted in the end" if in_the_end else "accepted later"),
            "compare user name, password and realm on both sides",
            *[c.captured for c in refused[:8]],
        )
    last = case.facts.challenges[-1] if case.facts.challenges else None
    if last and case.dialog.state == "challenged" and not refused and case.end - last.captured.time > SURE_S:
        yield case.finding(
            Severity.WARNING,
            "challenge-not-met",
            f"{case.dialog.caller} did not try again after a challenge",
            f"packet {last.captured.packet} ({last.captured.message.status}, realm {printable(last.realm)}) is last",
            "see whether the client has credentials for this realm",
            last.captured,
        )


def registration(case: Case) -> Iterator[Finding]:
    """A binding that ran out."""
    if case.hop.kind != "register":
        return
    rounds = [r for r in case.facts.registrations if r.status < 300 and r.kind != "query"]
    for item in case.facts.registrations:
        if item.status >= 400 and (case.final is None or item.captured.message.branch != case.final.message.branch):
            yield case.finding(
                Severity.WARNING,
                f"register-failed-{item.status}",
                f"REGISTER to {case.dialog.callee} failed: {item.status}",
                f"answer to packet {item.captured.packet}",
                REASONS["failed"],
                item.captured,
            )
    expiry: dict[tuple[str, ...], tuple[float, CapturedMessage, int]] = {}
    for item in rounds:
        known = expiry.pop(item.contacts, None)
        if known is not None and item.kind == "refresh" and item.captured.time > known[0] + 1:
            yield _expired(case, known, f"refreshed {item.captured.time - known[0]:.0f} s too late", item.captured)
        if item.kind != "de-register" and item.expires_s:
            expiry[item.contacts] = (item.captured.time + item.expires_s, item.captured, item.expires_s)
    for known in expiry.values():
        if case.end > known[0] + SURE_S:
            yield _expired(case, known, "and not refreshed while the capture goes on")


def _expired(case: Case, known: tuple[float, CapturedMessage, int], what: str, *more: CapturedMessage) -> Finding:
    return case.finding(
        Severity.WARNING,
        "registration-expired",
        f"a registration from {case.dialog.caller} ran out",
        f"packet {known[1].packet} registered for {known[2]} s, {what}",
        "until it registers again nobody can call it: see why the refresh is late",
        known[1],
        *more,
    )


def transfer(case: Case) -> Iterator[Finding]:
    """Transfers that came to nothing."""
    if "REFER" not in case.methods:
        return
    for item in case.facts.transfers:
        last = item.progress[-1] if item.progress else 0
        if item.accepted >= 300 or last >= 300:
            what = f"refused with {item.accepted}" if item.accepted >= 300 else f"its target answered {last}"
            yield case.finding(
                Severity.WARNING,
                "transfer-failed",
                f"a transfer by {item.captured.source} failed",
                f"the REFER of packet {item.captured.packet} to {printable(item.target)}: {what}",
                "see whether the target can be reached from whoever took the REFER",
                item.captured,
            )


def subscription(case: Case) -> Iterator[Finding]:
    """Subscriptions that the notifier ended against the subscriber's will."""
    if "NOTIFY" not in case.methods:
        return
    for item in case.facts.notifications:
        if item.state == "terminated" and item.reason in _UNWANTED:
            yield case.finding(
                Severity.WARNING,
                "subscription-ended",
                f"{item.captured.source} ended a subscription: {item.reason}",
                f"NOTIFY in packet {item.captured.packet}",
                "see why the notifier refuses this subscriber (RFC 6665 4.1.3)",
                item.captured,
            )


ODD_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (digest,)
"""What has nothing to find in a dialog that is `Case.plain`."""

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (registration, transfer, subscription)
