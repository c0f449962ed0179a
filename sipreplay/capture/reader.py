"""Opens capture files and yields their packets in batches, a chunk of memory at a time.

Owns what can go wrong with a file: what makes it unusable is a CaptureError that says what to do; what only ends or
thins it is a problem in the reader's list, and everything before it is used. Never decodes packets.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sipreplay.capture import link as links
from sipreplay.capture.batch import CHUNK, PADDING, Batch, Bytes
from sipreplay.capture.pcap import HEADER_BYTES, PcapRecords, is_pcap, read_header
from sipreplay.capture.pcapng import PcapngRecords, is_pcapng
from sipreplay.errors import CaptureError

STDIN = "-"
_GZIP = b"\x1f\x8b"
_NOTES_KEPT = 1000


class Note(NamedTuple):
    """Something in a capture that could not be used. `packet` counts from 1; 0 is the whole file."""

    packet: int
    what: str


class CaptureReader:
    """One capture file, or standard input for "-". Iterate `batches()` once; the rest then describes the file."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.packets = 0
        self.first_ns: int | None = None
        """Earliest packet time."""
        self.last_ns: int | None = None
        self.notes: list[Note] = []
        self.bytes_read = 0
        self._records: PcapRecords | PcapngRecords | None = None

    @property
    def format(self) -> str:
        """ "pcap" or "pcapng", once reading has begun."""
        return self._records.format if self._records else ""

    @property
    def link_types(self) -> list[str]:
        """Names of the link types seen so far."""
        return [links.name_of(link) for link in self._records.links()] if self._records else []

    @property
    def secrets(self) -> list[tuple[int, bytes]]:
        """Decryption secrets that the file holds, as far as it was read: (type, bytes); pcapng only."""
        return self._records.secrets if isinstance(self._records, PcapngRecords) else []

    @property
    def size(self) -> int:
        """Bytes of the file, 0 if it is a pipe."""
        try:
            return os.stat(self.path).st_size if self.path != STDIN else 0
        except OSError:
            return 0

    def note(self, packet: int, what: str) -> None:
        """Record a problem; past a thousand, only that there are more."""
        if len(self.notes) < _NOTES_KEPT:
            self.notes.append(Note(packet, what))
        elif len(self.notes) == _NOTES_KEPT:
            self.notes.append(Note(packet, "further problems of this capture are not listed"))

    def batches(self) -> Iterator[Batch]:
        """Every packet, in file order. Raises CaptureError if the file cannot be used at all."""
        with self._opened() as file:
            yield from self._read(file)
        self._finish()

    def _opened(self) -> Any:
        """The file behind this path, decompressed if need be."""
        if self.path == STDIN:
            return sys.stdin.buffer
        try:
            file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - the caller closes it
        except IsADirectoryError as error:
            raise CaptureError(f"{self.path}: is a directory; name a capture file in it") from error
        except FileNotFoundError as error:
            raise CaptureError(f"{self.path}: no such file; check the path") from error
        except PermissionError as error:
            raise CaptureError(f"{self.path}: no permission to read it; run as its owner, or chmod it") from error
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be opened: {error.strerror}") from error
        try:
            if file.seekable() and file.read(2) == _GZIP:
                file.seek(0)
                return _Both(file)
            if file.seekable():
                file.seek(0)
        except OSError as error:
            file.close()
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror}") from error
        return file

    def _read(self, file: Any) -> Iterator[Batch]:
        buffer = np.zeros(CHUNK + PADDING, np.uint8)
        start, end = 0, self._fill(file, buffer, 0)
        start = self._identify(buffer, end)
        records = self._records
        assert records is not None
        while True:
            batches, start = records.batch(buffer, start, end)
            for batch in batches:
                self._count(batch)
                yield batch
            if records.damage:
                self.note(records.next_packet, f"damaged: {records.damage}; what follows was not read")
                return
            left = end - start
            buffer[:left] = buffer[start:end].copy()
            start, end = 0, self._fill(file, buffer, left)
            if end == left:
                break
        text = records.missing(left)
        if text:
            self.note(records.next_packet, f"{text}; everything before it was used")

    def _identify(self, buffer: Bytes, end: int) -> int:
        """Tell the format; returns where the records start."""
        head = bytes(buffer[: min(end, 64)])
        if end == 0:
            raise CaptureError(f"{self.path}: the file is empty; capture again, or check that the copy is complete")
        if is_pcapng(head):
            self._records = PcapngRecords()
            return 0
        if not is_pcap(head):
            raise CaptureError(
                f"{self.path}: not a capture (neither pcap nor pcapng); if it is one, convert it with editcap"
            )
        if end < HEADER_BYTES:
            raise CaptureError(f"{self.path}: the file ends inside its header; check that the copy is complete")
        header = read_header(head)
        if header.link not in links.NAMES:
            raise CaptureError(self._unknown_link([header.link]))
        self._records = PcapRecords(header)
        return HEADER_BYTES

    def _unknown_link(self, found: list[int]) -> str:
        listed = ", ".join(f"{link} ({links.name_of(link)})" for link in found)
        return (
            f"{self.path}: packet 1: link type {listed} is not supported; supported are {links.supported()}."
            " Capture again on an interface with one of these, or convert the file"
        )

    def _fill(self, file: Any, buffer: Bytes, used: int) -> int:
        """Read until the chunk is full or the file ends; returns where the data ends. The padding after it is zero."""
        view = buffer.data
        end = used
        try:
            while end < CHUNK:
                count: int | None = file.readinto(view[end:CHUNK])
                if not count:
                    break
                end += count
                self.bytes_read += count
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            text = getattr(error, "strerror", None) or str(error)
            packet = self._records.next_packet if self._records else 0
            self.note(packet, f"reading stopped: {text}; everything before it was used")
        buffer[end : end + PADDING] = 0
        return end

    def _count(self, batch: Batch) -> None:
        self.packets += len(batch)
        first, last = int(batch.time_ns.min()), int(batch.time_ns.max())
        self.first_ns = first if self.first_ns is None else min(self.first_ns, first)
        self.last_ns = last if self.last_ns is None else max(self.last_ns, last)

    def _finish(self) -> None:
        records = self._records
        assert records is not None
        found = records.links()
        if isinstance(records, PcapngRecords) and found and not any(link in links.NAMES for link in found):
            raise CaptureError(self._unknown_link(found))
        for packet, what in records.problems():
            self.note(packet, what)
        if self.packets == 0:
            self.note(0, "the capture holds no packets")


class _Both(io.RawIOBase):
    """A decompressed view of a file that closes the file with itself."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file
        self._gzip = gzip.GzipFile(fileobj=file)

    def readinto(self, buffer: Any) -> int:
        # In small steps: of a step that fails, what it had decompressed is lost.
        data = self._gzip.read1(min(len(buffer), 65536))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._gzip.close()
            self._file.close()
        super().close()


class CaptureSet:
    """Several capture files, read one after the other."""

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self.readers = [CaptureReader(path) for path in paths]

    def batches(self, progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[int, CaptureReader, Batch]]:
        """(index of the file, its reader, batch). `progress` is told bytes read and bytes in all."""
        total = sum(reader.size for reader in self.readers)
        done = 0
        for index, reader in enumerate(self.readers):
            for batch in reader.batches():
                yield index, reader, batch
                if progress:
                    progress(min(done + reader.bytes_read, total), total)
            done += reader.size
            if progress:
                progress(done, total)


def open_captures(paths: Sequence[Path | str]) -> CaptureSet:
    """The captures at `paths`. Files are opened when they are read, not before."""
    return CaptureSet(paths)
