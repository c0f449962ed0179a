"""Telephone numbers and users as dialogs name them, made comparable (E.164, RFC 3966 5.1.1).

Never knows a numbering plan: two writings of a number are the same when one ends with the other.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sipreplay.sip.address import parse_name_addr
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import parse_uri

SHORTEST_SUFFIX = 6
"""Digits that two numbers of different length must have in common at their ends."""
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


@lru_cache(maxsize=65536)
def user_in(value: str) -> str:
    """The normalised user of a From, To, P-Asserted-Identity or Contact value; "" when there is none to be read."""
    try:
        return normalised(parse_name_addr(value).uri.user or "")
    except SipSyntaxError:
        return ""


def caller_user(message: Message) -> str:
    """Who calls: P-Asserted-Identity where a network vouches for one, else From."""
    return user_in(message.get("p-asserted-identity") or "") or user_in(message.get("from") or "")


def target_user(message: Message) -> str:
    """Who is called: the user of the Request-URI, else of To."""
    try:
        user = normalised(parse_uri(message.request_uri).user or "")
    except SipSyntaxError:
        user = ""
    return user or user_in(message.get("to") or "")


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
