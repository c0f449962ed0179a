"""Packets in tunnels: what comes out is what went in, whatever is around it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture.tunnel import MAX_DEPTH
from tests.capture.frames import ethernet, ip, rtp, tcp, udp
from tests.capture.test_sieve import SIP, sift

OUTER = {4: ("198.51.100.1", "198.51.100.2"), 6: ("2001:db8:f::1", "2001:db8:f::2")}
INNER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}


def ether_type(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def in_ip(packet, outer):
    return ip(packet, 41 if packet[0] >> 4 == 6 else 4, *OUTER[outer])


def gre(flags=0, more=b"", kind=None, body=None):
    def wrap(packet, outer):
        inside = body(packet) if body else packet
        return ip(struct.pack("!HH", flags, kind or ether_type(packet)) + more + inside, 47, *OUTER[outer])

    return wrap


def over_udp(port, head, body=lambda packet: packet):
    def wrap(packet, outer):
        return udp(head(packet) + body(packet), *OUTER[outer], (40000, port))

    return wrap


def gtp(flags=0x30, more=b""):
    return over_udp(2152, lambda packet: struct.pack("!BBHI", flags, 255, len(packet) + len(more), 7) + more)


def esp(check=12, padding=2, encapsulated=False):
    """Tunnel mode; `transport_esp` makes the other."""

    def wrap(packet, outer):
        following = 41 if packet[0] >> 4 == 6 else 4
        return _esp(packet, following, outer, check, padding, encapsulated)

    return wrap


def _esp(inside, following, outer, check, padding, encapsulated):
    body = struct.pack("!II", 0x90ABCDEF, 1) + inside + bytes(range(1, padding + 1)) + bytes([padding, following])
    body += b"\xee" * check
    if encapsulated:
        return udp(body, *OUTER[outer], (4500, 4500))
    return ip(body, 50, *OUTER[outer])


TUNNELS = {
    "IP in IP": in_ip,
    "GRE": gre(),
    "GRE with key, sequence and checksum": gre(0xB000, bytes(12)),
    "GRE of Ethernet": gre(kind=0x6558, body=ethernet),
    "ERSPAN I": gre(kind=0x88BE, body=ethernet),
    "ERSPAN II": gre(0x1000, bytes(4) + b"\x10" + bytes(7), 0x88BE, ethernet),
    "ERSPAN III": gre(0x1000, bytes(4) + b"\x20" + bytes(11), 0x22EB, ethernet),
    "ERSPAN III with subheader": gre(0x1000, bytes(4) + b"\x20" + bytes(10) + b"\1" + bytes(8), 0x22EB, ethernet),
    "PPTP": gre(0x3081, bytes(12), 0x880B, lambda p: b"\xff\x03\0" + (b"\x57" if p[0] >> 4 == 6 else b"\x21") + p),
    "MPLS in GRE": gre(kind=0x8847, body=lambda p: struct.pack("!I", 5 << 12 | 0x140) + p),
    "VXLAN": over_udp(4789, lambda _: b"\x08" + bytes(7), ethernet),
    "VXLAN with VLAN": over_udp(4789, lambda _: b"\x08" + bytes(7), lambda p: ethernet(p, (0x8100,))),
    "GENEVE": over_udp(6081, lambda _: b"\2\0\x65\x58" + bytes(12), ethernet),
    "GENEVE of IP": over_udp(6081, lambda p: b"\0\0" + struct.pack("!H", ether_type(p)) + bytes(4)),
    "GTP-U": gtp(),
    "GTP-U with sequence": gtp(0x32, bytes(4)),
    "GTP-U with extension headers": gtp(0x34, bytes(3) + b"\x85" + b"\1\0\0\xc0" + b"\2\0\0\0\0\0\0\0"),
    "ESP": esp(),
    "ESP with SHA-256": esp(16, 0),
    "ESP without integrity": esp(0, 5),
    "ESP over UDP": esp(encapsulated=True),
}


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("name", TUNNELS)
def test_what_is_inside_comes_out(tmp_path, name, inner, outer):
    wrap, hosts = TUNNELS[name], INNER[inner]
    media = rtp(7, 160)
    packets = [
        wrap(udp(SIP, *hosts), outer),
        wrap(udp(media, *hosts, (4000, 4002)), outer),
        wrap(tcp(SIP, 100, 0x18, *hosts), outer),
        udp(SIP, *hosts),
    ]
    taken, rows, notes = sift(tmp_path, packets)
    assert [(o.packet, o.source, o.source_port, o.destination_port, data) for o, data, *_ in taken.datagrams] == [
        (number, hosts[0], 5060, 5061, SIP) for number in (1, 4)
    ]
    assert [(packet, sequence, data) for packet, sequence, _, data in rows] == [(2, 7, media)]
    assert [(o.packet, o.source, data) for o, data, _ in taken.messages] == [(3, hosts[0], SIP)]
    assert notes == []


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("encapsulated", [False, True])
def test_esp_in_transport_mode(tmp_path, outer, encapsulated):
    hosts = OUTER[outer]
    skip = 20 if outer == 4 else 40
    media = rtp(7, 160)
    inside = [udp(SIP, *hosts)[skip:], udp(media, *hosts, (4000, 4002))[skip:], checked_tcp(SIP, outer)]
    packets = [_esp(each, number, outer, 12, 3, encapsulated) for each, number in zip(inside, (17, 17, 6), strict=True)]
    taken, rows, _ = sift(tmp_path, packets)
    assert [(o.packet, o.source, o.source_port, data) for o, data, *_ in taken.datagrams] == [(1, hosts[0], 5060, SIP)]
    assert [(packet, data) for packet, _, _, data in rows] == [(2, media)]
    assert [(o.packet, o.destination, data) for o, data, _ in taken.messages] == [(3, hosts[1], SIP)]


def checked_tcp(payload, version):
    """A TCP segment whose checksum is right, as scapy computes it."""
    inet = pytest.importorskip("scapy.layers.inet")
    inet6 = pytest.importorskip("scapy.layers.inet6")
    source, destination = OUTER[version]
    kind = inet.IP if version == 4 else inet6.IPv6
    whole = bytes(kind(src=source, dst=destination) / inet.TCP(sport=5060, dport=5061, seq=100, flags="PA") / payload)
    return whole[20 if version == 4 else 40 :]


def test_encrypted_esp_is_left_alone(tmp_path):
    noise = bytes((17 * n * n + 91) % 251 for n in range(200))
    taken, rows, _ = sift(tmp_path, [ip(struct.pack("!II", 5, 1) + noise, 50, *OUTER[4])])
    assert (taken.datagrams, taken.messages, rows) == ([], [], [])


def test_tunnels_in_tunnels_are_entered_to_a_bounded_depth(tmp_path):
    def nested(depth):
        packet = udp(SIP)
        for _ in range(depth):
            packet = in_ip(packet, 4)
        return packet

    mixed = TUNNELS["VXLAN"](TUNNELS["GTP-U"](TUNNELS["GRE"](udp(SIP), 6), 4), 4)
    taken, _, _ = sift(tmp_path, [nested(MAX_DEPTH), nested(MAX_DEPTH + 1), mixed])
    assert [(origin.packet, payload) for origin, payload, *_ in taken.datagrams] == [(1, SIP), (3, SIP)]


def test_sip_and_media_on_the_ports_of_tunnels_are_not_lost(tmp_path):
    packets = [udp(SIP, ports=(5060, 2152)), udp(SIP, ports=(4500, 4789)), udp(rtp(1, 2), ports=(2152, 6081))]
    taken, rows, _ = sift(tmp_path, packets)
    assert [origin.packet for origin, *_ in taken.datagrams] == [1, 2]
    assert [row[0] for row in rows] == [3]


@pytest.mark.parametrize("outer", [4, 6])
def test_a_tunnel_whose_outer_packets_are_fragments(tmp_path, outer):
    whole = TUNNELS["GTP-U"](udp(SIP + b"x" * 2000), outer)
    head = 20 if outer == 4 else 40
    datagram = whole[head:]
    parts = []
    for at in range(0, len(datagram), 800):
        more = at + 800 < len(datagram)
        if outer == 4:
            parts.append(ip(datagram[at : at + 800], 17, *OUTER[4], 9, at // 8 | (0x2000 if more else 0)))
        else:
            extension = struct.pack("!BBHI", 17, 0, at | more, 77)
            parts.append(ip(extension + datagram[at : at + 800], 44, *OUTER[6]))
    taken, _, notes = sift(tmp_path, [parts[1], parts[0], *parts[2:], udp(SIP)])
    assert [(origin.packet, origin.source, len(data)) for origin, data, *_ in taken.datagrams] == [
        (len(parts), "192.0.2.1", len(SIP) + 2000),
        (len(parts) + 1, "192.0.2.1", len(SIP)),
    ]
    assert notes == []


def test_fragments_inside_a_tunnel(tmp_path):
    big = SIP + b"x" * 1500
    datagram = struct.pack("!HHHH", 5060, 5061, len(big) + 8, 0) + big
    parts = [
        ip(datagram[at : at + 800], 17, *INNER[4], 9, at // 8 | (0x2000 if at + 800 < len(datagram) else 0))
        for at in range(0, len(datagram), 800)
    ]
    media = ip(udp(rtp(3, 4))[20:], 17, *INNER[4], options=bytes(4))
    taken, rows, _ = sift(tmp_path, [gtp()(part, 4) for part in parts] + [gtp()(media, 4)])
    assert [(origin.packet, data) for origin, data, *_ in taken.datagrams] == [(len(parts), big)]
    assert [row[0] for row in rows] == [len(parts) + 1]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(TUNNELS)),
    st.sampled_from([4, 6]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 120),
)
def test_damaged_tunnels_are_survived(tmp_path_factory, name, version, damage, cut):
    packet = bytearray(TUNNELS[name](udp(SIP, *INNER[version]), version))
    for at, value in damage:
        packet[at % len(packet)] = value
    sift(tmp_path_factory.mktemp("damaged"), [bytes(packet), bytes(packet[: len(packet) - cut])], link=101)
