"""The parts a learned message is made of: captured text, SIPp keywords, injection columns; and their escaping.

Captured text can never become a keyword here: only `Live` is written as it is, and nothing captured is put in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sipreplay.scenario.injection import can_inject
from sipreplay.scenario.keywords import escape_literal


@dataclass(frozen=True, slots=True)
class Literal:
    """Captured text, sent as it was."""

    text: str
    fixed: bool = True
    """Calls of the same shape have it equal; else it may differ between them and becomes a column."""
    noise: bool = False
    """It may differ and the first call's is good enough (session ids, dates)."""


@dataclass(frozen=True, slots=True)
class Live:
    """SIPp text with keywords, chosen by this package."""

    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """A value from the injection file; `value` is what this call had."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class BranchOf:
    """The branch of the message of step `step`, written as `[branch-N]`."""

    step: int


Piece: TypeAlias = Literal | Live | Column | BranchOf
Line: TypeAlias = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class MessageText:
    """A message to send: header lines (the start line first) and body lines.

    An empty body has no lines; a body that ends in a line end has an empty last line.
    """

    head: tuple[Line, ...]
    body: tuple[Line, ...] = ()

    def shifted(self) -> MessageText:
        """With references to steps one further on."""

        def moved(lines: tuple[Line, ...]) -> tuple[Line, ...]:
            return tuple(tuple(BranchOf(p.step + 1) if isinstance(p, BranchOf) else p for p in line) for line in lines)

        return MessageText(moved(self.head), moved(self.body))

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, without the empty one between head and body."""
        return self.head + self.body


def injectable(value: str) -> bool:
    """Whether an injection file can carry the value in any column."""
    return can_inject(value) and not value.startswith("#") and "[authentication" not in value.lower()


def text_line(text: str, fixed: bool = True) -> Line:
    """A line of captured text."""
    return (Literal(text, fixed),) if text else ()


def escape(text: str) -> str:
    """Captured text as SIPp reads it back: every byte itself, none a keyword, an escape or a line end."""
    # Guarded, because blanks at its ends stand inside a line more often than not; `write_line` knows where.
    return "\\x0A".join(escape_literal(f"|{part}|")[1:-1] for part in text.split("\n"))


def write_line(line: Line, column: Callable[[Column], str], branch: Callable[[int], str]) -> str:
    """A line as scenario text. Blanks at its ends, which SIPp would take for indentation, are escaped."""
    written = []
    for number, piece in enumerate(line):
        if isinstance(piece, Literal):
            text = piece.text
            first, last = number == 0, number == len(line) - 1
            start = _blank(text[0]) if first and text and text[0] in " \t" else ""
            text = text[1:] if start else text
            end = _blank(text[-1]) if last and text and text[-1] in " \t" else ""
            text = text[:-1] if end else text
            written.append(start + escape(text) + end)
        elif isinstance(piece, Live):
            written.append(piece.text)
        elif isinstance(piece, Column):
            written.append(column(piece))
        else:
            written.append(branch(piece.step))
    return "".join(written)


def _blank(character: str) -> str:
    return f"\\x{ord(character):02X}"


def write_message(message: MessageText, column: Callable[[Column], str], branch: Callable[[int], str]) -> str:
    """A message with LF between lines, as `scenario.writer.laid_out` takes it."""

    def written(lines: Iterable[Line]) -> str:
        return "\n".join(write_line(line, column, branch) for line in lines)

    head = written(message.head)
    return f"{head}\n\n{written(message.body)}" if message.body else f"{head}\n\n"


def compact(line: Line) -> Line:
    """The line with neighbouring literals of the same kind joined and empty ones gone."""
    joined: list[Piece] = []
    for piece in line:
        if isinstance(piece, Literal):
            if not piece.text and piece.fixed:
                continue
            last = joined[-1] if joined else None
            if isinstance(last, Literal) and (last.fixed, last.noise) == (piece.fixed, piece.noise) and piece.fixed:
                joined[-1] = Literal(last.text + piece.text, piece.fixed, piece.noise)
                continue
        elif isinstance(piece, Live) and joined and isinstance(joined[-1], Live):
            joined[-1] = Live(joined[-1].text + piece.text)
            continue
        joined.append(piece)
    return tuple(joined)


_UNPRINTABLE = re.compile(r"[^ -~]")


def for_comment(text: str, longest: int = 60) -> str:
    """Captured text that can stand in an XML or shell comment: printable ASCII, no `--`, cut to `longest`."""
    text = _UNPRINTABLE.sub("?", text).replace("<", "(").replace(">", ")")
    while "--" in text:
        text = text.replace("--", "-")
    return text if len(text) <= longest else text[: longest - 3] + "..."
