"""Link layers: the same datagram is found behind every one of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture import link
from sipreplay.capture.batch import PADDING, Batch
from tests.capture.frames import ethernet, udp

V4, V6 = udp(b"hello"), udp(b"hello", "2001:db8::1", "2001:db8::2")


def batch(frames, links):
    data = b"".join(frames)
    buffer = np.frombuffer(data + bytes(PADDING), np.uint8)
    sizes = np.array([len(frame) for frame in frames], np.int64)
    times = np.zeros(len(frames), np.int64)
    return Batch(buffer, 1, np.cumsum(sizes) - sizes, sizes, sizes, times, links)


def null(packet, family, order):
    return struct.pack(order + "I", family) + packet


def cooked(packet, version):
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    if version == 1:
        return struct.pack("!HHH8sH", 0, 1, 6, bytes(8), kind) + packet
    return struct.pack("!HHIHBB8s", kind, 0, 3, 1, 0, 6, bytes(8)) + packet


def pppoe(packet):
    kind = 0x0057 if packet[0] >> 4 == 6 else 0x0021
    return bytes(12) + b"\x88\x64" + struct.pack("!BBHHH", 0x11, 0, 7, len(packet) + 2, kind) + packet


def ether_type(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ppp_protocol(packet):
    return struct.pack("!H", 0x0057 if packet[0] >> 4 == 6 else 0x0021)


def frame(kind, body):
    return bytes(12) + struct.pack("!H", kind) + body


def labels(*numbers):
    last = len(numbers) - 1
    return b"".join(struct.pack("!I", n << 12 | (at == last) << 8 | 64) for at, n in enumerate(numbers))


def snap(packet):
    return b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ether_type(packet)) + packet


def wireless(packet, kind=0x08, flags=1):
    size = 24 + (6 if flags & 3 == 3 else 0) + (2 if kind & 0x80 else 0)
    return bytes([kind, flags]) + bytes(size - 2) + snap(packet)


def erf(body, kind=2, extensions=0):
    first = kind | (0x80 if extensions else 0)
    more = b"".join(bytes([0x80 if n + 1 < extensions else 0]) + bytes(7) for n in range(extensions))
    size = 16 + len(more) + len(body) + (2 if kind == 2 else 0)
    head = bytes(8) + struct.pack("!BBHHH", first, 4, size, 0, len(body)) + more
    return head + (b"\0\0" if kind == 2 else b"") + body


CASES = [
    (link.ETHERNET, lambda packet: frame(0x8847, labels(16) + packet)),
    (link.ETHERNET, lambda packet: frame(0x8847, labels(16, 17, 18) + packet)),
    (link.ETHERNET, lambda packet: frame(0x8848, labels(16, 17) + ethernet(packet, (0x8100,)))),
    (link.ETHERNET, lambda packet: frame(0x8847, labels(9) + bytes(4) + ethernet(packet))),
    (link.ETHERNET, lambda packet: frame(len(packet) + 8, snap(packet))),
    (link.ETHERNET, lambda packet: ethernet(packet, (0x8100,))[:16] + pppoe(packet)[12:]),
    (
        link.LINUX_SLL,
        lambda packet: struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x8100) + ethernet(packet, (0x8100,))[14:],
    ),
    (link.LINUX_SLL, lambda packet: struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 4) + snap(packet)),
    (link.PPP, lambda packet: b"\xff\x03" + ppp_protocol(packet) + packet),
    (link.PPP, lambda packet: ppp_protocol(packet) + packet),
    (link.PPP, lambda packet: ppp_protocol(packet)[1:] + packet),
    (link.PPP, lambda packet: b"\xff\x03\x02\x81" + labels(5) + packet),
    (link.PPP_HDLC, lambda packet: b"\xff\x03" + ppp_protocol(packet) + packet),
    (link.PPP_HDLC, lambda packet: b"\x0f\0" + struct.pack("!H", ether_type(packet)) + packet),
    (link.C_HDLC, lambda packet: b"\x8f\0" + struct.pack("!H", ether_type(packet)) + packet),
    (link.PPP_ETHER, lambda packet: pppoe(packet)[14:]),
    (link.PPP_PPPD, lambda packet: b"\x01\x03" + ppp_protocol(packet) + packet),
    (link.PPP_WITH_DIR, lambda packet: b"\x01\xff\x03" + ppp_protocol(packet) + packet),
    (link.ENC, lambda packet: bytes(12) + packet),
    (link.ERF, lambda packet: erf(ethernet(packet))),
    (link.ERF, lambda packet: erf(ethernet(packet, (0x8100,)), extensions=3)),
    (link.ERF, lambda packet: erf(packet, 22)),
    (link.IEEE802_11, wireless),
    (link.IEEE802_11, lambda packet: wireless(packet, 0x88, 3)),
    (link.RADIOTAP, lambda packet: struct.pack("<BBHIB", 0, 0, 9, 2, 0) + wireless(packet, 0x88)),
    (link.PPI, lambda packet: struct.pack("<BBHI", 0, 0, 8, 105) + wireless(packet)),
    (link.ETHERNET, lambda packet: ethernet(packet)),
    (link.ETHERNET, lambda packet: ethernet(packet, (0x8100,))),
    (link.ETHERNET, lambda packet: ethernet(packet, (0x88A8, 0x8100))),
    (link.ETHERNET, lambda packet: ethernet(packet, (0x9100, 0x88A8, 0x8100))),
    (link.ETHERNET, pppoe),
    (link.LINUX_SLL, lambda packet: cooked(packet, 1)),
    (link.LINUX_SLL2, lambda packet: cooked(packet, 2)),
    (link.RAW, lambda packet: packet),
    (link.RAW_BSD, lambda packet: packet),
    (link.RAW_OPENBSD, lambda packet: packet),
    (link.NULL, lambda packet: null(packet, 2 if packet[0] >> 4 == 4 else 30, "<")),
    (link.NULL, lambda packet: null(packet, 2 if packet[0] >> 4 == 4 else 24, ">")),
    (link.LOOP, lambda packet: null(packet, 2 if packet[0] >> 4 == 4 else 28, ">")),
]


@pytest.mark.parametrize(("number", "frame"), CASES)
@pytest.mark.parametrize("packet", [V4, V6])
def test_the_ip_header_is_found(number, frame, packet):
    made = batch([frame(packet)] * 3, number)
    at, version = link.ip_headers(made)
    assert version.tolist() == [packet[0] >> 4] * 3
    assert bytes(made.buffer[at[1] : at[1] + len(packet)]) == packet


def test_one_version_only_links():
    assert link.ip_headers(batch([V4], link.IPV4))[1].tolist() == [4]
    assert link.ip_headers(batch([V6], link.IPV6))[1].tolist() == [6]


def test_links_mixed_in_one_batch():
    frames = [ethernet(V4), V6, cooked(V4, 1), b"?" * 60]
    made = batch(frames, np.array([link.ETHERNET, link.RAW, link.LINUX_SLL, -1]))
    assert link.ip_headers(made)[1].tolist() == [4, 6, 4, 0]


def test_what_is_no_ip_or_too_short_has_version_0():
    arp = bytes(12) + b"\x08\x06" + bytes(46)
    assert link.ip_headers(batch([arp, ethernet(V4)[:20], b"", ethernet(V4)], link.ETHERNET))[1].tolist() == [
        0,
        0,
        0,
        4,
    ]


def test_encrypted_wireless_frames_are_not_guessed_at():
    assert link.ip_headers(batch([wireless(V4, flags=0x41)], link.IEEE802_11))[1].tolist() == [0]


def test_names_and_numbers_in_messages():
    assert link.name_of(link.LINUX_SLL2) == "LINUX_SLL2"
    assert link.name_of(9) == "PPP"
    assert link.name_of(147) == "USER0"
    assert link.name_of(9999) == "9999"


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=20), st.sampled_from(sorted(link.NAMES)))
def test_any_bytes_are_survived(frames, number):
    made = batch(frames, number)
    at, version = link.ip_headers(made)
    assert set(version.tolist()) <= {0, 4, 6}
    assert (at[version > 0] + 20 <= (made.offset + made.captured)[version > 0]).all()
