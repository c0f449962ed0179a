"""Dialogs to calls: each rule, its values and confidence, and the guards against tying too much."""

from __future__ import annotations

import pytest

from sipreplay.analysis.calls import MAX_ALIKE, MAX_SHOWN, MAX_TIED, build_calls
from sipreplay.analysis.model import Address, Call
from sipreplay.errors import UsageError
from tests.analysis.flow import A, B, Flow, P, call, sdp

C = Address("192.0.2.3", 5060)


def _calls(flow: Flow, *correlate: str) -> list[Call]:
    return build_calls(flow.dialogs(), correlate)


def _invite(flow: Flow, call_id: str, source: Address, destination: Address, **more: object) -> None:
    """An INVITE that opens a dialog of its own."""
    tag = str(more.pop("tag", f"t-{call_id}"))
    flow.say(source, destination, "INVITE", "1 INVITE", via=f"i-{call_id}", tags=(tag, ""), call_id=call_id, **more)  # type: ignore[arg-type]


def test_dialogs_of_one_call_id_are_one_call_and_it_says_why() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(A, P, "OPTIONS", "1 OPTIONS", via="o1", call_id="other")
    dialogs = flow.dialogs()
    first, second = build_calls(dialogs)
    assert (first.id, first.dialogs) == (1, [1, 2])
    assert first.evidence == [((1, 2), "same Call-ID", 1.0, ("call-1",))]
    assert (second.dialogs, second.evidence) == ([3], [])
    assert [d.call for d in dialogs] == [1, 1, 2]


@pytest.mark.parametrize("header", ["Replaces", "Join"])
def test_an_invite_that_names_another_dialog_is_of_its_call(header: str) -> None:
    flow = Flow()
    call(flow)
    _invite(flow, "two", C, B, headers=f"{header}: call-1;to-tag=b;from-tag=a")
    (one,) = _calls(flow)
    assert one.evidence == [((2, 1), header, 1.0, ("call-1;to-tag=b;from-tag=a",))]


def test_a_named_call_id_with_other_tags_is_less_sure() -> None:
    flow = Flow()
    call(flow)
    _invite(flow, "two", C, B, headers="Replaces: call-1;to-tag=x;from-tag=y")
    (one,) = _calls(flow)
    assert [(e.rule, e.confidence) for e in one.evidence] == [("Replaces, other tags", 0.9)]


def test_a_refer_with_replaces_ties_the_dialog_that_it_names_transitively() -> None:
    """Attended transfer: the transferor's two calls and the transferee's new one are one call."""
    flow = Flow()
    call(flow)
    _invite(flow, "two", A, C)
    flow.say(C, A, "200 OK", "1 INVITE", via="i-two", tags=("t-two", "c"), call_id="two")
    refer = "Refer-To: <sip:carol@192.0.2.3?Replaces=two%3Bto-tag%3Dc%3Bfrom-tag%3Dt-two>"
    flow.say(A, B, "REFER", "3 REFER", via="r1", tags=("a", "b"), headers=refer)
    _invite(flow, "three", B, C, headers="Replaces: two;to-tag=c;from-tag=t-two")
    (one,) = _calls(flow)
    assert one.dialogs == [1, 2, 3]
    assert {(e.dialogs, e.rule) for e in one.evidence} == {((1, 2), "Refer-To with Replaces"), ((3, 2), "Replaces")}


def test_a_blind_transfer_ties_the_call_it_brings_about() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "REFER", "2 REFER", via="r1", tags=("a", "b"), headers="Refer-To: <sip:bob@example.com>")
    _invite(flow, "two", B, C)
    _invite(flow, "else", P, C, at=flow.time + 0.2)  # nobody asked that one to call
    first, second = _calls(flow)
    assert (first.dialogs, second.dialogs) == ([1, 2], [3])
    assert [(e.rule, e.confidence) for e in first.evidence] == [("REFER target", 0.9)]


def test_referred_by_ties_through_a_proxy() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "REFER", "2 REFER", via="r1", tags=("a", "b"), headers="Refer-To: <sip:bob@example.com>")
    _invite(flow, "two", P, C, headers="Referred-By: <sip:alice@example.com>")
    (one,) = _calls(flow)
    assert [e.rule for e in one.evidence] == ["Referred-By"]
    assert "Referred-By alice@example.com" in one.evidence[0].values


