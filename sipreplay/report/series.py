"""What the charts draw: response time samples and rows of statistics as numpy columns, whoever wrote the dump.

Made of what `dumps/` read; draws nothing. Times in seconds since the start of the run, response times in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sipreplay.dumps.rtt import RttDump
from sipreplay.dumps.stat_reader import StatDump
from sipreplay.stats.histogram import Histogram, bucket_top

Column = NDArray[np.float64]
LARGEST = 1e12


@dataclass(frozen=True, slots=True)
class Samples:
    """Single response times, as -trace_rtt holds them."""

    label: str
    seconds: Column
    milliseconds: Column
    whole_ms: bool = False
    """SIPp 3.6.1 measures whole milliseconds; a chart must not pretend more."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A cumulative distribution: share of values that are at most `milliseconds[i]`."""

    label: str
    milliseconds: Column
    share: Column
    count: int

    def percentile(self, percent: float) -> float:
        """Milliseconds that `percent` % of the values do not exceed; nan when empty."""
        if not self.count:
            return float("nan")
        index = int(np.searchsorted(self.share, percent / 100.0 - 1e-12))
        return float(self.milliseconds[min(index, len(self.milliseconds) - 1)])


@dataclass(frozen=True, slots=True)
class Bins:
    """A repartition table: counts in "<10", ..., ">=200"."""

    name: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The rows of a -trace_stat dump. `columns` are SIPp's, times in ms, one value a row."""

    label: str
    seconds: Column
    """Since the start of the test, at each row."""
    columns: Mapping[str, Column]
    bins: Sequence[Bins] = field(default_factory=list)
    started: float = 0.0
    """Seconds since 1970; 0.0 unknown."""

    def column(self, name: str) -> Column:
        """A column; zeros when the dump has none of that name."""
        found = self.columns.get(name)
        return np.zeros(len(self.seconds)) if found is None else found

    def last(self, name: str) -> int:
        """The last value of a cumulative column, 0 in a dump without rows."""
        values = self.column(name)
        return int(values[-1]) if len(values) else 0

    def periods(self) -> NDArray[np.bool_]:
        """Which rows end a period worth a rate: SIPp's first row and its last have next to none."""
        if not len(self.seconds):
            return np.zeros(0, dtype=bool)
        lengths = np.diff(self.seconds, prepend=0.0)
        longest = float(lengths.max())
        wanted: NDArray[np.bool_] = lengths > max(0.02 * longest, 0.02)
        return wanted

    def response_names(self) -> list[str]:
        """The response times that were measured at least once, in the dump's order."""
        names = []
        for name in self.columns:
            if name.startswith("ResponseTime") and name.endswith("(C)") and not name.endswith("StDev(C)"):
                rtd = name.removeprefix("ResponseTime").removesuffix("(C)")
                if self.column(name).any():
                    names.append(rtd)
        return names


def samples_of(dump: RttDump, label: str) -> list[Samples]:
    """The samples of a response time dump, one series an RTD name."""
    seconds, milliseconds = _drawable(dump.seconds), _drawable(dump.milliseconds)
    names = list(dict.fromkeys(dump.names))
    if len(names) <= 1:
        return [Samples(label, seconds, milliseconds, dump.whole_ms)]
    kinds = np.array(dump.names)
    return [
        Samples(f"{label} {name}", seconds[kinds == name], milliseconds[kinds == name], dump.whole_ms) for name in names
    ]


def statistics_of(dump: StatDump, label: str) -> Statistics:
    """The rows of a statistics dump."""
    bins = [
        Bins(name, tuple(bound for bound, _ in cells), tuple(int(_drawable(values[-1:]).sum()) for _, values in cells))
        for name, cells in dump.bins.items()
    ]
    columns = {name: _drawable(values) for name, values in dump.columns.items()}
    return Statistics(label, _drawable(dump.seconds), columns, bins, dump.started)


def _drawable(values: Sequence[float]) -> Column:
    """Finite and not below 0: a damaged dump may hold "nan", "inf" or 1e300, which no axis can show."""
    return np.clip(np.nan_to_num(np.array(values, dtype=np.float64), nan=0.0), 0.0, LARGEST)


def distribution_of(samples: Samples) -> Distribution:
    """The exact distribution of samples."""
    values = np.sort(samples.milliseconds)
    count = len(values)
    share = np.arange(1, count + 1, dtype=np.float64) / max(count, 1)
    return Distribution(samples.label, values, share, count)


def distribution_of_histogram(label: str, histogram: Histogram) -> Distribution:
    """The distribution of a histogram of microseconds, exact to a bucket (1/32)."""
    indices = sorted(histogram.counts)
    tops = np.array([bucket_top(index) for index in indices], dtype=np.float64)
    counts = np.array([histogram.counts[index] for index in indices], dtype=np.float64)
    if histogram.count:
        tops = np.clip(tops, histogram.minimum, histogram.maximum)
    return Distribution(label, tops / 1000.0, np.cumsum(counts) / max(histogram.count, 1), histogram.count)


def percentiles_over_time(
    samples: Samples, percents: Sequence[float], most: int = 60, least_samples: int = 20
) -> tuple[Column, list[Column]]:
    """Middle of each time slice, and its percentiles.

    Slices hold `least_samples` or more on average; empty ones are left out.
    """
    count = len(samples.seconds)
    if count < 2 * least_samples:
        return np.zeros(0), [np.zeros(0) for _ in percents]
    slices = int(min(max(count // least_samples, 2), most))
    begin, end = float(samples.seconds.min()), float(samples.seconds.max())
    if end <= begin:
        return np.zeros(0), [np.zeros(0) for _ in percents]
    width = (end - begin) / slices
    index = np.minimum(((samples.seconds - begin) / width).astype(np.int64), slices - 1)
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(slices + 1))
    values = samples.milliseconds[order]
    middles, rows = [], []
    for place in range(slices):
        part = values[bounds[place] : bounds[place + 1]]
        if len(part):
            middles.append(begin + (place + 0.5) * width)
            rows.append(np.percentile(part, percents))
    table = np.array(rows)
    return np.array(middles), [table[:, column] for column in range(len(percents))]
