"""The built-in call flows, seen from the peer: what is sent when, and what is counted."""

from __future__ import annotations

import pytest

from sipreplay.testing import Network, Playbook


def test_a_call_of_a_minute_from_invite_to_bye() -> None:
    play = Playbook("uac", pause_ms=60_000)
    invite = play.expects("INVITE")
    play.passes(0.4)
    play.replies("180 Ringing")
    play.passes(3.0)
    play.replies("200 OK", to=invite)
    ack = play.expects("ACK", within_s=0)
    assert ack.header("To").endswith(";tag=peer")
    assert ack.header("CSeq") == "1 ACK"
    play.silent_for(59.9)
    bye = play.expects("BYE", within_s=0.2)
    assert bye.header("To").endswith(";tag=peer")
    play.replies("200 OK")
    statistics = play.ended(successful=1)
    assert statistics.ring_time.percentile(50) == pytest.approx(400_000, abs=2)
    assert statistics.setup_time.percentile(50) == pytest.approx(3_400_000, abs=2)
    assert abs(statistics.call_length.maximum - 63_400_000) < 5000
    assert statistics.retransmissions == 0


def test_the_invite_is_what_sipp_sends() -> None:
    play = Playbook("uac")
    invite = play.expects("INVITE")
    head, _, body = invite.data.partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "INVITE sip:service@127.0.0.1:5070 SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1-1-0",
        "From: sipp <sip:sipp@127.0.0.1:5060>;tag=1SIPpTag001",
        "To: service <sip:service@127.0.0.1:5070>",
        "Call-ID: 1-1@127.0.0.1",
        "CSeq: 1 INVITE",
        "Contact: sip:sipp@127.0.0.1:5060",
        "Max-Forwards: 70",
        "Subject: Performance Test",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body):5d}",
    ]
    assert body.startswith(b"v=0\r\n")


def test_invite_is_retransmitted_with_doubling_delays_and_then_fails() -> None:
    play = Playbook("uac")
    first = play.expects("INVITE")
    times = [play.expects("INVITE").time - first.time for _ in range(5)]
    assert [round(time, 1) for time in times] == [0.5, 1.5, 3.5, 7.5, 15.5]
    statistics = play.ended(failed=1, reason="MaxUDPRetrans")
    assert statistics.retransmissions == 5
    assert statistics.steps[0].timeouts == 1


def test_bye_is_retransmitted_at_most_every_t2() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    first = play.expects("BYE")
    times = [play.expects("BYE").time - first.time for _ in range(6)]
    assert [round(time, 1) for time in times] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    play.replies("200 OK")
    play.ended(successful=1)


def test_a_provisional_answer_ends_the_retransmission_of_an_invite_only() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("100 Trying")
    play.silent_for(30)
    play.replies("200 OK")
    play.expects("ACK")
    play.expects("BYE")


def test_the_latest_answer_is_repeated_when_the_invite_comes_again() -> None:
    play = Playbook("uas")
    play.requests("INVITE")
    play.expects("180")
    answered = play.expects("200")
    play.again()
    assert play.expects("200").data == answered.data
    play.silent_for(0.1)
    assert play.engine.statistics.failed == 0


def test_final_answer_is_retransmitted_until_the_ack() -> None:
    play = Playbook("uas")
    play.requests("INVITE")
    play.expects("180")
    first = play.expects("200")
    again = play.expects("200")
    assert round(again.time - first.time, 1) == 0.5
    play.requests("ACK", cseq=101)
    play.silent_for(20)
    play.requests("BYE")
    bye_ok = play.expects("200")
    assert bye_ok.header("CSeq") == "102 BYE"
    play.passes(1)
    play.again()
    play.expects("200", within_s=0)
    play.ended(successful=1)


def test_an_answer_that_comes_twice_counts_once() -> None:
    play = Playbook("uac", pause_ms=1000)
    play.expects("INVITE")
    play.replies("180 Ringing")
    play.again()
    play.replies("200 OK")
    play.expects("ACK")
    play.again()
    play.expects("ACK", within_s=0)
    statistics = play.engine.statistics
    assert statistics.steps[2].messages == 1
    assert statistics.steps[2].retransmissions == 1
    play.expects("BYE")
    play.replies("200 OK")
    play.ended(successful=1)


def test_the_200_is_acknowledged_again_when_something_came_between() -> None:
    play = Playbook("uac", pause_ms=1000)
    invite = play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.expects("BYE")
    play.replies("200 OK", to=invite)
    play.expects("ACK", within_s=0)
    play.silent_for(0.1)
    assert play.engine.statistics.failed == 0


def test_a_call_that_is_refused_is_acknowledged_and_counted_with_an_example() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("486 Busy Here")
    ack = play.expects("ACK")
    assert ack.header("CSeq") == "1 ACK"
    statistics = play.ended(failed=1, reason="UnexpectedMessage")
    (example,) = statistics.examples.values()
    assert (example.step, example.expected, example.got) == (1, "100", "486 Busy Here")
    assert example.call_id == "1-1@127.0.0.1"
    assert statistics.steps[1].unexpected == 1


def test_bye_in_a_pause_is_answered_and_fails_the_call() -> None:
    play = Playbook("uac", pause_ms=10_000)
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.passes(1)
    play.requests("BYE")
    ok = play.expects("200", within_s=0)
    assert ok.header("CSeq") == "101 BYE"
    play.silent_for(30)
    play.ended(failed=1, reason="UnexpectedMessage")


def test_something_unexpected_in_a_call_is_answered_by_bye_the_right_way_round() -> None:
    play = Playbook("uac", pause_ms=10_000)
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.requests("INFO")
    bye = play.expects("BYE", within_s=0)
    assert bye.header("From") == "sipp <sip:sipp@127.0.0.1:5060>;tag=1SIPpTag001"
    assert bye.header("To") == "service <sip:service@127.0.0.1:5070>;tag=peer"
    play.ended(failed=1)


