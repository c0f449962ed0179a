"""Reads SIPp's XML into `model.Scenario`: elements, attributes, labels, with SIPp's rules and a line for every error.

Given the bytes, never opens a file. What is XML and what is mended is `markup`'s, whole-file rules are in `checks`,
actions in `actions`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from sipreplay.errors import ScenarioError
from sipreplay.scenario import distributions, model
from sipreplay.scenario.actions import read_action
from sipreplay.scenario.attributes import Attributes
from sipreplay.scenario.checks import scenario_problems
from sipreplay.scenario.extensions import Extensions
from sipreplay.scenario.keywords import compile_default_message, compile_text
from sipreplay.scenario.markup import Document, Element, parse
from sipreplay.scenario.posix import compile_posix

LARGEST_FILE = 16 * 1024 * 1024
ERRORS_OF_A_TEXT = 20
PROBLEMS_TOLD = 1000
DEFAULT_MESSAGES = ("3pcc_abort", "ack", "ack2", "bye", "cancel", "200")
_KEYWORD = re.compile(r"\[[^\]\s'\"]*")
_NAMED = re.compile(r"[^\s,$\[\]\"=]+")


@dataclass(slots=True)
class Examination:
    """All that is to say about a file. Without errors, `scenario` is what `read_scenario` returns."""

    scenario: model.Scenario
    errors: list[ScenarioError]
    """What SIPp refuses, and so do we, in the order of the file's elements, then of the checks."""
    warnings: list[ScenarioError]
    """What is not well-formed but was read."""
    notes: list[ScenarioError]
    """What is well-formed but not for every SIPp, and what has no effect."""
    document: Document


def read_scenario(text: bytes | str, file: str, keys: Mapping[str, str] | None = None) -> model.Scenario:
    """Read a whole scenario file and make all checks of load time.

    `file` is the name that errors show; `keys` are the `-key` values, which texts may use as keywords. The encoding
    declaration is ignored, as SIPp does: bytes reach the wire as they stand in the file. What was mended on the way is
    in the scenario's `warnings`. Raises the first error as ScenarioError with file and line.
    """
    examined = examine_scenario(text, file, keys)
    if examined.errors:
        raise examined.errors[0]
    return examined.scenario


def examine_scenario(text: bytes | str, file: str, keys: Mapping[str, str] | None = None) -> Examination:
    """Read a file and find everything that is wrong with it. Raises ScenarioError only for a file that is too large."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if len(data) > LARGEST_FILE:
        raise ScenarioError(f"the file is larger than {LARGEST_FILE >> 20} MB", file)
    document = parse(in_bytes(data).decode("latin-1"))
    examined = Examination(model.Scenario("", file=file), [], [], [], document)
    for problem in document.problems:
        kind = examined.errors if problem.fatal else examined.notes if problem.note else examined.warnings
        how = "not well-formed XML: " if problem.fatal else ""
        kind.append(ScenarioError(how + problem.message, file, problem.line))
    if document.root is not None:
        _examine(document.root, examined, file, keys or {})
    return examined


def _examine(root: Element, examined: Examination, file: str, keys: Mapping[str, str]) -> None:
    if root.tag != "scenario":
        text = f"the root element is <{_native(root.tag)}>, not <scenario>"
        examined.errors.append(ScenarioError(text, file, root.line))
        return
    reader = _Reader(file, keys)
    examined.scenario = reader.scenario(root)
    examined.warnings += reader.warnings
    examined.notes += reader.notes[:PROBLEMS_TOLD]
    examined.scenario.warnings = [str(warning) for warning in examined.warnings]
    broken = bool(examined.errors)
    examined.errors += reader.errors
    if not broken:
        # With elements swallowed by a missing end tag, whole-file rules would only add noise.
        examined.errors += islice(scenario_problems(examined.scenario, keys, reader.excused), PROBLEMS_TOLD)


def in_bytes(data: bytes) -> bytes:
    """The file in bytes that hold ASCII as ASCII: UTF-16 with its byte order mark becomes UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode()
    return data


