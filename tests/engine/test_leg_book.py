"""Which second leg belongs to which first, and what a call with two legs amounts to."""

from __future__ import annotations

from sipreplay.engine.leg_book import Key, LegBook, Rule, transformed, value_at
from sipreplay.stats.legs import ANSWERING_FAILED, CALLING_FAILED, NOT_FORWARDED, NOT_LINKED

REWRITTEN = Key("ruri.user", "ruri.user", r"^\+49 -> 0")
BY_NUMBER = Rule("a", "b", (Key("call-id", "call-id"), REWRITTEN))


def invite(call_id: str, user: str, *more: str) -> bytes:
    lines = [
        f"INVITE sip:{user}@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        '"From: "Alice" <sip:alice@example.com>;tag=1'.lstrip('"'),
        f"To: <tel:{user}>",
        f"Call-ID: {call_id}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_values_are_read_from_every_place() -> None:
    data = invite("c1", "+4930123", "X-Token: abc")
    places = ("ruri.user", "to.user", "from.user", "call-id", "x-token", "x-none")
    assert [value_at(data, place) for place in places] == [b"+4930123", b"+4930123", b"alice", b"c1", b"abc", b""]
    assert value_at(b"INVITE sip:example.com SIP/2.0\r\n\r\n", "ruri.user") == b""


def test_a_number_is_rewritten_as_the_system_under_test_does() -> None:
    assert transformed(b"+4930123", r"^\+49 -> 0") == b"030123"
    assert transformed(b"0030", r"^\+49 -> 0") == b"0030"
    assert transformed(b"30", "") == b"30"


def test_legs_find_each_other_by_number_in_any_order_of_arrival() -> None:
    book = LegBook([BY_NUMBER])
    for number in range(3):
        book.opened("a", invite(f"a{number}", f"+49{number}"), 0.0)
    for number in (2, 0, 1):
        assert book.link(invite(f"b{number}", f"0{number}"), 1.0) == ("b", "")
    for number in range(3):
        book.ended("a", b"a%d" % number, "")
        book.ended("b", b"b%d" % number, "failed at index 3" if number == 1 else "")
    totals = book.totals
    assert (totals.calls, totals.linked, totals.passed, totals.by_key) == (3, 3, 2, {"ruri.user": 3})
    assert totals.causes == {ANSWERING_FAILED: 1}
    assert totals.examples == [f"{ANSWERING_FAILED}: a, Call-ID a1; b: failed at index 3"]


def test_a_surer_key_decides_between_calls_to_the_same_number() -> None:
    book = LegBook([BY_NUMBER])
    book.opened("a", invite("one", "+491"), 0.0)
    book.opened("a", invite("two", "+491"), 0.0)
    assert book.link(invite("two", "01"), 0.1)[0] == "b"
    book.ended("b", b"two", "")
    book.ended("a", b"two", "")
    book.ended("a", b"one", "")
    assert (book.totals.passed, book.totals.causes) == (1, {NOT_FORWARDED: 1})


def test_what_fits_two_calls_that_wait_is_not_guessed() -> None:
    book = LegBook([BY_NUMBER])
    book.opened("a", invite("one", "+491"), 0.0)
    book.opened("a", invite("two", "+491"), 0.0)
    assert book.link(invite("x", "01"), 0.1) == ("", "it fits 2 calls in progress")
    assert book.link(invite("y", "09"), 0.1) == ("", "it fits no call in progress")
    book.ended("a", b"one", "aborted at index 2")
    assert book.totals.causes == {NOT_LINKED: 1}
    assert book.totals.unlinked == 2


def test_a_call_that_has_its_second_leg_leaves_the_number_to_the_next() -> None:
    book = LegBook([BY_NUMBER])
    book.opened("a", invite("one", "+491"), 0.0)
    assert book.link(invite("x", "01"), 0.1)[0] == "b"
    book.opened("a", invite("two", "+491"), 0.2)
    assert book.link(invite("y", "01"), 0.3)[0] == "b"
    for leg, call_id in (("a", b"one"), ("b", b"y"), ("a", b"two"), ("b", b"x")):
        book.ended(leg, call_id, "")
    assert book.totals.passed == 2


def test_credentials_open_no_second_call_and_what_comes_too_late_is_not_linked() -> None:
    book = LegBook([BY_NUMBER])
    book.opened("a", invite("one", "+491"), 0.0)
    book.opened("a", invite("one", "+491", "Authorization: Digest x"), 0.1)
    assert book.totals.calls == 1
    assert book.link(invite("x", "01"), 10.5)[0] == ""


def test_branches_of_a_fork_go_to_one_scenario_each() -> None:
    book = LegBook([Rule("a", "winner", BY_NUMBER.keys), Rule("a", "loser", BY_NUMBER.keys)])
    book.opened("a", invite("one", "+491"), 0.0)
    assert [book.link(invite("one", f"0{n}"), 0.1)[0] for n in (1, 2)] == ["winner", "loser"]
    book.ended("a", b"one", "")
    assert book.totals.ended == 0
    book.ended("winner", b"one", "")
    book.ended("loser", b"one", "")
    assert (book.totals.ended, book.totals.passed) == (1, 1)


def test_what_has_not_ended_at_the_end_has_failed() -> None:
    book = LegBook([BY_NUMBER])
    book.opened("a", invite("one", "+491"), 0.0)
    book.opened("a", invite("two", "+492"), 0.0)
    book.opened("other", invite("three", "+492"), 0.0)
    book.link(invite("one", "01"), 0.1)
    book.ended("b", b"one", "")
    book.finish()
    assert book.totals.causes == {CALLING_FAILED: 1, NOT_FORWARDED: 1}
    assert (book.totals.calls, book.totals.ended) == (2, 2)


def test_a_call_that_need_not_come_back_passes_alone() -> None:
    book = LegBook([Rule("a", "b", BY_NUMBER.keys, must_come=False)])
    book.opened("a", invite("one", "+491"), 0.0)
    book.ended("a", b"one", "")
    assert (book.totals.passed, book.totals.causes) == (1, {})
