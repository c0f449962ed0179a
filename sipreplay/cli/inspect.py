"""`sipreplay inspect`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sipreplay.cli.reading_options import reading_options

if TYPE_CHECKING:
    from sipreplay.analysis.findings import Finding
    from sipreplay.analysis.model import Analysis

MAX_PROCESSES = 256
"""Each has a temporary file and a pipe; more would meet the usual limit of 1,024 open files."""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("inspect", short_help="The calls, ladders, streams and quality in captures.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--call", "calls", type=int, multiple=True, metavar="N", help="Only this call, with its ladder.")
@click.option("--filter", "expression", default="", metavar="EXPR", help="Only calls for which this holds; see docs.")
@click.option("--ladders", is_flag=True, help="Show the ladder of every call.")
@click.option("--streams", "only_streams", is_flag=True, help="Only a table of all RTP streams; the fastest look.")
@click.option("--all", "everything", is_flag=True, help="Show all rows of every list, however many.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help="- for stdout"
)
@click.option("--html", "html_file", type=_FILE, help="Write a page.")
@click.option("--graph", "graph_file", type=_FILE, help="FILE.svg to look at, FILE.graphml or FILE.json to work with.")
@click.option("--export", "export_file", type=_FILE, help="Write the packets of the calls, media included (pcap).")
@click.option("--force", is_flag=True, help="Let --export replace a file.")
@reading_options
@click.option(
    "--processes",
    type=click.IntRange(0, MAX_PROCESSES),
    default=1,
    show_default=True,
    metavar="N",
    help="Read with N processes; 0: one a core.",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
def command(
    captures: tuple[Path, ...],
    calls: tuple[int, ...],
    expression: str,
    ladders: bool,
    only_streams: bool,
    everything: bool,
    json_file: Path | None,
    html_file: Path | None,
    graph_file: Path | None,
    export_file: Path | None,
    force: bool,
    correlate: tuple[str, ...],
    keylog: Path | None,
    processes: int,
    ascii_only: bool,
) -> None:
    """List what captures hold; with --call also the ladder. --call and --filter apply to everything that is written."""
    from sipreplay.errors import UsageError

    if only_streams:
        if calls or expression.strip() or ladders or json_file or html_file or graph_file or export_file:
            raise UsageError("--streams lists all streams and writes nothing else: leave out the other options")
        _list_streams(captures, keylog, processes)
        return
    from sipreplay.analysis.filter import parse_filter
    from sipreplay.analysis.findings import findings
    from sipreplay.analysis.part import Part, choose_calls
    from sipreplay.analysis.reading import analyse, cores
    from sipreplay.cli.outputs import check_new, check_outputs, named
    from sipreplay.cli.progress import reading
    from sipreplay.report.graph_file import check_graph_name
    from sipreplay.report.inspect_text import call_view_lines, list_lines
    from sipreplay.report.lines import PIPED_TABLES, width_of, write_lines

    if expression.strip():
        parse_filter(expression)  # what is wrong with it shall not show after a long reading
    if graph_file is not None:
        check_graph_name(graph_file)
    outputs = {"--json": json_file, "--html": html_file, "--graph": graph_file, "--export": export_file}
    check_outputs(outputs, captures)
    check_new("--export", export_file, force)
    if export_file is not None and Path("-") in captures:
        raise UsageError("--export: standard input cannot be read twice; save the capture to a file, and name that")
    with reading("reading") as progress:
        analysis = analyse(
            list(captures), progress=progress, correlate=correlate, keylog=keylog, processes=processes or cores()
        )
    check_outputs(outputs, [capture.path for capture in analysis.captures])
    chosen = choose_calls(analysis, calls, expression, findings)
    shown = analysis if chosen is None else Part(analysis, chosen)
    found = findings(shown)
    notes = _write(analysis, shown, found, html_file, graph_file, export_file)
    if json_file is not None:
        from sipreplay.analysis.json import write_json

        if str(json_file) == "-":
            write_json(shown, sys.stdout, found)
            return
        with named(json_file), json_file.open("w") as file:
            write_json(shown, file, found)
    if not calls or not shown.calls:
        width = width_of(sys.stdout, PIPED_TABLES)
        write_lines(list_lines(shown, found, width, everything=everything, ascii_only=ascii_only), sys.stdout)
        click.echo()
    if calls or ladders:
        views = call_view_lines(
            shown, shown.calls, found, width_of(sys.stdout), everything=everything, ascii_only=ascii_only
        )
        write_lines(views, sys.stdout)
    for note in notes:
        click.echo(note)


def _write(
    analysis: Analysis,
    shown: Analysis,
    found: Sequence[Finding],
    html_file: Path | None,
    graph_file: Path | None,
    export_file: Path | None,
) -> list[str]:
    """Write what is asked for; returns what to say of it, at the end."""
    notes: list[str] = []
    if html_file is not None:
        from sipreplay.report.inspect_page import write_inspect_page

        notes.append(write_inspect_page(shown, html_file, found))
    if graph_file is not None:
        from sipreplay.report.graph_file import write_graph

        write_graph(shown, graph_file)
    if export_file is not None:
        from sipreplay.analysis.extract import export_calls
        from sipreplay.cli.outputs import named
        from sipreplay.report.words import plural

        with named(export_file):
            copied = export_calls(analysis, shown.calls, export_file)
        what = f"{plural(copied.packets, 'packet')} of {plural(len(shown.calls), 'call')}"
        notes.append(f"{export_file}: {what} ({copied.format})")
    return notes


def _list_streams(captures: tuple[Path, ...], keylog: Path | None, processes: int) -> None:
    """--streams; only what it needs is imported."""
    from sipreplay.analysis.reading import analyse, cores
    from sipreplay.cli.progress import reading
    from sipreplay.report.stream_text import write_streams

    with reading("reading") as progress:
        analysis = analyse(list(captures), progress=progress, keylog=keylog, processes=processes or cores())
    write_streams(analysis, sys.stdout)
