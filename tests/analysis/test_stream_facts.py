"""Bytes, packet time, drift, silence and changes of the payload type, read from made captures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.analysis.model import Stream
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.scores import windows_of
from sipreplay.analysis.stream_facts import LINEAR
from sipreplay.capture.write import PcapWriter
from sipreplay.rtp.events import event_packets
from sipreplay.rtp.packet import RtpPacket, build_rtp

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
Payload = Callable[[int], tuple[int, int, bytes]]


def loud(number: int) -> tuple[int, int, bytes]:
    """(payload type, timestamp, payload) of a PCMU packet with a tone."""
    return 0, 160 * number, bytes(20 + 8 * (at % 8) for at in range(160))


def stream(path: Path, payload: Payload, count: int = 2000, fast: float = 0.0) -> Stream:
    """The stream of a capture of so many packets; the sender's clock is `fast` by this part."""
    with PcapWriter(path, nanoseconds=True) as writer:
        for number in range(count):
            kind, timestamp, data = payload(number)
            packet = RtpPacket(kind, number % 100 == 0, number, timestamp, 77, data)
            writer.udp(1000 + 0.02 * number / (1 + fast), HERE, THERE, build_rtp(packet))
    (found,) = analyse([path]).streams
    return found


def test_plain_speech(tmp_path: Path) -> None:
    found = stream(tmp_path / "a.pcap", loud)
    assert (found.ptime_ms, found.talkspurts, found.silence) == (20.0, 20, 0.0)
    assert found.bandwidth_kbps == pytest.approx(80.0)
    assert found.drift_ppm == pytest.approx(0, abs=0.1)
    assert found.clock_rate == 8000
    assert [window.packets for window in windows_of(found)] == [500] * 4
    assert found.mos == found.mos_worst == pytest.approx(4.41, abs=0.01)


def test_a_fast_clock_drifts(tmp_path: Path) -> None:
    assert stream(tmp_path / "a.pcap", loud, fast=250e-6).drift_ppm == pytest.approx(250, abs=1)


@pytest.mark.parametrize(("kind", "byte"), [(0, 0xFF), (0, 0x7F), (8, 0xD5), (8, 0x55)])
def test_digital_silence(tmp_path: Path, kind: int, byte: int) -> None:
    assert stream(tmp_path / "a.pcap", lambda n: (kind, 160 * n, bytes([byte] * 160))).silence == 1.0


def test_silence_at_times(tmp_path: Path) -> None:
    found = stream(tmp_path / "a.pcap", lambda n: loud(n) if n < 1000 else (0, 160 * n, b"\xff" * 160))
    assert found.silence == pytest.approx(0.5, abs=0.05)


def test_other_codecs_are_not_listened_to(tmp_path: Path) -> None:
    assert stream(tmp_path / "a.pcap", lambda n: (18, 160 * n, bytes(20))).silence is None


def test_most_packets_have_the_packet_time(tmp_path: Path) -> None:
    found = stream(tmp_path / "a.pcap", lambda n: (0, 240 * n + (80 if n % 50 == 0 else 0), bytes(240)), 600)
    assert found.ptime_ms == 30.0


def test_changes_of_the_codec_are_listed_and_events_are_none(tmp_path: Path) -> None:
    def payload(number: int) -> tuple[int, int, bytes]:
        kind = 0 if number < 100 else 8 if number < 200 else 101 if number < 210 else 8 if number < 300 else 0
        return kind, 160 * number, bytes(4 if kind == 101 else 160)

    found = stream(tmp_path / "a.pcap", payload, 400)
    assert [(round(at - 1000, 3), kind, codec) for at, kind, codec in found.segments] == [
        (2.0, 8, "PCMA"),
        (6.0, 0, "PCMU"),
    ]


def test_digits_have_times_and_lengths(tmp_path: Path) -> None:
    path = tmp_path / "digits.pcap"
    with PcapWriter(path) as writer:
        for number in range(20):
            writer.udp(999 + 0.02 * number, HERE, THERE, build_rtp(RtpPacket(0, False, number, number, 77, bytes(160))))
        for at_ms, packet in event_packets("5#", payload_type=101, ssrc=77, sequence=20, timestamp=8000, tone_ms=120):
            writer.udp(1000 + at_ms / 1000, HERE, THERE, build_rtp(packet))
    (found,) = analyse([path]).streams
    assert [(d.digit, d.duration_ms, d.ended) for d in found.digits] == [("5", 120.0, True), ("#", 120.0, True)]
    assert found.digits[1].time - found.digits[0].time == pytest.approx(0.17)


def test_linear_values() -> None:
    assert LINEAR[0, 0xFF] == LINEAR[0, 0x7F] == 0
    assert LINEAR[0, 0x80] == LINEAR[0, 0x00] == 32124
    assert LINEAR[1, 0xD5] == 8
    assert LINEAR[1, 0xAA] == LINEAR[1, 0x2A] == 32256
