"""Charts and page of a finished run, drawn from the dumps that it left in its report folder."""

from __future__ import annotations

import json
from pathlib import Path

from sipreplay.analysis.reading import analyse
from sipreplay.errors import CaptureError
from sipreplay.report.junit import junit_xml
from sipreplay.report.ladder import Ladder, call_ladder
from sipreplay.report.model import Artefact, RunSummary
from sipreplay.report.plots import Dumps, dumps_picture, load_dumps
from sipreplay.report.run_json import summary_json
from sipreplay.report.run_page import run_page, run_panels

MOST_DRAWN = 6
"""Scenarios in one chart: more lines cannot be told apart."""


def write_pages(summary: RunSummary, folder: Path, callers: list[str], call: Path) -> None:
    """Write charts, page, JSON and JUnit. `callers`: names of the calling scenarios; `call`: capture of a call."""
    dumps = _dumps(folder, callers[:MOST_DRAWN])
    if dumps.samples or dumps.statistics:
        for kind in ("png", "svg"):
            picture = dumps_picture(dumps, kind, run_panels(summary), f"Run of {summary.name}")
            (folder / f"latency.{kind}").write_bytes(picture)
            summary.artefacts.append(Artefact(f"latency.{kind}", "response times and rates over the run"))
    summary.artefacts.append(Artefact("run.json", "all numbers, schema sipreplay/run/1"))
    summary.artefacts.append(Artefact("junit.xml", "the verdict, for CI servers"))
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
    (folder / "run.json").write_text(json.dumps(summary_json(summary), indent=1) + "\n")
    (folder / "junit.xml").write_bytes(junit_xml(summary))


def _dumps(folder: Path, names: list[str]) -> Dumps:
    paths = [folder / f"{name}_{kind}.csv" for name in names for kind in ("rtt", "stat")]
    present = [path for path in paths if path.exists()]
    return load_dumps(present) if present else Dumps()


def _ladder(call: Path) -> Ladder | None:
    if not call.exists():
        return None
    try:
        analysis = analyse([call])
    except CaptureError:
        return None
    return call_ladder(analysis, analysis.calls[0]) if analysis.calls else None
