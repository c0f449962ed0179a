"""MOS of a stream, of its worst ten seconds and of each window, from what was counted.

Owns what goes into the E-model: loss and what a jitter buffer drops, burstiness, and the delay where RTCP tells it.
Never counts packets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sipreplay.analysis.model import Stream
from sipreplay.rtp.emodel import mos
from sipreplay.rtp.quality import burst_ratio
from sipreplay.rtp.windows import BUFFER_MS, WINDOW_S


class StreamWindow(NamedTuple):
    """Ten seconds of a stream."""

    start: float
    """Seconds since the epoch."""
    packets: int
    lost: int
    """Negative where late packets fill a gap of the window before."""
    discarded: int
    """Too late for the jitter buffer."""
    mean_jitter_ms: float
    max_jitter_ms: float
    mos: float | None


def score(stream: Stream, worst: Any) -> None:
    """Set the stream's MOS figures; `worst` is the record of its worst window."""
    if stream.media not in ("", "audio"):
        return
    delay_ms = delay_of(stream)
    expected = stream.packets + stream.gone
    gone = min(stream.gone + stream.discarded, expected)
    stream.mos = mos(stream.codec, gone / expected if expected else 0.0, stream.burst, delay_ms)
    if worst is not None and worst["packets"]:
        stream.mos_worst = _of_record(stream.codec, worst, delay_ms)
        if stream.mos_worst is not None:
            stream.mos_worst_at = stream.first + WINDOW_S * int(worst["number"])


def delay_of(stream: Stream) -> float:
    """One way from mouth to ear: half the round trip, a packet time and the jitter buffer; 0 where no RTCP tells."""
    if stream.round_trip_ms is None:
        return 0.0
    return stream.round_trip_ms / 2 + (stream.ptime_ms or 20.0) + BUFFER_MS


def windows_of(stream: Stream) -> list[StreamWindow]:
    """The stream in ten seconds each; windows without a packet are not there."""
    if stream.windows is None:
        return []
    delay_ms = delay_of(stream)
    speech = stream.media in ("", "audio")
    return [
        StreamWindow(
            stream.first + WINDOW_S * int(record["number"]),
            int(record["packets"]),
            int(record["lost"]),
            int(record["discarded"]) if speech else 0,
            float(record["mean_jitter_ms"]),
            float(record["max_jitter_ms"]),
            _of_record(stream.codec, record, delay_ms) if speech else None,
        )
        for record in stream.windows
    ]


def _of_record(codec: str, record: Any, delay_ms: float) -> float | None:
    packets, lost, gaps = int(record["packets"]), max(int(record["lost"]), 0), int(record["gaps"])
    expected = packets + lost
    gone = min(lost + int(record["discarded"]), expected)
    return mos(codec, gone / expected if expected else 0.0, burst_ratio(packets, gaps, lost), delay_ms)
