from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.matching import CONSUMED, REPEATED, RESEND, UNEXPECTED, Received, find
from sipreplay.engine.program import compile_program
from sipreplay.engine.steps import Step
from sipreplay.scenario.model import Pause, Recv, Scenario, Send

TEXT = "{} sip:a@b SIP/2.0\nCall-ID: [call_id]\nCSeq: 1 {}\n\n"


def send(method: str, **more: str) -> Send:
    return Send(text=TEXT.format(method, method), **more)


def steps(*elements: Send | Recv | Pause) -> list[Step]:
    config = EngineConfig(scenario="x", remote=("127.0.0.1", 5060))
    return compile_program(Scenario("x", list(elements)), config, endpoint_of(config, 5060, "127.0.0.1")).steps


def response(code: int, method: str, transaction: int = -1) -> Received:
    return Received(b"", code, method.encode(), transaction)


def request(method: str) -> Received:
    return Received(method.encode(), 0, b"", -1)


UAC = steps(
    send("INVITE"),
    Recv(response="100", optional="true"),
    Recv(response="180", optional="true"),
    Recv(response="200"),
    send("ACK"),
    Pause(milliseconds=1),
    send("BYE"),
    Recv(response="200"),
)


def test_forward_over_optional_steps_to_the_first_mandatory_one() -> None:
    assert find(UAC, 1, response(100, "INVITE")) == 1
    assert find(UAC, 1, response(180, "INVITE")) == 2
    assert find(UAC, 1, response(200, "INVITE")) == 3
    assert find(UAC, 1, response(486, "INVITE")) == UNEXPECTED


def test_backward_over_optional_steps_directly_behind() -> None:
    assert find(UAC, 3, response(100, "INVITE")) == 1
    assert find(UAC, 7, response(180, "INVITE")) == UNEXPECTED


def test_nothing_is_taken_in_a_pause() -> None:
    assert find(UAC, 5, request("BYE")) == UNEXPECTED


def test_the_method_of_a_response_must_have_been_sent() -> None:
    assert find(UAC, 3, response(200, "MESSAGE")) == UNEXPECTED


def test_an_old_200_of_the_invite_gets_its_ack_again() -> None:
    # In the pause; while waiting for BYE's 200, SIPp's test of methods takes it for that (its list is INVITEACKBYE).
    assert find(UAC, 5, response(200, "INVITE")) == RESEND - 4
    assert find(UAC, 7, response(200, "INVITE")) == 7


def test_global_is_taken_from_everywhere_behind() -> None:
    flow = steps(Recv(request="INFO", optional="global"), send("INVITE"), Recv(response="200"), Pause(milliseconds=5))
    assert find(flow, 3, request("INFO")) == 0


def test_named_transactions_go_by_branch() -> None:
    flow = steps(
        send("INVITE", start_txn="a"),
        Recv(response="180", optional="true", response_txn="a"),
        Recv(response="200", response_txn="a"),
        send("ACK", ack_txn="a"),
        send("INFO", start_txn="b"),
        Recv(response="200", response_txn="b"),
        Pause(milliseconds=5),
    )
    assert find(flow, 1, response(200, "INVITE", 0)) == 2
    assert find(flow, 1, response(200, "INVITE", 1)) == UNEXPECTED
    assert find(flow, 1, response(200, "INVITE")) == UNEXPECTED
    assert find(flow, 5, response(180, "INVITE", 0)) == CONSUMED
    assert find(flow, 5, response(200, "INVITE", 0)) == RESEND - 3
    assert find(flow, 6, response(200, "INFO", 1)) == REPEATED


def test_patterns_of_requests_and_responses() -> None:
    flow = steps(
        Recv(request="INFO|UPDATE", regexp_match=True, optional="true"), Recv(response="^2", regexp_match=True)
    )
    assert find(flow, 0, request("UPDATE")) == 0
    assert find(flow, 0, request("BYE")) == UNEXPECTED
    flow[1].methods_before = b"INVITE"
    assert find(flow, 0, response(202, "INVITE")) == 1


@given(
    st.lists(st.tuples(st.sampled_from(["INFO", "BYE"]), st.sampled_from(["true", "false", "global"])), max_size=6),
    st.integers(0, 6),
    st.sampled_from(["INFO", "BYE", "ACK"]),
)
def test_what_is_found_fits_and_is_in_reach(elements: list[tuple[str, str]], current: int, method: str) -> None:
    flow = steps(*(Recv(request=name, optional=kind) for name, kind in elements), Recv(request="LAST"))
    current = min(current, len(flow) - 1)
    found = find(flow, current, request(method))
    if found >= 0:
        assert flow[found].request == method.encode()
        between = flow[current:found] if found >= current else flow[found:current]
        assert all(step.optional for step in between) or flow[found].optional == 2
    else:
        assert found == UNEXPECTED
        assert flow[current].request != method.encode()
