"""Whole captures with TLS and WebSocket: the calls in them, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.reading import analyse
from sipreplay.bundle.folder import read_bundle
from sipreplay.cli import run_command
from sipreplay.errors import CaptureError
from tests.capture.frames import block, enhanced, ethernet, interface, pcap, section
from tests.capture.tcp_talk import packets
from tests.capture.tls_talk import contexts, talk, talk_configured
from tests.capture.web_frames import ANSWER, REQUEST, Deflating, frame

MASK = b"\x01\x02\x03\x04"


def sip(start: str, cseq: str, call: str = "c1", via: str = "TLS", tag: str = "", body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{start}\r\nVia: SIP/2.0/{via} 192.0.2.1:5061;branch=z9hG4bK{cseq.split()[0]}{cseq.split()[1]}\r\n"
        f"From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\n"
        f"Contact: <sip:x@192.0.2.2>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def conversation(via: str = "TLS") -> list[tuple[int, bytes]]:
    return [
        (0, sip("INVITE sip:b@example.com SIP/2.0", "1 INVITE", via=via, body=SDP)),
        (1, sip("SIP/2.0 180 Ringing", "1 INVITE", via=via, tag=";tag=t")),
        (1, sip("SIP/2.0 200 OK", "1 INVITE", via=via, tag=";tag=t", body=SDP)),
        (0, sip("ACK sip:x@192.0.2.2 SIP/2.0", "1 ACK", via=via, tag=";tag=t")),
        (0, sip("BYE sip:x@192.0.2.2 SIP/2.0", "2 BYE", via=via, tag=";tag=t")),
        (1, sip("SIP/2.0 200 OK", "2 BYE", via=via, tag=";tag=t")),
    ]


def web(deflate: bool = False) -> list[tuple[int, bytes]]:
    """The same call as a browser makes it."""
    sides = [Deflating(), Deflating()]
    said = [(0, REQUEST), (1, ANSWER)]
    for who, text in conversation("WSS"):
        mask = b"" if who else MASK
        said.append((who, sides[who].frame(text, mask) if deflate else frame(text, mask=mask)))
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("secure")


@pytest.fixture
def write(tmp_path):
    def written(flights, keylog=b"", segment=1400, embedded=False):
        path, keys = tmp_path / "t.pcap", tmp_path / "keys"
        frames = [ethernet(packet) for packet in packets(flights, segment=segment)]
        if embedded:
            text = struct.pack("<II", 0x544C534B, len(keylog)) + keylog
            blocks = [section(), interface(), block(10, text + bytes(-len(text) % 4))]
            blocks += [enhanced(each, 1_700_000_000_000_000 + number) for number, each in enumerate(frames)]
            path.write_bytes(b"".join(blocks))
        else:
            path.write_bytes(pcap(frames))
        if keylog:
            keys.write_bytes(keylog)
        return path, keys

    return written


def check(analysis, transport):
    assert [m.transport for m in analysis.messages] == [transport] * 6
    (dialog,) = analysis.dialogs
    assert (dialog.kind, dialog.state, dialog.transport) == ("invite", "completed", transport)
    assert [m.message.body.decode() for m in analysis.messages if m.message.body] == [SDP, SDP]
    assert all(m.data == text for m, (_, text) in zip(analysis.messages, conversation("WSS"), strict=True)) or (
        transport == "TLS"
    )
    document = json.loads(json.dumps(inspect_json(analysis)))
    assert [(each["server"], each["decrypted"]) for each in document["tls"]] == [("192.0.2.2:5061", True)] * len(
        analysis.tls
    )


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("segment", [100, 1400])
def test_a_call_over_tls(folder, write, version, segment):
    held, _ = talk(contexts(folder, version), conversation())
    path, keys = write(held.flights, held.keylog, segment)
    analysis = analyse([path], keylog=keys)
    check(analysis, "TLS")
    (session,) = analysis.tls
    assert (session.client, session.server, session.server_port) == ("192.0.2.1", "192.0.2.2", 5061)
    assert (session.version, session.decrypted, session.why) == (f"TLS {version}", True, "")
    assert analysis.captures[0].problems == []


def test_secrets_inside_the_capture(folder, write):
    held = talk_configured(folder, "TLS_CHACHA20_POLY1305_SHA256", conversation())
    path, _ = write(held.flights, held.keylog, embedded=True)
    check(analyse([path]), "TLS")


@pytest.mark.parametrize("deflate", [False, True])
def test_a_browsers_call(write, folder, deflate):
    path, _ = write(web(deflate))
    check(analyse([path]), "WS")
    held, _ = talk(contexts(folder, "1.3"), web(deflate))
    path, keys = write(held.flights, held.keylog)
    check(analyse([path], keylog=keys), "WSS")


def test_without_keys_the_connection_is_a_blind_spot(folder, write):
    held, _ = talk(contexts(folder, "1.3"), conversation())
    path, _ = write(held.flights)
    analysis = analyse([path])
    assert (len(analysis.messages), analysis.malformed) == (0, 0)
    (session,) = analysis.tls
    assert (session.decrypted, session.server_name, session.records) == (False, "sip.example.com", 0)
    assert (session.packet, session.version) == (4, "TLS 1.3")
    (problem,) = analysis.captures[0].problems
    assert problem.what == (
        "1 TLS connection could not be read, as there is no key log: to 192.0.2.2:5061 (1); "
        "give the key log of the client or the server with --keylog"
    )


def test_the_key_log_of_something_else(folder, write):
    held, _ = talk(contexts(folder, "1.2"), conversation())
    other, _ = talk(contexts(folder, "1.2"), conversation())
    path, keys = write(held.flights, other.keylog + b"nonsense\n")
    problems = [problem.what for problem in analyse([path], keylog=keys).captures[0].problems]
    assert any("its secrets are not in the key log" in what for what in problems)
    assert any("1 line of the key log is damaged" in what for what in problems)


def test_lost_packets_of_a_tls_connection(folder, tmp_path):
    held, _ = talk(contexts(folder, "1.2"), [(0, sip("OPTIONS sip:b SIP/2.0", f"{n} OPTIONS")) for n in range(1, 9)])
    keys = tmp_path / "keys"
    keys.write_bytes(held.keylog)
    segments = packets(held.flights, segment=300)
    spoken = [number for number, packet in enumerate(segments) if b"\x17\x03\x03" in packet[40:45]]
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap([ethernet(packet) for number, packet in enumerate(segments) if number != spoken[2]]))
    analysis = analyse([path], keylog=keys)
    assert [m.message.cseq_number for m in analysis.messages] == [1, 2, 4, 5, 6, 7, 8]
    assert "bytes of the TCP stream 192.0.2.1:40001 to 192.0.2.2:5061 are missing" in (
        analysis.captures[0].problems[0].what
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\xd4\xc3\xb2\xa1 this is a capture\n", "holds no line such as CLIENT_RANDOM"),
        (b"CLIENT_RANDOM 1234 5678\n", "holds no line such as"),
        (b"# SSL/TLS secrets log file\n", "holds no line such as"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "learn"])
def test_a_key_log_that_is_none(write, tmp_path, capsys, content, what, command):
    path, keys = write(conversation())
    if content is not None:
        keys.write_bytes(content)
    with pytest.raises(CaptureError, match=what):
        analyse([path], keylog=keys)
    output = ["-o", str(tmp_path / "bundle")] if command == "learn" else []
    assert run_command([command, str(path), "--keylog", str(keys), *output]) == 3
    assert str(keys) in capsys.readouterr().err


def test_inspect_and_learn_take_a_key_log(folder, write, tmp_path, capsys):
    held, _ = talk(contexts(folder, "1.3"), conversation())
    path, keys = write(held.flights, held.keylog)
    assert run_command(["inspect", str(path), "--keylog", str(keys), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["sip"]["requests"] == {"ACK": 1, "BYE": 1, "INVITE": 1}
    assert run_command(["learn", str(path), "--keylog", str(keys), "-o", str(tmp_path / "bundle")]) == 0
    assert "captured over TLS, replayed over TCP" in " ".join(capsys.readouterr().out.split())
    assert [scenario.transport for scenario in read_bundle(tmp_path / "bundle").scenarios] == ["TCP", "TCP"]
    assert run_command(["learn", str(path), "-o", str(tmp_path / "none")]) == 3
    assert "1 TLS connection without keys; give a key log with --keylog" in capsys.readouterr().err


@pytest.fixture(scope="module")
def roads(folder):
    """The same call by every road: (packets, key log, transport)."""
    tls = {version: talk(contexts(folder, version), conversation())[0] for version in ("1.2", "1.3")}
    wss = talk(contexts(folder, "1.3"), web(True))[0]
    roads = [(conversation("TCP"), b"", "TCP"), (web(), b"", "WS"), (web(True), b"", "WS")]
    roads += [(held.flights, held.keylog, "TLS") for held in tls.values()] + [(wss.flights, wss.keylog, "WSS")]
    return [(packets(flights, segment=200), keylog, transport) for flights, keylog, transport in roads]


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_packets_twice_and_out_of_order_make_the_same_call(roads, tmp_path_factory, random, road):
    """As mirror ports and several network cards leave them in a capture."""
    sent, keylog, transport = roads[road]
    order = [(number + random.uniform(0, 4) * (number > 2), packet) for number, packet in enumerate(sent)]
    order += [(place + random.uniform(0, 4), packet) for place, packet in random.choices(order[3:], k=len(order) // 3)]
    order.sort(key=lambda each: each[0])
    folder = tmp_path_factory.mktemp("shuffled")
    path, keys = folder / "t.pcap", folder / "keys"
    path.write_bytes(pcap([ethernet(packet) for _, packet in order]))
    keys.write_bytes(keylog)
    analysis = analyse([path], keylog=keys if keylog else None)
    said = sorted((m.message.method or str(m.message.status), m.message.cseq_number) for m in analysis.messages)
    assert said == [("180", 1), ("200", 1), ("200", 2), ("ACK", 1), ("BYE", 2), ("INVITE", 1)]
    assert {m.transport for m in analysis.messages} == {transport}
    assert analysis.malformed == 0
