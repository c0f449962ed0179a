"""Lists, parameters and quoted strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.syntax import (
    canonical_name,
    end_of_quoted,
    parse_parameters,
    quote,
    render_parameters,
    split_list,
    unquote,
)


def test_commas_in_quotes_and_brackets_do_not_split() -> None:
    assert split_list('"a, \\"b" <sip:x,y>;q=1 , <sip:z>,,') == ['"a, \\"b" <sip:x,y>;q=1', "<sip:z>"]
    assert split_list("") == split_list(" , ") == []


def test_compact_names() -> None:
    assert [canonical_name(name) for name in ("v", "I", "Call-ID", "x", "Route")] == [
        "via",
        "call-id",
        "call-id",
        "session-expires",
        "route",
    ]


def test_parameters_keep_quotes_and_flags_and_the_first_of_equals() -> None:
    found = parse_parameters(';lr; Tag = a ;x="1;2";tag=b')
    assert found == {"lr": None, "tag": "a", "x": '"1;2"'}
    assert render_parameters(found) == ';lr;tag=a;x="1;2"'


@given(st.text())
def test_quoting_is_undone_by_unquoting(text: str) -> None:
    quoted = quote(text)
    assert unquote(quoted) == text
    assert end_of_quoted(quoted, 0) == len(quoted)
    assert split_list(quoted + ",b") == [quoted, "b"]


@given(st.text(alphabet='",<>;\\ab '))
def test_any_text_is_taken(text: str) -> None:
    assert all(part == part.strip() and part for part in split_list(text))
    parse_parameters(text)
