"""SIP found in payloads: by content, on any port, copies and retransmissions told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.messages import COPY_WINDOW_S, SipCollector, looks_like_sip
from sipreplay.analysis.model import Address
from tests.analysis.flow import A, B, Flow

ODD = Address("192.0.2.3", 31337)
OPTIONS = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def collect(*payloads: bytes, ip_id: int = 0, gap: float = 1.0) -> SipCollector:
    collector = SipCollector()
    for number, payload in enumerate(payloads, 1):
        collector.datagram(0, number, number * gap, ODD, B, "UDP", payload, ip_id)
    return collector


@pytest.mark.parametrize(
    ("payload", "sip"),
    [
        (OPTIONS, True),
        (b"\r\n\r\n" + OPTIONS, True),
        (b"SIP/2.0 200 OK\r\n\r\n", True),
        (b"SIP/9.9 what", True),
        (b"options sip:x sip/2.0\r\n", True),
        (b"\r\n\r\n", False),
        (b"", False),
        (b"\x80\x00\x00\x01" + OPTIONS, False),
        (b"NOTIFY * HTTP/1.1\r\nX: SIP/2.0\r\n", False),
    ],
)
def test_sip_is_known_by_its_first_line(payload: bytes, sip: bool) -> None:
    assert looks_like_sip(payload) is sip


def test_any_port_and_several_messages_in_a_datagram() -> None:
    second = OPTIONS.replace(b"Call-ID: c", b"Call-ID: d")
    messages, malformed = collect(OPTIONS + b"\r\n\r\n" + second).finish()
    assert [m.message.call_id for m in messages] == ["c", "d"]
    assert messages[0].data == OPTIONS
    assert malformed == 0


def test_the_correlation_of_a_capture_agent_is_kept() -> None:
    collector = SipCollector()
    collector.datagram(0, 1, 1.0, ODD, B, "TCP", OPTIONS, 0, "leg-7")
    collector.datagram(0, 2, 2.0, ODD, B, "UDP", OPTIONS.replace(b"Call-ID: c", b"Call-ID: d"))
    messages, _ = collector.finish()
    assert [(m.transport, m.correlation) for m in messages] == [("TCP", "leg-7"), ("UDP", "")]


def test_malformed_messages_are_counted_and_other_traffic_is_not() -> None:
    collector = SipCollector()
    assert collector.datagram(0, 1, 1.0, A, B, "UDP", b"SIP/2.0 4294967301 better not\r\nCall-ID: x\r\n\r\n")
    assert not collector.datagram(0, 2, 1.0, A, B, "UDP", b"\x80rtp")
    assert collector.finish() == ([], 1)


def test_the_same_packet_twice_is_a_copy() -> None:
    within = collect(OPTIONS, OPTIONS, gap=COPY_WINDOW_S / 2).messages
    assert [(m.copy, m.retransmission) for m in within] == [(False, False), (True, False)]
    same_id = collect(OPTIONS, OPTIONS, OPTIONS, ip_id=77).messages
    assert [m.copy for m in same_id] == [False, True, True]


def test_the_same_bytes_later_are_a_retransmission() -> None:
    found = collect(OPTIONS, OPTIONS).messages
    assert [(m.copy, m.retransmission) for m in found] == [(False, False), (False, True)]


def test_a_copy_of_a_retransmission_is_a_copy() -> None:
    collector = SipCollector()
    for packet, (time, ip_id) in enumerate([(1.0, 5), (1.001, 5), (1.5, 6), (1.501, 6)]):
        collector.datagram(0, packet, time, A, B, "UDP", OPTIONS, ip_id)
    assert [m.copy for m in collector.messages] == [False, True, False, True]
    assert [m.retransmission for m in collector.messages] == [False, False, True, False]


def test_the_same_bytes_between_other_addresses_are_neither() -> None:
    collector = SipCollector()
    collector.datagram(0, 1, 1.0, A, B, "UDP", OPTIONS)
    collector.datagram(0, 2, 1.001, ODD, B, "UDP", OPTIONS)
    assert not any(m.copy or m.retransmission for m in collector.messages)


def test_the_same_transaction_in_other_bytes_is_a_retransmission_but_another_provisional_is_not() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="Timestamp: 1")
    flow.say(A, B, "INVITE", "1 INVITE", headers="Timestamp: 2", at=1001)
    flow.say(B, A, "183 Progress", "1 INVITE", tags=("a", "b"), headers="RSeq: 1")
    flow.say(B, A, "183 Progress", "1 INVITE", tags=("a", "b"), headers="RSeq: 2")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Date: 1")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Date: 2", at=1003)
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "fork"), headers="Date: 2", at=1004)
    assert [m.retransmission for m in flow.messages] == [False, True, False, False, False, True, False]


def test_the_next_round_of_a_digest_dialogue_is_no_retransmission() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(A, B, "INVITE", "2 INVITE", at=1002)
    assert not any(m.retransmission for m in flow.messages)


@given(st.binary(max_size=300))
def test_any_payload_is_taken(payload: bytes) -> None:
    collector = SipCollector()
    for data in (payload, OPTIONS[:30] + payload, OPTIONS + payload):
        collector.datagram(0, 1, 1.0, A, B, "UDP", data)
        collector.message(0, 1, 1.0, A, B, "TCP", data)
    collector.finish()


def test_a_second_file_that_saw_the_same_packets_holds_copies() -> None:
    collector = SipCollector()
    for capture, shift in ((0, 0.0), (1, 0.02)):
        for packet, time in enumerate((1.0, 1.5, 2.5)):
            collector.datagram(capture, packet, time + shift, A, B, "UDP", OPTIONS)
    assert [m.copy for m in collector.messages] == [False] * 3 + [True] * 3
    assert [m.retransmission for m in collector.messages] == [False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (OPTIONS.replace(b"\r\n", b"\n"), 1),
        (OPTIONS.replace(b"\r\n", b"\r"), 1),
        (b"\r\n\r\n" + OPTIONS, 1),
        (b"ping\r\n" + OPTIONS, 1),
        (b"x" * 60 + b"\n" + OPTIONS, 1),
        (b"a log of what was received, from somewhere, at some time, quoted:\r\n" + OPTIONS, 0),
        (OPTIONS + OPTIONS.replace(b"Call-ID: ", b"Call-ID: 2"), 2),
        (OPTIONS + bytes(4), 1),
    ],
)
def test_spellings_of_a_datagram(payload: bytes, found: int) -> None:
    collector = SipCollector()
    assert collector.datagram(0, 1, 1.0, A, B, "UDP", payload) == bool(found)
    assert [m.message.method for m in collector.messages] == ["OPTIONS"] * found
    assert all(m.message.cseq_method == "OPTIONS" for m in collector.messages)
    assert collector.finish()[1] == 0
