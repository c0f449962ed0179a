"""What hostile or endless traffic costs: memory has a cap, and what was dropped is counted."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from sipreplay.analysis import messages as collecting
from sipreplay.analysis import reading
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.messages import SipCollector
from sipreplay.analysis.reading import analyse
from tests.analysis.flow import A, B

COUNT = 4000
BYTES_A_CALL_ID = 2400
"""What docs/analysis.md says that a Call-ID costs at most, with one message."""


def invite(number: int) -> bytes:
    return (
        f"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@example.com>;tag=a{number}\r\nTo: <sip:b@example.com>\r\nCall-ID: {number}@flood\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1:5060>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def flood(collector: SipCollector, count: int) -> None:
    for number in range(count):
        collector.datagram(0, number + 1, number * 0.001, A, B, "UDP", invite(number))


def test_call_ids_that_never_complete_stay_under_the_stated_cap() -> None:
    tracemalloc.start()
    try:
        collector = SipCollector()
        flood(collector, COUNT)
        store, _ = collector.finish()
        dialogs = build_dialogs(store)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(dialogs) == COUNT
    assert {dialog.state for dialog in dialogs} == {"unanswered"}
    assert held < COUNT * BYTES_A_CALL_ID


def test_call_ids_past_the_cap_are_counted_and_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_CALL_IDS", 100)
    collector = SipCollector()
    flood(collector, 1000)
    flood(collector, 50)  # those that are followed still are
    store, _ = collector.finish()
    assert (len(store), len(store.call_ids), collector.dropped) == (150, 100, 900)
    assert len(build_dialogs(store)) == 100


def test_messages_past_the_cap_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_MESSAGES", 10)
    collector = SipCollector()
    flood(collector, 15)
    flood(collector, 15)
    assert (len(collector.messages), collector.dropped) == (10, 20)


def test_what_was_dropped_is_a_problem_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_CALL_IDS", 1)
    monkeypatch.setattr(reading, "MAX_CALL_IDS", 1)
    analysis = analyse([Path("captures/baresip-busy-cancel-callee-bye.pcap")])
    (problem,) = (p for p in analysis.captures[0].problems if "dropped" in p.what)
    assert problem.what.endswith("at most 1 Call-IDs and 20,000,000 messages are followed; split the capture")


def test_what_copies_are_looked_for_among_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "REMEMBERED", 100)
    collector = SipCollector()
    flood(collector, 10_000)
    assert len(collector._sights) + len(collector._older_sights) <= 2 * 33 * 100
    again = invite(9_990)
    collector.datagram(0, 10_001, 11.0, A, B, "UDP", again)
    assert collector.messages[-1].retransmission
