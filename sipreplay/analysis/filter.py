"""The filter language of `inspect` and `learn`: "method==INVITE and status>=400" to a test of calls.

A parser of its own: nothing is evaluated as code, and what cannot be read is a UsageError that points at the column. A
comparison holds if it holds for any value of the field; `!=`, `!~` and `not in` hold if their opposite holds for none.
Which fields there are is the table of `filter_fields`.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from sipreplay.analysis.filter_fields import (
    ADDRESS,
    ALIASES,
    FIELDS,
    NUMBER,
    STATUS,
    TIME,
    Field,
    FindingLike,
    Subject,
    Value,
    subjects,
)
from sipreplay.analysis.filter_regexp import compile_bounded
from sipreplay.analysis.model import Address, Analysis, Call
from sipreplay.errors import UsageError

LONGEST = 2000
"""Characters of an expression."""
DEEPEST = 40
"""Nested parentheses and nots."""
LONGEST_TEXT = 512
"""Characters of a value that a regular expression is tried on."""

Test = Callable[[Subject], bool]
_Fits = Callable[[Value], bool]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|!~|=~|<|>|~|=")
_BARE = re.compile(r"(?:(?!&&|\|\|)[^\s(),\"'])+")
_NUMBER = re.compile(r"([-+]?(?:0[xX][0-9a-fA-F]{1,16}|\d+(?:\.\d*)?|\.\d+))\s*(us|µs|ms|s|sec|min|m|h|%)?", re.ASCII)
_CLASS = re.compile(r"([1-6])xx", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_DAY = 86400.0


def parse_filter(expression: str) -> Test:
    """The test that an expression says. Raises UsageError, and nothing else, for one that cannot be read."""
    return _Parser(expression).whole()


def asks_for_findings(expression: str) -> bool:
    """Whether an expression may ask for findings, which take a while; a text that only looks so costs that while."""
    return re.search("finding|rule|severity", expression, re.IGNORECASE) is not None


def matching_calls(analysis: Analysis, test: Test, findings: Iterable[FindingLike] = ()) -> list[Call]:
    """The calls that pass, in their order."""
    return [subject.call for subject in subjects(analysis, findings) if test(subject)]


class _Parser:
    """Recursive descent over the text itself: what a bare word may hold depends on what stands before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        if len(text) > LONGEST:
            raise UsageError(f"--filter: longer than {LONGEST} characters")

    def whole(self) -> Test:
        self._blank()
        if self._at == len(self._text):
            raise self._error(0, "an expression is wanted, such as status>=400")
        test = self._or()
        if self._at < len(self._text):
            if self._text[self._at] == ")":
                raise self._error(self._at, "this closes nothing")
            raise self._error(self._at, "and, or, or the end is wanted here")
        return test

    def _or(self) -> Test:
        tests = [self._and()]
        while self._word("or", "||"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda subject: any(test(subject) for test in tests)

    def _and(self) -> Test:
        tests = [self._not()]
        while self._word("and", "&&"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda subject: all(test(subject) for test in tests)

    def _not(self) -> Test:
        begin = self._at
        negative = self._word("not", "!")
        opened = not negative and self._word("", "(")
        if not negative and not opened:
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(begin, f"more than {DEEPEST} levels deep")
        test = self._not() if negative else self._or()
        if opened and not self._word("", ")"):
            raise self._error(begin, "this parenthesis is not closed")
        self._depth -= 1
        return (lambda subject: not test(subject)) if negative else test

    def _comparison(self) -> Test:
        field = self._field()
        begin = self._at
        match = _OPERATOR.match(self._text, begin)
        if match:
            sign = {"=": "==", "=~": "~"}.get(match.group(), match.group())
            self._at = match.end()
            self._blank()
            return _test(field, self._fits(field, sign, begin), negative=sign.startswith("!"))
        negative = self._word("not")
        if self._word("in"):
            return _test(field, self._one_of(field), negative=negative)
        if negative:
            raise self._error(self._at, "in is wanted after not")
        return lambda subject: any(_counts(value) for value in field.values(subject))

    def _field(self) -> Field:
        match = _NAME.match(self._text, self._at)
        if match is None:
            what = "a field is wanted here" if self._at < len(self._text) else "the expression ends too early"
            raise self._error(self._at, what)
        name = match.group().lower().replace("-", "_")
        name = ALIASES.get(name, name)
        field = FIELDS.get(name)
        if field is None:
            near = difflib.get_close_matches(name, [*FIELDS, *ALIASES], 1, 0.5)
            known = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}"
            raise self._error(self._at, f"no field is called {match.group()!r}; {known}")
        self._at = match.end()
        self._blank()
        return field

    def _fits(self, field: Field, sign: str, begin: int) -> _Fits:
        place = self._at
        if sign.endswith("~"):
            value, _ = self._quoted() or self._regexp()
            try:
                pattern = compile_bounded(value)
            except ValueError as error:
                raise self._error(place, str(error)) from None
            return lambda said: any(pattern.search(text[:LONGEST_TEXT]) for text in _texts(said))
        value, _ = self._value()
        return self._compare(field, "==" if sign == "!=" else sign, value, begin, place)

    def _one_of(self, field: Field) -> _Fits:
        begin = self._at
        many = self._word("", "(")
        fits = []
        while True:
            place = self._at
            value, _ = self._value()
            fits.append(self._compare(field, "==", value, begin, place))
            if not many or not self._word("", ","):
                break
        if many and not self._word("", ")"):
            raise self._error(begin, "this list is not closed")
        return lambda said: any(one(said) for one in fits)

    def _compare(self, field: Field, sign: str, value: str, begin: int, place: int) -> _Fits:
        """The test of a single value. `begin`, `place`: where operator and value stand, for errors."""
        order = _ORDER[sign]
        if field.kind == STATUS and sign == "==" and (family := _CLASS.fullmatch(value)):
            low = int(family.group(1)) * 100
            return lambda said: low <= _number(said) < low + 100
        if field.kind in (NUMBER, STATUS):
            wanted = self._quantity(field, value, place)
            return lambda said: bool(order(_number(said), wanted))
        if field.kind == TIME:
            return self._moment(sign, value, place)
        if sign != "==":
            raise self._error(begin, f"{field.name} has no order: compare it with ==, !=, ~, !~ or in")
        if field.kind == ADDRESS:
            return self._address(value, place)
        low_case = value.lower()
        if field.known and low_case not in field.known:
            raise self._error(place, f"{field.name} is never {value!r}; it is one of {', '.join(field.known)}")
        return lambda said: str(said).lower() == low_case

    def _quantity(self, field: Field, value: str, place: int) -> float:
        match = _NUMBER.fullmatch(value.strip())
        if match is None:
            raise self._error(place, f"{field.name} is compared with a number, not with {value!r}")
        number, unit = match.groups()
        plain = float(int(number, 16)) if "x" in number.lower() else float(number)
        if not unit or unit == field.unit:
            return plain
        if unit in _SECONDS and field.unit in ("ms", "s"):
            return plain * _SECONDS[unit] / _SECONDS[field.unit]
        fitting = {"": "no unit", "%": "%"}.get(field.unit, "us, ms, s, min or h")
        raise self._error(place, f"{unit!r} is no unit of {field.name}: it takes {fitting}")

    def _moment(self, sign: str, value: str, place: int) -> _Fits:
        order = _ORDER[sign]
        clock = _CLOCK.fullmatch(value)
        if clock:
            hours, minutes, seconds = int(clock.group(1)), int(clock.group(2)), float(clock.group(3) or 0)
            if hours > 24 or minutes > 59 or seconds >= 61:
                raise self._error(place, f"{value!r} is no time of day")
            wanted = hours * 3600 + minutes * 60 + seconds
            span = _precision(clock.group(3), 60.0)
            if sign == "==":
                return lambda said: wanted <= _number(said) % _DAY < wanted + span
            return lambda said: bool(order(_number(said) % _DAY, wanted))
        try:
            if _MOMENT.fullmatch(value):
                moment = datetime.fromisoformat(value)
                stamp = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            else:
                stamp = float(value)
        except (ValueError, OverflowError):
            raise self._error(
                place, f'{value!r} is no time: write 2024-05-01, "2024-05-01 13:45:10", 13:45 or seconds since 1970'
            ) from None
        span = _DAY if len(value) == 10 and "-" in value else 60.0 if len(value) == 16 and "-" in value else 1.0
        if sign == "==":
            return lambda said: stamp <= _number(said) < stamp + span
        return lambda said: bool(order(_number(said), stamp))

    def _address(self, value: str, place: int) -> _Fits:
        text = value
        if "/" in text:
            try:
                network = ip_network(text, strict=False)
            except ValueError:
                raise self._error(place, f"{value!r} is no network: write it as 10.0.0.0/8") from None
            return lambda said: isinstance(said, Address) and _within(said.host, network)
        port: int | None = None
        match = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:]*):(\d{1,5})", text, re.ASCII)
        if match:
            text = match.group(1) if match.group(1) is not None else match.group(3)
            digits = match.group(2) or match.group(4)
            port = int(digits) if digits else None
        try:
            host = str(ip_address(text))
        except ValueError:
            raise self._error(
                place, f"{value!r} is no address: write 192.0.2.1, 192.0.2.1:5060, [2001:db8::1]:5060 or 10.0.0.0/8"
            ) from None
        return lambda said: isinstance(said, Address) and said.host == host and port in (None, said.port)

    def _value(self) -> tuple[str, int]:
        quoted = self._quoted()
        if quoted:
            return quoted
        match = _BARE.match(self._text, self._at)
        if match is None:
            raise self._error(self._at, "a value is wanted here")
        begin, self._at = self._at, match.end()
        self._blank()
        return match.group(), begin

    def _regexp(self) -> tuple[str, int]:
        """A bare regular expression: up to a blank, or to a parenthesis that it has not opened itself."""
        begin = at = self._at
        depth = 0
        while at < len(self._text) and not self._text[at].isspace():
            character = self._text[at]
            if character == "\\":
                at += 1
            elif character == "(":
                depth += 1
            elif character == ")":
                if depth == 0:
                    break
                depth -= 1
            at += 1
        at = min(at, len(self._text))
        if at == begin:
            raise self._error(begin, "a regular expression is wanted here")
        self._at = at
        self._blank()
        return self._text[begin:at], begin

    def _quoted(self) -> tuple[str, int] | None:
        begin = self._at
        mark = self._text[begin : begin + 1]
        if not mark or mark not in "\"'":
            return None
        out: list[str] = []
        at = begin + 1
        while at < len(self._text):
            character = self._text[at]
            if character == "\\" and self._text[at + 1 : at + 2] == mark:
                character, at = mark, at + 1
            elif character == mark:
                self._at = at + 1
                self._blank()
                return "".join(out), begin
            out.append(character)
            at += 1
        raise self._error(begin, "this quotation mark is not closed")

    def _word(self, word: str, sign: str = "") -> bool:
        """Whether a keyword or a sign stands here; it is passed."""
        if sign and self._text.startswith(sign, self._at):
            self._at += len(sign)
            self._blank()
            return True
        match = _NAME.match(self._text, self._at) if word else None
        if match is None or match.group().lower() != word:
            return False
        self._at = match.end()
        self._blank()
        return True

    def _blank(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _error(self, at: int, what: str) -> UsageError:
        # A window of the expression, so that the mark stays below its place in any terminal.
        begin = max(at - 50, 0)
        shown = "".join(c if c.isprintable() else "?" for c in self._text[begin : begin + 100])
        return UsageError(f"--filter, column {at + 1}: {what}\n  {shown}\n  {' ' * (at - begin)}^")


def _test(field: Field, fits: _Fits, *, negative: bool) -> Test:
    if negative:
        return lambda subject: not any(fits(value) for value in field.values(subject))
    return lambda subject: any(fits(value) for value in field.values(subject))


def _counts(value: Value) -> bool:
    """Whether a value makes its field hold by itself: anything but nothing."""
    return value not in ("", 0)


def _texts(said: Value) -> tuple[str, ...]:
    """What a regular expression is tried on: an address with and without its port."""
    return (said.host, str(said)) if isinstance(said, Address) else (str(said),)


def _number(said: Value) -> float:
    return said if isinstance(said, int | float) else 0.0


def _precision(seconds: str | None, minute: float) -> float:
    """How long the moment is that was written: 13:45 is a minute, 13:45:10 a second."""
    return minute if seconds is None else 1.0


def _within(host: str, network: object) -> bool:
    try:
        return ip_address(host) in network  # type: ignore[operator]
    except (ValueError, TypeError):
        return False
