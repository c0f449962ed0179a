"""Reads SIPp's XML into `model.Scenario`: elements, attributes, labels, with SIPp's rules and a line for every error.

Given the bytes, never opens a file and never follows an entity or a DTD. Whole-file rules are in `checks`, actions in
`actions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from sipreplay.errors import ScenarioError
from sipreplay.scenario import distributions, model
from sipreplay.scenario.actions import read_action
from sipreplay.scenario.attributes import Attributes
from sipreplay.scenario.checks import check_scenario
from sipreplay.scenario.keywords import compile_default_message, compile_text
from sipreplay.scenario.posix import compile_posix

LARGEST_FILE = 16 * 1024 * 1024
DEFAULT_MESSAGES = ("3pcc_abort", "ack", "ack2", "bye", "cancel", "200")

_HINTS = (
    ("redefined", "an attribute is written twice in one element; remove one"),
    ("EntityRef", "write & as &amp;"),
    ("Entity '", "only &amp; &lt; &gt; &quot; and &apos; are known; write & as &amp;"),
    ("Unescaped '<'", "write < inside an attribute as &lt;"),
    ("attributes construct error", 'put a blank between attributes, and write " inside a value as &quot;'),
    ("AttValue", "put every attribute value in quotes"),
    ("Comment", "write no -- inside a comment"),
    ("hyphen", "write no -- inside a comment"),
    ("Extra content", "remove what follows </scenario>"),
    ("mismatch", "close every element that was opened, in the opposite order"),
    ("amplification", "remove the entities of the DOCTYPE"),
    ("Premature end", "the file is cut; close every element that was opened"),
    ("Char 0x", "write control characters of a message as \\xHH"),
    ("Document is empty", "a scenario begins with <scenario>"),
    ("Start tag expected", "a scenario begins with <scenario>"),
)


def read_scenario(text: bytes | str, file: str, keys: Mapping[str, str] | None = None) -> model.Scenario:
    """Read a whole scenario file and make all checks of load time.

    `file` is the name that errors show; `keys` are the `-key` values, which texts may use as keywords. The encoding
    declaration is ignored, as SIPp does: bytes reach the wire as they stand in the file. Raises ScenarioError with
    file and line.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    root, lines = _parse(data, file)
    scenario = _Reader(file, lines, keys or {}).scenario(root)
    check_scenario(scenario, keys)
    return scenario


