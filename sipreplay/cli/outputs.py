"""Refuses outputs that would destroy something: an input, another output, a file that --force was not given for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sipreplay.errors import UsageError


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path | str]) -> None:
    """Raise UsageError where an option names a file that is read, or that another option writes."""
    named = {option: path for option, path in outputs.items() if path is not None and str(path) != "-"}
    for option, path in named.items():
        for one in inputs:
            if _same(path, Path(one)):
                raise UsageError(f"{option} {path}: is one of the captures that are read; choose another name")
        for other, taken in named.items():
            if other < option and path.absolute() == taken.absolute():
                raise UsageError(f"{option} {path}: {other} writes that file too; choose another name")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")


def check_new(option: str, path: Path | None, force: bool) -> None:
    """Raise UsageError for a file that is there, unless it may be replaced."""
    if path is not None and not force and path.exists():
        raise UsageError(f"{option} {path}: the file is there already; remove it, or add --force")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """What fails without saying where (a full disk does, in write) failed in this file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
