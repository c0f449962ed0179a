"""Charts and page of a finished run, drawn from the dumps that it left in its report folder."""

from __future__ import annotations

from pathlib import Path

from sipreplay.analysis.reading import analyse
from sipreplay.errors import CaptureError
from sipreplay.report.ladder import Ladder, call_ladder
from sipreplay.report.model import Artefact, RunSummary
from sipreplay.report.plots import Dumps, dumps_picture, load_dumps
from sipreplay.report.run_page import run_page

MOST_DRAWN = 6
"""Scenarios in one chart: more lines cannot be told apart."""


def write_pages(summary: RunSummary, folder: Path, callers: list[str], call: Path | None) -> None:
    """Write latency.png, latency.svg and report.html. `callers`: names of calling scenarios; `call`: a traced call."""
    dumps = _dumps(folder, callers[:MOST_DRAWN])
    if dumps.samples or dumps.statistics:
        for kind in ("png", "svg"):
            (folder / f"latency.{kind}").write_bytes(dumps_picture(dumps, kind))
            summary.artefacts.append(Artefact(f"latency.{kind}", "response times and rates over the run"))
    summary.artefacts.append(Artefact("report.html", "this run on a page"))
    ladder = _ladder(call)
    page = run_page(
        summary,
        statistics=dumps.statistics,
        samples=dumps.samples,
        ladder=ladder,
        ladder_title="The first call of the run",
    )
    (folder / "report.html").write_text(page, encoding="utf-8", errors="replace")


def _dumps(folder: Path, names: list[str]) -> Dumps:
    paths = [folder / f"{name}_{kind}.csv" for name in names for kind in ("rtt", "stat")]
    present = [path for path in paths if path.exists()]
    return load_dumps(present) if present else Dumps()


def _ladder(call: Path | None) -> Ladder | None:
    if call is None or not call.exists():
        return None
    try:
        analysis = analyse([call])
    except CaptureError:
        return None
    return call_ladder(analysis, analysis.calls[0]) if analysis.calls else None
