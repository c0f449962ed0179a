"""`sipreplay regress`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from sipreplay.cli.types import Duration, Setting, Target


@click.command("regress", short_help="Play captured calls against a system and compare them with the capture.")
@click.argument("sources", metavar="CAPTURE...|BUNDLE|SUITE HOST[:PORT]", nargs=-1, required=True)
@click.option("--ignore", multiple=True, metavar="HEADER", help="Do not compare this header.")
@click.option("--strict", is_flag=True, help="Compare the values of all headers.")
@click.option("--no-media", is_flag=True, help="Do not compare RTP.")
@click.option("--time-factor", type=float, default=2.0, show_default=True, help="Band of times, as a factor.")
@click.option("--time-slack", type=Duration(), default="1s", show_default=True, help="Band of times, added.")
@click.option("--mos-drop", type=float, default=0.3, show_default=True, help="MOS below the captured one.")
@click.option("--jitter-slack", type=Duration(), default="20ms", show_default=True, help="Jitter over the captured.")
@click.option("--loss-slack", type=float, default=1.0, show_default=True, metavar="PERCENT", help="The same of loss.")
@click.option(
    "--order", type=click.Choice(["time", "one-by-one"]), default="time", show_default=True, help="When calls start."
)
@click.option("--time-scale", type=float, default=1.0, show_default=True, help="Factor on pauses and starts.")
@click.option("--max-hold", type=Duration(), help="Longest pause.")
@click.option("--update", is_flag=True, help="Accept what the run shows as what the bundle expects.")
@click.option("--filter", "expression", default="", metavar="EXPR", help="Of a capture: only calls for which it holds.")
@click.option("--local-ip", default="", metavar="IP", help="Address to send from and listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="SIP port to send from and listen on.")
@click.option("--transport", type=click.Choice(["udp", "tcp"], case_sensitive=False), help="Instead of the captured.")
@click.option("--auth", metavar="USER:PASS", help="Digest credentials, for every call.")
@click.option("--set", "settings", type=Setting(), multiple=True, help="Replace an injection column on every line.")
@click.option("--allow-net", multiple=True, metavar="CIDR", help="Network that setdest may send to.")
@click.option("--max-lateness", type=float, default=50.0, show_default=True, metavar="MS", help="Call starts, 99 %.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.pcap", help="Keep the run.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the verdict as JSON.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
@click.option("--force", is_flag=True, help="Replace a recording.")
def command(
    sources: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    no_media: bool,
    time_factor: float,
    time_slack: float,
    mos_drop: float,
    jitter_slack: float,
    loss_slack: float,
    order: str,
    time_scale: float,
    max_hold: float | None,
    update: bool,
    expression: str,
    local_ip: str,
    port: int | None,
    transport: str | None,
    auth: str | None,
    settings: tuple[tuple[str, str], ...],
    allow_net: tuple[str, ...],
    max_lateness: float,
    record: Path | None,
    junit: Path | None,
    json_file: Path | None,
    page: Path | None,
    force: bool,
) -> int:
    """Play what was captured once against HOST[:PORT], record it, and compare call by call.

    A folder of bundles is a suite. The exit code is the verdict: 0 nothing differs, 1 something does, 5 invalid.
    """
    from sipreplay.cli.outputs import check_new, check_outputs
    from sipreplay.errors import UsageError
    from sipreplay.learn.options import LearnOptions
    from sipreplay.runner.options import RunOptions
    from sipreplay.runner.regress import RegressOptions
    from sipreplay.runner.suite import regress_all, write_outputs
    from sipreplay.sip.syntax import canonical_name
    from sipreplay.verify.difference import Tolerance
    from sipreplay.verify.verdict import Limits

    *named, last = sources
    if not named or Path(last).exists():
        raise UsageError("name what to play and then the system under test, as in: regress BUNDLE HOST:PORT")
    paths = [Path(name) for name in named]
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such capture, bundle or folder of bundles")
    user, colon, password = (auth or "").partition(":")
    if auth is not None and not (user and colon):
        raise UsageError("--auth: wants USER:PASS")
    given = {"--mos-drop": mos_drop != 0.3, "--jitter-slack": jitter_slack != 0.02, "--loss-slack": loss_slack != 1.0}
    for name, is_given in given.items():
        if no_media and is_given:
            raise UsageError(f"--no-media and {name}: media is compared or not, not both")
    if time_factor < 1:
        raise UsageError(f"--time-factor {time_factor:g}: wants 1 or more")
    check_outputs({"--json": json_file, "--record": record, "--junit": junit, "--html": page}, paths)
    check_new("--record", record, force)
    options = RegressOptions(
        RunOptions(
            sources=[],
            target=Target().convert(last, None, None),
            local_ip=local_ip,
            local_port=port,
            transport=(transport or "").upper(),
            auth=(user, password) if auth else None,
            settings=dict(settings),
            time_scale=time_scale,
            max_hold_s=max_hold,
            record=record,
            limits=Limits(lateness_ms=max_lateness),
            allow_net=list(allow_net),
            command="sipreplay " + " ".join(sys.argv[1:]),
        ),
        Tolerance(
            ignored=frozenset(canonical_name(name) for name in ignore),
            strict=strict,
            time_factor=time_factor,
            time_slack_ms=time_slack * 1000,
            loss_percent=loss_slack,
            jitter_ms=jitter_slack * 1000,
            mos=mos_drop,
            media=not no_media,
        ),
        order,
        update,
    )
    found, code = regress_all(paths, options, LearnOptions(filter=expression), click.echo)
    write_outputs(found, code, json_file, junit, page, lambda value: json.dumps(value, indent=1))
    return int(code)
