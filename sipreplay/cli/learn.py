"""`sipreplay learn`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sipreplay.cli.reading_options import reading_options
from sipreplay.cli.types import Duration


@click.command("learn", short_help="Learn scenarios, injection files and media from captures.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write the bundle into.")
@click.option("--force", is_flag=True, help="Replace the bundle in a folder that is not empty.")
@click.option("--call", "calls", type=int, multiple=True, metavar="N", help="Only this call of inspect's list.")
@click.option("--number", "numbers", multiple=True, metavar="TEXT", help="Only calls from or to this number or user.")
@click.option("--filter", "expression", default="", metavar="EXPR", help="Only calls for which this holds; see docs.")
@click.option("--time-scale", type=float, default=1.0, show_default=True, help="Factor on every captured pause.")
@click.option("--max-pause", type=Duration(), help="No pause is longer.")
@click.option("--media/--no-media", default=True, show_default=True, help="Take the captured RTP along.")
@reading_options
@click.option(
    "--sut",
    default="",
    metavar="HOST[:PORT]|actor:ID",
    help="The system under test in the capture: everybody else is emulated.  [default: the actor in the middle]",
)
@click.option("--exact", is_flag=True, help="Keep each call as a scenario of its own, with its own timing.")
@click.option("--top", type=int, metavar="N", help="Only the N commonest kinds of call, with all their legs.")
def command(
    captures: tuple[Path, ...],
    output: Path,
    force: bool,
    calls: tuple[int, ...],
    numbers: tuple[str, ...],
    expression: str,
    time_scale: float,
    max_pause: float | None,
    media: bool,
    correlate: tuple[str, ...],
    keylog: Path | None,
    sut: str,
    exact: bool,
    top: int | None,
) -> None:
    """Analyse captures and write a bundle: SIPp scenarios, injection files, media, a report, and sipp.sh."""
    from sipreplay.cli.progress import reading
    from sipreplay.learn.learner import learn
    from sipreplay.learn.options import LearnOptions
    from sipreplay.report.learn_pages import add_pages
    from sipreplay.report.learn_text import learn_lines
    from sipreplay.report.lines import PIPED_TABLES, width_of, write_lines

    options = LearnOptions(
        calls=calls,
        numbers=numbers,
        filter=expression,
        time_scale=time_scale,
        max_pause_s=max_pause,
        force=force,
        keylog=keylog,
        sut=sut,
        exact=exact,
        top=top,
        media=media,
        correlate=correlate,
    )
    with reading("learning") as progress:
        report = learn(list(captures), output, options, progress)
        add_pages(report)
    write_lines(learn_lines(report, width_of(sys.stdout, PIPED_TABLES)), sys.stdout)
