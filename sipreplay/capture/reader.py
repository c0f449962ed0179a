"""Opens capture files and yields their packets in batches, a chunk of memory at a time.

Owns what can go wrong with a file: what makes it unusable is a CaptureError that says what to do; what only ends or
thins it is a problem in the reader's list, and everything before it is used. Never decodes packets.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sipreplay.capture import link as links
from sipreplay.capture.batch import CHUNK, NOWHERE, PADDING, Batch, Bytes, Pool
from sipreplay.capture.compressed import Unpacked, compression_of, unpacked
from sipreplay.capture.order import TimeOrder
from sipreplay.capture.pcap import HEADER_BYTES, PcapRecords, is_pcap, read_header
from sipreplay.capture.pcapng import PcapngRecords, is_pcapng
from sipreplay.errors import CaptureError

STDIN = "-"
_LOOK = 4096
"""Bytes at the beginning that tell the format."""
_PEEK = 64 << 10
_NOTES_KEPT = 1000


class Note(NamedTuple):
    """Something in a capture that could not be used. `packet` counts from 1; 0 is the whole file."""

    packet: int
    what: str


class CaptureReader:
    """One capture file, or standard input for "-". Iterate `batches()` once; the rest then describes the file."""

    def __init__(self, path: Path | str, kind: str = "") -> None:
        self.path = str(path)
        self._kind = kind
        self.packets = 0
        self.first_ns: int | None = None
        """Earliest packet time."""
        self.last_ns: int | None = None
        self.notes: list[Note] = []
        self._cut = 0
        """Packets that the capture does not hold whole."""
        self._first_cut = 0
        self.compressed = False
        """Whether a look at the file showed that it is."""
        self.ended = False
        """Whether all packets but those handed out last have been handed out."""
        self.bytes_read = 0
        """Of the file as it is on the disk, compressed or not."""
        self._file: Unpacked | None = None
        self._records: PcapRecords | PcapngRecords | None = None

    @property
    def format(self) -> str:
        """ "pcap" or "pcapng", once reading has begun; "folder" where this stands for what a folder holds besides."""
        return self._records.format if self._records else self._kind

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

    def note(self, packet: int, what: str, capture: int = 0) -> None:
        """Record a problem; past a thousand, only that there are more. `capture` is for sets of files: there is one."""
        if len(self.notes) < _NOTES_KEPT:
            self.notes.append(Note(packet, what))
        elif len(self.notes) == _NOTES_KEPT:
            self.notes.append(Note(packet, "further problems of this capture are not listed"))

    def batches(self) -> Iterator[Batch]:
        """Every packet, in order of time (see TimeOrder). Raises CaptureError if the file cannot be used at all."""
        yield from self.read(Pool(), CHUNK)

    def read(self, pool: Pool, size: int) -> Iterator[Batch]:
        """As `batches`, through a region of `size` bytes of a pool that other files may share."""
        with self._opened() as file:
            base = pool.take(size)
            try:
                yield from self._read(file, pool, base, size)
            finally:
                pool.give_back(base, size)
        self._finish()

    def peek(self) -> int | None:
        """Earliest time among the first packets; None where that takes more than a look. Raises CaptureError."""
        if not self.can_be_read_again:
            return None
        glance = CaptureReader(self.path)
        with glance._opened() as file:
            self.compressed = type(file) is not Unpacked
            buffer = np.zeros(_PEEK + PADDING, np.uint8)
            end = glance._fill(file, buffer, 0, _PEEK)
            start = glance._identify(buffer, 0, end)
            assert glance._records is not None
            batches, _ = glance._records.batch(buffer, start, end)
            return min((int(batch.time_ns.min()) for batch in batches), default=None)

    @property
    def can_be_read_again(self) -> bool:
        """Whether this is a file, and not a pipe whose bytes come once."""
        try:
            return self.path != STDIN and not stat.S_ISFIFO(os.stat(self.path).st_mode)
        except OSError:
            return True

    def _opened(self) -> Any:
        """The file behind this path, decompressed if need be."""
        if self.path == STDIN:
            if sys.stdin.buffer.closed:
                raise CaptureError("-: standard input has been read already; save it to a file and name that")
            return self._unpacked(sys.stdin.buffer)
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
        return self._unpacked(file)

    def _unpacked(self, file: Any) -> Any:
        try:
            self._file = unpacked(file)
        except OSError as error:
            file.close()
            raise CaptureError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        return self._file

    def _read(self, file: Any, pool: Pool, base: int, size: int) -> Iterator[Batch]:
        order = TimeOrder(size)
        limit = base + size
        start, end = base, self._fill(file, pool.buffer, base, limit)
        start = self._identify(pool.buffer, start, end)
        records = self._records
        assert records is not None
        filled = end
        while True:
            batches, start = records.batch(pool.buffer, start, end)
            last = bool(records.damage) or filled < limit
            self.ended = last
            batch, keep = order.arrange(pool.buffer, batches, end, last)
            yield from self._counted(batch, end)
            keep = min(keep, start)
            if end - keep == size:
                # No room to read on: what was held back has to go.
                batch, keep = order.arrange(pool.buffer, [], end, True)
                yield from self._counted(batch, end)
                keep = start
                if end - keep == size:
                    records.damage = f"a record of more than {size >> 10} KiB"
            if records.damage:
                self.note(records.next_packet, f"damaged: {records.damage}; what follows was not read")
                break
            left = end - keep
            if last:
                text = records.missing(end - start)
                if text:
                    self.note(records.next_packet, f"{text}; everything before it was used")
                break
            buffer = pool.buffer
            buffer[base : base + left] = buffer[keep:end].copy()
            order.shift(keep - base)
            start -= keep - base
            end = filled = self._fill(file, buffer, base + left, limit)
        self._note_order(order)

    def _note_order(self, order: TimeOrder) -> None:
        if order.late:
            self.note(
                order.first_late,
                f"{order.late} packets are up to {order.latest_ns / 1e9:.3f} s earlier than what stands far before them"
                " in the file; they were used where they stand",
            )

    def _identify(self, buffer: Bytes, start: int, end: int) -> int:
        """Tell the format; returns where the records start."""
        head = bytes(buffer[start : min(end, start + _LOOK)])
        if end == start:
            raise CaptureError(f"{self.path}: the file is empty; capture again, or check that the copy is complete")
        if is_pcapng(head):
            self._records = PcapngRecords()
            return start
        if not is_pcap(head):
            packed = compression_of(head)
            if packed:
                raise CaptureError(f"{self.path}: compressed with {packed}: unpack it first (read are gzip and zstd)")
            raise CaptureError(
                f"{self.path}: not a capture (neither pcap nor pcapng); if it is one, convert it with editcap"
            )
        if len(head) < HEADER_BYTES:
            raise CaptureError(f"{self.path}: the file ends inside its header; check that the copy is complete")
        header = read_header(head)
        if header.link not in links.NAMES:
            raise CaptureError(self._unknown_link([header.link]))
        self._records = PcapRecords(header)
        return start + header.size

    def _unknown_link(self, found: list[int]) -> str:
        listed = ", ".join(f"{link} ({links.name_of(link)})" for link in found)
        return (
            f"{self.path}: packet 1: link type {listed} is not supported; supported are {links.supported()}."
            " Capture again on an interface with one of these, or convert the file"
        )

    def _fill(self, file: Any, buffer: Bytes, used: int, limit: int) -> int:
        """Read until the region is full or the file ends; returns where the data ends. The padding after it is zero."""
        view = buffer.data
        end = used
        try:
            while end < limit:
                count: int | None = file.readinto(view[end:limit])
                if not count:
                    break
                end += count
        except (EOFError, OSError) as error:
            text = getattr(error, "strerror", None) or str(error)
            packet = self._records.next_packet if self._records else 0
            self.note(packet, f"reading stopped: {text}; everything before it was used")
        self.bytes_read = file.position
        buffer[end : end + PADDING] = 0
        return end

    def _counted(self, batch: Batch | None, end: int) -> Iterator[Batch]:
        """`end`: where in the buffer what was read of the file so far ends."""
        if batch is None:
            return
        plain = type(self._file) is Unpacked and self.can_be_read_again
        batch.base = self.bytes_read - end if plain else NOWHERE
        batch.first = self.packets + 1
        self.packets += len(batch)
        short = np.flatnonzero(batch.captured < batch.original)
        if len(short):
            self._first_cut = self._first_cut or int(batch.numbers(short[:1])[0])
            self._cut += len(short)
        first, last = int(batch.time_ns[0]), int(batch.time_ns[-1])
        self.first_ns = first if self.first_ns is None else min(self.first_ns, first)
        self.last_ns = last if self.last_ns is None else max(self.last_ns, last)
        yield batch

    def _finish(self) -> None:
        records = self._records
        assert records is not None
        found = records.links()
        if isinstance(records, PcapngRecords) and found and not any(link in links.NAMES for link in found):
            raise CaptureError(self._unknown_link(found))
        for packet, what in records.problems():
            self.note(packet, what)
        if self._cut:
            text = f"{self._cut} of {self.packets} packets were cut when they were captured, this one first"
            self.note(self._first_cut, f"{text}; they are used as far as they go (tcpdump -s 0 cuts none)")
        if self.packets == 0:
            self.note(0, "the capture holds no packets")
