"""Loss, delta and jitter of made RTP streams against `tshark -z rtp,streams`, to the decimals that it prints.

Captured streams are compared in test_analysis_tshark.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.capture.write import PcapWriter
from sipreplay.rtp.packet import RtpPacket
from tests.interop.agreement import PRINTED_MS, our_streams
from tests.interop.tshark_reading import Figures, Key, tshark_reading

pytestmark = pytest.mark.interop("tshark")


def tshark_figures(path: Path, *options: str) -> dict[Key, Figures]:
    """tshark's streams of a capture that a test made."""
    return tshark_reading(path, *options).streams


def agree(path: Path, *options: str) -> int:
    """Every stream that tshark lists is ours, with its figures; returns how many there are."""
    theirs, ours = tshark_figures(path, *options), our_streams(path)
    for key, expected in theirs.items():
        assert len(ours.get(key, ())) == 1, key
        (got,) = ours[key]
        assert got[:2] == expected[:2], key
        assert got[2:] == pytest.approx(expected[2:], abs=PRINTED_MS), key
    return len(theirs)


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
