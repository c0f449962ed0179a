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


CASES = [
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


def test_names_and_numbers_in_messages():
    assert link.name_of(link.LINUX_SLL2) == "LINUX_SLL2"
    assert link.name_of(9) == "PPP"
    assert link.name_of(9999) == "9999"


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=20), st.sampled_from(sorted(link.NAMES)))
def test_any_bytes_are_survived(frames, number):
    made = batch(frames, number)
    at, version = link.ip_headers(made)
    assert set(version.tolist()) <= {0, 4, 6}
    assert (at[version > 0] + 20 <= (made.offset + made.captured)[version > 0]).all()
