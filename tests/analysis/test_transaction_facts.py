"""What transactions show: timers, losses, races."""

from __future__ import annotations

import pytest

from sipreplay.analysis.transaction_facts import DialogTransactions, transaction_facts
from tests.analysis.flow import A, B, Flow, call


def _facts(flow: Flow) -> DialogTransactions:
    return transaction_facts(flow.dialogs()[0])


@pytest.mark.parametrize(
    ("times", "fits"),
    [
        ((0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5), True),
        ((0, 0.2, 0.6, 1.4), True),
        ((0, 1, 2, 3, 4), False),
        ((0, 0.5, 1.5, 3.5, 7.5, 11.5), False),
    ],
)
def test_an_invite_is_repeated_by_timer_a(times: tuple[float, ...], fits: bool) -> None:
    flow = Flow()
    for time in times:
        flow.say(A, B, "INVITE", "1 INVITE", at=1000 + time)
    (one,) = _facts(flow).facts
    assert (one.request.timer, one.request.count, one.request.fits) == ("A", len(times) - 1, fits)
    assert (one.outcome, one.gave_up_s) == ("no answer", pytest.approx(times[-1]))


def test_another_request_is_repeated_by_timer_e_up_to_t2() -> None:
    flow = Flow()
    for time in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5):
        flow.say(A, B, "OPTIONS", "1 OPTIONS", at=1000 + time)
    (one,) = _facts(flow).facts
    assert (one.request.timer, one.request.fits, one.request.t1_s) == ("E", True, 0.5)


def test_over_tcp_nothing_is_to_be_repeated() -> None:
    flow = Flow()
    for time in (0, 0.5):
        flow.say(A, B, "OPTIONS", "1 OPTIONS", at=1000 + time, transport="TCP")
    (one,) = _facts(flow).facts
    assert (one.request.timer, one.request.count, one.request.fits) == ("", 1, None)


def test_a_2xx_that_is_repeated_for_want_of_an_ack() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    for time in (0, 0.5, 1.5, 3.5, 7.5, 11.5):
        flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1001 + time)
    (one,) = _facts(flow).facts
    (final,) = one.finals
    assert (final.timer, final.count, final.fits, one.lost_ack) == ("2xx", 5, True, True)


def test_an_ack_that_was_sent_and_did_not_arrive() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", at=1000)
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1001)
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"), at=1001.1)
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1001.5)
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1002.5)
    assert _facts(flow).facts[0].lost_ack


def test_a_sound_call_has_nothing_odd() -> None:
    flow = Flow()
    call(flow)
    found = _facts(flow)
    assert [f.outcome for f in found.facts] == ["answered", "answered"]
    assert not any(f.lost_ack or f.cancelled or f.cancel_race or f.glare or f.extra_finals for f in found.facts)
    assert (found.orphans, found.overlaps) == ((), ())


def test_a_response_to_nothing() -> None:
    flow = Flow()
    call(flow)
    flow.say(B, A, "200 OK", "9 INFO", via="lost", tags=("a", "b"))
    assert [[m.packet for m in transaction_facts(d).orphans] for d in flow.dialogs()] == [[], [8]]


def test_a_2xx_that_crosses_a_cancel() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "CANCEL", "1 CANCEL")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(B, A, "200 OK", "1 CANCEL", tags=("a", "b"))
    invite = _facts(flow).facts[0]
    assert (invite.cancelled, invite.cancel_race) == (True, "2xx crossed CANCEL")


def test_a_cancel_without_487() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "CANCEL", "1 CANCEL")
    flow.say(B, A, "200 OK", "1 CANCEL", tags=("a", "b"))
    assert _facts(flow).facts[0].cancel_race == "no 487 after CANCEL"
    flow.say(B, A, "487 Request Terminated", "1 INVITE", tags=("a", "b"))
    assert _facts(flow).facts[0].cancel_race == ""


def test_glare_and_what_overlaps() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "INVITE", "3 INVITE", via="x3", tags=("a", "b"))
    flow.say(B, A, "INVITE", "7 INVITE", via="y7", tags=("b", "a"))
    flow.say(B, A, "491 Request Pending", "3 INVITE", via="x3", tags=("a", "b"))
    flow.say(A, B, "491 Request Pending", "7 INVITE", via="y7", tags=("b", "a"))
    found = _facts(flow)
    assert [f.glare for f in found.facts if f.transaction.method == "INVITE"] == [False, True, True]
    assert [(a.cseq, b.cseq) for a, b in found.overlaps] == [(3, 7)]


def test_two_branches_of_a_fork_answer() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b1"))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b2"))
    (one,) = _facts(flow).facts
    assert [m.message.to_tag for m in one.extra_finals] == ["b2"]
