"""Order where clocks disagree."""

from __future__ import annotations

import random

from sipreplay.analysis.causality import causal_order, via_branches
from sipreplay.analysis.transactions import group_exchanges, in_order
from tests.analysis.flow import A, B, Flow, P, call


def starts(flow: Flow) -> list[int]:
    return [m.packet for m in causal_order(flow.messages)]


def test_time_decides_where_nothing_else_does() -> None:
    flow = Flow()
    call(flow)
    assert in_order(group_exchanges(flow.messages))
    assert starts(flow) == [1, 2, 3, 4, 5, 6, 7]


def test_a_proxy_seen_by_two_clocks() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE", at=10.060)
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1", at=10.001)
    flow.say(B, P, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"), at=10.100)
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"), at=10.050)
    flow.say(A, P, "ACK", "1 ACK", via="b2", tags=("a", "b"), at=10.04)
    assert starts(flow) == [1, 2, 3, 4, 5]


def test_no_message_is_lost_whatever_the_evidence_says() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", via="x,y")
    flow.say(B, A, "INVITE", "1 INVITE", via="y,x")
    flow.say(A, B, "200 OK", "1 INVITE", via="y,x", tags=("a", "b"))
    assert sorted(starts(flow)) == [1, 2, 3]


def test_answers_follow_their_invite_whatever_the_clock_said() -> None:
    flow = Flow()
    call(flow)
    late = random.Random(3)
    for captured in flow.messages:
        captured.time = late.uniform(0, 0.06)
    invite = next(m for m in flow.messages if m.message.method == "INVITE")
    place = {m: n for n, m in enumerate(causal_order(flow.messages))}
    for captured in flow.messages:
        if captured.message.status and captured.message.cseq_method == "INVITE":
            assert place[captured] > place[invite]


def test_branches_of_all_vias() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", via="1,2,3")
    assert via_branches(flow.messages[0]) == ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"]
