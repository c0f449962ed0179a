"""POSIX extended regular expressions, as SIPp's `regcomp` reads them: leftmost-longest, `.` and `[^x]` match line ends.

A pattern without alternatives and repeated groups means the same to Python's `re`, after its bracket classes are
spelled out; any other goes to the C library's own regexec, with a cap on the length of the text that is searched.
Never reads a file, keeps no state.
"""

from __future__ import annotations

import ctypes
import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sipreplay.errors import ScenarioError

SUBJECT_CAP = 16384
"""Bytes of a text that regexec searches; what lies beyond is not seen. Its worst case is the square of the length."""
GROUP_CAP = 9
"""Sub-expressions that SIPp hands out."""
PATTERN_CAP = 4096

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = {"w": "[0-9A-Za-z_]", "W": "[^0-9A-Za-z_]", "s": r"[ \t\n\r\f\v]", "S": r"[^ \t\n\r\f\v]"}
_UNBOUNDED = re.compile(r"[*+]|,\}")
_BACKTRACKING_CAPS = (65536, 8192, 2048, 512, 128)
"""Longest text that Python searches, by the number of unbounded quantifiers: its worst case is a power of it."""
_WORDS = re.compile(r"\(([\w/@:;=, -]+(?:\|[\w/@:;=, -]+)+)\)(?![*+?{])", re.ASCII)
"""A group of literal words."""
_QUANTIFIER = re.compile(r"[*+?]|\{[0-9]*(?:,[0-9]*)?\}")

Groups = tuple[bytes | None, ...]
"""The whole match, then each sub-expression; None for one that took no part."""


class Posix:
    """A compiled pattern. `groups` is the number of its sub-expressions.

    `python` is an equal pattern for `re`, for texts up to `python_cap` bytes without NUL; None if there is none.
    """

    __slots__ = ("_library", "_places", "_reference", "_regex", "groups", "pattern", "python", "python_cap")

    def __init__(self, pattern: str) -> None:
        if len(pattern) > PATTERN_CAP:
            raise ScenarioError(f"the regular expression is longer than {PATTERN_CAP} characters")
        self.pattern = pattern
        self._regex, self.groups = _regcomp(pattern)
        self._library = _library()
        # Made once: a search is short, and what ctypes makes for it is not.
        self._reference = ctypes.byref(self._regex)
        self._places = (_RegMatch * (self.groups + 1))()
        translated = translate(pattern)
        self.python = re.compile(translated, re.DOTALL) if translated is not None else None
        self.python_cap = _BACKTRACKING_CAPS[min(len(_UNBOUNDED.findall(pattern)), len(_BACKTRACKING_CAPS) - 1)]

    def native(self, length: int = 0) -> bool:
        """Whether the C library (rather than Python) searches a text of this length."""
        return self.python is None or length > self.python_cap

    def search(self, subject: bytes) -> Groups | None:
        """The leftmost, longest match anywhere in `subject`; None if there is none. A NUL ends the subject."""
        subject = subject.partition(b"\0")[0]
        if self.python is not None and len(subject) <= self.python_cap:
            match = self.python.search(subject)
            return None if match is None else (match.group(), *match.groups())
        if len(subject) > SUBJECT_CAP:
            subject = subject[:SUBJECT_CAP]
        places = self._places
        if self._library.regexec(self._reference, subject, self.groups + 1, places, 0):
            return None
        return tuple(subject[place.start : place.end] if place.start >= 0 else None for place in places)


@lru_cache(maxsize=1024)
def compile_posix(pattern: str) -> Posix:
    """Compile a pattern. Raises ScenarioError, with the C library's words, if it is not a POSIX extended expression."""
    return Posix(pattern)


def translate(pattern: str) -> bytes | None:
    """An equal pattern for `re` on bytes; None where leftmost-longest or the C library's own rules could differ.

    Translated are sequences of characters, `.`, brackets, anchors at the ends, quantified single characters, and
    groups of those that are not quantified; and, where only one place in the text is possible because nothing before
    is quantified, a group of words none of which begins another: then only one of them can match.
    """
    if any(ord(character) > 126 or ord(character) < 9 for character in pattern):
        return None
    out: list[str] = []
    position, depth = 0, 0
    repeatable, fixed = False, True
    while position < len(pattern):
        character = pattern[position]
        piece, step, can_repeat = character, 1, True
        words = _WORDS.match(pattern, position) if character == "(" and fixed else None
        if words is not None:
            alternatives = sorted(words.group(1).split("|"))
            if any(longer.startswith(shorter) for shorter, longer in pairwise(alternatives)):
                return None
            piece = "(" + "|".join(map(re.escape, words.group(1).split("|"))) + ")"
            step, can_repeat = words.end() - position, False
        elif character == "|":
            return None
        elif character == "[":
            bracket = _bracket(pattern, position)
            if bracket is None:
                return None
            piece, step = bracket
        elif character == "\\":
            escape = _escape(pattern[position + 1 : position + 2])
            if escape is None:
                return None
            piece, step = escape, 2
        elif character in "()":
            depth += 1 if character == "(" else -1
            can_repeat = False
        elif character in "^$":
            if position not in (0, len(pattern) - 1) or (character == "^") != (position == 0):
                return None
            piece, can_repeat = (character if character == "^" else r"\Z"), False
        elif character in "*+?{":
            quantifier = _QUANTIFIER.match(pattern, position)
            if quantifier is None or not repeatable or quantifier.group() in ("{}", "{,}"):
                return None
            piece, step, can_repeat, fixed = quantifier.group(), len(quantifier.group()), False, False
        elif character != ".":
            piece = re.escape(character)
        if depth < 0:
            return None
        out.append(piece)
        repeatable = can_repeat
        position += step
    if depth:
        return None
    return "".join(out).encode("ascii") if out else None


