"""A log file that is bounded as SIPp bounds it: a ring of files of some size, or one file that ends at a size.

Owns opening, appending, rotation and the end by size or by a full disk; knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How large logs become; 0: not bounded. `ring_bytes` and `most_bytes` exclude each other."""

    ring_bytes: int = 0
    """Another file is begun above it (SIPp -ringbuffer_size)."""
    ring_files: int = 0
    """Old files that are kept; 0: the file is begun anew instead (SIPp -ringbuffer_files)."""
    most_bytes: int = 0
    """The file is closed for good above it (SIPp -max_log_size)."""


UNBOUNDED = LogBounds()


class LogFile:
    """One log. Raises OSError if it cannot be opened; a later failure to write closes it and is told by `failure`."""

    def __init__(
        self,
        path: Path,
        *,
        append: bool = False,
        bounds: LogBounds = UNBOUNDED,
        ring_stem: str = "",
        buffered: bool = True,
    ) -> None:
        """`ring_stem`: what names of rotated files begin with, such as `uac_4711_messages`; "" for the file's own."""
        self.path = path
        self.failure: OSError | None = None
        self._bounds = bounds
        self._buffering = -1 if buffered else 0
        self._stem = ring_stem or path.name.removesuffix(".log")
        self._rotated: list[Path] = []
        self._begun = int(time.time())
        self._size = 0
        self._file: BinaryIO | None = self._open("ab" if append else "wb")

    @property
    def is_open(self) -> bool:
        """Whether what is written reaches a file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Append; then rotate or close if that made the file too large. Does nothing once closed."""
        file = self._file
        if file is None:
            return
        try:
            file.write(data)
            self._size += len(data)
            bounds = self._bounds
            if bounds.most_bytes and self._size > bounds.most_bytes:
                self.close()
            elif bounds.ring_bytes and self._size > bounds.ring_bytes:
                self._rotate()
        except OSError as error:
            self.close()
            self.failure = error

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.flush()

    def close(self) -> None:
        """Close. Closing twice does nothing."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self.failure = error

    def _open(self, mode: str) -> BinaryIO:
        return open(self.path, mode, self._buffering)  # type: ignore[return-value]

    def _rotate(self) -> None:
        """The file becomes one of the kept ones, named by when it was begun; the oldest goes."""
        self.close()
        if self._bounds.ring_files:
            if len(self._rotated) >= self._bounds.ring_files:
                self._rotated.pop(0).unlink(missing_ok=True)
            name = self.path.with_name(f"{self._stem}_{self._begun}.log")
            number = 0
            while name in self._rotated:
                number += 1
                name = self.path.with_name(f"{self._stem}_{self._begun}.{number}.log")
            self.path.rename(name)
            self._rotated.append(name)
        self._begun = int(time.time())
        self._size = 0
        self._file = self._open("wb")
