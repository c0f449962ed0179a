"""The RTP packets of chosen streams, whole: a second pass over captures, once the first has told which matter.

Holds only what is asked for. Never measures streams and never reads signalling.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from sipreplay.capture.columns import Pairs
from sipreplay.capture.merge import open_captures
from sipreplay.capture.sieve import Origin, Sieve

StreamKey = tuple[tuple[str, int], tuple[str, int], int]
"""(source, destination, SSRC); endpoints are (numeric host, port), such as analysis.model.Address."""

COPY_WINDOW_NS = 50_000_000
TWIN_WINDOW_S = 2.0
"""The same RTP bytes in two files about this time apart are one packet that both saw; clocks may differ a little."""
_REMEMBERED = 64


class MediaPacket:
    """One RTP packet of a stream."""

    __slots__ = ("capture", "data", "key", "packet", "time")

    def __init__(self, key: StreamKey, capture: int, packet: int, time: float, data: bytes) -> None:
        self.key = key
        self.capture = capture
        """Index of the capture file."""
        self.packet = packet
        """Packet number in it, from 1."""
        self.time = time
        self.data = data
        """From the RTP header on."""


def each_media_packet(paths: Sequence[Path | str], wanted: Collection[StreamKey]) -> Iterator[MediaPacket]:
    """The packets of the wanted streams in order of time, without copies (one packet in a file twice within 50 ms).

    Two streams that differ only in time (a port used again by a later call) have one key: tell them apart by time.
    Raises CaptureError for a file that cannot be used.
    """
    keys = list(wanted)
    group, sieve, names, lows = -1, None, {}, np.zeros(0, np.uint64)
    recent: dict[tuple[int, StreamKey], dict[bytes, tuple[int, int]]] = {}
    nobody = _Nobody()
    captures = open_captures(paths)
    for batch in captures.batches():
        if batch.group != group or sieve is None:
            pairs = Pairs()
            group, sieve = batch.group, Sieve(captures.note, pairs)
            names = {_columns(key, pairs): key for key in keys}
            lows = np.unique(np.array([low for _, low in names], np.uint64))
            recent.clear()
        for rtp in sieve.sift(batch, nobody):
            for at in np.flatnonzero(np.isin(rtp.ports_ssrc, lows)).tolist():
                key = names.get((int(rtp.addresses[at]), int(rtp.ports_ssrc[at])))
                if key is None:
                    continue
                index = rtp.capture if isinstance(rtp.capture, int) else int(rtp.capture[at])
                start, now_ns = int(rtp.offset[at]), int(rtp.time_ns[at])
                data = rtp.buffer[start : start + int(rtp.length[at])].tobytes()
                if not _is_copy(recent.setdefault((index, key), {}), data, now_ns, int(rtp.ident[at])):
                    yield MediaPacket(key, index, int(rtp.packet[at]), now_ns / 1e9, data)


def media_packets(
    paths: Sequence[Path | str], wanted: Collection[StreamKey]
) -> dict[StreamKey, list[tuple[float, bytes]]]:
    """The packets of the wanted streams, (seconds since the epoch, RTP packet), in order; see each_media_packet.

    What several files saw at the same time is there once.
    """
    found: dict[StreamKey, dict[int, list[tuple[float, bytes]]]] = {key: {} for key in wanted}
    for packet in each_media_packet(paths, wanted):
        found[packet.key].setdefault(packet.capture, []).append((packet.time, packet.data))
    return {key: _seen_once(list(sights.values())) for key, sights in found.items()}


def _seen_once(sights: list[list[tuple[float, bytes]]]) -> list[tuple[float, bytes]]:
    """What several files hold of one key, without what a file that holds more of it holds too."""
    if len(sights) < 2:
        return sights[0] if sights else []
    kept: list[tuple[float, bytes]] = []
    seen: set[tuple[int, bytes]] = set()
    """What is kept, with its time in windows."""
    for sight in sorted(sights, key=lambda packets: -len(packets)):
        placed = [(int(time // TWIN_WINDOW_S), time, data) for time, data in sight]
        new = [item for item in placed if not any((item[0] + near, item[2]) in seen for near in (-1, 0, 1))]
        seen.update((window, data) for window, _, data in new)
        kept += [(time, data) for _, time, data in new]
    kept.sort(key=lambda packet: packet[0])
    return kept


def _columns(key: StreamKey, pairs: Pairs) -> tuple[int, int]:
    """A key as it stands in RtpColumns."""
    (source, source_port), (destination, destination_port), ssrc = key
    pair = ip_address(source).packed + ip_address(destination).packed
    addresses = int.from_bytes(pair, "big") if len(pair) == 8 else pairs.number(pair)
    return addresses, source_port << 48 | destination_port << 32 | ssrc


def _is_copy(recent: dict[bytes, tuple[int, int]], data: bytes, now_ns: int, ident: int) -> bool:
    """Whether the last packets of the stream hold this one; remembers it."""
    held = recent.get(data)
    if held is not None and abs(now_ns - held[0]) < COPY_WINDOW_NS and held[1] == ident:
        return True
    if len(recent) >= _REMEMBERED:
        del recent[next(iter(recent))]
    recent[data] = (now_ns, ident)
    return False


class _Nobody:
    """Takes no signalling."""

    def datagram(self, origin: Origin, payload: bytes, ip_id: int, cut: bool) -> None:
        pass

    def message(self, origin: Origin, data: bytes, transport: str) -> None:
        pass

    def broken(self, origin: Origin) -> None:
        pass
