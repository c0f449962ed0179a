"""bundle.toml to values and back, with every error naming the key and what to do. Knows no file but the one text."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from sipreplay.bundle.model import (
    SCHEMA,
    Actor,
    Bundle,
    BundleScenario,
    CapturedCall,
    Expect,
    ExpectedMessage,
    ExpectedStream,
    Link,
    LinkKey,
    MediaFile,
    SourceCapture,
)
from sipreplay.bundle.toml import write_toml
from sipreplay.errors import BundleError

Row = TypeVar("Row")
_LINE = re.compile(r"[<>] (?:[1-6]\d\d )?\S+\Z")

_TABLES: dict[str, tuple[str, type[Any]]] = {
    "scenario": ("scenarios", BundleScenario),
    "actor": ("actors", Actor),
    "call": ("calls", CapturedCall),
    "link": ("links", Link),
    "expect": ("expect", Expect),
}
"""Array of tables in the file: (attribute of Bundle, class of a row)."""
_PLACE = re.compile(r"(?:ruri|to|from)\.user|[a-z0-9][a-z0-9-]*")
_NESTED: dict[Any, type[Any]] = {
    list[MediaFile]: MediaFile,
    list[LinkKey]: LinkKey,
    list[ExpectedMessage]: ExpectedMessage,
    list[ExpectedStream]: ExpectedStream,
}
"""Fields that hold rows of their own."""


def bundle_text(bundle: Bundle) -> str:
    """The text of bundle.toml."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "notes": bundle.notes or None,
        "source": {"tool_version": bundle.tool_version, "capture": [_plain(c) for c in bundle.captures]},
    }
    for name, (attribute, _) in _TABLES.items():
        document[name] = [_plain(row) for row in getattr(bundle, attribute)] or None
    return write_toml(document)


def _plain(row: Any) -> dict[str, Any]:
    """A row as a table; fields at their default are left out, and so are empty lists."""
    table: dict[str, Any] = {}
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if field.default is not dataclasses.MISSING and value == field.default:
            continue
        if isinstance(value, list):
            if not value:
                continue
            value = [_plain(item) if dataclasses.is_dataclass(item) else item for item in value]
        table[_key(field)] = value
    return table


def _key(field: dataclasses.Field[Any]) -> str:
    """A field's key in the file: its name, unless that is a word of Python."""
    return str(field.metadata.get("key", field.name))


def parse_bundle(text: str, file: str) -> Bundle:
    """The values of a bundle.toml. Raises BundleError with `file` and the key."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BundleError(f"{file}: not valid TOML: {error}; repair that line") from error
    _check_schema(document, file)
    known = {"schema", "notes", "source", *_TABLES}
    _refuse_unknown(document, known, "", file)
    source = document.get("source", {})
    if not isinstance(source, dict):
        raise BundleError(f"{file}: source must be a table, as in [source]")
    _refuse_unknown(source, {"tool_version", "capture"}, "source.", file)
    bundle = Bundle(
        tool_version=_checked(source.get("tool_version", ""), str, "source.tool_version", file),
        captures=[_row(SourceCapture, r, k, file) for r, k in _rows(source, "capture", "source.", file)],
        notes=_checked(document.get("notes", []), list[str], "notes", file),
    )
    for name, (attribute, kind) in _TABLES.items():
        setattr(bundle, attribute, [_row(kind, r, k, file) for r, k in _rows(document, name, "", file)])
    _check_references(bundle, file)
    return bundle


def _check_schema(document: Mapping[str, Any], file: str) -> None:
    schema = document.get("schema")
    if schema == SCHEMA:
        return
    family = SCHEMA.rpartition("/")[0]
    if isinstance(schema, str) and schema.startswith(family + "/"):
        raise BundleError(
            f"{file}: schema is {schema!r}, this version reads {SCHEMA!r}; update sipreplay or learn the capture again"
        )
    raise BundleError(f"{file}: schema must be {SCHEMA!r}; this is no bundle, or the key was lost")


def _refuse_unknown(table: Mapping[str, Any], known: set[str], prefix: str, file: str) -> None:
    for key in table:
        if key not in known:
            raise BundleError(f"{file}: unknown key {prefix}{key}; known are {', '.join(sorted(known))}")


def _rows(table: Mapping[str, Any], name: str, prefix: str, file: str) -> list[tuple[dict[str, Any], str]]:
    """(row, its key for messages) of an array of tables; rows count from 1."""
    rows = table.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BundleError(f"{file}: {prefix}{name} must be an array of tables, as in [[{prefix}{name}]]")
    return [(row, f"{prefix}{name}[{number}]") for number, row in enumerate(rows, 1)]


def _row(kind: type[Row], table: dict[str, Any], key: str, file: str) -> Row:
    hints = _hints(cast(Any, kind))
    fields = dataclasses.fields(cast(Any, kind))
    _refuse_unknown(table, {_key(f) for f in fields}, key + ".", file)
    values: dict[str, Any] = {}
    for field in fields:
        written = _key(field)
        name = f"{key}.{written}"
        if written in table:
            nested = _NESTED.get(hints[field.name])
            values[field.name] = (
                [_row(nested, r, k, file) for r, k in _rows(table, written, key + ".", file)]
                if nested is not None
                else _checked(table[written], hints[field.name], name, file)
            )
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BundleError(f"{file}: {name} is missing; add it, or learn the capture again")
    return kind(**values)


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(value: Any, wanted: Any, key: str, file: str) -> Any:
    """The value, if it is of the wanted type (an integer is a float too)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is str:
        fits, name = isinstance(value, str), "a text in quotes"
    elif wanted is int:
        fits, name = number and isinstance(value, int), "a whole number"
    elif wanted in (float, float | None):
        fits, name = number, "a number"
    elif wanted == list[str]:
        fits, name = isinstance(value, list) and all(isinstance(v, str) for v in value), "a list of texts"
    else:
        fits, name = isinstance(value, wanted), str(wanted)
    if not fits:
        raise BundleError(f"{file}: {key} must be {name}, not {value!r}")
    return float(value) if wanted in (float, float | None) else value


