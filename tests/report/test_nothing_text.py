"""A capture without SIP and RTP is told what it holds instead, and why nothing may have been found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import wrpcap

from sipreplay.analysis.reading import analyse
from sipreplay.capture.census import take_census
from sipreplay.capture.layers import TlsSession
from sipreplay.report.inspect_text import list_lines
from sipreplay.report.lines import plain_text

ETHER, IP4 = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02"), IP(src="192.0.2.1", dst="192.0.2.2")


def said(folder: Path, frames: Sequence[Any]) -> str:
    path = folder / "in.pcap"
    wrpcap(str(path), frames)
    return plain_text(list_lines(analyse([path]), (), 160))


def test_packets_are_counted_by_protocol_and_port(tmp_path: Path) -> None:
    frames = [ETHER / IP4 / UDP(sport=40000 + n, dport=53) / b"query" for n in range(5)]
    frames += [ETHER / IP4 / TCP(sport=40000, dport=80) / b"GET /", ETHER / IP4 / ICMP(), ETHER / ARP(), ETHER / ARP()]
    text = said(tmp_path, frames)
    assert "9 packets: 5 UDP on port 53 (5); " in text
    assert "1 TCP on port 80 (1)" in text
    assert "1 ICMP" in text
    assert "2 ARP" in text
    assert "wrong interface, host or time" in text


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (
            [ETHER / IP4 / TCP(sport=40000, dport=5061) / b"\x16\x03\x01"],
            "1 packet on TLS ports: SIP in TLS can be read",
        ),
        ([ETHER / IP4 / UDP(sport=5060, dport=5060) / b"\x00\x00\x00\x00"], "1 packet on SIP's ports hold no SIP"),
        ([ETHER / IP(src="192.0.2.1", dst="192.0.2.2", proto=50) / (b"\xff" * 40)], "1 packet of ESP"),
        ([ETHER / ARP()], "no IP: the capture may be of the wrong interface"),
    ],
)
def test_a_likely_reason_is_given(tmp_path: Path, frames: list[Any], reason: str) -> None:
    assert reason in said(tmp_path, frames)


def test_the_census_counts_cut_packets_and_fragments(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(
        str(path), [ETHER / IP4 / UDP(sport=1, dport=2) / bytes(100), ETHER / IP(src="192.0.2.1", flags="MF") / UDP()]
    )
    data = bytearray(path.read_bytes())
    data[24 + 12 : 24 + 16] = (4000).to_bytes(4, "little")
    path.write_bytes(data)
    census = take_census(str(path))
    assert (census.packets, census.cut, census.fragments) == (2, 1, 1)


def test_an_empty_capture_says_no_more_than_that(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), [ETHER / ARP()])
    path.write_bytes(path.read_bytes()[:24])
    text = plain_text(list_lines(analyse([path]), (), 160))
    assert "the capture holds no packets" in text
    assert "no SIP message and no RTP stream found" in text


def test_messages_without_a_call_id_are_not_denied(tmp_path: Path) -> None:
    text = said(tmp_path, [ETHER / IP4 / UDP(sport=5060, dport=5060) / b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n"])
    assert "1 SIP message, 0 dialogs" in text
    assert "no call and no RTP stream found: 1 SIP message without a Call-ID" in text
    assert "hold no SIP" not in text


def test_tls_on_any_port_is_a_reason(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "in.pcap"), [ETHER / IP4 / TCP(sport=40000, dport=40001) / b"x"])
    analysis = analyse([tmp_path / "in.pcap"])
    analysis.tls.append(
        TlsSession("192.0.2.1", 40000, "192.0.2.2", 40001, 0, 1, 0.0, "TLS 1.3", "", (), False, 0, 0, "no key")
    )
    text = plain_text(list_lines(analysis, (), 160))
    assert "TLS may hold SIP" in text
    assert "wrong interface" not in text
