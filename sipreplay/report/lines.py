"""Styled lines: made once, written with colours to a terminal and plainly to a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TextIO

Span = tuple[str, str]
"""Text and style, a key of STYLES."""
Line = list[Span]

PIPED_TABLES = 200
"""Width of tables in a pipe: nobody sees a margin there, and cut addresses cannot be searched for."""

SEPARATOR: Span = (" · ", "dim")

STYLES = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "good": "bold green",
    "bad": "bold red",
    "warn": "yellow",
    "head": "bold cyan",
    "request": "bold blue",
    "provisional": "cyan",
    "success": "bold green",
    "redirect": "magenta",
    "failure": "bold red",
    "media": "magenta",
}
"""Style to rich's."""


def dotted(*parts: str | Span) -> Line:
    """Parts with a dot between them."""
    spans: Line = []
    for part in parts:
        if spans:
            spans.append(SEPARATOR)
        spans.append((part, "") if isinstance(part, str) else part)
    return spans


def wrapped(line: Line, width: int) -> Iterator[Line]:
    """A dotted row that is too wide, broken at its dots and continued under its first part."""
    if SEPARATOR not in line or sum(len(text) for text, _ in line) <= width:
        yield line
        return
    indent = len(line[0][0])
    current: Line = [line[0]]
    used = indent
    for span in line[1:]:
        if span == SEPARATOR:
            continue
        if used > indent and used + len(SEPARATOR[0]) + len(span[0]) > width:
            yield current
            current, used = [(" " * indent, "")], indent
        if used > indent:
            current.append(SEPARATOR)
            used += len(SEPARATOR[0])
        current.append(span)
        used += len(span[0])
    yield current


def plain_text(lines: Iterable[Line]) -> str:
    """The lines without styles, each ended by a newline, nothing trailing."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def write_lines(lines: Iterable[Line], stream: TextIO) -> None:
    """With colours if `stream` is a terminal, plainly otherwise. Lines are never wrapped.

    A reader that has gone (a pager, head) is no failure: what follows is written to nobody.
    """
    if not stream.isatty():
        try:
            stream.write(plain_text(lines))
            stream.flush()
        except BrokenPipeError:
            write_to_nobody(stream)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for line in lines:
        console.print(Text.assemble(*((text, STYLES[style]) for text, style in line)), soft_wrap=True)


def write_to_nobody(stream: TextIO) -> None:
    """Let a stream whose reader has gone end in /dev/null, so that nothing complains later."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, stream.fileno())
    os.close(nobody)


def width_of(stream: TextIO, piped: int = 120) -> int:
    """Columns of the terminal, at least 80; `piped` when it is none."""
    if not stream.isatty():
        return piped
    import shutil

    return max(shutil.get_terminal_size((piped, 24)).columns, 80)
