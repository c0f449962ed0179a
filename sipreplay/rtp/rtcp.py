"""RTCP as values: compound datagrams read and built (RFC 3550 section 6, RFC 3611 for XR, RFC 5761).

Reports, descriptions, BYE and XR are read; application and feedback packets are named and skipped. Sans-IO: bytes in,
values out. Never ties reports to streams.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from sipreplay.rtp.packet import RtpSyntaxError, is_rtcp

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
BYE = 203
APPLICATION = 204
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206
EXTENDED_REPORT = 207

_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_SUMMARY = struct.Struct("!IHHIIIIIIBBBB")
_VOIP = struct.Struct("!IBBBBHHHHbbBBBBBBBBHHH")
_CNAME = 1
_RECEIVER_REFERENCE, _DELAY_SINCE, _STATISTICS, _VOIP_METRICS = 4, 5, 6, 7
MAX_PACKETS = 64
"""Of one datagram: more are not looked at."""


class ReportBlock(NamedTuple):
    """What a receiver tells of one source (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: float
    """Part of the packets lost since the last report, 0.0 to 1.0."""
    cumulative_lost: int
    highest_sequence: int
    """Extended: cycles in the upper 16 bits."""
    jitter: int
    """In timestamp units."""
    last_sender_report: int
    """Middle 32 bits of the NTP time of the last sender report."""
    delay_since_sender_report_s: float


class ReceiverDelay(NamedTuple):
    """A sub-block of DLRR (RFC 3611 section 4.5): what a sender answers to a receiver's reference time."""

    ssrc: int
    last_reference: int
    """Middle 32 bits of the reference time."""
    delay_s: float


class StatisticsSummary(NamedTuple):
    """RFC 3611 section 4.6. A figure that its flags leave out is None."""

    ssrc: int
    begin_sequence: int
    end_sequence: int
    lost: int | None
    duplicates: int | None
    min_jitter: int | None
    """Jitter in timestamp units."""
    max_jitter: int | None
    mean_jitter: int | None


class VoipMetrics(NamedTuple):
    """RFC 3611 section 4.7. A figure that is not available (127) is None."""

    ssrc: int
    loss_rate: float
    """Part of the packets lost, 0.0 to 1.0."""
    discard_rate: float
    """Part of the packets dropped by the jitter buffer."""
    burst_density: float
    gap_density: float
    burst_ms: int
    gap_ms: int
    round_trip_ms: int
    end_system_delay_ms: int
    r_factor: int | None
    mos_listening: float | None
    mos_conversational: float | None
    buffer_nominal_ms: int
    buffer_maximum_ms: int


class RtcpPacket(NamedTuple):
    """One packet of a compound RTCP datagram."""

    packet_type: int
    ssrc: int
    """Of the sender; 0 where the packet has none."""
    reports: tuple[ReportBlock, ...] = ()
    ntp_time: int = 0
    """Sender reports: 64-bit NTP time. XR: the receiver's reference time."""
    rtp_timestamp: int = 0
    packet_count: int = 0
    octet_count: int = 0
    cname: str = ""
    sources: tuple[int, ...] = ()
    """BYE: the SSRCs that leave."""
    reason: str = ""
    delays: tuple[ReceiverDelay, ...] = ()
    summaries: tuple[StatisticsSummary, ...] = ()
    metrics: tuple[VoipMetrics, ...] = ()


def parse_rtcp(data: bytes) -> list[RtcpPacket]:
    """Read a compound RTCP datagram. Raises RtpSyntaxError at the first packet that does not fit."""
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data) and len(packets) < MAX_PACKETS:
        if len(data) - at < 4:
            raise RtpSyntaxError(f"{len(data) - at} bytes are too few for an RTCP header")
        first, packet_type, words = _HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2:
            raise RtpSyntaxError(f"RTCP version is {first >> 6}, not 2")
        if end > len(data):
            raise RtpSyntaxError("RTCP packet is cut")
        stop = end
        if first & 0x20:
            if not 4 <= data[end - 1] <= end - at - 4:
                raise RtpSyntaxError(f"{data[end - 1]} bytes of RTCP padding do not fit")
            stop -= data[end - 1]
        packets.append(_packet(packet_type, first & 31, data[at + 4 : stop]))
        at = end
    return packets


def is_plain(data: bytes) -> bool:
    """Whether a datagram is a whole compound of known packets, rather than SRTCP, which is encrypted after its first
    8 bytes and longer than its parts."""
    if not is_rtcp(data):
        return False
    try:
        packets = parse_rtcp(data)
    except RtpSyntaxError:
        return False
    return all(SENDER_REPORT <= packet.packet_type <= EXTENDED_REPORT for packet in packets)


def build_receiver_report(ssrc: int, blocks: tuple[ReportBlock, ...] = ()) -> bytes:
    """A receiver report (RFC 3550 section 6.4.2) with at most 31 blocks."""
    body = b"".join(_block_bytes(block) for block in blocks[:31])
    words = 1 + len(body) // 4
    return _HEADER.pack(0x80 | len(blocks[:31]), RECEIVER_REPORT, words) + struct.pack("!I", ssrc) + body


