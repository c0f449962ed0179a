"""Writes `model.Scenario` as the XML that a SIPp engineer would write by hand, readable by SIPp and by `reader`.

Two blanks of indentation, messages laid out as in SIPp's own `-sd uac`, defaults left out, attributes in one fixed
order. `read_scenario(write_scenario(s))` equals `s`, apart from line numbers, blanks around comments, and `--` in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sipreplay.errors import ScenarioError
from sipreplay.scenario import model
from sipreplay.scenario.action_writers import Pairs, write_action, written_distribution, written_number
from sipreplay.scenario.attributes import escape_backslashes, escape_entities
from sipreplay.scenario.extensions import NAMESPACE

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'

_ILLEGAL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_NEVER_IN_CDATA = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|(?<=\]\])>")


def write_scenario(scenario: model.Scenario) -> str:
    """The whole file; encode it as UTF-8 with `surrogateescape`.

    A control character in a message is written `\\xHH`, which sends the same byte. Raises ScenarioError for one in an
    attribute, and for a label that points past the end.
    """
    out = [HEAD]
    if scenario.comment:
        out.append("\n" + _comment(scenario.comment, ""))
    head = [("name", scenario.name)]
    if scenario.unexpected or any(
        element.unexpected or element.dialog for element in (*scenario.init, *scenario.elements)
    ):
        head += [("xmlns:sr", NAMESPACE), *_given(**{"sr:unexpected": scenario.unexpected})]
    out.append(f"\n<scenario{_attributes(head)}>\n")
    for tag, names in (("Global", scenario.global_variables), ("User", scenario.user_variables)):
        if names:
            out.append(f"  <{tag}{_attributes([('variables', ','.join(names))])}/>\n")
    for name, text in scenario.default_messages.items():
        out.append(f"\n  <DefaultMessage{_attributes([('id', name)])}>\n{_cdata(text)}  </DefaultMessage>\n")
    if scenario.init or scenario.init_labels:
        out.append("\n  <init>\n")
        out += _elements(scenario.init, scenario.init_labels, "    ")
        out.append("\n  </init>\n")
    out += _elements(scenario.elements, scenario.labels, "  ")
    tail: list[str] = []
    if scenario.references:
        tail.append(f"  <Reference{_attributes([('variables', ','.join(scenario.references))])}/>\n")
    for tag, bounds in (
        ("ResponseTimeRepartition", scenario.response_time_repartition),
        ("CallLengthRepartition", scenario.call_length_repartition),
    ):
        if bounds:
            tail.append(f'  <{tag} value="{", ".join(map(str, bounds))}"/>\n')
    if tail:
        out += ["\n", *tail]
    out.append("\n</scenario>\n")
    return "".join(out)


def _elements(elements: list[model.Element], labels: dict[str, int], indent: str) -> Iterable[str]:
    if any(not 0 <= place <= len(elements) for place in labels.values()):
        raise ScenarioError("a label points past the end of the scenario")
    for index in range(len(elements) + 1):
        for label in (name for name, place in labels.items() if place == index):
            yield f"\n{indent}<label{_attributes([('id', escape_entities(label))])}/>\n"
        if index < len(elements):
            element = elements[index]
            yield "\n" + (_comment(element.comment, indent) if element.comment else "")
            yield _element(element, indent)


def _element(element: model.Element, indent: str) -> str:
    tag, pairs = _own_attributes(element)
    start = f"{indent}<{tag}{_attributes(pairs + _common_attributes(element))}"
    inside = ""
    if isinstance(element, model.Send | model.SendCommand):
        inside = _cdata(element.text, indent)
    if element.actions:
        inside += f"{indent}  <action>\n"
        for action in element.actions:
            name, values = write_action(action)
            inside += f"{indent}    <{name}{_attributes(values)}/>\n"
        inside += f"{indent}  </action>\n"
    # SIPp's own files close an empty <recv> so, and scripts that edit the output of -sd look for it.
    return f"{start}>\n{inside}{indent}</{tag}>\n" if inside or tag == "recv" else f"{start}/>\n"


def _own_attributes(element: model.Element) -> tuple[str, Pairs]:
    """Tag and the attributes that only this kind of element has."""
    pairs: Pairs = []
    if isinstance(element, model.Send):
        pairs += _given(retrans=element.retrans_ms, timeout=element.timeout_ms)
        pairs += _given(start_txn=element.start_txn, ack_txn=element.ack_txn)
        return "send", pairs
    if isinstance(element, model.Recv):
        pairs += _given(request=element.request, response=element.response, regexp_match=element.regexp_match)
        if element.optional != "false":
            pairs.append(("optional", element.optional))
        if not element.advance_state:
            pairs.append(("advance_state", "false"))
        pairs += _given(response_txn=element.response_txn, rrs=element.rrs, auth=element.auth)
        pairs += _given(timeout=element.timeout_ms)
        return "recv", pairs
    if isinstance(element, model.Pause):
        if element.variable:
            pairs.append(("variable", element.variable))
        elif element.distribution is not None:
            pairs += written_distribution(element.distribution)
        elif element.milliseconds is not None:
            pairs.append(("milliseconds", str(element.milliseconds)))
        if not element.sanity_check:
            pairs.append(("sanity_check", "false"))
        return ("timewait" if element.timewait else "pause"), pairs
    if isinstance(element, model.SendCommand):
        return "sendCmd", _given(dest=element.dest)
    if isinstance(element, model.RecvCommand):
        pairs += _given(src=element.src)
        if element.optional != "false":
            pairs.append(("optional", element.optional))
        return "recvCmd", pairs
    return "nop", pairs


def _common_attributes(element: model.Element) -> Pairs:
    pairs = _given(ontimeout=element.ontimeout)
    pairs += [(name, "true" if value == "1" else value) for name, value in _given(start_rtd=element.start_rtd)]
    pairs += [(name, "true" if value == "1" else value) for name, value in _given(rtd=element.rtd)]
    pairs += _given(repeat_rtd=element.repeat_rtd, counter=element.counter)
    pairs += _given(next=element.next, test=element.test)
    if element.chance != 1.0:
        pairs.append(("chance", written_number(element.chance)))
    pairs += _given(condexec=element.condexec, condexec_inverse=element.condexec_inverse)
    if element.lost is not None:
        pairs.append(("lost", written_number(element.lost)))
    pairs += _given(**{"sr:unexpected": element.unexpected, "sr:dialog": element.dialog})
    return pairs + _given(ignoresdp=element.ignoresdp, hide=element.hide, display=element.display, crlf=element.crlf)


def _given(**values: str | int | bool) -> Pairs:
    """Those that are not empty, 0 or False."""
    return [
        (name, ("true" if value else "false") if isinstance(value, bool) else str(value))
        for name, value in values.items()
        if value
    ]


def _attributes(pairs: Pairs) -> str:
    return "".join(f' {name}="{_value(name, value)}"' for name, value in pairs)


def _value(name: str, value: str) -> str:
    value = escape_backslashes(value)
    illegal = _ILLEGAL.search(value)
    if illegal:
        raise ScenarioError(f"XML cannot hold the character {illegal.group()!r} in {name}=; write it as \\xHH")
    return value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _cdata(text: str, indent: str = "  ") -> str:
    """The CDATA section of a message; the text itself is kept character for character."""
    text = _NEVER_IN_CDATA.sub(lambda match: f"\\x{ord(match.group()):02X}", text)
    return f"{indent}  <![CDATA[{text}]]>\n"


def laid_out(message: str, indent: str = "      ") -> str:
    """The text of a `Send` as SIPp's own files lay it out: on lines of its own, indented, between empty lines.

    `message`: one line a header or body line, LF between them, without indentation; a body ends in LF exactly if it
    shall end in CRLF on the wire. Compiling the result gives `message` with CRLFs (and the empty line after the
    headers).
    """
    stripped = message.rstrip("\n")
    ends = len(message) - len(stripped)
    has_body = "\n\n" in stripped
    if has_body and ends > 1:
        stripped += "\\x0D\\x0A" * (ends - 1)
    body = "\n".join(indent + line if line else "" for line in stripped.split("\n"))
    return f"\n\n{body}" + ("" if has_body and not ends else "\n\n    ")


def _comment(text: str, indent: str) -> str:
    """A comment of one or more lines; `--`, which XML forbids, is broken up."""
    text = _ILLEGAL.sub("?", text).replace("--", "- -").replace("--", "- -")
    lines = text.strip("\n").split("\n")
    if len(lines) == 1:
        return f"{indent}<!-- {lines[0].rstrip('-') if lines[0].endswith('-') else lines[0]} -->\n"
    body = "".join(f"{indent}     {line}".rstrip() + "\n" for line in lines[1:])
    return f"{indent}<!-- {lines[0]}\n{body.rstrip(chr(10))} -->\n"
