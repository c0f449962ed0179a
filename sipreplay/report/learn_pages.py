"""What `learn` adds to a bundle to look at: callgraph.svg and report.html."""

from __future__ import annotations

from typing import Any

from sipreplay.analysis.graph import call_graph
from sipreplay.learn.options import LearnReport
from sipreplay.report.callgraph_svg import graph_svg
from sipreplay.report.graph_file import write_file
from sipreplay.report.html import Tile, picture, render
from sipreplay.report.ladder import call_ladder
from sipreplay.report.ladder_svg import ladder_svg
from sipreplay.report.words import count, duration_ms, plural

MAX_ROWS = 300
MAX_LADDERS = 12
MAX_LADDER_ROWS = 400
"""A page stays small enough to open; `inspect --call` shows a longer call in full."""


def add_pages(report: LearnReport) -> None:
    """Write callgraph.svg and report.html into the bundle. Raises TransportError when they cannot be written."""
    graph = graph_svg(call_graph(report.analysis))
    write_file(report.output / "callgraph.svg", graph.encode())
    write_file(report.output / "report.html", learn_page(report, graph).encode())


def learn_page(report: LearnReport, graph: str) -> str:
    """The page of a bundle. `graph`: its call graph as SVG."""
    ladders, hidden = _ladders(report)
    complete = bool(report.scenarios) and report.learned_calls == report.calls and not report.blind_spots
    return render(
        "learn.html.j2",
        name=report.output.name,
        folder=str(report.output),
        complete=complete,
        sources=[capture.path for capture in report.analysis.captures],
        tiles=[
            _tile("Calls", report.learned_calls, report.calls),
            _tile("Dialogs", report.learned_dialogs, report.dialogs),
            _tile("RTP streams", report.learned_streams, report.streams),
            Tile("Scenarios", count(len(report.scenarios)), "shapes of call, both sides each"),
        ],
        rows=[
            {
                "name": row.name,
                "files": row.files,
                "calls": count(row.calls),
                "messages": count(row.messages),
                "length": duration_ms(row.duration_ms),
                "transport": row.transport,
                "media": row.media,
                "columns": row.columns,
            }
            for row in report.scenarios[:MAX_ROWS]
        ],
        rows_hidden=max(len(report.scenarios) - MAX_ROWS, 0),
        under_test=report.under_test,
        generalised=report.generalised,
        left_out=report.left_out,
        blind=report.blind_spots,
        graph=picture(graph),
        ladders=ladders,
        ladders_hidden=hidden,
    )


def _tile(name: str, part: int, whole: int) -> Tile:
    return Tile(name, count(part), f"of {count(whole)} in the capture", "good" if part == whole and whole else "warn")


def _ladders(report: LearnReport) -> tuple[list[dict[str, Any]], int]:
    """The first call of each shape, each call once."""
    analysis = report.analysis
    by_id = {call.id: call for call in analysis.calls}
    shapes: dict[int, list[str]] = {}
    for row in report.scenarios:
        if row.dialogs:
            shapes.setdefault(analysis.dialog(row.dialogs[0]).call, []).append(row.name)
    ladders = []
    for ident, names in list(shapes.items())[:MAX_LADDERS]:
        if ident not in by_id:
            continue
        ladder = call_ladder(analysis, by_id[ident])
        ladder.left_out += max(len(ladder.rows) - MAX_LADDER_ROWS, 0)
        del ladder.rows[MAX_LADDER_ROWS:]
        title = f"Call {ident}, learned as {', '.join(names)} ({plural(len(ladder.rows), 'row')})"
        ladders.append({"title": title, "svg": picture(ladder_svg(ladder))})
    return ladders, max(len(shapes) - MAX_LADDERS, 0)
