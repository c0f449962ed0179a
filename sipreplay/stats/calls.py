"""What one scenario counted: SIPp's counters, histograms, failures by cause. Mergeable over processes.

Cumulative only: periods are differences of two snapshots, which is what makes a lost snapshot harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sipreplay.stats.histogram import Histogram, Repartition

FAILURE_REASONS = (
    "CannotSendMessage",
    "MaxUDPRetrans",
    "TcpConnect",
    "TcpClosed",
    "UnexpectedMessage",
    "CallRejected",
    "CmdNotSent",
    "RegexpDoesntMatch",
    "RegexpShouldntMatch",
    "RegexpHdrNotFound",
    "OutboundCongestion",
    "TimeoutOnRecv",
    "TimeoutOnSend",
    "TestDoesntMatch",
    "TestShouldntMatch",
    "StrcmpDoesntMatch",
    "StrcmpShouldntMatch",
)
"""SIPp's Failed... columns, in its order, without the prefix."""


@dataclass(slots=True)
class FailureExample:
    """The first call that failed in one way: where, and what was expected and seen."""

    cause: str
    step: int
    expected: str
    got: str
    call_id: str
    count: int = 0
    note: str = ""
    """The step's comment in the scenario (the captured packet)."""


@dataclass(slots=True)
class StepCounters:
    """One row of SIPp's scenario screen."""

    messages: int = 0
    retransmissions: int = 0
    timeouts: int = 0
    unexpected: int = 0
    lost: int = 0


@dataclass(slots=True)
class CallStatistics:
    """Cumulative counters of one scenario in one process."""

    incoming: int = 0
    outgoing: int = 0
    current: int = 0
    peak: int = 0
    successful: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Reason (one of FAILURE_REASONS) to count."""
    examples: dict[str, FailureExample] = field(default_factory=dict)
    """Key: cause + step + got."""
    not_started: int = 0
    """Calls that were due while the limit of calls in progress was reached."""
    out_of_call: int = 0
    dead_call: int = 0
    retransmissions: int = 0
    auto_answered: int = 0
    warnings: int = 0
    fatal_errors: int = 0
    watchdog_major: int = 0
    watchdog_minor: int = 0
    steps: list[StepCounters] = field(default_factory=list)
    response_times: dict[str, Histogram] = field(default_factory=dict)
    """RTD name to microseconds."""
    response_bins: dict[str, Repartition] = field(default_factory=dict)
    call_length: Histogram = field(default_factory=Histogram)
    """Microseconds."""
    call_length_bins: Repartition | None = None
    generating_s: float = 0.0
    """From the engine's start to the last call that was started or was due at the limit (merged: the longest)."""
    start_lateness: Histogram = field(default_factory=Histogram)
    """Microseconds between the time a call was due and the time it started."""
    loop_lateness: Histogram = field(default_factory=Histogram)
    """Microseconds by which timers ran late."""
    setup_time: Histogram = field(default_factory=Histogram)
    """INVITE sent to its 2xx received, microseconds (client side)."""
    ring_time: Histogram = field(default_factory=Histogram)
    """INVITE sent to its first 18x received (post-dial delay), microseconds."""
    generic_counters: dict[str, int] = field(default_factory=dict)
    receive_buffer: int = 0
    """SO_RCVBUF granted, bytes (least of the merged processes)."""
    send_buffer: int = 0
    datagrams_dropped: int = 0
    """SO_RXQ_OVFL: dropped by the kernel because the socket was full."""
    busy_seconds: float = 0.0
    """CPU time of the process."""

    @property
    def created(self) -> int:
        """All calls, incoming and outgoing."""
        return self.incoming + self.outgoing

    def fail(self, reason: str) -> None:
        """Count a failed call; "" for a failure without a column."""
        self.failed += 1
        if reason:
            self.failures[reason] = self.failures.get(reason, 0) + 1

    def merge(self, other: CallStatistics) -> None:
        """Add what another process counted for the same scenario."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.generating_s = max(self.generating_s, other.generating_s)
        for name in ("receive_buffer", "send_buffer"):
            sizes = [size for size in (getattr(self, name), getattr(other, name)) if size]
            setattr(self, name, min(sizes, default=0))
        for mine, theirs in ((self.failures, other.failures), (self.generic_counters, other.generic_counters)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        for key, example in other.examples.items():
            if key in self.examples:
                self.examples[key].count += example.count
            else:
                self.examples[key] = FailureExample(*(getattr(example, n) for n in FailureExample.__slots__))
        while len(self.steps) < len(other.steps):
            self.steps.append(StepCounters())
        for step, more in zip(self.steps, other.steps, strict=False):
            for name in StepCounters.__slots__:
                setattr(step, name, getattr(step, name) + getattr(more, name))
        for name, histogram in other.response_times.items():
            self.response_times.setdefault(name, Histogram()).merge(histogram)
        for name, bins in other.response_bins.items():
            self.response_bins.setdefault(name, Repartition(bins.bounds)).merge(bins)
        if other.call_length_bins is not None:
            if self.call_length_bins is None:
                self.call_length_bins = Repartition(other.call_length_bins.bounds)
            self.call_length_bins.merge(other.call_length_bins)
        for name in ("call_length", "start_lateness", "loop_lateness", "setup_time", "ring_time"):
            getattr(self, name).merge(getattr(other, name))


_SUMS = (
    "incoming",
    "outgoing",
    "current",
    "peak",
    "successful",
    "failed",
    "not_started",
    "out_of_call",
    "dead_call",
    "retransmissions",
    "auto_answered",
    "warnings",
    "fatal_errors",
    "watchdog_major",
    "watchdog_minor",
    "datagrams_dropped",
    "busy_seconds",
)


def merged(parts: list[CallStatistics]) -> CallStatistics:
    """One total of several processes."""
    total = CallStatistics()
    for part in parts:
        total.merge(part)
    return total


def plain(statistics: CallStatistics) -> dict[str, Any]:
    """The counters as plain values, for JSON."""
    out: dict[str, Any] = {name: getattr(statistics, name) for name in _SUMS}
    out["failures"] = dict(statistics.failures)
    out["examples"] = [
        {name: getattr(example, name) for name in FailureExample.__slots__} for example in statistics.examples.values()
    ]
    for name in ("call_length", "start_lateness", "loop_lateness", "setup_time", "ring_time"):
        out[name] = getattr(statistics, name).to_dict()
    out["response_times"] = {name: h.to_dict() for name, h in statistics.response_times.items()}
    out["generating_s"] = statistics.generating_s
    out["receive_buffer"] = statistics.receive_buffer
    out["send_buffer"] = statistics.send_buffer
    return out
