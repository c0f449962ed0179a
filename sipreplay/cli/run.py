"""`sipreplay run`."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from sipreplay.cli.types import Duration, Setting, Target


@click.command("run", short_help="Play a bundle or scenarios, with media, and judge the run.")
@click.argument("sources", metavar="BUNDLE|SCENARIO.xml[=WEIGHT]... [HOST[:PORT]]", nargs=-1, required=True)
@click.option("--rate", type=float, metavar="CPS", help="Calls a second, open loop.  [default: 10]")
@click.option("--calls", type=int, metavar="N", help="Calls to make.  [default: as many as were captured]")
@click.option("--duration", type=Duration(), help="Start calls for that long: 90, 60s, 5m.")
@click.option("--limit", type=int, metavar="N", help="Most calls in progress; a call due at the limit is not started.")
@click.option("--users", type=int, metavar="N", help="Keep N calls open, instead of a rate.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), help="Folder for dumps, charts and page.")
@click.option("--force", is_flag=True, help="Write into a report folder that is not empty, and over a recording.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the summary as JSON.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.pcap", help="Write what goes and comes."
)
@click.option("--local-ip", default="", metavar="IP", help="Address to send from and listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="SIP port to send from and listen on.")
@click.option("--listen", default="", metavar="[IP:]PORT", help="Where calls that the target passes on are answered.")
@click.option("--callers-only", is_flag=True, help="Play no answering side: somebody else is behind the target.")
@click.option("--advertise", default="", metavar="IP", help="Address to name in messages instead of --local-ip.")
@click.option(
    "--transport", type=click.Choice(["udp", "tcp"], case_sensitive=False), help="Instead of the captured one."
)
@click.option("--auth", metavar="USER:PASS", help="Digest credentials, for every call.")
@click.option("--domain", metavar="NAME", help="Domain of the Request-URIs; the same as --set domain=NAME.")
@click.option("--set", "settings", type=Setting(), multiple=True, help="Replace an injection column on every line.")
@click.option(
    "--inf", "injection", type=click.Path(path_type=Path), multiple=True, help="Injection file of a scenario."
)
@click.option("--time-scale", type=float, default=1.0, show_default=True, help="Factor on every pause.")
@click.option("--max-hold", type=Duration(), help="Longest pause.")
@click.option("--max-lateness", type=float, default=50.0, show_default=True, metavar="MS", help="Call starts, 99 %.")
@click.option("--max-media-lateness", type=float, default=10.0, show_default=True, metavar="MS", help="RTP sent, 99 %.")
@click.option("--min-mos", type=click.FloatRange(1, 4.5), metavar="MOS", help="Least MOS of each received stream.")
@click.option("--max-loss", type=click.FloatRange(0, 100), metavar="PERCENT", help="Most loss of each.")
@click.option("--max-jitter", type=click.FloatRange(0), metavar="MS", help="Most mean jitter of each.")
@click.option(
    "--require-media", type=click.Choice(["sent", "received", "both"]), help="What each good call must have done."
)
@click.option("--rtcp", is_flag=True, help="Send RTCP reports; the peer's answers tell the round trip.")
@click.option(
    "--media-loss", type=click.FloatRange(0, 100), default=0.0, metavar="PERCENT", help="Lose RTP on purpose."
)
@click.option(
    "--media-jitter", default="", metavar="[NAME:]MS", help="Delay it: normal (default), uniform, exponential."
)
@click.option(
    "--media-reorder",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Send it after its successor.",
)
@click.option("--media-seed", type=click.IntRange(0), default=0, metavar="N", help="Another draw of these three.")
@click.option(
    "--allow-net", multiple=True, metavar="CIDR", help="Network that setdest may send to, besides loopback and target."
)
@click.option("--allow-exec", is_flag=True, help="Let scenarios run shell commands (exec command).")
@click.option("--dry-run", is_flag=True, help="Print what would be played, and from where; send nothing.")
def command(
    sources: tuple[str, ...],
    rate: float | None,
    calls: int | None,
    duration: float | None,
    limit: int | None,
    users: int | None,
    report: Path | None,
    force: bool,
    json_file: Path | None,
    record: Path | None,
    local_ip: str,
    port: int | None,
    listen: str,
    callers_only: bool,
    advertise: str,
    transport: str | None,
    auth: str | None,
    domain: str | None,
    settings: tuple[tuple[str, str], ...],
    injection: tuple[Path, ...],
    time_scale: float,
    max_hold: float | None,
    max_lateness: float,
    max_media_lateness: float,
    min_mos: float | None,
    max_loss: float | None,
    max_jitter: float | None,
    require_media: str | None,
    rtcp: bool,
    media_loss: float,
    media_jitter: str,
    media_reorder: float,
    media_seed: int,
    allow_net: tuple[str, ...],
    allow_exec: bool,
    dry_run: bool,
) -> int:
    """Play what was learned, or scenario files.

    Without a target each hop's two sides play on loopback. With HOST[:PORT] the calling side plays against it, and the
    answering side takes what it passes on, where the bundle has both legs. The exit code is the verdict: 0 passed,
    1 failed, 5 invalid (the generator was the limit), 130 interrupted.
    """
    from sipreplay.cli.outputs import check_new, check_outputs
    from sipreplay.errors import UsageError
    from sipreplay.media.impairment import Impairment, parse_jitter
    from sipreplay.media.results import QualityLimits
    from sipreplay.runner.options import RunOptions
    from sipreplay.runner.plan import make_plan
    from sipreplay.runner.run import describe, run_plan
    from sipreplay.verify.verdict import Limits

    distribution, jitter_ms = parse_jitter(media_jitter or "0")
    if media_seed and not (media_loss or media_reorder or jitter_ms):
        raise UsageError("--media-seed: there is nothing to draw; it goes with --media-loss, -jitter or -reorder")
    paths, weights, target = split_sources(sources)
    user, colon, password = (auth or "").partition(":")
    if auth is not None and not (user and colon):
        raise UsageError("--auth: wants USER:PASS")
    columns = dict(settings)
    if domain:
        columns["domain"] = domain
    options = RunOptions(
        sources=paths,
        weights=weights,
        target=target,
        rate_cps=rate,
        calls=calls,
        duration_s=duration,
        limit=limit,
        users=users,
        local_ip=local_ip,
        local_port=port,
        listen=listen,
        callers_only=callers_only,
        advertise_ip=advertise,
        transport=(transport or "").upper(),
        auth=(user, password) if auth else None,
        settings=columns,
        injection=list(injection),
        time_scale=time_scale,
        max_hold_s=max_hold,
        report=report,
        json_file=json_file,
        record=record,
        force=force,
        limits=Limits(
            max_lateness,
            max_media_lateness,
            quality=QualityLimits(
                min_mos or 0.0,
                1.0 if max_loss is None else max_loss / 100,
                math.inf if max_jitter is None else max_jitter,
            ),
            require_media=require_media or "",
        ),
        rtcp=rtcp,
        impairment=Impairment(media_loss / 100, media_reorder / 100, jitter_ms, distribution, media_seed),
        allow_exec=allow_exec,
        allow_net=list(allow_net),
        command="sipreplay " + " ".join(sys.argv[1:]),
    )
    check_outputs({"--json": json_file, "--record": record}, paths)
    check_new("--record", record, force)
    plan = make_plan(options)
    if dry_run:
        click.echo(describe(plan))
        return 0
    return int(run_plan(plan, options).exit_code)


def split_sources(sources: tuple[str, ...]) -> tuple[list[Path], list[float], tuple[str, int] | None]:
    """What exists is played, `FILE=WEIGHT` with a weight; one last word that can be an address is the target."""
    from sipreplay.errors import UsageError

    *rest, last = sources
    target = None
    if rest and not Path(_weighted(last)[0]).exists() and not _weighted(last)[0].endswith((".xml", "/")):
        target = Target().convert(last, None, None)
        sources = tuple(rest)
    weighted = [_weighted(source) for source in sources]
    for name, weight in weighted:
        if not Path(name).exists():
            raise UsageError(f"{name}: no such bundle or scenario file")
        if weight is not None and Path(name).is_dir():
            raise UsageError(f"{name}={weight:g}: the scenarios of a bundle have weights of their own")
    weights = [1.0 if weight is None else weight for _, weight in weighted]
    given = any(weight is not None for _, weight in weighted)
    return [Path(name) for name, _ in weighted], weights if given else [], target


def _weighted(source: str) -> tuple[str, float | None]:
    """A file and the number after its last `=`, unless there is a file of that whole name."""
    name, found, number = source.rpartition("=")
    if not found or Path(source).exists():
        return source, None
    try:
        weight = float(number)
    except ValueError:
        return source, None
    if not 0 < weight < 1e9:
        from sipreplay.errors import UsageError

        raise UsageError(f"{source}: a weight must be above 0")
    return name, weight
