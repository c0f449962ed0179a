"""What can be played: the packets of a media pcap as columns, read once and shared by all streams that play it.

Takes packets from the capture room's reader, knows nothing of sockets or time. SIPp's rules (docs/media.md): all UDP
flows of the file, ports relative to the smallest destination port, the capture's timing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipreplay.errors import ScenarioError
from sipreplay.rtp.packet import is_rtcp, is_rtp
from sipreplay.rtp.payload_types import STATIC
from sipreplay.rtp.quality import QualityState

MAX_PACKETS = 2_000_000
MAX_DURATION_S = 7 * 86400
MAX_BYTES = 512 << 20
"""Of payload, padded to the flow's longest packet."""
CLOCK_RATES = (8000, 16000, 24000, 32000, 44100, 48000, 90000)
_CLOCK_PACKETS = 10
_CLOCK_S = 0.15
_STEP = 64
_LARGEST = 65536


class Datagram(NamedTuple):
    """One UDP packet of a media file."""

    time_us: int
    destination_port: int
    payload: bytes


@dataclass(slots=True)
class Flow:
    """The packets of one file that share a destination port, in time order. What one wheel stream plays."""

    port_offset: int
    """Added to the call's own port and to the peer's (SIPp: diff)."""
    offset_us: NDArray[np.int64]
    """From the file's first packet."""
    template: NDArray[np.uint8]
    """(packets, width): the bytes, padded with zeros to a multiple of 64. Empty once the sender has taken them."""
    length: NDArray[np.int64]
    rewritable: NDArray[np.bool_]
    """RTP, whose SSRC, sequence and timestamp a stream may replace."""
    shelf: int = -1
    """Where the sender put it: -1 until then."""
    first: int = 0
    lap_us: int = 0
    """When it begins again, for one that can be played in a loop; 0: it cannot."""
    lap_ticks: int = 0
    """What a lap adds to the RTP timestamp."""

    @property
    def packets(self) -> int:
        """How many."""
        return len(self.length)

    @property
    def rate(self) -> float:
        """Packets a second, from the first to the last; 0.0 for a single one."""
        span_us = int(self.offset_us[-1] - self.offset_us[0])
        return (self.packets - 1) * 1e6 / span_us if span_us else 0.0


@dataclass(slots=True)
class MediaSource:
    """One file, ready to be played."""

    path: str
    kind: str
    """audio, video or image."""
    flows: list[Flow]
    """As captured (SIPp's mode)."""
    rewritten: list[Flow] = field(default_factory=list)
    """For streams with an SSRC of their own: the same without RTCP, whose reports tell of the captured stream."""
    packets: int = 0
    duration_ms: float = 0.0
    skipped: int = 0
    """Packets of the file that are not UDP."""
    payload_types: tuple[int, ...] = ()
    clock_rates: dict[int, int] = field(default_factory=dict)
    """Of payload types that have no static one: Hz, found from how timestamps and time go together."""
    lost: int = 0
    """Sequence numbers that are missing in the file: whoever receives it misses them too."""
    duplicates: int = 0
    pattern: tuple[int, int] | None = None
    """(byte, bytes of payload) of a bit pattern, whose echo is compared with it."""
    is_events: bool = False
    """Digits that are made."""
    ticks_per_ms: float = 0.0
    """RTP clock of a stream that is made; 0.0 for a captured one."""


def build_source(path: str, kind: str, datagrams: Iterable[Datagram], skipped: int = 0) -> MediaSource:
    """A source of these packets. Raises ScenarioError if there are none, or more than memory should hold."""
    packets = list(datagrams)
    if not packets:
        raise ScenarioError("holds no UDP packet to play", path)
    if len(packets) > MAX_PACKETS:
        raise ScenarioError(f"holds more than {MAX_PACKETS} packets: cut the media into shorter files", path)
    first_us = min(packet.time_us for packet in packets)
    duration_us = max(packet.time_us for packet in packets) - first_us
    if duration_us > MAX_DURATION_S * 1_000_000:
        raise ScenarioError(f"its packets are {duration_us // 86_400_000_000} days apart: not one piece of media", path)
    base = min(packet.destination_port for packet in packets)
    by_port: dict[int, list[Datagram]] = {}
    for packet in packets:
        by_port.setdefault(packet.destination_port - base, []).append(packet)
    source = MediaSource(path, kind, [], packets=len(packets), duration_ms=duration_us / 1000, skipped=skipped)
    size = 0
    for offset, group in sorted(by_port.items()):
        group.sort(key=lambda packet: packet.time_us)
        flow = _flow(offset, group, first_us, rewrite=kind != "image")
        size += flow.template.nbytes
        if size > MAX_BYTES:
            raise ScenarioError(f"holds more than {MAX_BYTES >> 20} MB of media: cut it into shorter files", path)
        source.flows.append(flow)
        media = [packet for packet in group if not is_rtcp(packet.payload)]
        if len(media) == len(group):
            source.rewritten.append(flow)
        elif media:
            source.rewritten.append(_flow(offset, media, first_us, rewrite=kind != "image"))
    source.payload_types = tuple(sorted({p.payload[1] & 0x7F for p in packets if is_rtp(p.payload)}))
    source.clock_rates = _clock_rates(packets)
    source.lost, source.duplicates = _gaps(packets)
    return source


