"""Small media captures for the tests of this room, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from sipreplay.rtp.packet import RtpPacket, build_rtp

SSRC = 0x1234


def rtp(number: int, *, payload_type: int = 8, marker: bool = False, size: int = 160, ssrc: int = SSRC) -> bytes:
    """The packet of that number in a G.711 stream whose payload names the number."""
    body = number.to_bytes(4, "big") * (size // 4)
    return build_rtp(RtpPacket(payload_type, marker, 1000 + number, 5000 + 160 * number, ssrc, body))


def frame(payload: bytes, port: int, source_port: int = 4000, *, six: bool = False) -> bytes:
    """The payload as UDP over IP over Ethernet."""
    udp = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    if six:
        address = bytes(15) + b"\1"
        return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + address * 2 + udp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return bytes(12) + b"\x08\x00" + head + udp


def write_pcap(path: Path, frames: Iterable[tuple[float, bytes]], *, cut: int = 0) -> Path:
    """A pcap of (time in ms, frame); `cut` bytes are missing at the end of each."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for when_ms, data in frames:
            us = round(when_ms * 1000) + 1_700_000_000_000_000
            kept = data[: len(data) - cut]
            out.write(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(kept), len(data)) + kept)
    return path


def write_g711(path: Path, packets: int, *, interval_ms: float = 20, port: int = 4000) -> Path:
    """A stream of G.711 with a marker on its first packet."""
    return write_pcap(path, ((n * interval_ms, frame(rtp(n, marker=n == 0), port)) for n in range(packets)))
