"""`sipreplay check`."""

from __future__ import annotations

from pathlib import Path

import click

from sipreplay.errors import ExitCode, ScenarioError


@click.command("check", short_help="Validate scenario files.")
@click.argument("scenarios", metavar="SCENARIO.xml...", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(scenarios: tuple[Path, ...]) -> int:
    """Read scenarios as `run` would, and say what is wrong, with file and line."""
    from sipreplay.engine.config import EngineConfig
    from sipreplay.engine.endpoint import endpoint_of
    from sipreplay.engine.program import compile_program
    from sipreplay.scenario.reader import read_scenario

    failed = 0
    for path in scenarios:
        try:
            try:
                scenario = read_scenario(path.read_bytes(), str(path))
            except OSError as error:
                raise ScenarioError(f"cannot be read: {error.strerror}", str(path)) from error
            config = EngineConfig(path)
            compile_program(scenario, config, endpoint_of(config, 5060))
        except ScenarioError as error:
            failed += 1
            click.echo(f"{error}", err=True)
        else:
            kind = "uac" if scenario.is_client else "uas"
            click.echo(f"{path}: ok ({kind}, {len(scenario.elements)} steps)")
    return ExitCode.INPUT if failed else ExitCode.PASSED
