"""Findings: what is wrong in a set of captures, ranked, each with its evidence and a remedy.

Collects what the modules of findings say (`sip_findings`, `media_findings`: each has `found(analysis)`), folds what is
one rule's over many calls into one finding, and ranks. Never looks at a message itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from sipreplay.analysis.model import Analysis

MAX_PACKETS = 64
"""Packets that a folded finding names; those of the first cases."""
_MAX_REASONS = 3


class Severity(IntEnum):
    """How bad it is: a note is worth knowing, a warning may explain a complaint, an error is one."""

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, wherever it is seen."""

    severity: Severity
    rule: str
    """Stable slug, e.g. "one-way-audio"."""
    title: str
    """One line: what is wrong, and where."""
    why: str
    """The evidence, with figures."""
    remedy: str
    """What to look at or do."""
    calls: tuple[int, ...] = ()
    """Ids of calls."""
    dialogs: tuple[int, ...] = ()
    """Ids of hop-dialogs."""
    streams: tuple[int, ...] = ()
    """Places in `Analysis.streams`, from 1."""
    packets: tuple[tuple[int, int], ...] = ()
    """(index of the capture, packet number) to look at."""
    count: int = 1
    """How many cases are folded into it."""


Source = Callable[[Analysis], Iterable[Finding]]


def _sources() -> Iterator[Source]:
    # Here, since they import `Finding` from this module.
    from sipreplay.analysis import media_findings, sip_findings

    yield sip_findings.found
    yield media_findings.found


def findings(analysis: Analysis) -> list[Finding]:
    """All findings: the worst first, then those that touch the most calls."""
    return ranked(fold(finding for source in _sources() for finding in source(analysis)))


def fold(found: Iterable[Finding]) -> list[Finding]:
    """One finding for each rule and severity; in order of first sight."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.rule, finding.severity), []).append(finding)
    return [group[0] if len(group) == 1 else _folded(group) for group in groups.values()]


def ranked(found: Iterable[Finding]) -> list[Finding]:
    """By severity, then by how many calls it touches, then by how many cases; the rule's name settles the rest."""
    return sorted(found, key=lambda f: (-f.severity, -len(f.calls), -f.count, f.rule, f.title))


def _folded(group: list[Finding]) -> Finding:
    first = group[0]
    titles = dict.fromkeys(finding.title for finding in group)
    title = first.title if len(titles) == 1 else f"{first.title}, and {_more(len(titles) - 1, 'more like it')}"
    reasons = list(dict.fromkeys(finding.why for finding in group))
    why = "; ".join(reasons[:_MAX_REASONS])
    if len(reasons) > _MAX_REASONS:
        why += f"; and {_more(len(reasons) - _MAX_REASONS, 'more')}"
    return Finding(
        severity=first.severity,
        rule=first.rule,
        title=title,
        why=why,
        remedy=first.remedy,
        calls=_union(finding.calls for finding in group),
        dialogs=_union(finding.dialogs for finding in group),
        streams=_union(finding.streams for finding in group),
        packets=tuple(dict.fromkeys(packet for finding in group for packet in finding.packets))[:MAX_PACKETS],
        count=sum(finding.count for finding in group),
    )


def _more(count: int, words: str) -> str:
    return f"{count:,} {words}"


def _union(parts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted({ident for part in parts for ident in part}))
