"""Several captures read as one: merged by time, whatever the order in which they are named.

Owns which files are open at a time, and the batches in which packets of several stand. Works on columns: packets of
files that overlap are interleaved by sorting, in one buffer that all of them are read into. Never decodes packets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sipreplay.capture.batch import CHUNK, Batch, Int, Pool, join
from sipreplay.capture.folder import capture_files
from sipreplay.capture.reader import CaptureReader
from sipreplay.errors import CaptureError

SEAM_NS = 5_000_000_000
"""A file that begins later than this after all before it ended begins a group of its own."""
MAX_OPEN = 128
"""Overlapping files that are interleaved at a time; with more, the next waits until one has been read."""
_LARGE_REGIONS = 4
_SMALL_REGION = 512 << 10
_SMALLEST_REGION = 64 << 10

_ENDING_NS = 1_000_000_000
"""A file that has no more than this left is at its end: the next of a rotated capture may begin a little before it."""
_EARLIEST = -(1 << 62)


class _Source:
    """One file that is being read."""

    def __init__(self, index: int, reader: CaptureReader, pool: Pool, size: int) -> None:
        self.index = index
        self.reader = reader
        self._batches = reader.read(pool, size)
        self.pending: Batch | None = None
        self.key: Int = np.zeros(0, np.int64)
        """Times of the pending packets, but never less than one before: late packets stay behind what they follow."""
        self._latest = _EARLIEST

    def load(self) -> bool:
        """Have something pending, if the file has more. Raises CaptureError."""
        while self.pending is None:
            batch = next(self._batches, None)
            if batch is None:
                return False
            if len(batch):
                batch.capture = self.index
                self.pending = batch
                if batch.time_ns[0] >= self._latest:
                    self.key = batch.time_ns
                else:
                    self.key = np.maximum(batch.time_ns, self._latest)
                self._latest = int(self.key[-1])
        return True

    def until(self, limit: int | None) -> Batch | None:
        """Take what is pending up to a time, all without one."""
        batch = self.pending
        if batch is None:
            return None
        count = len(batch) if limit is None else int(np.searchsorted(self.key, limit, side="right"))
        if count == len(batch):
            self.pending = None
            return batch
        if count == 0:
            return None
        self.pending, self.key = batch.take(slice(count, None)), self.key[count:]
        return batch.take(slice(0, count))

    def goes_on(self, now_ns: int) -> bool:
        """Whether the file has packets long after a time."""
        left = self.pending is not None and int(self.key[-1]) > now_ns + _ENDING_NS
        return left or not self.reader.ended


class CaptureSet:
    """Captures that are read together. Iterate `batches()` once; the readers then describe the files."""

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self.readers: list[CaptureReader] = []
        """A reader a file, in the order of the paths; a folder of which something was left out has one too."""
        self._folders: set[int] = set()
        self._errors: list[CaptureError] = []
        self._crowded = False
        self._read = 0
        """Files that could be read, at least in part."""
        for path, what in capture_files(paths):
            if what:
                self._folders.add(len(self.readers))
            self.readers.append(CaptureReader(path, "folder" if what else ""))
            if what:
                self.readers[-1].note(0, what)
        self.open: list[int] = []
        """The files that go on after the batch handed out last."""

    def note(self, packet: int, what: str, capture: int = 0) -> None:
        """Record a problem of one of the files."""
        self.readers[capture].note(packet, what)

    def batches(self, progress: Callable[[int, int], None] | None = None) -> Iterator[Batch]:
        """Every packet of all files, merged by time. `progress` is told bytes read and bytes in all.

        A file that cannot be used is a problem in its reader's notes; raises CaptureError if that is so of all of them.
        """
        total = sum(reader.size for index, reader in enumerate(self.readers) if index not in self._folders)
        place, group = 1, 0
        latest: int | None = None
        for batch, seam in self._merged():
            if latest is not None and seam and int(batch.time_ns[0]) > latest + SEAM_NS:
                group += 1
            if batch.number is None and batch.first != place:
                batch.number = np.arange(batch.first, batch.first + len(batch))
            batch.first, batch.group = place, group
            place += len(batch)
            latest = max(int(batch.time_ns[-1]), latest if latest is not None else _EARLIEST)
            yield batch
            if progress:
                progress(min(sum(reader.bytes_read for reader in self.readers), total), total)
        if not self._read:
            self._complain()
        if progress:
            progress(total, total)

    def _complain(self) -> None:
        """Nothing could be read: say why."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            more = len(self._errors) - 1
            raise CaptureError(f"{self._errors[0]}; nor could any of the {more} other captures be read")
        folder = self.readers[min(self._folders)] if self._folders else None
        if folder is not None:
            raise CaptureError(f"{folder.path}: {folder.notes[0].what}; name a capture, or a folder that holds some")

    def _merged(self) -> Iterator[tuple[Batch, bool]]:
        """Batches in order of time, each with whether it begins a file while no other is being read."""
        waiting = self._waiting()
        pool = Pool()
        active: list[_Source] = []
        while waiting or active:
            begins = not active
            if begins:
                self._begin(waiting.pop(), active, pool)
            self._load(active)
            limit = self._limit(active)
            while waiting and len(active) < MAX_OPEN and (limit is None or waiting[-1][0] <= limit):
                if limit is None and waiting[-1][0] > max((int(s.key[-1]) for s in active), default=_EARLIEST):
                    break
                self._begin(waiting.pop(), active, pool)
                self._load(active)
                limit = self._limit(active)
            if not active:
                continue
            if waiting and len(active) >= MAX_OPEN and (limit is None or waiting[-1][0] <= limit):
                self._note_crowd(waiting[-1][1])
            if waiting and len(active) < MAX_OPEN:
                limit = waiting[-1][0] - 1 if limit is None else min(limit, waiting[-1][0] - 1)
            for source in active:
                if source.pending is not None:
                    source.pending.buffer = pool.buffer
            parts = [part for source in active if (part := source.until(limit)) is not None]
            if parts:
                batch = self._interleaved(parts, pool)
                now = int(batch.time_ns[-1])
                self.open = [source.index for source in active if source.goes_on(now)]
                yield batch, begins

    def _note_crowd(self, index: int) -> None:
        if not self._crowded:
            self._crowded = True
            text = f"more than {MAX_OPEN} captures overlap: from this one on, some packets come later than their time"
            self.readers[index].note(0, text)

    def _waiting(self) -> list[tuple[int, int]]:
        """(earliest time, index) of the files, the earliest last; those whose time is not known come first of all."""
        files = [index for index in range(len(self.readers)) if index not in self._folders]
        found: list[tuple[int, int]] = []
        for index in files:
            if len(files) == 1:
                return [(_EARLIEST, index)]
            try:
                first = self.readers[index].peek()
            except CaptureError as error:
                self._unusable(index, error)
                continue
            found.append((_EARLIEST if first is None else first, index))
        return sorted(found, key=lambda item: (-item[0], -item[1]))

    def _unusable(self, index: int, error: CaptureError) -> None:
        self._errors.append(error)
        reader = self.readers[index]
        reader.note(0, f"not used: {str(error).removeprefix(reader.path + ': ')}")

    def _begin(self, waiting: tuple[int, int], active: list[_Source], pool: Pool) -> None:
        reader = self.readers[waiting[1]]
        size = CHUNK if len(active) < _LARGE_REGIONS else _SMALL_REGION
        if not reader.compressed and reader.can_be_read_again:
            size = min(size, max(reader.size + 1, _SMALLEST_REGION))
        active.append(_Source(waiting[1], reader, pool, size))

    def _load(self, active: list[_Source]) -> None:
        """Have something pending of every file; drop those that have come to their end."""
        for source in list(active):
            try:
                if source.load():
                    continue
                self._read += 1
            except CaptureError as error:
                self._unusable(source.index, error)
            active.remove(source)

    def _limit(self, active: list[_Source]) -> int | None:
        """Up to when all packets of the open files are known; None without a limit."""
        ends = [int(source.key[-1]) for source in active if not source.reader.ended]
        return min(ends) if ends else None

    def _interleaved(self, parts: list[Batch], pool: Pool) -> Batch:
        if len(parts) == 1:
            return parts[0]
        whole = join([replace(part, buffer=pool.buffer) for part in parts])
        # Late packets of one file are rare enough to be sorted in, and the sort keeps the order of equal times.
        return whole.take(np.argsort(whole.time_ns, kind="stable"))


def open_captures(paths: Sequence[Path | str]) -> CaptureSet:
    """The captures at `paths`. Files are opened when they are read, not before."""
    return CaptureSet(paths)
