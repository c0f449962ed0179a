"""The XML of a scenario file, read as forgivingly as SIPp reads it: elements with exact lines, and what was mended.

A well-formed file gives the tree that any XML parser gives. What only SIPp reads gives the tree that SIPp makes of it,
and a problem that says how to mend the file; what no SIPp reads gives a problem that is fatal. Never expands an entity,
never follows a DTD, never opens a file. Attribute values and message texts are kept as `tags` and the file have them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

from sipreplay.scenario import tags
from sipreplay.scenario.declaration import check_declaration

DEPTH_LIMIT = 64
ATTRIBUTE_LIMIT = 200
PROBLEM_LIMIT = 500
"""A file with more is something else; reading stops."""

ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that XML cannot hold."""
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_DOCTYPE = re.compile(
    r"<!DOCTYPE\s+[A-Za-z_][\w.-]*(\s+SYSTEM\s+(\"[^\"]*\"|'[^']*')|\s+PUBLIC\s+(\"[^\"]*\"|'[^']*')\s+(\"[^\"]*\"|'[^']*'))?\s*>"
)
_END_TAG = re.compile(r"</([^\s<>/]+)([^<>]*)>")
_BLANK = " \t\r\n"


class Edit(NamedTuple):
    """Replace `start` to `end` (offsets into the text of the file) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not well-formed. `edits` mend it; without them only the author can."""

    message: str
    line: int
    fatal: bool = False
    """No SIPp reads it; otherwise some SIPp does, and so do we."""
    edits: tuple[Edit, ...] = ()
    note: bool = False
    """It is well-formed, but SIPp 3.6.1 refuses it."""


@dataclass(slots=True)
class Element:
    """One element. Texts are of the file's bytes, a character (to U+00FF) each."""

    tag: str
    line: int
    """Where its start tag begins, from 1."""
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    cdata: str | None = None
    """Its first CDATA section."""
    cdata_line: int = 0
    """Where that begins."""
    comment: str = ""
    """The comment directly before it."""


