"""UDPTL: how T.38 fax travels over UDP (ITU-T T.38, clause 9): sequence number, a fax packet, and earlier ones again.

Reads what order and loss can be told from. Never decodes the fax itself.
"""

from __future__ import annotations

from typing import NamedTuple


class UdptlPacket(NamedTuple):
    """One datagram."""

    sequence: int
    primary: bytes
    """The IFP packet."""
    redundant: int
    """How many earlier IFP packets it repeats."""
    fec: bool
    """Whether parity comes with it instead."""


MOST_REDUNDANT = 64


def parse_udptl(data: bytes) -> UdptlPacket | None:
    """Read a datagram; None if it is no UDPTL."""
    if len(data) < 4:
        return None
    sequence = data[0] << 8 | data[1]
    length, at = _length(data, 2)
    if length is None or not length or at + length + 1 > len(data):
        return None
    primary = data[at : at + length]
    at += length
    recovery = data[at]
    if recovery & 0x7F:
        return None
    if recovery & 0x80:
        return UdptlPacket(sequence, primary, 0, True)
    count, at = _length(data, at + 1)
    if count is None:
        return UdptlPacket(sequence, primary, 0, False) if at >= len(data) else None
    if count > MOST_REDUNDANT:
        return None
    for _ in range(count):
        length, at = _length(data, at)
        if length is None or at + length > len(data):
            return None
        at += length
    return UdptlPacket(sequence, primary, count, False)


def _length(data: bytes, at: int) -> tuple[int | None, int]:
    """A length determinant of aligned PER (X.691, 11.9) and where it ends; None if there is none."""
    if at >= len(data):
        return None, at
    if not data[at] & 0x80:
        return data[at], at + 1
    if data[at] & 0x40 or at + 1 >= len(data):
        return None, at + 1  # fragmented: no IFP packet is that long
    return (data[at] & 0x3F) << 8 | data[at + 1], at + 2


def build_udptl(sequence: int, primary: bytes, earlier: tuple[bytes, ...] = ()) -> bytes:
    """A datagram with redundancy. Parts longer than 127 bytes raise ValueError."""
    parts = (primary, *earlier)
    if any(len(part) > 127 for part in parts):
        raise ValueError("an IFP packet of more than 127 bytes")
    out = (sequence & 0xFFFF).to_bytes(2, "big") + bytes((len(primary),)) + primary + bytes((0, len(earlier)))
    return out + b"".join(bytes((len(part),)) + part for part in earlier)
