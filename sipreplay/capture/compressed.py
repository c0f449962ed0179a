"""Captures that are compressed, read as if they were not: gzip with any number of members, zstd with any of frames.

Owns telling compression by its first bytes, on files and on pipes. Memory does not grow with what is unpacked, and what
comes before a damage is used. Never looks into what was unpacked.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
"""Ends the magic of a zstd frame to be skipped, which begins with 0x50 to 0x5F (RFC 8878 section 3.1.2)."""
OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x04\x22\x4d\x18": "lz4", b"PK\x03\x04": "zip"}
"""Compression that is not read, by how it begins."""
_STEP = 64 << 10
_ZSTD_STEP = 16 << 10
_MAX_ZSTD_WINDOW = 128 << 20
"""Frames that need more memory (zstd --long=28 and up) are refused, as the zstd tool does unless it is told."""


class Damaged(OSError):
    """What was unpacked so far is sound; the rest is not."""


class Unpacked(io.RawIOBase):
    """A file as it is."""

    def __init__(self, file: Any, head: bytes) -> None:
        super().__init__()
        self._raw = file
        self._head = head
        self.position = 0
        """Bytes of the file that were read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._take(buffer)

    def _take(self, buffer: Any) -> int:
        """Read from the file itself."""
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
        else:
            count = self._raw.readinto(buffer) or 0
        self.position += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Gzip(Unpacked):
    def __init__(self, file: Any, head: bytes) -> None:
        super().__init__(file, head)
        self._member = zlib.decompressobj(31)
        self._input = b""
        self._buffer = bytearray(_STEP)
        self._damage = ""

    def readinto(self, buffer: Any) -> int:
        while not self._damage:
            if not self._input:
                self._input = self._more()
            if self._member.eof and not self._next_member():
                return 0
            if not self._input:
                self._damage = "the compressed file ends too early"
                break
            out = self._step(len(buffer))
            if out:
                buffer[: len(out)] = out
                return len(out)
        raise Damaged(self._damage)

    def _more(self) -> bytes:
        return bytes(memoryview(self._buffer)[: self._take(memoryview(self._buffer))])

    def _next_member(self) -> bool:
        """Go on to the gzip member that follows; zero bytes between them are padding (gzip(1), tapes)."""
        while True:
            self._input = self._input.lstrip(b"\0")
            if self._input:
                break
            self._input = self._more()
            if not self._input:
                return False
        if self._input[:1] != GZIP[:1]:
            self._damage = "what follows the compressed data is not compressed"
            raise Damaged(self._damage)
        self._member = zlib.decompressobj(31)
        return True

    def _step(self, most: int) -> bytes:
        before = self._member.copy()
        try:
            out = self._member.decompress(self._input, most)
        except zlib.error:
            return self._before_damage(before, most)
        self._input = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return out

    def _before_damage(self, member: Any, most: int) -> bytes:
        """Of a step that failed, what comes before the damage."""
        out = bytearray()
        try:
            for at in range(len(self._input)):
                out += member.decompress(self._input[at : at + 1], most - len(out) or 1)
        except zlib.error as error:
            self._damage = f"the compressed data is damaged: {error}"
        return bytes(out[:most])


class _Zstd(Unpacked):
    def __init__(self, file: Any, head: bytes) -> None:
        super().__init__(file, head)
        import zstandard  # in one capture of many

        self._error = zstandard.ZstdError
        source: Any = _Source(self)
        unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
        self._reader = unpacker.stream_reader(source, read_size=_ZSTD_STEP, read_across_frames=True, closefd=False)

    def readinto(self, buffer: Any) -> int:
        # In small steps: of a step that fails, what it had unpacked is lost.
        try:
            count: int = self._reader.readinto(buffer[:_ZSTD_STEP])
        except self._error as error:
            raise Damaged(f"the compressed data is damaged: {error}") from error
        return count


class _Source:
    """What the unpacker reads from."""

    def __init__(self, file: _Zstd) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self._file._take(memoryview(buffer))])


def unpacked(file: Any) -> Unpacked:
    """A raw binary file (or pipe) at its beginning, as an unpacked view that closes it with itself."""
    head = b""
    while len(head) < 4:
        more = file.read(4 - len(head))
        if not more:
            break
        head += more
    if head[:2] == GZIP:
        return _Gzip(file, head)
    if head == ZSTD or (head[1:] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return _Zstd(file, head)
    return Unpacked(file, head)


def compression_of(head: bytes) -> str:
    """The name of a compression that is not read, or ""."""
    return next((name for magic, name in OTHERS.items() if head.startswith(magic)), "")
