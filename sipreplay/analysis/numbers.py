"""Telephone numbers and users as dialogs name them, made comparable (E.164, RFC 3966 5.1.1).

Never knows a numbering plan: two writings of a number are the same when one ends with the other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

SHORTEST_SUFFIX = 6
"""Digits that two numbers of different length must have in common at their ends."""
_FIELDS = re.compile(
    rb"\n(?:(from|f|to|t|p-asserted-identity|max-forwards)[ \t]*:[ \t]*([^\r\n]*)|\r?\n)", re.IGNORECASE
)
"""Those headers, or the end of all."""
_USER = re.compile(rb"sips?:([^@>?\s]*)@|tel:([^>\s]*)", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s().\-]")
_DIGITS = re.compile(r"\+?[0-9*#]+\Z")


@lru_cache(maxsize=16384)
def normalised(user: str) -> str:
    """A user part without what differs in writing: parameters, separators, `+`, an international 00. A name in lower
    case; "" for none."""
    text = user.partition(";")[0].strip()
    number = _SEPARATORS.sub("", text)
    if not _DIGITS.match(number):
        return text.lower()
    if number.startswith("+"):
        return number[1:]
    return number[2:] if number.startswith("00") and len(number) > 7 else number


class Named(NamedTuple):
    """Who a request says is calling whom."""

    caller: str
    """P-Asserted-Identity where a network vouches for one, else From; normalised."""
    target: str
    """The user of the Request-URI, else of To; normalised."""
    max_forwards: int
    """-1 without one."""


def named_in(data: bytes) -> Named:
    """What a request's bytes name, found without reading all its headers: many are looked at, and for no more."""
    line_end = data.find(b"\n") + 1
    words = data[:line_end].split(None, 2)
    target = user_of(words[1]) if len(words) == 3 else ""
    found: dict[bytes, bytes] = {}
    for match in _FIELDS.finditer(data, max(0, line_end - 1)):
        if match.group(1) is None:
            break
        found.setdefault(match.group(1).lower()[:1], match.group(2))
    hops = found.get(b"m", b"").strip()
    return Named(
        user_of(found.get(b"p", b"")) or user_of(found.get(b"f", b"")),
        target or user_of(found.get(b"t", b"")),
        int(hops) if hops.isdigit() and len(hops) < 4 else -1,
    )


def user_of(value: bytes) -> str:
    """The normalised user of a URI, or of a From, To or P-Asserted-Identity value; "" when there is none."""
    match = _USER.search(value, max(0, value.rfind(b"<")))
    if match is None:
        return ""
    return normalised((match.group(1) or match.group(2) or b"").partition(b":")[0].decode("utf-8", "replace"))


def same_number(one: str, other: str) -> bool:
    """Whether two normalised users may be written for the same: equal, or digits of which one ends with the other."""
    if not one or not other:
        return False
    if one == other:
        return True
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return len(short) >= SHORTEST_SUFFIX and short.isdigit() and long.isdigit() and long.endswith(short)


def suffix_key(user: str) -> str:
    """What all users share that `same_number` may hold to be the same."""
    return user[-SHORTEST_SUFFIX:] if user.isdigit() else user
