"""The live view of a run: one line that changes on a terminal, one plain line every few seconds in a pipe.

It is handed snapshots and the time; it never reads a clock and never asks the engine for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TextIO

from sipreplay.report.words import count, duration_s, rate

PLAIN_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """Where a run stands. Counts are cumulative and of the calling side."""

    elapsed_s: float
    created: int
    current: int
    successful: int
    failed: int
    not_started: int = 0
    retransmissions: int = 0
    wanted_calls: int | None = None
    wanted_s: float | None = None
    """Length of the run, when that is what bounds it."""
    wanted_rate_cps: float = 0.0
    rtp_sent: int = 0
    rtp_received: int = 0
    rtp_lost: int = 0
    lateness_ms: float = 0.0
    """99th percentile of the generator's lateness so far."""
    stopping: bool = False
    """No new calls are made; open ones end."""

    @property
    def done(self) -> float | None:
        """Share of the run that is over, 0..1; None when nothing bounds it."""
        if self.wanted_calls:
            return min((self.successful + self.failed) / self.wanted_calls, 1.0)
        if self.wanted_s:
            return min(self.elapsed_s / self.wanted_s, 1.0)
        return None


def live_line(numbers: LiveNumbers, recent_rate_cps: float) -> str:
    """One line of a run's state. `recent_rate_cps`: calls started a second, over the last period."""
    total = f"/{count(numbers.wanted_calls)}" if numbers.wanted_calls else ""
    parts = [
        f"{duration_s(numbers.elapsed_s)}",
        f"calls {count(numbers.created)}{total}",
        f"{rate(recent_rate_cps)}/s",
        f"open {count(numbers.current)}",
        f"passed {count(numbers.successful)}",
        f"failed {count(numbers.failed)}",
    ]
    if numbers.not_started:
        parts.append(f"not started {count(numbers.not_started)}")
    if numbers.retransmissions:
        parts.append(f"retransmissions {count(numbers.retransmissions)}")
    if numbers.rtp_sent or numbers.rtp_received:
        lost = f", lost {count(numbers.rtp_lost)}" if numbers.rtp_lost else ""
        parts.append(f"RTP out {count(numbers.rtp_sent)} in {count(numbers.rtp_received)}{lost}")
    if numbers.lateness_ms >= 1:
        parts.append(f"late {numbers.lateness_ms:.1f} ms")
    if numbers.stopping:
        parts.append("ending open calls")
    return " · ".join(parts)


class LiveView:
    """Shows a run while it runs. Use as a context manager and call `update` about four times a second.

    On a terminal rich redraws a bar and a line; otherwise a plain line is written at most every `PLAIN_EVERY_S`.
    """

    def __init__(self, stream: TextIO, *, terminal: bool | None = None) -> None:
        self._stream = stream
        self._terminal = stream.isatty() if terminal is None else terminal
        self._live: Any = None
        self._previous: LiveNumbers | None = None
        self._printed_s = 0.0
        self._rate_cps = 0.0

    def __enter__(self) -> Self:
        if self._terminal:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(file=self._stream, force_terminal=True), auto_refresh=False, transient=True
            )
            self._live.start()
        return self

    def update(self, numbers: LiveNumbers) -> None:
        """Show the newest numbers; cheap when there is nothing to show yet."""
        previous = self._previous
        if numbers.elapsed_s <= 1.0 or previous is None:
            self._rate_cps = numbers.created / numbers.elapsed_s if numbers.elapsed_s > 0.2 else 0.0
            self._previous = numbers
        elif numbers.elapsed_s - previous.elapsed_s >= 1.0:
            self._rate_cps = (numbers.created - previous.created) / (numbers.elapsed_s - previous.elapsed_s)
            self._previous = numbers
        if self._live is not None:
            self._live.update(self._picture(numbers), refresh=True)
        elif numbers.elapsed_s - self._printed_s >= PLAIN_EVERY_S:
            self._printed_s = numbers.elapsed_s
            self._stream.write(live_line(numbers, self._rate_cps) + "\n")
            self._stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self, numbers: LiveNumbers) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Text(live_line(numbers, self._rate_cps))
        line.highlight_regex(r"failed [1-9][\d,]*|lost [1-9][\d,]*", "bold red")
        line.highlight_regex(r"not started [\d,]+|late [\d.]+ ms|retransmissions [\d,]+", "yellow")
        line.highlight_regex(r"passed [1-9][\d,]*", "green")
        done = numbers.done
        if done is None:
            return line
        grid = Table.grid()
        grid.add_row(ProgressBar(total=1.0, completed=done, width=60))
        grid.add_row(line)
        return grid
