"""What can differ between a call of a capture and its replay, as values. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

MISSING, EXTRA, ORDER, STATUS, HEADER, SDP, TIME, MEDIA, DIGITS, CALL = (
    "missing",
    "extra",
    "order",
    "status",
    "header",
    "sdp",
    "time",
    "media",
    "digits",
    "call",
)
KINDS = (MISSING, EXTRA, ORDER, STATUS, HEADER, SDP, TIME, MEDIA, DIGITS, CALL)

AHEAD = "<"
"""What marks a message or stream of the callee's side: that of the system under test."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What may differ."""

    ignored: frozenset[str] = frozenset()
    """Names of headers, lower case, that are not compared."""
    strict: bool = False
    """Compare the values of all headers, not only of those that say what a peer can and wants to do."""
    time_factor: float = 2.0
    time_slack_ms: float = 1000.0
    """A time may be from its expected value divided by the factor less the slack, to its product and the slack."""
    loss_percent: float = 1.0
    """More than was captured."""
    jitter_ms: float = 20.0
    """More than was captured."""
    mos: float = 0.3
    """Less than was captured."""
    media: bool = True
    """Whether streams are compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One."""

    kind: str
    """One of KINDS."""
    what: str
    """In words."""
    message: str = ""
    """The message where it happens, as `[[expect]]` has it; "" where it is the whole call's."""
    expected_at: int = -1
    """Place of the message in the expected call, from 0; for what is too much, of the one before which it came."""
    run_at: int = -1
    """The same in the run."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of both ladders side by side: places in them, -1 where that side has nothing."""

    expected_at: int
    run_at: int


@dataclass(slots=True)
class CallVerdict:
    """One call."""

    scenario: str
    number: int
    """Of the call of this scenario, from 0."""
    call_id: str
    """The captured one."""
    run_call_id: str = ""
    differences: list[Difference] = field(default_factory=list)
    """That which happens first comes first; what follows may be its consequence."""
    rows: list[Row] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not self.differences
