"""Chart panels of statistics dumps (-trace_stat): rate, calls in progress, failures, response times, tables.

Each function draws on the axes it is given; values "(P)" of SIPp belong to the period that ends at their row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sipreplay.report import style
from sipreplay.report.charts import empty, heading, plain_numbers
from sipreplay.report.series import Bins, Statistics
from sipreplay.report.words import count, plural, rate
from sipreplay.stats.calls import FAILURE_REASONS

MAX_REASONS = 4


def _colour(place: int) -> str:
    return style.SERIES[place % len(style.SERIES)]


def _filled(series: Sequence[Statistics]) -> list[tuple[int, Statistics]]:
    """The dumps with at least one period, with their place (which is their colour)."""
    return [(place, one) for place, one in enumerate(series) if one.periods().any()]


def _time_axis(axes: Any, series: Sequence[Statistics]) -> None:
    end = max((float(one.seconds[-1]) for one in series if len(one.seconds)), default=1.0)
    axes.set_xlim(0, 1.01 * end if end > 0.1 else 1.0)
    # Values that are all alike leave no margin of their own above them.
    axes.set_ylim(0, axes.get_ylim()[1] * 1.06)
    axes.set_xlabel("time since start (s)")
    plain_numbers(axes.yaxis)


def _steps(axes: Any, one: Statistics, values: Any, **looks: Any) -> None:
    """A value for each period, drawn over the whole of its period."""
    keep = one.periods()
    times = one.seconds[keep]
    axes.plot(
        np.concatenate([[0.0], times]),
        np.concatenate([values[keep][:1], values[keep]]),
        drawstyle="steps-pre",
        **looks,
    )


def call_rate(axes: Any, series: Sequence[Statistics]) -> None:
    """Calls started a second, against the rate that was asked for."""
    title = "Call rate"
    filled = _filled(series)
    if not filled:
        empty(axes, title, "the dump ends before its first period")
        return
    alone = len(series) == 1
    dashed = False
    for place, one in filled:
        caller = bool(one.column("OutgoingCall(C)").any())
        if caller:
            # The rate at a row holds from there on, unlike "(P)", which tells of what was before.
            axes.plot(
                one.seconds,
                one.column("TargetRate"),
                drawstyle="steps-post",
                color=style.GREY if alone else _colour(place),
                linestyle=(0, (4, 2)),
                linewidth=1.2,
                label="target" if alone else None,
            )
        name = "achieved" if caller else "arrived"
        dashed = dashed or caller
        _steps(
            axes,
            one,
            one.column("CallRate(P)"),
            color=_colour(place),
            label=name if alone else one.label,
        )
    _time_axis(axes, series)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel("calls/s")
    one = filled[0][1]
    detail = (
        f"{rate(float(one.column('CallRate(C)')[-1]))} calls/s over all"
        if alone
        else "dashed: target"
        if dashed
        else ""
    )
    heading(axes, title, detail, legend=True, columns=2)


def calls_in_progress(axes: Any, series: Sequence[Statistics]) -> None:
    """Calls open at each row."""
    title = "Calls in progress"
    filled = [(place, one) for place, one in enumerate(series) if len(one.seconds)]
    if not filled:
        empty(axes, title, "the dump has no rows")
        return
    alone = len(series) == 1
    for place, one in filled:
        values = one.column("CurrentCall")
        label = "open at a row" if alone else one.label
        marker = "o" if len(values) < 25 else ""
        axes.plot(one.seconds, values, color=_colour(place), label=label, marker=marker, ms=3)
        axes.fill_between(one.seconds, values, color=_colour(place), alpha=0.12 if alone else 0.05, linewidth=0)
    _time_axis(axes, series)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.0))
    axes.set_ylabel("calls")
    peak = int(filled[0][1].column("CurrentCall").max())
    heading(axes, title, f"at most {count(peak)}" if alone else "", legend=True, columns=2)


def trouble(axes: Any, series: Sequence[Statistics]) -> None:
    """Failed calls (by cause, for one dump) and retransmissions in each period."""
    title = "Failed calls and retransmissions"
    filled = _filled(series)
    if not filled:
        empty(axes, title, "the dump ends before its first period")
        return
    failed = sum(one.last("FailedCall(C)") for _, one in filled)
    resent = sum(one.last("Retransmissions(C)") for _, one in filled)
    detail = f"{count(failed)} failed, {plural(resent, 'retransmission')}"
    if not failed and not resent:
        empty(axes, title, "no failed call, no retransmission")
        return
    alone = len(series) == 1
    if alone:
        _failure_bars(axes, filled[0][1])
    for place, one in filled:
        if not alone:
            _steps(axes, one, one.column("FailedCall(P)"), color=_colour(place), label=one.label)
        _steps(
            axes,
            one,
            one.column("Retransmissions(P)"),
            color=style.AMBER if alone else _colour(place),
            linestyle="-" if alone else (0, (1, 1.5)),
            label="retransmissions" if alone else None,
        )
    _time_axis(axes, series)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.0) * 1.05)
    period = float(np.median(np.diff(filled[0][1].seconds, prepend=0.0)[filled[0][1].periods()]))
    axes.set_ylabel(f"in each {period:.3g} s")
    if not alone:
        detail = f"solid: {count(failed)} failed, dotted: {plural(resent, 'retransmission')}"
    heading(axes, title, detail, legend=True, columns=2)


def _failure_bars(axes: Any, one: Statistics) -> None:
    keep = one.periods()
    ends = one.seconds[keep]
    starts = np.concatenate([[0.0], ends[:-1]])
    reasons = sorted(FAILURE_REASONS, key=lambda reason: -one.last(f"Failed{reason}(C)"))
    shown = [reason for reason in reasons[:MAX_REASONS] if one.last(f"Failed{reason}(C)")]
    parts = [(reason, one.column(f"Failed{reason}(P)")[keep]) for reason in shown]
    rest = one.column("FailedCall(P)")[keep] - sum((values for _, values in parts), np.zeros(len(ends)))
    if (rest > 0).any():
        parts.append(("other causes" if shown else "failed", np.maximum(rest, 0)))
    floor = np.zeros(len(ends))
    colours = (style.RED, style.VIOLET, style.PINK, style.TEAL, style.GREY)
    for (reason, values), colour in zip(parts, colours, strict=False):
        axes.bar(
            starts,
            values,
            ends - starts,
            bottom=floor,
            align="edge",
            color=colour,
            edgecolor=style.PAPER,
            linewidth=0.5 if len(ends) < 120 else 0,
            label=reason,
        )
        floor = floor + values


def response_time(axes: Any, series: Sequence[Statistics]) -> None:
    """Mean response time of each period, with a band of one standard deviation."""
    title = "Mean response time ± standard deviation"
    lines = [(one, rtd) for _, one in _filled(series) for rtd in one.response_names()]
    if not lines:
        counted = any(_counted(one, "ResponseTime") for one in series)
        empty(axes, title, "all below 1 ms, the dump's resolution" if counted else "no response time was measured")
        return
    for number, (one, rtd) in enumerate(lines):
        place = number if len(series) == 1 else series.index(one)
        mean, spread = one.column(f"ResponseTime{rtd}(P)"), one.column(f"ResponseTime{rtd}StDev(P)")
        # A period in which nothing was measured reads 0 in SIPp's file; it is a gap, not a fast answer.
        keep = one.periods() & ((mean > 0) | (spread > 0))
        times = one.seconds[keep]
        label = rtd if len(series) == 1 else f"{one.label} {rtd}"
        axes.plot(times, mean[keep], color=_colour(place), marker="o", ms=3, label=f"response time {label}")
        low, high = np.maximum(mean - spread, 0)[keep], (mean + spread)[keep]
        axes.fill_between(times, low, high, color=_colour(place), alpha=0.15, linewidth=0)
    _time_axis(axes, series)
    axes.set_ylabel("ms")
    one, rtd = lines[0]
    mean_ms = float(one.column(f"ResponseTime{rtd}(C)")[-1])
    detail = f"{mean_ms:,.3g} ms over all" if len(lines) == 1 else ""
    heading(axes, title, detail, legend=True, columns=2)


def has_response_times(series: Sequence[Statistics]) -> bool:
    """Whether the panel of response times has anything to tell."""
    return any(one.response_names() or _counted(one, "ResponseTime") for one in series)


def has_trouble(series: Sequence[Statistics]) -> bool:
    """Whether a call failed or a message was sent again."""
    return any(one.last(name) for one in series for name in ("FailedCall(C)", "Retransmissions(C)"))


def has_tables(series: Sequence[Statistics]) -> bool:
    """Whether a repartition table counts anything."""
    return any(_counted(one, kind) for one in series for kind in ("ResponseTime", "CallLength"))


def _counted(one: Statistics, kind: str) -> bool:
    return any(sum(bins.counts) for bins in one.bins if bins.name.startswith(kind))


def repartition(axes: Any, series: Sequence[Statistics], kind: str) -> None:
    """Bars of SIPp's repartition tables at the end of the run. `kind`: "ResponseTime" or "CallLength"."""
    title = "Response times, SIPp's table" if kind == "ResponseTime" else "Call lengths, SIPp's table"
    tables = [(one, bins) for one in series for bins in one.bins if bins.name.startswith(kind)]
    if not tables or not any(sum(bins.counts) for _, bins in tables):
        empty(axes, title, "the dump has no such table" if not tables else "nothing counted")
        return
    first = tables[0][1]
    same = [(one, bins) for one, bins in tables if bins.labels == first.labels]
    positions = np.arange(len(first.labels))
    width = 0.8 / len(same)
    for place, (one, bins) in enumerate(same):
        left = positions - 0.4 + (place + 0.5) * width
        label = _table_label(one, bins, kind, many=len(series) > 1)
        drawn = axes.bar(left, bins.counts, width * 0.94, color=_colour(place), label=label)
        if len(same) <= 2:
            axes.bar_label(
                drawn, [count(n) if n else "" for n in bins.counts], fontsize=8, color=style.MUTED, padding=2
            )
    axes.set_xticks(positions, [label.replace(">=", "≥") for label in first.labels])
    axes.set_ylim(0, axes.get_ylim()[1] * 1.08)
    axes.grid(axis="x", visible=False)
    plain_numbers(axes.yaxis)
    axes.set_xlabel("ms")
    axes.set_ylabel("calls")
    other = len(tables) - len(same)
    detail = f"{plural(other, 'table')} with other bounds not shown" if other else ""
    heading(axes, title, detail, legend=len(same) > 1, columns=2)


def _table_label(one: Statistics, bins: Bins, kind: str, many: bool) -> str:
    rtd = bins.name.removeprefix(f"{kind}Repartition")
    if not many:
        return f"response time {rtd}" if rtd else one.label
    return f"{one.label} {rtd}".strip()
