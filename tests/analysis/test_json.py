"""The document of inspect --json: every field of the schema, in plain values."""

from __future__ import annotations

import io
import json
from typing import Any

from sipreplay.analysis.json import inspect_json, write_json
from sipreplay.analysis.model import Address, Analysis, CaptureFile, Problem, Stream
from sipreplay.analysis.reading import analyse
from sipreplay.capture.layers import TlsSession
from tests.analysis.flow import A, B, Flow, call

CAPTURE = "path format link_types packets first last problems"
DIALOG = "id kind call_id from_tag to_tag hop caller callee state first last pdd_ms setup_ms call messages facts"
STREAM = (
    "source destination ssrc payload_types codec packets lost duplicates reordered mean_delta_ms max_delta_ms"
    " mean_jitter_ms max_jitter_ms mos dtmf first last dialog kind media from_caller tied_by offered nat symmetric"
    " security decrypted unannounced_types clock_rate ptime_ms sdp_ptime_ms bandwidth_kbps talkspurts"
    " comfort_noise silence max_skew_ms drift_ppm drift_hz missing burst_ratio discarded mos_worst mos_worst_at windows"
    " previous_ssrc segments digits"
    " round_trip_ms rtcp t38"
)
FIELDS = {
    "captures": CAPTURE,
    "dialogs": DIALOG,
    "calls": "id dialogs evidence left_apart",
    "streams": STREAM,
    "tls": "capture packet client server time version server_name protocols decrypted records failed why",
    "findings": "severity rule title why remedy calls dialogs streams packets count",
    "actors": "id addresses roles agent sut_likely why",
    "peers": "actor label direction attempts answered unfinished asr ner acd_s pdd_median_ms pdd_p95_ms failures"
    " retransmissions others",
}


def document(flow: Flow) -> dict[str, Any]:
    analysis = flow.analysis()
    analysis.captures.append(CaptureFile("x.pcap", "pcap", ["ETHERNET"], 9, 1.0, 2.0, [Problem(3, "cut")]))
    analysis.streams.append(
        Stream(
            Address("2001:db8::1", 4000), B, 9, [0, 101], "PCMU", 50, 1, 2, 3, 20.0004, 21, 0.5, 1, 4.456, "12", 1, 2, 1
        )
    )
    locked = TlsSession("192.0.2.1", 9, "192.0.2.2", 5061, 0, 4, 1.0, "TLS 1.3", "x", ("sip",), False, 0, 0, "no keys")
    analysis.tls.append(locked)
    analysis.malformed = 2
    return json.loads(json.dumps(inspect_json(analysis), allow_nan=False))  # type: ignore[no-any-return]


def test_every_field_of_the_schema() -> None:
    flow = Flow()
    call(flow)
    call_again = Flow("call-2")
    call_again.collector = flow.collector
    call(call_again)
    found = document(flow)
    assert found["schema"] == "sipreplay/inspect/1"
    assert set(found) == {"schema", "sip", *FIELDS}
    for name, fields in FIELDS.items():
        assert found[name]
        for item in found[name]:
            assert set(item) == set(fields.split()), name
    message = found["dialogs"][0]["messages"][0]
    assert message == {
        "packet": 1,
        "time": 1000.01,
        "from": str(A),
        "to": str(B),
        "start_line": "INVITE sip:bob@example.com SIP/2.0",
        "retransmission": False,
        "copy": False,
    }
    assert found["captures"][0]["problems"] == [{"packet": 3, "what": "cut"}]
    assert found["streams"][0]["source"] == "[2001:db8::1]:4000"
    assert found["streams"][0]["mos"] == 4.46


def test_counts() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "BYE", "2 BYE", via="b3", tags=("a", "b"), at=1002)
    assert document(flow)["sip"] == {
        "messages": 8,
        "requests": {"ACK": 1, "BYE": 2, "INVITE": 1},
        "responses": {"100": 1, "180": 1, "200": 2},
        "retransmissions": 1,
        "malformed": 2,
        "malformed_packets": [],
    }


def test_bytes_that_are_no_text_still_make_a_document() -> None:
    flow = Flow()
    data = b"OPTIONS sip:\xff SIP/2.0\r\nCall-ID: \xfe\xe9\r\nFrom: <sip:a>;tag=\xff\r\nCSeq: 1 OPTIONS\r\n\r\n"
    flow.collector.datagram(0, 1, 1.0, A, B, "UDP", data)
    json.dumps(document(flow)).encode("utf-8")


def test_a_dialog_tells_its_facts_and_leaves_out_what_is_none() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "INFO", "3 INFO", via="i", tags=("a", "b"), headers="Content-Type: application/dtmf", body="5")
    facts = document(flow)["dialogs"][0]["facts"]
    assert set(facts) == {"offer_answer", "transactions", "info_digits"}
    assert facts["info_digits"] == "5"
    assert [(item["role"], item["from"], item["packet"]) for item in facts["offer_answer"]] == [
        ("offer", "caller", 1),
        ("answer", "callee", 4),
    ]
    assert facts["offer_answer"][0]["media"] == [
        {
            "kind": "audio",
            "host": "192.0.2.1",
            "port": 4000,
            "proto": "RTP/AVP",
            "codecs": ["PCMU", ""],
            "direction": "sendrecv",
        }
    ]
    assert facts["transactions"] == [
        {"method": "INFO", "cseq": 3, "capture": 0, "packet": 8, "outcome": "no answer", "gave_up_s": 0.0}
    ]


def test_evidence_has_its_values() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="X-CID: 7")
    flow.say(B, A, "INVITE", "1 INVITE", via="z", tags=("z", ""), call_id="two", headers="X-CID: 7")
    (only,) = document(flow)["calls"]
    assert only["evidence"] == [{"dialogs": [1, 2], "rule": "X-Call-ID", "confidence": 0.9, "values": ["7"]}]


def test_what_is_written_piece_by_piece_is_the_document() -> None:
    for path in ("captures/tcp-call.pcap", "captures/baresip-opus-hold-rtcp.pcap"):
        analysis = analyse([path])
        written = io.StringIO()
        write_json(analysis, written)
        assert written.getvalue() == json.dumps(inspect_json(analysis), indent=1) + "\n"
    empty = io.StringIO()
    write_json(Analysis([], [], 0, [], [], []), empty)
    assert json.loads(empty.getvalue())["dialogs"] == []
