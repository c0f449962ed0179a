"""The hot path: what a receiver must know of a message before it knows which call it is for.

Looks for start line, Call-ID, CSeq and the top Via's branch with one expression in the usual spellings; whatever is
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


def _up_to(*names: bytes) -> bytes:
    """Whole lines, none of which starts a header of those names, however spelled. Possessive: time is linear."""
    return rb"(?:(?!(?i:" + b"|".join(names) + rb")[ \t]*:)[^\r\n]++\r\n)*+"


_START = rb"(?:SIP/2\.0 (\d{3})(?: [^\r\n]*+)?\r\n|([A-Z]++) [^\r\n ]++ SIP/2\.0\r\n)"
_TOP_VIA = _up_to(b"via", b"v") + rb"Via: [^,;\r\n]*+(?:;(?!branch=)[^;,\r\n]*+)*+;branch=([^;,\r\n ]++)"
_ONE_CALL_ID = rb"Call-ID: ([^\r\n ]++)\r\n(?![ \t])"
_ONE_CSEQ = rb"CSeq: (\d{1,10}+) ([A-Z]++)\r\n"
_USUAL = re.compile(
    _START
    + _TOP_VIA
    + rb"[^\r\n]*+\r\n"
    + _up_to(b"call-id", b"i", b"cseq")
    + _ONE_CALL_ID
    + _up_to(b"cseq")
    + _ONE_CSEQ
).match
"""Via before Call-ID before CSeq, as nearly all write it: half the time of any order."""
_ANY_ORDER = re.compile(
    _START + b"(?=%s)(?=%s%s)%s%s" % (_TOP_VIA, _up_to(b"call-id", b"i"), _ONE_CALL_ID, _up_to(b"cseq"), _ONE_CSEQ)
).match

_TAG = rb"([A-Za-z0-9\-.!%*_+`'~]++)"


def _lines_but(letters: bytes, *names: bytes) -> bytes:
    """As `_up_to`, told the letters that those names begin with: most lines are passed at their first letter."""
    named = rb"(?!(?i:" + b"|".join(names) + rb")[ \t]*+:)"
    return rb"(?:[^\r\n" + letters + rb"][^\n]*+\n|" + named + rb"[^\r\n][^\n]*+\n)*+"


with_tags = re.compile(
    rb"(?:SIP/2\.0 (\d{3})(?: [^\r\n]*+)?\r\n|([A-Z]++) [^\r\n ]++ SIP/2\.0\r\n)"
    + _lines_but(b"Vv", b"via", b"v")
    + rb"Via: SIP/2\.0/[^,;\r\n]*+(?:;(?!branch=)[^;,\r\n]*+)*+;branch=([^;,\r\n ]++)[^\n]*+\n"
    + _lines_but(b"FfTtCcIi", b"from", b"f", b"to", b"t", b"call-id", b"i", b"cseq")
    + rb"From: [^>\r\n]*+>;tag=%s\r\n(?![ \t])" % _TAG
    + _lines_but(b"TtCcIi", b"to", b"t", b"call-id", b"i", b"cseq")
    + rb"To: [^>\r\n]*+>(?:;tag=%s)?+\r\n(?![ \t])" % _TAG
    + _lines_but(b"CcIi", b"call-id", b"i", b"cseq")
    + _ONE_CALL_ID
    + _lines_but(b"Cc", b"cseq")
    + _ONE_CSEQ
).match
"""Code, method, branch, From-tag, To-tag, Call-ID, CSeq number and method of a message that writes them as nearly all
do: Via, From, To, Call-ID, CSeq in this order, tags last in their lines. No match says nothing: ask `scan` and
`Message`."""

_CALL_ID = re.compile(rb"(?i)\n(?:call-id|i)[ \t]*:")
_CSEQ = re.compile(rb"(?i)\ncseq[ \t]*:")
_VIA = re.compile(rb"(?i)\n(?:via|v)[ \t]*:")
_BRANCH = re.compile(rb"(?i);[ \t\r\n]*branch[ \t]*=[ \t]*([^ \t\r\n;,]*)")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_DIGITS = re.compile(rb"\d{1,10}\Z")


def scan(data: bytes) -> Scan | None:
    """The routing fields of a message, or None when it is not SIP or has no Call-ID."""
    match = _USUAL(data) or _ANY_ORDER(data)
    if match is None:
        return _slow(data)
    code, method, branch, call_id, number, cseq_method = match.groups(b"")
    return Scan(method, int(code) if code else 0, call_id, int(number), cseq_method, branch)


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
    data = data.lstrip(b"\r\n")
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
