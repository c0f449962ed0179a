"""What RTCP tells of streams: collected while a capture is read, and tied to streams at the end.

Owns reports by addresses and SSRC, and the round trips that they show. Memory grows with streams that have reports, up
to MAX_ENTRIES. Never measures RTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sipreplay.analysis.model import Address, Stream, StreamRtcp
from sipreplay.rtp.packet import RtpSyntaxError
from sipreplay.rtp.rtcp import (
    BYE,
    EXTENDED_REPORT,
    SENDER_REPORT,
    SOURCE_DESCRIPTION,
    ReportBlock,
    RtcpPacket,
    StatisticsSummary,
    VoipMetrics,
    is_plain,
    parse_rtcp,
)

MAX_ENTRIES = 100_000
PAUSE_S = 60.0
"""After such a silence the same addresses and SSRC are another stream's: tools use theirs again."""
NEAR_S = 15.0
"""How long before or after a stream its RTCP may come."""
LONGEST_TRIP_S = 10.0
_REMEMBERED = 16
_CLOCK_ERROR_S = 0.001


@dataclass(slots=True)
class _Entry:
    """Of one SSRC that sends from one RTCP address to another."""

    first: float
    last: float
    facts: StreamRtcp = field(default_factory=StreamRtcp)
    jitters: int = 0
    jitter_sum: int = 0
    jitter_max: int = 0
    trips: int = 0
    trip_sum: float = 0.0
    reference_times: dict[int, float] = field(default_factory=dict)
    """Middle of the NTP time in its last reports to when they were seen."""

    def reported(self, block: ReportBlock) -> None:
        """A receiver tells how it gets this."""
        facts = self.facts
        facts.receiver_reports += 1
        facts.reported_lost = block.cumulative_lost
        facts.reported_loss_max = max(facts.reported_loss_max or 0.0, block.fraction_lost)
        self.jitters += 1
        self.jitter_sum += block.jitter
        self.jitter_max = max(self.jitter_max, block.jitter)

    def round_trip(self, seconds: float) -> None:
        """One loop from the capture point to the receiver and back."""
        if -_CLOCK_ERROR_S <= seconds <= LONGEST_TRIP_S:
            self.trips += 1
            self.trip_sum += max(seconds, 0.0)
            self.facts.max_round_trip_ms = max(self.facts.max_round_trip_ms or 0.0, 1000 * seconds)

    def remember(self, ntp_time: int, time: float) -> None:
        """A time was told that the other side may answer to."""
        if len(self.reference_times) >= _REMEMBERED:
            del self.reference_times[next(iter(self.reference_times))]
        self.reference_times[ntp_time >> 16 & 0xFFFFFFFF] = time


Key = tuple[Address, Address, int]


