"""Chart panels of response times: over time, histogram, distribution. Each function draws on the axes it is given.

Legends stand above the data, never on it; units are in the labels. Made for matplotlib's object interface (no pyplot).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sipreplay.report import style
from sipreplay.report.series import Distribution, Samples, distribution_of, percentiles_over_time
from sipreplay.report.words import count, duration_ms, plural

PERCENTS = (50, 95, 99)
_PERCENT_COLOURS = (style.GREEN, style.AMBER, style.RED)
LOG_RATIO = 40.0
"""A logarithmic axis is used when the 99th percentile is that many times the median."""
MAX_DOTS = 20_000


def heading(axes: Any, title: str, detail: str = "", *, legend: bool = False, columns: int = 6) -> None:
    """Title at the left, a muted detail after it, and the legend between title and data."""
    entries = len(axes.get_legend_handles_labels()[1]) if legend else 0
    pad = 8 + 15 * -(-entries // columns)
    axes.set_title(title, pad=pad)
    if detail:
        axes.annotate(
            detail,
            xy=(1, 1),
            xytext=(0, pad),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="baseline",
            color=style.MUTED,
            fontsize=8.5,
            annotation_clip=False,
        )
    if entries:
        # Above the data and out of the layout: a long label must not squeeze the panel.
        made = axes.legend(
            loc="lower left", bbox_to_anchor=(-0.01, 0.985), ncols=columns, borderaxespad=0.2, columnspacing=1.4
        )
        made.set_in_layout(False)


def empty(axes: Any, title: str, why: str) -> None:
    """A panel that says why there is nothing to draw."""
    heading(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(style.GRID)
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=style.MUTED)


def plain_numbers(axis: Any) -> None:
    """Ticks as plain numbers with a comma at thousands, on a logarithmic axis too."""
    from matplotlib.ticker import FuncFormatter, LogFormatter

    class Between(LogFormatter):
        """The ticks between powers of ten, where few of those are in sight."""

        def __call__(self, value: float, position: int | None = None) -> str:
            return f"{value:,.10g}" if super().__call__(value, position) else ""

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if axis.get_scale() == "log":
        axis.set_minor_formatter(Between())


def wants_log(distributions: Sequence[Distribution]) -> bool:
    """Whether the values spread so far that a linear axis would hide most of them."""
    counted = [one for one in distributions if one.count >= 20]
    if not counted:
        return False
    median = min(one.percentile(50) for one in counted)
    high = max(one.percentile(99) for one in counted)
    return high > LOG_RATIO * max(median, 0.05) and high > 1.0


def tidy_ms(value: float) -> str:
    """Whole milliseconds without places that were not measured."""
    return f"{value:,.0f} ms" if value < 1000 and value == int(value) else duration_ms(value)


def _floor(samples: Sequence[Samples]) -> float:
    """What stands for 0 on a logarithmic axis."""
    return 0.5 if any(one.whole_ms for one in samples) else 0.01


def response_over_time(axes: Any, series: Sequence[Samples]) -> None:
    """Every response time as a dot, percentiles as lines; of several dumps the median and the 95th percentile."""
    title = "Response time of each call" if len(series) == 1 else "Response times"
    if not any(len(one.seconds) for one in series):
        empty(axes, title, "no response time in the dump")
        return
    log = wants_log([distribution_of(one) for one in series])
    floor = _floor(series) if log else 0.0
    for place, one in enumerate(series):
        colour = style.SERIES[place % len(style.SERIES)]
        _dots(axes, one, colour, floor, alone=len(series) == 1)
        percents = PERCENTS if len(series) == 1 else (50, 95)
        middles, lines = percentiles_over_time(one, percents)
        if not len(middles):
            continue
        for number, (percent, line) in enumerate(zip(percents, lines, strict=True)):
            alone = len(series) == 1
            axes.plot(
                middles,
                np.maximum(line, floor),
                color=_PERCENT_COLOURS[number] if alone else colour,
                linestyle="-" if alone or percent == 50 else (0, (3, 1.5)),
                label=f"p{percent}" if alone else f"{one.label} p{percent}",
            )
    if log:
        axes.set_yscale("log")
    else:
        # Values that are all alike leave no margin of their own above them.
        axes.set_ylim(0, axes.get_ylim()[1] * 1.06)
        if max(float(one.milliseconds.max(initial=0.0)) for one in series) < 2:
            axes.set_ylim(top=2)
    plain_numbers(axes.yaxis)
    axes.set_xlim(0, max(1.01 * max(float(one.seconds.max(initial=0.0)) for one in series), 0.5))
    axes.set_xlabel("time since start (s)")
    axes.set_ylabel("response time (ms)" + _scale_note(log, series))
    total = sum(len(one.seconds) for one in series)
    detail = plural(total, "sample") + (", measured in whole ms" if any(one.whole_ms for one in series) else "")
    heading(axes, title, detail, legend=True, columns=4)


def _scale_note(log: bool, series: Sequence[Samples]) -> str:
    if not log:
        return ""
    return ", log; 0.5 is below 1" if any(one.whole_ms for one in series) else ", log"


def _dots(axes: Any, samples: Samples, colour: str, floor: float, alone: bool) -> None:
    seconds, values = samples.seconds, np.maximum(samples.milliseconds, floor)
    shown = len(seconds)
    label = "call" if alone else None
    if shown > MAX_DOTS:
        # Every n-th sample, and all of the slowest: thinning must not hide what the chart is looked at for.
        step = -(-shown // MAX_DOTS)
        slow = samples.milliseconds >= np.partition(samples.milliseconds, -200)[-200]
        keep = slow | (np.arange(shown) % step == 0)
        seconds, values = seconds[keep], values[keep]
        label = f"call (1 in {step}, and the 200 slowest)" if alone else None
    alpha = 0.55 if shown < 500 else 0.3 if shown < 5000 else 0.15
    size = 12 if shown < 500 else 7 if shown < 5000 else 4
    if not alone:
        alpha *= 0.5
    axes.scatter(
        seconds,
        values,
        s=size,
        color=style.BLUE if alone else colour,
        alpha=alpha,
        linewidths=0,
        label=label,
        rasterized=shown > 2000,
    )


def histogram(axes: Any, series: Sequence[Samples]) -> None:
    """How many calls took how long. The last bin holds everything above the 99.5th percentile's range."""
    title = "How long calls waited"
    filled = [one for one in series if len(one.milliseconds)]
    if not filled:
        empty(axes, title, "no response time in the dump")
        return
    log = wants_log([distribution_of(one) for one in filled])
    edges = _edges(filled, log)
    beyond = 0
    for place, one in enumerate(filled):
        colour = style.SERIES[place % len(style.SERIES)]
        values = np.maximum(one.milliseconds, edges[0])
        beyond += int((values > edges[-1]).sum())
        counts, _ = np.histogram(values, edges)
        if len(filled) == 1:
            axes.bar(
                edges[:-1], counts, np.diff(edges), align="edge", color=colour, edgecolor=style.PAPER, linewidth=0.6
            )
        else:
            axes.stairs(counts, edges, color=colour, label=one.label, fill=False, linewidth=1.6)
            axes.stairs(counts, edges, color=colour, fill=True, alpha=0.12)
    if log:
        axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("response time (ms)" + (", log" if log else ""))
    axes.set_ylabel("calls")
    detail = f"{plural(beyond, 'call')} beyond the axis" if beyond else ""
    heading(axes, title, detail, legend=len(filled) > 1, columns=2)


