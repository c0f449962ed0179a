"""Names that say what a scenario is: `invite-auth-bye`, `invite-hold-bye`, `register`. Nothing captured is in them."""

from __future__ import annotations

import re

from sipreplay.learn.unit import CALLEE, Exchange, Unit
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import Message

MOST_WORDS = 6
_HELD = re.compile(rb"(?m)^(?:a=(?:sendonly|inactive)|c=IN IP4 0\.0\.0\.0)\s*$")


def shape_name(unit: Unit, taken: set[str]) -> str:
    """A name of letters, digits and `-`, not in `taken`, and taken from now on."""
    words: list[str] = []
    exchanges = unit.exchanges
    seen: set[str] = set()
    for number, exchange in enumerate(exchanges):
        final = exchange.final
        following = exchanges[number + 1] if number + 1 < len(exchanges) else None
        challenged = final is not None and final.status in (401, 407)
        if challenged and following is not None and following.method == exchange.method:
            words.append("auth")
            continue
        for word in _words(exchange, seen):
            if not words or words[-1] != word:
                words.append(word)
        seen.add(exchange.method)
    if words and words[0] == "auth" and len(words) > 1:
        words[0], words[1] = words[1], words[0]
    words = [w for n, w in enumerate(words) if n == 0 or words[n - 1] != w]
    if len(words) > MOST_WORDS:
        words = [*words[: MOST_WORDS - 1], "more"]
    name = base = "-".join(words) or "call"
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name)
    return name


def _reinvite(message: Message, seen: set[str]) -> str:
    """hold, resume, or reinvite for another change, by the direction that it offers (RFC 3264 8.4)."""
    session = sdp_body(message)
    if not session:
        return "reinvite"
    if _HELD.search(session):
        seen.add("hold")
        return "hold"
    if "hold" in seen:
        seen.discard("hold")
        return "resume"
    return "reinvite"


def _words(exchange: Exchange, seen: set[str]) -> list[str]:
    method = re.sub(r"[^a-z0-9]", "", exchange.method.lower())[:20] or "request"
    if method == "prack":
        return []
    again = exchange.method == "INVITE" and exchange.method in seen
    first = exchange.request.captured.message
    word = _reinvite(first, seen) if again and first.to_tag else method
    words = [word, "callee"] if exchange.sender == CALLEE else [word]
    final = exchange.final
    if final is None:
        return [*words, "unanswered"] if not exchange.responses else [*words, "open"]
    return [*words, str(final.status)] if final.status >= 300 and final.status != 487 else words
