"""Folding and ranking of findings."""

from __future__ import annotations

from sipreplay.analysis.findings import MAX_PACKETS, Finding, Severity, findings, fold, ranked
from tests.analysis.flow import A, B, Flow


def _finding(rule: str, severity: Severity, *calls: int, title: str = "t", why: str = "w") -> Finding:
    return Finding(severity, rule, title, why, "r", calls=calls, packets=tuple((0, call) for call in calls))


def test_one_rule_over_many_calls_is_one_finding_with_a_count() -> None:
    (one,) = fold(
        [
            _finding("lost-ack", Severity.WARNING, 1, title="at A", why="x"),
            _finding("lost-ack", Severity.WARNING, 2, title="at B", why="y"),
            _finding("lost-ack", Severity.WARNING, 2, title="at B", why="y"),
        ]
    )
    assert (one.count, one.calls, one.packets) == (3, (1, 2), ((0, 1), (0, 2)))
    assert one.title == "at A, and 1 more like it"
    assert one.why == "x; y"


def test_a_rule_of_two_severities_is_two_findings() -> None:
    found = fold([_finding("late", Severity.NOTE, 1), _finding("late", Severity.ERROR, 2)])
    assert [f.severity for f in ranked(found)] == [Severity.ERROR, Severity.NOTE]


def test_the_worst_come_first_and_then_those_of_most_calls() -> None:
    found = [
        _finding("a", Severity.NOTE, 1, 2, 3),
        _finding("b", Severity.WARNING, 1),
        _finding("c", Severity.WARNING, 1, 2),
        _finding("d", Severity.ERROR),
    ]
    assert [f.rule for f in ranked(found)] == ["d", "c", "b", "a"]


def test_a_folded_finding_is_bounded() -> None:
    (one,) = fold(_finding("x", Severity.NOTE, n, why=f"because {n}") for n in range(1, 1001))
    assert len(one.packets) == MAX_PACKETS
    assert one.why == "because 1; because 2; because 3; and 997 more"
    assert len(one.calls) == 1000


def test_a_failure_is_found_with_its_packets_and_reason() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "503 Service Unavailable", "1 INVITE", tags=("a", "b"), headers="Reason: Q.850;cause=34")
    (one,) = findings(flow.analysis())
    assert (one.severity, one.rule, one.packets) == (Severity.ERROR, "invite-failed-503", ((0, 1), (0, 2)))
    assert "Q.850;cause=34" in one.why
