"""Figures from dumps (`sipreplay plot`): response times (-trace_rtt), rates and failures (-trace_stat).

Arranges the panels of `charts` and `stat_charts` as PNG, SVG or page; several dumps of a kind lie over each other.
matplotlib is imported when a figure is made, never at start-up, and never through pyplot.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sipreplay.dumps.rtt import read_rtt
from sipreplay.dumps.stat_reader import read_stat
from sipreplay.errors import DumpError, UsageError
from sipreplay.report import style
from sipreplay.report.graph_file import write_file
from sipreplay.report.series import Distribution, Samples, Statistics, distribution_of, samples_of, statistics_of
from sipreplay.report.words import clip, count, plural, printable, utc

SUFFIXES = (".png", ".svg", ".html")
MAX_DUMPS = 12
WIDTH_IN = 11.5
ROW_IN = 3.15
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


def dumps_picture(dumps: Dumps, kind: str, panels: Sequence[Panel] = (), title: str = "") -> bytes:
    """One picture of all dumps, with up to two distributions that no dump holds.

    `kind`: png or svg. `title`: instead of the dumps' names.
    """
    import matplotlib

    with matplotlib.rc_context({**style.MATPLOTLIB, "svg.fonttype": "path"}):
        rows = [*_sample_rows(dumps.samples), *_panel_rows(panels), *_statistics_rows(dumps.statistics)]
        figure = _drawn(rows or [_nothing], above_in=0.7)
        named, detail = headline(dumps)
        figure.suptitle(
            f"{clip(printable(title or named), 100)}\n", x=0.012, ha="left", fontsize=13.5, fontweight="bold"
        )
        figure.text(0.012, 1 - 0.48 / figure.get_figheight(), detail, color=style.MUTED, fontsize=9, va="top")
        return _saved(figure, kind)


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


def headline(dumps: Dumps) -> tuple[str, str]:
    """What was measured: a title, and a line of totals."""
    measured = sum(len(one.seconds) for one in dumps.samples)
    names = list(dict.fromkeys([*(one.label for one in dumps.samples), *(one.label for one in dumps.statistics)]))
    kinds = [word for word, there in (("response times", measured), ("statistics", dumps.statistics)) if there]
    title = f"{' and '.join(kinds or ['response times']).capitalize()}: {clip(', '.join(names), 84)}"
    parts = []
    if dumps.samples and (measured or not dumps.statistics):
        parts.append(plural(measured, "response time"))
    for one in dumps.statistics[:3]:
        created = one.last("TotalCallCreated")
        passed, failed = one.last("SuccessfulCall(C)"), one.last("FailedCall(C)")
        again = one.last("Retransmissions(C)")
        name = f"{one.label}: " if len(dumps.statistics) > 1 else ""
        when = ""
        if one.started and len(dumps.statistics) == 1:
            when = ", started " + utc(one.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        parts.append(
            f"{name}{plural(created, 'call')}, {count(passed)} passed, {count(failed)} failed"
            + (f", {plural(again, 'retransmission')}" if len(dumps.statistics) == 1 else "")
            + when
        )
    if dumps.problems:
        parts.append(f"{plural(len(dumps.problems), 'damaged line')} left out")
    return title, "  ·  ".join(parts)


Row = Callable[[Any, Any, int], None]
"""Draws one row of panels: figure, grid of two columns, number of the row."""


def _drawn(rows: Sequence[Row], above_in: float = 0.0) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, hspace=0.03, wspace=0.02)
    figure = Figure(figsize=(WIDTH_IN, above_in + ROW_IN * len(rows)), layout=layout)
    grid = figure.add_gridspec(len(rows), 2)
    for number, row in enumerate(rows):
        row(figure, grid, number)
    return figure


def _nothing(figure: Any, grid: Any, row: int) -> None:
    from sipreplay.report import charts

    charts.empty(figure.add_subplot(grid[row, :]), "No response times, no statistics", "the dumps have no rows")


def _sample_rows(samples: Sequence[Samples]) -> list[Row]:
    """Two rows, none when nothing was measured: an empty frame tells no more than its absence."""
    if not any(len(one.seconds) for one in samples):
        return []

    def over_time(figure: Any, grid: Any, row: int) -> None:
        from sipreplay.report import charts

        charts.response_over_time(figure.add_subplot(grid[row, :]), samples)

    def spread(figure: Any, grid: Any, row: int) -> None:
        from sipreplay.report import charts

        charts.histogram(figure.add_subplot(grid[row, 0]), samples)
        charts.distribution(figure.add_subplot(grid[row, 1]), [distribution_of(one) for one in samples])

    return [over_time, spread]


def _statistics_rows(statistics: Sequence[Statistics], *, tables: bool = True) -> list[Row]:
    from sipreplay.report import stat_charts
    from sipreplay.report.stat_charts import has_response_times, has_tables, has_trouble

    if not any(len(one.seconds) for one in statistics):
        return []

    def rates(figure: Any, grid: Any, row: int) -> None:
        stat_charts.call_rate(figure.add_subplot(grid[row, 0]), statistics)
        stat_charts.calls_in_progress(figure.add_subplot(grid[row, 1]), statistics)

    def trouble(figure: Any, grid: Any, row: int) -> None:
        # Two panels, or the one that has something to tell over the whole width.
        failed, both = has_trouble(statistics), has_trouble(statistics) and has_response_times(statistics)
        if failed:
            stat_charts.trouble(figure.add_subplot(grid[row, 0] if both else grid[row, :]), statistics)
        if both or not failed:
            stat_charts.response_time(figure.add_subplot(grid[row, 1] if both else grid[row, :]), statistics)

    def repartitions(figure: Any, grid: Any, row: int) -> None:
        stat_charts.repartition(figure.add_subplot(grid[row, 0]), statistics, "ResponseTime")
        stat_charts.repartition(figure.add_subplot(grid[row, 1]), statistics, "CallLength")

    rows: list[Row] = [rates]
    if has_trouble(statistics) or has_response_times(statistics):
        rows.append(trouble)
    if tables and has_tables(statistics):
        rows.append(repartitions)
    return rows


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of cumulative distributions, with the labels of its axes."""

    title: str
    series: Sequence[Distribution]
    x_label: str
    y_label: str


