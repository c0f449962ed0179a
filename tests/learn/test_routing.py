"""Where learned scenarios send in-dialog requests, with and without a proxy that stays out of the dialog."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.learn import variables
from sipreplay.scenario.model import AssignStr, Ereg, Recv, Scenario, SetDest
from sipreplay.scenario.posix import compile_posix
from tests.learn.flows import ANSWER, BOB, PROXY, SDP, Talk, basic_call, learned, main_steps, past_proxy, said


def turns(scenario: Scenario) -> list[str]:
    """The receives that change the call's peer."""
    steps = [e for e in main_steps(scenario) if isinstance(e, Recv)]
    return [e.request or e.response for e in steps if any(isinstance(a, SetDest) for a in e.actions)]


def test_a_caller_that_went_past_the_proxy_sends_to_the_live_contact(tmp_path: Path) -> None:
    made = learned(tmp_path, [past_proxy(basic_call())])
    assert turns(made.scenario("invite-bye-uac")) == ["200"]
    assert '<setdest host="[$contact_host]" port="[$contact_port]" protocol="[transport]"' in made.text(
        "invite-bye-uac.xml"
    )
    assert said(made.scenario("invite-bye-uac")) == said(made.scenario("invite-bye-2-uac"))
    # Seen from the proxy's place the caller has nothing to turn: all goes where the INVITE went.
    assert turns(made.scenario("invite-bye-2-uac")) == []
    assert turns(made.scenario("invite-bye-uas")) == []


def test_the_called_side_answers_what_came_past_the_proxy(tmp_path: Path) -> None:
    made = learned(tmp_path, [past_proxy(basic_call())])
    assert turns(made.scenario("invite-bye-2-uas")) == ["ACK"]
    assert any("past the proxy" in line for line in made.report.generalised)


def callee_ends() -> Talk:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    talk.response(0.3, 200, 1, "INVITE", body=ANSWER)
    talk.request(0.31, "ACK", 1)
    talk.request(1.0, "BYE", 71, up=True)
    talk.response(1.05, 200, 71, "BYE", up=False)
    return talk


def test_requests_of_the_called_side_go_to_the_contact_of_the_invite(tmp_path: Path) -> None:
    made = learned(tmp_path, [past_proxy(callee_ends())])
    uas = made.scenario("invite-bye-callee-2-uas")
    assert turns(uas) == ["ACK"]
    invite = main_steps(uas)[0]
    names = {name for action in invite.actions if isinstance(action, Ereg) for name in action.assign_to}
    assert {"contact", "contact_host", "contact_port"} <= names


def test_without_a_proxy_nobody_turns(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call(), callee_ends()])
    for path in made.folder.glob("*.xml"):
        assert "setdest" not in path.read_text()


def test_a_recorded_route_is_followed_instead(tmp_path: Path) -> None:
    talk = past_proxy(basic_call())
    talk.packets[:] = [
        (at, mine, theirs, data.replace(b"\r\nMax-F", f"\r\nRecord-Route: <sip:{PROXY[0]};lr>\r\nMax-F".encode(), 1))
        for at, mine, theirs, data in talk.packets
    ]
    made = learned(tmp_path, [talk])
    for path in made.folder.glob("*.xml"):
        assert "setdest" not in path.read_text()


def test_a_contact_that_nobody_used_turns_nothing(tmp_path: Path) -> None:
    talk = past_proxy(basic_call())
    talk.packets[:] = [
        (at, mine, theirs, data.replace(f"Contact: <sip:bob@{BOB[0]}:".encode(), b"Contact: <sip:bob@10.9.9.9:"))
        for at, mine, theirs, data in talk.packets
    ]
    made = learned(tmp_path, [talk])
    assert turns(made.scenario("invite-bye-uac")) == []
    assert any("no Contact says" in line for line in made.report.generalised)


def test_messages_that_went_several_ways_turn_nothing_and_say_so(tmp_path: Path) -> None:
    talk = past_proxy(basic_call())
    *others, bye, answer = talk.packets
    talk.packets[:] = [*others, (bye[0], bye[1], PROXY, bye[3]), (answer[0], PROXY, answer[2], answer[3])]
    made = learned(tmp_path, [talk])
    assert turns(made.scenario(made.report.scenarios[0].name + "-uac")) == []
    assert any("several ways" in line for line in made.report.generalised)


CONTACTS = [
    ("Contact: <sip:bob@127.0.0.9:5070;ob>;expires=60", "127.0.0.9", "5070"),
    ("Contact: sip:bob@127.0.0.9;expires=60", "127.0.0.9", "5060"),
    ('m:"B > <sip:x@10.0.0.1> \\" B" <sip:bob:pw@[::1]:5072;transport=udp>', "::1", "5072"),
    ("CONTACT:\t<sips:[2001:db8::9]>", "2001:db8::9", "5060"),
    ("Contact: Bob <SIP:127.0.0.9:05071?x=y>;q=1, <sip:other@127.0.0.8>", "127.0.0.9", "05071"),
    ("Contact: <sip:a@b.example.net;x=1>", "b.example.net", "5060"),
]


@pytest.mark.parametrize(("line", "host", "port"), CONTACTS)
def test_the_live_contact_is_read_in_all_its_forms(line: str, host: str, port: str) -> None:
    held: dict[str, str] = {}
    message = f"SIP/2.0 200 OK\r\nTo: <sip:z@10.1.1.1>\r\n{line}\r\nContent-Length: 0\r\n\r\n"
    for action in variables.contact_address():
        if isinstance(action, AssignStr):
            held[action.assign_to] = action.value
        else:
            assert isinstance(action, Ereg)
            text = held[action.variable] if action.search_in == "var" else message
            groups = compile_posix(action.regexp).search(text.encode())
            for name, group in zip(action.assign_to, groups or (), strict=False):
                if group is not None:
                    held[name] = group.decode()
    assert (held["contact_host"], held["contact_port"]) == (host, port)
