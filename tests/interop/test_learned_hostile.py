"""Captured text that means something to SIPp, to XML or to a shell: real sipp says it again as it was captured."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.capture.write import PcapWriter
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import recording

pytestmark = pytest.mark.interop("sipp", "tcpdump")
Loopback = Callable[[], str]
CALLER, CALLEE = ("192.0.2.1", 5060), ("192.0.2.2", 5060)

TEXTS = {
    "keyword": b"[call_id] [file name=/etc/passwd] [field0] [$x] [last_Via:] [[ ]]",
    "backslash": rb"a\x41b \\ \n \5B C:\new",
    "xml": b"a]]>b &amp; <recv/> <!-- --> &lt; 'x' \"y\"",
    "shell": b"$(id) `id` ; # | && %s %n $HOME",
    "utf-8": "Zoë ☎ Ω".encode(),
    "latin-1": b"Zo\xeb \xff",
    "variable": b"$1 $[x] [branch-3] [routes] [next_url]",
    "control": b"tab\there bell\x07 del\x7f",
}


def exchange() -> tuple[bytes, bytes]:
    """A MESSAGE and its answer with every text in headers, body and reason phrase."""
    shared = (
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\nFrom: <sip:alice@192.0.2.1>;tag=a\r\n"
        b"To: <sip:bob@192.0.2.2>%s\r\nCall-ID: call@192.0.2.1\r\nCSeq: 1 MESSAGE\r\n"
    )
    odd = b"".join(b"X-%s: <%s>\r\nSubject: %s\r\n" % (name.encode(), text, text) for name, text in TEXTS.items())
    body = b"\r\n".join(b"%s\r\nfirst %s\r\n%s last" % (text, text, text) for text in TEXTS.values())
    asked = b"MESSAGE sip:bob@192.0.2.2 SIP/2.0\r\n" + shared % b"" + b"Max-Forwards: 70\r\n" + odd
    asked += b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    answered = b"SIP/2.0 200 " + b" ".join(TEXTS.values()) + b"\r\n" + shared % b";tag=b" + odd
    return asked, answered + b"Content-Length: 0\r\n\r\n"


def said(capture: Path) -> list[tuple[str, list[tuple[str, str]], bytes]]:
    """Reason or method, headers that say something of their own, and body of each message."""
    kept = {"subject", "content-type", "max-forwards", *(f"x-{name}" for name in TEXTS)}
    found = []
    for captured in analyse([capture]).messages:
        message = captured.message
        headers = [(name, value) for name, value in message.headers if name.lower() in kept]
        found.append((message.reason or message.method, headers, message.body))
    return found


def test_text_arrives_as_captured(tmp_path: Path, loopback: Loopback) -> None:
    capture = tmp_path / "capture.pcap"
    with PcapWriter(capture) as writer:
        asked, answered = exchange()
        writer.udp(1.0, CALLER, CALLEE, asked)
        writer.udp(1.01, CALLEE, CALLER, answered)
    bundle = tmp_path / "bundle"
    learn([capture], bundle, LearnOptions(timewait_ms=200))
    uac, uas = loopback(), loopback()
    with recording(tmp_path / "run.pcap", hosts=[uac]) as again:
        done = subprocess.run(
            ["sh", str(bundle / "sipp.sh")],
            env={**os.environ, "UAC_IP": uac, "UAS_IP": uas, "TERM": "xterm"},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
    logs = "".join(path.read_text(errors="replace")[-500:] for path in (bundle / "logs").glob("*.out"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert len(said(capture)) == 2
    assert said(again) == said(capture)
