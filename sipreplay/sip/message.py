"""A whole SIP message: start line, headers, body.

Reads what is found in the wild (RFC 3261 7, 18.3): compact names, folded lines, bare LF, line ends before the start
line, Content-Length missing or wrong, bytes that are no UTF-8 (kept by surrogateescape). Headers are read at first
need. Never judges whether a message makes sense.
"""

from __future__ import annotations

import re

from sipreplay.sip.address import tag_of
from sipreplay.sip.framing import MAX_STREAM_HEAD as MAX_STREAM_HEAD
from sipreplay.sip.framing import split_stream as split_stream
from sipreplay.sip.scan import Scan, scan
from sipreplay.sip.syntax import COMPACT_FORMS, canonical_name, split_list
from sipreplay.sip.syntax import SipSyntaxError as SipSyntaxError
from sipreplay.sip.via import branch_of

MAX_HEADERS = 1024
"""Headers after this many are not kept: no real message comes near, and a hostile one must not cost more."""

_HEAD_END = re.compile(rb"\r\n\r\n|\n\r?\n|\r\n\n")
_STATUS_LINE = re.compile(rb"SIP/2\.0[ \t]+(\d{3})(?:[ \t]|\Z)", re.IGNORECASE)
_TOKEN = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_USUAL = {
    name.lower(): b"\n%s: " % name.encode() for name in ("From", "To", "Contact", "Content-Type", "Content-Length")
}
"""Headers that are looked for in their usual spelling before all headers are read: it is ten times faster."""
_VIA = re.compile(rb"\nVia: ([^\r\n]*)\r\n(?![ \t])")
_FOLD = re.compile(r"\r?\n[ \t]+")


