"""Message bodies taken apart: multipart (RFC 2046 5.1, RFC 5621), Content-Encoding (RFC 3261 20.12), the SDP in them.

All bounded: how many parts there are, how deep they nest, how large an encoded body may grow. Never judges what a part
is for.
"""

from __future__ import annotations

import binascii
import quopri
import re
import zlib
from typing import NamedTuple

from sipreplay.sip.message import Message, read_headers
from sipreplay.sip.syntax import parse_parameters, unquote

MAX_PARTS = 100
MAX_DEPTH = 4
"""Multiparts within multiparts."""
MAX_DECODED = 4 << 20
"""A body that is larger once it is decoded is not read."""
_MAX_BOUNDARY = 200
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_SDP = "application/sdp"


class Part(NamedTuple):
    """One part of a body, or the body itself."""

    headers: list[tuple[str, str]]
    """(name as written, value) of the part's own headers; the message's are not among them."""
    content_type: str
    """As written, "" without one."""
    content: bytes
    """Without its transfer encoding."""

    @property
    def kind(self) -> str:
        """The media type in lower case, without parameters."""
        return _kind(self.content_type)


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def split_multipart(body: bytes, content_type: str) -> list[tuple[bytes, bytes]]:
    """The parts of a multipart body as (head, content), in order; none when the type names no boundary. A body that
    ends before its last delimiter is used as far as it goes.
    """
    boundary = unquote(parse_parameters(content_type.partition(";")[2]).get("boundary") or "")
    if not boundary or len(boundary) > _MAX_BOUNDARY:
        return []
    name = re.escape(boundary.encode("utf-8", "surrogateescape"))
    delimiter = re.compile(rb"(?:\A|\r?\n|(?<=\n))--" + name + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    parts = []
    start = -1
    for match in delimiter.finditer(body):
        if start >= 0:
            parts.append(_part(body[start : max(start, match.start())]))
        start = -1 if match.group(1) else match.end()
        if start < 0 or len(parts) >= MAX_PARTS:
            return parts
    if start >= 0 and start < len(body):
        parts.append(_part(body[start:]))
    return parts


def _part(piece: bytes) -> tuple[bytes, bytes]:
    """(head, content): a part that begins with an empty line has no headers."""
    for empty in (b"\r\n", b"\n"):
        if piece.startswith(empty):
            return b"", piece[len(empty) :]
    match = _HEAD_END.search(piece)
    return (piece[: match.start()], piece[match.end() :]) if match else (piece, b"")


def parts_of(body: bytes, content_type: str) -> list[Part]:
    """The parts of a body that are no multiparts themselves, in order; the body as it is when it is none."""
    found: list[Part] = []
    _collect(body, content_type, [], 0, found)
    return found


def _collect(body: bytes, content_type: str, headers: list[tuple[str, str]], depth: int, found: list[Part]) -> None:
    pieces = split_multipart(body, content_type) if _kind(content_type).startswith("multipart/") else []
    if not pieces or depth >= MAX_DEPTH:
        found.append(Part(headers, content_type, body))
        return
    for head, content in pieces:
        if len(found) >= MAX_PARTS:
            return
        own = read_headers(head)
        named = {name.lower(): value for name, value in reversed(own)}
        inner = named.get("content-type") or named.get("c") or ""
        _collect(_transferred(content, named.get("content-transfer-encoding", "")), inner, own, depth + 1, found)


def _transferred(content: bytes, encoding: str) -> bytes:
    """Without a transfer encoding (RFC 2045 section 6); damaged content stays as it is."""
    kind = encoding.strip().lower()
    if kind == "base64":
        try:
            return binascii.a2b_base64(content)
        except binascii.Error:
            return content
    return quopri.decodestring(content) if kind == "quoted-printable" else content


def decoded(body: bytes, content_encoding: str) -> bytes | None:
    """A body without its Content-Encoding (gzip, deflate, one after the other); None when that cannot be read, is
    damaged, or is larger than MAX_DECODED.
    """
    for name in reversed([part.strip().lower() for part in content_encoding.split(",")][:MAX_DEPTH]):
        if name in ("", "identity"):
            continue
        if name not in ("gzip", "x-gzip", "deflate"):
            return None
        inflater = zlib.decompressobj(47)  # zlib or gzip, as the bytes say
        try:
            body = inflater.decompress(body, MAX_DECODED)
        except zlib.error:
            return None
        if not inflater.eof:
            return None
    return body


def body_of(message: Message) -> bytes | None:
    """A message's body without its Content-Encoding; None when that cannot be read."""
    body = message.body
    encoding = message.get("content-encoding") if body else None
    return decoded(body, encoding) if encoding else body


def find_sdp(body: bytes, content_type: str | None) -> bytes | None:
    """The SDP in a body that is not encoded: the body itself, or the first such part of a multipart; None without.

    A body, or a part, without a Content-Type counts when it begins like SDP.
    """
    if not body:
        return None
    for part in parts_of(body, content_type or ""):
        if part.kind == _SDP or (not part.kind and part.content.startswith(b"v=0")):
            return part.content
    return None


def sdp_body(message: Message) -> bytes | None:
    """The SDP that a message carries, wherever in its body it is; None when there is none."""
    body = body_of(message)
    return find_sdp(body, message.get("content-type")) if body else None
