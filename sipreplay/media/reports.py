"""RTCP of the calls' own: a report for each call's port every few seconds, and what the peers' reports tell.

Follows RFC 3550 (6.2 and 6.3: about every five seconds, at random between half and one and a half; the first after half
of that). Opens no socket and keeps no packet.
"""

from __future__ import annotations

import heapq
import random
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from sipreplay.rtp.packet import RtpSyntaxError
from sipreplay.rtp.rtcp import (
    SENDER_REPORT,
    SOURCE_DESCRIPTION,
    ReportBlock,
    RtcpPacket,
    build_receiver_report,
    build_sender_report,
    parse_rtcp,
)

INTERVAL_S = 5.0
_NTP_EPOCH_S = 2_208_988_800
_LONGEST_ROUND_TRIP_S = 60.0


class Sent(NamedTuple):
    """What a stream of ours has sent until now."""

    ssrc: int
    timestamp: int
    """RTP clock now."""
    packets: int
    octets: int
    """Of payload."""


class Heard(NamedTuple):
    """What a stream of the peer has brought until now."""

    ssrc: int
    packets: int
    lost: int
    highest_sequence: int
    jitter: int
    """In timestamp units."""


class Reporting:
    """The reports of one call on one RTP port."""

    __slots__ = ("_before", "_last", "due_us", "heard_streams", "live", "round_trips_us", "send", "sent_stream")

    def __init__(
        self,
        send: Callable[[bytes], object],
        sent_stream: Callable[[], Sent | None],
        heard_streams: Callable[[], list[Heard]],
        due_us: int,
    ) -> None:
        self.send = send
        """To the peer's RTCP port. May raise OSError."""
        self.sent_stream = sent_stream
        self.heard_streams = heard_streams
        self.due_us = due_us
        self.live = True
        self.round_trips_us: list[int] = []
        self._last: dict[int, tuple[int, int]] = {}
        """Peer's SSRC to (middle of the NTP time of its last sender report, its arrival in ns)."""
        self._before: dict[int, tuple[int, int]] = {}
        """Peer's SSRC to (packets, lost) of the last report of ours."""

    def heard(self, data: bytes, arrival_ns: int) -> None:
        """A datagram from the peer, as far as it was kept: the first packet of it, if it is a report, counts."""
        end = 4 * (int.from_bytes(data[2:4], "big") + 1)
        try:
            packets = parse_rtcp(data[:end])
        except RtpSyntaxError:
            return
        for packet in packets:
            if packet.packet_type == SENDER_REPORT:
                self._last[packet.ssrc] = (packet.ntp_time >> 16 & 0xFFFFFFFF, arrival_ns)
            sent = self.sent_stream()
            for block in packet.reports:
                if not block.last_sender_report or sent is None or block.ssrc != sent.ssrc:
                    continue
                delay = round(block.delay_since_sender_report_s * 65536)
                trip = (ntp_time(arrival_ns) >> 16) - block.last_sender_report - delay & 0xFFFFFFFF
                # Clocks of 1/65536 s: a trip of nothing may come out a step below 0.
                trip = 0 if trip >= 0xFFFFFFF0 else trip
                if trip / 65536 < _LONGEST_ROUND_TRIP_S:
                    self.round_trips_us.append(round(trip / 65536 * 1e6))

    def report(self, now_ns: int, name: str) -> bytes:
        """A compound packet (sender or receiver report, description); b"" while there is nothing to tell of."""
        sent, streams = self.sent_stream(), self.heard_streams()
        if sent is None and not streams:
            return b""
        blocks = tuple(self._block(stream, now_ns) for stream in streams[:31])
        if sent is not None:
            packet = RtcpPacket(
                SENDER_REPORT, sent.ssrc, blocks, ntp_time(now_ns), sent.timestamp, sent.packets, sent.octets
            )
            return build_sender_report(packet) + _description(sent.ssrc, name)
        return build_receiver_report(1, blocks) + _description(1, name)

    def _block(self, stream: Heard, now_ns: int) -> ReportBlock:
        packets, lost = self._before.get(stream.ssrc, (0, 0))
        self._before[stream.ssrc] = (stream.packets, stream.lost)
        gone, came = stream.lost - lost, stream.packets - packets
        fraction = gone / (gone + came) if gone > 0 and gone + came > 0 else 0.0
        middle, arrival_ns = self._last.get(stream.ssrc, (0, now_ns))
        delay_s = (now_ns - arrival_ns) / 1e9
        return ReportBlock(
            stream.ssrc, fraction, stream.lost, stream.highest_sequence & 0xFFFFFFFF, stream.jitter, middle, delay_s
        )


class Reporter:
    """All reports of one media process, in order of time."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._heap: list[tuple[int, int, Reporting]] = []
        self._serial = 0
        self._name = f"sipreplay@{socket.gethostname()[:64]}"
        self.sent = 0

    def begin(
        self,
        now_us: int,
        send: Callable[[bytes], object],
        sent_stream: Callable[[], Sent | None],
        heard_streams: Callable[[], list[Heard]],
    ) -> Reporting:
        """The first report is due after half of the usual time."""
        reporting = Reporting(send, sent_stream, heard_streams, now_us + self._after_us() // 2)
        self._push(reporting)
        return reporting

    def turn(self, now_us: int) -> None:
        """Send what is due. Wants to be called some ten times a second."""
        while self._heap and self._heap[0][0] <= now_us:
            reporting = heapq.heappop(self._heap)[2]
            if not reporting.live:
                continue
            data = reporting.report(time.time_ns(), self._name)
            if data:
                try:
                    reporting.send(data)
                    self.sent += 1
                except OSError:
                    # Nobody takes reports there: the peer's business, as with RTP.
                    pass
            reporting.due_us = now_us + self._after_us()
            self._push(reporting)

    def _after_us(self) -> int:
        return round(self._random.uniform(0.5, 1.5) * INTERVAL_S * 1e6)

    def _push(self, reporting: Reporting) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (reporting.due_us, self._serial, reporting))


def ntp_time(epoch_ns: int) -> int:
    """64-bit NTP time (RFC 3550 section 4) of nanoseconds since 1970."""
    seconds, rest = divmod(epoch_ns, 1_000_000_000)
    return (seconds + _NTP_EPOCH_S & 0xFFFFFFFF) << 32 | (rest << 32) // 1_000_000_000


def _description(ssrc: int, name: str) -> bytes:
    """An SDES packet with a CNAME (RFC 3550 section 6.5)."""
    text = name.encode("ascii", "replace")[:255]
    item = bytes((1, len(text))) + text + b"\0"
    item += bytes(-len(item) % 4)
    return struct.pack("!BBHI", 0x81, SOURCE_DESCRIPTION, 1 + len(item) // 4, ssrc) + item
