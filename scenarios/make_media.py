"""Writes the media that the built-in scenario uac_pcap plays: `sipreplay/scenario/pcap/*.pcap`.

    python scenarios/make_media.py [DIRECTORY]

Eight seconds of G.711 A-law (a 425 Hz tone that fades in and out) and the digit 1 as RFC 4733 events, payload types 8
and 101 as in the scenario's SDP. The same bytes every time. The addresses are for documentation; a player puts its own.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

PACKETS = 400
SAMPLES = 160
SSRC = 0x53495052


def a_law(sample: int) -> int:
    """One 16-bit sample as G.711 A-law: sign, segment, four bits of the segment, even bits inverted."""
    magnitude = sample >> 3 if sample >= 0 else -(sample >> 3) - 1
    segment = max(magnitude.bit_length() - 5, 0)
    value = segment << 4 | (magnitude >> max(segment, 1)) & 0x0F
    return value ^ (0xD5 if sample >= 0 else 0x55)


def rtp(payload_type: int, marker: bool, sequence: int, timestamp: int, payload: bytes) -> bytes:
    """An RTP packet (RFC 3550, 5.1)."""
    return struct.pack(">BBHII", 0x80, payload_type | marker << 7, sequence, timestamp, SSRC) + payload


def tone() -> Iterator[tuple[float, bytes]]:
    """400 packets of 20 ms."""
    for number in range(PACKETS):
        first = number * SAMPLES
        samples = (
            int(6000 * abs(math.sin(math.pi * n / 8000)) * math.sin(2 * math.pi * 425 * n / 8000))
            for n in range(first, first + SAMPLES)
        )
        yield number * 0.02, rtp(8, number == 0, 1 + number, first, bytes(a_law(sample) for sample in samples))


def digit(event: int) -> Iterator[tuple[float, bytes]]:
    """A telephone-event of 160 ms: a packet every 20 ms, the last one three times (RFC 4733, 2.5.1)."""
    durations = [160 * (1 + n) for n in range(7)] + [1280] * 3
    for number, duration in enumerate(durations):
        end = number >= 7
        payload = struct.pack(">BBH", event, end << 7 | 10, duration)
        yield (
            0.02 * min(number, 7) + 0.001 * max(number - 7, 0),
            rtp(101, number == 0, 1 + PACKETS + number, PACKETS * SAMPLES, payload),
        )


def frame(payload: bytes, number: int) -> bytes:
    """Ethernet, IPv4 and UDP around an RTP packet."""
    udp = struct.pack(">HHHH", 6000, 6000, 8 + len(payload), 0) + payload
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
    )
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", total ^ 0xFFFF) + head[12:]
    return bytes((2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0)) + head + udp


def write(path: Path, packets: Iterator[tuple[float, bytes]]) -> None:
    """A classic pcap file, Ethernet, microseconds."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, (time, packet) in enumerate(packets, start=1):
        data = frame(packet, number)
        microseconds = round(time * 1_000_000)
        seconds = 1_000_000_000 + microseconds // 1_000_000
        out.append(struct.pack("<IIII", seconds, microseconds % 1_000_000, len(data), len(data)) + data)
    path.write_bytes(b"".join(out))


def main() -> None:
    """Write both files."""
    default = Path(__file__).parent.parent / "sipreplay" / "scenario" / "pcap"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "g711a.pcap", tone())
    write(folder / "dtmf_2833_1.pcap", digit(1))


if __name__ == "__main__":
    main()