class RtcpBook:
    """All RTCP of a set of captures."""

    def __init__(self) -> None:
        self._entries: dict[Key, list[_Entry]] = {}
        self._hosts: dict[tuple[str, str, int], list[Key]] = {}
        self._count = 0
        self._recent: dict[tuple[Address, Address, bytes], float] = {}
        self.damaged = 0
        """Datagrams that look like RTCP and are none."""

    def add(self, source: Address, destination: Address, time: float, data: bytes) -> None:
        """A datagram that begins like RTCP."""
        if self._is_copy(source, destination, time, data):
            return
        if not is_plain(data):
            if len(data) >= 8:
                # SRTCP (RFC 3711 section 3.4) leaves the first packet's header and SSRC in the clear.
                entry = self._entry(source, destination, int.from_bytes(data[4:8], "big"), time)
                if entry is not None:
                    entry.facts.encrypted += 1
            else:
                self.damaged += 1
            return
        try:
            packets = parse_rtcp(data)
        except RtpSyntaxError:
            self.damaged += 1
            return
        for packet in packets:
            self._take(source, destination, time, packet)

    def _is_copy(self, source: Address, destination: Address, time: float, data: bytes) -> bool:
        """Whether a mirror port showed the same a moment ago."""
        key = source, destination, data
        seen = self._recent.get(key)
        if len(self._recent) > 256:
            del self._recent[next(iter(self._recent))]
        self._recent[key] = time
        return seen is not None and abs(time - seen) < 0.05

    def _take(self, source: Address, destination: Address, time: float, packet: RtcpPacket) -> None:
        kind = packet.packet_type
        for ssrc in packet.sources if kind == BYE else (packet.ssrc,):
            if kind in (SENDER_REPORT, SOURCE_DESCRIPTION, BYE) or packet.ntp_time:
                entry = self._entry(source, destination, ssrc, time)
                if entry is not None:
                    _note_sender(entry, packet, time)
        for block in packet.reports:
            entry = self._entry(destination, source, block.ssrc, time)
            if entry is not None:
                entry.reported(block)
                sent = entry.reference_times.get(block.last_sender_report) if block.last_sender_report else None
                if sent is not None:
                    entry.round_trip(time - sent - block.delay_since_sender_report_s)
        if kind == EXTENDED_REPORT:
            self._extended(source, destination, time, packet)

    def _extended(self, source: Address, destination: Address, time: float, packet: RtcpPacket) -> None:
        for delay in packet.delays:
            # Answers a reference time of the other side, which may send media too.
            entry = self._entry(destination, source, delay.ssrc, time)
            sent = entry.reference_times.get(delay.last_reference) if entry is not None else None
            if entry is not None and sent is not None:
                entry.round_trip(time - sent - delay.delay_s)
        told: Iterable[StatisticsSummary | VoipMetrics] = (*packet.summaries, *packet.metrics)
        for item in told:
            entry = self._entry(destination, source, item.ssrc, time)
            if entry is None:
                continue
            if isinstance(item, VoipMetrics):
                entry.facts.metrics = item
            else:
                entry.facts.summary = item

    def _entry(self, source: Address, destination: Address, ssrc: int, time: float) -> _Entry | None:
        """The entry of what is sent from `source`, a new one after a long pause; None past the limit."""
        key = source, destination, ssrc
        known = self._entries.get(key)
        if known and time - known[-1].last <= PAUSE_S:
            known[-1].last = max(known[-1].last, time)
            return known[-1]
        if self._count >= MAX_ENTRIES:
            return None
        self._count += 1
        if known is None:
            known = self._entries[key] = []
            self._hosts.setdefault((source.host, destination.host, ssrc), []).append(key)
        known.append(_Entry(time, time))
        return known[-1]

    def attach(self, streams: Iterable[Stream]) -> None:
        """Give each stream what RTCP told of it."""
        if not self._entries:
            return
        for stream in streams:
            entry = self._of(stream)
            if entry is not None:
                stream.rtcp = _finished(entry, stream.clock_rate)

    def _of(self, stream: Stream) -> _Entry | None:
        source, destination = stream.source, stream.destination
        keys = [
            (Address(source.host, source.port + step), Address(destination.host, destination.port + step), stream.ssrc)
            for step in (1, 0)
        ]
        keys += self._hosts.get((source.host, destination.host, stream.ssrc), ())
        for key in keys:
            for entry in self._entries.get(key, ()):
                if entry.first <= stream.last + NEAR_S and entry.last >= stream.first - NEAR_S:
                    return entry
        return None


def _note_sender(entry: _Entry, packet: RtcpPacket, time: float) -> None:
    facts = entry.facts
    if packet.packet_type == SENDER_REPORT:
        facts.sender_reports += 1
        facts.sent_packets, facts.sent_octets = packet.packet_count, packet.octet_count
    if packet.ntp_time:
        entry.remember(packet.ntp_time, time)
    if packet.cname:
        facts.cname = packet.cname
    if packet.packet_type == BYE and facts.bye is None:
        facts.bye = time


def _finished(entry: _Entry, clock_rate: int) -> StreamRtcp:
    facts = entry.facts
    if entry.jitters and clock_rate:
        facts.reported_jitter_ms = 1000 * entry.jitter_sum / entry.jitters / clock_rate
        facts.reported_max_jitter_ms = 1000 * entry.jitter_max / clock_rate
    if entry.trips:
        facts.round_trip_ms = 1000 * entry.trip_sum / entry.trips
    return facts


def whole_round_trip_ms(stream: Stream, reverse: Stream | None) -> float | None:
    """From one end to the other and back: each direction's reports show the loop on their side of the capture point."""
    trips = [s.rtcp.round_trip_ms for s in (stream, reverse) if s is not None and s.rtcp is not None]
    known = [trip for trip in trips if trip is not None]
    return sum(known) if known else None
