"""The offer/answer table, walked: every transition by a flow that makes it, every violation by one that breaks it."""

from __future__ import annotations

import pytest

from sipreplay.analysis.offer_answer import (
    KINDS,
    MISSING,
    STABLE,
    STATES,
    TRANSITIONS,
    VIOLATIONS,
    OfferAnswer,
    offer_answer,
)
from tests.analysis.flow import A, B, Flow, call, sdp

_BY_CALLER = {"INVITE", "ACK", "PRACK", "UPDATE"}
_PATHS: dict[str, list[str]] = {
    "stable": ["INVITE", "2xx", "-ACK"],
    "offered in INVITE": ["INVITE"],
    "answered in 1xx": ["INVITE", "reliable 1xx"],
    "offered in 1xx": ["-INVITE", "reliable 1xx"],
    "offered in 2xx": ["-INVITE", "2xx"],
    "offered in PRACK": ["INVITE", "reliable 1xx", "PRACK"],
    "offered in UPDATE": ["INVITE", "2xx", "-ACK", "UPDATE"],
}
"""How each state is reached; "-" says: without an SDP."""


def _walk(steps: list[str]) -> OfferAnswer:
    flow = Flow()
    opened = False
    cseq, invite = 0, 0
    for number, step in enumerate(steps):
        kind = step.removeprefix("-")
        body = "" if step.startswith("-") else sdp("192.0.2.1" if kind in _BY_CALLER else "192.0.2.2", 4000)
        tags = ("a", "b" if opened or kind not in ("INVITE",) else "")
        if kind in ("INVITE", "PRACK", "UPDATE"):
            cseq += 1
            invite = cseq if kind == "INVITE" else invite
            flow.say(A, B, kind, f"{cseq} {kind}", via=f"v{cseq}", tags=tags, body=body)
        elif kind == "ACK":
            flow.say(A, B, kind, f"{invite} ACK", via=f"k{number}", tags=("a", "b"), body=body)
        elif kind in ("1xx", "reliable 1xx"):
            headers = f"Require: 100rel|RSeq: {number + 1}" if kind != "1xx" else ""
            flow.say(
                B,
                A,
                "183 Session Progress",
                f"{invite} INVITE",
                via=f"v{invite}",
                tags=("a", "b"),
                headers=headers,
                body=body,
            )
        elif kind == "2xx":
            flow.say(B, A, "200 OK", f"{invite} INVITE", via=f"v{invite}", tags=("a", "b"), body=body)
        else:
            method = kind.removeprefix("2xx to ")
            flow.say(B, A, "200 OK", f"{cseq} {method}", via=f"v{cseq}", tags=("a", "b"), body=body)
        opened = opened or kind != "INVITE"
    return offer_answer(flow.dialogs()[0])


def test_every_state_is_reached() -> None:
    assert set(_PATHS) == set(STATES)
    for state, steps in _PATHS.items():
        found = _walk(steps)
        assert (found.state, found.violations) == (state, []), steps


@pytest.mark.parametrize(("state", "kind"), [pair for pair in TRANSITIONS if pair[1] != "INVITE" or pair[0] == STABLE])
def test_every_transition(state: str, kind: str) -> None:
    steps = _prepared(state, kind)
    found = _walk([*steps, kind])
    assert found.violations == []
    assert found.exchanged[-1].kind == kind
    assert found.exchanged[-1].role == TRANSITIONS[state, kind].role
    assert found.state == TRANSITIONS[state, kind].state


def _prepared(state: str, kind: str) -> list[str]:
    """The way to a state in which a message of that kind can come: responses need an INVITE that waits."""
    if state == STABLE and kind in ("reliable 1xx", "2xx", "1xx"):
        return ["-INVITE"]
    return _PATHS[state]


@pytest.mark.parametrize(
    ("state", "kind"),
    [pair for pair in VIOLATIONS if pair[1] not in ("2xx to PRACK", "2xx to UPDATE", "ACK") or pair[0] != STABLE],
)
def test_every_violation_is_named(state: str, kind: str) -> None:
    found = _walk([*_prepared(state, kind), kind])
    assert [v.what for v in found.violations] == [VIOLATIONS[state, kind]]


@pytest.mark.parametrize("method", ["PRACK", "UPDATE"])
def test_an_sdp_in_the_answer_to_a_request_without_one(method: str) -> None:
    found = _walk(["INVITE", "2xx", "-ACK", f"-{method}", f"2xx to {method}"])
    assert [v.what for v in found.violations] == [VIOLATIONS[STABLE, f"2xx to {method}"]]


