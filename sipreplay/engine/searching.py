"""`<ereg>`: which part of a message it searches, and where what it finds goes. Scenarios do it twenty times a call.

All that can be known before a run is in `Search`; `ereg` does the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sipreplay.engine.call import Call
from sipreplay.engine.steps import USER_SCOPE
from sipreplay.engine.variables import as_text, is_set, read, write
from sipreplay.scenario import model
from sipreplay.scenario.posix import compile_posix

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

MESSAGE: Final = 0
HEADER: Final = 1
BODY: Final = 2
VARIABLE: Final = 3
HEADER_CAP: Final = 2049
"""Bytes of a header that are searched, as in SIPp."""
_PARTS = {"msg": MESSAGE, "hdr": HEADER, "body": BODY, "var": VARIABLE}


class Search:
    """One `<ereg>`: references of its variables, its expression, and a finder of its header if that is not plain."""

    __slots__ = (
        "absent",
        "cap",
        "extra",
        "fast",
        "finder",
        "first",
        "hit",
        "miss",
        "name",
        "occurrence",
        "of_call",
        "part",
        "pattern",
        "rest",
        "source",
    )

    def __init__(self, action: model.Ereg, targets: list[int], source: int) -> None:
        self.part = _PARTS[action.search_in]
        self.pattern = compile_posix(action.regexp)
        self.fast, self.cap = self.pattern.python, self.pattern.python_cap
        self.first = targets[0]
        self.rest = list(enumerate(targets[1 : self.pattern.groups + 1], start=1))
        self.of_call = all(0 <= target < USER_SCOPE for target in targets)
        """All variables are the call's own."""
        self.source = source
        self.name = action.header.encode("utf-8", "surrogateescape")
        self.occurrence = max(1, action.occurrence)
        self.finder: re.Pattern[bytes] | None = None
        if action.case_indep or action.start_line or self.occurrence > 1:
            start = rb"(?m)^" if action.start_line else b""
            self.finder = re.compile(start + re.escape(self.name), re.IGNORECASE if action.case_indep else 0)
        # What a call fails with, in each case; "" if it does not.
        self.absent = "RegexpHdrNotFound" if action.check_it else ""
        self.miss = "RegexpDoesntMatch" if action.check_it else ""
        self.hit = "RegexpShouldntMatch" if action.check_it_inverse else ""


def ereg(engine: Engine, call: Call, search: Search, subject: bytes) -> str:
    """Search, and set the variables; "" or the reason of a failed check."""
    part = search.part
    if part == HEADER:
        found = _header(subject, search)
        if not found:
            return search.absent
    elif part == MESSAGE:
        found = subject
    elif part == BODY:
        end = subject.find(b"\r\n\r\n")
        if end < 0:
            return search.absent
        found = subject[end + 4 :]
    else:
        value = read(engine, call, search.source)
        if not is_set(value):
            return search.absent
        found = as_text(value)
    fast = search.fast
    if fast is None or len(found) > search.cap or b"\0" in found:
        groups = search.pattern.search(found)
        if groups is None:
            return search.miss
        _keep(engine, call, search, groups)
        return search.hit
    match = fast.search(found)
    if match is None:
        return search.miss
    if not search.of_call:
        _keep(engine, call, search, (match.group(), *match.groups()))
        return search.hit
    variables = call.variables
    if variables is None:
        variables = call.variables = [None] * engine.program.call_variables
    variables[search.first] = match.group()
    for group, target in search.rest:
        text = match.group(group)
        if text is not None:
            variables[target] = text
    return search.hit


def _keep(engine: Engine, call: Call, search: Search, groups: tuple[bytes | None, ...]) -> None:
    """Set the variables; a group that took no part leaves its variable as it is."""
    write(engine, call, search.first, groups[0])
    for group, target in search.rest:
        if groups[group] is not None:
            write(engine, call, target, groups[group])


def _header(message: bytes, search: Search) -> bytes:
    """What follows the n-th occurrence of a text such as `CSeq:`, to the end of its line; SIPp's substring rule."""
    finder = search.finder
    if finder is None:
        start = message.find(search.name)
        if start < 0:
            return b""
        start += len(search.name)
    else:
        start = 0
        for _ in range(search.occurrence):
            match = finder.search(message, start)
            if match is None:
                return b""
            start = match.end()
    end = message.find(b"\r", start)
    line = message[start : end if 0 <= end < start + HEADER_CAP else start + HEADER_CAP]
    return line if b"\n" not in line else line[: line.index(b"\n")]
