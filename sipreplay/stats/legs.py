"""What became of calls that a system under test passes on: both legs of each judged as one. Pure counters."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_EXAMPLES = 5

NOT_FORWARDED = "the system under test did not forward"
NOT_LINKED = "arrived but not linked"
CALLING_FAILED = "the calling leg failed"
ANSWERING_FAILED = "the answering leg failed"
CAUSES = {
    NOT_FORWARDED: "the first leg is over, and nothing of it ever came to where the second leg is answered",
    NOT_LINKED: "a call came there, and nothing in it says which first leg it belongs to, or it fits several",
    CALLING_FAILED: "both legs were there, and the first did not go through its scenario",
    ANSWERING_FAILED: "both legs were there, and the second did not go through its scenario",
}
"""Cause of failure to what it means."""
REMEDIES = {NOT_FORWARDED: "tell it where to, or say --callers-only if others answer behind it"}


@dataclass(slots=True)
class LegTotals:
    """Counters of one run. Cumulative."""

    calls: int = 0
    """First legs that were opened."""
    ended: int = 0
    """Calls that are judged."""
    passed: int = 0
    linked: int = 0
    """Second legs whose first was found."""
    by_key: dict[str, int] = field(default_factory=dict)
    """By what they were found, to how often."""
    causes: dict[str, int] = field(default_factory=dict)
    """Cause of failure to calls; a call has one cause, the first of CAUSES that holds."""
    unlinked: int = 0
    """Requests that came to the answering side and belong to no call that is known."""
    pings: int = 0
    """Requests outside of calls (OPTIONS, NOTIFY, ...) that were answered."""
    examples: list[str] = field(default_factory=list)
    """Of failures, in words."""

    def fail(self, cause: str, example: str) -> None:
        """Count a failed call."""
        self.causes[cause] = self.causes.get(cause, 0) + 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(f"{cause}: {example}")