def build_sender_report(packet: RtcpPacket) -> bytes:
    """A sender report (RFC 3550 section 6.4.1) of `packet`'s fields."""
    body = b"".join(_block_bytes(block) for block in packet.reports[:31])
    head = _HEADER.pack(0x80 | len(packet.reports[:31]), SENDER_REPORT, 6 + len(body) // 4)
    sender = _SENDER.pack(
        packet.ntp_time, packet.rtp_timestamp & 0xFFFFFFFF, packet.packet_count & 0xFFFFFFFF, packet.octet_count
    )
    return head + struct.pack("!I", packet.ssrc) + sender + body


def _packet(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    ssrc = int.from_bytes(body[:4], "big") if len(body) >= 4 else 0
    if packet_type == SENDER_REPORT:
        if len(body) < 24 + 24 * count:
            raise RtpSyntaxError("sender report is shorter than its blocks")
        ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body, 4)
        reports = tuple(_block(body, 24 + 24 * i) for i in range(count))
        return RtcpPacket(packet_type, ssrc, reports, ntp_time, rtp_timestamp, packet_count, octet_count)
    if packet_type == RECEIVER_REPORT:
        if len(body) < 4 + 24 * count:
            raise RtpSyntaxError("receiver report is shorter than its blocks")
        return RtcpPacket(packet_type, ssrc, tuple(_block(body, 4 + 24 * i) for i in range(count)))
    if packet_type == SOURCE_DESCRIPTION and count:
        return RtcpPacket(packet_type, ssrc, cname=_cname(body[4:]))
    if packet_type == BYE:
        if len(body) < 4 * count:
            raise RtpSyntaxError("BYE is shorter than its sources")
        sources = struct.unpack_from(f"!{count}I", body)
        rest = body[4 * count :]
        reason = rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else ""
        return RtcpPacket(packet_type, ssrc if count else 0, sources=sources, reason=reason)
    if packet_type == EXTENDED_REPORT:
        return _extended(ssrc, body)
    return RtcpPacket(packet_type, ssrc)


def _block(body: bytes, at: int) -> ReportBlock:
    ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
    cumulative = lost & 0xFFFFFF
    if cumulative >= 0x800000:
        cumulative -= 0x1000000
    return ReportBlock(ssrc, (lost >> 24) / 256, cumulative, highest, jitter, last, delay / 65536)


def _block_bytes(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(block.cumulative_lost, 0x7FFFFF)) & 0xFFFFFF
    fraction = max(0, min(round(block.fraction_lost * 256), 255))
    delay = max(0, min(round(block.delay_since_sender_report_s * 65536), 0xFFFFFFFF))
    return _BLOCK.pack(
        block.ssrc, (fraction << 24) | lost, block.highest_sequence, block.jitter, block.last_sender_report, delay
    )


def _cname(items: bytes) -> str:
    """The CNAME of the first chunk of a source description (RFC 3550 section 6.5); "" without one."""
    at = 0
    while at + 2 <= len(items) and items[at]:
        kind, length = items[at], items[at + 1]
        if kind == _CNAME:
            return items[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
    return ""


def _extended(ssrc: int, body: bytes) -> RtcpPacket:
    """The blocks of an XR packet; those of unknown types are skipped (RFC 3611 section 3)."""
    ntp_time = 0
    delays: list[ReceiverDelay] = []
    summaries: list[StatisticsSummary] = []
    metrics: list[VoipMetrics] = []
    at = 4
    while at + 4 <= len(body):
        kind, flags, words = body[at], body[at + 1], body[at + 2] << 8 | body[at + 3]
        block = body[at + 4 : at + 4 + 4 * words]
        if len(block) < 4 * words:
            raise RtpSyntaxError("XR block is cut")
        if kind == _RECEIVER_REFERENCE and words >= 2:
            ntp_time = int.from_bytes(block[:8], "big")
        elif kind == _DELAY_SINCE:
            for place in range(0, 12 * (words // 3), 12):
                source, reference, delay = struct.unpack_from("!III", block, place)
                delays.append(ReceiverDelay(source, reference, delay / 65536))
        elif kind == _STATISTICS and words >= 9:
            summaries.append(_summary(flags, block))
        elif kind == _VOIP_METRICS and words >= 8:
            metrics.append(_metrics(block))
        at += 4 + 4 * words
    return RtcpPacket(
        EXTENDED_REPORT,
        ssrc,
        ntp_time=ntp_time,
        delays=tuple(delays),
        summaries=tuple(summaries),
        metrics=tuple(metrics),
    )


def _summary(flags: int, block: bytes) -> StatisticsSummary:
    source, begin, end, lost, duplicates, low, high, mean, *_ = _SUMMARY.unpack_from(block)
    has_loss, has_duplicates, has_jitter = flags & 0x80, flags & 0x40, flags & 0x20
    return StatisticsSummary(
        source,
        begin,
        end,
        lost if has_loss else None,
        duplicates if has_duplicates else None,
        low if has_jitter else None,
        high if has_jitter else None,
        mean if has_jitter else None,
    )


def _metrics(block: bytes) -> VoipMetrics:
    (source, loss, discard, burst, gap, burst_ms, gap_ms, round_trip, end_system, *levels) = _VOIP.unpack_from(block)
    # signal, noise, echo return loss, Gmin, then the scores
    r_factor, mos_lq, mos_cq = levels[4], levels[6], levels[7]
    nominal, maximum = levels[10], levels[11]
    return VoipMetrics(
        source,
        loss / 256,
        discard / 256,
        burst / 256,
        gap / 256,
        burst_ms,
        gap_ms,
        round_trip,
        end_system,
        None if r_factor == 127 else r_factor,
        None if mos_lq == 127 else mos_lq / 10,
        None if mos_cq == 127 else mos_cq / 10,
        nominal,
        maximum,
    )
