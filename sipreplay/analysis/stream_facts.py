"""What is known of a stream besides order and timing: bytes, packet time, talkspurts, comfort noise, drift, silence.

Owns one row of columns a stream, beside that of its quality. Looks at payloads of G.711 only, and of every 32nd
packet only: enough to tell silence from speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.columns import RtpColumns
from sipreplay.rtp.quality import Counted, Int
from sipreplay.rtp.rows import Rows

SAMPLE_EVERY = 32
"""Payloads of packets whose sequence number is a multiple of this are looked at."""
SAMPLE_BYTES = 32
QUIET = 32
"""Peak of a silent sample, of 32,767: -60 dBov. Digital silence is 0 (PCMU) or 8 (PCMA); microphones are louder."""
_PTIME_PAIRS = 3
DRIFT_FROM_S = 10.0
"""A shorter stream's drift is drowned by its jitter."""
LONGEST_PTIME_MS = 200.0
"""A longer step between neighbours is a pause."""


def _g711() -> NDArray[np.uint16]:
    """[law, byte] to the absolute linear value (G.711); law 0 is PCMU, 1 is PCMA."""
    byte = np.arange(256)
    mu = ~byte & 0xFF
    law_mu = ((((mu & 0x0F) << 3) + 0x84) << ((mu & 0x70) >> 4)) - 0x84
    a = (byte ^ 0x55) & 0x7F
    exponent = a >> 4
    law_a = ((a & 0x0F) << 4) + 8
    law_a = np.where(exponent > 0, (law_a + 0x100) << np.maximum(exponent - 1, 0), law_a)
    return np.stack((law_mu, law_a)).astype(np.uint16)


