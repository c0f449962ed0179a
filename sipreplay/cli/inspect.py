"""`sipreplay inspect`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("inspect", short_help="The calls, ladders, streams and quality in captures.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--call", "calls", type=int, multiple=True, metavar="N", help="Show the ladder of this call.")
@click.option("--ladders", is_flag=True, help="Show the ladder of every call.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help="- for stdout"
)
@click.option("--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
@click.option("--graph", "graph_file", type=click.Path(path_type=Path, dir_okay=False), help="FILE.graphml or FILE.svg")
@click.option(
    "--correlate",
    multiple=True,
    metavar="HEADER[=REGEX]",
    help="Dialogs with the same value (or first group) of this header are one call.",
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
def command(
    captures: tuple[Path, ...],
    calls: tuple[int, ...],
    ladders: bool,
    json_file: Path | None,
    html_file: Path | None,
    graph_file: Path | None,
    correlate: tuple[str, ...],
    ascii_only: bool,
) -> None:
    """List what captures hold; with --call also the ladder. Generates nothing."""
    from sipreplay.analysis.reading import analyse
    from sipreplay.cli.progress import reading
    from sipreplay.errors import UsageError
    from sipreplay.report.call_list import inspect_lines
    from sipreplay.report.ladder import call_ladder
    from sipreplay.report.ladder_text import ladder_lines
    from sipreplay.report.lines import PIPED_TABLES, width_of, write_lines

    if graph_file is not None and graph_file.suffix not in (".graphml", ".svg"):
        raise UsageError(f"--graph {graph_file}: the name ends in .graphml or .svg")
    with reading("reading") as progress:
        analysis = analyse(list(captures), progress=progress, correlate=correlate)
    by_id = {call.id: call for call in analysis.calls}
    for wanted in calls:
        if wanted not in by_id:
            raise UsageError(f"--call {wanted}: there are calls {min(by_id, default=0)} to {max(by_id, default=0)}")
    if json_file is not None:
        from sipreplay.analysis.json import inspect_json

        text = json.dumps(inspect_json(analysis), indent=1)
        if str(json_file) == "-":
            click.echo(text)
            return
        json_file.write_text(text + "\n")
    if html_file is not None:
        from sipreplay.report.inspect_page import write_inspect_page

        write_inspect_page(analysis, html_file)
    if graph_file is not None:
        from sipreplay.report.graph_file import write_graph

        write_graph(analysis, graph_file)
    width = width_of(sys.stdout)
    if not calls:
        write_lines(inspect_lines(analysis, width_of(sys.stdout, PIPED_TABLES)), sys.stdout)
    shown = [by_id[n] for n in calls] if calls else list(analysis.calls) if ladders else []
    for call in shown:
        click.echo()
        write_lines(ladder_lines(call_ladder(analysis, call), width, ascii_only=ascii_only), sys.stdout)
