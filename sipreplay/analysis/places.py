"""Where the bytes of messages are: in the capture files themselves, or in one temporary file for what has none there.

Plain files are read again at the place of the message; what was reassembled, decrypted, decompressed or piped in is
spooled. Holds a few hundred kilobytes, however large the captures. Never looks into the bytes.
"""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from typing import IO, Any

from sipreplay.errors import CaptureError

SPOOL = -1
"""The file number of bytes that are in the spool."""
PENDING = 1 << 20
"""Bytes that wait in memory before they are written: small captures need no temporary file at all."""
MAX_OPEN = 32
"""Capture files that are open at once for reading messages again."""

_Identity = tuple[int, int]


class Places:
    """Reads bytes again by (file number, offset, length)."""

    def __init__(self, spool: IO[bytes] | None = None) -> None:
        """With `spool`, that file is written to; its place is the end."""
        self._paths: dict[int, tuple[str, _Identity]] = {}
        self._open: OrderedDict[int, int] = OrderedDict()
        self._spool = spool
        self._spools: Sequence[IO[bytes]] = ()
        """Of other processes: SPOOL, and the numbers below it."""
        self._written = 0
        self._pending = bytearray()

    def add_file(self, number: int, path: str) -> None:
        """Messages of this file will be read from it again. Call while it is read: its identity is noted."""
        try:
            status = os.stat(path)
            identity = status.st_dev, status.st_ino
        except OSError:  # removed while it is read, or no file at all: nothing will be read from it again
            identity = -1, -1
        self._paths[number] = path, identity

    def knows(self, number: int) -> bool:
        """Whether a file was added under this number."""
        return number in self._paths

    def spool(self, data: bytes) -> int:
        """Keep bytes that no file holds as they are; returns their offset in SPOOL."""
        offset = self._written + len(self._pending)
        self._pending += data
        if len(self._pending) > PENDING:
            self._flush()
        return offset

    def read(self, number: int, offset: int, length: int) -> bytes:
        """The bytes. Raises CaptureError when the file is not what it was."""
        if number <= SPOOL:
            if self._spools:
                return os.pread(self._spools[SPOOL - number].fileno(), length, offset)
            return self._spooled(offset, length)
        data = os.pread(self._descriptor(number), length, offset)
        if len(data) != length:
            raise self.changed(number)
        return data

    def changed(self, number: int) -> CaptureError:
        """The error for a file that does not hold any more what was read from it."""
        path = self._paths[number][0] if number in self._paths else "the temporary file"
        return CaptureError(
            f"{path}: changed while it was in use (truncated, replaced or written over); "
            "read it again when it is complete"
        )

    def write_out(self) -> None:
        """Write what waits in memory, for other processes to read."""
        if self._pending:
            self._flush()

    def use_spools(self, spools: Sequence[IO[bytes]]) -> None:
        """Read spooled bytes from the spools of other processes."""
        self._spools = spools

    def forget(self) -> None:
        """Close the capture files; they are opened again when they are needed."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def close(self) -> None:
        """Close all files."""
        self.forget()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        for spool in self._spools:
            spool.close()

    def __del__(self) -> None:
        self.close()

    def _spooled(self, offset: int, length: int) -> bytes:
        at = offset - self._written
        if at >= 0:
            return bytes(self._pending[at : at + length])
        assert self._spool is not None
        return os.pread(self._spool.fileno(), length, offset)

    def _flush(self) -> None:
        try:
            if self._spool is None:
                self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the analysis
            view: Any = memoryview(self._pending)
            while view:
                view = view[self._spool.write(view) :]
        except OSError as error:
            raise CaptureError(
                f"{tempfile.gettempdir()}: messages cannot be kept there: {error.strerror}; "
                "make room, or name another folder in TMPDIR"
            ) from error
        self._written += len(self._pending)
        self._pending = bytearray()

    def _descriptor(self, number: int) -> int:
        descriptor = self._open.get(number)
        if descriptor is not None:
            self._open.move_to_end(number)
            return descriptor
        path, identity = self._paths[number]
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read again for its messages: {error.strerror}") from error
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != identity:
            os.close(descriptor)
            raise self.changed(number)
        while len(self._open) >= MAX_OPEN:
            os.close(self._open.popitem(last=False)[1])
        self._open[number] = descriptor
        return descriptor
