"""What a run amounts to: totals over its processes, compared with what was wanted, and the verdict."""

from __future__ import annotations

import os
import platform

from sipreplay import __version__
from sipreplay.media.results import MediaSummary, QualityLimits
from sipreplay.report.model import RunSummary, ScenarioResult
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import Plan, printed
from sipreplay.runner.session import Outcome
from sipreplay.stats.calls import merged
from sipreplay.stats.legs import LegTotals
from sipreplay.verify.verdict import Observed, Verdict, judge


def summarise(plan: Plan, options: RunOptions, outcome: Outcome) -> RunSummary:
    """All that is known of a run, with its verdict."""
    everyone = outcome.callers or outcome.callees
    last = {id(side) for pair in plan.stages[-1] for side in pair.sides}
    callers = [p for p in everyone if id(p.side) in last]
    every_call = merged([p.statistics for p in everyone])
    # What comes first (a registration) is told in the table of scenarios; the run's numbers are those of its calls.
    calls = merged([p.statistics for p in callers])
    uac = every_call if every_call.failed else calls
    answering = [p for p in outcome.callees if id(p.side) in last or every_call.failed]
    uas = merged([p.statistics for p in answering]) if outcome.callers and answering else None
    rate = sum(p.side.config.rate_cps for p in callers if p.side.role == "uac" and not p.side.config.users)
    due = calls.created + calls.not_started
    achieved, kept = (n / calls.generating_s if calls.generating_s else 0.0 for n in (calls.created, due))
    if outcome.media is not None and plan.target is None:
        outcome.media.settle_with_captured()
    expecting = sum(p.statistics.successful for p in outcome.callers + outcome.callees if p.side.expects_media)
    silent = max(0, expecting - outcome.media.calls_receiving) if outcome.media and plan.target is None else 0
    limits = options.limits
    judged = limits.require_media or limits.quality != QualityLimits()
    observed = Observed(
        uac=every_call,
        uas=merged([p.statistics for p in outcome.callees]) if outcome.callers and outcome.callees else None,
        wanted_rate_cps=rate,
        achieved_rate_cps=kept,
        media_lateness=outcome.media.lateness_us if outcome.media else None,
        media=outcome.media or (MediaSummary() if judged else None),
        media_calls=sum(p.statistics.successful for p in outcome.callers + outcome.callees if p.side.uses_media),
        calls_silent=silent,
        interrupted=outcome.interrupted,
        legs=outcome.legs,
        broken=outcome.broken,
    )
    verdict: Verdict = judge(observed, options.limits)
    return RunSummary(
        name=plan.name,
        uac=uac,
        uas=uas,
        media=outcome.media,
        calls_expecting_media=expecting,
        calls_silent=silent,
        media_lateness_limit_ms=options.limits.media_lateness_ms,
        scenarios=_scenarios(plan, outcome),
        target=printed(plan.target),
        transport=", ".join(sorted({p.side.config.transport for p in callers})),
        started=outcome.started,
        wall_s=outcome.wall_s,
        generating_s=calls.generating_s,
        wanted_rate_cps=rate,
        achieved_rate_cps=achieved,
        users=options.users,
        wanted_calls=plan.wanted_calls,
        limit=options.limit,
        lateness_limit_ms=options.limits.lateness_ms,
        verdict=verdict.name,
        exit_code=int(verdict.exit_code),
        reasons=list(verdict.reasons),
        notes=[*plan.notes, *_legs(outcome.legs)],
        command=options.command,
        tool_version=__version__,
        host=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}",
    )


def _legs(totals: LegTotals | None) -> list[str]:
    if totals is None:
        return []
    how = ", ".join(f"{key} {count}" for key, count in totals.by_key.items())
    lines = [
        f"both legs: {totals.passed} of {totals.calls} calls passed as one; "
        f"{totals.linked} legs linked by {how or 'nothing'}"
    ]
    if totals.pings:
        lines.append(f"{totals.pings} requests outside of calls were answered where the second leg is")
    return lines + totals.examples


def _scenarios(plan: Plan, outcome: Outcome) -> list[ScenarioResult]:
    if len(plan.pairs) < 2:
        return []
    return [
        ScenarioResult(p.side.name, p.side.role, merged([p.statistics]), p.side.config.calls)
        for p in outcome.callers + outcome.callees
    ]