def _bracket(pattern: str, start: int) -> tuple[str, int] | None:
    """A bracket expression from `[` on, for `re`, and its length; None for equivalence classes and the like."""
    position = start + 1
    out = "["
    if pattern[position : position + 1] == "^":
        out += "^"
        position += 1
    first = True
    while position < len(pattern):
        character = pattern[position]
        if character == "]" and not first:
            return out + "]", position + 1 - start
        if character == "[" and pattern[position + 1 : position + 2] in (":", "=", "."):
            end = pattern.find(":]", position + 2)
            name = pattern[position + 2 : end] if end > 0 else ""
            if pattern[position + 1] != ":" or name not in _CLASSES:
                return None
            out += _CLASSES[name]
            position = end + 2
        else:
            plain_dash = character == "-" and (first or pattern[position + 1 : position + 2] == "]")
            out += "\\-" if plain_dash else character if character == "-" else _bracket_literal(character)
            position += 1
        first = False
    return None


def _bracket_literal(character: str) -> str:
    return "\\" + character if character in r"\[]^&~|" else character


def _escape(character: str) -> str | None:
    """What `\\c` means outside brackets, for `re`; None to leave it to the C library."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character and character in r".[]()*+?{}|^$\/-:;,=@#!%&~<>\"'" and character not in "<>'":
        return re.escape(character)
    return None


class _RegMatch(ctypes.Structure):
    _fields_ = (("start", ctypes.c_int), ("end", ctypes.c_int))
    start: int
    end: int


class _RegEx(ctypes.Structure):
    """Room for a regex_t (64 bytes in glibc). Never freed: patterns are those of the loaded scenarios."""

    _fields_ = (("words", ctypes.c_size_t * 32),)
    words: Any


_REG_EXTENDED = 1
_LC_ALL_MASK = 0x1FBF
"""glibc's; in the C locale every byte is a character, so that `.` matches what is no valid UTF-8 too."""


@lru_cache(maxsize=1)
def _library() -> Any:
    library = ctypes.CDLL(None)
    library.regexec.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int)
    library.regcomp.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.newlocale.restype = ctypes.c_void_p
    library.uselocale.argtypes = (ctypes.c_void_p,)
    library.uselocale.restype = ctypes.c_void_p
    return library


@lru_cache(maxsize=1)
def _c_locale() -> Any:
    return _library().newlocale(_LC_ALL_MASK, b"C", None)


def _regcomp(pattern: str) -> tuple[_RegEx, int]:
    library = _library()
    regex = _RegEx()
    locale = _c_locale()
    before = library.uselocale(locale) if locale else None
    try:
        code = library.regcomp(ctypes.byref(regex), pattern.encode("utf-8", "surrogateescape"), _REG_EXTENDED)
    finally:
        if before:
            library.uselocale(before)
    if code:
        text = ctypes.create_string_buffer(200)
        library.regerror(code, ctypes.byref(regex), text, 200)
        raise ScenarioError(f"'{pattern}' is not a POSIX extended regular expression: {text.value.decode()}")
    return regex, _count_groups(pattern)


def _count_groups(pattern: str) -> int:
    """Opening parentheses outside brackets and escapes."""
    count, position = 0, 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "(":
            count += 1
        elif character == "[":
            position = _bracket_end(pattern, position)
        position += 1
    return count


def _bracket_end(pattern: str, start: int) -> int:
    position = start + 1
    if pattern[position : position + 1] == "^":
        position += 1
    position += pattern[position : position + 1] == "]"
    while position < len(pattern) and pattern[position] != "]":
        if pattern[position] == "[" and pattern[position + 1 : position + 2] in (":", "=", "."):
            end = pattern.find(pattern[position + 1] + "]", position + 2)
            position = end + 1 if end > 0 else position
        position += 1
    return position
