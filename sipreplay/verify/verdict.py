"""The verdict of a run: passed, failed, or invalid because the generator was the limit.

Compares numbers only; nothing here measures, sends or prints. A run is invalid before it is failed: when the generator
could not keep its own schedule, what the system under test did with late traffic proves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sipreplay.errors import ExitCode
from sipreplay.media.results import MediaSummary, QualityLimits
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Histogram
from sipreplay.stats.legs import NOT_LINKED, REMEDIES, LegTotals

FEW_CALLS = 20
"""Below this many starts a 99th percentile is the worst call, and one hiccup of the machine would decide."""
FEW_PACKETS = 1000
"""The same for RTP packets: a hiccup holds up all that are due in it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the generator must hold for its numbers to be worth anything."""

    lateness_ms: float = 50.0
    """Calls started after their due time, 99th percentile."""
    media_lateness_ms: float = 10.0
    """RTP packets sent after their due time, 99th percentile: half a packet interval of common audio."""
    rate_ratio: float = 0.95
    """Least share of the wanted rate."""
    quality: QualityLimits = field(default_factory=QualityLimits)
    """What each received stream must hold."""
    require_media: str = ""
    """What each good call with media must have done with RTP: "sent", "received", "both", or "" for nothing."""


@dataclass(slots=True)
class Observed:
    """What a run did."""

    uac: CallStatistics
    """The calling side, all scenarios."""
    uas: CallStatistics | None = None
    wanted_rate_cps: float = 0.0
    """0: not judged (users mode, or a server)."""
    achieved_rate_cps: float = 0.0
    """Starts that were due and kept (or counted as not started) a second."""
    media_lateness: Histogram | None = None
    media: MediaSummary | None = None
    media_calls: int = 0
    """Good calls whose scenario uses media."""
    calls_silent: int = 0
    """Calls that should have received RTP and got none."""
    interrupted: bool = False
    legs: LegTotals | None = None
    """Of a run with both sides of a system under test."""
    broken: list[str] = field(default_factory=list)
    """Processes that ended before their time, in words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name` is passed, failed, invalid or interrupted; reasons, most important first."""

    name: str
    exit_code: ExitCode
    reasons: tuple[str, ...]


def generator_faults(observed: Observed, limits: Limits) -> list[str]:
    """Why the generator, not its peer, was the limit; empty when it held."""
    faults = [f"the generator broke: {what}" for what in observed.broken]
    late = observed.uac.start_lateness
    if late.count >= FEW_CALLS:
        p99_ms = late.percentile(99) / 1000
        if p99_ms > limits.lateness_ms:
            faults.append(
                f"calls started late: 99 % within {p99_ms:.1f} ms of their due time, limit {limits.lateness_ms:g} ms"
                " (--max-lateness)"
            )
        wanted = observed.wanted_rate_cps
        if wanted and observed.achieved_rate_cps < wanted * limits.rate_ratio:
            faults.append(f"the rate was not held: {observed.achieved_rate_cps:.1f} of {wanted:g} calls/s")
    media = observed.media_lateness
    if media is not None and media.count >= FEW_PACKETS:
        p99_ms = media.percentile(99) / 1000
        if p99_ms > limits.media_lateness_ms:
            faults.append(
                f"RTP was sent late: 99 % within {p99_ms:.1f} ms of its due time, limit {limits.media_lateness_ms:g} ms"
                f" (--max-media-lateness){_held(observed.media)}"
            )
    return faults


def failures(observed: Observed, limits: Limits) -> list[str]:
    """What the run showed to be wrong; empty when nothing."""
    found = []
    uac, uas = observed.uac, observed.uas
    if uac.failed:
        causes = ", ".join(f"{reason} {count}" for reason, count in sorted(uac.failures.items(), key=lambda kv: -kv[1]))
        found.append(f"{uac.failed} of {uac.created} calls failed" + (f" ({causes})" if causes else ""))
    if not uac.created and not observed.interrupted:
        found.append("no call was made")
    if uac.current:
        found.append(f"{uac.current} calls had not ended when the run did")
    if uas is not None and uas.failed:
        causes = ", ".join(f"{reason} {count}" for reason, count in sorted(uas.failures.items(), key=lambda kv: -kv[1]))
        found.append(f"{uas.failed} calls failed on the answering side" + (f" ({causes})" if causes else ""))
    if observed.legs is not None:
        found += [
            f"{cause} in {count} of {observed.legs.calls} calls" + (f"; {REMEDIES[cause]}" if cause in REMEDIES else "")
            for cause, count in sorted(observed.legs.causes.items())
        ]
        if observed.legs.unlinked and NOT_LINKED not in observed.legs.causes:
            found.append(
                f"{observed.legs.unlinked} calls arrived at the answering side and belong to no call of this run"
            )
    if observed.calls_silent:
        found.append(f"{observed.calls_silent} calls received no RTP although the capture shows some")
    if observed.media is not None:
        found += _media_failures(observed, observed.media, limits)
    return found


def _held(media: MediaSummary | None) -> str:
    """How many streams would have been kept in time."""
    if media is None or not media.streams_held:
        return ""
    held, peak = media.streams_held, media.peak_streams
    if held < peak:
        return f"; this machine would hold about {held} such streams, and {peak} were sent at a time"
    return f"; the CPU would do for {held} such streams ({peak} were sent at a time), but other work held it up"


def _media_failures(observed: Observed, media: MediaSummary, limits: Limits) -> list[str]:
    """What is below the thresholds. Where a threshold could not be measured, that fails as well."""
    found = []
    quality, ports = limits.quality, media.loss_ppm.count
    if quality.min_mos:
        if media.below_mos:
            lowest = media.mos_milli.minimum / 1000
            found.append(
                f"{media.below_mos} of {ports} received streams have a MOS below {quality.min_mos:g} (--min-mos);"
                f" the lowest is {lowest:.2f}"
            )
        unscored = ports - media.mos_milli.count
        if unscored or not ports:
            found.append(
                f"{unscored} of {ports} received streams have no MOS: their codec has no published figures (--min-mos)"
            )
    if quality.max_loss < 1:
        if media.above_loss:
            found.append(
                f"{media.above_loss} of {ports} received streams lost more than {quality.max_loss:.2%} (--max-loss);"
                f" the worst lost {media.loss_ppm.maximum / 10_000:.2f}%"
            )
        elif not ports:
            found.append("no stream was received, so that no loss was measured (--max-loss)")
    if quality.max_jitter_ms < math.inf:
        if media.above_jitter:
            found.append(
                f"{media.above_jitter} of {ports} received streams had more than {quality.max_jitter_ms:g} ms of jitter"
                f" (--max-jitter); the worst had {media.jitter_us.maximum / 1000:.1f} ms"
            )
        unmeasured = ports - media.jitter_us.count
        if unmeasured or not ports:
            found.append(
                f"{unmeasured} of {ports} received streams have no jitter: their clock is not known (--max-jitter)"
            )
    if limits.require_media:
        did = {"sent": media.calls_sending, "received": media.calls_receiving, "both": media.calls_both_ways}
        missing = observed.media_calls - did[limits.require_media]
        words = {"sent": "sent no RTP", "received": "received no RTP", "both": "had no RTP both ways"}
        if missing > 0:
            found.append(
                f"{missing} of {observed.media_calls} good calls {words[limits.require_media]} (--require-media)"
            )
        elif not observed.media_calls:
            found.append("no good call uses media (--require-media)")
    return found


def judge(observed: Observed, limits: Limits) -> Verdict:
    """The verdict of a run."""
    wrong = failures(observed, limits)
    if observed.interrupted:
        return Verdict("interrupted", ExitCode.INTERRUPTED, ("stopped by the user", *wrong))
    faults = generator_faults(observed, limits)
    if faults:
        return Verdict("invalid", ExitCode.INVALID_RUN, (*faults, *wrong))
    if wrong:
        return Verdict("failed", ExitCode.FAILED, tuple(wrong))
    return Verdict("passed", ExitCode.PASSED, ())
