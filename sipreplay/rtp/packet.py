"""RTP and RTCP packets as values: parsing and building, one packet at a time (RFC 3550, RFC 5761).

Never touches sockets or clocks. The paths that see millions of packets use numpy columns instead; this module is what
they are checked against, and what everything that looks at single packets uses.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER_BYTES = 12
RTCP_SENDER_REPORT = 200
RTCP_RECEIVER_REPORT = 201
RTCP_SOURCE_DESCRIPTION = 202
RTCP_BYE = 203
RTCP_APPLICATION = 204

_HEADER = struct.Struct("!BBHII")
_RTCP_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_CNAME = 1


class RtpSyntaxError(ValueError):
    """The bytes are not an RTP or RTCP packet. The message says why."""


class RtpPacket(NamedTuple):
    """One RTP packet (RFC 3550 section 5.1), without its CSRC list and header extension."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    """Without padding."""


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


class RtcpPacket(NamedTuple):
    """One packet of a compound RTCP datagram."""

    packet_type: int
    ssrc: int
    """Of the sender; 0 where the packet has none."""
    reports: tuple[ReportBlock, ...] = ()
    ntp_time: int = 0
    """Sender reports: 64-bit NTP time."""
    rtp_timestamp: int = 0
    packet_count: int = 0
    octet_count: int = 0
    cname: str = ""


def is_rtcp(data: bytes | memoryview) -> bool:
    """Whether a datagram is RTCP rather than RTP: version 2, packet type 192 to 223 (RFC 5761 section 4)."""
    return len(data) >= 4 and data[0] >> 6 == 2 and 192 <= data[1] <= 223


def is_rtp(data: bytes | memoryview) -> bool:
    """Whether a datagram can be RTP: a whole header, version 2, and not RTCP."""
    return len(data) >= HEADER_BYTES and data[0] >> 6 == 2 and not 192 <= data[1] <= 223


def parse_rtp(data: bytes) -> RtpPacket:
    """Read one RTP packet. Raises RtpSyntaxError."""
    if len(data) < HEADER_BYTES:
        raise RtpSyntaxError(f"{len(data)} bytes are too few for an RTP header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise RtpSyntaxError(f"RTP version is {first >> 6}, not 2")
    start = HEADER_BYTES + 4 * (first & 15)
    if first & 0x10:
        if len(data) < start + 4:
            raise RtpSyntaxError("header extension is cut")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data)
    if first & 0x20:
        padding = data[-1]
        if not padding or start + padding > end:
            raise RtpSyntaxError(f"{padding} bytes of padding do not fit")
        end -= padding
    if start > end:
        raise RtpSyntaxError("header is longer than the packet")
    return RtpPacket(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, bytes(data[start:end]))


def build_rtp(packet: RtpPacket) -> bytes:
    """The packet's bytes. Numbers are taken modulo their field's width."""
    second = (packet.payload_type & 0x7F) | (0x80 if packet.marker else 0)
    return (
        _HEADER.pack(0x80, second, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc & 0xFFFFFFFF)
        + packet.payload
    )


def parse_rtcp(data: bytes) -> list[RtcpPacket]:
    """Read a compound RTCP datagram. Raises RtpSyntaxError at the first packet that does not fit."""
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise RtpSyntaxError(f"{len(data) - at} bytes are too few for an RTCP header")
        first, packet_type, words = _RTCP_HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2:
            raise RtpSyntaxError(f"RTCP version is {first >> 6}, not 2")
        if end > len(data):
            raise RtpSyntaxError("RTCP packet is cut")
        packets.append(_rtcp_packet(packet_type, first & 31, data[at + 4 : end]))
        at = end
    return packets


def build_receiver_report(ssrc: int, blocks: tuple[ReportBlock, ...] = ()) -> bytes:
    """A receiver report (RFC 3550 section 6.4.2) with at most 31 blocks."""
    body = b"".join(_block_bytes(block) for block in blocks[:31])
    words = 1 + len(body) // 4
    return _RTCP_HEADER.pack(0x80 | len(blocks[:31]), RTCP_RECEIVER_REPORT, words) + struct.pack("!I", ssrc) + body


def build_sender_report(packet: RtcpPacket) -> bytes:
    """A sender report (RFC 3550 section 6.4.1) of `packet`'s fields."""
    body = b"".join(_block_bytes(block) for block in packet.reports[:31])
    head = _RTCP_HEADER.pack(0x80 | len(packet.reports[:31]), RTCP_SENDER_REPORT, 6 + len(body) // 4)
    sender = _SENDER.pack(
        packet.ntp_time, packet.rtp_timestamp & 0xFFFFFFFF, packet.packet_count & 0xFFFFFFFF, packet.octet_count
    )
    return head + struct.pack("!I", packet.ssrc) + sender + body


def _rtcp_packet(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    ssrc = int.from_bytes(body[:4], "big") if len(body) >= 4 else 0
    if packet_type == RTCP_SENDER_REPORT:
        if len(body) < 24 + 24 * count:
            raise RtpSyntaxError("sender report is shorter than its blocks")
        ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body, 4)
        reports = tuple(_block(body, 24 + 24 * i) for i in range(count))
        return RtcpPacket(packet_type, ssrc, reports, ntp_time, rtp_timestamp, packet_count, octet_count)
    if packet_type == RTCP_RECEIVER_REPORT:
        if len(body) < 4 + 24 * count:
            raise RtpSyntaxError("receiver report is shorter than its blocks")
        return RtcpPacket(packet_type, ssrc, tuple(_block(body, 4 + 24 * i) for i in range(count)))
    if packet_type == RTCP_SOURCE_DESCRIPTION and count:
        return RtcpPacket(packet_type, ssrc, cname=_cname(body[4:]))
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