def _native(text: str) -> str:
    """Text of the parser (a character a byte) as UTF-8, other bytes as surrogate escapes."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _comment_before(element: Element) -> str:
    """The comment that directly precedes an element, lines without indentation; "" if there is none."""
    if not element.comment:
        return ""
    text = _native(element.comment.replace("\r", ""))
    return "\n".join(line.strip() for line in text.strip().split("\n"))


class _Reader:
    """State while one file is read: the scenario so far, what was wrong, and the default of `hide`."""

    def __init__(self, file: str, keys: Mapping[str, str]) -> None:
        self.file = file
        self.keys = keys
        self.hide = False
        self.out = model.Scenario("", file=file)
        self.errors: list[ScenarioError] = []
        self.warnings: list[ScenarioError] = []
        self.notes: list[ScenarioError] = []
        self.extensions = Extensions(Attributes("scenario", {}, file, 0))
        self.excused: set[str] = set()
        """Names in what could not be read."""

    def scenario(self, root: Element) -> model.Scenario:
        head = self.attributes(root)
        self.out.name = head.raw("name")
        self.extensions = Extensions(head)
        try:
            self.out.unexpected = self.extensions.unexpected(head)
        except ScenarioError as error:
            self.errors.append(error)
        for child in root.children:
            handler = _TOP.get(child.tag)
            if handler is None:
                self.message(child, self.out.elements, self.out.labels)
                continue
            try:
                handler(self, child)
            except ScenarioError as error:
                self.failed(child, error)
        return self.out

    def failed(self, element: Element, error: ScenarioError) -> None:
        """Remember an error, and every name that its element could have meant."""
        self.errors.append(error)
        for value in (*element.attributes.values(), element.cdata or ""):
            self.excused.update(_NAMED.findall(_native(value)))
        for child in element.children:
            for action in (child, *child.children):
                for value in action.attributes.values():
                    self.excused.update(_NAMED.findall(_native(value)))

    def note(self, a: Attributes) -> None:
        """Attributes that nobody asked for."""
        if len(self.notes) < PROBLEMS_TOLD:
            self.notes += a.unused()

    def attributes(self, element: Element) -> Attributes:
        values = {_native(name): _native(value) for name, value in element.attributes.items()}
        return Attributes(_native(element.tag), values, self.file, element.line)

    def cdata(self, element: Element) -> str:
        """The first CDATA section of an element."""
        if element.cdata is None:
            raise self.attributes(element).error("needs its message in <![CDATA[ ... ]]>")
        return _native(element.cdata)

    def checked(self, element: Element, compiled: Callable[[str], object]) -> str:
        """The text of an element, compiled once. Raises its first error, and keeps the others, each at its line."""
        written = self.cdata(element)
        text = written
        found: list[ScenarioError] = []
        for _ in range(ERRORS_OF_A_TEXT):
            try:
                compiled(text)
                break
            except ScenarioError as error:
                named = _KEYWORD.search(error.message)
                place = text.find(named.group()) if named else -1
                line = element.cdata_line + text.count("\n", 0, place) if place >= 0 else element.line
                found.append(ScenarioError(f"<{_native(element.tag)}>: {error.message}", self.file, line))
                end = text.find("]", place)
                if place < 0 or end < 0:
                    break
                # Without that keyword, the next error shows.
                text = text[:place] + "x" * (end + 1 - place) + text[end + 1 :]
        self.errors += found[1:]
        if found:
            raise found[0]
        return written

    def message(self, element: Element, elements: list[model.Element], labels: dict[str, int]) -> None:
        """One message element or label, of the scenario or of its init part."""
        try:
            built = self.built(element, elements, labels)
        except ScenarioError as error:
            self.failed(element, error)
            built = model.Element()
        if built is None:
            return
        built.line = element.line
        built.comment = _comment_before(element)
        for number, child in enumerate(element.children):
            if number == 0 and child.tag == "action":
                self.actions(child, built)
            else:
                text = "has no effect here: SIPp looks only at an <action> that is the first child"
                self.notes.append(self.attributes(child).error(text))
        elements.append(built)

    def actions(self, element: Element, built: model.Element) -> None:
        for child in element.children:
            a = self.attributes(child)
            try:
                built.actions.append(read_action(a, self.keys))
                self.note(a)
            except ScenarioError as error:
                self.failed(child, error)

    def built(self, element: Element, elements: list[model.Element], labels: dict[str, int]) -> model.Element | None:
        """The element without its actions; None for a label."""
        a = self.attributes(element)
        if element.tag == "label":
            label = a.required_text("id")
            if label in labels:
                raise a.error(f'id="{label}" is used twice')
            labels[label] = len(elements)
            return None
        build = _MESSAGES.get(element.tag)
        if build is None:
            near = get_close_matches(a.tag, (*_MESSAGES, *_TOP, "label"), 1, 0.6)
            hint = f"; did you mean <{near[0]}>?" if near else ""
            raise a.error(f"unknown element in a scenario{hint}")
        built = build(self, a, element)
        self.note(a)
        return built

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
            "unexpected": self.extensions.unexpected(a),
            "dialog": self.extensions.dialog(a),
        }

    def send(self, a: Attributes, element: Element) -> model.Element:
        if "response_txn" in a:
            raise a.error("response_txn belongs on a recv")
        text = self.checked(element, lambda text: compile_text(text, message=True, keys=self.keys))
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

    def recv(self, a: Attributes, element: Element) -> model.Element:
        for name in ("start_txn", "ack_txn"):
            if name in a:
                raise a.error(f"{name} belongs on a send")
        request, response = a.raw("request"), a.raw("response")
        if not request and not response:
            self.warnings.append(a.error("without request= or response= it matches nothing; write what it waits for"))
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
        elif response and not request and not re.fullmatch(r"\s*[0-9]{1,9}", response):
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

    def pause(self, a: Attributes, element: Element) -> model.Element:
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

    def nop(self, a: Attributes, element: Element) -> model.Element:
        return model.Nop(**self.common(a))

    def send_command(self, a: Attributes, element: Element) -> model.Element:
        text = self.checked(element, lambda text: compile_default_message(text, self.keys))
        return model.SendCommand(text=text, dest=a.text("dest"), **self.common(a))

    def recv_command(self, a: Attributes, element: Element) -> model.Element:
        return model.RecvCommand(src=a.text("src"), optional=self.optional(a), **self.common(a))

    def optional(self, a: Attributes) -> str:
        optional = a.raw("optional", "false")
        if optional not in ("true", "false", "global"):
            raise a.error(f'optional="{optional}" must be true, false or global')
        return optional

    def init(self, element: Element) -> None:
        for child in element.children:
            if child.tag not in ("nop", "label"):
                self.failed(child, self.attributes(child).error("only <nop> and <label> may stand in <init>"))
                continue
            self.message(child, self.out.init, self.out.init_labels)

    def default_message(self, element: Element) -> None:
        a = self.attributes(element)
        name = a.required("id")
        if name not in DEFAULT_MESSAGES:
            raise a.error(f'id="{name}" must be one of {", ".join(DEFAULT_MESSAGES)}')
        text = self.checked(element, lambda text: compile_default_message(text, self.keys))
        self.out.default_messages[name] = text

    def declared(self, element: Element) -> None:
        lists = {
            "Global": self.out.global_variables,
            "User": self.out.user_variables,
            "Reference": self.out.references,
        }
        lists[element.tag].extend(self.attributes(element).variables("variables"))

    def repartition(self, element: Element) -> None:
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


_TOP: Mapping[str, Callable[[_Reader, Element], None]] = {
    "init": _Reader.init,
    "DefaultMessage": _Reader.default_message,
    "Global": _Reader.declared,
    "User": _Reader.declared,
    "Reference": _Reader.declared,
    "CallLengthRepartition": _Reader.repartition,
    "ResponseTimeRepartition": _Reader.repartition,
}
_MESSAGES: Mapping[str, Callable[[_Reader, Attributes, Element], model.Element]] = {
    "send": _Reader.send,
    "recv": _Reader.recv,
    "pause": _Reader.pause,
    "timewait": _Reader.pause,
    "nop": _Reader.nop,
    "sendCmd": _Reader.send_command,
    "recvCmd": _Reader.recv_command,
}
