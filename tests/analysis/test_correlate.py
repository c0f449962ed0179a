"""Headers that the user names: what is accepted cannot run for long, and numbers are compared as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.b2bua import media_addresses, sdp_origin
from sipreplay.analysis.correlate import LONGEST_PATTERN, SHOWN, parse_correlate
from sipreplay.analysis.numbers import named_in, normalised, same_number, suffix_key
from sipreplay.errors import UsageError
from sipreplay.sip.message import parse_message

_PIECES = st.sampled_from(
    ["a", "(", ")", "*", "+", "?", "{2,9}", "|", "[^;]", ".", r"\d", "(?:", r"\1", "(?=", "$", "^"]
)


def _message(value: str) -> bytes:
    return b"INVITE sip:a SIP/2.0\r\nX-Leg: " + value.encode() + b"\r\nCall-ID: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "value", "keys"),
    [
        ("X-Leg", "abc;hop=2", ["abc"]),
        ("x-leg=id=(.*)$", "hop=2;id=77", ["77"]),
        ("X-Leg=^([^;]*);", "abc;hop=2", ["abc"]),
        ("X-Leg=(?:id|key)=([0-9]+)", "key=12;x", ["12"]),
        ("X-Leg=id=([0-9]+)", "nothing", []),
        ("X-Other", "abc", []),
    ],
)
def test_what_a_header_gives(text: str, value: str, keys: list[str]) -> None:
    assert list(parse_correlate(text).keys(parse_message(_message(value)))) == keys


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_an_expression_is_accepted_or_a_usage_error_and_what_is_accepted_ends(expression: str) -> None:
    try:
        wanted = parse_correlate(f"X-Leg={expression}")
    except UsageError:
        return
    assert wanted.pattern is not None
    assert wanted.shown in SHOWN
    assert wanted.pattern.groups >= 1
    list(wanted.keys(parse_message(_message("a" * 3000))))


@pytest.mark.parametrize("expression", ["(a*)*b", "(a|a)*b", "(a?){30}b", "(.*)(.*)(.*)(.*)x", "(a?a?a?a?a?a?a?)b"])
def test_what_could_take_for_ever_is_refused(expression: str) -> None:
    re.compile(expression)
    with pytest.raises(UsageError, match="could take for ever"):
        parse_correlate(f"X-Leg={expression}")


def test_an_expression_has_a_longest_length() -> None:
    with pytest.raises(UsageError, match=f"longer than {LONGEST_PATTERN}"):
        parse_correlate("X-Leg=(" + "a" * LONGEST_PATTERN + ")")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+4930123456", "004930123456", True),
        ("+4930123456", "030123456", True),
        ("+49 (30) 12-34.56", "4930123456", True),
        ("100", "100", True),
        ("100", "4989100", False),
        ("+4930123456", "+4930123457", False),
        ("Alice", "alice", True),
        ("alice", "bob", False),
        ("", "", False),
    ],
)
def test_numbers_are_the_same_however_they_are_written(one: str, other: str, same: bool) -> None:
    assert same_number(normalised(one), normalised(other)) is same
    assert same_number(normalised(other), normalised(one)) is same


@given(st.from_regex(r"\A(\+|00|0)?[0-9]{1,14}\Z"), st.from_regex(r"\A(\+|00|0)?[0-9]{1,14}\Z"))
def test_same_numbers_are_found_under_the_same_key(one: str, other: str) -> None:
    first, second = normalised(one), normalised(other)
    if same_number(first, second):
        assert suffix_key(first) == suffix_key(second)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            ["INVITE sip:+4989123@h;user=phone SIP/2.0", 'From: "A, <b>" <sip:+49-30.1@h>;tag=1', "Max-Forwards: 69"],
            ("49301", "4989123", 69),
        ),
        (["INVITE sip:h SIP/2.0", "f: sip:Bob@h;tag=1", "t: <tel:+4989;phone-context=x>"], ("bob", "4989", -1)),
        (
            ["INVITE sips:1:pw@h SIP/2.0", "From: <sip:anonymous@h>", "P-Asserted-Identity: <sip:+4930@h>"],
            ("4930", "1", -1),
        ),
        (["INVITE sip:x@h SIP/2.0", "Via: y", "", "From: <sip:body@h>"], ("", "x", -1)),
        (["no request"], ("", "", -1)),
    ],
)
def test_who_calls_whom(lines: list[str], wanted: tuple[str, str, int]) -> None:
    for newline in ("\r\n", "\n"):
        assert named_in((newline.join(lines) + newline).encode()) == wanted


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    named_in(data)
    media_addresses(data)
    sdp_origin(data)
