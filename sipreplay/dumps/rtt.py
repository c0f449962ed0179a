"""SIPp's response time file (`-trace_rtt`): one line a measured response time. Writes ours, reads ours and SIPp's."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sipreplay.errors import DumpError

HEADER = ("Date_ms", "response_time_ms", "rtd_no")
LARGEST_FILE = 256 << 20


class RttWriter:
    """Buffers samples and writes them every `every` samples and when closed."""

    def __init__(self, path: Path, *, every: int = 200, delimiter: str = ";") -> None:
        """Open the file and write the header. Raises OSError."""
        self._every = max(every, 1)
        self._delimiter = delimiter
        self._lines: list[str] = []
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape")
        self._file.write(delimiter.join(HEADER) + "\n")
        self._file.flush()

    def __enter__(self) -> RttWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, date_ms: float, response_ms: float, name: str) -> None:
        """One response time that ended `date_ms` after the start of the process."""
        self._lines.append(f"{date_ms:.3f}{self._delimiter}{response_ms:.3f}{self._delimiter}{name}\n")
        if len(self._lines) >= self._every:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        if self._lines:
            self._file.write("".join(self._lines))
            self._file.flush()
            self._lines.clear()

    def close(self) -> None:
        """Write the rest and close. Closing twice does nothing."""
        if not self._file.closed:
            self.flush()
            self._file.close()


@dataclass(frozen=True, slots=True)
class RttDump:
    """All samples of a file; the three lists have equal length."""

    path: Path
    seconds: list[float]
    """When the response time ended, since the start of the process."""
    milliseconds: list[float]
    names: list[str]
    """RTD name of each sample."""
    whole_ms: bool
    """Written by SIPp 3.6.1, which measures whole milliseconds."""
    problems: list[str]
    """Lines that were left out, and why (at most 20)."""


def read_rtt(path: Path) -> RttDump:
    """Read a response time file. Raises DumpError if it cannot be read or is not one."""
    dump = RttDump(path, [], [], [], False, [])
    whole = True
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DumpError(f"{path}: larger than {LARGEST_FILE >> 20} MB; split it")
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            delimiter = _delimiter(path, file.readline(4096).rstrip("\n"))
            for number, line in enumerate(file, start=2):
                date, _, rest = line.rstrip("\n").partition(delimiter)
                response, found, name = rest.partition(delimiter)
                try:
                    sample = float(date) / 1000.0, float(response)
                    if not found or not line.endswith("\n") or not all(map(math.isfinite, sample)):
                        raise ValueError
                except ValueError:
                    if len(dump.problems) < 20:
                        dump.problems.append(f"line {number} is cut or damaged")
                    continue
                dump.seconds.append(sample[0])
                dump.milliseconds.append(sample[1])
                dump.names.append(sys.intern(name))
                whole = whole and "." not in response and "e" not in response
    except OSError as error:
        raise DumpError(f"{path}: cannot be read: {error.strerror or error}") from None
    return RttDump(path, dump.seconds, dump.milliseconds, dump.names, whole and bool(dump.names), dump.problems)


def _delimiter(path: Path, header: str) -> str:
    first, second, third = HEADER
    if header.startswith(first) and header.endswith(third) and second in header:
        delimiter = header[len(first) : header.index(second)]
        if delimiter and header == delimiter.join(HEADER):
            return delimiter
    raise DumpError(f"{path}: not a response time file of -trace_rtt: its first line must be {';'.join(HEADER)}")
