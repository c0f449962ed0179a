"""The page that `sipreplay plot -o FILE.html` writes: the charts of dumps, inline."""

from __future__ import annotations

from sipreplay.report.html import picture, render
from sipreplay.report.plots import Dumps, headline, samples_svg, statistics_svg


def plot_page(dumps: Dumps) -> str:
    """The charts of dumps as a page."""
    title, detail = headline(dumps)
    charts = [picture(svg) for svg in (samples_svg(dumps.samples), statistics_svg(dumps.statistics)) if svg]
    return render("plot.html.j2", title=title, detail=detail, charts=charts, problems=dumps.problems)
