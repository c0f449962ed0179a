"""Bytes of packets and of capture files, for tests: put together by hand, so that readers are not tested by writers."""

from __future__ import annotations

import struct
from ipaddress import ip_address

BEGAN = 1_700_000_000


def udp(
    payload: bytes,
    source: str = "192.0.2.1",
    destination: str = "192.0.2.2",
    ports: tuple[int, int] = (5060, 5061),
    ident: int = 1,
    checksum: int = 0x1234,
) -> bytes:
    """An IP packet with a UDP datagram."""
    return ip(struct.pack("!HHHH", *ports, len(payload) + 8, checksum) + payload, 17, source, destination, ident)


def tcp(
    payload: bytes,
    sequence: int,
    flags: int = 0x18,
    source: str = "192.0.2.1",
    destination: str = "192.0.2.2",
    ports: tuple[int, int] = (5060, 5061),
) -> bytes:
    """An IP packet with a TCP segment."""
    head = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 1000, 0, 0)
    return ip(head + payload, 6, source, destination, 1)


def ip(
    body: bytes, protocol: int, source: str, destination: str, ident: int = 1, fragment: int = 0, options: bytes = b""
) -> bytes:
    """An IPv4 or IPv6 packet, as the addresses are."""
    sender, receiver = ip_address(source), ip_address(destination)
    if sender.version == 6:
        return struct.pack("!IHBB", 0x60000000, len(body), protocol, 64) + sender.packed + receiver.packed + body
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(body), ident, fragment, 64, protocol, 0)
    return head + sender.packed + receiver.packed + options + body


def rtp(
    sequence: int,
    timestamp: int,
    ssrc: int = 0xABCD,
    payload_type: int = 0,
    marker: bool = False,
    payload: bytes = bytes(160),
) -> bytes:
    """An RTP packet."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def ethernet(packet: bytes, tags: tuple[int, ...] = ()) -> bytes:
    """An Ethernet frame; `tags` are EtherTypes of VLAN tags around the packet."""
    kind = b"\x86\xdd" if packet[:1] >= b"\x60" else b"\x08\x00"
    vlan = b"".join(struct.pack("!HH", tag, 5) for tag in tags)
    return bytes(12) + vlan + kind + packet


def pcap(
    frames: list[bytes],
    link: int = 1,
    order: str = "<",
    nanoseconds: bool = False,
    times: list[float] | None = None,
    original: list[int] | None = None,
) -> bytes:
    """A pcap file; packets are 20 ms apart unless `times` says otherwise."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)]
    for index, frame in enumerate(frames):
        now_ns = round(times[index] * 1e9) if times else BEGAN * 10**9 + index * 20_000_000
        fraction = now_ns % 10**9 // (1 if nanoseconds else 1000)
        size = original[index] if original else len(frame)
        out.append(struct.pack(order + "IIII", now_ns // 10**9, fraction, len(frame), size) + frame)
    return b"".join(out)


def odd_pcap(frames: list[bytes], magic: int, more: int, order: str = "<", version: tuple[int, int] = (2, 4)) -> bytes:
    """A pcap variant whose records have `more` bytes after their headers."""
    out = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, 1)]
    if magic >> 8 == 0x1C0001:
        out.append(bytes(4))
    for index, frame in enumerate(frames):
        head = struct.pack(order + "IIII", BEGAN, 20_000 * index, len(frame), len(frame))
        out.append(head + struct.pack(order + "IHBBI", 2, 8, 0, 0, 0)[:more] + frame)
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    """A pcapng section header."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, order: str = "<", options: bytes = b"", snap: int = 0) -> bytes:
    """A pcapng interface description."""
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """A pcapng option."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def enhanced(frame: bytes, ticks: int, number: int = 0, order: str = "<") -> bytes:
    """A pcapng enhanced packet block."""
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4), order)
