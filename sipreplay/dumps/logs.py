"""SIPp's text logs, in the words of current SIPp.

`-trace_msg` (every message), `-trace_shortmsg` (a line each), `-trace_err` (warnings, errors), `-trace_logs` (what a
scenario logs), `-trace_calldebug` (the history of calls that were aborted).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from sipreplay.dumps.logfile import UNBOUNDED, LogBounds, LogFile
from sipreplay.dumps.times import timestamp, universal

_RULE = b"-----------------------------------------------"
_LONG_RULE = b"-" * 79


class _Log:
    """What all logs share: a file that closes with the block."""

    def __init__(self, path: Path, *, append: bool = False, bounds: LogBounds = UNBOUNDED, ring_stem: str = "") -> None:
        """Open the file. Raises OSError."""
        self.file = LogFile(path, append=append, bounds=bounds, ring_stem=ring_stem)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self.file.close()


class MessageLog(_Log):
    """Every message as it was sent or received. Buffered by the operating system's block; `close` writes the rest."""

    def sent(self, message: bytes, wall: float, transport: str = "UDP") -> None:
        """A message that left, at `wall` seconds since 1970. `transport` may be `TCP control` for a twin's command."""
        self._message(message, wall, transport, b"sent")

    def received(self, message: bytes, wall: float, transport: str = "UDP") -> None:
        """A message that came in."""
        self._message(message, wall, transport, b"received")

    def remark(self, words: str, message: bytes) -> None:
        """Something about a message: `Unexpected UDP message received:` and the message itself."""
        self.file.write(b"%s\n%s\n\n%s\n" % (_RULE, words.encode("utf-8", "surrogateescape"), message))

    def _message(self, message: bytes, wall: float, transport: str, verb: bytes) -> None:
        words = b"%s message %s [%d] bytes:" % (transport.encode(), verb, len(message))
        self.file.write(b"%s %s\n%s\n\n%s\n" % (_RULE, universal(wall).encode(), words, message))


class ShortMessageLog(_Log):
    """One line a message: time, S or R, Call-ID, CSeq, first line, with tabs between."""

    def __init__(
        self,
        path: Path,
        *,
        append: bool = False,
        bounds: LogBounds = UNBOUNDED,
        ring_stem: str = "",
        rfc3339: bool = False,
    ) -> None:
        """Open the file. Raises OSError."""
        super().__init__(path, append=append, bounds=bounds, ring_stem=ring_stem)
        self._rfc3339 = rfc3339

    def line(self, message: bytes, call_id: bytes, cseq: bytes, wall: float, *, sent: bool) -> None:
        """One message at `wall` seconds since 1970."""
        first = message.partition(b"\r\n")[0]
        moment = timestamp(wall, rfc3339=self._rfc3339).encode()
        self.file.write(b"%s\t%s\t%s\tCSeq:%s\t%s\n" % (moment, b"S" if sent else b"R", call_id, cseq, first))


class ActionLog(_Log):
    """What a scenario writes by `<log>`, one line each."""

    def write(self, text: str) -> None:
        """One text."""
        self.file.write(text.encode("utf-8", "surrogateescape") + b"\n")


class CallDebugLog(_Log):
    """The history of each call that was aborted."""

    def write(self, call_id: bytes, history: bytes) -> None:
        """One call."""
        self.file.write(b"%s\nCall debugging information for call %s:\n%s" % (_LONG_RULE, call_id, history))
        self.file.flush()


class ErrorLog:
    """Warnings and errors, each with its time. The file is created by the first one."""

    def __init__(
        self,
        path: Path | None,
        *,
        append: bool = False,
        bounds: LogBounds = UNBOUNDED,
        ring_stem: str = "",
        rfc3339: bool = False,
    ) -> None:
        """`path` None: only the count and the last error are kept."""
        self._path = path
        self._append = append
        self._bounds = bounds
        self._ring_stem = ring_stem
        self._rfc3339 = rfc3339
        self.file: LogFile | None = None
        self.count = 0
        self._latest = ("", 0.0)

    def __enter__(self) -> ErrorLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last(self) -> str:
        """The last error with its time, "" before the first."""
        text, wall = self._latest
        return f"{timestamp(wall, rfc3339=self._rfc3339)}: {text}" if self.count else ""

    @property
    def last_text(self) -> str:
        """The last error without its time."""
        return self._latest[0]

    def write(self, text: str, wall: float) -> None:
        """One warning or error at `wall` seconds since 1970; its text may have several lines. Raises OSError."""
        self.count += 1
        self._latest = (text, wall)
        if self._path is None:
            return
        if self.file is None:
            self.file = LogFile(
                self._path, append=self._append, bounds=self._bounds, ring_stem=self._ring_stem, buffered=False
            )
            self.file.write(b"The following events occurred:\n")
        self.file.write(self.last.encode("utf-8", "surrogateescape") + b"\n")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self.file is not None:
            self.file.close()
