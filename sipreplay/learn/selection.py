"""Which hop-dialogs are learned: `--call`, `--number`, `--filter`, all of which must fit.

A filter is terms joined by `and`, each `NAME=VALUE`, `NAME!=VALUE`, `NAME~REGEXP` or `NAME!~REGEXP`, with NAME one of
the keys of `FIELDS`. VALUE is compared without case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from sipreplay.analysis.model import Analysis, HopDialog
from sipreplay.errors import UsageError
from sipreplay.learn.names import address_of
from sipreplay.learn.options import LearnOptions
from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import parse_uri

LONGEST_REGEXP = 200


def _user(dialog: HopDialog, header: str) -> str:
    address = address_of(dialog.messages[0].message.get(header))
    return (address.uri.user or "") if address else ""


def _target_user(dialog: HopDialog) -> str:
    request = next((m.message for m in dialog.messages if m.message.is_request), None)
    try:
        return (parse_uri(request.request_uri).user or "") if request else ""
    except SipSyntaxError:
        return ""


FIELDS: dict[str, Callable[[HopDialog], list[str]]] = {
    "kind": lambda d: [d.kind],
    "method": lambda d: sorted({m.message.method for m in d.messages if m.message.is_request}),
    "code": lambda d: sorted({str(m.message.status) for m in d.messages if m.message.status}),
    "state": lambda d: [d.state],
    "from": lambda d: [_user(d, "from")],
    "to": lambda d: [_user(d, "to")],
    "target": lambda d: [_target_user(d)],
    "call-id": lambda d: [d.call_id],
    "transport": lambda d: [d.transport],
    "caller": lambda d: [str(d.caller), d.caller.host],
    "callee": lambda d: [str(d.callee), d.callee.host],
    "host": lambda d: [str(d.caller), d.caller.host, str(d.callee), d.callee.host],
    "hop": lambda d: [str(d.hop)],
    "user-agent": lambda d: sorted({m.message.get("user-agent") or "" for m in d.messages}),
}
"""What a filter may ask of a hop-dialog; a term fits if one of the values does."""

_TERM = re.compile(r"([a-z-]+)\s*(!?[=~])\s*(.*)", re.DOTALL)


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
        tests += [_term(text) for text in re.split(r"\s+and\b\s*", options.filter.strip())]
    return [dialog for dialog in analysis.dialogs if all(test(dialog) for test in tests)]


def _span(numbers: list[int]) -> str:
    return f"calls {numbers[0]} to {numbers[-1]}" if numbers else "no calls"


def _plain(number: str) -> str:
    """A number without what differs in writing: `+`, an international 00, blanks, dashes."""
    text = re.sub(r"[\s().-]", "", number).partition(";")[0]
    if text.startswith("+"):
        return text[1:]
    return text[2:] if re.fullmatch(r"00\d{5,}", text) else text.lower()


def _term(text: str) -> Callable[[HopDialog], bool]:
    match = _TERM.match(text)
    if match is None or match.group(1) not in FIELDS:
        raise UsageError(f"--filter {text!r}: wants NAME=VALUE or NAME~REGEXP, with NAME one of {', '.join(FIELDS)}")
    name, operator, value = match.groups()
    if operator.endswith("~"):
        if len(value) > LONGEST_REGEXP:
            raise UsageError(f"--filter {name}: the regular expression is longer than {LONGEST_REGEXP} characters")
        try:
            pattern = re.compile(value, re.IGNORECASE)
        except re.error as error:
            raise UsageError(f"--filter {name}: {value!r} is no regular expression: {error}") from None
        fits: Callable[[str], bool] = lambda said: pattern.search(said) is not None  # noqa: E731
    else:
        fits = partial(_same, value.strip().lower())
    wanted = not operator.startswith("!")
    return lambda dialog: any(fits(said) for said in FIELDS[name](dialog)) == wanted


def _same(wanted: str, said: str) -> bool:
    return said.lower() == wanted
