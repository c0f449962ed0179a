"""One start tag of a scenario file: its attributes, by XML's rules or, where they do not hold, by SIPp's.

What SIPp makes of a defect was tried with SIPp 3.6.1: of two equal attributes the first counts, an attribute without a
blank before it is not seen, what is between attributes and none is skipped, `\\"` does not end a value. Where a newer
SIPp reads what 3.6.1 refuses (a `<` in a value), that counts. Problems are (message, offset, fatal, edits...), edits
(start, end, text).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

_NAME = r"[A-Za-z_:\x80-\xff][\w.:\x80-\xff-]*"
_STRICT = re.compile(rf"""<({_NAME})((?:\s+{_NAME}\s*=\s*(?:"[^<"]*"|'[^<']*'))*)\s*(/?)>""", re.ASCII)
_LOOSE = re.compile(rf"""<({_NAME})((?:\s+{_NAME}\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>""", re.ASCII)
_PAIR = re.compile(rf"""\s+({_NAME})\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.ASCII)
_TAG_NAME = re.compile(_NAME, re.ASCII)
_BLANKS = re.compile(r"[ \t\r\n]*")
_SLASH = re.compile(r"/[ \t\r\n]*>")
_JUNK = re.compile(r"[^\s<>/A-Za-z_:\x80-\xff]+|/|[0-9.-][\w.:-]*")
_UNQUOTED = re.compile(r"[^\s<>\"']*")
_REFERENCE = re.compile(
    r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));|&|<|[\x00-\x08\x0b\x0c\x0e-\x1f]"
)
_MEANING = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANK = " \t\r\n"

REFERENCE_LIMIT = 2000
"""References, & and < in one value."""
PROBLEM_LIMIT = 40
"""In one tag; with more, reading on makes no sense."""

Found = tuple[Any, ...]
"""A problem: message, offset, fatal, edits..."""


@dataclass(slots=True)
class Tag:
    """A start tag, up to and including its `>`."""

    name: str
    end: int
    empty: bool
    """It ends in `/>`."""
    attributes: dict[str, str]
    problems: list[Found] = field(default_factory=list)


def read_tag(text: str, start: int) -> Tag | None:
    """The tag at `start`, where a `<` stands; None if no element begins there."""
    match = _STRICT.match(text, start) or _LOOSE.match(text, start)
    if match is None:
        name = _TAG_NAME.match(text, start + 1)
        return _Scan(text, start, name.group(), name.end()).tag() if name else None
    tag = Tag(match.group(1), match.end(), bool(match.group(3)), {})
    for pair in _PAIR.finditer(text, match.start(2), match.end(2)):
        group = 2 if pair.group(2) is not None else 3
        _add(tag, text, pair.group(1), pair.start(1), pair.start(group), pair.end(group))
    return tag


def comment_of(text: str, *, padded: bool = True) -> str:
    """A comment that XML allows, with this text."""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "?", text)
    while "--" in text:
        text = text.replace("--", "- -")
    return f"<!-- {text} -->" if padded else f"<!--{text}{' ' if text.endswith('-') else ''}-->"


def doctype_end(text: str, start: int) -> int:
    """Where a `<!...>` ends, past quoted texts and an internal subset; -1 if it does not."""
    depth = 0
    for match in re.compile(r"""["'][^"'<>]*["']|[<>]""").finditer(text, start):
        if match.group() == "<":
            depth += 1
        elif match.group() == ">":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1


def _add(tag: Tag, text: str, name: str, at: int, start: int, end: int) -> None:
    """Take one attribute whose value stands from `start` to `end`."""
    value = _value(tag, text, name, start, end)
    if name not in tag.attributes:
        tag.attributes[name] = value
        return
    if tag.attributes[name] == value:
        edit = (at, end + 1, "")
        tag.problems.append((f"<{tag.name}>: {name}= is written twice; remove one", at, False, edit))
    else:
        _ignore(tag, name, at, f"{name}= is written twice, and the first counts; remove the other")


def _ignore(tag: Tag, name: str, at: int, message: str, before: str = "") -> None:
    """An attribute that SIPp does not see: mended by a name that means nothing, so that nothing is lost."""
    renamed = f"ignored_{name}"
    if renamed in tag.attributes:
        renamed = f"{renamed}_{len(tag.problems)}"
    tag.attributes[renamed] = ""
    tag.problems.append((f"<{tag.name}>: {message}", at, False, (at, at + len(name), before + renamed)))


def _value(tag: Tag, text: str, name: str, start: int, end: int) -> str:
    """What an attribute says: references decoded, line ends and tabs as blanks; what is none of XML's, kept."""
    raw = text[start:end]
    if "\r" in raw or "\n" in raw or "\t" in raw:
        raw = raw.replace("\r\n", "\n").replace("\r", "\n") if "\r" in raw else raw
        raw = raw.replace("\n", " ").replace("\t", " ")
    if "&" not in raw and "<" not in raw and not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", raw):
        return raw
    found: dict[str, list[re.Match[str]]] = {"&": [], "<": [], "": [], "ok": []}
    for match in islice(_REFERENCE.finditer(text, start, end), REFERENCE_LIMIT + 1):
        found[_kind(match)].append(match)
    if sum(map(len, found.values())) > REFERENCE_LIMIT:
        tag.problems.append((f"<{tag.name}>: {name}= has more than {REFERENCE_LIMIT} & and <", start, True))
        return raw
    for message, what, written, fatal in (
        ("write & as &amp;", "&", "&amp;", False),
        ("write < as &lt;", "<", "&lt;", False),
        ("a control character; write it as \\xHH", "", "", True),
    ):
        places = found[what]
        if places:
            edits = [(m.start(), m.end(), written) for m in places] if written else []
            tag.problems.append((f"<{tag.name}>: in {name}=, {message}", places[0].start(), fatal, *edits))
    return _REFERENCE.sub(_decoded, raw)


def _code_point(match: re.Match[str]) -> int:
    """Of a character reference; -1 for one to a character that XML cannot hold, or for no reference."""
    digits, hexadecimal = match.group(2), match.group(3)
    if digits is None and hexadecimal is None:
        return -1
    code = int(digits) if digits is not None else int(hexadecimal, 16)
    legal = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return code if legal else -1


def _kind(match: re.Match[str]) -> str:
    """`&` or `<` for one that is to be escaped, "" for a control character, "ok" for a reference."""
    text = match.group()
    if text == "<":
        return "<"
    if text.startswith("&"):
        return "ok" if match.group(1) or _code_point(match) >= 0 else "&"
    return ""


def _decoded(match: re.Match[str]) -> str:
    name = match.group(1)
    if name:
        return _MEANING[name]
    code = _code_point(match)
    # Texts are bytes: a reference stands for the bytes of its character in UTF-8.
    return chr(code).encode().decode("latin-1") if code >= 0 else match.group()


class _Scan:
    """A tag that is not XML, read from attribute to attribute."""

    def __init__(self, text: str, start: int, name: str, position: int) -> None:
        self.text = text
        self.start = start
        self.position = position
        self.found = Tag(name, position, False, {})

    def tag(self) -> Tag:
        while self.step():
            pass
        self.found.end = self.position
        return self.found

    def problem(self, message: str, at: int, fatal: bool, *edits: tuple[int, int, str]) -> None:
        self.found.problems.append((f"<{self.found.name}>: {message}", at, fatal, *edits))

    def step(self) -> bool:
        """One thing of the tag; False at its end."""
        text = self.text
        self.position = at = self.blanks(self.position)
        if len(self.found.problems) >= PROBLEM_LIMIT:
            self.problem("too much is wrong with this tag; look for a quote that is missing", self.start, True)
            self.position = text.find(">", at) + 1 or len(text)
            return False
        slash = _SLASH.match(text, at)
        if text.startswith(">", at):
            self.position += 1
            return False
        if slash is not None:
            if slash.end() - at > 2:
                self.problem("a blank between / and >; remove it", at, True, (at, slash.end(), "/>"))
            self.found.empty = True
            self.position = slash.end()
            return False
        if text.startswith("<!--", at) and text.find("-->", at) > 0:
            self.position = text.find("-->", at) + 3
            moved = (self.start, self.start, text[at : self.position] + " ")
            self.problem("a comment inside of a tag; move it out", at, False, moved, (at, self.position, ""))
            return True
        if at >= len(text) or text[at] == "<":
            self.problem("the tag is never closed; end it with > or />", self.start, True)
            return False
        name = _TAG_NAME.match(text, at)
        if name is None:
            return self.junk(at)
        return self.attribute(name)

    def blanks(self, position: int) -> int:
        match = _BLANKS.match(self.text, position)
        return match.end() if match else position

    def junk(self, at: int) -> bool:
        match = _JUNK.match(self.text, at)
        end = match.end() if match else at + 1
        shown = self.text[at:end]
        self.problem(f"{shown} between attributes is ignored; remove it", at, False, (at, end, " "))
        self.position = end
        return True

    def attribute(self, name: re.Match[str]) -> bool:
        text = self.text
        equals = self.blanks(name.end())
        if not text.startswith("=", equals):
            message = f"{name.group()} has no value and is ignored; remove it"
            self.problem(message, name.start(), False, (name.start(), name.end(), ""))
            self.position = name.end()
            return True
        start = self.blanks(equals + 1)
        if text[start : start + 1] not in ('"', "'"):
            return self.unquoted(name.group(), start)
        end = self.closing(start)
        if end < 0:
            self.problem(f"the value of {name.group()}= has no closing {text[start]}; add it", name.start(), True)
            stop = re.compile(r"/?>|\n").search(text, start)
            self.position = stop.start() if stop else len(text)
            return True
        self.position = end + 1
        if text[name.start() - 1] not in _BLANK:
            message = (
                f"no blank before {name.group()}=, so SIPp does not see it, and it is ignored; "
                "put a blank before it if it shall count, else remove it"
            )
            _value(self.found, text, name.group(), start + 1, end)
            _ignore(self.found, name.group(), name.start(), message, " ")
            return True
        escaped = [(m.start(), m.end(), "&quot;") for m in _escaped_quotes(text, start + 1, end)]
        if escaped:
            self.problem(f'in {name.group()}=, write \\" as &quot;', escaped[0][0], False, *escaped)
        _add(self.found, text, name.group(), name.start(), start + 1, end)
        return True

    def unquoted(self, name: str, start: int) -> bool:
        match = _UNQUOTED.match(self.text, start)
        end = match.end() if match else start
        if self.text[end - 1 : end + 1] == "/>" and end > start:
            end -= 1
        value = self.text[start:end]
        quote = len(self.text[end : end + 1].strip("<>/ \t\r\n"))
        self.problem(
            f'the value of {name}= is not in quotes; write {name}="{value}"',
            start,
            True,
            (start, end + quote, '"' + value.replace("&", "&amp;") + '"'),
        )
        self.found.attributes.setdefault(name, value)
        self.position = end + quote
        return True

    def closing(self, start: int) -> int:
        """Where the value that `start` opens is closed; -1 if it is not, or a line end shows that it was forgotten."""
        text, quote = self.text, self.text[start]
        position = start + 1
        while position < len(text):
            if text[position] == quote:
                break
            position += 2 if text[position] == "\\" and quote == '"' else 1
        else:
            return -1
        after = text[position + 1 : position + 2]
        forgotten = "\n" in text[start:position] and after not in ("", *_BLANK, ">", "/", ",", ";")
        return -1 if forgotten else position


def _escaped_quotes(text: str, start: int, end: int) -> list[re.Match[str]]:
    return [m for m in re.compile(r"\\(.)", re.DOTALL).finditer(text, start, end) if m.group(1) == '"']
