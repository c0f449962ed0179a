from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.errors import ScenarioError
from sipreplay.scenario.injection import can_inject, read_injection, write_injection

USERS = "SEQUENTIAL\n# a comment\nalice;1\nbob;2\r\n#no\ncarol;3;x\n\nafter;the;end\n"


def test_lines_go_round_in_sequence() -> None:
    users = read_injection(USERS, "dir/users.csv")
    assert users.name == "users.csv"
    assert len(users) == 3
    drawn = [users.field(users.line(), 0) for _ in range(5)]
    assert drawn == ["alice", "bob", "carol", "alice", "bob"]
    assert users.field(1, 1) == "2"
    assert users.field(1, 2) == ""
    assert users.field(7, 0) == ""
    assert users.field(-1, 0) == ""


def test_a_random_line_is_drawn_by_the_number_given() -> None:
    users = read_injection("RANDOM\na\nb\nc\n", "x.csv")
    assert [users.line(random=r) for r in (0.0, 0.34, 0.99)] == [0, 1, 2]


def test_a_user_gets_the_line_of_his_number() -> None:
    users = read_injection("USER\na\nb\n", "x.csv")
    assert users.line(user=2) == 1
    assert users.line() == -1
    with pytest.raises(ScenarioError, match="user 3 has no line"):
        users.line(user=3)


def test_printf_makes_virtual_lines() -> None:
    text = "SEQUENTIAL,PRINTF=1000,PRINTFOFFSET=100,PRINTFMULTIPLE=2\nuser%03d;%d%%\nother%-6d|;%.4d;%5d\n"
    users = read_injection(text, "x.csv")
    assert len(users) == 1000
    assert users.field(0, 0) == "user100"
    assert users.field(0, 1) == "100%"
    assert users.field(3, 0) == "other106   |"
    assert users.field(3, 1) == "0106"
    assert users.field(3, 2) == "  106"
    assert users.field(999, 1) == "2098"
    assert users.field(1000, 0) == ""


def test_the_last_line_of_a_key_wins_in_an_index() -> None:
    users = read_injection("SEQUENTIAL\na;1\nb;2\na;3\n", "x.csv")
    assert users.index(0) == {"a": 2, "b": 1}


def test_a_line_with_too_few_fields_is_named() -> None:
    users = read_injection("SEQUENTIAL\n#\na;1;2\nb;1\n", "x.csv")
    users.require_fields(1)
    with pytest.raises(ScenarioError, match=r"x.csv:4: the line has 2 fields.*\[field2\]"):
        users.require_fields(2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "SEQUENTIAL, RANDOM or USER"),
        ("alice;1\n", "SEQUENTIAL, RANDOM or USER"),
        ("SEQUENTIAL\n", "no data line"),
        ("SEQUENTIAL\n\na\n", "no data line"),
        ("SEQUENTIAL,PRINTF=0\na\n", "PRINTF"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        read_injection(text, "x.csv")


def test_what_the_format_cannot_carry_is_refused() -> None:
    for value in ("a;b", "a\nb", "x[authentication username=a]"):
        assert not can_inject(value)
        with pytest.raises(ScenarioError, match="cannot carry"):
            write_injection([[value]])
    for row in (["#a"], [""], []):
        with pytest.raises(ScenarioError, match="cannot carry"):
            write_injection([row])


VALUES = st.text(st.characters(codec="utf-8"), max_size=8).filter(can_inject)


@given(
    st.lists(
        st.lists(VALUES, min_size=1, max_size=4).filter(lambda r: r != [""] and not r[0].startswith("#")), min_size=1
    )
)
def test_what_is_written_is_read_back(rows: list[list[str]]) -> None:
    read = read_injection(write_injection(rows), "x.csv")
    assert read.lines == rows


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        users = read_injection(text, "x.csv")
    except ScenarioError:
        return
    users.field(users.line(), 0)