def load_source(path: str, kind: str) -> MediaSource:
    """Read a media pcap. Raises ScenarioError that names the file if it cannot be played."""
    from sipreplay.media.pcap import read_datagrams

    if not Path(path).is_file():
        raise ScenarioError("no such media file", path)
    datagrams, skipped = read_datagrams(path)
    return build_source(path, kind, datagrams, skipped)


def _clock_rates(packets: list[Datagram]) -> dict[int, int]:
    """The usual clock rate nearest to what each dynamic payload type's timestamps show, if one is within 10 %.

    Payloads of four bytes are telephone events: their packets share a timestamp, so they have no clock to measure by.
    """
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    events: dict[int, bool] = {}
    for packet in packets:
        payload_type = packet.payload[1] & 0x7F if len(packet.payload) > 1 else 0
        if payload_type not in STATIC and is_rtp(packet.payload):
            key = (payload_type, int.from_bytes(packet.payload[8:12], "big"))
            ends.setdefault(key, []).append((packet.time_us, int.from_bytes(packet.payload[4:8], "big")))
            events[payload_type] = events.get(payload_type, True) and len(packet.payload) == 16
    rates: dict[int, int] = {}
    for (payload_type, _), seen in ends.items():
        first, last = min(seen), max(seen)
        elapsed_s = (last[0] - first[0]) / 1e6
        if events[payload_type] or len(seen) < _CLOCK_PACKETS or elapsed_s < _CLOCK_S:
            continue
        shown = ((last[1] - first[1]) & 0xFFFFFFFF) / elapsed_s
        nearest = min(CLOCK_RATES, key=lambda rate: abs(rate - shown))
        if abs(nearest - shown) <= nearest / 10:
            rates.setdefault(payload_type, nearest)
    return rates


def _gaps(packets: list[Datagram]) -> tuple[int, int]:
    """What a receiver of these packets will count as lost and as duplicate, as the receiving side counts."""
    numbers: dict[tuple[int, int], int] = {}
    columns: list[tuple[int, int, int, int]] = []
    for packet in sorted(packets, key=lambda one: one.time_us):
        if not is_rtp(packet.payload):
            continue
        data = packet.payload
        stream = numbers.setdefault((packet.destination_port, int.from_bytes(data[8:12], "big")), len(numbers))
        sequence, ticks = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
        columns.append((stream, sequence, ticks, packet.time_us * 1000))
    if not columns:
        return 0, 0
    stream_of, sequences, ticks_of, times = np.array(columns, np.int64).T
    nothing = np.zeros(len(columns), np.int64)
    state = QualityState(len(numbers))
    state.update(stream_of, sequences, ticks_of, times, nothing, nothing, nothing)
    results = [state.result(row) for row in range(len(numbers))]
    # The receiving side counts sequence numbers that never came; Wireshark's loss is that less the duplicates.
    return sum(max(r.lost + r.duplicates, 0) for r in results), sum(r.duplicates for r in results)


def _flow(offset: int, packets: list[Datagram], first_us: int, *, rewrite: bool) -> Flow:
    longest = max(len(packet.payload) for packet in packets)
    width = min(-(-max(longest, 12) // _STEP) * _STEP, _LARGEST)
    template = np.zeros((len(packets), width), np.uint8)
    for row, packet in enumerate(packets):
        template[row, : len(packet.payload)] = np.frombuffer(packet.payload, np.uint8)
    return Flow(
        offset,
        np.array([packet.time_us - first_us for packet in packets], np.int64),
        template,
        np.array([len(packet.payload) for packet in packets], np.int64),
        np.array([rewrite and is_rtp(packet.payload) for packet in packets], np.bool_),
    )
