"""Findings about signalling: what failed, what was lost, what peers did against the rules.

Reads hop-dialogs and their facts; judges no media (`media_findings` does). Each check is a function of its own in
`CHECKS`, from a dialog to what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, CapturedMessage, HopDialog
from sipreplay.analysis.states import initial_transactions


def found(analysis: Analysis) -> Iterator[Finding]:
    """All findings of signalling, one for each case."""
    for dialog in analysis.dialogs:
        if dialog.alias_of is not None:
            continue  # the other side of a NAT shows the same again
        for check in CHECKS:
            yield from check(dialog)


def _place(*messages: CapturedMessage | None) -> tuple[tuple[int, int], ...]:
    return tuple((m.capture, m.packet) for m in messages if m is not None)


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:200]


_EXPECTED = frozenset({401, 407, 422, 423, 486, 487, 600, 603})
"""What users and protocol bring about in sound networks."""


def _failure(dialog: HopDialog) -> Iterator[Finding]:
    """The answer that ended the attempt, when it was a failure."""
    rounds = initial_transactions(dialog)
    final = rounds[-1].final if rounds else None
    if final is None or final.message.status < 400 or final.message.status in _EXPECTED:
        return
    if dialog.upstream is not None and dialog.kind != "invite":
        return
    message = final.message
    status = message.status
    reason = "; ".join(_text(v) for name in ("reason", "warning") for v in message.get_all(name))
    server = 500 <= status < 600
    yield Finding(
        severity=Severity.ERROR if server else Severity.WARNING,
        rule=f"{dialog.kind}-failed-{status}" if dialog.kind.isalpha() else f"request-failed-{status}",
        title=f"{_text(dialog.kind.upper())} to {dialog.callee} failed: {status} {_text(message.reason)}".rstrip(),
        why=f"packet {final.packet} answers packet {rounds[-1].request.packet} with {status}"
        + (f" ({reason})" if reason else ""),
        remedy="see what the answering side logged at that time; Reason and Warning say more where it sent them",
        calls=(dialog.call,),
        dialogs=(dialog.id,),
        packets=_place(rounds[-1].request, final),
    )


CHECKS: tuple[Callable[[HopDialog], Iterator[Finding]], ...] = (_failure,)
