"""Batches sifted: what comes out as RTP, what as payloads, in which order."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture.batch import CHUNK
from sipreplay.capture.channel import Channel
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.sieve import Sieve
from sipreplay.capture.tcp import TcpDirections
from tests.capture.frames import ethernet, ip, pcap, rtp, tcp, udp

SIP = b"OPTIONS sip:a@example.com SIP/2.0\r\nCall-ID: 1\r\n\r\n"


class Taken:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.datagrams = []
        self.messages = []
        self.lost = []

    def datagram(self, origin, payload, ip_id, cut):
        self.datagrams.append((origin, payload, ip_id, cut))

    def message(self, origin, data, transport):
        self.messages.append((origin, data, transport))

    def broken(self, origin):
        self.lost.append(origin.packet)


def sift(tmp_path, packets, taken=None, original=None, link=1):
    """(taker, RTP rows as (packet, sequence, SSRC, payload), notes)."""
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap([ethernet(packet) if link == 1 else packet for packet in packets], link, original=original))
    reader = CaptureReader(path)
    sieve = Sieve(reader.note)
    taken = taken or Taken()
    rows = []
    for batch in reader.batches():
        for columns in sieve.sift(batch, taken):
            for at in range(len(columns)):
                start = int(columns.offset[at])
                pair = tuple(sieve.pairs.addresses(int(columns.addresses[at])))
                data = columns.buffer[start : start + int(columns.length[at])].tobytes()
                rows.append((int(columns.packet[at]), int(columns.sequence[at]), len(pair[0]), data))
    sieve.finish(taken)
    return taken, rows, reader.notes


@pytest.mark.parametrize("hosts", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_rtp_becomes_columns_and_text_becomes_datagrams(tmp_path, hosts):
    media = rtp(7, 160)
    taken, rows, _ = sift(tmp_path, [udp(SIP, *hosts), udp(media, *hosts, (4000, 4002)), udp(SIP, *hosts)])
    assert [(packet, sequence, data) for packet, sequence, _, data in rows] == [(2, 7, media)]
    assert [origin.packet for origin, *_ in taken.datagrams] == [1, 3]
    origin, payload, _, cut = taken.datagrams[0]
    assert (origin.source, origin.source_port, origin.destination, origin.destination_port) == (
        *hosts[:1],
        5060,
        hosts[1],
        5061,
    )
    assert (payload, cut) == (SIP, False)


def test_both_ip_versions_in_one_capture_keep_their_order(tmp_path):
    six = ("2001:db8::1", "2001:db8::2")
    packets = [udp(SIP + b"1"), udp(SIP + b"2", *six), udp(SIP + b"3"), udp(rtp(1, 1), *six), udp(rtp(2, 2))]
    taken, rows, _ = sift(tmp_path, packets)
    assert [payload[-1:] for _, payload, *_ in taken.datagrams] == [b"1", b"2", b"3"]
    assert {(packet, width) for packet, _, width, _ in rows} == {(4, 16), (5, 4)}


@pytest.mark.parametrize(
    "other",
    [
        struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(24),
        struct.pack("!BBHI", 0x81, 205, 3, 1) + bytes(8),
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x80\x00\x00\x01",
        b"\x8f\x00" + bytes(30),
        b"\r\n\r\n",
        bytes(172),
    ],
)
def test_rtcp_stun_keep_alives_and_noise_are_neither(tmp_path, other):
    taken, rows, _ = sift(tmp_path, [udp(other)])
    assert (taken.datagrams, rows) == ([], [])


def test_padding_of_short_frames_is_not_payload(tmp_path):
    path = tmp_path / "t.pcap"
    payload = b"A" * 17
    path.write_bytes(pcap([ethernet(udp(payload)) + b"\0" * 20]))
    taken, reader = Taken(), CaptureReader(path)
    for batch in reader.batches():
        list(Sieve(reader.note).sift(batch, taken))
    assert taken.datagrams[0][1] == payload


def test_a_message_that_the_capture_cut_is_marked(tmp_path):
    whole = udp(SIP * 20)
    taken, _, _ = sift(tmp_path, [whole[:200]], original=[len(whole) + 14])
    assert taken.datagrams[0][3] is True
    assert SIP in taken.datagrams[0][1]


def test_ip_options_and_fragments_are_put_together(tmp_path):
    big = SIP + b"x" * 3000
    datagram = struct.pack("!HHHH", 5060, 5061, len(big) + 8, 0) + big
    hosts = "192.0.2.1", "192.0.2.2"
    parts = [
        ip(datagram[at : at + 1000], 17, *hosts, 9, at // 8 | (0x2000 if at + 1000 < len(datagram) else 0))
        for at in range(0, len(datagram), 1000)
    ]
    optional = ip(struct.pack("!HHHH", 1, 2, len(SIP) + 8, 0) + SIP, 17, *hosts, options=b"\x01\x01\x01\x00")
    taken, rows, notes = sift(tmp_path, [parts[2], optional, parts[0], parts[3], parts[1]])
    assert [(origin.packet, payload) for origin, payload, *_ in taken.datagrams] == [(2, SIP), (5, big)]
    assert taken.datagrams[1][2] == 9
    assert (rows, notes) == ([], [])


@pytest.mark.parametrize("hosts", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_authentication_headers_are_passed(tmp_path, hosts):
    datagram = struct.pack("!HHHH", 5060, 5061, len(SIP) + 8, 0) + SIP
    header = struct.pack("!BBHII", 17, 4, 0, 7, 1) + bytes(12)
    taken, _, notes = sift(tmp_path, [ip(header + datagram, 51, *hosts), udp(SIP, *hosts)])
    assert [(origin.packet, origin.source, data) for origin, data, *_ in taken.datagrams] == [
        (1, hosts[0], SIP),
        (2, hosts[0], SIP),
    ]
    assert notes == []


def test_unreadable_headers_are_a_problem_with_the_first_packet(tmp_path):
    broken = ip(b"\x11\xff" + bytes(10), 60, "2001:db8::1", "2001:db8::2")
    _, _, notes = sift(tmp_path, [udp(SIP), broken, broken])
    assert [(note.packet, note.what[:9]) for note in notes] == [(2, "2 packets")]


def test_rtp_with_ip_options_is_found_too(tmp_path):
    media = rtp(3, 4)
    packet = ip(
        struct.pack("!HHHH", 4000, 4002, len(media) + 8, 77) + media, 17, "192.0.2.1", "192.0.2.2", options=bytes(4)
    )
    _, rows, _ = sift(tmp_path, [udp(rtp(2, 3)), packet])
    assert [(number, sequence, data) for number, sequence, _, data in rows] == [(1, 2, rtp(2, 3)), (2, 3, media)]


def test_a_missing_fragment_is_a_problem(tmp_path):
    part = ip(struct.pack("!HHHH", 1, 2, 3000, 0) + b"x" * 992, 17, "192.0.2.1", "192.0.2.2", 9, 0x2000)
    _, _, notes = sift(tmp_path, [part])
    assert "1 fragmented datagrams" in notes[0].what


def halves(start=100, data=SIP):
    return [(start, data[:30]), (start + 30, data[30:])]


def test_a_fragmented_message_that_the_capture_cut_is_marked(tmp_path):
    big = SIP + b"x" * 1000
    datagram = struct.pack("!HHHH", 5060, 5061, len(big) + 8, 0) + big
    hosts = "192.0.2.1", "192.0.2.2"
    first, last = ip(datagram[:800], 17, *hosts, 9, 0x2000), ip(datagram[800:], 17, *hosts, 9, 100)
    taken, _, notes = sift(tmp_path, [last[:-50], first])
    ((_, payload, _, cut),) = taken.datagrams
    assert (payload, cut, notes) == (big[:-50], True, [])


def test_overlapping_and_missing_fragments_are_problems_with_their_packets(tmp_path):
    hosts = "192.0.2.1", "192.0.2.2"
    packets = [udp(b"?"), ip(bytes(16), 17, *hosts, 9, 0x2000), ip(bytes(16), 17, *hosts, 9, 0x2001)]
    _, _, notes = sift(tmp_path, packets)
    assert [note.packet for note in notes] == [2, 3]
    assert "1 fragmented datagrams of which a part is missing (0 were put together)" in notes[0].what
    assert "1 IP fragments that overlap" in notes[1].what


def test_tcp_segments_come_in_order_once(tmp_path):
    (first, second), third = halves(), 100 + len(SIP)
    packets = [tcp(b"", 99, 2), tcp(second[1], second[0]), tcp(first[1], first[0]), tcp(*first[::-1]), tcp(SIP, third)]
    taken, _, notes = sift(tmp_path, packets)
    assert [(origin.packet, data, transport) for origin, data, transport in taken.messages] == [
        (3, SIP, "TCP"),
        (5, SIP, "TCP"),
    ]
    assert notes == []


def test_missing_tcp_bytes_are_said_and_skipped(tmp_path):
    packets = [tcp(b"", 99, 2), tcp(SIP[:40], 100), tcp(SIP[42:] + SIP, 142)]
    taken, _, notes = sift(tmp_path, packets)
    assert [data for _, data, _ in taken.messages] == [SIP]
    assert taken.lost == [3]
    assert notes[0].what == (
        "2 bytes of the TCP stream 192.0.2.1:5060 to 192.0.2.2:5061 are missing; "
        "OPTIONS sip:a@example.com SIP/2.0 is lost with them; reading went on at the next message"
    )


def test_a_segment_that_the_capture_cut_costs_its_message_only(tmp_path):
    whole = ethernet(tcp(SIP * 2, 100))
    packets = [tcp(b"", 99, 2), tcp(SIP * 2, 100)[:-10], tcp(SIP, 100 + 2 * len(SIP))]
    lengths = [60, len(whole), len(whole)]
    taken, _, notes = sift(tmp_path, packets, original=lengths)
    assert [(origin.packet, data) for origin, data, _ in taken.messages] == [(2, SIP), (3, SIP)]
    assert taken.lost == [3]
    assert notes[0].what.startswith("10 bytes of the TCP stream")


def test_a_message_that_never_ends_is_named(tmp_path):
    taken, _, notes = sift(tmp_path, [tcp(b"", 99, 2), tcp(SIP[:-10], 100)])
    assert (taken.messages, taken.lost) == ([], [2])
    assert notes[0].what.startswith("OPTIONS sip:a@example.com SIP/2.0 in the TCP stream 192.0.2.1:5060 to")
    assert notes[0].what.endswith("has no end in the capture")


def test_a_tcp_direction_of_no_use_is_left_alone(tmp_path, monkeypatch):
    fed = []
    feed = Channel.feed
    monkeypatch.setattr(Channel, "feed", lambda self, *given: (fed.append(given), feed(self, *given))[1])
    sift(tmp_path, [tcp(b"", 99, 2), *(tcp(b"SSH-2.0-x\r\n", 100 + 11 * index) for index in range(50))])
    assert len(fed) == 1


@pytest.mark.parametrize("hosts", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_segments_of_no_use_are_passed_over_in_columns(tmp_path, monkeypatch, hosts):
    """In later batches than the one that showed that a direction is no SIP, until its port is used again."""
    seen = []
    segment = TcpDirections.segment
    monkeypatch.setattr(TcpDirections, "segment", lambda self, *given: (seen.append(given), segment(self, *given))[1])
    other = ("192.0.2.7", "192.0.2.8")
    packets = [tcp(b"", 99, 2, *hosts), tcp(b"SSH-2.0-x\r\n", 100, 0x18, *hosts)]
    packets += [tcp(bytes(1400), 111 + 1400 * index, 0x18, *hosts) for index in range(4 * CHUNK // 1400)]
    packets += [tcp(SIP, 5, 0x18, *other), tcp(b"", 7000, 2, *hosts), tcp(SIP, 7001, 0x18, *hosts)]
    taken, _, _ = sift(tmp_path, packets)
    assert [origin.packet for origin, *_ in taken.messages] == [len(packets) - 2, len(packets)]
    assert len(seen) < 10


def test_a_port_used_again_starts_afresh(tmp_path):
    packets = [tcp(b"", 99, 2), tcp(b"SSH-2.0-x\r\n", 100), tcp(b"", 7000, 2), tcp(SIP, 7001)]
    taken, _, _ = sift(tmp_path, packets)
    assert [origin.packet for origin, *_ in taken.messages] == [4]


def test_keep_alives_between_messages(tmp_path):
    stream = [SIP, b"\r\n\r\n", SIP, b"\r\n", b"\r", b"\n" + SIP]
    at = 100
    packets = [tcp(b"", 99, 2)]
    for part in stream:
        packets.append(tcp(part, at))
        at += len(part)
        packets.append(tcp(b"\0", at - 1, 0x10))
    taken, _, notes = sift(tmp_path, packets)
    assert [data for _, data, _ in taken.messages] == [SIP] * 3
    assert notes == []


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=120), min_size=1, max_size=12), st.sampled_from([1, 0, 101, 113, 276]))
def test_any_frames_are_survived(tmp_path_factory, frames, link):
    sift(tmp_path_factory.mktemp("any"), frames, link=link)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([udp(SIP), udp(rtp(1, 1)), tcp(SIP, 5), udp(SIP, "::1", "::2")]),
            st.integers(0, 80),
            st.integers(0, 255),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_damaged_headers_are_survived(tmp_path_factory, damage):
    packets = []
    for packet, at, value in damage:
        changed = bytearray(packet)
        changed[at % len(changed)] = value
        packets.append(bytes(changed))
    sift(tmp_path_factory.mktemp("damaged"), packets, link=101)


def test_rtcp_and_watched_ports_go_aside_after_the_signalling(tmp_path):
    path = tmp_path / "t.pcap"
    fax, report = bytes(8), b"\x80\xc9\0\1\0\0\0\7"
    packets = [udp(fax, ports=(4000, 4002)), udp(fax, ports=(4004, 4006)), udp(report, ports=(9, 10)), udp(SIP)]
    path.write_bytes(pcap([ethernet(packet) for packet in packets]))
    reader, aside = CaptureReader(path), []
    sieve = Sieve(reader.note, aside=lambda origin, payload: aside.append((origin.packet, payload)))

    class Watching(Taken):
        def datagram(self, origin, payload, ip_id, cut):
            sieve.watched[4002] = True

    for batch in reader.batches():
        assert list(sieve.sift(batch, Watching())) == []
    assert aside == [(1, fax), (3, report)]
