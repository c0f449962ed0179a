"""Headers of a raw message by SIPp's rules: what [last_*], the To-tag, the route set and challenges are read with.

Works on bytes and looks at the header part only; never parses a message as a whole.
"""

from __future__ import annotations

import re

_COMPACT = {
    b"call-id": b"i",
    b"contact": b"m",
    b"content-encoding": b"e",
    b"content-length": b"l",
    b"content-type": b"c",
    b"from": b"f",
    b"to": b"t",
    b"via": b"v",
}
_FOLD = re.compile(rb"\r\n[ \t]+")
_TAG = re.compile(rb"(?i);[ \t\r\n]*tag[ \t]*=[ \t]*([^;,\s>]+)")
_BRANCH = re.compile(rb"(?i);[ \t\r\n]*branch[ \t]*=[ \t]*([^;,\s]+)")
_DIGITS = re.compile(rb"[0-9]{1,10}")


_LONG = {short: name for name, short in _COMPACT.items()}
_SPELLED_LIMIT = 4096


class HeadReader:
    """Reads several headers of a message in one pass: those whose names (in lower case) are `wanted`.

    Looks at what `header_values` looks at. Learns how peers spell names, within bounds.
    """

    __slots__ = ("_spelled", "_wanted")

    def __init__(self, wanted: frozenset[bytes]) -> None:
        self._wanted = wanted
        self._spelled: dict[bytes, bytes] = {}
        """A name as spelled to the wanted name in lower case, or b""."""

    def read(self, message: bytes) -> dict[bytes, list[bytes]]:
        """Lower-case name to values in order, unfolded; no entry for what is not there."""
        end = message.find(b"\r\n\r\n")
        head = message if end < 0 else message[:end]
        if b"\r\n " in head or b"\r\n\t" in head:
            head = _FOLD.sub(b" ", head)
        spelled = self._spelled
        index: dict[bytes, list[bytes]] = {}
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            known = spelled.get(name)
            if known is None:
                known = self._learn(name)
            if known:
                if known in index:
                    index[known].append(value.strip())
                else:
                    index[known] = [value.strip()]
        return index

    def _learn(self, name: bytes) -> bytes:
        lower = name.lower()
        known = _LONG.get(lower, lower)
        if known not in self._wanted:
            known = b""
        if len(self._spelled) < _SPELLED_LIMIT:
            self._spelled[name] = known
        return known


def header_values(message: bytes, name: bytes, lowered: bytes = b"") -> list[bytes]:
    """All values of a header in order, without its name, unfolded. `lowered` is the message in lower case, if known.

    The name is compared without case and must begin a line; compact forms of SIPp's list count as well.
    """
    if not lowered:
        lowered = message.lower()
    end = message.find(b"\r\n\r\n")
    if end < 0:
        end = len(message)
    lower_name = name.lower()
    found = _positions(message, lowered, b"\r\n" + lower_name + b":", end)
    compact = _COMPACT.get(lower_name)
    if compact is not None:
        short = _positions(message, lowered, b"\r\n" + compact + b":", end)
        if short:
            found = sorted(found + short)
    return [value for _, value in found]


def header(message: bytes, name: bytes) -> bytes:
    """The first value of a header; b"" if there is none."""
    values = header_values(message, name)
    return values[0] if values else b""


def _positions(message: bytes, lowered: bytes, needle: bytes, end: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = lowered.find(needle, 0, end)
    while at >= 0:
        start = at + len(needle)
        stop = message.find(b"\r\n", start)
        if stop < 0:
            stop = len(message)
        if stop < end and message[stop + 2 : stop + 3] in (b" ", b"\t"):
            while stop < end and message[stop + 2 : stop + 3] in (b" ", b"\t"):
                stop = message.find(b"\r\n", stop + 2)
                if stop < 0:
                    stop = len(message)
            found.append((at, _FOLD.sub(b" ", message[start:stop]).strip()))
        else:
            found.append((at, message[start:stop].strip()))
        at = lowered.find(needle, start, end)
    return found


def tag_of(message: bytes, name: bytes) -> bytes:
    """The tag of From or To; b"" if there is none."""
    at = message.find(b"\n" + name + b": ")
    if at >= 0:
        stop = message.find(b"\r\n", at)
        tag = message.find(b";tag=", max(message.rfind(b">", at, stop), at), stop)
        if tag >= 0 and message.find(b";", tag + 5, stop) < 0:
            return message[tag + 5 : stop].rstrip()
    value = header(message, name)
    match = _TAG.search(value, value.find(b">") + 1)
    return match.group(1) if match else b""


def top_branch(message: bytes) -> bytes:
    """The branch of the top Via; b"" if there is none."""
    at = message.find(b"\r\nVia: ")
    stop = message.find(b"\r\n", at + 2)
    start = message.find(b";branch=", at, stop) + 8
    if at > 0 and start > 8 and message.find(b",", at, stop) < 0 and message[stop + 2 : stop + 3] not in (b" ", b"\t"):
        end = message.find(b";", start, stop)
        return message[start : end if end >= 0 else stop].strip()
    match = _BRANCH.search(header(message, b"Via").split(b",", 1)[0])
    return match.group(1) if match else b""


def cseq_of(message: bytes) -> tuple[int, bytes]:
    """Number (0 if there is none) and method of CSeq."""
    number, _, method = header(message, b"CSeq").partition(b" ")
    match = _DIGITS.match(number)
    return (int(match.group()) & 0xFFFFFFFF if match else 0), method.strip()


def uri_of(value: bytes) -> bytes:
    """What stands between `<` and `>`; b"" without brackets."""
    start = value.find(b"<")
    end = value.find(b">", start)
    return value[start + 1 : end] if 0 <= start < end else b""


def body_of(message: bytes) -> bytes:
    """What follows the first empty line."""
    end = message.find(b"\r\n\r\n")
    return message[end + 4 :] if end >= 0 else b""
