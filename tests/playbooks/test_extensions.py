"""What scenarios may ask for beyond SIPp, in files that SIPp reads all the same."""

from __future__ import annotations

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.scenario.reader import read_scenario
from sipreplay.scenario.writer import write_scenario
from sipreplay.testing import Playbook
from tests.playbooks.test_scenarios import ACK, answer, request


def extended(how: str, *elements: str) -> str:
    body = "\n".join(elements)
    return f'<scenario name="x" xmlns:sr="urn:sipreplay:1" sr:unexpected="{how}">\n{body}\n</scenario>'


CALL = (
    request("INVITE"),
    '<recv response="200"/>',
    ACK,
    '<pause milliseconds="1000"/>',
    '<recv request="INFO"/>',
    answer("200 OK"),
    '<recv request="BYE"/>',
    answer("200 OK"),
)


def established(how: str) -> Playbook:
    play = Playbook(extended(how, *CALL))
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    return play


def test_a_message_that_comes_too_early_waits_for_its_step() -> None:
    play = established("queue")
    play.requests("BYE")
    play.again()
    play.requests("INFO")
    play.silent_for(0.5)
    assert play.expects("200").header("CSeq").endswith("INFO")
    assert play.expects("200").header("CSeq").endswith("BYE")
    assert play.ended(successful=1).steps[3].unexpected == 0


def test_only_so_many_messages_wait() -> None:
    play = established("queue")
    for number in range(20):
        play.requests("NOTIFY", cseq=500 + number)
    play.requests("INFO")
    statistics = play.engine.statistics
    assert statistics.steps[3].unexpected == 5
    assert statistics.current == 1


def test_an_unsolicited_request_is_answered_and_the_call_goes_on() -> None:
    play = established("answer")
    play.requests("NOTIFY")
    assert play.expects("200").header("CSeq").endswith("NOTIFY")
    play.passes(1.1)
    play.requests("INFO")
    assert play.expects("200").header("CSeq").endswith("INFO")
    play.requests("BYE")
    play.expects("200")
    statistics = play.ended(successful=1)
    assert statistics.auto_answered == 1


def test_what_is_ignored_is_counted() -> None:
    play = established("ignore")
    play.requests("NOTIFY")
    play.replies("404 Not Found")
    play.silent_for(0.9)
    assert play.engine.statistics.steps[3].unexpected == 2
    assert play.engine.statistics.current == 1


def test_one_step_may_be_strict() -> None:
    strict = CALL[3].replace("<pause", '<pause sr:unexpected="fail"')
    play = Playbook(extended("ignore", *CALL[:3], strict, *CALL[4:]))
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.requests("NOTIFY")
    play.expects("BYE")
    play.ended(failed=1, reason="UnexpectedMessage")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ('sr:unexpected="hope"', "must be fail, answer, ignore or queue"),
        ('sr:dialog="b"', "sr:dialog belongs on a send or recv"),
        ('sr:dailog="b"', "sr:dailog: unknown extension; there are sr:unexpected and sr:dialog"),
    ],
)
def test_what_is_not_built_is_named(attribute: str, message: str) -> None:
    text = extended("queue", *CALL[:3], f"<pause {attribute}/>")
    with pytest.raises(ScenarioError, match=message):
        read_scenario(text, "x.xml")


def test_it_is_written_as_it_was_read() -> None:
    scenario = read_scenario(extended("queue", *CALL[:3], '<pause sr:unexpected="answer"/>'), "x.xml")
    again = read_scenario(write_scenario(scenario), "x.xml")
    assert (again.unexpected, again.elements[3].unexpected) == ("queue", "answer")


def test_another_prefix_and_none_at_all() -> None:
    text = extended("queue", *CALL).replace("xmlns:sr", "xmlns:own").replace("sr:u", "own:u")
    assert read_scenario(text, "x.xml").unexpected == "queue"
    foreign = extended("queue", *CALL).replace("urn:sipreplay:1", "urn:else")
    assert read_scenario(foreign, "x.xml").unexpected == ""


B = ' sr:dialog="b"'


def of_b(element: str) -> str:
    return element.replace("<send", f"<send{B}").replace("<recv", f"<recv{B}")


def test_each_dialog_has_its_own_call_id_cseq_tag_and_challenge() -> None:
    login = request("REGISTER", "[authentication username=joe password=secret]", 'retrans="500"')
    play = Playbook(
        extended(
            "fail",
            request("INVITE"),
            '<recv response="180"/>',
            of_b(request("REGISTER", "", 'retrans="500"')),
            of_b('<recv response="401" auth="true"/>'),
            "<nop/>",
            of_b(login),
            of_b('<recv response="200"/>'),
            '<recv response="200"/>',
            ACK,
            request("BYE"),
            '<recv response="200"/>',
        )
    )
    invite = play.expects("INVITE")
    play.replies("180 Ringing", tag="callee")
    register = play.expects("REGISTER")
    assert register.header("Call-ID") == "b-" + invite.header("Call-ID")
    assert register.header("CSeq") == "1 REGISTER"
    play.replies("401 Unauthorized", headers={"WWW-Authenticate": 'Digest realm="r", nonce="n"'}, tag="registrar")
    again = play.expects("REGISTER")
    assert again.header("CSeq") == "2 REGISTER"
    assert again.header("To").endswith(";tag=registrar")
    assert 'username="joe"' in again.header("Authorization")
    play.replies("200 OK", tag="registrar")
    play.replies("200 OK", to=invite, tag="callee")
    ack = play.expects("ACK")
    assert (ack.header("Call-ID"), ack.header("CSeq")) == (invite.header("Call-ID"), "1 ACK")
    assert ack.header("To").endswith(";tag=callee")
    assert play.expects("BYE").header("CSeq") == "2 BYE"
    play.replies("200 OK")
    play.ended(successful=1)


def test_a_message_of_another_dialog_waits_for_its_turn() -> None:
    play = Playbook(
        extended(
            "queue",
            request("INVITE"),
            of_b(request("SUBSCRIBE")),
            '<recv response="200"/>',
            ACK,
            of_b('<recv response="202"/>'),
            of_b('<recv request="NOTIFY"/>'),
            of_b(answer("200 OK")),
            request("BYE"),
            '<recv response="200"/>',
        )
    )
    invite = play.expects("INVITE")
    subscribe = play.expects("SUBSCRIBE")
    play.replies("202 Accepted", to=subscribe)
    play.silent_for(0.2)
    play.replies("200 OK", to=invite)
    play.expects("ACK")
    play.requests("NOTIFY", call_id=subscribe.header("Call-ID"))
    assert play.expects("200").header("Call-ID") == subscribe.header("Call-ID")
    assert play.expects("BYE").header("Call-ID") == invite.header("Call-ID")
    play.replies("200 OK")
    play.ended(successful=1)
    assert list(play.engine.calls) == [invite.header("Call-ID").encode()]


def test_all_dialogs_of_a_call_that_fails_are_released() -> None:
    leg = (request("INVITE"), '<recv response="200"/>', ACK)
    play = Playbook(extended("fail", *leg, *map(of_b, leg), '<recv request="BYE" timeout="500"/>'))
    first = play.expects("INVITE")
    play.replies("200 OK", tag="x")
    play.expects("ACK")
    second = play.expects("INVITE")
    play.replies("200 OK", tag="y")
    play.expects("ACK")
    released = {play.expects("BYE", within_s=2).header("Call-ID"), play.expects("BYE").header("Call-ID")}
    assert released == {first.header("Call-ID"), second.header("Call-ID")}
    play.ended(failed=1, reason="TimeoutOnRecv")