@dataclass(slots=True)
class Document:
    """What was read. `root` is None if there is no element at all."""

    text: str
    root: Element | None
    problems: list[Problem]

    def mended(self) -> str:
        """The text with all mends made."""
        return apply_edits(self.text, (edit for problem in self.problems for edit in problem.edits))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits made; of two that overlap the first wins."""
    out: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start >= position:
            out += (text[position : edit.start], edit.text)
            position = edit.end
    return "".join((*out, text[position:]))


def parse(text: str) -> Document:
    """Read a whole file, its bytes as characters. Problems are in the order in which they were found."""
    return _Parser(text).document()


class _Stop(Exception):
    """Nothing sensible can be read after this."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.ended = False
        """The root element is closed."""
        self.comments = [""]
        """The comment that an element would follow, for each open element."""
        self.starts = [match.end() for match in re.finditer("\n", text)]

    def document(self) -> Document:
        for problem in check_declaration(self.text):
            self.problem(*problem)
        marked = self.text.startswith("\xef\xbb\xbf")
        if not self.problems:
            self.notes(marked)
        try:
            self.content(3 if marked else 0)
            self.close_all()
        except _Stop:
            pass
        return Document(self.text, self.root, self.problems)

    def notes(self, marked: bool) -> None:
        """What is well-formed, but not for SIPp 3.6.1."""
        refused = "SIPp 3.6.1 refuses such a file"
        if marked:
            edit = Edit(0, 3, "")
            self.problems.append(
                Problem(f"a byte order mark before <?xml; {refused}: remove it", 1, False, (edit,), True)
            )
        if "<?xml " not in self.text:
            edit = Edit(3 if marked else 0, 3 if marked else 0, '<?xml version="1.0" encoding="UTF-8"?>\n')
            self.problems.append(
                Problem(f"no <?xml ...?> on the first line; {refused}: add it", 1, False, (edit,), True)
            )

    def line(self, position: int) -> int:
        return bisect_right(self.starts, position) + 1

    def problem(self, message: str, position: int, fatal: bool = False, *edits: tuple[int, int, str]) -> None:
        made = tuple(Edit(*edit) for edit in edits)
        self.problems.append(Problem(message, self.line(position), fatal, made))
        if len(self.problems) >= PROBLEM_LIMIT:
            raise _Stop

    def stop(self, message: str, position: int) -> _Stop:
        self.problem(message, position, True)
        return _Stop()

    def content(self, position: int) -> None:
        text = self.text
        while True:
            start = text.find("<", position)
            self.characters(position, len(text) if start < 0 else start)
            if start < 0:
                return
            if text.startswith("<!--", start):
                position = self.comment(start)
            elif text.startswith("<![CDATA[", start):
                position = self.cdata(start)
            elif text.startswith("<!", start):
                position = self.doctype(start)
            elif text.startswith("<?", start):
                position = self.instruction(start)
            elif text.startswith("</", start):
                position = self.end_tag(start)
            else:
                position = self.start_tag(start)

    def characters(self, start: int, end: int) -> None:
        """Text outside of CDATA: nothing reads it, but XML has rules for it."""
        text = self.text[start:end]
        if not text.strip(_BLANK):
            return
        if not self.stack:
            where = "after </scenario>" if self.ended else "before <scenario>"
            begin = start + len(text) - len(text.lstrip(_BLANK))
            finish = start + len(text.rstrip(_BLANK))
            note = tags.comment_of(self.text[begin:finish])
            self.problem(
                f"text {where} is ignored; remove it, or make it a comment", begin, False, (begin, finish, note)
            )
            return
        if text.count("&") + text.count("]]>") > tags.REFERENCE_LIMIT:
            raise self.stop(f"more than {tags.REFERENCE_LIMIT} & and ]]> in text between elements", start)
        edits = [(start + m.start(), start + m.start() + 1, "&amp;") for m in re.finditer("&", text)]
        edits = [edit for edit in edits if not _ENTITY.match(self.text, edit[0])]
        if edits:
            self.problem("a & in text between elements; write &amp;", edits[0][0], False, *edits)
        ends = [(start + m.start(), start + m.end(), "]]&gt;") for m in re.finditer("]]>", text)]
        if ends:
            self.problem("]]> without <![CDATA[ is ignored; remove it", ends[0][0], False, *ends)
        self.illegal(start, end)

    def illegal(self, start: int, end: int) -> None:
        found = islice(ILLEGAL.finditer(self.text[start:end]), tags.REFERENCE_LIMIT)
        edits = [(start + m.start(), start + m.end(), "?") for m in found]
        if edits:
            self.problem("a control character, which XML cannot hold; remove it", edits[0][0], False, *edits)

    def comment(self, start: int) -> int:
        end = self.text.find("-->", start + 4)
        if end < 0:
            raise self.stop("the comment that begins here is never closed; close it with -->", start)
        text = self.text[start + 4 : end]
        if "--" in text or text.endswith("-"):
            edit = (start, end + 3, tags.comment_of(text, padded=False))
            self.problem("a comment cannot hold --, nor end in -; write - - or one dash", start, False, edit)
        else:
            self.illegal(start, end)
        self.comments[-1] = text
        return end + 3

    def cdata(self, start: int) -> int:
        end = self.text.find("]]>", start)
        if end < 0:
            raise self.stop("the <![CDATA[ that begins here is never closed; close it with ]]>", start)
        text = self.text[start + 9 : end]
        if not self.stack:
            self.problem(
                "a CDATA section outside of <scenario> is ignored; remove it", start, False, (start, end + 3, "")
            )
            return end + 3
        if self.stack[-1].cdata is None:
            self.stack[-1].cdata = text.replace("\r", "")
            self.stack[-1].cdata_line = self.line(start)
        found = list(islice(ILLEGAL.finditer(text), tags.REFERENCE_LIMIT + 1))
        if len(found) > tags.REFERENCE_LIMIT:
            raise self.stop(
                f"more than {tags.REFERENCE_LIMIT} control characters in a message; read them with [file]", start
            )
        if found:
            edits = [(start + 9 + m.start(), start + 9 + m.end(), f"\\x{ord(m.group()):02X}") for m in found]
            self.problem(
                "a control character in a message; write it as \\xHH, which sends the same byte",
                edits[0][0],
                any(m.group() == "\0" for m in found),
                *edits,
            )
        return end + 3

    def doctype(self, start: int) -> int:
        end = tags.doctype_end(self.text, start)
        if end < 0:
            raise self.stop("the declaration that begins here is never closed; close it with >", start)
        standard = '<!DOCTYPE scenario SYSTEM "sipp.dtd">'
        if not self.text.startswith("<!DOCTYPE", start) or self.root is not None:
            known = self.text[start : start + 12].split()[0]
            self.problem(f"{known} has no place here and is ignored; remove it", start, False, (start, end, ""))
        elif not _DOCTYPE.fullmatch(self.text, start, end) and "[" not in self.text[start:end]:
            self.problem(f"write the DOCTYPE as {standard}", start, False, (start, end, standard))
        return end

    def instruction(self, start: int) -> int:
        end = self.text.find("?>", start)
        if self.text.startswith("<?xml ", start) and (end < 0 or "<" in self.text[start + 1 : end]):
            return self.text.find(">", start) + 1 or len(self.text)
        if end < 0:
            raise self.stop("the <? that begins here is never closed; close it with ?>", start)
        return end + 2

    def end_tag(self, start: int) -> int:
        match = _END_TAG.match(self.text, start)
        if match is None:
            raise self.stop("an end tag that is none; write </NAME>", start)
        name, rest = match.groups()
        if rest.strip(_BLANK):
            self.problem(
                f"</{name}> cannot have attributes; remove them", start, False, (match.start(2), match.end(2), "")
            )
        if not self.stack:
            self.problem(f"</{name}> closes nothing; remove it", start, self.root is None, (start, match.end(), ""))
        elif self.stack[-1].tag == name:
            self.pop()
        elif any(element.tag == name for element in self.stack):
            while self.stack[-1].tag != name:
                self.unclosed()
            self.pop()
        else:
            top = self.stack[-1]
            edits: tuple[tuple[int, int, str], ...] = ()
            if get_close_matches(name, [top.tag], 1, 0.5):
                edits = ((match.start(1), match.end(1), top.tag),)
            message = f"</{name}> closes nothing: the <{top.tag}> of line {top.line} is open; write </{top.tag}>"
            self.problem(message, start, True, *edits)
            if edits:
                self.pop()
        return match.end()

    def pop(self) -> None:
        self.stack.pop()
        self.comments.pop()
        self.ended = not self.stack

    def unclosed(self) -> None:
        element = self.stack[-1]
        message = f"<{element.tag}> is never closed; end its tag with /> or add </{element.tag}>"
        self.problems.append(Problem(message, element.line, True))
        self.pop()

    def close_all(self) -> None:
        """The end of the file; SIPp 3.6.1 does not miss the end tag of the root."""
        if self.root is None:
            self.problem("there is no element; a scenario begins with <scenario>", 0, True)
        while len(self.stack) > 1:
            self.unclosed()
        if self.stack:
            end = len(self.text)
            tag = self.stack[0].tag
            self.problem(f"</{tag}> is missing at the end; add it", end, False, (end, end, f"\n</{tag}>\n"))

    def start_tag(self, start: int) -> int:
        tag = tags.read_tag(self.text, start)
        if tag is None:
            self.problem("a < that begins no element; write &lt;", start, True, (start, start + 1, "&lt;"))
            return start + 1
        if self.ended:
            raise self.stop(f"<{tag.name}> stands after </scenario>; remove it, a file holds one scenario", start)
        if len(tag.attributes) > ATTRIBUTE_LIMIT:
            raise self.stop(
                f"<{tag.name}> has more than {ATTRIBUTE_LIMIT} attributes; look for a quote that is missing", start
            )
        for problem in tag.problems:
            self.problem(*problem)
        element = Element(tag.name, self.line(start), tag.attributes, comment=self.comments[-1])
        self.comments[-1] = ""
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        if tag.empty:
            self.ended = not self.stack
        else:
            self.stack.append(element)
            self.comments.append("")
            if len(self.stack) > DEPTH_LIMIT:
                raise self.stop(f"elements are nested more than {DEPTH_LIMIT} deep", start)
        return tag.end