def test_an_answer_in_ack_to_nothing() -> None:
    assert [v.what for v in _walk(["INVITE", "2xx", "ACK"]).violations] == [VIOLATIONS[STABLE, "ACK"]]


@pytest.mark.parametrize(("state", "kind"), list(MISSING))
def test_a_missing_answer_is_named(state: str, kind: str) -> None:
    found = _walk([*_PATHS[state], f"-{kind}"])
    assert [v.what for v in found.violations] == [MISSING[state, kind]]


def test_tables_name_only_states_and_messages_that_there_are() -> None:
    for table in (TRANSITIONS, VIOLATIONS, MISSING):
        assert {state for state, _ in table} <= set(STATES)
        assert {kind for _, kind in table} <= set(KINDS)
    assert not TRANSITIONS.keys() & VIOLATIONS.keys()


def test_a_plain_call_and_a_late_offer() -> None:
    flow = Flow()
    call(flow)
    plain = offer_answer(flow.dialogs()[0])
    assert [(e.role, e.from_caller) for e in plain.exchanged] == [("offer", True), ("answer", False)]
    assert (plain.late_offer, plain.state) == (False, STABLE)
    late = _walk(["-INVITE", "2xx", "ACK"])
    assert [(e.role, e.from_caller) for e in late.exchanged] == [("offer", False), ("answer", True)]
    assert late.late_offer


def test_each_fork_has_a_state_of_its_own() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    for tag in ("b1", "b2"):
        flow.say(
            B,
            A,
            "183 Session Progress",
            "1 INVITE",
            tags=("a", tag),
            headers="Require: 100rel|RSeq: 1",
            body=sdp("192.0.2.2", 5000),
        )
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b2"))
    found = offer_answer(flow.dialogs()[0])
    assert [e.role for e in found.exchanged] == ["offer", "answer", "answer"]
    assert found.violations == []


def test_another_sdp_in_the_2xx_than_the_reliable_1xx_had() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(
        B,
        A,
        "183 Session Progress",
        "1 INVITE",
        tags=("a", "b"),
        headers="Require: 100rel|RSeq: 1",
        body=sdp("192.0.2.2", 5000),
    )
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 5002))
    (violation,) = offer_answer(flow.dialogs()[0]).violations
    assert violation.what.startswith("another SDP in the 2xx")
    assert violation.captured.packet == 3


def _reinvite(flow: Flow, cseq: int, direction: str, answer: str, host: str = "192.0.2.1") -> None:
    flow.say(A, B, "INVITE", f"{cseq} INVITE", via=f"r{cseq}", tags=("a", "b"), body=sdp(host, 4000, direction))
    flow.say(B, A, "200 OK", f"{cseq} INVITE", via=f"r{cseq}", tags=("a", "b"), body=sdp("192.0.2.2", 6000, answer))
    flow.say(A, B, "ACK", f"{cseq} ACK", via=f"k{cseq}", tags=("a", "b"))


@pytest.mark.parametrize(
    ("direction", "answer", "host", "how"),
    [
        ("sendonly", "recvonly", "192.0.2.1", "sendonly"),
        ("inactive", "inactive", "192.0.2.1", "inactive"),
        ("sendrecv", "recvonly", "0.0.0.0", "0.0.0.0"),
    ],
)
def test_hold_and_resume(direction: str, answer: str, host: str, how: str) -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 6000))
    _reinvite(flow, 2, direction, answer, host)
    (hold,) = offer_answer(flow.dialogs()[0]).holds
    assert (hold.by_caller, hold.how, hold.end) == (True, how, None)
    _reinvite(flow, 3, "sendrecv", "sendrecv")
    (hold,) = offer_answer(flow.dialogs()[0]).holds
    assert hold.end is not None
    assert (hold.begin.packet, hold.end.packet) == (3, 6)


def test_a_refused_offer_leaves_what_was_agreed() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 6000))
    flow.say(A, B, "INVITE", "2 INVITE", via="r2", tags=("a", "b"), body=sdp("192.0.2.1", 4002))
    flow.say(B, A, "488 Not Acceptable Here", "2 INVITE", via="r2", tags=("a", "b"))
    flow.say(A, B, "INVITE", "3 INVITE", via="r3", tags=("a", "b"), body=sdp("192.0.2.1", 4002))
    found = offer_answer(flow.dialogs()[0])
    assert [m.packet for m in found.rejected] == [4]
    assert found.violations == []
