"""Injection columns set from the command line: each injection file is copied with the column replaced on every line.

A column's name stands in the comment under the file's first line, as `learn` writes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.errors import UsageError
from sipreplay.scenario.injection import can_inject

if TYPE_CHECKING:
    from sipreplay.runner.plan import Plan

COLUMNS = "# columns: "
CREDENTIALS = ("auth_user", "auth_password")
"""Columns that learned scenarios give to `[authentication]`, so `--auth` has to replace them."""


@contextmanager
def settled_injection(
    plan: Plan, settings: dict[str, str], credentials: tuple[str, str] | None = None
) -> Iterator[None]:
    """While it lasts, the plan's configurations name the changed copies. Raises UsageError for an unknown column.

    `credentials` replace the columns of that kind, in files that have them.
    """
    if not settings and credentials is None:
        yield
        return
    for name, value in settings.items():
        if not can_inject(value):
            raise UsageError(f"--set {name}={value}: an injection file cannot hold this value (no ; and no line ends)")
    if not all(can_inject(value) for value in credentials or ()):
        raise UsageError("--auth: an injection file cannot hold this user or password (no ; and no line ends)")
    values = dict(zip(CREDENTIALS, credentials or (), strict=False)) | settings
    known: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="sipreplay-") as folder:
        for index, side in enumerate(plan.sides):
            changed = []
            for path in side.config.injection:
                # The base name is how a scenario names the file.
                copy = Path(folder) / str(index) / path.name
                copy.parent.mkdir(exist_ok=True)
                text = path.read_bytes().decode("utf-8", "surrogateescape")
                columns, text = replaced(text, values)
                known.update(columns)
                copy.write_bytes(text.encode("utf-8", "surrogateescape"))
                changed.append(copy)
            side.config.injection = changed
        for name in settings:
            if name not in known:
                raise UsageError(f"--set {name}: no injection file has this column; there are: {_listed(known)}")
        yield


def replaced(text: str, settings: dict[str, str]) -> tuple[list[str], str]:
    """The names of the columns, and the text with those in `settings` replaced."""
    lines = text.split("\n")
    columns = next((line[len(COLUMNS) :].strip().split(";") for line in lines if line.startswith(COLUMNS)), [])
    wanted = [(columns.index(name), value) for name, value in settings.items() if name in columns]
    for number, line in enumerate(lines[1:], 1):
        if not wanted or line.startswith("#") or not line.strip():
            continue
        cells = line.rstrip("\r").split(";")
        for position, value in wanted:
            if position < len(cells):
                cells[position] = value
        lines[number] = ";".join(cells)
    return columns, "\n".join(lines)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none with names"
