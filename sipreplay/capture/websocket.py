"""WebSocket as a passive reader sees it: the opening handshake, frames, fragments, compression (RFC 6455, 7692, 7118).

Owns the unfinished bytes and the compression context of one direction, bounded. Each WebSocket message is one SIP
message (RFC 7118 section 5), whatever its Content-Length. Never looks into what messages say, except to find the next
frame after a loss.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import NamedTuple

MAX_HEAD = 16384
MAX_MESSAGE = 1 << 20
"""Of one message, also inflated."""
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_OPCODES = frozenset((_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG))
_FIN, _COMPRESSED, _RESERVED = 0x80, 0x40, 0x30
_BLOCK_END = b"\x00\x00\xff\xff"
_SIP = re.compile(rb"[\r\n]*(?:SIP/2\.0 \d{3}|[A-Za-z][A-Za-z0-9\-.!%*_+`'~]* [A-Za-z][A-Za-z0-9+.\-]*:)")
_HEADER = re.compile(rb"^([A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_LONGEST_HEADER = 14
_SHOWN = 256


@dataclass(slots=True)
class WebSession:
    """What both directions of a connection share."""

    requested: bool = False
    """Whether the client asked for a WebSocket with SIP."""


class Upgrade(NamedTuple):
    """An HTTP message that opens a WebSocket."""

    request: bool
    protocols: tuple[str, ...]
    """Sec-WebSocket-Protocol."""


def read_upgrade(head: bytes) -> Upgrade | None:
    """The head of an HTTP message (with its empty line) that opens a WebSocket; None for every other."""
    line = head.partition(b"\n")[0]
    request = line.startswith(b"GET ")
    if not request and line.split(None, 2)[1:2] != [b"101"]:
        return None
    fields: dict[bytes, bytes] = {}
    for name, value in _HEADER.findall(head):
        key = name.lower()
        fields[key] = fields[key] + b", " + value if key in fields else value
    if b"websocket" not in fields.get(b"upgrade", b"").lower():
        return None
    listed = fields.get(b"sec-websocket-protocol", b"").decode("ascii", "replace")
    protocols = tuple(part.strip().lower() for part in listed.split(",") if part.strip())
    return Upgrade(request, protocols)


class _Frame(NamedTuple):
    """The header of a frame."""

    final: bool
    compressed: bool
    opcode: int
    mask: bytes
    start: int
    """Of its payload."""
    end: int


def _frame(data: bytes | bytearray, at: int) -> _Frame | bool | None:
    """The frame header at `at`; None when it is not all there, False when it is none."""
    if len(data) - at < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, size = first & 15, second & 127
    if first & _RESERVED or opcode not in _OPCODES:
        return False
    if opcode >= _CLOSE and (size > 125 or not first & _FIN or first & _COMPRESSED):
        return False
    start = at + 2
    more = {126: 2, 127: 8}.get(size, 0)
    if len(data) - start < more + (4 if second & 128 else 0):
        return None
    if more:
        size = int.from_bytes(data[start : start + more], "big")
        start += more
    mask = bytes(data[start : start + 4]) if second & 128 else b""
    start += len(mask)
    if size > MAX_MESSAGE:
        return False
    return _Frame(bool(first & _FIN), bool(first & _COMPRESSED), opcode, mask, start, start + size)


def _unmasked(data: bytes, mask: bytes) -> bytes:
    if not mask or not data:
        return data
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def looks_like_frame(data: bytes) -> bool:
    """Whether bytes out of the middle of a connection are a WebSocket frame that begins a SIP message."""
    frame = _frame(data, 0)
    if not isinstance(frame, _Frame) or frame.opcode not in (_TEXT, _BINARY):
        return False
    text = _unmasked(bytes(data[frame.start : min(frame.end, frame.start + _SHOWN)]), frame.mask)
    if frame.compressed:
        try:
            text = zlib.decompressobj(-15).decompress(text, _SHOWN)
        except zlib.error:
            return False
    return _SIP.match(text) is not None


class WebSocketReader:
    """One direction, after its handshake."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._compressed = False
        """Whether the message in `_parts` is compressed."""
        self._open = False
        """Whether a message has begun and not ended."""
        self._inflater: zlib._Decompress | None = None
        self._lost = False
        """Whether the next bytes need not begin with a frame."""
        self.problem = ""
        """What could not be read last, in words."""

    @property
    def held(self) -> int:
        """Bytes that are kept for later."""
        return len(self._buffer) + len(self._parts)

    def lose(self) -> bytes:
        """Bytes are lost here: drop what is unfinished; returns the beginning of the message that it was."""
        frame = _frame(self._buffer, 0)
        head = bytes(self._parts[:_SHOWN])
        begins = isinstance(frame, _Frame) and frame.opcode in (_TEXT, _BINARY) and not frame.compressed
        if not head and begins and isinstance(frame, _Frame):
            head = _unmasked(bytes(self._buffer[frame.start : frame.start + _SHOWN]), frame.mask)
        if self._compressed and self._open:
            head = b""
        self._buffer.clear()
        self._parts.clear()
        self._open = False
        self._lost = True
        self._inflater = None
        return head

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; returns the messages that are whole now."""
        if self._lost:
            # Frames mostly begin where segments do. One that is not SIP counts if it ends where the segment does.
            frame = _frame(data, 0)
            if not isinstance(frame, _Frame) or not (looks_like_frame(data) or frame.end == len(data)):
                return []
            self._lost = False
        buffer = self._buffer
        buffer += data
        found: list[bytes] = []
        at = 0
        while True:
            frame = _frame(buffer, at)
            if frame is False:
                self.problem = "a WebSocket frame is damaged or larger than 1 MiB"
                self._lost = True
                self._parts.clear()
                self._open = False
                buffer.clear()
                return found
            if not isinstance(frame, _Frame) or frame.end > len(buffer):
                break
            message = self._take(frame, bytes(buffer[frame.start : frame.end]))
            if message is not None:
                found.append(message)
            at = frame.end
        del buffer[:at]
        return found

    def _take(self, frame: _Frame, payload: bytes) -> bytes | None:
        """A frame's payload; returns a message that it ends."""
        if frame.opcode >= _CLOSE:
            return None
        if frame.opcode != _CONTINUATION:
            self._parts.clear()
            self._compressed = frame.compressed
            self._open = True
        elif not self._open:
            return None
        if len(self._parts) + len(payload) > MAX_MESSAGE:
            self.problem = "a WebSocket message is larger than 1 MiB"
            self._parts.clear()
            self._open = False
            self._inflater = None
            return None
        self._parts += _unmasked(payload, frame.mask)
        if not frame.final:
            return None
        data = bytes(self._parts)
        self._parts.clear()
        self._open = False
        return self._inflated(data) if self._compressed else data

    def _inflated(self, data: bytes) -> bytes | None:
        """RFC 7692 section 7.2.2. A message that was compressed on its own (no context takeover) refers to nothing, so
        that one context serves both kinds.
        """
        if self._inflater is None:
            self._inflater = zlib.decompressobj(-15)
        inflater = self._inflater
        try:
            text = inflater.decompress(data + _BLOCK_END, MAX_MESSAGE)
        except zlib.error:
            text = b""
        if not text or inflater.unconsumed_tail or inflater.eof:
            # What comes after refers to what was not kept.
            self._inflater = None
            if not text or inflater.unconsumed_tail:
                self.problem = (
                    "compressed WebSocket messages cannot be read: what they refer to is missing, or too large"
                )
                return None
        return text
