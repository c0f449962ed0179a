"""A TCP connection as packets: who says what, cut into segments."""

from __future__ import annotations

import struct

from tests.capture.frames import ip

FIN, SYN, PUSH, ACK = 1, 2, 8, 16
CLIENT, SERVER = ("192.0.2.1", 40001), ("192.0.2.2", 5061)
End = tuple[str, int]


def packets(
    flights: list[tuple[int, bytes]], ends: tuple[End, End] = (CLIENT, SERVER), segment: int = 1400, whole: bool = True
) -> list[bytes]:
    """Handshake, data and close, each an IP packet with acknowledgements as real ones have; without handshake and close
    when not `whole`.
    """
    sequence = [1000, 2000]
    out: list[bytes] = []

    def send(who: int, payload: bytes, flags: int) -> None:
        here, there = ends[who], ends[1 - who]
        acknowledged = sequence[1 - who] if flags & ACK else 0
        head = struct.pack("!HHIIBBHHH", here[1], there[1], sequence[who], acknowledged, 0x50, flags, 65000, 0, 0)
        out.append(ip(head + payload, 6, here[0], there[0], 1 + len(out)))
        sequence[who] = (sequence[who] + len(payload) + (1 if flags & (SYN | FIN) else 0)) % 2**32

    if whole:
        send(0, b"", SYN)
        send(1, b"", SYN | ACK)
        send(0, b"", ACK)
    else:
        sequence[:] = [1001, 2001]
    for who, data in flights:
        for at in range(0, len(data), segment):
            send(who, data[at : at + segment], PUSH | ACK)
        send(1 - who, b"", ACK)
    if whole:
        send(0, b"", FIN | ACK)
        send(1, b"", FIN | ACK)
        send(0, b"", ACK)
    return out
