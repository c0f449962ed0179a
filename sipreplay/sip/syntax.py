"""The small rules that all SIP values share: compact header names, quoted strings, lists, parameters.

Tolerant, as traffic in the wild asks for. Owns `SipSyntaxError`, the one error of this room. Never looks at a whole
message.
"""

from __future__ import annotations

import re

COMPACT_FORMS = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""One-letter header names of RFC 3261 7.3.3, 3515, 3841, 3892, 4028, 4474, 6665, with the long names in lower case."""

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r'[",<>;]')


class SipSyntaxError(ValueError):
    """Bytes or text that cannot be read as SIP or SDP. The message says what was wrong."""


def canonical_name(name: str) -> str:
    """The header name in lower case, compact forms made long."""
    lower = name.strip().lower()
    return COMPACT_FORMS.get(lower, lower)


def end_of_quoted(text: str, start: int) -> int:
    """Index just past the quoted string that opens at `start`; the text's length when it never closes."""
    position = start + 1
    while True:
        position = text.find('"', position)
        if position < 0:
            return len(text)
        backslashes = position - 1
        while text[backslashes] == "\\":
            backslashes -= 1
        if (position - backslashes) % 2:
            return position + 1
        position += 1


def split_list(text: str, separator: str = ",") -> list[str]:
    """The parts of a header value between separators that stand outside quotes and angle brackets (RFC 3261 7.3.1).

    Parts are stripped; empty parts are left out.
    """
    if separator not in text:
        part = text.strip()
        return [part] if part else []
    parts = []
    start = position = 0
    in_angle = False
    while match := _SPECIAL.search(text, position):
        position = match.start()
        character = text[position]
        if character == '"' and not in_angle:
            position = end_of_quoted(text, position)
            continue
        if character == "<":
            in_angle = True
        elif character == ">":
            in_angle = False
        elif character == separator and not in_angle:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def parse_parameters(text: str) -> dict[str, str | None]:
    """`;name=value;flag` as a dict: names in lower case, quotes kept, None for a flag. The first of equals wins."""
    found: dict[str, str | None] = {}
    for part in split_list(text, ";"):
        name, equals, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip() if equals else None)
    return found


def render_parameters(parameters: dict[str, str | None]) -> str:
    """The reverse of `parse_parameters`."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items())


def unquote(text: str) -> str:
    """The text of a quoted string; other text unchanged (stripped)."""
    text = text.strip()
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def quote(text: str) -> str:
    """A quoted string that holds the text (RFC 3261 25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
