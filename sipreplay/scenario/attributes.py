"""Attribute values of one XML element, read by SIPp's rules: backslashes, entities (twice), booleans, numbers.

Every error names element, attribute, file and line. Knows nothing of what the attributes are for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from sipreplay.errors import ScenarioError

_BACKSLASH = re.compile(r'\\([\\"nrt])')
_BACKSLASH_MEANING = {"\\": "\\", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_ENTITY = re.compile(r"&(amp|lt|gt|quot);")
_ENTITY_MEANING = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}
_INTEGER = re.compile(r"\s*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LARGEST = 2**63 - 1


class Attributes:
    """What stands in one start tag. `line` is where the tag begins."""

    __slots__ = ("_seen", "_values", "file", "line", "tag")

    def __init__(self, tag: str, values: Mapping[str, str], file: str, line: int) -> None:
        self.tag = tag
        self.file = file
        self.line = line
        self._values = values
        self._seen: set[str] = set()
        """Names that somebody asked for."""

    def __contains__(self, name: str) -> bool:
        self._seen.add(name)
        return name in self._values

    def unused(self) -> Iterator[ScenarioError]:
        """What to say of attributes that nobody asked for: misspelt, or without effect beside the others.

        Those that a mended file keeps (`ignored_...`) and those of XML itself are left out.
        """
        for name in self._values.keys() - self._seen:
            if name.startswith(("ignored_", "xml")) or ":" in name:
                continue
            near = get_close_matches(name, self._seen - self._values.keys(), 1, 0.75)
            hint = f"; did you mean {near[0]}=?" if near else ""
            yield self.error(f"{name}= has no effect here{hint}")

    @property
    def names(self) -> list[str]:
        """The names that stand there."""
        return list(self._values)

    def error(self, message: str) -> ScenarioError:
        """What to raise for this element."""
        return ScenarioError(f"<{self.tag}>: {message}", self.file, self.line)

    def raw(self, name: str, default: str = "") -> str:
        """The value after the backslash pass."""
        self._seen.add(name)
        value = self._values.get(name)
        if value is None:
            return default
        return _BACKSLASH.sub(lambda match: _BACKSLASH_MEANING[match.group(1)], value)

    def text(self, name: str, default: str = "") -> str:
        """The value of an attribute that SIPp decodes once more (regexp, message, value, file names, label ids)."""
        if name not in self:
            return default
        return _ENTITY.sub(lambda match: _ENTITY_MEANING[match.group(1)], self.raw(name))

    def required(self, name: str) -> str:
        """`raw`, or an error if the attribute is missing or empty."""
        value = self.raw(name)
        if not value:
            raise self.error(f"needs {name}=")
        return value

    def required_text(self, name: str) -> str:
        """`text`, or an error if the attribute is missing."""
        if name not in self:
            raise self.error(f"needs {name}=")
        return self.text(name)

    def boolean(self, name: str, default: bool = False) -> bool:
        """`true` or `false` in any case, or an integer (0 is false, and so is an empty value)."""
        if name not in self:
            return default
        value = self.raw(name) or "0"
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
        number = parse_integer(value)
        if number is None:
            raise self.error(f'{name}="{value}" must be true or false')
        return number != 0

    def integer(self, name: str, default: int | None = None, *, least: int = 0) -> int:
        """A C integer (decimal, 0x hexadecimal, 0 octal), an empty value is 0. Without default it must be there."""
        if name not in self and default is not None:
            return default
        value = self.required_text(name)
        number = parse_integer(value or "0")
        if number is None:
            raise self.error(f'{name}="{value}" must be an integer, without a unit')
        if not least <= number <= LARGEST:
            raise self.error(f'{name}="{value}" must be at least {least}')
        return number

    def number(self, name: str) -> float:
        """A C double, an empty value is 0; the attribute must be there."""
        value = self.required_text(name)
        number = parse_number(value or "0")
        if number is None:
            raise self.error(f'{name}="{value}" must be a number')
        return number

    def variable(self, name: str, default: str | None = None) -> str:
        """One variable's name: not empty, without `$` and `,`."""
        if name not in self and default is not None:
            return default
        value = self.required(name)
        if "$" in value or "," in value:
            raise self.error(f'{name}="{value}" must name one variable, without $ and comma')
        return value

    def variables(self, name: str) -> tuple[str, ...]:
        """A comma list of variables, blanks kept as SIPp keeps them."""
        names = tuple(self.required(name).split(","))
        for variable in names:
            if not variable or "$" in variable:
                raise self.error(f'{name}="{self.raw(name)}" must be a comma list of variables, without $')
        return names


def parse_integer(text: str) -> int | None:
    """strtol with base 0 on a whole text; None if it does not parse."""
    match = _INTEGER.fullmatch(text)
    if match is None or len(text) > 40:
        return None
    sign, digits = match.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return int(digits, base) * (-1 if sign == "-" else 1)


def parse_number(text: str) -> float | None:
    """strtod on a whole text; None if it does not parse to a finite number."""
    if _NUMBER.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else None
    whole = parse_integer(text)
    return None if whole is None else float(whole)


def escape_backslashes(value: str) -> str:
    """The inverse of the backslash pass; line ends and tabs, which XML would turn into blanks, become escapes."""
    value = re.sub(r'\\(?=[\\"nrt\n\r\t])', r"\\\\", value)
    return value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def escape_entities(value: str) -> str:
    """The inverse of the second pass over entities."""
    return re.sub(r"&(?=(?:amp|lt|gt|quot);)", "&amp;", value)
