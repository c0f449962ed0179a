"""The `<action>` lists: from XML attributes to the values of `model`, and back. A table of SIPp's action names.

Texts are checked (keywords, regular expressions) but kept as written. Actions that are not built are errors that say
so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sipreplay.errors import ScenarioError
from sipreplay.scenario import model
from sipreplay.scenario.attributes import Attributes, escape_entities
from sipreplay.scenario.keywords import compile_text
from sipreplay.scenario.posix import compile_posix

EXEC_KINDS = ("command", "int_cmd", "play_pcap_audio", "play_pcap_image", "play_pcap_video")
"""The attributes of `<exec>` that are built, in SIPp's order of priority."""

_EXEC_NOT_YET = ("play_dtmf", "rtp_stream", "rtp_echo")
_NOT_YET = frozenset(
    ("insert", "replace", "sample", "urlencode", "urldecode", "closecon", "rtp_echo"),
)
COMPARISONS = ("equal", "not_equal", "greater_than", "less_than", "greater_than_equal", "less_than_equal")

Keys = Mapping[str, str]
Pairs = list[tuple[str, str]]


def read_action(a: Attributes, keys: Keys) -> model.Action:
    """One action from its start tag. Raises ScenarioError with its place."""
    reader = _READERS.get(a.tag)
    if reader is None:
        if a.tag in _NOT_YET:
            raise a.error("this action is not supported yet")
        raise a.error("unknown action; see the list of actions in the scenario reference")
    return reader(a, keys)


def write_action(action: model.Action) -> tuple[str, Pairs]:
    """Tag and attributes, in a fixed order, defaults left out. The values are not escaped for XML yet."""
    return _WRITERS[type(action)](action)


def _text(a: Attributes, name: str, keys: Keys) -> str:
    """A required keyword text, checked."""
    value = a.required_text(name)
    try:
        compile_text(value, message=False, keys=keys)
    except ScenarioError as error:
        raise a.error(f"{name}: {error.message}") from None
    return value


def _checks(a: Attributes) -> tuple[bool, bool]:
    check, inverse = a.boolean("check_it"), a.boolean("check_it_inverse")
    if check and inverse:
        raise a.error("check_it and check_it_inverse exclude each other")
    return check, inverse


def _value_or_variable(a: Attributes) -> tuple[float | None, str]:
    """Exactly one of `value` (a double) and `variable`."""
    if "value" in a and "variable" in a:
        raise a.error("value and variable exclude each other")
    if "value" in a:
        return a.number("value"), ""
    if "variable" in a:
        return None, a.variable("variable")
    raise a.error("needs value= or variable=")


def _read_ereg(a: Attributes, keys: Keys) -> model.Action:
    regexp = a.required_text("regexp")
    try:
        compile_posix(regexp)
    except ScenarioError as error:
        raise a.error(error.message) from None
    assign_to = a.variables("assign_to")
    if len(assign_to) > 10:
        raise a.error("assign_to can name ten variables: the whole match and nine sub-expressions")
    search_in = a.raw("search_in", "msg")
    if search_in not in ("msg", "hdr", "body", "var"):
        raise a.error(f'search_in="{search_in}" must be msg, hdr, body or var')
    header = a.required("header") if search_in == "hdr" else ""
    variable = a.variable("variable") if search_in == "var" else ""
    occurrence = 1
    if search_in == "hdr":
        spelled = "occurrence" if "occurrence" in a else "occurence"
        occurrence = max(a.integer(spelled, 1, least=-(2**31)), 1)
    check, inverse = _checks(a)
    return model.Ereg(
        regexp,
        assign_to,
        search_in,
        header,
        variable,
        occurrence,
        a.boolean("case_indep") and search_in == "hdr",
        a.boolean("start_line") and search_in == "hdr",
        check,
        inverse,
        line=a.line,
    )


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


def _read_log(a: Attributes, keys: Keys) -> model.Action:
    return model.Log(a.tag, _text(a, "message", keys), line=a.line)


def _read_exec(a: Attributes, keys: Keys) -> model.Action:
    for kind in (*EXEC_KINDS, *_EXEC_NOT_YET):
        if kind in a:
            if kind in _EXEC_NOT_YET:
                raise a.error(f"exec {kind} is not supported yet")
            value = _text(a, kind, keys) if kind == "command" else a.required_text(kind)
            if kind.startswith("play_pcap") and value.startswith("[") and value.endswith("]"):
                if value[1:-1] not in keys:
                    raise a.error(f"{kind}={value}: give the file with -key {value[1:-1]} FILE")
                value = keys[value[1:-1]]
            if not value:
                raise a.error(f"{kind}= is empty")
            return model.Exec(kind, value, line=a.line)
    raise a.error(f"illegal <exec>: needs one of {', '.join(EXEC_KINDS)}")


