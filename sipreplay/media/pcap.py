"""UDP packets of a media pcap, as SIPp's play_pcap takes them: every flow of the file, in file order.

The capture room reads the file; this only walks its packets. Knows nothing of RTP.
"""

from __future__ import annotations

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
    for number, (start, version, end, cut, time_ns) in enumerate(rows, batch.first):
        packet = slow.packet(bytes(memory[start:end]), version, time_ns) if version else None
        if packet is None or packet.protocol != _UDP or len(packet.payload) < 8:
            skipped += 1
            continue
        if cut:
            raise ScenarioError(
                f"packet {number} was cut when it was captured: record it again with the full length", path
            )
        length = int.from_bytes(packet.payload[4:6], "big")
        if len(datagrams) > MAX_PACKETS:
            break
        port = int.from_bytes(packet.payload[2:4], "big")
        datagrams.append(Datagram(time_ns // 1000, port, packet.payload[8 : max(length, 8)]))
    return skipped
