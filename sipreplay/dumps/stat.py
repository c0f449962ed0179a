"""Writes SIPp's statistics file (`-trace_stat`): exact columns and order from cumulative counters.

Each row's periodic values are the difference to the row before. Reading is in `stat_reader`; nothing here looks at a
clock.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from types import TracebackType

from sipreplay.dumps.times import duration, elapsed, timestamp
from sipreplay.scenario.model import Element, Scenario
from sipreplay.stats.calls import FAILURE_REASONS, CallStatistics
from sipreplay.stats.histogram import Histogram, Repartition

_PROCESS_COUNTERS = (
    ("OutOfCallMsgs", "out_of_call"),
    ("DeadCallMsgs", "dead_call"),
    ("Retransmissions", "retransmissions"),
    ("AutoAnswered", "auto_answered"),
    ("Warnings", "warnings"),
    ("FatalErrors", "fatal_errors"),
    ("WatchdogMajor", "watchdog_major"),
    ("WatchdogMinor", "watchdog_minor"),
)


class StatWriter:
    """One statistics file. Rows are flushed as they are written, so that a killed run leaves whole rows."""

    def __init__(
        self,
        path: Path,
        *,
        rtds: Sequence[str] = (),
        counters: Sequence[str] = (),
        response_bins: Sequence[int] = (),
        length_bins: Sequence[int] = (),
        started: float,
        delimiter: str = ";",
        rfc3339: bool = False,
        periodic_rtd: bool = False,
    ) -> None:
        """Open the file and write the header.

        `started`: when the run began, seconds since 1970. `rtds`, `counters`: names in the scenario's order.
        `periodic_rtd`: repartition counts of the period instead of the whole run. Raises OSError.
        """
        self._rtds = list(rtds)
        self._counters = list(counters)
        self._response_bins = sorted(response_bins)
        self._length_bins = sorted(length_bins)
        self._started = self._reset = started
        self._delimiter = delimiter
        self._rfc3339 = rfc3339
        self._periodic_rtd = periodic_rtd
        self._previous = CallStatistics()
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape", buffering=1)
        self._write(columns(self._rtds, self._counters, self._response_bins, self._length_bins))

    def __enter__(self) -> StatWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def row(self, statistics: CallStatistics, wall: float, target_rate: float) -> None:
        """Write the state at `wall`, seconds since 1970. `target_rate`: wanted calls a second, or number of users."""
        previous = self._previous
        period, total = wall - self._reset, wall - self._started
        cells = [timestamp(moment, rfc3339=self._rfc3339) for moment in (self._started, self._reset, wall)]
        cells += [elapsed(period), elapsed(total), f"{target_rate:.3f}"]
        cells += [_rate(statistics.created - previous.created, period), _rate(statistics.created, total)]
        cells += _both(statistics.incoming, previous.incoming) + _both(statistics.outgoing, previous.outgoing)
        cells += [str(statistics.created), str(statistics.current)]
        cells += _both(statistics.successful, previous.successful) + _both(statistics.failed, previous.failed)
        for reason in FAILURE_REASONS:
            cells += _both(statistics.failures.get(reason, 0), previous.failures.get(reason, 0))
        for _, name in _PROCESS_COUNTERS:
            cells += _both(getattr(statistics, name), getattr(previous, name))
        empty = Histogram()
        for rtd in self._rtds:
            cells += _times(statistics.response_times.get(rtd, empty), previous.response_times.get(rtd, empty))
        cells += _times(statistics.call_length, previous.call_length)
        for counter in self._counters:
            cells += _both(statistics.generic_counters.get(counter, 0), previous.generic_counters.get(counter, 0))
        if self._response_bins:
            for rtd in self._rtds:
                cells += self._bins(
                    statistics.response_bins.get(rtd), previous.response_bins.get(rtd), len(self._response_bins)
                )
        if self._length_bins:
            cells += self._bins(statistics.call_length_bins, previous.call_length_bins, len(self._length_bins))
        self._write(cells)
        self._previous = deepcopy(statistics)
        self._reset = wall

    def restart(self) -> None:
        """The counters began again at 0."""
        self._previous = CallStatistics()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        # A row that could not be written was an error then; it is not another one now.
        with contextlib.suppress(OSError):
            self._file.close()

    def _bins(self, now: Repartition | None, before: Repartition | None, bounds: int) -> list[str]:
        counts = now.counts if now is not None else [0] * (bounds + 1)
        if self._periodic_rtd and before is not None:
            counts = [a - b for a, b in zip(counts, before.counts, strict=True)]
        return ["", *map(str, counts)]

    def _write(self, cells: Sequence[str]) -> None:
        self._file.write(self._delimiter.join(cells) + self._delimiter + "\n")


def columns(
    rtds: Sequence[str], counters: Sequence[str], response_bins: Sequence[int], length_bins: Sequence[int]
) -> list[str]:
    """The header's names in SIPp's order."""
    names = [
        "StartTime",
        "LastResetTime",
        "CurrentTime",
        *_periodic("ElapsedTime"),
        "TargetRate",
        *_periodic("CallRate"),
    ]
    names += [*_periodic("IncomingCall"), *_periodic("OutgoingCall"), "TotalCallCreated", "CurrentCall"]
    names += [*_periodic("SuccessfulCall"), *_periodic("FailedCall")]
    for reason in FAILURE_REASONS:
        names += _periodic(f"Failed{reason}")
    for name, _ in _PROCESS_COUNTERS:
        names += _periodic(name)
    for rtd in rtds:
        names += [*_periodic(f"ResponseTime{rtd}"), *_periodic(f"ResponseTime{rtd}StDev")]
    names += [*_periodic("CallLength"), *_periodic("CallLengthStDev")]
    for counter in counters:
        names += _periodic(f"GenericCounter{counter}" if counter.isdigit() else counter)
    if response_bins:
        for rtd in rtds:
            names += _bin_names(f"ResponseTimeRepartition{rtd}", response_bins)
    if length_bins:
        names += _bin_names("CallLengthRepartition", length_bins)
    return names


def scenario_rtds(scenario: Scenario) -> list[str]:
    """Response time names in order of first appearance."""
    names: dict[str, None] = {}
    for element in scenario.elements:
        for name in (element.start_rtd, element.rtd):
            if name:
                names.setdefault(name)
    return list(names)


def scenario_counters(scenario: Scenario) -> list[str]:
    """User counter names in order of first appearance."""
    elements: list[Element] = scenario.elements
    return list(dict.fromkeys(element.counter for element in elements if element.counter))


def stat_writer(
    path: Path,
    scenario: Scenario,
    *,
    started: float,
    delimiter: str = ";",
    rfc3339: bool = False,
    periodic_rtd: bool = False,
) -> StatWriter:
    """A writer with the columns that SIPp would give this scenario."""
    return StatWriter(
        path,
        rtds=scenario_rtds(scenario),
        counters=scenario_counters(scenario),
        response_bins=scenario.response_time_repartition,
        length_bins=scenario.call_length_repartition,
        started=started,
        delimiter=delimiter,
        rfc3339=rfc3339,
        periodic_rtd=periodic_rtd,
    )


def _periodic(name: str) -> list[str]:
    return [f"{name}(P)", f"{name}(C)"]


def _bin_names(name: str, bounds: Sequence[int]) -> list[str]:
    return [name, *(f"{name}_<{bound}" for bound in bounds), f"{name}_>={bounds[-1]}"]


def _both(now: int, before: int) -> list[str]:
    return [str(now - before), str(now)]


def _rate(calls: int, seconds: float) -> str:
    return f"{calls / seconds if seconds > 0 else 0.0:.3f}"


def _times(now: Histogram, before: Histogram) -> list[str]:
    """Mean and standard deviation of the period and of the whole run."""
    count, total, squares = now.count - before.count, now.total - before.total, now.squares - before.squares
    mean = total / count if count else 0.0
    variance = (squares - total * total / count) / (count - 1) if count > 1 else 0.0
    return [
        duration(mean),
        duration(now.mean),
        duration(math.sqrt(max(variance, 0.0))),
        duration(now.stdev),
    ]
