"""`sipreplay check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sipreplay.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from sipreplay.engine.checking import Findings

_PATH = click.Path(path_type=Path)


@click.command("check", short_help="Validate scenario files.")
@click.argument("scenarios", metavar="SCENARIO.xml...", nargs=-1, required=True, type=_PATH)
@click.option("--inf", "injection", type=_PATH, multiple=True, help="Injection file they use.")
@click.option("--key", "keys", type=(str, str), multiple=True, metavar="NAME VALUE", help="Value of a keyword [NAME].")
@click.option("--fix", is_flag=True, help="Write SCENARIO.fixed.xml, which is well-formed and plays the same.")
@click.option("-o", "--output", type=_PATH, help="With --fix: write to this file instead.")
@click.option("--in-place", is_flag=True, help="With --fix: change the file itself, and keep it as SCENARIO.xml.orig.")
def command(
    scenarios: tuple[Path, ...],
    injection: tuple[Path, ...],
    keys: tuple[tuple[str, str], ...],
    fix: bool,
    output: Path | None,
    in_place: bool,
) -> int:
    """Read scenarios as `run` would, and say all that is wrong, with file and line.

    A file that is not well-formed XML, but that SIPp reads, is read, with a warning that says how to mend it. --fix
    does that: comments, messages and layout stay. A scenario of a bundle is read with the bundle's injection file.
    """
    from sipreplay.engine.checking import check_file

    if (output is not None or in_place) and not fix:
        raise UsageError("--output and --in-place belong to --fix")
    if output is not None and (in_place or len(scenarios) > 1):
        raise UsageError("--output is the place of one fixed file: one scenario, and no --in-place")
    failed = 0
    for path in scenarios:
        files = list(injection) or _of_bundle(path)
        if fix and path.exists():
            path = _fixed(path, output, in_place)
        found = check_file(path, files, dict(keys))
        _show(path, found)
        failed += bool(found.errors)
    return ExitCode.INPUT if failed else ExitCode.PASSED


def _show(path: Path, found: Findings) -> None:
    for name, problems in (("error", found.errors), ("warning", found.warnings), ("note", found.notes)):
        for problem in problems:
            place = f"{problem.file or path}:{problem.line}" if problem.line else problem.file or str(path)
            click.echo(f"{place}: {name}: {problem.message}" if name != "error" else str(problem), err=True)
    if not found.errors:
        told = f", {len(found.warnings)} warning{'s' * (len(found.warnings) != 1)}" if found.warnings else ""
        click.echo(f"{path}: ok ({found.summary}{told})")


def _fixed(path: Path, output: Path | None, in_place: bool) -> Path:
    """Mend a file; the file to check then. Raises UsageError rather than overwrite one."""
    from sipreplay.scenario.mending import mend

    data = path.read_bytes()
    result = mend(data)
    if any(problem.fatal for problem in result.left):
        return path
    if result.data == data:
        click.echo(f"{path}: nothing to fix")
        return path
    target = path if in_place else output or path.with_suffix(".fixed.xml")
    kept = path.with_name(path.name + ".orig") if in_place else None
    for occupied in (target if not in_place else None, kept):
        if occupied is not None and occupied.exists():
            raise UsageError(f"{occupied} exists; remove it, or name another file with --output")
    if kept is not None:
        path.rename(kept)
    target.write_bytes(result.data)
    for problem in result.mended:
        click.echo(f"{path}:{problem.line}: fixed: {problem.message}")
    click.echo(f"{target}: written" + (f", the original is {kept}" if kept is not None else ""))
    return target


def _of_bundle(path: Path) -> list[Path]:
    """The injection file that the bundle around a scenario names for it."""
    if not (path.parent / "bundle.toml").exists():
        return []
    from sipreplay.bundle.folder import read_bundle

    files = {s.file: s.injection for s in read_bundle(path.parent).scenarios}
    name = files.get(path.name, "")
    return [path.parent / name] if name else []
