"""Calls by peer and direction: how many were tried and answered, how long callers waited, what failed (RFC 6076, ITU-T
E.411, E.425).

A peer is an actor; each has a row for the calls sent to it and one for the calls that come from it. A call that passes
a proxy counts for each neighbour. Computed when asked for; never judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.model import Analysis, HopDialog
from sipreplay.analysis.outline import outline
from sipreplay.analysis.stored import time_of

TO, FROM = "to", "from"
UNANSWERED = "none"
"""Key in `Peer.failures` of attempts that never got a final answer."""
EFFECTIVE = frozenset({480, 486, 487, 600, 603})
"""Failures that NER counts as the network's success: the user was busy, away, declined, or the caller gave up."""
UNFINISHED_S = 32.0


@dataclass(slots=True)
class Peer:
    """One row."""

    actor: str
    """Id, as in `roles.Actor`."""
    label: str
    """Its first address."""
    direction: str
    """to: calls sent to it; from: calls that come from it."""
    attempts: int = 0
    """INVITEs that open a dialog; rounds after a challenge count once."""
    answered: int = 0
    unfinished: int = 0
    """Attempts that still waited for a final answer when the capture ended; no rate counts them."""
    failures: dict[str, int] = field(default_factory=dict)
    """Attempts by final status; "none" never got one."""
    retransmissions: int = 0
    """Requests of all methods that were sent again in these dialogs, by either side."""
    acd_s: float | None = None
    """Mean time from the 2xx to the BYE, of calls that have both."""
    pdd_median_ms: float | None = None
    pdd_p95_ms: float | None = None
    others: dict[str, int] = field(default_factory=dict)
    """Dialogs and lone requests other than calls, by kind."""

    @property
    def asr(self) -> float | None:
        """Answer-seizure ratio, 0 to 1: answered out of the attempts that were decided."""
        decided = self.attempts - self.unfinished
        return self.answered / decided if decided else None

    @property
    def ner(self) -> float | None:
        """Network effectiveness ratio, 0 to 1: as `asr`, with what users decide (EFFECTIVE) counted as success."""
        decided = self.attempts - self.unfinished
        users = sum(count for code, count in self.failures.items() if code.isdigit() and int(code) in EFFECTIVE)
        return (self.answered + users) / decided if decided else None


class _Tally:
    def __init__(self, actor: str, label: str, direction: str) -> None:
        self.peer = Peer(actor, label, direction)
        self.failures: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.delays: list[float] = []
        self.durations: list[float] = []

    def add(self, dialog: HopDialog, outcome: str, duration_s: float | None, repeats: int) -> None:
        peer = self.peer
        peer.retransmissions += repeats
        if dialog.kind != "invite":
            self.others[dialog.kind] += 1
            return
        peer.attempts += 1
        if outcome == "answered":
            peer.answered += 1
        elif outcome == "unfinished":
            peer.unfinished += 1
        else:
            self.failures[outcome] += 1
        if dialog.pdd_ms is not None:
            self.delays.append(dialog.pdd_ms)
        if duration_s is not None:
            self.durations.append(duration_s)

    def finish(self) -> Peer:
        peer = self.peer
        peer.failures = dict(sorted(self.failures.items()))
        peer.others = dict(sorted(self.others.items()))
        self.delays.sort()
        peer.pdd_median_ms = percentile(self.delays, 0.5)
        peer.pdd_p95_ms = percentile(self.delays, 0.95)
        peer.acd_s = sum(self.durations) / len(self.durations) if self.durations else None
        return peer


def percentile(values: Sequence[float], part: float) -> float | None:
    """The least of the sorted values that at least that part of them does not exceed; None of none."""
    if not values:
        return None
    rank = -int(-len(values) * part // 1)  # the ceiling
    return values[max(0, min(len(values), rank) - 1)]


def peers(analysis: Analysis, actors: Actors | None = None) -> list[Peer]:
    """The rows, those with the most attempts first."""
    actors = actors or Actors(analysis.dialogs)
    end = max((c.last for c in analysis.captures if c.last is not None), default=0.0)
    end = max(end, max((d.last for d in analysis.dialogs), default=0.0))
    tallies: dict[tuple[str, str], _Tally] = {}
    for dialog in analysis.dialogs:
        if dialog.alias_of is not None:
            continue
        outcome, duration_s = _outcome(dialog, end)
        repeats = _repeats(dialog)
        for address, direction in ((dialog.callee, TO), (dialog.caller, FROM)):
            ident = actors.of(address)
            tally = tallies.get((ident, direction))
            if tally is None:
                label = str(actors.addresses[ident][0])
                tally = tallies[ident, direction] = _Tally(ident, label, direction)
            tally.add(dialog, outcome, duration_s, repeats)
    rows = [tally.finish() for tally in tallies.values()]
    return sorted(rows, key=lambda p: (-p.attempts, -sum(p.others.values()), p.label, p.direction))


def _outcome(dialog: HopDialog, end: float) -> tuple[str, float | None]:
    """(answered, unfinished, or the key in `failures`; seconds from the 2xx to the BYE or None)."""
    if dialog.kind != "invite":
        return "", None
    drawn, messages = outline(dialog), dialog.messages
    if drawn.final < 0:
        if dialog.state in ("established", "completed"):
            return "answered", None  # answered before the capture began
        return ("unfinished" if end - dialog.last < UNFINISHED_S else UNANSWERED), None
    if drawn.final_status >= 300:
        return str(drawn.final_status), None
    bye = drawn.bye
    return "answered", None if bye < 0 else max(0.0, time_of(messages, bye) - time_of(messages, drawn.final))


def _repeats(dialog: HopDialog) -> int:
    """Requests that were sent again."""
    return outline(dialog).requests_again
