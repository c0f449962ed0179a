"""From, To, Contact and the like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.address import parse_address_list, parse_name_addr, tag_of
from sipreplay.sip.syntax import SipSyntaxError


def test_a_quoted_display_name_may_hold_anything() -> None:
    found = parse_name_addr('"A \\"<x>\\", B" <sip:a@h;lr>;tag=1;expires=60')
    assert (found.display, found.uri.user, found.tag) == ('A "<x>", B', "a", "1")
    assert found.uri.parameters == {"lr": None}
    assert parse_name_addr(str(found)) == found


def test_without_brackets_parameters_are_the_header_s() -> None:
    found = parse_name_addr("sip:a@h;tag=1")
    assert found.tag == "1"
    assert found.uri.parameters == {}


def test_lists_over_several_headers() -> None:
    found = parse_address_list(["<sip:p1;lr>,<sip:p2;lr>", "*", "Bob <sip:p3>"])
    assert [a.uri.host for a in found] == ["p1", "p2", "p3"]


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:a@h>;tag=x", "x"),
        ("<sip:a@h>; Tag = x;y", "x"),
        ('"q;tag=no>" <sip:a;tag=no@h;tag=no>', ""),
        ("sip:a@h;tag=x", "x"),
        ("broken <sip:a", ""),
    ],
)
def test_tags(value: str, tag: str) -> None:
    assert tag_of(value) == tag


@given(st.text(alphabet='"<>;=\\ sip:@tag,x', max_size=60))
def test_only_syntax_errors_are_raised(text: str) -> None:
    tag_of(text)
    try:
        parse_address_list([text])
    except SipSyntaxError:
        return
