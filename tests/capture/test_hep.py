"""HEP: the packets that capture agents report."""

from __future__ import annotations

import gzip
import struct
import zlib
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.reading import analyse
from sipreplay.capture.hep import parse_hep
from tests.capture.frames import BEGAN, ethernet, ip, pcap, rtp, udp
from tests.capture.test_sieve import SIP, sift

AGENT = ("198.51.100.1", "198.51.100.2", (40000, 9060))


def chunk(kind, value, vendor=0):
    return struct.pack("!HHH", vendor, kind, 6 + len(value)) + value


def hep3(
    payload=SIP, hosts=("192.0.2.1", "192.0.2.2"), ports=(5060, 5080), protocol=17, more=b"", when=(BEGAN, 250000)
):
    sender, receiver = (ip_address(host).packed for host in hosts)
    wide = len(sender) == 16
    body = chunk(1, b"\x0a" if wide else b"\2") + chunk(2, bytes([protocol]))
    body += chunk(5 if wide else 3, sender) + chunk(6 if wide else 4, receiver)
    body += chunk(7, struct.pack("!H", ports[0])) + chunk(8, struct.pack("!H", ports[1]))
    if when:
        body += chunk(9, struct.pack("!I", when[0])) + chunk(10, struct.pack("!I", when[1]))
    body += chunk(11, b"\1") + chunk(12, bytes(4)) + chunk(999, b"?", vendor=7) + more
    if payload:
        body += chunk(15, payload)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def old(version=1, payload=SIP, hosts=("192.0.2.1", "192.0.2.2"), time=b"", counted=0):
    sender, receiver = (ip_address(host).packed for host in hosts)
    family = 10 if len(sender) == 16 else 2
    length = 8 + 2 * len(sender) + counted
    return struct.pack("!BBBBHH", version, length, family, 17, 5060, 5080) + sender + receiver + time + payload