def _check_references(bundle: Bundle, file: str) -> None:
    """Ids are unique, and what one table says of another's id is there."""
    ids: set[str] = set()
    for number, scenario in enumerate(bundle.scenarios, 1):
        key = f"scenario[{number}]"
        if not scenario.id or scenario.id in ids:
            raise BundleError(f"{file}: {key}.id {scenario.id!r} is empty or used twice; give each scenario its own")
        ids.add(scenario.id)
        if scenario.role not in ("uac", "uas"):
            raise BundleError(f'{file}: {key}.role must be "uac" or "uas", not {scenario.role!r}')
        if scenario.transport not in ("UDP", "TCP"):
            raise BundleError(f'{file}: {key}.transport must be "UDP" or "TCP", not {scenario.transport!r}')
        if not (scenario.weight >= 0 and scenario.calls >= 0):
            raise BundleError(f"{file}: {key}.weight and .calls must not be negative")
    for number, scenario in enumerate(bundle.scenarios, 1):
        for name, wanted in [("pair", [scenario.pair] if scenario.pair else []), ("after", scenario.after)]:
            for ident in wanted:
                if ident not in ids:
                    raise BundleError(f"{file}: scenario[{number}].{name} names {ident!r}, which is no scenario's id")
    for number, expect in enumerate(bundle.expect, 1):
        for place, message in enumerate(expect.message, 1):
            if not _LINE.match(message.line):
                raise BundleError(
                    f"{file}: expect[{number}].message[{place}].line {message.line!r} is no message; "
                    'write "> METHOD" or "< STATUS METHOD"'
                )
        if expect.number < 0:
            raise BundleError(f"{file}: expect[{number}].number must not be negative")
        if expect.scenario not in ids:
            raise BundleError(f"{file}: expect[{number}].scenario names {expect.scenario!r}, which is no scenario's id")
    for number, call in enumerate(bundle.calls, 1):
        for ident in call.legs:
            if ident not in ids:
                raise BundleError(f"{file}: call[{number}].legs names {ident!r}, which is no scenario's id")
    roles = {scenario.id: scenario.role for scenario in bundle.scenarios}
    for number, link in enumerate(bundle.links, 1):
        _check_link(link, roles, f"{file}: link[{number}]")


def _check_link(link: Link, roles: Mapping[str, str], key: str) -> None:
    """The two legs are a calling and an answering scenario, and the keys can be understood."""
    for name, ident, role in (("from_leg", link.from_leg, "uac"), ("to_leg", link.to_leg, "uas")):
        if roles.get(ident) != role:
            raise BundleError(f"{key}.{name} names {ident!r}, which is no {role} scenario's id")
    if link.unmatched not in ("fail", "pass"):
        raise BundleError(f'{key}.unmatched must be "fail" or "pass", not {link.unmatched!r}')
    if not link.window_ms > 0:
        raise BundleError(f"{key}.window_ms must be more than 0")
    for place, each in enumerate(link.keys, 1):
        if not all(_PLACE.fullmatch(name) for name in (each.source, each.target)):
            raise BundleError(
                f"{key}.keys[{place}] must go from and to call-id, ruri.user, to.user, from.user or a header's name"
            )
        pattern, arrow, _ = each.transform.partition(" -> ")
        try:
            re.compile(pattern)
        except re.error as error:
            raise BundleError(f"{key}.keys[{place}].transform is no regular expression: {error}") from None
        if each.transform and not arrow:
            raise BundleError(f"{key}.keys[{place}].transform must be REGEXP -> TEXT, not {each.transform!r}")
