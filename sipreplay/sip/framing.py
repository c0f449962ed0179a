"""SIP messages cut out of a stream of bytes by Content-Length (RFC 3261 18.3).

Owns the unfinished bytes of one direction, bounded. Keep-alives (line ends between messages, RFC 5626) and garbage
before a start line are dropped. Each byte is looked at a bounded number of times, however small the pieces are in which
a stream comes. Never reads headers other than Content-Length and Content-Type.
"""

from __future__ import annotations

import re

MAX_STREAM_HEAD = 65536
"""A header part in a stream that is longer than this is garbage."""
MAX_STREAM_BODY = 4 << 20
"""A Content-Length that says more than this is taken for none."""

MAX_JUNK = 64
"""Bytes before a start line in a datagram. With more it is rather something that quotes SIP, such as a log."""

_MARK = b"SIP/2.0"
_LINE_ENDS = re.compile(rb"[\r\n]*")
_HEAD_END = re.compile(rb"\r\n\r\n|\n\r?\n|\r\n\n")
_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:\s*(\d{1,9})\s*(?:\r?\n|\Z)", re.IGNORECASE)
_TYPE = re.compile(rb"\n(?:content-type|c)[ \t]*:", re.IGNORECASE)
_START_LINE = rb"(?:SIP/2\.0[ \t]+\d{3}[ \t\r\n]|[A-Za-z][A-Za-z0-9\-.!%*_+`'~]*[ \t]+[^\s]+[ \t]+SIP/2\.0[ \t]*\r?\n)"
_START = re.compile(_START_LINE)
_RESYNC = re.compile(rb"(?<=\n)" + _START_LINE)


class StreamFramer:
    """One direction of a stream."""

    __slots__ = ("_buffer", "_need", "_searched", "_started", "dropped")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0
        """Bytes that the buffer must hold before another look is of use."""
        self._searched = 0
        """Up to where the unfinished head was searched for its end."""
        self._started = False
        """Whether the buffer begins with a start line."""
        self.dropped = 0
        """Bytes that belonged to no message, line ends between messages apart."""

    @property
    def rest(self) -> bytes:
        """The bytes that make no whole message yet."""
        return bytes(self._buffer)

    @property
    def held(self) -> int:
        """How many bytes that are."""
        return len(self._buffer)

    @property
    def started(self) -> bool:
        """Whether they begin with a start line."""
        return self._started

    def clear(self) -> bytes:
        """Drop what is unfinished, e.g. because the bytes after it are lost; returns the beginning of it."""
        head = bytes(self._buffer[:MAX_STREAM_HEAD])
        self._buffer.clear()
        self._need = self._searched = 0
        self._started = False
        return head

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; returns the messages that are whole now."""
        buffer = self._buffer
        buffer += data
        size = len(buffer)
        if size < self._need:
            return []
        messages: list[bytes] = []
        at = 0
        while True:
            if not self._started:
                at = self._next_start(at)
                if at < 0:
                    break
            end = _HEAD_END.search(buffer, max(at, self._searched - 3))
            if end is None:
                self._searched = size
                if size - at > MAX_STREAM_HEAD:
                    self._drop(size, at)
                else:
                    self._keep(at)
                break
            stop = end.end() + self._body_size(at, end.start() + 2, end.end())
            if stop > size:
                self._searched = end.start()
                self._need = stop - at
                self._keep(at)
                break
            messages.append(bytes(buffer[at:stop]))
            at = stop
            self._started = False
            self._need = 0
            self._searched = at
        return messages

    def _next_start(self, at: int) -> int:
        """Where the next start line is, at `at` or after garbage; -1 when there is none, and then the buffer is left
        with what may still become one.
        """
        buffer = self._buffer
        begin = _LINE_ENDS.match(buffer, at).end()  # type: ignore[union-attr]
        size = len(buffer)
        if begin >= size:
            self._drop(size, size)
            return -1
        last = buffer.rfind(b"\n", max(begin, self._searched))
        self._searched = size
        if last < 0:
            # An unfinished first line: only a line end can decide.
            self._keep(begin) if size - begin <= MAX_STREAM_HEAD else self._drop(size, begin)
            return -1
        match = _START.match(buffer, begin) or _RESYNC.search(buffer, begin)
        if match is None:
            self.dropped += last + 1 - begin
            self._keep(last + 1) if size - last - 1 <= MAX_STREAM_HEAD else self._drop(size, last + 1)
            return -1
        self.dropped += match.start() - begin
        self._started = True
        self._searched = match.start()
        return match.start()

    def _body_size(self, start: int, head_end: int, body_start: int) -> int:
        """By Content-Length; without one a body that the head announces goes on to the next start line, or as far as
        bytes have come.
        """
        buffer = self._buffer
        length = _LENGTH.search(buffer, start, head_end)
        if length is not None:
            size = int(length.group(1))
            return size if size <= MAX_STREAM_BODY else 0
        if not _TYPE.search(buffer, start, head_end):
            return 0
        following = _RESYNC.search(buffer, body_start)
        return (following.start() if following else len(buffer)) - body_start

    def _keep(self, at: int) -> None:
        """Forget what lies before `at`."""
        if at:
            del self._buffer[:at]
            self._searched = max(0, self._searched - at)

    def _drop(self, size: int, garbage: int) -> None:
        """Forget everything; from `garbage` on it was no message."""
        self.dropped += size - garbage
        self.clear()


def salvaged(datagram: bytes) -> bytes | None:
    """The message in a datagram that does not begin with a start line, or whose lines end in bare CR (made CR LF); None
    when there is none.
    """
    if _MARK not in datagram:
        return None
    if b"\n" not in datagram:
        datagram = datagram.replace(b"\r", b"\r\n")
        if _START.match(datagram):
            return datagram
    found = _RESYNC.search(datagram)
    return datagram[found.start() :] if found and found.start() <= MAX_JUNK else None


def split_stream(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Cut whole messages out of bytes that are together already: (messages, what is left for later)."""
    framer = StreamFramer()
    messages = framer.feed(buffer)
    return messages, framer.rest
