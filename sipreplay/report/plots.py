"""Figures from dumps (`sipreplay plot`): response times (-trace_rtt), rates and failures (-trace_stat).

Arranges the panels of `charts` and `stat_charts` as PNG, SVG or page; several dumps of a kind lie over each other.
matplotlib is imported when a figure is made, never at start-up, and never through pyplot.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sipreplay.dumps.rtt import read_rtt
from sipreplay.dumps.stat_reader import read_stat
from sipreplay.errors import DumpError, UsageError
from sipreplay.report import style
from sipreplay.report.graph_file import write_file
from sipreplay.report.series import Distribution, Samples, Statistics, distribution_of, samples_of, statistics_of
from sipreplay.report.words import clip, count, plural, printable

SUFFIXES = (".png", ".svg", ".html")
MAX_DUMPS = 12
WIDTH_IN = 11.5
DPI = 130


@dataclass(slots=True)
class Dumps:
    """The dumps of one `plot`, by kind."""

    samples: list[Samples] = field(default_factory=list)
    statistics: list[Statistics] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def plot_dumps(paths: Sequence[Path], output: Path) -> None:
    """Draw dumps, ours or SIPp's, into `output`.

    Raises UsageError for an extension other than .png, .svg or .html and for too many dumps, DumpError for a file that
    is no dump, TransportError when `output` cannot be written.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: the name of a chart ends in {', '.join(SUFFIXES)}")
    if not 1 <= len(paths) <= MAX_DUMPS:
        raise UsageError(f"{plural(len(paths), 'dump')}: wants 1 to {MAX_DUMPS}")
    dumps = load_dumps(paths)
    if output.suffix.lower() == ".html":
        from sipreplay.report.plot_page import plot_page

        write_file(output, plot_page(dumps).encode())
        return
    write_file(output, dumps_picture(dumps, output.suffix.lower().lstrip(".")))


def dumps_picture(dumps: Dumps, kind: str) -> bytes:
    """One picture of all dumps; `kind`: png or svg."""
    import matplotlib

    with matplotlib.rc_context({**style.MATPLOTLIB, "svg.fonttype": "path"}):
        return _saved(_whole_figure(dumps), kind)


def load_dumps(paths: Sequence[Path]) -> Dumps:
    """Read dumps of either kind, told by their first line. Raises DumpError."""
    dumps = Dumps()
    for path, label in zip(paths, _labels(paths), strict=True):
        if _is_rtt(path):
            rtt = read_rtt(path)
            dumps.samples += samples_of(rtt, label)
            problems = rtt.problems
        else:
            stat = read_stat(path)
            dumps.statistics.append(statistics_of(stat, label))
            problems = stat.problems
        dumps.problems += [f"{path}: {problem}" for problem in problems[:20]]
    return dumps


def _labels(paths: Sequence[Path]) -> list[str]:
    """Names to tell dumps apart by: of the file without what its kind adds; with its folder where two are alike."""
    names = [_STEM.sub("", path.name) or path.name for path in paths]
    wanted = [
        name if len({p.parent for p, n in zip(paths, names, strict=True) if n == name}) == 1 else None for name in names
    ]
    full = [name or f"{path.parent.name}/{own}" for name, path, own in zip(wanted, paths, names, strict=True)]
    return [clip(printable(name), 34) for name in full]


_STEM = re.compile(r"_?(_stat|_rtt|_)?\.csv$")


def _is_rtt(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror or error}") from None
    if head.startswith(b"Date_ms"):
        return True
    if head.startswith(b"StartTime"):
        return False
    raise DumpError(
        f"{path}: neither a -trace_stat nor a -trace_rtt file; their first lines begin with StartTime or Date_ms"
    )


def _figure(height_in: float) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, hspace=0.03, wspace=0.02)
    return Figure(figsize=(WIDTH_IN, height_in), layout=layout)


def _whole_figure(dumps: Dumps) -> Any:
    rows = (2 if dumps.samples else 0) + (3 if dumps.statistics else 0)
    figure = _figure(0.7 + 3.15 * rows)
    title, detail = headline(dumps)
    figure.suptitle(f"{title}\n", x=0.012, ha="left", fontsize=13.5, fontweight="bold")
    figure.text(0.012, 1 - 0.48 / figure.get_figheight(), detail, color=style.MUTED, fontsize=9, va="top")
    grid = figure.add_gridspec(rows, 2)
    if dumps.samples:
        _sample_panels(figure, grid, 0, dumps.samples)
    if dumps.statistics:
        _statistics_panels(figure, grid, 2 if dumps.samples else 0, dumps.statistics)
    return figure


