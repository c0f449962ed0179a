"""SIPp's counts of single messages (`-trace_counts`) and of unexpected response codes (`-trace_error_codes`).

Columns and order are SIPp's. nop, sendCmd and recvCmd stand there as `N_Pause_...`, because SIPp writes them so and
scripts count columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sipreplay.dumps.times import duration, timestamp
from sipreplay.scenario.keywords import compile_text, sent_kind
from sipreplay.scenario.model import Element, Pause, Recv, Scenario, Send
from sipreplay.stats.calls import CallStatistics, StepCounters


def whole_ms(seconds: float) -> str:
    """`HH:MM:SS:uuuuuu` with whole milliseconds, as SIPp's clock ticks."""
    return duration(int(max(seconds, 0.0) * 1000.0) * 1000)


class CountsWriter:
    """One row of counters at a time. Rows are flushed as they are written."""

    def __init__(
        self,
        path: Path,
        scenario: Scenario,
        *,
        started: float,
        keys: Mapping[str, str],
        delimiter: str = ";",
        losses: bool = False,
        rfc3339: bool = False,
    ) -> None:
        """Open the file and write the header. `losses`: whether messages are lost on purpose. Raises OSError."""
        self._started = started
        self._delimiter = delimiter
        self._rfc3339 = rfc3339
        self._columns = [
            (index, name, take)
            for index, element in enumerate(scenario.elements)
            if not element.hide
            for name, take in _columns(element, keys, losses=losses)
        ]
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape", buffering=1)
        self._write(["CurrentTime", "ElapsedTime", *(f"{index}_{name}" for index, name, _ in self._columns)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def row(self, statistics: CallStatistics, wall: float) -> None:
        """The counters at `wall`, seconds since 1970."""
        none, steps = StepCounters(), statistics.steps
        cells = [timestamp(wall, rfc3339=self._rfc3339), whole_ms(wall - self._started)]
        cells += [str(take(steps[index] if index < len(steps) else none)) for index, _, take in self._columns]
        self._write(cells)

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        # A row that could not be written was an error then; it is not another one now.
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, cells: Sequence[str]) -> None:
        self._file.write(self._delimiter.join(cells) + self._delimiter + "\n")


def _columns(
    element: Element, keys: Mapping[str, str], *, losses: bool
) -> list[tuple[str, Callable[[StepCounters], int]]]:
    """Names (without the index) and counters of one element."""
    if isinstance(element, Send):
        method, code = sent_kind(compile_text(element.text, message=True, keys=keys))
        name = method or str(code)
        out: list[tuple[str, Callable[[StepCounters], int]]] = [
            (f"{name}_Sent", lambda step: step.messages),
            (f"{name}_Retrans", lambda step: step.retransmissions),
        ]
        if element.retrans_ms:
            out.append((f"{name}_Timeout", lambda step: step.timeouts))
    elif isinstance(element, Recv):
        name = element.response or element.request
        out = [
            (f"{name}_Recv", lambda step: step.messages),
            (f"{name}_Retrans", lambda step: step.retransmissions),
            (f"{name}_Timeout", lambda step: step.timeouts),
            (f"{name}_Unexp", lambda step: step.unexpected),
        ]
    else:
        # Of all that stands there as a pause, SIPp counts sessions of pauses only.
        counted = isinstance(element, Pause)
        sessions: Callable[[StepCounters], int] = (lambda step: step.messages) if counted else (lambda step: 0)
        return [("Pause_Sessions", sessions), ("Pause_Unexp", lambda step: step.unexpected)]
    if losses:
        out.append((f"{name}_Lost", lambda step: step.lost))
    return out


class ErrorCodesWriter:
    """A row of the response codes that were not expected since the row before, newest first."""

    def __init__(self, path: Path, *, started: float, delimiter: str = ";", rfc3339: bool = False) -> None:
        """Open the file; it has no header. Raises OSError."""
        self._started = started
        self._delimiter = delimiter
        self._rfc3339 = rfc3339
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def row(self, codes: Sequence[int], wall: float) -> None:
        """`codes` in the order in which they came."""
        cells = [timestamp(wall, rfc3339=self._rfc3339), whole_ms(wall - self._started)]
        line = "".join(cell + self._delimiter for cell in cells) + "".join(f"{code}," for code in reversed(codes))
        self._file.write(line + "\n")

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        # A row that could not be written was an error then; it is not another one now.
        with contextlib.suppress(OSError):
            self._file.close()
