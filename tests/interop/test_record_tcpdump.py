"""What `run --record` writes is what tcpdump sees on the wire: the same messages in the same order, the same RTP."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Program, free_port, recording
from tests.interop.process import is_bound, wait_until

pytestmark = pytest.mark.interop
RUN = [sys.executable, "-c", "import sys; from sipreplay.cli import main; main()", "run"]
PATIENT = ["--max-lateness", "1000", "--max-media-lateness", "1000"]


def fields(pcap: Path, what: str, *names: str) -> list[str]:
    options = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-r", pcap, "-Y", what, "-T", "fields", *options, "-o", "rtp.heuristic_rtp:TRUE"]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout.splitlines()


SIP = ("sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.CSeq", "ip.src", "ip.dst")
PORTS = ("udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport")
RTP = ("ip.src", "udp.srcport", "ip.dst", "udp.dstport", "rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.payload")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_recording_towards_a_target_is_what_was_on_the_wire(
    tmp_path: Path, loopback: Callable[[], str], own_captures: Path, transport: str
) -> None:
    bundle = tmp_path / "bundle"
    options = LearnOptions(max_pause_s=0.5, timewait_ms=300)
    learned = learn([own_captures / "uac_pcap-g711-dtmf.pcap"], bundle, options).bundle
    answering = next(s for s in learned.scenarios if s.role == "uas")
    caller, callee, port = loopback(), loopback(), free_port()
    again, wire = tmp_path / "again.pcap", tmp_path / "wire.pcap"
    where = ["--local-ip", callee, "--port", str(port), "--transport", transport, "--calls", "2"]
    with (
        recording(wire, hosts=[callee]),
        Program([*RUN, bundle / answering.file, *where, *PATIENT], tmp_path, "uas") as uas,
    ):
        wait_until(lambda: is_bound(callee, port, transport), 20.0, uas.describe)
        play = [*RUN, bundle, f"{callee}:{port}", "--calls", "2", "--rate", "5", "--transport", transport, *PATIENT]
        done = Program([*play, "--local-ip", caller, "--record", again], tmp_path, "uac").wait(60)
        assert done.exit_code == 0, done.explain()
        uas.wait(30)
    assert fields(again, "sip", *SIP, *PORTS) == fields(wire, "sip", *SIP, *PORTS) != []
    recorded, seen = (Counter(fields(pcap, "rtp", *RTP)) for pcap in (again, wire))
    mine = f"{caller}\t"
    assert {p for p in recorded if p.startswith(mine)} == {p for p in seen if p.startswith(mine)}
    # What the peer still sends when our call is over and its port closed is on the wire, and we never get it.
    assert not recorded - seen
    assert sum((seen - recorded).values()) <= 10
    assert recorded.total() > 50
    assert not fields(again, "_ws.malformed or ip.checksum.status == 0 or udp.checksum.status == 0", "frame.number")


def test_both_sides_of_a_pair_are_recorded_once(tmp_path: Path, own_captures: Path) -> None:
    bundle, again = tmp_path / "bundle", tmp_path / "again.pcap"
    learn([own_captures / "uac_pcap-g711-dtmf.pcap"], bundle, LearnOptions(max_pause_s=0.5, timewait_ms=300))
    done = Program([*RUN, bundle, "--record", again, *PATIENT], tmp_path, "run").wait(60)
    assert done.exit_code == 0, done.explain()
    analysis = analyse([again])
    assert len(analysis.dialogs) == 3
    assert not [m for m in analysis.messages if m.copy or m.retransmission]
    for dialog in analysis.dialogs:
        shown = [m.message.method or m.message.status for m in dialog.messages if m.message.status != 100]
        assert shown == ["INVITE", 180, 200, "ACK", "BYE", 200]
    assert [(s.codec, s.lost, s.duplicates) for s in analysis.streams] == [("PCMA", 0, 0)] * 6
    refused = Program([*RUN, bundle, "--record", again, *PATIENT], tmp_path, "again").wait(60)
    assert refused.exit_code == 2
    assert "is there already" in refused.stderr
