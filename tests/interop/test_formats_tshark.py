"""Files, merges, links and tunnels against Wireshark's tools: the same packets, times, addresses and payloads."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.capture.merge import open_captures
from tests.capture.frames import ethernet, pcap, udp
from tests.capture.test_link import CASES
from tests.capture.test_sieve import SIP
from tests.capture.test_tunnel import INNER, TUNNELS
from tests.interop.conftest import REPOSITORY

pytestmark = pytest.mark.interop("tshark")

CAPTURE = REPOSITORY / "captures" / "kamailio-auth-record-route.pcap"
NULL_ENCRYPTION = "-o", "esp.enable_null_encryption_decode_heuristic:TRUE"


def run(*command: object) -> str:
    result = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, timeout=60)
    return result.stdout


def tshark(path: Path, *fields: str, only: str = "", options: tuple[str, ...] = ()) -> list[list[str]]:
    chosen = [argument for field in fields for argument in ("-e", field)]
    shown = ["-Y", only] if only else []
    lines = run("tshark", "-n", "-r", path, *options, *shown, "-T", "fields", "-E", "occurrence=l", *chosen)
    return [line.split("\t") for line in lines.splitlines()]


def packets(*paths: Path) -> list[tuple[int, bytes]]:
    """(time in ns, bytes) of every packet, as read here."""
    found = []
    for batch in open_captures(paths).batches():
        for at in range(len(batch)):
            start = int(batch.offset[at])
            found.append((int(batch.time_ns[at]), batch.buffer[start : start + int(batch.captured[at])].tobytes()))
    return found


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "nokiapcap", "rh6_1pcap", "suse6_3pcap", "pcapng"])
def test_every_format_that_editcap_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c"
    run("editcap", "-F", kind, CAPTURE, path)
    assert packets(path) == packets(CAPTURE)
    assert len(packets(path)) == len(tshark(CAPTURE, "frame.number"))


def test_times_are_tsharks(tmp_path: Path) -> None:
    path = tmp_path / "c"
    run("editcap", "-F", "nsecpcap", "-t", "0.123456789", CAPTURE, path)
    theirs = [int(row[0].replace(".", "")) for row in tshark(path, "frame.time_epoch")]
    assert sorted(time for time, _ in packets(path)) == sorted(theirs)


def test_files_are_merged_as_mergecap_does(tmp_path: Path) -> None:
    other, late, whole = tmp_path / "other", tmp_path / "late.gz", tmp_path / "whole"
    run("editcap", "-t", "0.0123", CAPTURE, other)
    run("editcap", "-t", "2.5", "-F", "pcap", CAPTURE, tmp_path / "late")
    late.write_bytes(gzip.compress((tmp_path / "late").read_bytes()))
    run("mergecap", "-w", whole, CAPTURE, other, late)
    assert packets(late, other, CAPTURE) == packets(CAPTURE, other, late) == packets(whole)
    assert [time for time, _ in packets(whole)] == sorted(time for time, _ in packets(whole))


def test_a_rotated_capture_is_the_capture(tmp_path: Path) -> None:
    run("editcap", "-c", "7", CAPTURE, tmp_path / "part.pcapng")
    parts = sorted(tmp_path.glob("part*"), reverse=True)
    assert len(parts) > 3
    one, several = analyse([CAPTURE]), analyse(parts)
    assert packets(*parts) == packets(CAPTURE)
    assert [m.data for m in several.messages] == [m.data for m in one.messages]
    assert [(d.call_id, d.state, d.setup_ms) for d in several.dialogs] == [
        (d.call_id, d.state, d.setup_ms) for d in one.dialogs
    ]
    assert [(s.ssrc, s.packets, s.lost, s.mean_jitter_ms) for s in several.streams] == [
        (s.ssrc, s.packets, s.lost, pytest.approx(s.mean_jitter_ms)) for s in one.streams
    ]
    assert len(analyse([tmp_path]).messages) == len(one.messages)


BOTH = [["1", "5060", "OPTIONS"], ["2", "5060", "OPTIONS"]]
BLIND = {"PPTP", "ERSPAN I", "MPLS in GRE", "ESP with SHA-256", "ESP without integrity"}
"""Tunnels that tshark does not open, or not without being told more of them than these tests tell."""


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_hold_what_tshark_sees(tmp_path: Path, name: str, outer: int) -> None:
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap([ethernet(TUNNELS[name](udp(SIP, *INNER[inner]), outer)) for inner in (4, 6)]))
    ours = [[str(m.packet), str(m.source.port), m.message.method] for m in analyse([path]).messages]
    seen = tshark(path, "frame.number", "udp.srcport", "sip.Method", only="sip", options=NULL_ENCRYPTION)
    assert ours == BOTH
    if name not in BLIND:
        assert seen == BOTH


UNREAD = {109, 166}
"""Links that tshark does not read, or not on this machine."""
CONTROL_WORD = {(1, "7"), (1, "8")}
"""Pseudo-wires with a control word: tshark opens them only for labels that it is told of."""


@pytest.mark.parametrize("number", sorted({number for number, _ in CASES} - UNREAD))
def test_links_hold_what_tshark_sees(tmp_path: Path, number: int) -> None:
    made = [frame for kind, frame in CASES if kind == number]
    frames = [frame(udp(SIP, *INNER[inner])) for frame in made for inner in (4, 6)]
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(frames, number))
    ours = [[str(m.packet), str(m.source.port)] for m in analyse([path]).messages]
    seen = tshark(path, "frame.number", "udp.srcport", only="sip")
    assert len(ours) == len(frames)
    assert seen == [row for row in ours if (number, row[0]) not in CONTROL_WORD]
