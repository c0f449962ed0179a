"""SIP over TCP, TLS and WebSocket against tshark's dissectors: the same messages, of the same packets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from tests.analysis.test_secure_streams import conversation, web
from tests.capture.frames import ethernet, pcap
from tests.capture.tcp_talk import packets
from tests.capture.tls_talk import contexts, talk, talk_configured

pytestmark = pytest.mark.interop("tshark")


def theirs(path: Path, keylog: Path | None = None) -> list[tuple[str, str, str]]:
    """(packet, method or code, Call-ID) of every SIP message that tshark finds."""
    options = ["-o", f"tls.keylog_file:{keylog}"] if keylog else []
    fields = ("frame.number", "sip.Method", "sip.Status-Code", "sip.Call-ID")
    shown = [word for name in fields for word in ("-e", name)]
    command = ["tshark", "-r", str(path), *options, "-Y", "sip", "-T", "fields", "-E", "occurrence=a", *shown]
    command += ["-d", "tcp.port==5061,tls", "-d", "tls.port==5061,sip"] if keylog else []
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=env)
    found = []
    for line in done.stdout.splitlines():
        number, methods, codes, calls = line.split("\t")
        said = [word for word in (methods + "," + codes).split(",") if word]
        found += [(number, word, call) for word, call in zip(said, calls.split(","), strict=True)]
    return sorted(found)


def ours(path: Path, keylog: Path | None = None) -> list[tuple[str, str, str]]:
    analysis = analyse([path], keylog=keylog)
    return sorted(
        (str(m.packet), m.message.method or str(m.message.status), m.message.call_id) for m in analysis.messages
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


def written(tmp_path: Path, flights: list[tuple[int, bytes]], keylog: bytes = b"", segment: int = 1400):
    path, keys = tmp_path / "t.pcap", tmp_path / "keys"
    path.write_bytes(pcap([ethernet(packet) for packet in packets(flights, segment=segment)]))
    keys.write_bytes(keylog)
    return path, keys


SUITES = [
    ("1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("1.2", "AES128-SHA"),
    ("1.2", "ECDHE-RSA-AES256-SHA384"),
    ("1.3", ""),
]


@pytest.mark.parametrize(("version", "suite"), SUITES)
@pytest.mark.parametrize("segment", [200, 1400])
def test_tls(folder, tmp_path, version, suite, segment):
    held, _ = talk(contexts(folder, version, suite), conversation())
    path, keys = written(tmp_path, held.flights, held.keylog, segment)
    assert ours(path, keys) == theirs(path, keys)
    assert len(ours(path, keys)) == 6


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"])
def test_tls_13_suites(folder, tmp_path, suite):
    held = talk_configured(folder, suite, conversation())
    path, keys = written(tmp_path, held.flights, held.keylog)
    assert ours(path, keys) == theirs(path, keys)
    assert len(ours(path, keys)) == 6


@pytest.mark.parametrize("deflate", [False, True])
def test_websocket(tmp_path, deflate):
    path, _ = written(tmp_path, web(deflate))
    assert len(ours(path)) == 6
    if not deflate:
        assert ours(path) == theirs(path)


@pytest.mark.parametrize("segment", [50, 300, 1400])
def test_tcp(tmp_path, segment):
    """One message in many segments, and several in one. Keep-alives between them, and messages that begin within small
    segments, are left out: they put tshark 4.0 off (it reads a method K where ACK was sent).
    """
    said = conversation("TCP")
    together = [(0, b"".join(text for who, text in said if not who))] if segment > 50 else []
    path, _ = written(tmp_path, [*together, *said], segment=segment)
    assert ours(path) == theirs(path)
    assert len(ours(path)) == 6 + 3 * len(together)
