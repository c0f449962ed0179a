"""Text tables that fit a width: the widest texts give way first, then columns, numbers never. Styled lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sipreplay.report.lines import Line, Span
from sipreplay.report.words import clip


@dataclass(frozen=True, slots=True)
class Heading:
    """A column.

    `keep`: its cells are never cut; else not below `least` characters. `drop`: order in which columns leave a narrow
    table (0: never).
    """

    name: str
    right: bool = False
    keep: bool = False
    drop: int = 0
    least: int = 6


def table_lines(
    headings: Sequence[Heading], rows: Sequence[Sequence[Span]], width: int, indent: str = "  "
) -> list[Line]:
    """Heading and rows as lines of at most `width` characters, if cutting texts and dropping columns can do it."""
    shown = list(range(len(headings)))
    widths = [
        max(len(heading.name), max((len(row[index][0]) for row in rows), default=0))
        for index, heading in enumerate(headings)
    ]

    floors = [
        widths[i] if heading.keep else min(widths[i], max(heading.least, len(heading.name)))
        for i, heading in enumerate(headings)
    ]

    def least() -> int:
        return len(indent) + sum(floors[i] for i in shown) + 2 * (len(shown) - 1)

    for _, index in sorted((h.drop, i) for i, h in enumerate(headings) if h.drop):
        if least() <= width:
            break
        shown.remove(index)
    excess = len(indent) + sum(widths[i] for i in shown) + 2 * (len(shown) - 1) - width
    while excess > 0:
        soft = [i for i in shown if widths[i] > floors[i]]
        if not soft:
            break
        widest = max(soft, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1
    lines: list[Line] = [[(_join([(h.name, "") for h in headings], headings, shown, widths, indent), "head")]]
    for row in rows:
        line: Line = [(indent, "")]
        for number, index in enumerate(shown):
            text, style = row[index]
            text = clip(text, widths[index])
            padded = text.rjust(widths[index]) if headings[index].right else text.ljust(widths[index])
            line.append((padded, style))
            if number < len(shown) - 1:
                line.append(("  ", ""))
        lines.append(line)
    return lines


def _join(
    cells: Sequence[Span], headings: Sequence[Heading], shown: Sequence[int], widths: Sequence[int], indent: str
) -> str:
    parts = [
        cells[i][0].rjust(widths[i]) if headings[i].right else clip(cells[i][0], widths[i]).ljust(widths[i])
        for i in shown
    ]
    return indent + "  ".join(parts)