def _read_assign(a: Attributes, keys: Keys) -> model.Action:
    target = a.variable("assign_to")
    value, variable = _value_or_variable(a)
    if a.tag == "divide" and value == 0:
        raise a.error("cannot divide by 0")
    return model.Assign(a.tag, target, value, variable, line=a.line)


def _read_assignstr(a: Attributes, keys: Keys) -> model.Action:
    return model.AssignStr(a.variable("assign_to"), _text(a, "value", keys), line=a.line)


def _read_todouble(a: Attributes, keys: Keys) -> model.Action:
    return model.ToDouble(a.variable("assign_to"), a.variable("variable"), line=a.line)


def _read_test(a: Attributes, keys: Keys) -> model.Action:
    compare = a.required("compare")
    if compare not in COMPARISONS:
        raise a.error(f'compare="{compare}" must be one of {", ".join(COMPARISONS)}')
    if ("value" in a) == ("variable2" in a):
        raise a.error("needs either value= or variable2=")
    check, inverse = _checks(a)
    target = a.variable("assign_to", "" if check or inverse else None)
    value = a.number("value") if "value" in a else None
    return model.Test(
        a.variable("variable"), compare, value, a.variable("variable2", ""), target, check, inverse, line=a.line
    )


def _read_strcmp(a: Attributes, keys: Keys) -> model.Action:
    if ("value" in a) == ("variable2" in a):
        raise a.error("needs either value= or variable2=")
    check, inverse = _checks(a)
    target = a.variable("assign_to", "" if check or inverse else None)
    value = a.text("value") if "value" in a else None
    return model.Strcmp(a.variable("variable"), value, a.variable("variable2", ""), target, check, inverse, line=a.line)


def _read_trim(a: Attributes, keys: Keys) -> model.Action:
    return model.Trim(a.variable("assign_to"), line=a.line)


def _read_index(a: Attributes, keys: Keys) -> model.Action:
    return model.Index(a.variable("assign_to"), line=a.line)


def _read_gettimeofday(a: Attributes, keys: Keys) -> model.Action:
    names = a.variables("assign_to")
    if len(names) != 2:
        raise a.error("assign_to needs two variables: seconds,microseconds")
    return model.GetTimeOfDay(*names, line=a.line)


def _read_jump(a: Attributes, keys: Keys) -> model.Action:
    return model.Jump(*_value_or_variable(a), line=a.line)


def _read_pauserestore(a: Attributes, keys: Keys) -> model.Action:
    return model.PauseRestore(*_value_or_variable(a), line=a.line)


def _read_lookup(a: Attributes, keys: Keys) -> model.Action:
    return model.Lookup(a.variable("assign_to"), _text(a, "file", keys), _text(a, "key", keys), line=a.line)


def _read_setdest(a: Attributes, keys: Keys) -> model.Action:
    host, port, protocol = (_text(a, name, keys) for name in ("host", "port", "protocol"))
    return model.SetDest(host, port, protocol, line=a.line)


def _read_verifyauth(a: Attributes, keys: Keys) -> model.Action:
    target = a.variable("assign_to")
    return model.VerifyAuth(target, _text(a, "username", keys), _text(a, "password", keys), line=a.line)


_READERS: Mapping[str, Callable[[Attributes, Keys], model.Action]] = {
    "ereg": _read_ereg,
    "log": _read_log,
    "warning": _read_log,
    "error": _read_log,
    "exec": _read_exec,
    "assign": _read_assign,
    "add": _read_assign,
    "subtract": _read_assign,
    "multiply": _read_assign,
    "divide": _read_assign,
    "assignstr": _read_assignstr,
    "todouble": _read_todouble,
    "test": _read_test,
    "strcmp": _read_strcmp,
    "trim": _read_trim,
    "index": _read_index,
    "gettimeofday": _read_gettimeofday,
    "jump": _read_jump,
    "pauserestore": _read_pauserestore,
    "lookup": _read_lookup,
    "setdest": _read_setdest,
    "verifyauth": _read_verifyauth,
}


def _flags(**flags: bool) -> Pairs:
    return [(name, "true") for name, value in flags.items() if value]


def written_number(value: float) -> str:
    """A double as its shortest text that reads back as the same double."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


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
    model.SetDest: lambda x: (
        "setdest",
        [(name, escape_entities(getattr(x, name))) for name in ("host", "port", "protocol")],
    ),
}