LINEAR = _g711()
_IS_QUIET: NDArray[np.bool_] = (LINEAR <= QUIET).reshape(-1)
"""By law * 256 + byte."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """Of one stream."""

    payload_bytes: int
    """RTP packets with their headers."""
    ptime_ms: float | None
    """Media time from one packet to the next, as most of them have it."""
    talkspurts: int
    """Packets with the marker bit."""
    comfort_noise: int
    """Packets of types 13 and 19."""
    drift_ppm: float | None
    """How much faster than the capturing host's the sender's clock runs, least squares over all packets; None of
    fewer than two."""
    silence: float | None
    """Part of the G.711 samples that were silent, 0.0 to 1.0; None if there were none."""
    samples: int


class FactBook(Rows):
    """Facts of streams 0 to rows - 1."""

    _COLUMNS = (
        ("payload_bytes", np.int64),
        ("talkspurts", np.int64),
        ("noise", np.int64),
        ("samples", np.int64),
        ("quiet", np.int64),
        ("_ptime", np.float64),
        ("_votes", np.int64),
        ("_n", np.int64),
        ("_time", np.float64),
        ("_skew", np.float64),
        ("_time_time", np.float64),
        ("_time_skew", np.float64),
    )

    def add(self, counted: Counted, rtp: RtpColumns, order: Int, law: NDArray[np.int8]) -> None:
        """Count a batch: `order` is where each of the counted packets is in `rtp`; `law` is 0 where its payload is
        PCMU, 1 for PCMA, -1 where it is not to be looked at."""
        column: Any = self
        touched, starts = counted.touched, counted.starts
        column.payload_bytes[touched] += np.add.reduceat(rtp.length[order], starts)
        for mask, name in ((counted.marker, "talkspurts"), (counted.noise, "noise")):
            at = np.flatnonzero(mask)
            if len(at):
                np.add.at(getattr(self, name), counted.rows[at], 1)
        self._drift(counted)
        self._ptimes(counted)
        at = np.flatnonzero(is_sampled(counted.sequence))
        at = at[law[at] >= 0]
        if len(at):
            self._sample(counted.rows[at], rtp, order[at], law[at])

    def _drift(self, counted: Counted) -> None:
        """Sums for the line through skew over time: its slope is the drift. Skew is small: no digits are lost."""
        at = counted.timed
        if len(at) == 0:
            return
        column: Any = self
        some = counted.rows[at]
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(some[1:] != some[:-1]) + 1))
        row = some[starts]
        time, skew = counted.since_ms, counted.skew_ms
        column._n[row] += np.diff(np.append(starts, len(at)))
        column._time[row] += np.add.reduceat(time, starts)
        column._skew[row] += np.add.reduceat(skew, starts)
        column._time_time[row] += np.add.reduceat(time * time, starts)
        column._time_skew[row] += np.add.reduceat(time * skew, starts)

    def _ptimes(self, counted: Counted) -> None:
        """Ask a few neighbours of each stream how far apart they are; the majority holds (Boyer and Moore)."""
        column: Any = self
        few = len(counted.starts) <= 64
        pairs = 5 * _PTIME_PAIRS if few else _PTIME_PAIRS
        at = np.flatnonzero(counted.lengths > 1)
        starts, room, rows = counted.starts[at], counted.lengths[at] - 1, counted.touched[at]
        for turn in range(pairs):
            first = starts + room * turn // pairs
            clock = counted.clock_rate[first + 1]
            step = (counted.sequence[first + 1] - counted.sequence[first]) & 0xFFFF
            ticks = (counted.timestamp[first + 1] - counted.timestamp[first]) & 0xFFFFFFFF
            usable = (step == 1) & (clock > 0) & (counted.payload_type[first] == counted.payload_type[first + 1])
            usable &= ~counted.noise[first]
            ptime = np.round(ticks * 1000.0 / np.maximum(clock, 1.0), 3)
            usable &= (ptime > 0) & (ptime <= LONGEST_PTIME_MS)
            row, ptime = rows[usable], ptime[usable]
            same = column._ptime[row] == ptime
            new = ~same & (column._votes[row] == 0)
            column._ptime[row[new]] = ptime[new]
            column._votes[row] += np.where(same | new, 1, -1)

    def _sample(self, rows: Int, rtp: RtpColumns, at: Int, law: NDArray[np.int8]) -> None:
        """Look at the first bytes of these packets' payloads."""
        first = rtp.first[at]
        start = rtp.offset[at] + 12 + 4 * (first & 15).astype(np.int64)
        extended = np.flatnonzero(first & 0x10)
        if len(extended):
            place = np.minimum(start[extended], len(rtp.buffer) - 4)
            words = rtp.buffer[place + 2].astype(np.int64) << 8 | rtp.buffer[place + 3]
            start[extended] += 4 + 4 * words
        whole = start + SAMPLE_BYTES <= rtp.offset[at] + rtp.length[at]
        rows, start, law = rows[whole], start[whole], law[whole]
        if len(rows) == 0:
            return
        samples = np.lib.stride_tricks.sliding_window_view(rtp.buffer, SAMPLE_BYTES)[start]
        self.note_samples(rows, samples, law)

    def note_payloads(self, rows: Int, law: NDArray[np.int8], payloads: dict[int, bytes | None]) -> None:
        """Count payloads by their places among `rows`, as far as they are G.711 and long enough."""
        for at, payload in payloads.items():
            if payload is not None and law[at] >= 0 and len(payload) >= SAMPLE_BYTES:
                sample = np.frombuffer(payload, np.uint8, SAMPLE_BYTES)[None, :]
                self.note_samples(rows[at : at + 1], sample, law[at : at + 1])

    def note_samples(self, rows: Int, samples: NDArray[np.uint8], law: NDArray[np.int8]) -> None:
        """Count payload beginnings of SAMPLE_BYTES each, by law."""
        column: Any = self
        place = samples.astype(np.int16) + (law.astype(np.int16) << 8)[:, None]
        quiet = _IS_QUIET[place].all(axis=1)
        np.add.at(column.samples, rows, 1)
        np.add.at(column.quiet, rows[quiet], 1)

    def result(self, row: int) -> StreamFacts:
        """What is known of one stream."""
        column: Any = self
        samples = int(column.samples[row])
        return StreamFacts(
            payload_bytes=int(column.payload_bytes[row]),
            ptime_ms=float(column._ptime[row]) or None,
            talkspurts=int(column.talkspurts[row]),
            comfort_noise=int(column.noise[row]),
            drift_ppm=self._slope(row),
            silence=int(column.quiet[row]) / samples if samples else None,
            samples=samples,
        )

    def _slope(self, row: int) -> float | None:
        column: Any = self
        n = int(column._n[row])
        if n < 2:
            return None
        time, skew = float(column._time[row]), float(column._skew[row])
        spread = n * float(column._time_time[row]) - time * time
        if spread <= 0:
            return None
        return 1e6 * (n * float(column._time_skew[row]) - time * skew) / spread


def is_sampled(sequence: NDArray[Any]) -> NDArray[np.bool_]:
    """Which packets are looked at."""
    result: NDArray[np.bool_] = (sequence & (SAMPLE_EVERY - 1)) == 0
    return result


def bandwidth_kbps(facts: StreamFacts, packets: int, ip_version: int, duration_s: float) -> float | None:
    """Mean bit rate with RTP, UDP and IP headers, as Wireshark counts them; None for a stream of one instant."""
    if duration_s <= 0 or packets < 2:
        return None
    # The last packet begins the time after the last arrival.
    whole = duration_s * packets / (packets - 1)
    return (facts.payload_bytes + packets * (28 if ip_version == 4 else 48)) * 8 / whole / 1000