def _parse(data: bytes, file: str) -> tuple[Any, list[str]]:
    """The root element and the source lines, each byte a character (ISO 8859-1), so that nothing is lost."""
    if len(data) > LARGEST_FILE:
        raise ScenarioError(f"the file is larger than {LARGEST_FILE >> 20} MB", file)
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"")
    parser = etree.XMLParser(
        encoding="iso-8859-1",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        strip_cdata=False,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        message = error.msg or "empty document"
        hint = next((hint for known, hint in _HINTS if known in message), "compare with the output of -sd uac")
        raise ScenarioError(f"not well-formed XML: {message}; {hint}", file, error.lineno or 1) from None
    lines = data.decode("iso-8859-1").split("\n")
    if root.tag != "scenario":
        raise ScenarioError(f"the root element is <{root.tag}>, not <scenario>", file, _line(root, lines))
    return root, lines


def _line(element: Any, lines: list[str]) -> int:
    """Where a start tag begins; the parser knows where it ends."""
    line = int(element.sourceline or 1)
    tag = re.compile(f"<{re.escape(element.tag)}(?![\\w.-])")
    for candidate in range(line, max(line - 200, 0), -1):
        if candidate <= len(lines) and tag.search(lines[candidate - 1]):
            return candidate
    return line


def _native(text: str) -> str:
    """Text of the parser (a character a byte) as UTF-8, other bytes as surrogate escapes."""
    try:
        data = text.encode("iso-8859-1")
    except UnicodeEncodeError:
        # A character reference such as &#8364; stands for a character, not for a byte.
        data = b"".join(c.encode("iso-8859-1") if ord(c) < 256 else c.encode() for c in text)
    return data.decode("utf-8", "surrogateescape")


def _comment_before(element: Any) -> str:
    """The comment that directly precedes an element, lines without indentation; "" if there is none."""
    before = element.getprevious()
    if before is None or before.tag is not etree.Comment:
        return ""
    return "\n".join(line.strip() for line in _native(before.text or "").strip().split("\n"))


class _Reader:
    """State while one file is read: the scenario so far and the default of `hide`."""

    def __init__(self, file: str, lines: list[str], keys: Mapping[str, str]) -> None:
        self.file = file
        self.lines = lines
        self.keys = keys
        self.hide = False
        self.out = model.Scenario("", file=file)

    def scenario(self, root: Any) -> model.Scenario:
        self.out.name = self.attributes(root).raw("name")
        for child in self.children(root):
            handler = _TOP.get(child.tag)
            if handler is not None:
                handler(self, child)
            else:
                self.message(child, self.out.elements, self.out.labels)
        return self.out

    def children(self, element: Any) -> list[Any]:
        return [child for child in element if isinstance(child.tag, str)]

    def attributes(self, element: Any) -> Attributes:
        values = {_native(name): _native(value) for name, value in element.attrib.items()}
        return Attributes(_native(element.tag), values, self.file, _line(element, self.lines))

    def cdata(self, element: Any) -> str:
        """The first CDATA section of an element."""
        source = etree.tostring(element, encoding="unicode", with_tail=False)
        # A CDATA section can hold what looks like a comment, and a comment what looks like a CDATA section.
        for match in re.finditer(r"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>", source, re.DOTALL):
            if match.group(1) is not None:
                return _native(match.group(1))
        raise self.attributes(element).error("needs its message in <![CDATA[ ... ]]>")

    def message(self, element: Any, elements: list[model.Element], labels: dict[str, int]) -> None:
        """One message element or label, of the scenario or of its init part."""
        a = self.attributes(element)
        if element.tag == "label":
            label = a.required_text("id")
            if label in labels:
                raise a.error(f'id="{label}" is used twice')
            labels[label] = len(elements)
            return
        build = _MESSAGES.get(element.tag)
        if build is None:
            raise a.error("unknown element in a scenario")
        built = build(self, a, element)
        built.line = a.line
        built.comment = _comment_before(element)
        first = next(iter(self.children(element)), None)
        if first is not None and first.tag == "action":
            built.actions = [read_action(self.attributes(child), self.keys) for child in self.children(first)]
        elements.append(built)

    def common(self, a: Attributes) -> dict[str, Any]:
        """The attributes that all message elements share."""
        self.hide = a.boolean("hiderest", self.hide)
        names = {"true": "1", "false": ""}
        start_rtd, rtd = a.raw("start_rtd"), a.raw("rtd")
        counter = a.raw("counter")
        if "$" in counter or "," in counter:
            raise a.error(f'counter="{counter}" must not contain $ or a comma')
        jump = a.raw("next")
        # SIPp looks at test and chance only beside a next.
        chance = a.number("chance") if jump and "chance" in a else 1.0
        if not 0 <= chance <= 1:
            raise a.error(f'chance="{a.raw("chance")}" must be from 0 to 1')
        if a.boolean("repeat_rtd") and names.get(rtd, rtd) == "":
            raise a.error("repeat_rtd needs rtd on the same element")
        return {
            "start_rtd": names.get(start_rtd, start_rtd),
            "rtd": names.get(rtd, rtd),
            "repeat_rtd": a.boolean("repeat_rtd"),
            "counter": counter,
            "crlf": "crlf" in a,
            "next": jump,
            "test": a.variable("test", "") if jump else "",
            "chance": chance,
            "ontimeout": a.raw("ontimeout"),
            "condexec": a.variable("condexec", ""),
            "condexec_inverse": a.boolean("condexec_inverse"),
            "lost": a.number("lost") if "lost" in a else None,
            "ignoresdp": a.boolean("ignoresdp"),
            "hide": a.boolean("hide", self.hide),
            "display": a.raw("display"),
        }

    def send(self, a: Attributes, element: Any) -> model.Element:
        if "response_txn" in a:
            raise a.error("response_txn belongs on a recv")
        text = self.cdata(element)
        try:
            compile_text(text, message=True, keys=self.keys)
        except ScenarioError as error:
            raise a.error(error.message) from None
        if a.raw("start_txn") and a.raw("ack_txn"):
            raise a.error("start_txn and ack_txn exclude each other")
        return model.Send(
            text=text,
            retrans_ms=a.integer("retrans", 0),
            timeout_ms=a.integer("timeout", 0),
            start_txn=a.raw("start_txn"),
            ack_txn=a.raw("ack_txn"),
            **self.common(a),
        )

    def recv(self, a: Attributes, element: Any) -> model.Element:
        for name in ("start_txn", "ack_txn"):
            if name in a:
                raise a.error(f"{name} belongs on a send")
        request, response = a.raw("request"), a.raw("response")
        if not request and not response:
            raise a.error("needs request= or response=; without them it matches nothing")
        optional = self.optional(a)
        advance = a.boolean("advance_state", True)
        if not advance and optional == "false":
            raise a.error('advance_state="false" needs optional="true" or "global"')
        regexp = a.raw("regexp_match") == "true"
        if regexp:
            try:
                compile_posix(request or response)
            except ScenarioError as error:
                raise a.error(error.message) from None
        elif not request and not re.fullmatch(r"\s*[0-9]{1,9}", response):
            raise a.error(f'response="{response}" must be a status code, or a pattern with regexp_match="true"')
        response_txn = a.raw("response_txn")
        if response_txn and request:
            raise a.error("response_txn belongs on a recv of a response")
        return model.Recv(
            request=request,
            response="" if request else response,
            optional=optional,
            advance_state=advance,
            regexp_match=regexp,
            timeout_ms=a.integer("timeout", 0),
            rrs=a.boolean("rrs"),
            auth=a.boolean("auth"),
            response_txn=response_txn,
            **self.common(a),
        )

    def pause(self, a: Attributes, element: Any) -> model.Element:
        timewait = a.tag == "timewait"
        for name in ("next", "ontimeout"):
            if timewait and a.raw(name):
                raise a.error(f"{name} is not allowed on <timewait>")
        variable = a.variable("variable", "")
        distribution = None if variable else distributions.read_distribution(a)
        milliseconds = None
        if not variable and distribution is None and "milliseconds" in a:
            value = a.number("milliseconds")
            if value >= 0 and value == int(value):
                milliseconds = int(value)
            else:
                distribution = model.Distribution("fixed", (("value", value),))
        sane = a.boolean("sanity_check", True)
        longest = distributions.percentile_99(distribution) if distribution else milliseconds or 0
        if sane and longest > distributions.LONGEST_MS:
            raise a.error(
                f"the pause can last longer than {distributions.LONGEST_MS} ms; "
                'if that is meant, add sanity_check="false"'
            )
        return model.Pause(
            milliseconds=milliseconds,
            variable=variable,
            distribution=distribution,
            sanity_check=sane,
            timewait=timewait,
            **self.common(a),
        )

    def nop(self, a: Attributes, element: Any) -> model.Element:
        return model.Nop(**self.common(a))

    def send_command(self, a: Attributes, element: Any) -> model.Element:
        text = self.cdata(element)
        try:
            compile_default_message(text, self.keys)
        except ScenarioError as error:
            raise a.error(error.message) from None
        return model.SendCommand(text=text, dest=a.text("dest"), **self.common(a))

    def recv_command(self, a: Attributes, element: Any) -> model.Element:
        return model.RecvCommand(src=a.text("src"), optional=self.optional(a), **self.common(a))

    def optional(self, a: Attributes) -> str:
        optional = a.raw("optional", "false")
        if optional not in ("true", "false", "global"):
            raise a.error(f'optional="{optional}" must be true, false or global')
        return optional

    def init(self, element: Any) -> None:
        for child in self.children(element):
            if child.tag not in ("nop", "label"):
                raise self.attributes(child).error("only <nop> and <label> may stand in <init>")
            self.message(child, self.out.init, self.out.init_labels)

    def default_message(self, element: Any) -> None:
        a = self.attributes(element)
        name = a.required("id")
        if name not in DEFAULT_MESSAGES:
            raise a.error(f'id="{name}" must be one of {", ".join(DEFAULT_MESSAGES)}')
        text = self.cdata(element)
        try:
            compile_default_message(text, self.keys)
        except ScenarioError as error:
            raise a.error(error.message) from None
        self.out.default_messages[name] = text

    def declared(self, element: Any) -> None:
        lists = {
            "Global": self.out.global_variables,
            "User": self.out.user_variables,
            "Reference": self.out.references,
        }
        lists[element.tag].extend(self.attributes(element).variables("variables"))

    def repartition(self, element: Any) -> None:
        a = self.attributes(element)
        value = a.required_text("value")
        parts = re.split(r"[\s,]+", value)
        if not all(re.fullmatch(r"[0-9]{0,18}", part) for part in parts):
            raise a.error(f'value="{value}" must be a comma list of milliseconds')
        bounds = sorted(int(part) for part in parts if part)
        if element.tag == "CallLengthRepartition":
            self.out.call_length_repartition = bounds
        else:
            self.out.response_time_repartition = bounds


_TOP: Mapping[str, Callable[[_Reader, Any], None]] = {
    "init": _Reader.init,
    "DefaultMessage": _Reader.default_message,
    "Global": _Reader.declared,
    "User": _Reader.declared,
    "Reference": _Reader.declared,
    "CallLengthRepartition": _Reader.repartition,
    "ResponseTimeRepartition": _Reader.repartition,
}
_MESSAGES: Mapping[str, Callable[[_Reader, Attributes, Any], model.Element]] = {
    "send": _Reader.send,
    "recv": _Reader.recv,
    "pause": _Reader.pause,
    "timewait": _Reader.pause,
    "nop": _Reader.nop,
    "sendCmd": _Reader.send_command,
    "recvCmd": _Reader.recv_command,
}