def _edges(series: Sequence[Samples], log: bool) -> Any:
    values = np.concatenate([one.milliseconds for one in series])
    whole = any(one.whole_ms for one in series)
    high = float(np.percentile(values, 99.5)) if len(values) > 200 else float(values.max())
    if log:
        floor = max(_floor(series), float(values[values > 0].min(initial=1.0)) * 0.9)
        return np.geomspace(floor, max(float(values.max()) * 1.02, floor * 10), 45)
    if whole:
        # Whole milliseconds: bins a whole number of ms wide, with the values in their middle.
        step = max(int(np.ceil((high + 1) / 40)), 1)
        return np.arange(-0.5, high + step + 0.5, step) if step == 1 else np.arange(0.0, high + 2 * step, step) - 0.5
    low = float(values.min())
    low = 0.0 if low < 0.3 * high else low
    if high <= low:
        high = low + max(0.1 * low, 0.1)
    return np.linspace(low, high, 41)


def distribution(
    axes: Any,
    distributions: Sequence[Distribution],
    title: str = "Share of calls answered within",
    x_label: str = "response time (ms)",
    y_label: str = "share of calls (%)",
) -> None:
    """Cumulative share of calls over time, with p50, p95 and p99 marked (one series) or in the legend (several)."""
    filled = [one for one in distributions if one.count]
    if not filled:
        empty(axes, title, "nothing measured")
        return
    log = wants_log(filled)
    floor = (
        (0.5 if all((one.milliseconds == np.floor(one.milliseconds)).all() for one in filled) else 0.01) if log else 0.0
    )
    for place, one in enumerate(filled):
        colour = style.SERIES[place % len(style.SERIES)]
        x = np.concatenate([[max(float(one.milliseconds[0]), floor)], np.maximum(one.milliseconds, floor)])
        y = np.concatenate([[0.0], one.share]) * 100.0
        label = one.label
        if len(filled) > 1:
            label += f"  (p50 {tidy_ms(one.percentile(50))}, p99 {tidy_ms(one.percentile(99))})"
        axes.plot(x, y, color=colour, drawstyle="steps-post", label=label)
    if len(filled) == 1:
        _mark_percentiles(axes, filled[0], floor)
    if log:
        axes.set_xscale("log")
    else:
        highest = max(float(one.milliseconds[-1]) for one in filled)
        lowest = min(float(one.milliseconds[0]) for one in filled)
        axes.set_xlim(0 if lowest < 0.5 * highest else None, highest * 1.03 if highest > 0 else 1.0)
    plain_numbers(axes.xaxis)
    axes.set_ylim(0, 103)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_xlabel(x_label + (", log" if log else ""))
    axes.set_ylabel(y_label)
    detail = f"{count(filled[0].count)} measured" if len(filled) == 1 else ""
    heading(axes, title, detail, legend=len(filled) > 1, columns=1)


def _mark_percentiles(axes: Any, one: Distribution, floor: float) -> None:
    """Labels stand to the right of the curve, below each other, where a distribution leaves room."""
    for percent, colour, height in zip(PERCENTS, _PERCENT_COLOURS, (34, 22, 10), strict=True):
        value = max(one.percentile(percent), floor)
        axes.plot([value, value], [0, percent], color=colour, linewidth=1.0, linestyle=(0, (2, 2)))
        axes.plot([value], [percent], marker="o", markersize=4.5, color=colour)
        axes.text(
            0.985,
            height / 103,
            f"p{percent}  {tidy_ms(one.percentile(percent))}",
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontsize=9,
            color=colour,
            fontweight="bold",
            bbox={"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
        )
