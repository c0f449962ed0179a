"""Findings about signalling: what failed, what was lost, what peers did against the rules.

Runs the checks of `signalling_checks`, `service_checks`, `session_checks` and `capture_checks`; judges nothing itself,
and no media (`media_findings` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipreplay.analysis import capture_checks, service_checks, session_checks, signalling_checks
from sipreplay.analysis.case import Case, View
from sipreplay.analysis.findings import Finding
from sipreplay.analysis.model import Analysis, HopDialog, Stream

Check = Callable[[Case], Iterator[Finding]]
PLAIN_CHECKS: tuple[Check, ...] = (*signalling_checks.CHECKS, *service_checks.CHECKS, *session_checks.CHECKS)
ALL_CHECKS: tuple[Check, ...] = (
    *signalling_checks.ODD_CHECKS,
    *service_checks.ODD_CHECKS,
    *session_checks.ODD_CHECKS,
    *PLAIN_CHECKS,
)


def found(analysis: Analysis) -> Iterator[Finding]:
    """All findings of signalling, one for each case."""
    for whole in capture_checks.CHECKS:
        yield from whole(analysis)
    view = View(analysis)
    clocks = capture_checks.Clocks()
    downstream: dict[int, list[HopDialog]] = {}
    for dialog in analysis.dialogs:
        if dialog.upstream is not None:
            downstream.setdefault(dialog.upstream, []).append(dialog)
    streams: dict[int, list[tuple[int, Stream]]] = {}
    for number, stream in enumerate(analysis.streams, 1):
        if stream.dialog is not None:
            streams.setdefault(stream.dialog, []).append((number, stream))
    for dialog in analysis.dialogs:
        if dialog.alias_of is not None:
            continue  # the other side of a NAT shows the same again
        case = Case(analysis, dialog, view, downstream.get(dialog.id, []))
        for check in _chosen(case):
            yield from check(case)
        yield from session_checks.media_timeout(case, streams)
        yield from capture_checks.seen_in_part(case)
        clocks.look(case)
        case.forget()
    yield from clocks.findings()


def _chosen(case: Case) -> tuple[Check, ...]:
    """The checks that may have something to find in a dialog of this outline."""
    drawn, hop = case.outline, case.hop
    failures = drawn.statuses - signalling_checks.EXPECTED - session_checks.REFUSED
    odd = any(said.odd for said in drawn.said)
    may: dict[Check, bool] = {
        signalling_checks.failed: drawn.final_status >= 400,
        signalling_checks.failed_in_dialog: any(status >= 400 for status in failures),
        signalling_checks.unanswered: drawn.waiting,
        signalling_checks.repeated: odd,
        signalling_checks.lost_ack: odd,
        signalling_checks.cancel_race: odd,
        signalling_checks.glare: odd,
        signalling_checks.late_2xx: odd,
        signalling_checks.redirect: any(300 <= status < 400 for status in drawn.statuses),
        signalling_checks.prack: bool(drawn.ringing),
        service_checks.digest: drawn.challenges > 1 or hop.state == "challenged",
        session_checks.refused_offer: bool(drawn.statuses & session_checks.REFUSED),
    }
    checks = PLAIN_CHECKS if drawn.plain else ALL_CHECKS
    return tuple(check for check in checks if may.get(check, True))
