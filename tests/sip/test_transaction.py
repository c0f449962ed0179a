"""Transaction rules of RFC 3261 section 17."""

from __future__ import annotations

import pytest

from sipreplay.sip.message import Message, parse_message
from sipreplay.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    State,
    ack_matches,
    cancel_matches,
    response_matches,
    retransmit_delays,
    transaction_key,
)


def request(method: str, branch: str = "z9hG4bK-1", to_tag: str = "", cseq: int = 1, sent_by: str = "h") -> Message:
    tag = f";tag={to_tag}" if to_tag else ""
    return parse_message(
        f"{method} sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch={branch}\r\nFrom: <sip:a>;tag=f\r\n"
        f"To: <sip:b>{tag}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n\r\n".encode()
    )


def reply(code: int, method: str = "INVITE", branch: str = "z9hG4bK-1", to_tag: str = "t") -> Message:
    return parse_message(
        f"SIP/2.0 {code} X\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nFrom: <sip:a>;tag=f\r\n"
        f"To: <sip:b>;tag={to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n".encode()
    )


def test_an_invite_is_sent_seven_times_in_32_seconds() -> None:
    delays = list(retransmit_delays(invite=True))
    assert delays == [0.5, 1, 2, 4, 8, 16, 0.5]
    assert sum(delays) == 32


def test_other_requests_stop_doubling_at_t2() -> None:
    delays = list(retransmit_delays(invite=False))
    assert delays[:5] == [0.5, 1, 2, 4, 4]
    assert max(delays) == 4
    assert sum(delays) == 32


def test_another_t1() -> None:
    assert sum(retransmit_delays(invite=True, t1_s=0.1)) == pytest.approx(6.4)


def test_an_ack_to_a_failure_has_the_key_of_its_invite_and_a_cancel_has_not() -> None:
    invite = request("INVITE")
    assert transaction_key(request("ACK", to_tag="t")) == transaction_key(invite)
    assert transaction_key(request("CANCEL")) != transaction_key(invite)
    assert transaction_key(request("INVITE", sent_by="other")) != transaction_key(invite)
    assert cancel_matches(request("CANCEL"), invite)
    assert not cancel_matches(request("CANCEL", branch="z9hG4bK-2"), invite)
    assert not cancel_matches(request("CANCEL"), request("ACK"))


def test_old_branches_are_told_apart_by_tags_and_cseq() -> None:
    assert transaction_key(request("BYE", branch="1", cseq=1)) != transaction_key(request("BYE", branch="1", cseq=2))
    assert transaction_key(request("ACK", branch="1", to_tag="t")) == transaction_key(request("INVITE", branch="1"))


def test_responses() -> None:
    assert response_matches(request("INVITE"), reply(180))
    assert not response_matches(request("INVITE"), reply(200, "CANCEL"))
    assert not response_matches(request("INVITE"), reply(180, branch="z9hG4bK-2"))


def test_acks() -> None:
    invite = request("INVITE")
    assert ack_matches(request("ACK", to_tag="t"), invite, reply(486))
    assert not ack_matches(request("ACK", "z9hG4bK-9", to_tag="t"), invite, reply(486))
    assert ack_matches(request("ACK", "z9hG4bK-9", to_tag="t"), invite, reply(200))
    assert not ack_matches(request("ACK", "z9hG4bK-9", to_tag="other"), invite, reply(200))
    assert not ack_matches(request("ACK", "z9hG4bK-9", to_tag="t", cseq=2), invite, reply(200))


@pytest.mark.parametrize("table", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER])
def test_every_state_of_a_table_leads_to_its_end(table: dict[tuple[State, str], State]) -> None:
    states = {state for state, _ in table}
    assert State.TERMINATED not in states
    for state in states:
        reached = {state}
        for _ in states:
            reached |= {after for (before, _), after in table.items() if before in reached}
        assert State.TERMINATED in reached
