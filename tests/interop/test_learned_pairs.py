"""Debian's sipp plays both sides of what was learned; tshark sees the same ladders in that run as in the capture."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Row, recording, tshark_ladders, tshark_streams

OWN = [
    "uac_pcap-g711-dtmf.pcap",
    "kamailio-auth-record-route.pcap",
    "baresip-opus-hold-rtcp.pcap",
    "baresip-busy-cancel-callee-bye.pcap",
    "tcp-call.pcap",
]
SHARED = [
    "sipnab--sip-rtp-g711.pcap",
    "sipnab--register-invite-reinvite-bye.pcap",
    "sipnab--codec-negotiation.pcap",
    "sipnab--invite-opus-bye.pcap",
    "ISA--sip.pcap",
    "suricata-verify--sip-method-sip.pcap",
    "sipnab--h263-over-rtp.pcap",
]

Loopback = Callable[[], str]
Ladders = Counter[tuple[Row, ...]]

pytestmark = pytest.mark.interop("sipp", "tshark", "tcpdump")


def ladders(pcap: Path) -> Ladders:
    return Counter(ladder.rows for ladder in tshark_ladders(pcap))


def played(bundle: Path, pcap: Path, uac: str, uas: str) -> None:
    """Run the bundle's sipp.sh between two addresses and record it."""
    environment = {**os.environ, "UAC_IP": uac, "UAS_IP": uas, "START_S": "0.5", "TERM": "xterm"}
    with recording(pcap, hosts=[uac]):
        done = subprocess.run(
            ["sh", str(bundle / "sipp.sh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
    logs = "".join(f"--- {p.name}\n{p.read_text(errors='replace')[-2000:]}\n" for p in (bundle / "logs").glob("*.err"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def check(capture: Path, tmp_path: Path, loopback: Loopback, max_pause_s: float) -> None:
    bundle = tmp_path / "bundle"
    report = learn([capture], bundle, LearnOptions(max_pause_s=max_pause_s, timewait_ms=600))
    assert not report.left_out
    uac, uas = loopback(), loopback()
    played(bundle, tmp_path / "again.pcap", uac, uas)
    assert ladders(tmp_path / "again.pcap") == ladders(capture)


@pytest.mark.parametrize("name", OWN)
def test_own_captures(own_captures: Path, tmp_path: Path, loopback: Loopback, name: str) -> None:
    check(own_captures / name, tmp_path, loopback, 1.0)


@pytest.mark.parametrize("name", SHARED)
def test_shared_captures(shared_captures: Path, tmp_path: Path, loopback: Loopback, name: str) -> None:
    check(shared_captures / name, tmp_path, loopback, 0.3 if "method" in name else 1.0)


def test_media_is_played_as_captured(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    capture = own_captures / "kamailio-auth-record-route.pcap"
    bundle = tmp_path / "bundle"
    report = learn([capture], bundle, LearnOptions(filter="kind=invite and hop=0"))
    assert [row.media for row in report.scenarios] == [["caller PCMA 51 packets", "callee PCMA 68 packets"]]
    uac, uas = loopback(), loopback()
    played(bundle, tmp_path / "again.pcap", uac, uas)
    heard = {(s.source.split(":")[0], s.payload, s.packets) for s in tshark_streams(tmp_path / "again.pcap")}
    assert heard == {(uac, "g711A", 51), (uas, "g711A", 68)}
