"""What SIPp's language, command line and files are made of, row by row, and which pairs use what.

What a pair proves is read out of its scenarios and command lines, not declared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from sipreplay.compat.option_table import NOT_YET, OPTIONS
from sipreplay.errors import ScenarioError
from sipreplay.scenario.actions import EXEC_KINDS
from sipreplay.scenario.keywords import FIXED_KEYWORDS, SRTP_KEYWORDS, compile_text, keywords_in
from sipreplay.scenario.markup import Element, parse
from tests.interop.differential.groups.all import PAIRS
from tests.interop.differential.harness import words
from tests.interop.differential.pair import scenario

COMMON = [
    "start_rtd",
    "rtd",
    "repeat_rtd",
    "counter",
    "crlf",
    "next",
    "test",
    "chance",
    "ontimeout",
    "condexec",
    "condexec_inverse",
    "lost",
    "ignoresdp",
    "hide",
    "hiderest",
    "display",
]
"""Attributes of every message element."""

ELEMENTS: Mapping[str, str] = {
    "scenario": "name",
    "send": "retrans timeout start_txn ack_txn",
    "recv": "request response optional advance_state regexp_match timeout rrs auth response_txn",
    "pause": "milliseconds variable distribution min max sanity_check",
    "timewait": "milliseconds",
    "nop": "",
    "sendCmd": "dest",
    "recvCmd": "src optional",
    "label": "id",
    "init": "",
    "Global": "variables",
    "User": "variables",
    "Reference": "variables",
    "DefaultMessage": "id",
    "ResponseTimeRepartition": "value",
    "CallLengthRepartition": "value",
    "action": "",
}
DISTRIBUTIONS = [
    "fixed",
    "uniform",
    "normal",
    "lognormal",
    "exponential",
    "weibull",
    "pareto",
    "gpareto",
    "gamma",
    "negbin",
]
DEFAULT_MESSAGES = ["3pcc_abort", "ack", "ack2", "bye", "cancel", "200"]
ACTIONS: Mapping[str, str] = {
    "ereg": "regexp search_in header variable occurrence occurence case_indep start_line check_it check_it_inverse "
    "assign_to",
    "log": "message",
    "warning": "message",
    "error": "message",
    "exec": " ".join(EXEC_KINDS),
    "assign": "assign_to value variable",
    "assignstr": "assign_to value",
    "add": "assign_to value variable",
    "subtract": "assign_to value variable",
    "multiply": "assign_to value variable",
    "divide": "assign_to value variable",
    "sample": "assign_to distribution",
    "todouble": "assign_to variable",
    "test": "variable compare value variable2 assign_to check_it check_it_inverse",
    "strcmp": "variable value variable2 assign_to check_it check_it_inverse",
    "trim": "assign_to",
    "urlencode": "variable",
    "urldecode": "variable",
    "gettimeofday": "assign_to",
    "index": "assign_to",
    "jump": "value variable",
    "pauserestore": "value variable",
    "lookup": "assign_to file key",
    "insert": "file value",
    "replace": "file line value",
    "setdest": "host port protocol",
    "closecon": "",
    "verifyauth": "assign_to username password",
    "rtp_echo": "value variable",
}
PARAMETERISED = ("field", "file", "variable", "fill", "last_header", "authentication")
SHOWN = {"variable": "$name", "field": "fieldN", "last_header": "last_X"}
FILES: Mapping[str, str] = {
    "statistics": "trace_stat",
    "response times": "trace_rtt",
    "counters of messages": "trace_counts",
    "error codes": "trace_error_codes",
    "messages": "trace_msg",
    "short messages": "trace_shortmsg",
    "errors": "trace_err",
    "logs": "trace_logs",
    "histories of calls": "trace_calldebug",
    "screens": "trace_screen",
    "injection file": "inf",
}
"""The files of a run, with the option that asks for each."""


def rows() -> Iterator[tuple[str, str]]:
    """All rows of the table as (section, name). A name is unique in its section."""
    for element, own in ELEMENTS.items():
        yield "element", f"<{element}>"
        for name in own.split():
            yield "element", f"<{element} {name}>"
    for name in COMMON:
        yield "attribute of all messages", name
    for name in DISTRIBUTIONS:
        yield "distribution", name
    for name in DEFAULT_MESSAGES:
        yield "default message", name
    for name in sorted(FIXED_KEYWORDS - SRTP_KEYWORDS):
        yield "keyword", f"[{name}]"
    yield "keyword", "[crypto...] (SRTP)"
    for name in PARAMETERISED:
        yield "keyword", f"[{SHOWN.get(name, name)}]"
    for action, own in ACTIONS.items():
        yield "action", f"<{action}>"
        for name in own.split():
            yield "action", f"<{action} {name}>"
    for name in sorted({*OPTIONS, *NOT_YET}, key=str.lower):
        yield "option", f"-{name}"
    for name in FILES:
        yield "file", name


def used() -> dict[tuple[str, str], list[str]]:
    """Rows to the names of the pairs that use them, in the pairs' order."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    table = set(rows())
    for name, pair in PAIRS.items():
        seen: set[tuple[str, str]] = set()
        for side, elements in (("caller", pair.caller), ("called", pair.called)):
            line = words(pair, side, "127.0.0.1", 5060, 6000, 5061)
            options = {word[1:] for word in line if word[:1] == "-" and word[1:] in OPTIONS}
            seen |= {("option", f"-{option}") for option in options}
            seen |= {("file", file) for file, option in FILES.items() if option in options}
            root = parse(scenario(elements, name)).root
            assert root is not None
            seen.add(("element", "<scenario>"))
            seen.add(("element", "<scenario name>"))
            for child in root.children:
                seen |= set(_of_element(child))
        # Parameters of distributions have no rows of their own.
        for row in seen & table:
            found[row].append(name)
    return found


