"""SIP over TCP, TLS and WebSocket against tshark's dissectors: the same messages, of the same packets."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from tests.analysis.test_secure_streams import conversation, web
from tests.capture.frames import ethernet, pcap
from tests.capture.tcp_talk import packets
from tests.capture.tls_talk import certificate, contexts, talk, talk_configured
from tests.interop.peers import free_port

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


@pytest.mark.interop("editcap")
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_secrets_that_editcap_put_into_the_capture(folder, tmp_path, version):
    held, _ = talk(contexts(folder, version), conversation())
    path, keys = written(tmp_path, held.flights, held.keylog)
    inside = tmp_path / "inside.pcapng"
    subprocess.run(["editcap", "--inject-secrets", f"tls,{keys}", path, inside], check=True, timeout=60)
    assert ours(inside) == ours(path, keys)
    assert len(ours(inside)) == 6


@pytest.mark.interop("openssl")
def test_key_updates_of_openssl(folder, tmp_path):
    """Both ends of OpenSSL's own tools, each of which updates its keys between two messages; what passes is recorded by
    a relay.
    """
    texts = [[text for who, text in conversation() if who == side] for side in (0, 1)]
    keys = tmp_path / "openssl-keys"
    flights = openssl_talk(certificate(folder), keys, texts)
    path, _ = written(tmp_path, flights)
    said = sorted(word for _, word, _ in ours(path, keys))
    assert said == ["180", "200", "200", "ACK", "BYE", "INVITE"]
    (session,) = analyse([path], keylog=keys).tls
    assert (session.version, session.failed) == ("TLS 1.3", 0)
    assert session.records == 6  # the commands were no data


def openssl_talk(pem: Path, keys: Path, texts: list[list[bytes]]) -> list[tuple[int, bytes]]:
    """What s_client and s_server say to each other: by turns a text and a KeyUpdate (command K) each."""
    flights: list[tuple[int, bytes]] = []
    port = free_port()
    server_command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(pem), "-key", str(pem)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with socket.create_server(("127.0.0.1", 0)) as listening, subprocess.Popen(server_command, **pipes) as server:
        relay = listening.getsockname()[1]
        client_command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay}", "-keylogfile", str(keys)]
        with subprocess.Popen(client_command, **pipes) as client:
            try:
                near, _ = listening.accept()
                far = connected(port)
                with near, far:
                    moved(near, far, flights, 1.0)
                    for turn in range(3):
                        for end, own in ((client, texts[0]), (server, texts[1])):
                            end.stdin.write(own[turn])
                            end.stdin.flush()
                            moved(near, far, flights, 0.3)
                            end.stdin.write(b"K\n")
                            end.stdin.flush()
                            moved(near, far, flights, 0.3)
            finally:
                client.kill()
                server.kill()
    return flights


def connected(port: int) -> socket.socket:
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("s_server does not listen")


def moved(near: socket.socket, far: socket.socket, flights: list[tuple[int, bytes]], quiet_s: float) -> None:
    """Relay until nothing has come for a while; notes who sent what."""
    while ready := select.select([near, far], [], [], quiet_s)[0]:
        for sender in ready:
            data = sender.recv(65536)
            if not data:
                return
            flights.append((0 if sender is near else 1, data))
            (far if sender is near else near).sendall(data)
