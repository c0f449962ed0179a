"""Writes TOML: scalars, lists of scalars, tables and arrays of tables. Reading is the standard library's `tomllib`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def write_toml(table: Mapping[str, Any]) -> str:
    """A whole document. Values: str, bool, int, float, lists of these, dicts (tables), lists of dicts.

    A None is left out. Keys are bare keys and chosen by this package, never by a capture.
    """
    return "\n".join(_table(table, "")).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], prefix: str) -> list[str]:
    lines = []
    for key, value in table.items():
        if value is not None and not isinstance(value, Mapping) and not _is_tables(value):
            lines.append(f"{key} = {write_value(value)}")
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", *_table(value, name + ".")]
        elif _is_tables(value):
            for item in value:
                lines += ["", f"[[{name}]]", *_table(item, name + ".")]
    return lines


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def write_value(value: object) -> str:
    """One scalar or list. Raises TypeError for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(round(value, 6)) if math.isfinite(value) else "nan"
    if isinstance(value, str):
        return f'"{_string(value)}"'
    if isinstance(value, list):
        one_line = "[" + ", ".join(write_value(item) for item in value) + "]"
        if len(one_line) <= 110:
            return one_line
        return "[\n" + "".join(f"  {write_value(item)},\n" for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML here")


def _string(text: str) -> str:
    """Basic string. A surrogate escape (a byte that is no UTF-8) becomes U+FFFD: TOML cannot carry it."""
    written = []
    for character in text:
        number = ord(character)
        if character in _ESCAPES:
            written.append(_ESCAPES[character])
        elif number < 0x20 or number == 0x7F:
            written.append(f"\\u{number:04X}")
        elif 0xD800 <= number <= 0xDFFF:
            written.append("\ufffd")
        else:
            written.append(character)
    return "".join(written)
