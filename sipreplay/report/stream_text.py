"""All RTP streams as a plain table, a line each, for looking at and for cutting into columns.

The columns are those of `tshark -q -z rtp,streams` where both have them. Never caps and never colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from sipreplay.analysis.model import Analysis, Stream

HEAD = (
    f"{'start s':>12} {'end s':>12}  {'source':<24} {'destination':<24} {'SSRC':<10} {'codec':<10} {'packets':>8} "
    f"{'lost':>7} {'loss %':>6} {'mean delta':>10} {'max delta':>10} {'mean jitter':>11} {'max jitter':>10} {'MOS':>5} "
    f"{'call':>6}"
)


def stream_text(analysis: Analysis) -> Iterator[str]:
    """The table, line by line. Times count from the first packet; delta and jitter are in milliseconds."""
    begun = min((capture.first for capture in analysis.captures if capture.first is not None), default=0.0)
    yield HEAD
    for stream in analysis.streams:
        yield _line(analysis, stream, begun)


def _line(analysis: Analysis, s: Stream, begun: float) -> str:
    expected = s.packets + s.lost
    loss = 100 * s.lost / expected if expected > 0 else 0.0
    call = "" if s.dialog is None else str(analysis.dialog(s.dialog).call)
    mos = "" if s.mos is None else f"{s.mos:.2f}"
    codec = "".join(letter for letter in s.codec if letter.isprintable())[:10] or "?"
    return (
        f"{s.first - begun:12.6f} {s.last - begun:12.6f}  {s.source!s:<24} {s.destination!s:<24} 0x{s.ssrc:08X} "
        f"{codec:<10} {s.packets:8d} {s.lost:7d} {loss:6.1f} {s.mean_delta_ms:10.3f} {s.max_delta_ms:10.3f} "
        f"{s.mean_jitter_ms:11.3f} {s.max_jitter_ms:10.3f} {mos:>5} {call:>6}"
    )


def write_streams(analysis: Analysis, to: TextIO) -> None:
    """Write the table."""
    to.writelines(f"{line}\n" for line in stream_text(analysis))