def test_a_transfer_that_comes_much_later_is_another_call() -> None:
    flow = Flow()
    flow.say(A, B, "REFER", "2 REFER", headers="Refer-To: <sip:bob@example.com>")
    _invite(flow, "two", B, C, at=flow.time + 33)
    assert len(_calls(flow)) == 2


_UUID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("header", "rule", "value"),
    [
        (f"Session-ID: {_UUID};remote={'0' * 32}", "Session-ID", _UUID),
        ('P-Charging-Vector: icid-value="x1;y";orig-ioi=home', "icid-value", "x1;y"),
        ("X-Call-ID: abc", "X-Call-ID", "abc"),
        ("X-CID: abc", "X-Call-ID", "abc"),
    ],
)
def test_a_value_that_two_dialogs_share_ties_them(header: str, rule: str, value: str) -> None:
    flow = Flow()
    _invite(flow, "one", A, P, headers=header)
    _invite(flow, "two", P, B, headers=header)
    (one,) = _calls(flow)
    assert [(e.dialogs, e.rule, e.values) for e in one.evidence] == [((1, 2), rule, (value,))]


def test_a_nil_session_id_ties_nothing() -> None:
    flow = Flow()
    _invite(flow, "one", A, P, headers=f"Session-ID: {'0' * 32};remote={'0' * 32}")
    _invite(flow, "two", C, B, headers=f"Session-ID: {'0' * 32};remote={'0' * 32}")
    assert len(_calls(flow)) == 2


def test_the_remote_half_that_an_answer_tells_ties_too() -> None:
    flow = Flow()
    other = "f" * 32
    _invite(flow, "one", A, P, headers=f"Session-ID: {_UUID};remote={'0' * 32}")
    answer = f"Session-ID: {other};remote={_UUID}"
    flow.say(P, A, "200 OK", "1 INVITE", via="i-one", tags=("t-one", "p"), call_id="one", headers=answer)
    _invite(flow, "two", P, B, headers=f"Session-ID: {other};remote={_UUID}")
    (one,) = _calls(flow)
    assert {e.values[0] for e in one.evidence} == {_UUID, other}


def test_x_call_id_may_hold_the_other_legs_call_id() -> None:
    flow = Flow()
    _invite(flow, "one", A, P)
    _invite(flow, "two", P, B, headers="X-Call-ID: one")
    (one,) = _calls(flow)
    assert [(e.rule, e.values) for e in one.evidence] == [("X-Call-ID", ("one",))]


def test_a_header_that_the_user_names_ties_by_its_first_group() -> None:
    flow = Flow()
    gateway = Address("198.51.100.7", 5060)
    _invite(flow, "one", A, P, headers="P-Routing: hop=1;id=77")
    _invite(flow, "two", gateway, B, headers="P-Routing: hop=2;id=77")
    _invite(flow, "three", C, B, headers="P-Routing: hop=2;id=78")
    assert len(_calls(flow)) == 3
    first, second = _calls(flow, r"p-routing=id=(\d+)")
    assert (first.dialogs, second.dialogs) == ([1, 2], [3])
    assert first.evidence == [((1, 2), "--correlate p-routing", 0.9, ("77",))]


def test_a_hep_correlation_id_ties() -> None:
    flow = Flow()
    _invite(flow, "one", A, P)
    _invite(flow, "two", P, B)
    dialogs = flow.dialogs()
    flow.collector.messages.correlations[dialogs[1].messages[0].index] = "one"
    flow.collector.messages.forget()
    (one,) = build_calls(dialogs)
    assert [e.rule for e in one.evidence] == ["HEP correlation id"]


def test_a_constant_header_glues_nothing_and_is_noted() -> None:
    flow = Flow()
    for n in range(MAX_ALIKE + 1):
        _invite(flow, f"c{n}", A, B, headers="X-CID: always")
    calls = _calls(flow)
    assert len(calls) == MAX_ALIKE + 1
    assert calls[0].evidence == []
    many = f"{MAX_ALIKE + 1} Call-IDs have it, {MAX_ALIKE + 1} of them between the same two peers"
    assert calls[0].left_apart[0].values == ("always", many)


def test_a_value_of_very_many_call_ids_glues_nothing() -> None:
    flow = Flow()
    for n in range(MAX_TIED + 1):
        _invite(flow, f"c{n}", Address(f"192.0.2.{n + 1}", 5060), P, headers="X-CID: always")
    calls = _calls(flow)
    assert len(calls) == MAX_TIED + 1
    assert len(calls[0].left_apart[0].dialogs) == MAX_SHOWN


