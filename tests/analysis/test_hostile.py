"""Captures that somebody tampered with: whatever bytes arrive, the analysis ends with a document, and nothing is
raised.
"""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.graph import call_graph, graph_json
from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.ladder import ladder_lines, ladder_of
from sipreplay.analysis.media_map import MediaMap
from sipreplay.analysis.messages import SipCollector
from sipreplay.analysis.model import Address, Analysis
from sipreplay.analysis.sdp_media import offers_answers
from sipreplay.sip.framing import StreamFramer
from tests.analysis.flow import A, B, Flow, P, call, sdp


def conversation() -> list[tuple[Address, Address, bytes]]:
    flow = Flow()
    call(flow)
    flow.say(
        A, P, "INVITE", "5 INVITE", via="q1@192.0.2.1:5060", headers="Contact: <sip:a@192.0.2.1:5062>", body=sdp("h", 1)
    )
    flow.say(P, B, "INVITE", "5 INVITE", via="q2,q1")
    flow.say(B, P, "200 OK", "5 INVITE", via="q2,q1", tags=("a", "z"), body=sdp("::1", 9, "rtcp:77", "sendonly"))
    flow.say(A, B, "ACK", "5 ACK", via="q9", tags=("a", "z"))
    return [(m.source, m.destination, m.data) for m in flow.messages]


BASE = conversation()
STRUCTURE = [
    b"",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
    b";",
    b",",
    b'"',
    b"<",
    b">",
    b":",
    b"=",
    b" ",
    b"[",
    b"]",
]
WORDS = [
    b"SIP/2.0",
    b"tag=",
    b"branch=",
    b"INVITE",
    b"0",
    b"-1",
    b"99999999999",
    b"v=0\r\nm=",
    b"\r\n ",
    b"Via: ",
    b"l:",
]
PIECES = st.sampled_from(STRUCTURE + WORDS)
EDITS = st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 700), st.integers(0, 12), PIECES), max_size=12)


def analyse(packets: list[tuple[Address, Address, bytes]]) -> Analysis:
    collector = SipCollector()
    framers: dict[tuple[Address, Address], StreamFramer] = {}
    for number, (source, destination, data) in enumerate(packets, 1):
        collector.datagram(0, number, 1000 + number * 0.03, source, destination, "UDP", data, number % 5)
        for whole in framers.setdefault((source, destination), StreamFramer()).feed(data):
            collector.message(0, number, 1000 + number * 0.03, source, destination, "TCP", whole)
    messages, malformed = collector.finish()
    dialogs = build_dialogs(messages)
    return Analysis([], messages, malformed, dialogs, build_calls(dialogs), [])


@settings(max_examples=150, deadline=None)
@given(EDITS)
def test_any_edit_of_a_conversation_ends_in_a_document(edits: list[tuple[int, int, int, bytes]]) -> None:
    packets = list(BASE)
    for number, at, size, piece in edits:
        source, destination, data = packets[number]
        packets[number] = (source, destination, data[:at] + piece + data[at + size :])
    analysis = analyse(packets)
    json.dumps(inspect_json(analysis), allow_nan=False).encode()
    json.dumps(graph_json(call_graph(analysis)), allow_nan=False).encode()
    MediaMap(analysis.dialogs)
    for dialog in analysis.dialogs:
        assert dialog.messages
        ladder_lines(dialog)
        offers_answers(dialog)
    for each in analysis.calls:
        ladder_of(analysis, each)
    held = {m for d in analysis.dialogs for m in d.messages}
    assert held == {m for m in analysis.messages if m.message.call_id}


def test_floods_of_one_call_id_are_dialogs_like_any_other() -> None:
    flow = Flow()
    for number in range(3000):
        flow.say(A, B, "INVITE", "1 INVITE", via=f"f{number}", tags=("a", ""))
    assert len(flow.dialogs()) == 3000
    flow = Flow()
    for number in range(3000):
        flow.say(A, B, "OPTIONS", f"{number} OPTIONS", via=f"f{number}", tags=(f"t{number}", ""))
    assert [len(d.messages) for d in flow.dialogs()] == [3000]


def test_a_thousand_media_sections_and_vias_are_read() -> None:
    flow = Flow()
    body = sdp("192.0.2.1", 4000) + "m=audio 5000 RTP/AVP 0\r\n" * 1000
    flow.say(A, B, "INVITE", "1 INVITE", via=",".join(f"v{n}" for n in range(1000)), body=body)
    (dialog,) = flow.dialogs()
    assert len(offers_answers(dialog)[0].media) == 1001
