"""One side of one unit as steps, before it is merged with calls of the same shape and written.

Values only: a step is a SIPp element with its text still in pieces.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from sipreplay.learn.text import Column, Line, Literal, MessageText
from sipreplay.scenario.model import Element, Pause, Recv, Send


@dataclass(slots=True)
class Step:
    """An element; a `Send` gets its text from `message` when it is written."""

    element: Element
    message: MessageText | None = None
    delay_ms: float = 0.0
    """Of a pause: as captured. Of a recv: how long the capture waited for it."""
    time: float = 0.0
    """When the capture did it; 0 for steps that the capture does not hold."""
    sdp: bool = False
    """Whether the captured message carried SDP."""
    extra: bool = False
    """Not in the capture (an optional recv, the unexpected handler)."""


Label: TypeAlias = tuple[str, int]
"""Name and the index of the step it stands before."""


@dataclass(slots=True)
class Play:
    """Media that starts after a step."""

    step: int
    delay_ms: float
    """How long after it."""
    kind: str
    file: str


@dataclass(slots=True)
class Draft:
    """The steps of one side. The handler of unexpected requests and the end are part of it."""

    role: str
    steps: list[Step] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    main_end: int = 0
    """Index of the first step after the captured ones."""
    plays: list[Play] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    uses_lookup: bool = False

    def shift(self, step: Step) -> None:
        """Put a step before all others: what points at steps moves on."""
        self.steps.insert(0, step)
        self.labels = [(name, at + 1) for name, at in self.labels]
        for other in self.steps:
            if other.message is not None:
                other.message = other.message.shifted()

    def key(self) -> Hashable:
        """What calls of the same shape have equal: everything but values that may differ, pauses and media."""
        return (self.role, tuple(self.labels), tuple(_step_key(step) for step in self.steps))


def _step_key(step: Step) -> Hashable:
    element = step.element
    common = (type(element).__name__, element.next, element.ontimeout, tuple(repr(a) for a in element.actions))
    if isinstance(element, Recv):
        return (*common, element.request, element.response, element.optional, element.auth, element.rrs)
    if isinstance(element, Send) and step.message is not None:
        return (*common, element.retrans_ms, tuple(_line_key(line) for line in step.message.lines))
    if isinstance(element, Pause):
        return (*common, element.timewait)
    return common


def _line_key(line: Line) -> Hashable:
    return tuple(
        (Column, piece.name)
        if isinstance(piece, Column)
        else Literal
        if isinstance(piece, Literal) and not piece.fixed
        else piece
        for piece in line
    )


def open_literals(draft: Draft) -> list[tuple[int, int, int, Literal]]:
    """(step, line, piece) and the literal of all places that may differ between calls of the same shape."""
    found = []
    for step_number, step in enumerate(draft.steps):
        if step.message is None:
            continue
        for line_number, line in enumerate(step.message.lines):
            for piece_number, piece in enumerate(line):
                if isinstance(piece, Literal) and not piece.fixed:
                    found.append((step_number, line_number, piece_number, piece))
    return found
