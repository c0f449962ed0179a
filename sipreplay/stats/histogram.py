"""A mergeable log-linear histogram of non-negative integers (microseconds, mostly), and exact SIPp-style bins.

Relative error of a percentile is at most 1/32; count, sum, minimum and maximum are exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

SUB_BITS = 5
SUB = 1 << SUB_BITS
BUCKETS = SUB * (64 - SUB_BITS)


def bucket_of(value: int) -> int:
    """Index of the bucket that holds `value`."""
    if value < SUB:
        return value if value > 0 else 0
    shift = value.bit_length() - SUB_BITS - 1
    return (shift << SUB_BITS) + (value >> shift)


def bucket_top(index: int) -> int:
    """Largest value of that bucket."""
    if index < SUB:
        return index
    shift = (index >> SUB_BITS) - 1
    return (((index & (SUB - 1)) + SUB + 1) << shift) - 1


class Histogram:
    """Counts of integers. Two histograms of different processes merge exactly."""

    __slots__ = ("count", "counts", "maximum", "minimum", "squares", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.squares = 0
        self.minimum = 0
        self.maximum = 0

    def record(self, value: int, times: int = 1) -> None:
        """Count `value` (negative counts as 0)."""
        value = max(value, 0)
        counts = self.counts
        index = bucket_of(value)
        counts[index] = counts.get(index, 0) + times
        if not self.count or value < self.minimum:
            self.minimum = value
        self.maximum = max(self.maximum, value)
        self.count += times
        self.total += value * times
        self.squares += value * value * times

    def record_all(self, values: Iterable[int]) -> None:
        """Count each of `values`."""
        for value in values:
            self.record(value)

    def merge(self, other: Histogram) -> None:
        """Add all that `other` counted."""
        if not other.count:
            return
        for index, times in other.counts.items():
            self.counts[index] = self.counts.get(index, 0) + times
        self.minimum = min(self.minimum, other.minimum) if self.count else other.minimum
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """Exact mean; 0.0 when empty."""
        return self.total / self.count if self.count else 0.0

    @property
    def stdev(self) -> float:
        """Sample standard deviation; 0.0 for fewer than two values."""
        if self.count < 2:
            return 0.0
        variance = (self.squares - self.total * self.total / self.count) / (self.count - 1)
        return float(max(variance, 0.0) ** 0.5)

    def percentile(self, percent: float) -> int:
        """Smallest bucket top that at least `percent` % of the values do not exceed; 0 when empty."""
        if not self.count:
            return 0
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return max(self.minimum, min(bucket_top(index), self.maximum))
        return self.maximum

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON and pipes."""
        return {
            "count": self.count,
            "total": self.total,
            "squares": self.squares,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "counts": [[index, times] for index, times in sorted(self.counts.items())],
        }

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> Histogram:
        """What `to_dict` wrote."""
        self = cls()
        self.counts = {int(i): int(n) for i, n in plain["counts"]}  # type: ignore[attr-defined]
        for name in ("count", "total", "squares", "minimum", "maximum"):
            setattr(self, name, int(plain[name]))  # type: ignore[call-overload]
        return self


class Repartition:
    """SIPp's repartition tables, with bins `<v1`, `<v2`, ..., `>=vN`."""

    __slots__ = ("bounds", "counts")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = sorted(bounds)
        self.counts = [0] * (len(self.bounds) + 1)

    def record(self, value: int) -> None:
        """Count `value` in its bin."""
        self.counts[bisect_right(self.bounds, value)] += 1

    def merge(self, other: Repartition) -> None:
        """Add the counts of another table. Where bounds differ, those that both have stay; their counts are exact."""
        if self.bounds == other.bounds:
            self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
            return
        common = sorted(set(self.bounds) & set(other.bounds))
        counts = [0] * (len(common) + 1)
        for table in (self, other):
            for low, count in zip([-1, *table.bounds], table.counts, strict=True):
                counts[bisect_right(common, low)] += count
        self.bounds, self.counts = common, counts
