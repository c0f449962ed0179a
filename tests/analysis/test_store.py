"""Messages as rows: what callers see of them, and how much is kept."""

from __future__ import annotations

import gc

import pytest

from sipreplay.analysis.messages import SipCollector
from sipreplay.analysis.model import Address
from sipreplay.analysis.store import RECENT, StoredMessage
from sipreplay.sip.message import parse_message
from tests.analysis.flow import A, B, Flow, call

ODD = (
    b"INVITE sip:b@example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1\r\n ;branch=z9hG4bKodd\r\n"
    b"f: <sip:a>;x=1;tag=f\xff\r\nTo: sip:b@example.com;tag=t\r\ni: odd\r\nCSEQ: 7\r\n INVITE\r\nl: 0\r\n\r\n"
)
"""Compact, folded, bytes that are no UTF-8."""


def fields(message):
    return (
        message.method,
        message.status,
        message.call_id,
        message.branch,
        message.cseq_number,
        message.cseq_method,
        message.from_tag,
        message.to_tag,
    )


@pytest.mark.parametrize("odd", [False, True])
def test_a_view_says_what_the_bytes_say(odd: bool) -> None:
    flow = Flow()
    if odd:
        flow.collector.datagram(0, 1, 5.0, A, B, "UDP", ODD)
    else:
        call(flow)
    assert len(flow.messages) == (1 if odd else 7)
    for captured in flow.messages:
        whole = parse_message(captured.data)
        assert fields(captured.message) == fields(whole)
        assert captured.message.headers == whole.headers
        assert captured.message.body == whole.body


def test_views_of_one_message_are_one_while_held_and_equal_later() -> None:
    flow = Flow()
    call(flow)
    first = flow.messages[0]
    assert flow.messages[0] is first
    assert flow.dialogs()[0].messages[0] is first
    again = hash(first)
    del first
    gc.collect()
    assert hash(flow.messages[0]) == again
    assert flow.messages[0] != flow.messages[1]
    assert list(flow.messages[-2:]) == [flow.messages[5], flow.messages[6]]
    with pytest.raises(IndexError):
        flow.messages[7]


def test_what_was_looked_at_is_let_go_again() -> None:
    collector = SipCollector()
    for number in range(4 * RECENT):
        data = ODD.replace(b"odd", b"%d" % number)
        collector.datagram(0, number + 1, number * 1.0, A, Address("192.0.2.9", 5060), "UDP", data)
    before = sum(isinstance(item, StoredMessage) for item in gc.get_objects())
    for captured in collector.messages:
        assert captured.message.headers
    held = sum(isinstance(item, StoredMessage) for item in gc.get_objects()) - before
    assert held <= 2 * RECENT
