"""What an engine counts while it runs: plain lists, turned into CallStatistics for a snapshot.

Durations are kept as they come and put into histograms in batches: a sample costs an append.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipreplay.engine.steps import Program
from sipreplay.stats.calls import CallStatistics, FailureExample, StepCounters
from sipreplay.stats.histogram import SUB, SUB_BITS, Histogram, Repartition

if TYPE_CHECKING:
    import numpy as np

BATCH = 4096
MAXIMUM_EXAMPLES = 200


class Samples:
    """Durations in microseconds on their way into a histogram and, if a scenario asks for it, bins of milliseconds."""

    __slots__ = ("bins", "histogram", "pending")

    def __init__(self, histogram: Histogram, bins: Repartition | None = None) -> None:
        self.histogram = histogram
        self.bins = bins
        self.pending: list[int] = []

    def add(self, microseconds: int) -> None:
        """Count one duration."""
        pending = self.pending
        pending.append(microseconds)
        if len(pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Put what is pending into the histogram."""
        if not self.pending:
            return
        # Not at the top: an engine listens before it counts, and numpy takes longer to load than all else together.
        import numpy as np

        record_many(self.histogram, np.array(self.pending, dtype=np.int64))
        if self.bins is not None:
            milliseconds = np.array(self.pending, dtype=np.int64) // 1000
            places = np.searchsorted(np.array(self.bins.bounds), milliseconds, side="right")
            for place, count in zip(*np.unique(places, return_counts=True), strict=True):
                self.bins.counts[int(place)] += int(count)
        self.pending.clear()


def record_many(histogram: Histogram, values: np.ndarray) -> None:
    """The same as `histogram.record` of each value, at once."""
    import numpy as np

    values = np.maximum(values, 0)
    # A float64 has the exact exponent of any integer below 2**53, and durations stay below that.
    length = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(length - SUB_BITS - 1, 0)
    buckets = np.where(values < SUB, values, (shift << SUB_BITS) + (values >> shift))
    for bucket, count in zip(*np.unique(buckets, return_counts=True), strict=True):
        index = int(bucket)
        histogram.counts[index] = histogram.counts.get(index, 0) + int(count)
    low, high = int(values.min()), int(values.max())
    histogram.minimum = min(histogram.minimum, low) if histogram.count else low
    histogram.maximum = max(histogram.maximum, high)
    histogram.count += len(values)
    histogram.total += int(values.sum())
    histogram.squares += int(sum(value * value for value in values.tolist()))


def warm_up() -> None:
    """Load what the first full batch needs, so that it does not hold up calls."""
    import numpy as np

    np.unique(np.zeros(1))


class Counters:
    """All counters of one engine. The engine increments the lists and integers directly."""

    __slots__ = (
        "call_length",
        "generic",
        "loop_lateness",
        "lost",
        "messages",
        "names",
        "response_times",
        "retransmissions",
        "ring_time",
        "setup_time",
        "start_lateness",
        "statistics",
        "timeouts",
        "unexpected",
    )

    def __init__(self, program: Program) -> None:
        count = len(program.steps)
        self.messages = [0] * count
        self.retransmissions = [0] * count
        self.timeouts = [0] * count
        self.unexpected = [0] * count
        self.lost = [0] * count
        self.generic = [0] * len(program.counters)
        self.names = program.counters
        statistics = self.statistics = CallStatistics()
        self.response_times: list[Samples] = []
        for name in program.rtds:
            histogram = statistics.response_times[name] = Histogram()
            bins = None
            if program.rtd_bins:
                bins = statistics.response_bins[name] = Repartition(program.rtd_bins[name])
            self.response_times.append(Samples(histogram, bins))
        if program.length_bins:
            statistics.call_length_bins = Repartition(program.length_bins)
        self.call_length = Samples(statistics.call_length, statistics.call_length_bins)
        self.start_lateness = Samples(statistics.start_lateness)
        self.loop_lateness = Samples(statistics.loop_lateness)
        self.setup_time = Samples(statistics.setup_time)
        self.ring_time = Samples(statistics.ring_time)

    def failure(self, reason: str, example: FailureExample) -> None:
        """Count a failed call, and keep the first example of each kind."""
        statistics = self.statistics
        statistics.fail(reason)
        key = f"{example.cause}|{example.step}|{example.got}"
        known = statistics.examples.get(key)
        if known is not None:
            known.count += 1
        elif len(statistics.examples) < MAXIMUM_EXAMPLES:
            example.count = 1
            statistics.examples[key] = example

    def snapshot(self) -> CallStatistics:
        """The cumulative statistics so far.

        The object is the engine's own: copy or serialise it before the run goes on.
        """
        statistics = self.statistics
        samples = [self.call_length, self.start_lateness, self.loop_lateness, self.setup_time, self.ring_time]
        for sample in (*samples, *self.response_times):
            sample.flush()
        rows = zip(self.messages, self.retransmissions, self.timeouts, self.unexpected, self.lost, strict=True)
        statistics.steps = [StepCounters(*row) for row in rows]
        statistics.generic_counters = dict(zip(self.names, self.generic, strict=True))
        return statistics
