"""Static RTP payload types: name and clock rate of each (RFC 3551 section 6).

Dynamic types have neither until SDP gives them; that table is the caller's.
"""

from __future__ import annotations

STATIC: dict[int, tuple[str, int]] = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    5: ("DVI4", 8000),
    6: ("DVI4", 16000),
    7: ("LPC", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    10: ("L16", 44100),
    11: ("L16", 44100),
    12: ("QCELP", 8000),
    13: ("CN", 8000),
    14: ("MPA", 90000),
    15: ("G728", 8000),
    16: ("DVI4", 11025),
    17: ("DVI4", 22050),
    18: ("G729", 8000),
    19: ("CN", 8000),
    25: ("CelB", 90000),
    26: ("JPEG", 90000),
    28: ("nv", 90000),
    31: ("H261", 90000),
    32: ("MPV", 90000),
    33: ("MP2T", 90000),
    34: ("H263", 90000),
}
"""Payload type to (encoding name, clock rate in Hz). 19 was comfort noise before RFC 3551 reserved it, and still is in
the field. G722 samples at 16 kHz and, by an old mistake that RFC 3551 keeps, counts its timestamps at 8 kHz."""

COMFORT_NOISE = (13, 19)
TELEPHONE_EVENT = "telephone-event"


def timing_clock(name: str, clock_rate: int) -> int:
    """The clock that jitter may be computed with, in Hz: 0 for telephone events, whose packets share one timestamp."""
    return 0 if name.lower() == TELEPHONE_EVENT else clock_rate
