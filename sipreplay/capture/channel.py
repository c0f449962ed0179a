"""One direction of plain bytes, out of TCP or of TLS: tells SIP and WebSocket from the rest and cuts messages out.

Owns what is unfinished in the direction. Never knows addresses, packets or keys.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sipreplay.sip.framing import StreamFramer

MARK = b"SIP/2.0"
_ROUTED = re.compile(rb"\n(?:call-id|i|cseq|via|v)[ \t]*:", re.IGNORECASE)
"""In a stream a start line alone is not enough: other protocols borrow SIP's version by mistake or malice."""


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


class Channel:
    """One direction of a connection."""

    __slots__ = ("_begun", "_framer")

    def __init__(self) -> None:
        self._framer = StreamFramer()
        self._begun = False

    def feed(self, payload: bytes, missing: int, begins: bool) -> Found:
        """Take the next bytes; `missing` bytes before them are lost, `begins`: the connection's first."""
        if not self._begun:
            # One that was joined in the middle has to show a start line first: trying to read messages in whatever else
            # there is would cost far more.
            if not begins and MARK not in payload:
                return Found([], False)
            self._begun = True
        broken = self._framer.clear() if missing else b""
        return self._sip(payload, broken)

    @property
    def held(self) -> int:
        """Bytes that are kept for later."""
        return self._framer.held

    def drop(self) -> None:
        """Forget those bytes."""
        self._framer.clear()

    def finish(self) -> bytes:
        """At the end of the connection: the beginning of a message that is not whole, or b""."""
        rest = self._framer.clear()
        return rest if b"\n" in rest and looks_like_sip(rest) else b""

    def _sip(self, payload: bytes, broken: bytes) -> Found:
        framer = self._framer
        whole = [data for data in framer.feed(payload) if _ROUTED.search(data)]
        useful = bool(whole) or _may_become_sip(framer.rest) or not payload.strip(b"\r\n")
        return Found(whole, useful, broken if looks_like_sip(broken) else b"")


def looks_like_sip(data: bytes) -> bool:
    """Whether the first line is a SIP start line, as far as it is there."""
    data = data.lstrip(b"\r\n")
    if data.startswith(b"SIP/"):
        return True
    return data.partition(b"\n")[0].rstrip().upper().endswith(b" " + MARK)


def _may_become_sip(rest: bytes) -> bool:
    """Whether unfinished bytes may be the beginning of a message."""
    if not rest:
        return False
    line = rest.partition(b"\n")[0]
    if b"\n" in rest:
        return looks_like_sip(rest)
    return rest[:1].isalpha() and line.isascii() and (MARK.startswith(line[:7]) or line[:1].isupper())
