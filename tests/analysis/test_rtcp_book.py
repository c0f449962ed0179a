"""Reports reach the stream that they tell of, with round trips as they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis import rtcp_book
from sipreplay.analysis.model import Address, Stream
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.rtcp_book import RtcpBook
from sipreplay.capture.write import PcapWriter
from sipreplay.rtp.packet import RtpPacket, build_rtp
from sipreplay.rtp.rtcp import ReportBlock, RtcpPacket, build_receiver_report, build_sender_report

ALICE, BOB = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
NTP = 0x1234_5678_9ABC_DEF0
BYE = b"\x81\xcb\x00\x01\x00\x00\x00\x4d"
CNAME = b"\x81\xca\x00\x05\x00\x00\x00\x4d\x01\x09alice@a.b\x00\x00\x00\x00\x00"


def beside(address: tuple[str, int], mux: bool) -> tuple[str, int]:
    return address if mux else (address[0], address[1] + 1)


def call(path: Path, *, mux: bool = False, encrypted: bool = False) -> list[Stream]:
    """Two streams; Alice reports at 1 s, Bob answers 30 ms later and says that he took 10 ms."""
    a, b = beside(ALICE, mux), beside(BOB, mux)
    report = build_sender_report(RtcpPacket(200, 77, (), NTP, 8000, 50, 8600)) + CNAME
    lsr = NTP >> 16 & 0xFFFFFFFF
    answer = build_receiver_report(88, (ReportBlock(77, 0.25, 12, 50, 80, lsr, 0.010),))
    if encrypted:
        report, answer = report[:8] + bytes(range(2, 60)), answer[:8] + bytes(range(2, 60))
    out = [(1.0, a, b, report), (1.030, b, a, answer), (1.9, a, b, BYE)]
    for number in range(90):
        out.append((0.02 * number, ALICE, BOB, build_rtp(RtpPacket(0, False, number, 160 * number, 77, bytes(160)))))
        out.append((0.02 * number, BOB, ALICE, build_rtp(RtpPacket(0, False, number, 160 * number, 88, bytes(160)))))
    with PcapWriter(path, nanoseconds=True) as writer:
        for time, source, destination, data in sorted(out, key=lambda item: item[0]):
            writer.udp(1000 + time, source, destination, data)
    return analyse([path]).streams


@pytest.mark.parametrize("mux", [False, True])
def test_a_report_and_its_answer(tmp_path: Path, mux: bool) -> None:
    alice, bob = call(tmp_path / "a.pcap", mux=mux)
    assert alice.rtcp is not None
    facts = alice.rtcp
    assert (facts.sender_reports, facts.receiver_reports, facts.cname) == (1, 1, "alice@a.b")
    assert (facts.sent_packets, facts.sent_octets) == (50, 8600)
    assert (facts.reported_lost, facts.reported_loss_max, facts.reported_jitter_ms) == (12, 0.25, 10.0)
    assert facts.round_trip_ms == pytest.approx(20.0, abs=0.1)
    assert facts.bye == pytest.approx(1001.9)
    assert alice.round_trip_ms == bob.round_trip_ms == pytest.approx(20.0, abs=0.1)
    assert alice.packets == 90
    assert bob.rtcp is None


def test_encrypted_reports_are_counted_and_not_believed(tmp_path: Path) -> None:
    alice, _ = call(tmp_path / "a.pcap", encrypted=True)
    assert alice.rtcp is not None
    assert (alice.rtcp.encrypted, alice.rtcp.sender_reports, alice.rtcp.cname) == (1, 0, "")
    assert alice.rtcp.round_trip_ms is None


def test_reports_of_ever_new_sources_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtcp_book, "MAX_ENTRIES", 100)
    book = RtcpBook()
    for ssrc in range(1000):
        report = build_sender_report(RtcpPacket(200, ssrc, (), NTP, 8000, 50, 8600))
        book.add(Address(*ALICE), Address(*BOB), 1.0 + ssrc, report)
    assert sum(len(entries) for entries in book._entries.values()) == 100


def xr(ssrc: int, blocks: bytes) -> bytes:
    return b"\x80\xcf" + (1 + len(blocks) // 4).to_bytes(2, "big") + ssrc.to_bytes(4, "big") + blocks


def test_extended_reports_tell_round_trips_and_what_the_receiver_heard(tmp_path: Path) -> None:
    """Alice asks with her reference time; Bob answers after 5 ms, 25 ms later, and rates what he hears."""
    asked = xr(77, b"\x04\0\0\x02" + NTP.to_bytes(8, "big"))
    delay = (
        (77).to_bytes(4, "big") + (NTP >> 16 & 0xFFFFFFFF).to_bytes(4, "big") + round(0.005 * 65536).to_bytes(4, "big")
    )
    metrics = (77).to_bytes(4, "big") + bytes((26, 13, 0, 0)) + bytes(12) + bytes((70, 127, 38, 127)) + bytes(8)
    answered = xr(88, b"\x05\0\0\x03" + delay + b"\x07\0\0\x08" + metrics)
    a, b = beside(ALICE, False), beside(BOB, False)
    out = [(1.0, a, b, asked), (1.025, b, a, answered)]
    for number in range(90):
        out.append((0.02 * number, ALICE, BOB, build_rtp(RtpPacket(0, False, number, 160 * number, 77, bytes(160)))))
    path = tmp_path / "xr.pcap"
    with PcapWriter(path, nanoseconds=True) as writer:
        for time, source, destination, data in sorted(out, key=lambda item: item[0]):
            writer.udp(1_700_000_000 + time, source, destination, data)
    (stream,) = analyse([path]).streams
    assert stream.rtcp is not None
    assert stream.rtcp.round_trip_ms == pytest.approx(20.0, abs=0.1)
    told = stream.rtcp.metrics
    assert told is not None
    assert (told.loss_rate, told.r_factor, told.mos_listening) == (26 / 256, 70, 3.8)
