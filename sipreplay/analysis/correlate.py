"""Headers that the user names to tie dialogs by: `HEADER` or `HEADER=REGEX`, whose first group is the key.

Owns the check that a pattern cannot run for long on what a capture holds: there is no nesting of repetitions, and the
more repetitions it has, the less of a value it is shown. Never decides what a key ties.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sipreplay.errors import UsageError
from sipreplay.sip.message import Message

LONGEST_PATTERN = 256
SHOWN = (1024, 1024, 256, 96)
"""Characters of a value that a pattern with 0, 1, 2, 3 open-ended repetitions is shown."""
MAX_CHOICES = 6
"""Optional parts and alternatives in a pattern."""
_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_REFUSED = {
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ASSERT": "a look-around",
    "ASSERT_NOT": "a look-around",
}


@dataclass(frozen=True, slots=True)
class Correlate:
    """One header to tie dialogs by."""

    header: str
    """Lower case."""
    pattern: re.Pattern[str] | None = None
    shown: int = SHOWN[0]

    def keys(self, message: Message) -> Iterator[str]:
        """The keys that a message holds: the first group of the pattern, or the whole value without parameters."""
        for value in message.get_all(self.header):
            if self.pattern is None:
                key = value.partition(";")[0].strip()
            else:
                match = self.pattern.search(value[: self.shown])
                key = (match.group(1) or "").strip() if match else ""
            if key:
                yield key


def parse_correlate(text: str) -> Correlate:
    """Read `HEADER` or `HEADER=REGEX`. Raises UsageError that says what is wrong with it."""
    name, equals, expression = text.partition("=")
    name = name.strip()
    where = f"--correlate {text!r}"
    if not _NAME.match(name):
        raise UsageError(f"{where}: wants HEADER or HEADER=REGEX, e.g. X-CID or P-Routing=id=(.*)$")
    if not equals:
        return Correlate(name.lower())
    if not expression:
        raise UsageError(f"{where}: the expression after = is empty")
    if len(expression) > LONGEST_PATTERN:
        raise UsageError(f"{where}: the expression is longer than {LONGEST_PATTERN} characters")
    try:
        pattern = re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"{where}: {expression!r} is no regular expression: {error}") from None
    if pattern.groups < 1:
        raise UsageError(f"{where}: the expression needs a group, e.g. id=(.*)$; the first one is the key")
    problem, repeats = _problem(expression)
    if not problem and repeats >= len(SHOWN):
        problem = f"{repeats} open-ended repetitions (at most {len(SHOWN) - 1})"
    if problem:
        raise UsageError(f"{where}: the expression has {problem}, and could take for ever; write it without")
    return Correlate(name.lower(), pattern, SHOWN[repeats])


def parse_all(texts: Iterable[str]) -> list[Correlate]:
    """Several, each once."""
    return list(dict.fromkeys(_cached(text) for text in texts))


@lru_cache(maxsize=64)
def _cached(text: str) -> Correlate:
    return parse_correlate(text)


class _Cost:
    """What a pattern holds that can make it try again and again."""

    def __init__(self) -> None:
        self.repeats = 0
        """Open-ended repetitions."""
        self.choices = 0
        """Optional parts and alternatives: each may double the work."""

    def walk(self, items: Any, *, in_repeat: bool = False) -> str:
        """Count; gives the name of what is not allowed at all, or ""."""
        for operator, argument in items:
            name = str(operator)
            if name in _REFUSED:
                return _REFUSED[name]
            inner: Sequence[Any] = ()
            repeated = in_repeat
            if name in _REPEATS:
                least, most, body = argument
                inner = [body]
                if int(most) > 1:
                    if in_repeat:
                        return "a repetition within a repetition"
                    repeated = True
                    self.repeats += int(most) != int(least)
                elif int(least) == 0:
                    if in_repeat:
                        return "an optional part within a repetition"
                    self.choices += 1
            elif name == "BRANCH":
                if in_repeat:
                    return "alternatives within a repetition"
                inner = argument[1]
                self.choices += len(inner) - 1
            elif name == "SUBPATTERN":
                inner = [argument[-1]]
            elif name == "ATOMIC_GROUP":
                inner = [argument]
            for body in inner:
                if problem := self.walk(body, in_repeat=repeated):
                    return problem
        return ""


def _problem(expression: str) -> tuple[str, int]:
    """(what could make the pattern run for long, or "", number of open-ended repetitions)."""
    # The standard library reads the pattern; there is no public way to ask it what it read.
    parser: Any = importlib.import_module("re._parser")
    cost = _Cost()
    problem = cost.walk(parser.parse(expression))
    if not problem and cost.choices > MAX_CHOICES:
        problem = f"{cost.choices} optional parts and alternatives (at most {MAX_CHOICES})"
    return problem, cost.repeats
