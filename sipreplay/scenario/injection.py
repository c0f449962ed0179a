"""SIPp's injection files: lines of fields, how a call gets its line, and indexes. Handed text, never opens a file.

Fields have no quoting: they run to the next `;`. Lines that begin with `#` are skipped and the first empty line ends
the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sipreplay.errors import ScenarioError

MODES = ("RANDOM", "SEQUENTIAL", "USER")
"""In the order in which SIPp looks for them in the first line."""

_PRINTF = re.compile(r"%([-0-9.]*)d")
_OPTION = re.compile(r"(PRINTFOFFSET|PRINTFMULTIPLE|PRINTF)=(-?[0-9]{1,18})")


@dataclass(slots=True)
class InjectionFile:
    """One loaded file. `name` is its base name, by which keywords and actions refer to it."""

    name: str
    mode: str
    """RANDOM, SEQUENTIAL or USER."""
    lines: list[list[str]]
    line_numbers: list[int]
    """Line in the file, from 1, of each of `lines`."""
    printf: int = 0
    """Number of virtual lines; 0: the lines are the physical ones."""
    printf_offset: int = 0
    printf_multiple: int = 1
    _next: int = field(default=0, repr=False)
    _indexed: int = field(default=-1, repr=False)
    """The field that `_index` is of; -1: none."""
    _index: dict[str, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Lines that calls can get (virtual ones with PRINTF)."""
        return self.printf or len(self.lines)

    def line(self, user: int = 0, random: float = 0.0) -> int:
        """The line for a new call, from 0; -1 if there is none (USER mode without a user).

        `user` is the user's number from 1, `random` a number of [0, 1) for RANDOM. SEQUENTIAL goes on to the next
        line, round robin. Raises ScenarioError if the file has no line for that user.
        """
        if self.mode == "SEQUENTIAL":
            chosen = self._next
            self._next = (chosen + 1) % len(self)
            return chosen
        if self.mode == "RANDOM":
            return int(random * len(self))
        if user > len(self):
            raise ScenarioError(f"user {user} has no line; the file has {len(self)} lines", self.name)
        return user - 1

    def field(self, line: int, number: int) -> str:
        """Field `number` (from 0) of a line; "" beyond the last field or line."""
        if not 0 <= line < len(self):
            return ""
        fields = self.lines[line % len(self.lines)]
        if number >= len(fields):
            return ""
        text = fields[number]
        if self.printf and "%" in text:
            return self._expanded(text, line)
        return text

    def index(self, number: int) -> dict[str, int]:
        """Value of field `number` to line, for `lookup`; the last line with a value wins.

        The dict that is returned last follows `insert` and `replace`.
        """
        self._indexed = number
        self._index = {self.field(line, number): line for line in range(len(self))}
        return self._index

    def insert(self, value: str) -> int:
        """Append a line, for calls and look-ups to come; its number. Raises ScenarioError for a file with PRINTF."""
        self._changeable("insert")
        self.lines.append(value.split(";"))
        self.line_numbers.append(0)
        line = len(self.lines) - 1
        if self._indexed >= 0:
            self._index[self.field(line, self._indexed)] = line
        return line

    def replace(self, line: int, value: str) -> None:
        """Replace a line. Raises ScenarioError for a file with PRINTF, and for a line that does not exist."""
        self._changeable("replace")
        if not 0 <= line < len(self.lines):
            raise ScenarioError(f"replace: there is no line {line}; lines are numbered 0 to {len(self) - 1}", self.name)
        if self._indexed >= 0:
            old = self.field(line, self._indexed)
            if self._index.get(old) == line:
                del self._index[old]
        self.lines[line] = value.split(";")
        if self._indexed >= 0:
            self._index[self.field(line, self._indexed)] = line

    def _changeable(self, action: str) -> None:
        if self.printf:
            raise ScenarioError(f"{action}: the file has PRINTF, its lines cannot be changed", self.name)

    def require_fields(self, number: int, user: str = "") -> None:
        """Raise ScenarioError, naming the line, if some line has no field `number`; `user` is who wants it."""
        for fields, place in zip(self.lines, self.line_numbers, strict=True):
            if number >= len(fields):
                raise ScenarioError(
                    f"the line has {len(fields)} field{'s' * (len(fields) != 1)}, "
                    f"but {user or f'the scenario uses [field{number}]'}{f' names field {number}' if user else ''}; "
                    "fields are numbered from 0 and separated by ';'",
                    self.name,
                    place,
                )

    def _expanded(self, text: str, line: int) -> str:
        value = self.printf_offset + line * self.printf_multiple
        text = _PRINTF.sub(lambda match: _formatted(match.group(1), value), text)
        return text.replace("%%", "%")


def read_injection(text: str, name: str) -> InjectionFile:
    """Read a whole file. `name` is the name that errors show; its last part is the file's key.

    Raises ScenarioError with the line if the first line names no mode, a PRINTF option is wrong, or there is no data
    line.
    """
    rows = text.replace("\r\n", "\n").split("\n")
    head = rows[0].lstrip("\ufeff")
    mode = next((known for known in MODES if known in head), None)
    if mode is None:
        raise ScenarioError("the first line of an injection file must say SEQUENTIAL, RANDOM or USER", name, 1)
    options = {key: int(value) for key, value in _OPTION.findall(head)}
    if "PRINTF=" in head and options.get("PRINTF", 0) < 1:
        raise ScenarioError("PRINTF needs the number of virtual lines, at least 1", name, 1)
    lines: list[list[str]] = []
    numbers: list[int] = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            break
        if not row.startswith("#"):
            lines.append(row.split(";"))
            numbers.append(number)
    if not lines:
        raise ScenarioError("no data line follows the first line (an empty line ends the file)", name, 1)
    return InjectionFile(
        name.rsplit("/", 1)[-1],
        mode,
        lines,
        numbers,
        options.get("PRINTF", 0),
        options.get("PRINTFOFFSET", 0),
        options.get("PRINTFMULTIPLE", 1),
    )


def write_injection(rows: Iterable[Iterable[str]], mode: str = "SEQUENTIAL") -> str:
    """An injection file of these rows.

    Raises ScenarioError for a value that SIPp's format cannot carry: one with `;`, a line end or `[authentication`, a
    row that is empty or begins with `#`, no rows at all.
    """
    written = [mode]
    for row in rows:
        fields = list(row)
        for value in fields:
            if not can_inject(value):
                raise ScenarioError(f"an injection file cannot carry the value {value!r}")
        line = ";".join(fields)
        if not line or line.startswith("#"):
            raise ScenarioError(f"an injection file cannot carry the line {line!r}")
        written.append(line)
    if len(written) == 1:
        raise ScenarioError("an injection file needs at least one line of data")
    return "\n".join(written) + "\n"


def can_inject(value: str) -> bool:
    """Whether a field can hold this text unchanged."""
    return not any(bad in value for bad in (";", "\n", "\r", "\0", "[authentication"))


def _formatted(flags: str, value: int) -> str:
    """C's %d with flags, width and precision (`-`, `0`, digits and one `.`)."""
    match = re.fullmatch(r"(-?)(0?)([0-9]{0,3})(?:\.([0-9]{0,3}))?", flags)
    if match is None:
        return f"%{flags}d"
    left, zero, width, precision = match.groups()
    digits = str(abs(value)).rjust(int(precision or 0), "0")
    shown = ("-" if value < 0 else "") + digits
    columns = int(width or 0)
    if left:
        return shown.ljust(columns)
    if zero and precision is None:
        return shown.zfill(columns)
    return shown.rjust(columns)