def test_a_value_that_is_used_again_later_is_another_call() -> None:
    flow = Flow()
    _invite(flow, "one", A, P, headers="X-CID: 1")
    _invite(flow, "two", P, B, headers="X-CID: 1")
    flow.time += 100
    _invite(flow, "three", A, P, headers="X-CID: 1")
    _invite(flow, "four", P, B, headers="X-CID: 1")
    assert [c.dialogs for c in _calls(flow)] == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=x",
        "X CID",
        "X-CID=",
        "X-CID=(",
        "X-CID=abc",
        "X-CID=(a+)+$",
        "X-CID=(a|aa)+$",
        r"X-CID=(.*).*\1",
        "X-CID=(.*).*.*.*x",
        "X-CID=(" + "a?" * 30 + ")",
        "X-CID=(" + "a" * 300 + ")",
        "X-CID=((a{1,9}){1,9})",
    ],
)
def test_a_correlate_that_cannot_be_used_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--correlate"):
        build_calls([], [text])


def test_ten_thousand_calls_by_a_header_take_one_pass() -> None:
    """Not timed: every value is looked up once, so that work grows with the calls (it is a dict, no comparison)."""
    flow = Flow()
    for n in range(1000):
        _invite(flow, f"a{n}", A, P, headers=f"X-Leg: {n}")
        _invite(flow, f"b{n}", P, B, headers=f"X-Leg: {n}")
    calls = _calls(flow, "X-Leg")
    assert [c.dialogs for c in calls] == [[2 * n + 1, 2 * n + 2] for n in range(1000)]


def _leg(flow: Flow, name: str, source: Address, destination: Address, hops: int, *, body: str = "") -> None:
    _invite(flow, name, source, destination, headers=f"Max-Forwards: {hops}", body=body or sdp(source.host, 4000))


def _answer(flow: Flow, name: str, source: Address, destination: Address) -> None:
    flow.say(source, destination, "200 OK", "1 INVITE", via=f"i-{name}", tags=(f"t-{name}", "x"), call_id=name)


def test_two_legs_of_a_b2bua_are_guessed_and_the_guess_says_why() -> None:
    flow = Flow()
    _leg(flow, "one", A, P, 70)
    _leg(flow, "two", P, B, 69)
    _answer(flow, "two", B, P)
    _answer(flow, "one", P, A)
    (one,) = _calls(flow)
    (guess,) = one.evidence
    assert (guess.dialogs, guess.rule, guess.confidence) == ((1, 2), "B2BUA", 0.9)
    assert guess.values == (
        "both at 192.0.2.9:5060",
        "called bob, bob",
        "calling alice, alice",
        "begins 10 ms later, while the first leg waits",
        "Max-Forwards 70, 69",
        "both answered 200, 10 ms apart",
    )


def test_a_leg_that_fits_two_calls_is_left_apart_and_noted() -> None:
    flow = Flow()
    _leg(flow, "one", A, P, 70)
    _leg(flow, "other", C, P, 70)
    _leg(flow, "two", P, B, 69)
    calls = _calls(flow)
    assert [c.dialogs for c in calls] == [[1], [2], [3]]
    (note,) = calls[2].left_apart
    assert note.values[0] == "2 calls fit equally well"
    assert calls[0].left_apart == calls[1].left_apart == [note]


def test_an_effect_does_not_come_before_its_cause() -> None:
    flow = Flow()
    _leg(flow, "two", P, B, 69)
    flow.time += 1
    _leg(flow, "one", A, P, 70)
    assert len(_calls(flow)) == 2


def test_calls_between_the_same_two_phones_are_not_legs_of_each_other() -> None:
    flow = Flow()
    _leg(flow, "one", A, P, 70)
    _leg(flow, "two", A, P, 69)
    assert len(_calls(flow)) == 2


def test_without_a_middle_only_what_no_two_calls_share_by_chance_ties() -> None:
    flow = Flow()
    gateway = Address("198.51.100.7", 5060)
    _leg(flow, "one", A, P, 70)
    _leg(flow, "two", gateway, B, 69)
    assert len(_calls(flow)) == 2
    other = Flow()
    origin = sdp(A.host, 4000).replace("o=- 1 1", "o=- 8231945 1")
    _leg(other, "one", A, P, 70, body=origin)
    _leg(other, "two", gateway, B, 69, body=origin)
    (one,) = _calls(other)
    assert "SDP origin - 8231945" in one.evidence[0].values
