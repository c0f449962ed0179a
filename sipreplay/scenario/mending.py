"""Writes a scenario file that is not well-formed as one that is: only what was wrong changes, byte for byte.

Given bytes, gives bytes; whoever calls it owns the files.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipreplay.scenario.markup import Problem, parse
from sipreplay.scenario.reader import in_bytes

ROUNDS = 5
"""A mend can uncover another one; more rounds than this have never been needed."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A file after mending. `left` is what only its author can mend: with any, `data` is still not well-formed."""

    data: bytes
    mended: tuple[Problem, ...]
    left: tuple[Problem, ...]


def mend(data: bytes) -> Mended:
    """Mend what can be mended. Lines of problems are those of `data`; nothing changes in a file without problems."""
    text = in_bytes(data).decode("latin-1")
    document = parse(text)
    mended = tuple(problem for problem in document.problems if problem.edits)
    for _ in range(ROUNDS):
        if not any(problem.edits for problem in document.problems):
            break
        text = document.mended()
        document = parse(text)
    return Mended(text.encode("latin-1"), mended, tuple(document.problems))
