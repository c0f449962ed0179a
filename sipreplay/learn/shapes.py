"""Calls of the same shape become one: what differs between them goes to columns, their delays become a pause.

Two units have the same shape if both sides' steps are equal but for values that may differ (user parts, texts of
headers), pauses and media.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from sipreplay.learn import variables
from sipreplay.learn.draft import Draft, open_literals
from sipreplay.learn.names import UAC, UAS, Parties
from sipreplay.learn.text import Column, Literal, MessageText, injectable
from sipreplay.learn.unit import Unit
from sipreplay.scenario.model import Recv

MAX_COLUMNS = 40


@dataclass(slots=True)
class Member:
    """One call of a shape, as little of it as merging needs."""

    unit: Unit
    columns: dict[str, str]
    values: dict[str, list[str]]
    """By role: its open literals, in order."""
    delays: dict[str, list[float]]
    """By role: `Step.delay_ms` of every step."""
    packets: int = 0
    """RTP packets that the capture holds of it."""


@dataclass(slots=True)
class Shape:
    """Calls that one pair of scenarios replays. `drafts` are the first call's."""

    drafts: dict[str, Draft]
    parties: Parties
    members: list[Member] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    """Of the injection file, in order; filled by `merge`."""
    rows: list[list[str]] = field(default_factory=list)
    generalised: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What differs between the calls and is the first call's in all of them."""

    @property
    def unit(self) -> Unit:
        """The first call."""
        return self.members[0].unit

    @property
    def index_column(self) -> int:
        """Column that the answering side looks its line up by; -1 if it needs none."""
        return self.columns.index("callee") if self.drafts[UAS].uses_lookup else -1


class ShapeTable:
    """Collects units into shapes, in order of first appearance."""

    def __init__(self) -> None:
        self._shapes: dict[Hashable, Shape] = {}
        self._texts: dict[str, str] = {}
        """Equal texts of many calls are one object: a day of traffic has few different ones."""

    def add(
        self, unit: Unit, parties: Parties, uac: Draft, uas: Draft, packets: int = 0, apart: Hashable = None
    ) -> None:
        """Give a unit to its shape. `packets`: of RTP; the media of the first call that has some is played.

        Units that differ in `apart` are never of one shape.
        """
        key = (unit.transport, unit.dialog.hop, apart, uac.key(), uas.key())
        drafts = {UAC: uac, UAS: uas}
        shape = self._shapes.setdefault(key, Shape(drafts, parties))
        member = Member(
            unit,
            parties.columns,
            {role: [self._one(literal.text) for *_, literal in open_literals(d)] for role, d in drafts.items()},
            {role: [step.delay_ms for step in draft.steps] for role, draft in drafts.items()},
            packets,
        )
        if shape.members and packets and not shape.members[0].packets:
            shape.drafts, shape.parties = drafts, parties
            shape.members.insert(0, member)
        else:
            shape.members.append(member)

    def _one(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def merged(self) -> list[Shape]:
        """All shapes with their columns and rows."""
        shapes = list(self._shapes.values())
        for shape in shapes:
            merge(shape)
        return shapes


def merge(shape: Shape) -> None:
    """Turn what differs between the calls of a shape into columns, and fill its injection file."""
    used = _used_columns(shape.drafts.values())
    table = {name: [m.columns.get(name, "") for m in shape.members] for name in shape.parties.columns if name in used}
    for role in (UAC, UAS):
        _promote(shape, role, table)
    if shape.drafts[UAS].uses_lookup:
        _look_up(shape)
        table.setdefault("callee", [m.columns.get("callee", "") for m in shape.members])
    shape.columns = list(table)
    shape.rows = [list(row) for row in zip(*table.values(), strict=True)] if table else []
    if len(shape.members) > 1:
        varying = [name for name, values in table.items() if len(set(values)) > 1]
        what = ", ".join(varying) if varying else "nothing but timing"
        shape.generalised.append(f"{len(shape.members)} calls of one shape; between them differ: {what}")


def _used_columns(drafts: Iterable[Draft]) -> set[str]:
    return {
        piece.name
        for draft in drafts
        for step in draft.steps
        if step.message is not None
        for line in step.message.lines
        for piece in line
        if isinstance(piece, Column)
    }


def _promote(shape: Shape, role: str, table: dict[str, list[str]]) -> None:
    """Literals of one side that differ between calls become columns, where an injection file can carry them."""
    draft = shape.drafts[role]
    callees = [m.columns.get("callee", "") for m in shape.members]
    findable = role == UAC or (len(set(callees)) == len(callees) and all(callees))
    for place, (step, line, piece, literal) in enumerate(open_literals(draft)):
        values = [member.values[role][place] for member in shape.members]
        if literal.noise or len(set(values)) == 1:
            continue
        message = draft.steps[step].message
        assert message is not None
        name = _column_name(message, line)
        if not findable or len(table) >= MAX_COLUMNS or not all(v and injectable(v) for v in values):
            shape.kept.append(f"{name} of the {'calling' if role == UAC else 'answering'} side")
            continue
        known = next((column for column, held in table.items() if held == values), None)
        if known is None:
            known = _unused(name, table)
            table[known] = values
        draft.steps[step].message = _replaced(message, line, piece, Column(known, literal.text))
        draft.uses_lookup |= role == UAS


def _column_name(message: MessageText, line: int) -> str:
    """From the header's name; a body line is `body`."""
    if line >= len(message.head):
        return "body"
    first = message.head[line][0] if message.head[line] else None
    text = first.text if isinstance(first, Literal) else ""
    head = text.partition(":")[0] if line else "reason"
    return re.sub(r"[^a-z0-9]+", "_", head.lower()).strip("_")[:30] or "value"


def _unused(name: str, table: dict[str, list[str]]) -> str:
    number = 2
    unused = name
    while unused in table:
        unused, number = f"{name}_{number}", number + 1
    return unused


def _replaced(message: MessageText, line: int, piece: int, column: Column) -> MessageText:
    lines = list(message.lines)
    lines[line] = (*lines[line][:piece], column, *lines[line][piece + 1 :])
    return MessageText(tuple(lines[: len(message.head)]), tuple(lines[len(message.head) :]))


def _look_up(shape: Shape) -> None:
    """Have the answering side read the called number and find its line by it."""
    first = shape.drafts[UAS].steps[0].element
    assert isinstance(first, Recv)
    user = variables.request_user()
    if user not in first.actions:
        first.actions.insert(0, user)
    first.actions.insert(1, variables.line_of_call("FILE"))
