"""Which hop-dialogs are learned: `--call`, `--number`, `--filter`, all of which must fit; then which shapes: `--top`.

`--call` and `--filter` (the language of `analysis.filter`) choose calls, with all their dialogs; `--number` chooses
dialogs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from sipreplay.analysis.filter import asks_for_findings, matching_calls, parse_filter
from sipreplay.analysis.findings import findings
from sipreplay.analysis.model import Analysis, HopDialog
from sipreplay.errors import UsageError
from sipreplay.learn.names import address_of
from sipreplay.learn.options import LearnOptions, LeftOut
from sipreplay.learn.shapes import Shape
from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import parse_uri


def _user(dialog: HopDialog, header: str) -> str:
    address = address_of(dialog.messages[0].message.get(header))
    return (address.uri.user or "") if address else ""


def _target_user(dialog: HopDialog) -> str:
    request = next((m.message for m in dialog.messages if m.message.is_request), None)
    try:
        return (parse_uri(request.request_uri).user or "") if request else ""
    except SipSyntaxError:
        return ""


def choose(analysis: Analysis, options: LearnOptions) -> list[HopDialog]:
    """The dialogs that the options choose, in order. Raises UsageError for options that cannot fit anything."""
    tests: list[Callable[[HopDialog], bool]] = []
    if options.calls:
        known = {call.id: set(call.dialogs) for call in analysis.calls}
        for number in options.calls:
            if number not in known:
                raise UsageError(
                    f"--call {number}: the capture has {_span(sorted(known))}; `sipreplay inspect` lists them"
                )
        wanted = set().union(*(known[number] for number in options.calls))
        tests.append(lambda dialog: dialog.id in wanted)
    if options.numbers:
        plain = {_plain(number) for number in options.numbers}
        if "" in plain:
            raise UsageError("--number: wants a telephone number or a user part")
        tests.append(lambda d: bool(plain & {_plain(u) for u in (_user(d, "from"), _user(d, "to"), _target_user(d))}))
    if options.filter.strip():
        found = findings(analysis) if asks_for_findings(options.filter) else ()
        calls = matching_calls(analysis, parse_filter(options.filter), found)
        passing = {ident for call in calls for ident in call.dialogs}
        tests.append(lambda dialog: dialog.id in passing)
    return [dialog for dialog in analysis.dialogs if all(test(dialog) for test in tests)]


def commonest(shapes: list[Shape], most: int, left_out: list[LeftOut]) -> list[Shape]:
    """The shapes of the `most` commonest kinds of call; calls of one kind have legs of the same shapes."""
    legs: dict[int, set[int]] = {}
    for number, shape in enumerate(shapes):
        for member in shape.members:
            for dialog in member.unit.dialogs:
                legs.setdefault(dialog.call, set()).add(number)
    kinds = Counter(tuple(sorted(numbers)) for numbers in legs.values())
    kept = {number for kind, _ in kinds.most_common(most) for number in kind}
    gone = [shape for number, shape in enumerate(shapes) if number not in kept]
    if gone:
        calls = sum(count for kind, count in kinds.most_common()[most:])
        left_out.append(LeftOut(f"{len(gone)} shapes in {calls} calls", f"--top {most} keeps what is commoner"))
    return [shape for number, shape in enumerate(shapes) if number in kept]


def _span(numbers: list[int]) -> str:
    return f"calls {numbers[0]} to {numbers[-1]}" if numbers else "no calls"


def _plain(number: str) -> str:
    """A number without what differs in writing: `+`, an international 00, blanks, dashes."""
    text = re.sub(r"[\s().-]", "", number).partition(";")[0]
    if text.startswith("+"):
        return text[1:]
    return text[2:] if re.fullmatch(r"00\d{5,}", text) else text.lower()
