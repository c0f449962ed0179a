"""RTP packets as values: parsing and building, one packet at a time (RFC 3550, RFC 5761).

Never touches sockets or clocks. The paths that see millions of packets use numpy columns instead; this module is what
they are checked against, and what everything that looks at single packets uses.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER_BYTES = 12

_HEADER = struct.Struct("!BBHII")


class RtpSyntaxError(ValueError):
    """The bytes are not an RTP packet, or not the RTCP packet they ought to be. The message says why."""


class RtpPacket(NamedTuple):
    """One RTP packet (RFC 3550 section 5.1), without its CSRC list and header extension."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    """Without padding."""


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