def _panel_rows(panels: Sequence[Panel]) -> list[Row]:
    def draw(figure: Any, grid: Any, row: int) -> None:
        from sipreplay.report import charts

        for column, panel in enumerate(panels[:2]):
            spot = grid[row, :] if len(panels) == 1 else grid[row, column]
            charts.distribution(figure.add_subplot(spot), panel.series, panel.title, panel.x_label, panel.y_label)

    return [draw] if panels else []


def samples_svg(samples: Sequence[Samples], ident: str = "rtt") -> str:
    """The response time panels, for inlining in a page; "" when nothing was measured.

    `ident` keeps the ids of several charts apart.
    """
    return _inline(_sample_rows(samples), ident)


def statistics_svg(statistics: Sequence[Statistics], ident: str = "stat", *, tables: bool = True) -> str:
    """The statistics panels, for inlining in a page; "" for dumps without rows."""
    return _inline(_statistics_rows(statistics, tables=tables), ident)


def distributions_svg(panels: Sequence[Panel], ident: str = "cdf") -> str:
    """Up to two cumulative distributions side by side, for inlining in a page."""
    return _inline(_panel_rows(panels), ident)


def _inline(rows: Sequence[Row], ident: str) -> str:
    import matplotlib

    if not rows:
        return ""
    with matplotlib.rc_context({**style.MATPLOTLIB, "svg.fonttype": "none", "svg.hashsalt": ident}):
        svg = _saved(_drawn(rows), "svg").decode()
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