def _of_element(element: Element) -> Iterator[tuple[str, str]]:
    yield "element", f"<{element.tag}>"
    for name, value in element.attributes.items():
        own = ELEMENTS.get(element.tag, "").split()
        yield ("element", f"<{element.tag} {name}>") if name in own else ("attribute of all messages", name)
        if name == "distribution" or (element.tag == "pause" and name in DISTRIBUTIONS):
            yield "distribution", value if name == "distribution" else name
        if element.tag == "DefaultMessage":
            yield "default message", value
    if element.cdata:
        yield from _of_text(element.cdata)
    for child in element.children:
        if child.tag in ("nop", "label"):
            yield from _of_element(child)
        for action in child.children:
            yield from _of_action(action) if child.tag == "action" else ()
        if child.tag == "action":
            yield "element", "<action>"


def _of_action(action: Element) -> Iterator[tuple[str, str]]:
    yield "action", f"<{action.tag}>"
    for name, value in action.attributes.items():
        yield "action", f"<{action.tag} {name}>"
        yield from _of_text(value)
        if name == "distribution":
            yield "distribution", value


def _of_text(text: str) -> Iterator[tuple[str, str]]:
    keys = {"mykey": "", "empty": ""}
    try:
        keywords = keywords_in(compile_text(text, message=False, keys=keys))
    except ScenarioError:
        return  # An attribute that is no text: a regular expression.
    for keyword in keywords:
        name = SHOWN.get(keyword.name, keyword.name)
        yield "keyword", "[crypto...] (SRTP)" if keyword.name in SRTP_KEYWORDS else f"[{name}]"


def not_built() -> dict[tuple[str, str], str]:
    """Rows that are errors, by asking for them: the engine's own words."""
    out = {("option", f"-{name}"): why for name, why in NOT_YET.items()}
    for row in rows():
        why = _refusal(*row)
        if why:
            out[row] = why
    return out


_SEND = "<send><![CDATA[\nOPTIONS sip:x SIP/2.0\nCall-ID: [call_id]\nX: audio {}\n\n]]></send>"
_SAMPLES = {
    "exec rtp_stream": '<exec rtp_stream="pause"/>',
    "exec play_dtmf": '<exec play_dtmf="1"/>',
    "exec rtp_echo": '<exec rtp_echo="startaudio"/>',
    "exec": '<exec int_cmd="stop_now"/>',
    "closecon": "<closecon/>",
    "rtp_echo": '<rtp_echo value="1"/>',
    "rtp_echo value": '<rtp_echo value="1"/>',
    "urlencode": '<urlencode variable="v"/>',
    "urldecode": '<urldecode variable="v"/>',
}


def _refusal(section: str, name: str) -> str:
    """Why a keyword or action is refused before the start; "" if it is not, or needs no asking."""
    from sipreplay.testing import Playbook

    if section == "keyword" and "SRTP" in name:
        text = _SEND.format("[cryptotag1audio]")
    elif section == "keyword" and name[1:-1] in FIXED_KEYWORDS:
        text = _SEND.format(name)
    elif section == "action" and name[1:-1] in _SAMPLES:
        text = _SEND.format("") + f"<nop><action>{_SAMPLES[name[1:-1]]}</action></nop>"
    else:
        return ""
    reference = '<Reference variables="v"/>' if 'variable="v"' in text else ""
    try:
        Playbook(f"<scenario>{text}{reference}</scenario>", tdm_map="{1-1}{1}{1-1}{1-1}")
    except ScenarioError as error:
        return re.sub(r"^<\w+>: ", "", error.message)
    return ""
