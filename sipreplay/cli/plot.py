"""`sipreplay plot`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("plot", short_help="Latency and rate charts from dumps, SIPp's own included.")
@click.argument("dumps", metavar="DUMP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="FILE.png, .svg or .html")
def command(dumps: tuple[Path, ...], output: Path) -> None:
    """Draw charts from statistics files: -trace_stat and -trace_rtt, written by sipreplay or by SIPp."""
    from sipreplay.report.plots import plot_dumps

    plot_dumps(list(dumps), output)
    click.echo(f"wrote {output}")
