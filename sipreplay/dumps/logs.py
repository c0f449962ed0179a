"""SIPp's text logs, in the words of current SIPp: `-trace_msg` (every message), `-trace_err` (warnings, errors)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sipreplay.dumps.times import timestamp, universal

_RULE = b"-----------------------------------------------"


class MessageLog:
    """Every message as it was sent or received. Buffered by the operating system's block; `close` writes the rest."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Open the file. Raises OSError."""
        self._file: BinaryIO = path.open("ab" if append else "wb")

    def __enter__(self) -> MessageLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sent(self, message: bytes, wall: float, transport: str = "UDP") -> None:
        """A message that left, at `wall` seconds since 1970."""
        self._message(message, wall, transport, b"sent")

    def received(self, message: bytes, wall: float, transport: str = "UDP") -> None:
        """A message that came in."""
        self._message(message, wall, transport, b"received")

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self._file.close()

    def _message(self, message: bytes, wall: float, transport: str, verb: bytes) -> None:
        words = b"%s message %s [%d] bytes:" % (transport.encode(), verb, len(message))
        self._file.write(b"%s %s\n%s\n\n%s\n" % (_RULE, universal(wall).encode(), words, message))


class ErrorLog:
    """Warnings and errors, each with its time. The file is created by the first one."""

    def __init__(self, path: Path | None, *, append: bool = False) -> None:
        """`path` None: only the count and the last error are kept."""
        self._path = path
        self._append = append
        self._file: BinaryIO | None = None
        self.count = 0
        self.last = ""
        """The last error with its time, "" before the first."""

    def __enter__(self) -> ErrorLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, text: str, wall: float) -> None:
        """One warning or error at `wall` seconds since 1970; its text may have several lines."""
        self.count += 1
        self.last = f"{timestamp(wall)}: {text}"
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("ab" if self._append else "wb", buffering=0)
            self._file.write(b"The following events occurred:\n")
        self._file.write(self.last.encode("utf-8", "surrogateescape") + b"\n")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
