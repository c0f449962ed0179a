"""Telephone events (RFC 4733): the four-byte payload, digits from a stream of them, and packets for digits.

Which payload type carries events is SDP's to say; callers hand over only payloads that do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sipreplay.rtp.packet import RtpPacket

DIGITS = "0123456789*#ABCD"
"""Event codes 0 to 15 (RFC 4733 section 3.2, table 4)."""
FLASH = 16
LONGEST_SEGMENT = 0xFFFF
_REMEMBERED = 64


class TelephoneEvent(NamedTuple):
    """The payload of one event packet (RFC 4733 section 2.3)."""

    event: int
    end: bool
    volume: int
    """Power below 0 dBm0, 0 to 63."""
    duration: int
    """In timestamp units, from the event's start."""


def decode(payload: bytes) -> TelephoneEvent | None:
    """The event of a payload, or None if it is shorter than four bytes. Further bytes (redundancy) are ignored."""
    if len(payload) < 4:
        return None
    return TelephoneEvent(payload[0], bool(payload[1] & 0x80), payload[1] & 0x3F, payload[2] << 8 | payload[3])


def encode(event: TelephoneEvent) -> bytes:
    """The four bytes of an event. Durations past 0xFFFF are cut: longer events go in segments (section 2.5.1.3)."""
    duration = min(event.duration, LONGEST_SEGMENT)
    flags = (0x80 if event.end else 0) | (event.volume & 0x3F)
    return bytes((event.event & 0xFF, flags, duration >> 8, duration & 0xFF))


def digit_of(event: int) -> str:
    """The key of an event code: 0-9 * # A-D, "!" for a hook flash, "" for anything else."""
    if event < len(DIGITS):
        return DIGITS[event]
    return "!" if event == FLASH else ""


def digits(packets: Iterable[tuple[int, bytes]]) -> str:
    """The digits that a stream's event packets dialled, in order of appearance.

    `packets` are (RTP timestamp, payload) of one SSRC in arrival order. All packets of an event share its timestamp
    (section 2.2), so updates, the repeated end and late packets count once, and a digit whose start was lost still
    counts. A segment of an event longer than 0xFFFF units (section 2.5.1.3) continues the digit before it.
    """
    out: list[str] = []
    seen: dict[tuple[int, int], bool] = {}
    last_timestamp, last_event, ended = -1, -1, True
    for timestamp, payload in packets:
        packet = decode(payload)
        if packet is None:
            continue
        key = (timestamp, packet.event)
        if key not in seen:
            if len(seen) >= _REMEMBERED:
                del seen[next(iter(seen))]
            seen[key] = True
            advance = (timestamp - last_timestamp) & 0xFFFFFFFF
            continues = not ended and packet.event == last_event and advance == LONGEST_SEGMENT
            if not continues:
                out.append(digit_of(packet.event))
            last_timestamp, last_event, ended = timestamp, packet.event, False
        if timestamp == last_timestamp and packet.end:
            ended = True
    return "".join(out)


def event_packets(
    dialled: str,
    *,
    payload_type: int,
    ssrc: int,
    sequence: int = 0,
    timestamp: int = 0,
    tone_ms: int = 200,
    gap_ms: int = 50,
    step_ms: int = 20,
    clock_rate: int = 8000,
    volume: int = 10,
) -> Iterator[tuple[float, RtpPacket]]:
    """(offset in ms, packet) of each event packet for `dialled`: marker on the first, then an update every `step_ms`.

    The end is sent three times, together (section 2.5.1.4). Characters that are no digit are skipped (SIPp: play_dtmf).
    """
    units = clock_rate // 1000
    start_ms = 0.0
    for character in dialled.upper():
        code = FLASH if character == "!" else DIGITS.find(character)
        if code < 0:
            continue
        begun = (timestamp + round(start_ms * units)) & 0xFFFFFFFF
        updates = max(1, -(-tone_ms // step_ms))
        for number in range(1, updates + 3):
            elapsed_ms = min(number * step_ms, tone_ms)
            body = encode(TelephoneEvent(code, number >= updates, volume, elapsed_ms * units))
            yield start_ms + elapsed_ms, RtpPacket(payload_type, number == 1, sequence & 0xFFFF, begun, ssrc, body)
            sequence += 1
        start_ms += tone_ms + gap_ms
