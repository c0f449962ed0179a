"""IP headers that the columns leave alone, against packets that scapy builds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture.fragments import MAX_DATAGRAMS, TIMEOUT_NS
from sipreplay.capture.slow import SlowPath
from tests.capture.frames import ip, udp

HOSTS = "192.0.2.1", "192.0.2.2"


def test_ipv6_extension_headers_and_fragments():
    inet6 = pytest.importorskip("scapy.layers.inet6")
    inet = pytest.importorskip("scapy.layers.inet")
    datagram = inet.UDP(sport=1, dport=2) / (b"z" * 3000)
    base = inet6.IPv6(src="2001:db8::1", dst="2001:db8::2")
    slow = SlowPath()
    for headers in (inet6.IPv6ExtHdrHopByHop(), inet6.IPv6ExtHdrDestOpt(), inet6.IPv6ExtHdrRouting()):
        whole = slow.packet(bytes(base / headers / datagram), 6, 0)
        assert (whole.protocol, whole.payload[8:]) == (17, b"z" * 3000)
    parts = inet6.fragment6(base / inet6.IPv6ExtHdrHopByHop() / inet6.IPv6ExtHdrFragment(id=70000) / datagram, 1280)
    assert len(parts) == 3
    random.Random(1).shuffle(parts)
    results = [slow.packet(bytes(part), 6, 0) for part in parts]
    assert results[:2] == [None, None]
    assert (results[2].protocol, results[2].payload[8:]) == (17, b"z" * 3000)
    assert slow.damaged == 0


def fragments(payload, ident=5, size=800):
    return [
        ip(payload[at : at + size], 17, *HOSTS, ident, at // 8 | (0x2000 if at + size < len(payload) else 0))
        for at in range(0, len(payload), size)
    ]


@given(st.binary(min_size=801, max_size=4000), st.randoms())
def test_fragments_in_any_order_and_repeated(payload, order):
    parts = fragments(payload)
    order.shuffle(parts)
    parts[1:1] = parts[:1]
    slow = SlowPath()
    results = [slow.packet(part, 4, 0) for part in parts]
    assert [result for result in results if result] == [results[-1]]
    assert results[-1].payload == payload


def test_where_fragments_overlap_the_earlier_bytes_stand():
    slow = SlowPath()
    slow.packet(ip(b"A" * 16, 17, *HOSTS, 5, 0x2000), 4, 0)
    slow.packet(ip(b"B" * 16, 17, *HOSTS, 5, 0x2001), 4, 0)
    assert slow.packet(ip(b"C" * 16, 17, *HOSTS, 5, 2), 4, 0).payload == b"A" * 16 + b"B" * 8 + b"C" * 8


def test_fragments_of_different_datagrams_do_not_mix():
    slow = SlowPath()
    first, second = fragments(b"1" * 1600, 5), fragments(b"2" * 1600, 6)
    assert slow.packet(first[0], 4, 0) is None
    assert slow.packet(second[1], 4, 0) is None
    assert slow.packet(second[0], 4, 0).payload == b"2" * 1600
    assert slow.packet(first[1], 4, 0).payload == b"1" * 1600


def test_an_identification_used_again_much_later_is_another_datagram():
    slow = SlowPath()
    old, new = fragments(b"1" * 1600), fragments(b"2" * 1600)
    slow.packet(old[0], 4, 0)
    assert slow.packet(new[1], 4, TIMEOUT_NS + 1) is None
    assert slow.packet(new[0], 4, TIMEOUT_NS + 2).payload == b"2" * 1600
    assert slow.abandoned == 1


def test_unfinished_datagrams_are_bounded():
    slow = SlowPath()
    for ident in range(MAX_DATAGRAMS + 50):
        slow.packet(fragments(b"x" * 900, ident)[0], 4, 0)
    assert slow.abandoned == 50
    slow.finish()
    assert slow.abandoned == MAX_DATAGRAMS + 50


def test_a_datagram_longer_than_ip_allows_is_refused():
    slow = SlowPath()
    assert slow.packet(ip(b"x" * 1400, 17, *HOSTS, 5, 0x1FFF), 4, 0) is None
    assert slow.damaged == 1


@given(st.binary(max_size=80), st.sampled_from([4, 6]))
def test_any_bytes_are_survived(data, version):
    SlowPath().packet(data, version, 0)


def test_a_plain_packet_comes_back():
    whole = SlowPath().packet(udp(b"hello"), 4, 0)
    assert (whole.source, whole.protocol, whole.payload[8:]) == (bytes([192, 0, 2, 1]), 17, b"hello")
