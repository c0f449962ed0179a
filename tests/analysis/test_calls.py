"""Dialogs to calls."""

from __future__ import annotations

from sipreplay.analysis.calls import RULES, Rule, build_calls
from tests.analysis.flow import A, B, Flow, P, call


def test_dialogs_of_one_call_id_are_one_call_and_it_says_why() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(A, P, "OPTIONS", "1 OPTIONS", via="o1", call_id="other")
    dialogs = flow.dialogs()
    first, second = build_calls(dialogs)
    assert (first.id, first.dialogs) == (1, [1, 2])
    assert [(e.dialogs, e.rule, e.confidence) for e in first.evidence] == [((1, 2), "same Call-ID", 1.0)]
    assert (second.dialogs, second.evidence) == ([3], [])
    assert [d.call for d in dialogs] == [1, 1, 2]


def test_another_rule_joins_calls_across_call_ids() -> None:
    flow = Flow()
    call(flow)
    second = Flow("second")
    second.collector = flow.collector
    call(second, P, B)
    dialogs = flow.dialogs()
    rule = Rule("same user", 0.5, lambda dialog: (dialog.from_tag,))
    (joined,) = build_calls(dialogs, (*RULES, rule))
    assert joined.dialogs == [1, 2]
    assert [e.rule for e in joined.evidence] == ["same user"]
