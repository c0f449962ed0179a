"""What the actions on variables and injection files do, seen in the messages that follow."""

from __future__ import annotations

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.testing import Playbook
from tests.playbooks.test_scenarios import request, scenario


def said(actions: str, shown: str, **settings: object) -> str:
    """What a header of the next message says after these actions."""
    play = Playbook(scenario(f"<nop><action>{actions}</action></nop>", request("OPTIONS", f"X: {shown}")), **settings)
    return play.expects("OPTIONS").header("X")


USERS = {"dir/users.csv": "SEQUENTIAL\nann;1\nbob;2\n"}


def test_insert_adds_a_line_that_look_ups_and_later_calls_see() -> None:
    actions = (
        '<insert file="users.csv" value="eve;[call_number]7"/><lookup assign_to="row" file="users.csv" key="eve"/>'
    )
    settings = {"injections": USERS, "injection_index": [("users.csv", 0)]}
    assert said(actions, '[$row] [field1 line="[$row]"]', **settings) == "2.000000 17"
    play = Playbook(
        scenario(
            '<nop><action><insert file="users.csv" value="x;y"/></action></nop>', request("OPTIONS", "X: [field0]")
        ),
        injections={"users.csv": "SEQUENTIAL\nann;1\n"},
        calls=3,
    )
    assert [play.expects("OPTIONS").header("X") for _ in range(3)] == ["ann", "ann", "x"]


def test_replace_changes_the_line_and_the_index() -> None:
    actions = (
        '<replace file="users.csv" line="1" value="zoe;9"/><lookup assign_to="old" file="users.csv" key="bob"/>'
        '<lookup assign_to="row" file="users.csv" key="zoe"/>'
    )
    settings = {"injections": USERS, "injection_index": [("users.csv", 0)]}
    assert said(actions, '[$old] [$row] [field1 line="[$row]"]', **settings) == "-1.000000 1.000000 9"


@pytest.mark.parametrize(
    ("action", "file", "words"),
    [
        ('<replace file="users.csv" line="2" value="x"/>', "SEQUENTIAL\na\n", "there is no line 2; .* 0 to 0"),
        ('<replace file="users.csv" line="x" value="x"/>', "SEQUENTIAL\na\n", "there is no line -1"),
        ('<insert file="users.csv" value="x"/>', "SEQUENTIAL,PRINTF=3\na\n", "PRINTF"),
    ],
)
def test_a_change_that_cannot_be_made_ends_the_run(action: str, file: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        said(action, "x", injections={"users.csv": file})


def test_a_file_that_was_not_given_is_found_before_the_start() -> None:
    with pytest.raises(ScenarioError, match=r"scenario.xml:2: injection file 'a' was not given"):
        said('<insert file="a" value="b"/>', "x", injections=USERS)
    with pytest.raises(ScenarioError, match=r"scenario.xml:3: injection file 'b.csv' was not given"):
        said("<log message='x'/>", "[field0 file=b.csv]", injections=USERS)


def test_circuits_are_printed_and_given_back() -> None:
    text = request("OPTIONS", "X: [tdmmap] [tdmmap]")
    play = Playbook(scenario(text, '<recv response="200"/>'), tdm_map="{0-0}{1}{2-2}{3-3}", calls=2, rate_cps=1.0)
    assert play.expects("OPTIONS").header("X") == "0.1.2/3 0.1.2/3"
    play.replies("200 OK")
    assert play.expects("OPTIONS").header("X") == "0.1.2/3 0.1.2/3"
    with pytest.raises(ScenarioError, match=r"2: \[tdmmap\] needs a map"):
        Playbook(scenario(text))


def test_a_field_that_a_line_lacks_is_empty_only_where_sipp_is_followed() -> None:
    lines = {"users.csv": "SEQUENTIAL\nann\n"}
    assert said("", "[field0]|[field1]|", injections=lines, short_lines=True) == "ann||"
    with pytest.raises(ScenarioError, match=r"users.csv:2: the line has 1 field, but the scenario uses \[field1\]"):
        said("", "[field0]|[field1]|", injections=lines)


def test_an_index_of_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"users.csv:2: the line has 2 fields, but -infindex names field 2"):
        said("", "x", injections=USERS, injection_index=[("users.csv", 2)])


def test_users_without_a_line_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"users.csv: 3 users, but only 2 lines for them"):
        said("", "[field0]", injections={"users.csv": "USER\na\nb\n"}, users=3, calls=None)


def test_setdest_takes_names() -> None:
    there = '<nop><action><setdest host="localhost" port="5070" protocol="udp"/></action></nop>'
    play = Playbook(scenario(there, request("OPTIONS")))
    assert play.expects("OPTIONS").destination == ("127.0.0.1", 5070)


def test_a_time_stamp_by_rfc_3339() -> None:
    assert "T" in said("", "[timestamp]", rfc3339=True)
    assert len(said("", "[timestamp]").split("\t")) == 3


def test_url_coding_keeps_what_rfc_3986_calls_unreserved() -> None:
    encode = '<assignstr assign_to="v" value="a b/\\xC3\\xA9-_.~+%"/><urlencode variable="v"/>'
    assert said(encode, "[$v]") == "a%20b%2F%C3%A9-_.~%2B%25"
    assert said(encode + '<urldecode variable="v"/>', "[$v]") == "a b/é-_.~+%"
    assert said('<assignstr assign_to="v" value="a+b%zz%4"/><urldecode variable="v"/>', "[$v]") == "a b%zz%4"


def test_a_sample_is_a_number_of_its_distribution() -> None:
    fixed = '<sample assign_to="n" distribution="fixed" value="-2.5"/>'
    assert said(fixed, "[$n]") == "-2.500000"
    uniform = '<sample assign_to="n" distribution="uniform" min="3" max="4"/>'
    assert 3.0 <= float(said(uniform, "[$n]")) <= 4.0


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("<nop><action><closecon/></action></nop>", "2: <closecon>.*not built yet"),
        (request("OPTIONS", "X: [cryptotag1audio]"), r"2: keyword \[cryptotag1audio\].*not built yet"),
    ],
)
def test_what_is_read_but_not_built_says_so_before_the_start(inside: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        Playbook(scenario(inside, request("OPTIONS")))
