"""From the actions of `model` to XML attributes: a table with one row an action. Never escapes for XML."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipreplay.scenario import model
from sipreplay.scenario.attributes import escape_entities

Pairs = list[tuple[str, str]]


def write_action(action: model.Action) -> tuple[str, Pairs]:
    """Tag and attributes, in a fixed order, defaults left out. The values are not escaped for XML yet."""
    return _WRITERS[type(action)](action)


def _write_ereg(action: model.Ereg) -> tuple[str, Pairs]:
    pairs = [("regexp", escape_entities(action.regexp)), ("search_in", action.search_in)]
    if action.search_in == "hdr":
        pairs.append(("header", action.header))
        if action.occurrence != 1:
            pairs.append(("occurrence", str(action.occurrence)))
        pairs += _flags(case_indep=action.case_indep, start_line=action.start_line)
    elif action.search_in == "var":
        pairs.append(("variable", action.variable))
    pairs += _flags(check_it=action.check_it, check_it_inverse=action.check_it_inverse)
    return "ereg", [*pairs, ("assign_to", ",".join(action.assign_to))]


def _flags(**flags: bool) -> Pairs:
    return [(name, "true") for name, value in flags.items() if value]


def written_number(value: float) -> str:
    """A double as its shortest text that reads back as the same double."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def written_distribution(distribution: model.Distribution) -> Pairs:
    """The attributes of a distribution."""
    parameters = [(name, written_number(value)) for name, value in distribution.parameters]
    return [("distribution", distribution.name), *parameters]


def _operand(value: float | None, variable: str) -> Pairs:
    return [("variable", variable)] if value is None else [("value", written_number(value))]


def _write_compared(action: model.Test | model.Strcmp) -> Pairs:
    if action.value is None:
        pairs = [("variable2", action.variable2)]
    elif isinstance(action.value, str):
        pairs = [("value", escape_entities(action.value))]
    else:
        pairs = [("value", written_number(action.value))]
    if action.assign_to:
        pairs.append(("assign_to", action.assign_to))
    return pairs + _flags(check_it=action.check_it, check_it_inverse=action.check_it_inverse)


_WRITERS: Mapping[type, Callable[..., tuple[str, Pairs]]] = {
    model.Ereg: _write_ereg,
    model.Log: lambda x: (x.level, [("message", escape_entities(x.message))]),
    model.Exec: lambda x: ("exec", [(x.kind, escape_entities(x.value))]),
    model.Assign: lambda x: (x.operation, [("assign_to", x.assign_to), *_operand(x.value, x.variable)]),
    model.AssignStr: lambda x: ("assignstr", [("assign_to", x.assign_to), ("value", escape_entities(x.value))]),
    model.ToDouble: lambda x: ("todouble", [("assign_to", x.assign_to), ("variable", x.variable)]),
    model.Test: lambda x: ("test", [("variable", x.variable), ("compare", x.compare), *_write_compared(x)]),
    model.Strcmp: lambda x: ("strcmp", [("variable", x.variable), *_write_compared(x)]),
    model.Trim: lambda x: ("trim", [("assign_to", x.assign_to)]),
    model.Index: lambda x: ("index", [("assign_to", x.assign_to)]),
    model.GetTimeOfDay: lambda x: ("gettimeofday", [("assign_to", f"{x.seconds},{x.microseconds}")]),
    model.Jump: lambda x: ("jump", _operand(x.value, x.variable)),
    model.PauseRestore: lambda x: ("pauserestore", _operand(x.value, x.variable)),
    model.Lookup: lambda x: (
        "lookup",
        [("assign_to", x.assign_to), ("file", escape_entities(x.file)), ("key", escape_entities(x.key))],
    ),
    model.VerifyAuth: lambda x: (
        "verifyauth",
        [("assign_to", x.assign_to)] + [(name, escape_entities(getattr(x, name))) for name in ("username", "password")],
    ),
    model.Insert: lambda x: ("insert", [(name, escape_entities(getattr(x, name))) for name in ("file", "value")]),
    model.Replace: lambda x: (
        "replace",
        [("file", escape_entities(x.file)), ("line", escape_entities(x.row)), ("value", escape_entities(x.value))],
    ),
    model.Sample: lambda x: ("sample", [("assign_to", x.assign_to), *written_distribution(x.distribution)]),
    model.UrlCode: lambda x: (x.operation, [("variable", x.variable)]),
    model.CloseConnection: lambda x: ("closecon", []),
    model.RtpEcho: lambda x: ("rtp_echo", _operand(x.value, x.variable)),
    model.SetDest: lambda x: (
        "setdest",
        [(name, escape_entities(getattr(x, name))) for name in ("host", "port", "protocol")],
    ),
}
