"""Reads statistics files (`-trace_stat`): ours, those of SIPp 3.6.1 and of later versions, with any delimiter."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sipreplay.dumps.times import read_duration, read_timestamp
from sipreplay.errors import DumpError

_HEADER = re.compile(r"StartTime(.+?)LastResetTime\1")
_BIN = re.compile(r"(?:<|>=)[0-9]+")
_MOMENTS = ("StartTime", "LastResetTime", "CurrentTime")
_DURATIONS = re.compile(r"(ElapsedTime|ResponseTime(?!Repartition).*|CallLength(?:StDev)?)\([PC]\)$")
LARGEST_FILE = 128 << 20
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class StatDump:
    """A whole file by columns; every column has one value a row."""

    path: Path
    started: float
    """StartTime of the first row, seconds since 1970; 0.0 without rows."""
    seconds: list[float]
    """CurrentTime since StartTime."""
    columns: dict[str, list[float]]
    """By SIPp's names: counts, rates, durations in milliseconds. Without times of day and repartitions."""
    bins: dict[str, list[tuple[str, list[float]]]]
    """Repartition name to its bins (`<10`, ..., `>=200`) in order."""
    problems: list[str]
    """Rows that were left out, and why."""

    def response_names(self) -> list[str]:
        """The response times in the file, in its order."""
        names = [re.fullmatch(r"ResponseTime(.*)(?<!StDev)\(C\)", column) for column in self.columns]
        return [name.group(1) for name in names if name]


def read_stat(path: Path) -> StatDump:
    """Read a statistics file. Raises DumpError if it cannot be read or is not one.

    A row that is cut (a run was killed) or damaged is left out and named in `problems`.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DumpError(f"{path}: larger than {LARGEST_FILE >> 20} MB; that is no statistics file")
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            header = file.readline(LONGEST_LINE)
            match = _HEADER.match(header)
            if match is None:
                raise DumpError(
                    f"{path}: not a statistics file of -trace_stat: its first line must begin with StartTime"
                )
            return _read_rows(path, header.rstrip("\n"), match.group(1), file)
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_rows(path: Path, header: str, delimiter: str, lines: Iterable[str]) -> StatDump:
    names = header.removesuffix(delimiter).split(delimiter)
    dump = StatDump(path, 0.0, [], {}, {}, [])
    kinds: list[tuple[str, list[float]]] = []
    for name in names:
        cells: list[float] = []
        table, _, bound = name.rpartition("_")
        if "Repartition" in table and _BIN.fullmatch(bound):
            dump.bins.setdefault(table, []).append((bound, cells))
            kinds.append(("number", cells))
        elif name in _MOMENTS:
            kinds.append(("moment", cells))
        elif "Repartition" in name:
            kinds.append(("label", cells))
        else:
            dump.columns[name] = cells
            kinds.append(("duration" if _DURATIONS.match(name) else "number", cells))
    moments = [kinds[names.index(name)][1] for name in _MOMENTS if name in names]
    if len(moments) != len(_MOMENTS):
        raise DumpError(f"{path}: not a statistics file of -trace_stat: the column CurrentTime is missing")
    for number, row in enumerate(lines, start=2):
        line = row.rstrip("\n")
        if not line:
            continue
        try:
            values = _values(line, delimiter, kinds)
        except (ValueError, OverflowError) as error:
            dump.problems.append(f"line {number}: {error}")
            continue
        for (_, cells), value in zip(kinds, values, strict=True):
            cells.append(value)
    started = moments[0][0] if moments[0] else 0.0
    seconds = [max(now - started, 0.0) for now in moments[2]]
    return StatDump(path, started, seconds, dump.columns, dump.bins, dump.problems)


def _values(line: str, delimiter: str, kinds: list[tuple[str, list[float]]]) -> list[float]:
    cells = line.removesuffix(delimiter).split(delimiter)
    if len(cells) != len(kinds):
        raise ValueError(f"{len(cells)} columns instead of {len(kinds)}")
    values: list[float] = []
    for (kind, _), cell in zip(kinds, cells, strict=True):
        if kind == "moment":
            value = read_timestamp(cell)
        elif kind == "duration":
            value = read_duration(cell)
        else:
            value = float(cell) if kind == "number" else 0.0
        if not math.isfinite(value):
            raise ValueError(f"{cell} is not a number")
        values.append(value)
    return values
