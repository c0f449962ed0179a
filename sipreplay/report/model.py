"""What a run hands to the summary, the page, the JSON and the JUnit file: plain numbers, filled by the runner.

Nothing here computes a verdict or reads a clock. Times are in the unit the name says; histograms hold microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sipreplay.media.results import MediaSummary
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Histogram

PASSED = "passed"
FAILED = "failed"
INVALID = "invalid"
INTERRUPTED = "interrupted"


@dataclass(slots=True)
class ScenarioResult:
    """One scenario's share of a run: used where a bundle has more than one pair."""

    name: str
    role: str
    """"uac" or "uas"."""
    statistics: CallStatistics
    expected_calls: int | None = None


@dataclass(slots=True)
class Artefact:
    """A file the run left in the report folder."""

    path: str
    """Relative to the report folder."""
    what: str


@dataclass(slots=True)
class RunSummary:
    """One run. `uac` and `uas` are the totals over processes and scenarios; `uas` is None against an outside target."""

    name: str
    """Bundle or scenario, as the user named it."""
    uac: CallStatistics
    uas: CallStatistics | None = None
    media: MediaSummary | None = None
    """All media processes, merged; None when no scenario has media."""
    calls_expecting_media: int = 0
    """Calls whose capture shows RTP towards them."""
    calls_silent: int = 0
    """Of those, calls that received no packet."""
    media_lateness_limit_ms: float = 0.0
    """Stated limit of the lateness of sending RTP (99th percentile); 0: not judged."""
    scenarios: list[ScenarioResult] = field(default_factory=list)
    """Empty: one pair, told by `uac` and `uas` alone."""
    target: str = ""
    """"host:port", or "" for both sides on loopback."""
    transport: str = "UDP"
    started: float = 0.0
    """Seconds since 1970 UTC."""
    wall_s: float = 0.0
    """From the first call's due time until the last call ended."""
    generating_s: float = 0.0
    """How long calls were being started: the span the achieved rate refers to."""
    wanted_rate_cps: float = 0.0
    achieved_rate_cps: float = 0.0
    users: int | None = None
    """Set when the run kept a number of calls open instead of a rate."""
    wanted_calls: int | None = None
    limit: int | None = None
    """Most calls in progress, None when there was none."""
    lateness_limit_ms: float = 0.0
    """Stated limit of the generator's lateness (99th percentile); 0: not judged."""
    verdict: str = PASSED
    """PASSED, FAILED, INVALID (the generator was the limit) or INTERRUPTED."""
    exit_code: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why, in sentences, most important first; may hold remarks when passed."""
    notes: list[str] = field(default_factory=list)
    """What else the user should know, e.g. "route 4930 to 127.0.0.1:5070"."""
    command: str = ""
    """The command line, as it can be typed again."""
    tool_version: str = ""
    host: str = ""
    """The machine: cores, kernel, Python."""
    artefacts: list[Artefact] = field(default_factory=list)

    def sides(self) -> Iterator[ScenarioResult]:
        """Each scenario's result; with none listed, the totals as one uac and one uas."""
        if self.scenarios:
            yield from self.scenarios
            return
        yield ScenarioResult(self.name, "uac", self.uac, self.wanted_calls)
        if self.uas is not None:
            yield ScenarioResult(self.name, "uas", self.uas)

    @property
    def finished(self) -> int:
        """Calls of the calling side that ended."""
        return self.uac.successful + self.uac.failed

    @property
    def success_ratio(self) -> float:
        """Passed of ended calls of the calling side, 0..1; 0.0 when none ended."""
        return self.uac.successful / self.finished if self.finished else 0.0


def milliseconds(microseconds: float) -> float:
    """Microseconds of a histogram, as milliseconds."""
    return microseconds / 1000.0


PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class TimeRow:
    """A line of the timing table."""

    name: str
    what: str
    histogram: Histogram

    def percentiles_ms(self) -> list[float]:
        """The PERCENTILES, ms."""
        return [milliseconds(self.histogram.percentile(p)) for p in PERCENTILES]


def time_rows(statistics: CallStatistics) -> list[TimeRow]:
    """The times worth showing of one side: those that were measured."""
    rows = [
        TimeRow("ring", "INVITE to first 18x (post-dial delay)", statistics.ring_time),
        TimeRow("setup", "INVITE to 2xx", statistics.setup_time),
    ]
    rows += [
        TimeRow(f"response {name}", f"response time {name} (start_rtd to rtd)", histogram)
        for name, histogram in sorted(statistics.response_times.items())
    ]
    rows.append(TimeRow("call length", "creation to end of a call", statistics.call_length))
    return [row for row in rows if row.histogram.count]
