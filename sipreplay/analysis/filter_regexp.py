"""Regular expressions that cannot run away: what a user writes, tried on what a stranger sent.

Python's engine backtracks; a repeat within a repeat takes time without bound on a text made for it. Such patterns are
refused, and single repeats are few enough for the short texts that filters are tried on. Never matches anything itself.
"""

from __future__ import annotations

import re

LONGEST = 200
"""Characters of a pattern."""
MOST_REPEATS = 2
"""Unbounded repeats of a pattern: time grows with the length of the text to this power and the
place where it begins, at most."""
MOST_COUNTED = 8
"""A repeat that counts further is as good as unbounded."""

_ENDLESS = 1 << 30
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}", re.ASCII)


def compile_bounded(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled without regard to case. Raises ValueError that says what is wrong with it."""
    if len(pattern) > LONGEST:
        raise ValueError(f"the regular expression is longer than {LONGEST} characters")
    _check(pattern)
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


def _check(pattern: str) -> None:
    """Refuse back references, large counts, repeats of what repeats or branches, and too many repeats."""
    at = 0
    repeats = 0
    wild = [False]
    """A level a parenthesis: whether what it holds repeats or branches."""
    closed = False
    """Whether what a repeat would repeat is such a parenthesis."""
    while at < len(pattern):
        character = pattern[at]
        width = 1
        held = closed
        closed = False
        if character == "\\":
            if pattern[at + 1 : at + 2].isdigit():
                raise ValueError("back references are not taken")
            width = 2
        elif character == "[":
            width = _set_width(pattern, at)
        elif character == "(":
            if pattern.startswith("(?P=", at) or pattern.startswith("(?(", at):
                raise ValueError("back references are not taken")
            wild.append(False)
        elif character == ")":
            closed = wild.pop() if len(wild) > 1 else False
            wild[-1] |= closed
        elif character == "|":
            wild[-1] = True
        elif character == "?":
            wild[-1] |= pattern[at - 1 : at] != "("
        elif character in "*+{":
            width, most = _repeat(pattern, at)
            if held and most > 1:
                raise ValueError("a repeat of what repeats or branches itself is not taken: it may run for ever")
            repeats += most > MOST_COUNTED
            if repeats > MOST_REPEATS:
                raise ValueError(
                    f"more than {MOST_REPEATS} unbounded repeats are not taken; none is needed at the ends,"
                    " since a match may be anywhere"
                )
            wild[-1] |= most > 1
        at += width


def _set_width(pattern: str, at: int) -> int:
    """Characters of a [set]."""
    end = at + 1
    if pattern[end : end + 1] == "^":
        end += 1
    if pattern[end : end + 1] == "]":
        end += 1
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1 - at


def _repeat(pattern: str, at: int) -> tuple[int, int]:
    """Characters of a repeat, and how often it repeats at most; 0 for a brace that counts nothing."""
    if pattern[at] in "*+":
        return 1, _ENDLESS
    counted = _COUNTED.match(pattern, at)
    if counted is None:
        return 1, 0
    low, comma, high = counted.groups()
    most = high if comma else low
    if max(len(most), len(low)) > 3:
        raise ValueError("a count of a thousand or more is not taken")
    return counted.end() - at, int(most) if most else _ENDLESS
