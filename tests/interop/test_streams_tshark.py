"""Loss, delta and jitter of RTP streams against `tshark -z rtp,streams`, to the decimals that it prints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.capture.write import PcapWriter
from sipreplay.rtp.packet import RtpPacket
from tests.interop.conftest import NO_SHARED, own_names, shared_folder, shared_names
from tests.interop.test_analysis import TUNNELLED

pytestmark = pytest.mark.interop("tshark")

PRINTED = 0.00101
"""tshark prints microseconds; a value half-way between two may be rounded either way."""

_LINE = re.compile(
    r"\s*[\d.-]+\s+[\d.-]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-F]{8})\s+(?:.*?)\s+(\d+)\s+(-?\d+) \([\d.-]+%\)"
    r"\s+[\d.-]+\s+([\d.-]+)\s+([\d.-]+)\s+[\d.-]+\s+([\d.-]+)\s+([\d.-]+)"
)


class Figures(NamedTuple):
    packets: int
    lost: int
    mean_delta: float
    max_delta: float
    mean_jitter: float
    max_jitter: float


def tshark_figures(path: Path, *options: str) -> dict[tuple[str, int, str, int, int], Figures]:
    command = ["tshark", "-n", "-r", str(path), "-q", "-z", "rtp,streams", *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = {}
    for line in output.splitlines():
        if match := _LINE.match(line):
            source, port, destination, other, ssrc, packets, lost, *times = match.groups()
            key = (source, int(port), destination, int(other), int(ssrc, 16))
            found[key] = Figures(int(packets), int(lost), *map(float, times))
    return found


def our_figures(path: Path) -> dict[tuple[str, int, str, int, int], list[Figures]]:
    found: dict[tuple[str, int, str, int, int], list[Figures]] = {}
    for s in analyse([path]).streams:
        figures = Figures(s.packets, s.lost, s.mean_delta_ms, s.max_delta_ms, s.mean_jitter_ms, s.max_jitter_ms)
        found.setdefault((*s.source, *s.destination, s.ssrc), []).append(figures)
    return found


def agree(path: Path, *options: str) -> int:
    """Every stream that tshark lists is ours, with its figures; returns how many there are."""
    theirs, ours = tshark_figures(path, *options), our_figures(path)
    for key, expected in theirs.items():
        assert len(ours.get(key, ())) == 1, key
        (got,) = ours[key]
        assert got[:2] == expected[:2], key
        assert got[2:] == pytest.approx(expected[2:], abs=PRINTED), key
    return len(theirs)


@pytest.mark.parametrize("name", own_names())
def test_own_captures(own_captures: Path, name: str) -> None:
    agree(own_captures / name)


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", [name for name in shared_names() if name not in TUNNELLED])
def test_shared_captures(shared_captures: Path, name: str) -> None:
    agree(shared_captures / name)


MEDIA_ONLY = {
    "rtpproxy--rtp_analyze-alice_srtp_out.pcap": 41602,
    "rtpproxy--rtp_analyze-bob_srtp.pcap": 2232,
    "rtpproxy--acct_rtcp_hep-rtcp.o.pcap": 2006,
    "sipp--scenarios-pcap-g711u.pcap": 18288,
    "sipnab--voicecmd_combined.pcap": 6000,
}
"""Captures without SDP, and the port that tshark must be told to decode."""


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", MEDIA_ONLY)
def test_shared_captures_without_sdp(shared_captures: Path, name: str) -> None:
    assert agree(shared_captures / name, "-d", f"udp.port=={MEDIA_ONLY[name]},rtp") > 0


def test_loss_disorder_repeats_marks_noise_and_wraps(tmp_path: Path) -> None:
    """One stream with everything that the rules treat apart."""
    path = tmp_path / "made.pcap"
    with PcapWriter(path, nanoseconds=True) as writer:
        order = [*range(40), 41, 40, 42, *range(46, 60), 59, *range(60, 120)]
        for place, number in enumerate(order):
            kind = 13 if 70 <= number < 73 else 0
            packet = RtpPacket(kind, number in (0, 46, 80), (65500 + number) & 0xFFFF, 160 * number, 77, bytes(160))
            header = bytes((0x80, kind | packet.marker << 7)) + packet.sequence.to_bytes(2, "big")
            data = header + packet.timestamp.to_bytes(4, "big") + (77).to_bytes(4, "big") + packet.payload
            time = 1000 + 0.02 * place + 0.0037 * ((place * 7919) % 5) / 5
            writer.udp(time, ("192.0.2.1", 4000), ("192.0.2.2", 4002), data)
    assert agree(path, "-d", "udp.port==4002,rtp") == 1