class Message:
    """One SIP message. `text.encode("utf-8", "surrogateescape")` gives any text's bytes back."""

    __slots__ = (
        "_data",
        "_from_tag",
        "_headers",
        "_index",
        "_line_end",
        "_parts",
        "_start",
        "_to_tag",
        "branch",
        "call_id",
        "cseq_method",
        "cseq_number",
        "method",
        "status",
    )

    def __init__(
        self, data: bytes, start: int, line_end: int, method: str, status: int, scanned: Scan | None = None
    ) -> None:
        """`parse_message` makes these. The start line is data[start:line_end], without its line feed."""
        self.method = method
        """Of a request; "" for a response."""
        self.status = status
        """Of a response; 0 for a request."""
        self._data = data
        self._start = start
        self._line_end = line_end
        self._parts: tuple[int, int] | None = None
        self._from_tag: str | None = None
        self._to_tag: str | None = None
        self._headers: list[tuple[str, str]] | None = None
        self._index: dict[str, list[str]] | None = None
        if scanned is not None:
            self.call_id = _text(scanned.call_id)
            """The Call-ID, or ""."""
            self.branch = _text(scanned.branch)
            """The branch of the top Via, or ""."""
            self.cseq_number = scanned.cseq_number
            """The number of CSeq, or 0."""
            self.cseq_method = _text(scanned.cseq_method)
            """The method of CSeq, or ""."""
        else:
            self._find_routing_fields()

    def _find_routing_fields(self) -> None:
        """The same from the headers: what a scan does not take may still be SIP (no Call-ID, odd start line)."""
        vias = self.via_values
        words = (self.get("cseq") or "").split(None, 1)
        number = words[0] if words else ""
        self.call_id = self.get("call-id") or ""
        self.branch = branch_of(vias[0]) if vias else ""
        self.cseq_number = int(number) if number.isascii() and number.isdigit() and len(number) <= 10 else 0
        self.cseq_method = words[1] if len(words) > 1 else ""

    def __repr__(self) -> str:
        return f"<Message {self.start_line!r}>"

    @property
    def is_request(self) -> bool:
        """Whether it has a method."""
        return bool(self.method)

    @property
    def start_line(self) -> str:
        """The first line, without its line end."""
        return _text(self._data[self._start : self._line_end]).rstrip("\r")

    @property
    def request_uri(self) -> str:
        """Of a request, as written; "" for a response."""
        words = self.start_line.strip().split(None, 1) if self.method else []
        return words[1][:-8].rstrip() if len(words) > 1 else ""

    @property
    def reason(self) -> str:
        """Of a response; may be empty."""
        words = [] if self.method else self.start_line.split(None, 2)
        return words[2].strip() if len(words) > 2 else ""

    @property
    def _split(self) -> tuple[int, int]:
        """Where the headers end, with their last line end, and where the body starts."""
        if self._parts is None:
            self._parts = _head_end(self._data, self._line_end)
        return self._parts

    @property
    def _tail(self) -> bytes:
        """All that follows the empty line."""
        return self._data[self._split[1] :]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """(name as written, value unfolded), in order. A line without a colon is left out."""
        if self._headers is None:
            self._headers = read_headers(self._data[self._line_end : self._split[0]])
        return self._headers

    def get_all(self, name: str) -> list[str]:
        """All values of a header, compact form and case apart, in order; lists are not split."""
        if self._index is None:
            index: dict[str, list[str]] = {}
            for written, value in self.headers:
                key = written.lower()
                if len(key) == 1:
                    key = COMPACT_FORMS.get(key, key)
                if key in index:
                    index[key].append(value)
                else:
                    index[key] = [value]
            self._index = index
        return self._index.get(name) or self._index.get(canonical_name(name), [])

    def get(self, name: str) -> str | None:
        """The first value of a header, or None."""
        if self._index is None and name in _USUAL:
            start, stop = self._usual_line(_USUAL[name])
            if stop >= 0:
                return _text(self._data[start:stop]).strip()
        values = self.get_all(name)
        return values[0] if values else None

    @property
    def content_length(self) -> int | None:
        """What Content-Length says, or None when it is missing or no number."""
        text = (self.get("content-length") or "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    @property
    def body(self) -> bytes:
        """What follows the empty line: Content-Length bytes, fewer when the datagram ends before (RFC 3261 18.3)."""
        tail = self._tail
        length = self.content_length if tail else None
        return tail if length is None else tail[:length]

    @property
    def missing(self) -> int:
        """How many bytes of the body Content-Length promises that are not there; 0 where all are."""
        length = self.content_length
        return max(0, length - len(self._tail)) if length else 0

    @property
    def surplus(self) -> bytes:
        """What follows the body that Content-Length ends, e.g. a second message in the same datagram."""
        tail = self._tail
        length = self.content_length if tail else None
        return b"" if length is None else tail[length:]

    @property
    def via_values(self) -> list[str]:
        """Every Via, top first, lists split."""
        if self._index is None:
            data, start, end = self._data, self._line_end, self._split[0]
            alone = data.count(b"\nV", start, end) == 1 and data.find(b"\nv", start, end) < 0
            # No other header starts with a V, so no other Via can be there.
            if alone and (usual := _VIA.search(data, start, end)):
                return split_list(_text(usual.group(1)))
        return [part for value in self.get_all("via") for part in split_list(value)]

    def read_tags(self) -> None:
        """Find the tags now rather than when they are asked for."""
        self._from_tag = self._tag("from")
        self._to_tag = self._tag("to")

    def forget(self) -> None:
        """Drop the headers that were read: they are several times as large as the bytes, and read again when they are
        asked for. Routing fields and tags stay.
        """
        self._headers = self._index = None

    @property
    def from_tag(self) -> str:
        """The tag of From, or ""."""
        if self._from_tag is None:
            self._from_tag = self._tag("from")
        return self._from_tag

    @property
    def to_tag(self) -> str:
        """The tag of To, or ""."""
        if self._to_tag is None:
            self._to_tag = self._tag("to")
        return self._to_tag

    def _usual_line(self, start: bytes) -> tuple[int, int]:
        """Where the value of a header begins and ends that is written `start` and not folded; (-1, -1) without one."""
        data = self._data
        at = data.find(start, self._line_end, self._split[0])
        if at >= 0:
            stop = data.find(b"\r\n", at + 2)
            if stop >= 0 and data[stop + 2 : stop + 3] not in (b" ", b"\t"):
                return at + len(start), stop
        return -1, -1

    def _tag(self, name: str) -> str:
        """The tag of a name-addr as nearly all write it, by a few searches; else by the rules."""
        data = self._data
        start, stop = self._usual_line(_USUAL[name])
        if stop >= 0:
            tag_at = data.rfind(b">;tag=", start, stop)
            tag = data[tag_at + 6 : stop] if tag_at >= 0 else b""
            if tag.isalnum() or _TOKEN.match(tag) if tag_at >= 0 else data[stop - 1 : stop] == b">":
                return tag.decode("ascii")
        return tag_of(self.get(name) or "")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def read_headers(head: bytes) -> list[tuple[str, str]]:
    """(name as written, value unfolded) of header lines, in order; at most MAX_HEADERS lines are looked at."""
    text = _text(head)
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    found = []
    for line in text.split("\n", MAX_HEADERS)[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        name = name.strip()
        if colon and name:
            found.append((name, value.strip()))
    return found


def _head_end(data: bytes, line_end: int) -> tuple[int, int]:
    """Where the headers end, with their last line end, and where the body starts; both at the end without an empty
    line.
    """
    # The search starts on the start line's own line end: a message may have no headers at all.
    start = line_end - 1 if data[line_end - 1 : line_end] == b"\r" else line_end
    end = data.find(b"\r\n\r\n", start)
    if end >= 0 and data.find(b"\n\n", start, end) < 0 and data.find(b"\n\r\n", start, end) < 0:
        return max(end + 2, line_end), end + 4
    match = _HEAD_END.search(data, start)
    return (max(match.start() + 2, line_end), match.end()) if match else (len(data), len(data))


def parse_message(data: bytes, scanned: Scan | None = None) -> Message:
    """Read one message, alone in `data` (a datagram, or one item of `split_stream`). Raises SipSyntaxError.

    `scanned`, when the caller has it, is what `scan(data)` returned.
    """
    start = 0
    if data[:1] in (b"\r", b"\n"):
        start = len(data) - len(data.lstrip(b"\r\n"))
    line_end = data.find(b"\n", start)
    if line_end < 0:
        line_end = len(data)
    scanned = scanned or scan(data)
    if scanned is not None:
        return Message(data, start, line_end, scanned.method.decode("ascii"), scanned.code, scanned)
    line = data[start:line_end].rstrip(b"\r")
    if line[:4].upper() == b"SIP/":
        found = _STATUS_LINE.match(line)
        if found is None:
            raise SipSyntaxError(f"not a status line: {line[:80]!r}")
        return Message(data, start, line_end, "", int(found.group(1)))
    method, _, rest = line.partition(b" ")
    uri = rest.strip()
    if uri[-8:].upper() not in (b" SIP/2.0", b"\tSIP/2.0") or not _TOKEN.match(method):
        raise SipSyntaxError(f"not a SIP start line: {line[:80]!r}")
    return Message(data, start, line_end, method.decode("ascii"), 0)
