"""A stream as a value: what is known besides figures while reading, and what stands at the end.

Owns which of several sightings of one stream counts. Never counts packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sipreplay.analysis.announced import Place
from sipreplay.analysis.model import Address, Digit
from sipreplay.analysis.stream_facts import StreamFacts
from sipreplay.rtp.events import decode, digit_of, digits
from sipreplay.rtp.payload_types import COMFORT_NOISE
from sipreplay.rtp.quality import StreamQuality
from sipreplay.rtp.windows import Records

MAX_CHANGES = 64
"""Changes of the payload type that are remembered for one stream."""


class EventSight(NamedTuple):
    """One telephone event: all packets with its timestamp."""

    time_ns: int
    """Arrival of its first packet."""
    first: bytes
    last: bytes


@dataclass(slots=True)
class Candidate:
    """What is known of a row besides its figures."""

    source: Address
    destination: Address
    ssrc: int
    capture: int
    key: tuple[int, int]
    group: int = 0
    """Of files; see Batch.group."""
    payload_types: tuple[int, ...] = ()
    """In order of first appearance."""
    events: dict[int, EventSight] | None = None
    """By RTP timestamp."""
    codecs: Sequence[tuple[Place, int]] = ()
    """Codec sets by place, as announced."""
    first_type: int = -1
    """The payload type of speech or pictures that it began with."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """(arrival in ns, payload type) of each later change."""

    def note_type(self, time_ns: int, kind: int) -> None:
        """A packet of another type than the one before it, which is no telephone event."""
        if kind in COMFORT_NOISE:
            return
        if self.first_type < 0:
            self.first_type = kind
        elif kind != (self.changes[-1][1] if self.changes else self.first_type) and len(self.changes) < MAX_CHANGES:
            self.changes.append((time_ns, kind))


class FoundStream:
    """A row that counts as RTP, at the end."""

    __slots__ = (
        "announced",
        "candidate",
        "clock_rate",
        "codec",
        "decrypted",
        "discarded",
        "event_clock",
        "facts",
        "first",
        "last",
        "quality",
        "segments",
        "windows",
        "worst",
    )

    def __init__(
        self, candidate: Candidate, quality: StreamQuality, facts: StreamFacts, first_ns: int, last_ns: int
    ) -> None:
        self.candidate = candidate
        self.quality = quality
        self.facts = facts
        self.windows: Records | None = None
        self.worst: Any = None
        self.discarded = 0
        self.decrypted = False
        self.clock_rate = 0
        self.event_clock = 8000
        self.segments: tuple[tuple[float, int, str], ...] = ()
        """(time, payload type, codec) of each change."""
        self.first = first_ns / 1e9
        self.last = last_ns / 1e9
        self.announced = False
        self.codec = ""

    @property
    def payload_type(self) -> int | None:
        """That of speech or pictures, as it began."""
        return self.candidate.first_type if self.candidate.first_type >= 0 else None

    @property
    def dtmf(self) -> str:
        """RFC 4733 digits in order of their timestamps' first appearance."""
        events = self.candidate.events or {}
        return digits((time, payload) for time, sight in events.items() for payload in (sight.first, sight.last))

    def digits(self) -> list[Digit]:
        """Each event with its time and length, as `dtmf` orders them; segments of a long one are one digit."""
        out: list[Digit] = []
        ends = -1
        for timestamp, sight in (self.candidate.events or {}).items():
            event = decode(sight.last) or decode(sight.first)
            digit = digit_of(event.event) if event else ""
            if event is None or not digit:
                continue
            duration_ms = event.duration * 1000 / self.event_clock
            if timestamp == ends and out[-1].digit == digit and not out[-1].ended:
                whole = out[-1].duration_ms + duration_ms
                out[-1] = out[-1]._replace(duration_ms=whole, ended=event.end)
            else:
                out.append(Digit(digit, sight.time_ns / 1e9, duration_ms, event.end))
            ends = (timestamp + 0xFFFF) & 0xFFFFFFFF
        return out


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
