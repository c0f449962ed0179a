"""Messages to transactions."""

from __future__ import annotations

from sipreplay.analysis.model import Address
from sipreplay.analysis.transactions import build_transactions, group_exchanges
from tests.analysis.flow import A, B, Flow


def test_cancel_and_the_ack_to_a_failure_share_the_invite_s_exchange() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "CANCEL", "1 CANCEL")
    flow.say(B, A, "200 OK", "1 CANCEL", tags=("a", "b"))
    flow.say(B, A, "487 Request Terminated", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", tags=("a", "b"))
    (exchange,) = group_exchanges(flow.messages)
    assert len(exchange.messages) == 6
    invite, cancel = build_transactions([exchange], [True])
    assert [r.message.status for r in invite.responses] == [180, 487]
    assert invite.final is not None
    assert invite.final.message.status == 487
    assert invite.ack is flow.messages[-1]
    assert [r.message.status for r in cancel.responses] == [200]


def test_the_ack_to_a_2xx_is_tied_by_cseq_and_side() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "INVITE", "1 INVITE", via="c1", tags=("b", "a"))
    flow.say(B, A, "ACK", "1 ACK", via="c2", tags=("b", "a"))
    exchanges = group_exchanges(flow.messages)
    ours, theirs = build_transactions(exchanges, [True, False, False])
    assert ours.ack is None
    assert theirs.ack is flow.messages[-1]


def test_an_ack_without_its_invite_is_shown() -> None:
    flow = Flow()
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    (transaction,) = build_transactions(group_exchanges(flow.messages), [True])
    assert (transaction.method, transaction.responses) == ("ACK", [])


def test_a_response_goes_to_the_request_that_came_the_other_way() -> None:
    other = Address("198.51.100.1", 5060)
    flow = Flow()
    flow.say(A, B, "OPTIONS", "1 OPTIONS")
    flow.say(other, B, "OPTIONS", "1 OPTIONS")
    flow.say(B, other, "200 OK", "1 OPTIONS", tags=("a", "b"))
    flow.say(B, Address(A.host, 6000), "200 OK", "1 OPTIONS", tags=("a", "b"))
    first, second = group_exchanges(flow.messages)
    assert [m.packet for m in first.messages] == [1, 4]
    assert [m.packet for m in second.messages] == [2, 3]
