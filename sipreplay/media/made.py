"""What a scenario wants made rather than read from a capture: values only, without numpy, for engines to hand over."""

from __future__ import annotations

from typing import NamedTuple


class Made(NamedTuple):
    """What to make. Plain values, to be sent to the media process as they are."""

    kind: str
    """dtmf, file or pattern."""
    text: str
    """Digits, or the file's path."""
    payload_type: int
    packet_bytes: int = 160
    packet_ms: int = 20
    ticks: int = 160
    """RTP timestamp of one packet."""
    pattern: int = 0
    """The byte that fills the packets."""
    tone_ms: int = 0
    filler: int = 0
    """Packets of no meaning before the first digit (SIPp: 20)."""
