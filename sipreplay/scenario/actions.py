"""The `<action>` lists: from XML attributes to the values of `model`. A table of SIPp's action names.

Texts are checked (keywords, regular expressions, media parameters) but kept as written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from sipreplay.errors import ScenarioError
from sipreplay.scenario import distributions, media_actions, model
from sipreplay.scenario.attributes import Attributes
from sipreplay.scenario.keywords import compile_text
from sipreplay.scenario.posix import compile_posix

EXEC_KINDS = (
    "command",
    "int_cmd",
    "play_pcap_audio",
    "play_pcap_image",
    "play_pcap_video",
    "play_dtmf",
    "rtp_stream",
    "rtp_echo",
)
"""The attributes of `<exec>`, in SIPp's order of priority."""

KEYWORD_EXECS = frozenset(("command", "play_dtmf", "rtp_stream"))
"""Those whose value is a keyword text."""

_MEDIA_TEXTS: Mapping[str, Callable[[str], object]] = {
    "play_dtmf": media_actions.parse_dtmf,
    "rtp_stream": media_actions.parse_rtp_stream,
    "rtp_echo": media_actions.parse_rtp_echo,
}
COMPARISONS = ("equal", "not_equal", "greater_than", "less_than", "greater_than_equal", "less_than_equal")

Keys = Mapping[str, str]


def read_action(a: Attributes, keys: Keys) -> model.Action:
    """One action from its start tag. Raises ScenarioError with its place."""
    reader = _READERS.get(a.tag)
    if reader is None:
        near = get_close_matches(a.tag, _READERS, 1, 0.6)
        hint = f"did you mean <{near[0]}>?" if near else f"there are {', '.join(_READERS)}"
        raise a.error(f"unknown action; {hint}")
    return reader(a, keys)


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


def _read_log(a: Attributes, keys: Keys) -> model.Action:
    return model.Log(a.tag, _text(a, "message", keys), line=a.line)


def _read_exec(a: Attributes, keys: Keys) -> model.Action:
    kind = next((kind for kind in EXEC_KINDS if kind in a), "")
    if not kind:
        raise a.error(f"illegal <exec>: needs one of {', '.join(EXEC_KINDS)}")
    value = _text(a, kind, keys) if kind in KEYWORD_EXECS else a.required_text(kind)
    if kind.startswith("play_pcap") and value.startswith("[") and value.endswith("]"):
        if value[1:-1] not in keys:
            raise a.error(f"{kind}={value}: give the file with -key {value[1:-1]} FILE")
        value = keys[value[1:-1]]
    if not value:
        raise a.error(f"{kind}= is empty")
    parse = _MEDIA_TEXTS.get(kind)
    # A text with keywords is only known when it is played.
    if parse is not None and "[" not in value:
        try:
            parse(value)
        except ScenarioError as error:
            raise a.error(f"{kind}: {error.message}") from None
    return model.Exec(kind, value, line=a.line)


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


def _read_insert(a: Attributes, keys: Keys) -> model.Action:
    return model.Insert(_text(a, "file", keys), _text(a, "value", keys), line=a.line)


def _read_replace(a: Attributes, keys: Keys) -> model.Action:
    file, row, value = (_text(a, name, keys) for name in ("file", "line", "value"))
    return model.Replace(file, row, value, line=a.line)


def _read_sample(a: Attributes, keys: Keys) -> model.Action:
    target = a.variable("assign_to")
    a.required("distribution")
    distribution = distributions.read_distribution(a)
    assert distribution is not None
    return model.Sample(target, distribution, line=a.line)


def _read_urlcode(a: Attributes, keys: Keys) -> model.Action:
    return model.UrlCode(a.tag, a.variable("variable"), line=a.line)


def _read_closecon(a: Attributes, keys: Keys) -> model.Action:
    return model.CloseConnection(line=a.line)


def _read_rtp_echo(a: Attributes, keys: Keys) -> model.Action:
    return model.RtpEcho(*_value_or_variable(a), line=a.line)


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
    "insert": _read_insert,
    "replace": _read_replace,
    "sample": _read_sample,
    "urlencode": _read_urlcode,
    "urldecode": _read_urlcode,
    "closecon": _read_closecon,
    "rtp_echo": _read_rtp_echo,
    "setdest": _read_setdest,
    "verifyauth": _read_verifyauth,
}
