"""UDP packets of a media pcap, as SIPp's play_pcap takes them: every flow of the file, in file order.

The capture room reads the file; this only walks its packets. Knows nothing of RTP.
"""

from __future__ import annotations

import numpy as np

from sipreplay.capture.batch import Batch
from sipreplay.capture.link import ip_headers
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.slow import SlowPath
from sipreplay.errors import CaptureError, ScenarioError
from sipreplay.media.sources import MAX_PACKETS, Datagram

_UDP = 17


def read_datagrams(path: str) -> tuple[list[Datagram], int]:
    """All UDP packets and how many others were skipped. Raises ScenarioError that names the file.

    A cut packet is an error, as in SIPp: what would be sent is not what was captured.
    """
    reader = CaptureReader(path)
    slow = SlowPath()
    datagrams: list[Datagram] = []
    skipped = 0
    try:
        for batch in reader.batches():
            skipped += _walk(path, batch, slow, datagrams)
    except CaptureError as error:
        raise ScenarioError(f"cannot be played: {error}", path) from error
    return datagrams, skipped


def _walk(path: str, batch: Batch, slow: SlowPath, datagrams: list[Datagram]) -> int:
    """Append the batch's UDP packets; returns how many of its packets are none."""
    starts, versions = ip_headers(batch)
    memory = batch.buffer.data
    skipped = 0
    rows = zip(
        starts.tolist(),
        versions.tolist(),
        (batch.offset + batch.captured).tolist(),
        (batch.captured < batch.original).tolist(),
        batch.time_ns.tolist(),
        strict=True,
    )
    numbers = batch.numbers(np.arange(len(batch))).tolist()
    for number, (start, version, end, cut, time_ns) in zip(numbers, rows, strict=True):
        datagram = _plain(memory, start, end, version)
        if datagram is None and version:
            packet = slow.packet(bytes(memory[start:end]), version, time_ns)
            datagram = packet.payload if packet is not None and packet.protocol == _UDP else None
        if datagram is None or len(datagram) < 8:
            skipped += 1
            continue
        if cut:
            raise ScenarioError(
                f"packet {number} was cut when it was captured: record it again with the full length", path
            )
        if len(datagrams) > MAX_PACKETS:
            break
        length = int.from_bytes(datagram[4:6], "big")
        port = int.from_bytes(datagram[2:4], "big")
        datagrams.append(Datagram(time_ns // 1000, port, datagram[8 : max(length, 8)]))
    return skipped


def _plain(memory: memoryview, start: int, end: int, version: int) -> bytes | None:
    """The UDP datagram of a packet without options, extension headers or fragments; None for any other."""
    if version == 4 and memory[start] == 0x45 and memory[start + 9] == _UDP:
        if memory[start + 6] & 0x3F or memory[start + 7]:
            return None
        return bytes(memory[start + 20 : end])
    if version == 6 and memory[start + 6] == _UDP:
        return bytes(memory[start + 40 : end])
    return None
