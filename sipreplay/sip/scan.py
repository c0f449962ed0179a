"""The hot path: what a receiver must know of a message before it knows which call it is for.

Looks for start line, Call-ID, CSeq and the top Via's branch with `bytes.find` in the usual spellings; whatever is
spelled otherwise (compact, folded, bare LF, odd case) takes a slower way to the same answer. Never parses the rest.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Scan(NamedTuple):
    """The routing fields of a message."""

    method: bytes
    """Of a request; b"" for a response."""
    code: int
    """Of a response; 0 for a request."""
    call_id: bytes
    cseq_number: int
    """0 when there is no usable CSeq."""
    cseq_method: bytes
    branch: bytes
    """Of the top Via; b"" when there is none (RFC 2543)."""


_CALL_ID = re.compile(rb"(?i)\n(?:call-id|i)[ \t]*:")
_CSEQ = re.compile(rb"(?i)\ncseq[ \t]*:")
_VIA = re.compile(rb"(?i)\n(?:via|v)[ \t]*:")
_BRANCH = re.compile(rb"(?i);[ \t\r\n]*branch[ \t]*=[ \t]*([^ \t\r\n;,]*)")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_BRANCH_END = re.compile(rb"[;,\s]")
_TOKEN = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_DIGITS = re.compile(rb"\d{1,10}\Z")


def scan(data: bytes) -> Scan | None:
    """The routing fields of a message, or None when it is not SIP or has no Call-ID."""
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return _slow(data)
    line_end = data.find(b"\r\n")
    if data.startswith(b"SIP/2.0 "):
        method = b""
        code_text = data[8:11]
        if not code_text.isdigit() or data[11] not in b" \r":
            return _slow(data)
        code = int(code_text)
    else:
        if data[line_end - 8 : line_end] != b" SIP/2.0":
            return _slow(data)
        method = data[: data.find(b" ")]
        if not method.isalpha() and not _TOKEN.match(method):
            return None
        code = 0

    at = data.find(b"\nCall-ID: ", line_end, end)
    stop = data.find(b"\r\n", at, end + 2)
    if at < 0 or data[stop + 2] in b" \t":
        return _slow(data)
    call_id = data[at + 10 : stop].strip()

    at = data.find(b"\nCSeq: ", line_end, end)
    stop = data.find(b"\r\n", at, end + 2)
    if at < 0 or data[stop + 2] in b" \t":
        return _slow(data)
    number, _, cseq_method = data[at + 7 : stop].partition(b" ")
    if not number.isdigit() or len(number) > 10:
        return _slow(data)

    at = data.find(b"\nVia: ", line_end, end)
    stop = data.find(b"\r\n", at, end + 2)
    if at < 0 or data[stop + 2] in b" \t":
        return _slow(data)
    start = data.find(b";branch=", at, stop)
    if start < 0 or data.find(b",", at, start) >= 0:
        return _slow(data)
    start += 8
    semicolon = data.find(b";", start, stop)
    branch = data[start : semicolon if semicolon > 0 else stop]
    if b"," in branch or b" " in branch:
        branch = _BRANCH_END.split(branch, 1)[0]
    if not call_id:
        return None
    return Scan(method, code, call_id, int(number), cseq_method.strip(), branch)


def _value(head: bytes, name: re.Pattern[bytes]) -> bytes | None:
    """The first value of a header, unfolded, or None."""
    match = name.search(head)
    if match is None:
        return None
    start = match.end()
    stop = head.find(b"\n", start)
    while stop >= 0 and head[stop + 1 : stop + 2] in (b" ", b"\t"):
        stop = head.find(b"\n", stop + 1)
    value = head[start:] if stop < 0 else head[start:stop]
    return b" ".join(value.split()) if b"\n" in value else value.strip()


def _slow(data: bytes) -> Scan | None:
    """The same, for every spelling that RFC 3261 allows and bare LF."""
    match = _HEADER_END.search(data)
    head = data[: match.start()] if match else data
    line, _, _ = head.partition(b"\n")
    line = line.rstrip(b"\r")
    method = b""
    code = 0
    if line[:8].upper() == b"SIP/2.0 ":
        code_text = line[8:].strip().split(b" ", 1)[0]
        if len(code_text) != 3 or not code_text.isdigit():
            return None
        code = int(code_text)
    else:
        line = line.rstrip()
        if line[-8:].upper() not in (b" SIP/2.0", b"\tSIP/2.0"):
            return None
        method = line.split(None, 1)[0]
        if not _TOKEN.match(method):
            return None
    call_id = _value(head, _CALL_ID)
    if not call_id:
        return None
    words = (_value(head, _CSEQ) or b"").split(None, 1)
    number = int(words[0]) if words and _DIGITS.match(words[0]) else 0
    cseq_method = words[1] if len(words) > 1 else b""
    via = _value(head, _VIA) or b""
    branch = _BRANCH.search(via.split(b",", 1)[0])
    return Scan(method, code, call_id, number, cseq_method, branch.group(1) if branch else b"")
