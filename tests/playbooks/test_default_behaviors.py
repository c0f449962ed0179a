"""What the engine does by itself, and can be told not to: copies, losses, pauses, default messages, rates."""

from __future__ import annotations

import pytest

from sipreplay.engine.config import Watchdog
from sipreplay.engine.failure import FatalError
from sipreplay.engine.watchdog import Watch
from sipreplay.testing import Playbook
from tests.playbooks.test_scenarios import ACK, answer, request, scenario

CALL = scenario(
    request("INVITE"), '<recv response="180" optional="true"/>', '<recv response="200"/>', ACK, '<recv request="BYE"/>'
)


COMING = (
    b"INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-one\r\n"
    b"From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: coming\r\nCSeq: 7 INVITE\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def established(**settings: object) -> Playbook:
    play = Playbook(CALL, **settings)
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    return play


def test_an_unexpected_message_is_ignored_without_abortunexp() -> None:
    play = established(abort_unexpected=False)
    play.requests("INFO")
    play.silent_for(1)
    play.requests("BYE")
    statistics = play.ended(successful=1)
    assert [step.unexpected for step in statistics.steps] == [0, 0, 0, 0, 1]


def test_a_failed_call_is_not_released_without_bye() -> None:
    play = established(default_bye=False)
    play.requests("INFO")
    play.ended(failed=1, reason="UnexpectedMessage")


@pytest.mark.parametrize("answers", [True, False])
def test_ping_is_answered_by_default(answers: bool) -> None:
    play = established(answer_ping=answers)
    play.requests("PING")
    if answers:
        assert play.expects("200").header("CSeq").endswith("PING")
    play.silent_for(1)
    play.requests("BYE")
    play.ended(successful=1)


@pytest.mark.parametrize(("checked", "passed"), [(True, 0), (False, 1)])
def test_an_ack_of_another_invite_ends_the_call_by_default(checked: bool, passed: int) -> None:
    play = Playbook(
        scenario('<recv request="INVITE"/>', answer("200 OK"), '<recv request="ACK"/>'), check_ack_cseq=checked
    )
    play.requests("INVITE")
    play.expects("200")
    play.requests("ACK", cseq=999)
    play.ended(successful=passed, failed=1 - passed)


def test_what_comes_in_a_pause_can_be_dropped() -> None:
    text = scenario(request("OPTIONS"), '<recv response="200"/>', '<pause milliseconds="1000"/>', request("INFO"))
    play = Playbook(text, ignore_while_pausing=True)
    play.expects("OPTIONS")
    play.replies("200 OK")
    play.requests("NOTIFY")
    play.expects("INFO")
    play.ended(successful=1)


def test_everything_is_lost_at_a_hundred_per_cent() -> None:
    play = Playbook(scenario(request("OPTIONS", "", 'retrans="500"'), '<recv response="200"/>'), lost_percent=100.0)
    statistics = play.ended(failed=1, reason="MaxUDPRetrans")
    assert statistics.steps[0].lost == 10


def test_a_copy_that_came_another_way_is_recognised_loosely() -> None:
    text = scenario('<recv request="INVITE"/>', answer("180 Ringing"), '<pause milliseconds="2000"/>', answer("200 OK"))
    for loose in (True, False):
        play = Playbook(text, loose_copies=loose)
        play.sends(COMING)
        play.expects("180")
        play.sends(COMING.replace(b"z9hG4bK-one", b"z9hG4bK-two"))
        if loose:
            assert "two" not in play.expects("180").header("Via")
            play.expects("200")
            play.ended(successful=1)
        else:
            play.ended(failed=1, reason="UnexpectedMessage")


def test_a_rate_climbs_to_its_bound_and_the_run_ends_there() -> None:
    text = scenario(request("OPTIONS"), '<recv response="200" timeout="1"/>')
    play = Playbook(
        text, calls=None, rate_cps=10.0, rate_increase_cps=10.0, rate_interval_s=1.0, rate_max_cps=25.0, limit=0
    )
    engine = play.engine
    seen = []
    for second in range(4):
        seen.append(engine.rate.rate_cps if engine.rate is not None else 0.0)
        for _ in range(100):
            play.clock.jump(play.begin + second + _ / 100)
            engine.expire(play.clock.now())
    # Read at the very second, before its step.
    assert seen == [10.0, 10.0, 20.0, 25.0]
    assert engine.stopping


def test_users_come_and_go() -> None:
    text = scenario(request("OPTIONS"), '<recv response="200"/>')
    play = Playbook(text, calls=None, users=3)
    first = [play.expects("OPTIONS") for _ in range(3)]
    assert len(first) == 3
    play.engine.set_users(1, play.clock.now())
    play.silent_for(1)
    assert play.engine.totals.current == 3
    assert play.engine.users is not None
    assert (play.engine.users.count, play.engine.users.leaving) == (1, 2)


def test_a_watchdog_counts_late_turns_and_gives_up() -> None:
    play = Playbook(scenario(request("OPTIONS"), '<recv response="200"/>'))
    watch = Watch(Watchdog(100, 500, 3000, most_minor=1, most_major=0, reset_ms=600_000), play.engine, 0.0)
    assert watch.due == 0.1
    for now in (0.1, 0.2, 0.9):
        watch.look(now)
    assert (play.engine.totals.watchdog_minor, play.engine.totals.watchdog_major) == (1, 0)
    with pytest.raises(FatalError, match="major threshold of 3000 ms too many times"):
        watch.look(5.0)


def test_counting_begins_again_but_open_calls_stay() -> None:
    play = established()
    play.engine.reset_statistics()
    assert (play.engine.statistics.outgoing, play.engine.statistics.current) == (0, 1)
    play.requests("BYE")
    play.ended(successful=1)


def test_a_copy_of_a_request_is_answered_with_the_latest_response() -> None:
    text = scenario(
        '<recv request="INVITE"/>', answer("180 Ringing"), answer("200 OK"), '<recv request="ACK"/>', request("BYE")
    )
    play = Playbook(text)
    play.sends(COMING)
    play.expects("180")
    play.expects("200")
    play.again()
    play.expects("200")
    play.requests("ACK", call_id="coming", cseq=7)
    play.expects("BYE")
    play.ended(successful=1)


def test_a_copy_of_a_response_repeats_what_it_brought_about_and_no_later_request() -> None:
    play = established()
    play.again()
    play.expects("ACK")
    play.requests("BYE")
    play.ended(successful=1)
