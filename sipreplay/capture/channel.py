"""One direction of plain bytes, out of TCP or of TLS: tells SIP and WebSocket from the rest and cuts messages out.

Owns what is unfinished in the direction. Never knows addresses, packets or keys.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from sipreplay.capture.websocket import MAX_HEAD, WebSession, WebSocketReader, looks_like_frame, read_upgrade
from sipreplay.sip.framing import StreamFramer

MARK = b"SIP/2.0"
_ROUTED = re.compile(rb"\n(?:call-id|i|cseq|via|v)[ \t]*:", re.IGNORECASE)
"""In a stream a start line alone is not enough: other protocols borrow SIP's version by mistake or malice."""
_HTTP = (b"GET ", b"HTTP/1.")
_CHANCES = 64


class Found(NamedTuple):
    """What a piece of a direction brought."""

    messages: list[bytes]
    """SIP messages that are whole now."""
    useful: bool
    """Whether there is any use in more."""
    broken: bytes = b""
    """The beginning of a SIP message that lost bytes."""
    web: bool = False
    """Whether the messages came by WebSocket."""
    problem: str = ""
    """What could not be used, in words."""


class _Kind(Enum):
    NEW, SIP, HTTP, WEB = range(4)


class Channel:
    """One direction of a connection. Both directions share a `WebSession`."""

    __slots__ = ("_framer", "_head", "_kind", "_reader", "_said", "_useless", "_web")

    def __init__(self, web: WebSession) -> None:
        self._web = web
        self._kind = _Kind.NEW
        self._framer = StreamFramer()
        self._head = b""
        """Of HTTP."""
        self._reader: WebSocketReader | None = None
        self._useless = 0
        """WebSocket messages that were no SIP, while none was."""
        self._said = False
        """Whether a problem was told."""

    @property
    def held(self) -> int:
        """Bytes that are kept for later."""
        return self._framer.held + len(self._head) + (self._reader.held if self._reader else 0)

    def drop(self) -> None:
        """Forget those bytes."""
        self._framer.clear()
        self._head = b""
        if self._reader is not None:
            self._reader.lose()

    def feed(self, payload: bytes, missing: int, begins: bool) -> Found:
        """Take the next bytes; `missing` bytes before them are lost, `begins`: the connection's first."""
        if self._kind is _Kind.HTTP and missing:
            self._kind, self._head = _Kind.NEW, b""
        if self._kind is _Kind.NEW:
            self._kind = self._judge(payload, begins)
            if self._kind is _Kind.NEW:
                return Found([], False)
        if self._kind is _Kind.HTTP:
            return self._http(payload)
        if self._kind is _Kind.WEB:
            return self._frames(payload, missing)
        return self._sip(payload, self._framer.clear() if missing else b"")

    def finish(self) -> bytes:
        """At the end of the connection: the beginning of a message that is not whole, or b""."""
        rest = self._framer.clear() if self._reader is None else self._reader.lose()
        return rest if b"\n" in rest and looks_like_sip(rest) else b""

    def _judge(self, payload: bytes, begins: bool) -> _Kind:
        """What a direction carries, by its first bytes, or by some out of its middle."""
        if any(payload.startswith(start) or (begins and start.startswith(payload)) for start in _HTTP):
            return _Kind.HTTP
        if payload[:1] >= b"\x80" and looks_like_frame(payload):
            self._reader = WebSocketReader()
            return _Kind.WEB
        # One that was joined in the middle has to show a start line first: trying to read messages in whatever else
        # there is would cost far more.
        return _Kind.SIP if begins or MARK in payload else _Kind.NEW

    def _http(self, payload: bytes) -> Found:
        head = self._head + payload
        end = head.find(b"\r\n\r\n")
        if end < 0:
            self._head = head if len(head) <= MAX_HEAD else b""
            return Found([], bool(self._head))
        self._head = b""
        upgrade = read_upgrade(head[: end + 4])
        if upgrade is None or not ("sip" in upgrade.protocols or (self._web.requested and not upgrade.protocols)):
            self._kind = _Kind.NEW
            return Found([], False)
        if upgrade.request:
            self._web.requested = True
        self._kind = _Kind.WEB
        self._reader = WebSocketReader()
        rest = head[end + 4 :]
        return self._frames(rest, 0) if rest else Found([], True)

    def _frames(self, payload: bytes, missing: int) -> Found:
        reader = self._reader
        assert reader is not None
        broken = reader.lose() if missing else b""
        texts = reader.feed(payload)
        messages = [text for text in texts if looks_like_sip(text) and _ROUTED.search(text)]
        problem = ""
        if reader.problem and not self._said:
            self._said = True
            problem = reader.problem
        if messages:
            self._useless = -1
        elif self._useless >= 0:
            self._useless += sum(1 for text in texts if text.strip(b"\r\n"))
        return Found(
            messages, self._useless < _CHANCES, broken if looks_like_sip(broken) else b"", web=True, problem=problem
        )

    def _sip(self, payload: bytes, broken: bytes) -> Found:
        framer = self._framer
        whole = [data for data in framer.feed(payload) if _ROUTED.search(data)]
        useful = bool(whole) or _may_become_sip(framer) or not payload.strip(b"\r\n")
        return Found(whole, useful, broken if looks_like_sip(broken) else b"")


def looks_like_sip(data: bytes) -> bool:
    """Whether the first line is a SIP start line, as far as it is there."""
    data = data.lstrip(b"\r\n")
    if data.startswith(b"SIP/"):
        return True
    return data.partition(b"\n")[0].rstrip().upper().endswith(b" " + MARK)


def _may_become_sip(framer: StreamFramer) -> bool:
    """Whether unfinished bytes may be the beginning of a message."""
    if not framer.held:
        return False
    if framer.started:
        return True
    rest = framer.rest
    line = rest.partition(b"\n")[0]
    if b"\n" in rest:
        return looks_like_sip(rest)
    return rest[:1].isalpha() and line.isascii() and (MARK.startswith(line[:7]) or line[:1].isupper())