@pytest.mark.parametrize("hosts", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_version_3_has_its_own_time_addresses_and_correlation(tmp_path, hosts):
    packets = [udp(hep3(hosts=hosts, more=chunk(17, b"leg-a\0")), *AGENT), udp(hep3(hosts=hosts, protocol=6), *AGENT)]
    taken, _, notes = sift(tmp_path, packets)
    assert [
        (o.packet, o.source, o.source_port, o.destination, o.destination_port, o.transport, o.correlation, data)
        for o, data, *_ in taken.datagrams
    ] == [
        (1, hosts[0], 5060, hosts[1], 5080, "UDP", "leg-a", SIP),
        (2, hosts[0], 5060, hosts[1], 5080, "TCP", "", SIP),
    ]
    assert taken.datagrams[0][0].time == pytest.approx(BEGAN + 0.25)
    assert notes == []


def test_without_a_time_the_packets_own_counts(tmp_path):
    taken, _, _ = sift(tmp_path, [udp(hep3(when=None), *AGENT)])
    assert taken.datagrams[0][0].time == pytest.approx(BEGAN)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compressed_payloads(pack):
    assert parse_hep(hep3(b"", more=chunk(16, pack(SIP)))).payload == SIP
    assert len(parse_hep(hep3(b"", more=chunk(16, pack(bytes(10_000_000))))).payload) == 65535
    assert parse_hep(hep3(b"", more=chunk(16, b"damaged"))) is None


@pytest.mark.parametrize("hosts", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_versions_1_and_2(tmp_path, hosts):
    padded, bare = struct.pack("<IIHH", BEGAN, 500000, 1, 0), struct.pack("<IIH", BEGAN, 500000, 1)
    packets = [old(1, hosts=hosts), old(2, hosts=hosts, time=padded), old(2, hosts=hosts, time=padded, counted=12)]
    packets.append(old(2, hosts=hosts, time=bare))
    taken, _, _ = sift(tmp_path, [udp(packet, *AGENT) for packet in packets])
    assert [(o.source, o.destination_port, data) for o, data, *_ in taken.datagrams] == [(hosts[0], 5080, SIP)] * 4
    assert [round(o.time - BEGAN, 3) for o, *_ in taken.datagrams] == [0, 0.5, 0.5, 0.5]


FROM_KAMAILIO = {
    1: "01100211175517537f00004d7f00004d",
    2: "02100211175517537f00004d7f00004d517b0c6ba70a0b002a000000",
    3: "484550330122000000010007020000000200071100000003000a7f00004d00000004000a7f00004d0000000700081755"
    "000000080008175300000009000a6b0c7b580000000a000a00038fec0000000b0007010000000c000a0000002a0000000f00c5",
}
"""What Kamailio 5.6's siptrace put before a request that went from 127.0.0.77:5973 to port 5971."""


@pytest.mark.parametrize("version", FROM_KAMAILIO)
def test_what_kamailio_sends_is_read(version):
    request = (
        b"OPTIONS sip:a@127.0.0.77 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.77:5973;branch=z9hG4bKx\r\n"
        b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: kam\r\nCSeq: 1 OPTIONS\r\n"
        b"Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
    )
    found = parse_hep(bytes.fromhex(FROM_KAMAILIO[version]) + request)
    host = bytes([127, 0, 0, 77])
    assert (found.source, found.source_port, found.destination, found.destination_port) == (host, 5973, host, 5971)
    assert (found.protocol, found.payload, found.cut) == (17, request, False)
    assert found.time_ns is None if version == 1 else 0 <= found.time_ns // 10**9 - 1795980113 < 10


def test_media_that_an_agent_reports_is_media(tmp_path):
    _, rows, _ = sift(tmp_path, [udp(hep3(rtp(7, 8), ports=(4000, 4002)), *AGENT)])
    assert [(packet, sequence, data) for packet, sequence, _, data in rows] == [(1, 7, rtp(7, 8))]


def test_a_report_that_the_capture_cut_is_marked(tmp_path):
    whole = udp(hep3(SIP * 20), *AGENT)
    taken, _, _ = sift(tmp_path, [whole[:400]], original=[len(whole) + 14])
    ((_, payload, _, cut),) = taken.datagrams
    assert payload.startswith(SIP)
    assert cut


def test_a_report_in_fragments(tmp_path):
    datagram = udp(hep3(SIP * 40), *AGENT)[20:]
    parts = [ip(datagram[:1000], 17, *AGENT[:2], 9, 0x2000), ip(datagram[1000:], 17, *AGENT[:2], 9, 125)]
    taken, _, _ = sift(tmp_path, parts)
    assert [(o.packet, o.source, data) for o, data, *_ in taken.datagrams] == [(2, "192.0.2.1", SIP * 40)]


def test_text_that_begins_like_hep_is_still_text(tmp_path):
    text = b"HEP3 sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n"
    taken, _, _ = sift(tmp_path, [udp(text)])
    assert [data for _, data, *_ in taken.datagrams] == [text]


def test_an_analysis_keeps_what_the_agent_said(tmp_path):
    sip = SIP.replace(b"OPTIONS", b"INVITE").replace(
        b"Call-ID",
        b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCSeq: 1 INVITE\r\nCall-ID",
    )
    path = tmp_path / "hep.pcap"
    path.write_bytes(pcap([ethernet(udp(hep3(sip, more=chunk(17, b"abc")), *AGENT))]))
    (message,) = analyse([path]).messages
    assert (str(message.source), message.correlation, message.transport) == ("192.0.2.1:5060", "abc", "UDP")
    assert message.data == sip


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes_are_survived(noise, kind):
    parse_hep([noise, b"HEP3" + noise, b"\1\x10\2\x11" + noise, b"\2\x28\x0a\x11" + noise][kind])


@given(st.integers(0, 300), st.integers(0, 255), st.integers(0, 200))
def test_damaged_reports_are_survived(at, value, cut):
    data = bytearray(hep3(more=chunk(17, b"x") + chunk(16, zlib.compress(SIP))))
    data[at % len(data)] = value
    parse_hep(bytes(data[: len(data) - cut]))
