"""Findings about signalling: what failed, what was lost, what peers did against the rules.

Runs the checks of `signalling_checks`, `service_checks`, `session_checks` and `capture_checks`; judges nothing itself,
and no media (`media_findings` does).
"""

from __future__ import annotations

from collections.abc import Iterator

from sipreplay.analysis import capture_checks, service_checks, session_checks, signalling_checks
from sipreplay.analysis.case import Case, View
from sipreplay.analysis.findings import Finding
from sipreplay.analysis.model import Analysis, HopDialog, Stream


def found(analysis: Analysis) -> Iterator[Finding]:
    """All findings of signalling, one for each case."""
    for whole in capture_checks.CHECKS:
        yield from whole(analysis)
    view = View(analysis)
    clocks = capture_checks.Clocks()
    checks = (*signalling_checks.CHECKS, *service_checks.CHECKS, *session_checks.CHECKS)
    all_checks = (
        *signalling_checks.ODD_CHECKS,
        *service_checks.ODD_CHECKS,
        *session_checks.ODD_CHECKS,
        *checks,
    )
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
        for check in checks if case.plain else all_checks:
            yield from check(case)
        yield from session_checks.media_timeout(case, streams)
        yield from capture_checks.seen_in_part(case)
        clocks.look(case)
        for captured in case.dialog.messages:
            captured.message.forget()  # the headers of all messages would take most of the memory
    yield from clocks.findings()