def headline(dumps: Dumps) -> tuple[str, str]:
    """What was measured: a title, and a line of totals."""
    names = list(dict.fromkeys([*(one.label for one in dumps.samples), *(one.label for one in dumps.statistics)]))
    kinds = [word for word, there in (("response times", dumps.samples), ("statistics", dumps.statistics)) if there]
    title = f"{' and '.join(kinds).capitalize()}: {clip(', '.join(names), 84)}"
    parts = []
    if dumps.samples:
        parts.append(plural(sum(len(one.seconds) for one in dumps.samples), "response time"))
    for one in dumps.statistics[:3]:
        created = one.last("TotalCallCreated")
        passed, failed = one.last("SuccessfulCall(C)"), one.last("FailedCall(C)")
        name = f"{one.label}: " if len(dumps.statistics) > 1 else ""
        when = ""
        if one.started and len(dumps.statistics) == 1:
            when = ", started " + datetime.fromtimestamp(one.started).strftime("%Y-%m-%d %H:%M:%S")
        parts.append(f"{name}{plural(created, 'call')}, {count(passed)} passed, {count(failed)} failed{when}")
    if dumps.problems:
        parts.append(f"{plural(len(dumps.problems), 'damaged line')} left out")
    return title, "  ·  ".join(parts)


def _sample_panels(figure: Any, grid: Any, row: int, samples: Sequence[Samples]) -> None:
    from sipreplay.report import charts

    charts.response_over_time(figure.add_subplot(grid[row, :]), samples)
    charts.histogram(figure.add_subplot(grid[row + 1, 0]), samples)
    charts.distribution(figure.add_subplot(grid[row + 1, 1]), [distribution_of(one) for one in samples])


def _statistics_panels(
    figure: Any, grid: Any, row: int, statistics: Sequence[Statistics], *, tables: bool = True
) -> None:
    from sipreplay.report import stat_charts

    stat_charts.call_rate(figure.add_subplot(grid[row, 0]), statistics)
    stat_charts.calls_in_progress(figure.add_subplot(grid[row, 1]), statistics)
    stat_charts.trouble(figure.add_subplot(grid[row + 1, 0]), statistics)
    stat_charts.response_time(figure.add_subplot(grid[row + 1, 1]), statistics)
    if tables:
        stat_charts.repartition(figure.add_subplot(grid[row + 2, 0]), statistics, "ResponseTime")
        stat_charts.repartition(figure.add_subplot(grid[row + 2, 1]), statistics, "CallLength")


def samples_svg(samples: Sequence[Samples], ident: str = "rtt") -> str:
    """The response time panels, for inlining in a page. `ident` keeps the ids of several charts apart."""
    return _inline(2, ident, lambda figure, grid: _sample_panels(figure, grid, 0, samples))


def statistics_svg(statistics: Sequence[Statistics], ident: str = "stat", *, tables: bool = True) -> str:
    """The statistics panels, for inlining in a page."""
    rows = 3 if tables else 2
    return _inline(rows, ident, lambda f, grid: _statistics_panels(f, grid, 0, statistics, tables=tables))


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of cumulative distributions, with the labels of its axes."""

    title: str
    series: Sequence[Distribution]
    x_label: str
    y_label: str


def distributions_svg(panels: Sequence[Panel], ident: str = "cdf") -> str:
    """Up to two cumulative distributions side by side, for inlining in a page."""

    def draw(figure: Any, grid: Any) -> None:
        from sipreplay.report import charts

        for column, panel in enumerate(panels[:2]):
            spot = grid[0, :] if len(panels) == 1 else grid[0, column]
            axes = figure.add_subplot(spot)
            charts.distribution(axes, panel.series, panel.title, panel.x_label, panel.y_label)

    return _inline(1, ident, draw)


def _inline(rows: int, ident: str, draw: Any) -> str:
    import matplotlib

    with matplotlib.rc_context({**style.MATPLOTLIB, "svg.fonttype": "none", "svg.hashsalt": ident}):
        figure = _figure(3.15 * rows)
        draw(figure, figure.add_gridspec(rows, 2))
        svg = _saved(figure, "svg").decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', lambda found: f"{found.group(1)}{ident}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace("'DejaVu Sans'", "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif")
    return style.themed(svg)


def _saved(figure: Any, kind: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    if kind == "png":
        FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=DPI)
    else:
        FigureCanvasSVG(figure).print_figure(buffer, format="svg", metadata={"Date": None, "Creator": "sipreplay"})
    return buffer.getvalue()
