"""The report folder of a run: page, charts, JSON and JUnit beside the dumps that the run wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sipreplay.report.graph_file import write_file
from sipreplay.report.junit import junit_xml
from sipreplay.report.ladder import Ladder
from sipreplay.report.model import Artefact, RunSummary
from sipreplay.report.plots import MAX_DUMPS, Dumps, dumps_picture, load_dumps
from sipreplay.report.run_json import summary_json
from sipreplay.report.run_page import run_page


def write_run_report(
    summary: RunSummary,
    folder: Path,
    dumps: Sequence[Path] = (),
    *,
    ladder: Ladder | None = None,
    ladder_title: str = "One call",
) -> None:
    """Write report.html, run.json, junit.xml and, from `dumps`, latency.png and latency.svg into an existing folder.

    `dumps`: -trace_stat and -trace_rtt files of the calling side; the first MAX_DUMPS are drawn. The files are added to
    `summary.artefacts`. Raises DumpError for what is no dump, TransportError when a file cannot be written.
    """
    loaded = load_dumps(list(dumps)[:MAX_DUMPS]) if dumps else Dumps()
    listed = {artefact.path for artefact in summary.artefacts}
    for name, what in (
        ("report.html", "this run as a page"),
        ("run.json", "all numbers, schema sipreplay/run/1"),
        ("junit.xml", "the verdict for CI servers"),
    ):
        if name not in listed:
            summary.artefacts.append(Artefact(name, what))
    if dumps:
        for kind in ("png", "svg"):
            name = f"latency.{kind}"
            write_file(folder / name, dumps_picture(loaded, kind))
            if name not in listed:
                summary.artefacts.append(Artefact(name, "charts of rate, failures and response times"))
    page = run_page(
        summary, statistics=loaded.statistics, samples=loaded.samples, ladder=ladder, ladder_title=ladder_title
    )
    write_file(folder / "report.html", page.encode())
    write_file(folder / "run.json", (json.dumps(summary_json(summary), indent=1) + "\n").encode())
    write_file(folder / "junit.xml", junit_xml(summary))
