"""What impairment on purpose is asked for: values, and how they are written on a command line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sipreplay.errors import UsageError

DISTRIBUTIONS = ("normal", "uniform", "exponential")
MOST_JITTER_MS = 500.0


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is done to every stream that is sent."""

    loss: float = 0.0
    """Part of the packets that never leave, each by itself."""
    reorder: float = 0.0
    """Part of the packets that leave after their successor."""
    jitter_ms: float = 0.0
    """Interarrival jitter (RFC 3550) that a receiver finds where the delays rarely exceed the packet interval."""
    distribution: str = "normal"
    """Of the delays."""
    seed: int = 0

    def __bool__(self) -> bool:
        return bool(self.loss or self.reorder or self.jitter_ms)


def parse_jitter(text: str) -> tuple[str, float]:
    """`20` or `uniform:20`: (distribution, milliseconds). Raises UsageError."""
    name, colon, number = text.rpartition(":")
    name = name if colon else "normal"
    if name not in DISTRIBUTIONS:
        raise UsageError(f"--media-jitter {text}: there are {', '.join(DISTRIBUTIONS)}, as in uniform:20")
    try:
        jitter_ms = float(number)
    except ValueError:
        jitter_ms = math.nan
    if not 0 <= jitter_ms <= MOST_JITTER_MS:
        raise UsageError(f"--media-jitter {text}: wants 0 to {MOST_JITTER_MS:g} ms")
    return name, jitter_ms
