"""`sipreplay check`."""

from __future__ import annotations

from pathlib import Path

import click

from sipreplay.errors import ExitCode, ScenarioError


@click.command("check", short_help="Validate scenario files.")
@click.argument("scenarios", metavar="SCENARIO.xml...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--inf", "injection", type=click.Path(path_type=Path), multiple=True, help="Injection file they use.")
def command(scenarios: tuple[Path, ...], injection: tuple[Path, ...]) -> int:
    """Read scenarios as `run` would, and say what is wrong, with file and line.

    A scenario of a bundle is read with the bundle's injection file.
    """
    failed = 0
    for path in scenarios:
        try:
            click.echo(f"{path}: ok ({_checked(path, list(injection) or _of_bundle(path))})")
        except ScenarioError as error:
            failed += 1
            click.echo(f"{error}", err=True)
    return ExitCode.INPUT if failed else ExitCode.PASSED


def _checked(path: Path, injection: list[Path]) -> str:
    """What the scenario is. Raises ScenarioError."""
    from sipreplay.engine.config import EngineConfig
    from sipreplay.engine.endpoint import endpoint_of
    from sipreplay.engine.files import load_injections, load_scenario
    from sipreplay.engine.program import compile_program

    config = EngineConfig(path, injection=injection)
    scenario = load_scenario(config)
    compile_program(scenario, config, endpoint_of(config, 5060), injections=load_injections(config))
    return f"{'uac' if scenario.is_client else 'uas'}, {len(scenario.elements)} steps"


def _of_bundle(path: Path) -> list[Path]:
    """The injection file that the bundle around a scenario names for it."""
    if not (path.parent / "bundle.toml").exists():
        return []
    from sipreplay.bundle.folder import read_bundle

    files = {s.file: s.injection for s in read_bundle(path.parent).scenarios}
    name = files.get(path.name, "")
    return [path.parent / name] if name else []