def test_stopping_finishes_open_calls_and_starts_no_more() -> None:
    play = Playbook("uac", pause_ms=5000, calls=10, rate_cps=1.0)
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.engine.stop_gracefully(play.clock.now())
    play.expects("BYE")
    play.replies("200 OK")
    statistics = play.ended(successful=1)
    assert statistics.outgoing == 1
    assert play.engine.done(play.clock.now())


def test_aborting_releases_open_calls() -> None:
    ringing = Playbook("uac")
    ringing.expects("INVITE")
    ringing.replies("180 Ringing")
    ringing.engine.abort(ringing.clock.now())
    cancel = ringing.expects("CANCEL")
    assert cancel.header("CSeq") == "1 CANCEL"
    assert "branch=z9hG4bK-1-1-0" in cancel.header("Via")
    ringing.ended(failed=1)

    talking = Playbook("uac", pause_ms=5000)
    talking.expects("INVITE")
    talking.replies("200 OK")
    talking.expects("ACK")
    talking.engine.abort(talking.clock.now())
    talking.expects("BYE")
    statistics = talking.ended(failed=1)
    (example,) = statistics.examples.values()
    assert (example.cause, example.got) == ("", "the run was stopped")


def test_aborting_finds_a_call_in_its_timewait_complete() -> None:
    play = Playbook(
        """<scenario name="late"><send><![CDATA[
        OPTIONS sip:[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:a@[local_ip]>;tag=[call_number]
        To: <sip:[remote_ip]>
        Call-ID: [call_id]
        CSeq: 1 OPTIONS
        Content-Length: 0
        ]]></send><recv response="200"/><timewait milliseconds="4000"/></scenario>"""
    )
    play.expects("OPTIONS")
    play.replies("200 OK")
    play.engine.abort(play.clock.now())
    play.ended(successful=1)


def test_messages_after_the_end_are_counted_not_answered() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.expects("BYE")
    play.replies("200 OK")
    play.ended(successful=1)
    play.requests("BYE")
    play.silent_for(1)
    assert play.engine.statistics.dead_call == 1
    play.passes(40)
    play.requests("BYE")
    play.silent_for(1)
    assert play.engine.statistics.out_of_call == 1


def test_a_message_of_no_call_is_counted_at_a_client_and_answered_if_asked() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.requests("OPTIONS", call_id="other@peer")
    play.silent_for(0.1)
    assert play.engine.statistics.out_of_call == 1

    answering = Playbook("uac", auto_answer=True, pause_ms=100)
    answering.expects("INVITE")
    answering.requests("OPTIONS", call_id="other@peer")
    assert answering.expects("200").header("CSeq") == "101 OPTIONS"
    assert answering.engine.statistics.auto_answered == 1


def test_noise_is_counted_and_harms_nothing() -> None:
    play = Playbook("uac")
    invite = play.expects("INVITE")
    for noise in (b"", b"\r\n\r\n", b"\x00" * 4, b"hello", b"SIP/2.0", b"SIP/2.0 200 OK\r\n\r\n", b"\xff" * 2000):
        play.sends(noise)
    play.replies("200 OK", to=invite)
    play.expects("ACK")
    play.expects("BYE")
    play.replies("200 OK")
    play.ended(successful=1)


def test_a_response_without_a_code_ends_its_call_and_no_other() -> None:
    play = Playbook("uac", calls=2)
    first = play.expects("INVITE")
    second = play.expects("INVITE")
    play.sends(b"SIP/2.0 xyz OK\r\n" + first.data.partition(b"\r\n")[2])
    play.expects("CANCEL")
    play.replies("200 OK", to=second)
    play.expects("ACK")
    play.expects("BYE")
    play.replies("200 OK")
    play.ended(successful=1, failed=1)


def test_two_engines_talk_through_a_bad_network() -> None:
    network = Network(loss=0.05, duplication=0.05, seed=3)
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, calls=400, rate_cps=100)
    network.run()
    statistics = uac.statistics
    assert statistics.outgoing == 400
    assert statistics.successful >= 375  # As in SIPp, an old 180 that comes twice can end a call.
    assert statistics.retransmissions > 20
    assert statistics.current == 0


def test_a_good_network_sees_no_retransmission() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, calls=500, rate_cps=200, pause_ms=1000)
    network.run()
    assert (uac.statistics.successful, uac.statistics.retransmissions) == (500, 0)
    assert (uas.statistics.successful, uas.statistics.retransmissions) == (500, 0)
    assert network.words()[:7] == ["INVITE", "180", "200", "ACK", *network.words()[4:7]]


def test_stray_answers_and_acks_make_no_call_at_a_server() -> None:
    play = Playbook("uas")
    play.requests("ACK", call_id="stray@peer")
    play.sends(b"SIP/2.0 200 OK\r\nCall-ID: stray@peer\r\nTo: <sip:a@b>\r\nCSeq: 1 INVITE\r\n\r\n")
    play.silent_for(1)
    statistics = play.engine.statistics
    assert (statistics.incoming, statistics.out_of_call) == (0, 2)


def test_a_server_answers_pings_outside_of_calls_if_asked() -> None:
    play = Playbook("uas", auto_answer=True)
    play.requests("OPTIONS", call_id="ping@peer")
    assert play.expects("200").header("CSeq").endswith("OPTIONS")
    play.requests("INVITE", call_id="call@peer")
    play.expects("180")
    statistics = play.engine.statistics
    assert (statistics.incoming, statistics.auto_answered) == (1, 1)
