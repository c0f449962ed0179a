"""A stream as a value: what is known besides figures while reading, and what stands at the end.

Owns which of several sightings of one stream counts. Never counts packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sipreplay.analysis.announced import Place
from sipreplay.analysis.model import Address
from sipreplay.rtp.events import digits
from sipreplay.rtp.quality import StreamQuality


@dataclass(slots=True)
class Candidate:
    """What is known of a row besides its figures."""

    source: Address
    destination: Address
    ssrc: int
    capture: int
    key: tuple[int, int]
    payload_types: tuple[int, ...] = ()
    """In order of first appearance."""
    events: dict[int, list[bytes]] | None = None
    """RTP timestamp to the first and the last payload of that event."""
    codecs: Sequence[tuple[Place, int]] = ()
    """Codec sets by place, as announced."""


class FoundStream:
    """A row that counts as RTP, at the end."""

    __slots__ = ("announced", "candidate", "codec", "first", "last", "quality")

    def __init__(self, candidate: Candidate, quality: StreamQuality, first_ns: int, last_ns: int) -> None:
        self.candidate = candidate
        self.quality = quality
        self.first = first_ns / 1e9
        self.last = last_ns / 1e9
        self.announced = False
        self.codec = ""

    @property
    def dtmf(self) -> str:
        """RFC 4733 digits in order of their timestamps' first appearance."""
        events = self.candidate.events or {}
        return digits((time, payload) for time, payloads in events.items() for payload in payloads)


def without_twins(same: list[FoundStream]) -> list[FoundStream]:
    """Of one stream seen by several capture files at the same time, the sighting with the most packets."""
    if len({stream.candidate.capture for stream in same}) < 2:
        return same
    kept: list[FoundStream] = []
    for stream in sorted(same, key=lambda stream: -stream.quality.packets):
        if not any(
            other.candidate.capture != stream.candidate.capture
            and other.first <= stream.last
            and stream.first <= other.last
            for other in kept
        ):
            kept.append(stream)
    return kept
