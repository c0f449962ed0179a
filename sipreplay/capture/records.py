"""Capture files of packets as they were captured: bytes, link type, times and lengths unchanged.

Writes pcap or pcapng, and copies chosen packets from several captures in the order of time. Never looks into a packet.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np

from sipreplay.capture.batch import Batch, Int
from sipreplay.capture.reader import CaptureReader
from sipreplay.errors import CaptureError

_SNAP_LENGTH = 262144
_MOST_TOGETHER = 32
"""Captures that are read at the same time; more that overlap are copied one after the other."""
_TSRESOL = struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0)
"""pcapng option if_tsresol: nanoseconds; end of options."""


class Record(NamedTuple):
    """A packet."""

    time_ns: int
    capture: int
    packet: int
    link: int
    original: int
    """Bytes on the wire."""
    data: bytes


class RecordFile:
    """A file being written: pcap where `link` is given, else pcapng, which also takes decryption secrets (kind, data).
    Use as a context manager."""

    def __init__(
        self,
        path: Path,
        link: int | None,
        *,
        nanoseconds: bool = True,
        secrets: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        self._link = link
        self._tick = 1 if nanoseconds else 1000
        self._interfaces: dict[int, int] = {}
        try:
            self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written: {error.strerror}") from error
        if link is None:
            self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
            for kind, data in secrets:
                self._block(0x0A, struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 4))
        else:
            magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
            self._file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, _SNAP_LENGTH, link))

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, record: Record) -> None:
        """Add a packet."""
        size = len(record.data)
        if self._link is None:
            interface = self._interface(record.link)
            head = struct.pack(
                "<IIIII",
                interface,
                record.time_ns >> 32 & 0xFFFFFFFF,
                record.time_ns & 0xFFFFFFFF,
                size,
                record.original,
            )
            self._block(6, head + record.data + bytes(-size % 4))
        else:
            second, fraction = divmod(record.time_ns, 1_000_000_000)
            head = struct.pack("<IIII", second & 0xFFFFFFFF, fraction // self._tick, size, record.original)
            self._file.write(head + record.data)

    def _interface(self, link: int) -> int:
        known = self._interfaces.get(link)
        if known is None:
            known = self._interfaces[link] = len(self._interfaces)
            self._block(1, struct.pack("<HHI", link, 0, _SNAP_LENGTH) + _TSRESOL)
        return known

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + size + body + size)


class Copied(NamedTuple):
    """What was written."""

    packets: int
    format: str
    """ "pcap" or "pcapng"."""


def copy_packets(
    paths: Mapping[int, str], chosen: Mapping[int, Int], output: Path, secrets: Sequence[tuple[int, bytes]] = ()
) -> Copied:
    """Write the chosen packets (numbers in ascending order, by capture) of the captures at `paths`.

    The file is pcapng if its name ends so or if the packets have several link types, else pcap; times of whole
    microseconds stay such. `secrets` are what decrypts them; only pcapng can hold those.
    Raises CaptureError if the output cannot be written or a capture not be read again.
    """
    used = {index: numbers for index, numbers in chosen.items() if len(numbers)}
    links, fine, spans = _survey(paths, used)
    single = next(iter(links)) if len(links) == 1 else None
    link = None if output.suffix.lower() == ".pcapng" else single
    packets = 0
    with RecordFile(output, link, nanoseconds=fine, secrets=secrets) as file:
        for group in _together(spans):
            for record in heapq.merge(*(records(paths[index], index, used[index]) for index in group)):
                file.write(record)
                packets += 1
    return Copied(packets, "pcapng" if link is None else "pcap")


def records(path: str, index: int, numbers: Int) -> Iterator[Record]:
    """The packets of these numbers of one capture."""
    left = len(numbers)
    for batch in CaptureReader(path).batches():
        some, there = _chosen(batch, numbers)
        view = batch.buffer.data
        for i, number in zip(some.tolist(), there.tolist(), strict=True):
            begin, size = int(batch.offset[i]), int(batch.captured[i])
            link = batch.link if isinstance(batch.link, int) else int(batch.link[i])
            data = bytes(view[begin : begin + size])
            yield Record(int(batch.time_ns[i]), index, number, link, int(batch.original[i]), data)
        left -= len(some)
        if left <= 0:
            return


def _chosen(batch: Batch, numbers: Int) -> tuple[Int, Int]:
    """Places in the batch, and numbers in the file, of the packets whose numbers are in `numbers` (ascending)."""
    there = batch.numbers(np.arange(len(batch)))
    place = np.minimum(np.searchsorted(numbers, there), len(numbers) - 1)
    some = np.flatnonzero(numbers[place] == there)
    return some, there[some]


def _survey(paths: Mapping[int, str], chosen: Mapping[int, Int]) -> tuple[set[int], bool, dict[int, tuple[int, int]]]:
    """Link types of the chosen packets, whether their times need nanoseconds, and each capture's span of time."""
    links: set[int] = set()
    fine = False
    spans: dict[int, tuple[int, int]] = {}
    for index, numbers in chosen.items():
        for batch in CaptureReader(paths[index]).batches():
            some, _ = _chosen(batch, numbers)
            if not len(some):
                continue
            links.update([batch.link] if isinstance(batch.link, int) else np.unique(batch.link[some]).tolist())
            times = batch.time_ns[some]
            fine = fine or bool((times % 1000).any())
            begin, end = spans.get(index, (int(times.min()), int(times.max())))
            spans[index] = min(begin, int(times.min())), max(end, int(times.max()))
    return links, fine, spans


def _together(spans: Mapping[int, tuple[int, int]]) -> Iterator[list[int]]:
    """Captures in order of time; those that overlap in a group, of which no more are open than may be."""
    group: list[int] = []
    end = 0
    for index in sorted(spans, key=lambda i: (spans[i], i)):
        if group and (spans[index][0] > end or len(group) >= _MOST_TOGETHER):
            yield group
            group = []
        end = max(end, spans[index][1]) if group else spans[index][1]
        group.append(index)
    if group:
        yield group
