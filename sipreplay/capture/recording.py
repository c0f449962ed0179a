"""What a run sends and receives, kept while it goes and made a capture at its end.

Each process of a run writes a part of its own: a few bytes of head and the payload, nothing is computed. `merged`
puts the parts of all processes in order of time and builds the packets. Bounded in memory on both ways; never decides
who records what.
"""

from __future__ import annotations

import contextlib
import heapq
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

Endpoint = tuple[str, int]

UDP, TCP, _ENDS = 0, 1, 2
LARGEST = 65507
_HEAD = struct.Struct("<BdIII")
"""Kind, seconds since the epoch, number of the address pair, bytes that follow, bytes there were."""
_BUFFER = 1 << 20
_FAILED = ".failed"
_MOST_PAIRS = 1 << 16
REORDERED_S = 2.0
"""How much later than its successors a packet may stand in a part: sockets are read in turn."""


class Recorded(NamedTuple):
    """One datagram, or what was sent at once on a connection."""

    time: float
    tcp: bool
    source: Endpoint
    destination: Endpoint
    payload: bytes
    length: int
    """Of the whole; more than the payload where only its beginning was kept."""


class Recorder:
    """One process's part. A full disk ends the part, not the run: `failure` then says why."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if the file cannot be created."""
        self._path = path
        self._file: IO[bytes] = open(path, "wb", buffering=_BUFFER)  # noqa: SIM115 - closed by close()
        self._pairs: dict[tuple[Endpoint, Endpoint], int] = {}
        self.failure = ""

    def take(
        self,
        time: float,
        source: Endpoint,
        destination: Endpoint,
        data: bytes | memoryview,
        kind: int = UDP,
        length: int = 0,
    ) -> None:
        """Keep one. `length`: see `Recorded`."""
        if self.failure:
            return
        size = len(data)
        try:
            pair = self._pairs.get((source, destination))
            if pair is None:
                pair = self._introduce(source, destination)
            self._file.write(_HEAD.pack(kind, time, pair, size, length or size))
            self._file.write(data)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """Write out what is buffered."""
        try:
            self._file.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Nothing more is kept; a file beside the part tells whoever puts the parts together."""
        self.failure = self.failure or error.strerror or str(error)
        with contextlib.suppress(OSError):
            self._path.with_suffix(_FAILED).write_text(self.failure)

    def _introduce(self, source: Endpoint, destination: Endpoint) -> int:
        if len(self._pairs) >= _MOST_PAIRS:
            self._pairs.clear()
        number = self._pairs[(source, destination)] = len(self._pairs)
        text = f"{source[0]} {source[1]} {destination[0]} {destination[1]}".encode()
        self._file.write(_HEAD.pack(_ENDS, 0.0, number, len(text), 0) + text)
        return number


def parts_of(folder: Path) -> list[Path]:
    """The parts in a folder."""
    return sorted(folder.glob("*.part"))


def failures_of(folder: Path) -> list[str]:
    """Why parts in a folder ended early."""
    return sorted({path.read_text() for path in folder.glob("*" + _FAILED)})


def merged(parts: Iterable[Path]) -> Iterator[Recorded]:
    """All parts in order of time. The cut end of a part whose process was killed is passed over."""
    return heapq.merge(*(_in_order(_read(part)) for part in parts), key=lambda one: one.time)


def write_capture(parts: Iterable[Path], path: Path) -> int:
    """Make a pcap of the parts; returns how many packets it has. Raises CaptureError if it cannot be written."""
    # It brings what reads captures with it, which a process that only records does not need.
    from sipreplay.capture.write import PcapWriter
    from sipreplay.errors import CaptureError

    with PcapWriter(path) as writer:
        try:
            for one in merged(parts):
                # A source that the system told as an address of the other IP version has no packet.
                with contextlib.suppress(ValueError):
                    if one.tcp:
                        writer.tcp(one.time, one.source, one.destination, one.payload)
                    else:
                        writer.udp(one.time, one.source, one.destination, one.payload, one.length)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written: {error.strerror}") from error
        return writer.packets


def _read(path: Path) -> Iterator[Recorded]:
    pairs: dict[int, tuple[Endpoint, Endpoint]] = {}
    with path.open("rb", buffering=_BUFFER) as file:
        while True:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            kind, time, pair, size, length = _HEAD.unpack(head)
            data = file.read(size)
            if len(data) < size:
                return
            if kind == _ENDS:
                host, port, other, other_port = data.decode().split(" ")
                pairs[pair] = ((host, int(port)), (other, int(other_port)))
            else:
                yield Recorded(time, kind == TCP, *pairs[pair], data, length)


def _in_order(records: Iterator[Recorded]) -> Iterator[Recorded]:
    """The same by time, as far as a packet stands at most REORDERED_S behind."""
    waiting: list[tuple[float, int, Recorded]] = []
    for number, one in enumerate(records):
        heapq.heappush(waiting, (one.time, number, one))
        while waiting[0][0] < one.time - REORDERED_S:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
