"""Whatever a file holds, reading it ends, and nothing but a CaptureError comes out."""

from __future__ import annotations

import contextlib
import gzip
import struct

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture import link
from sipreplay.capture.merge import open_captures
from sipreplay.capture.sieve import Sieve
from sipreplay.errors import CaptureError
from tests.capture.frames import block, enhanced, ethernet, interface, ip, option, pcap, rtp, section, tcp, udp
from tests.capture.test_hep import hep3
from tests.capture.test_link import CASES
from tests.capture.test_sieve import SIP, Taken
from tests.capture.test_tunnel import TUNNELS

PACKETS = [
    udp(SIP),
    udp(rtp(1, 2)),
    tcp(SIP, 9),
    udp(SIP, "::1", "::2"),
    udp(hep3()),
    ip(SIP, 17, "1.1.1.1", "2.2.2.2", 3, 0x2000),
]
PACKETS += [
    TUNNELS[name](udp(SIP), 4) for name in ("GRE", "GTP-U with extension headers", "VXLAN", "ESP", "ERSPAN III")
]
FRAMES = [ethernet(packet) for packet in PACKETS]
PCAPNG = (
    section()
    + interface(options=option(9, b"\x09") + option(14, struct.pack("<q", 5)))
    + block(10, struct.pack("<II", 0x544C534B, 4) + b"abcd")
    + b"".join(enhanced(frame, at * 1000) for at, frame in enumerate(FRAMES))
    + section(">")
    + interface(101, ">")
    + enhanced(PACKETS[0], 5, 0, ">")
)
FILES = [
    pcap(FRAMES),
    pcap(FRAMES, order=">", nanoseconds=True),
    PCAPNG,
    gzip.compress(pcap(FRAMES)),
    zstandard.compress(PCAPNG),
    *(pcap([frame(udp(SIP))] * 3, number) for number, frame in CASES[::3]),
]


def sift(*paths):
    """Read everything; returns packets."""
    captures = open_captures(paths)
    sieve, taken, packets = Sieve(captures.note), Taken(), 0
    for batch in captures.batches():
        packets += len(batch)
        list(sieve.sift(batch, taken))
    sieve.finish(taken)
    return packets


def test_the_files_are_sound(tmp_path):
    for number, data in enumerate(FILES):
        (tmp_path / str(number)).write_bytes(data)
        assert sift(tmp_path / str(number)) >= 3
    assert sift(tmp_path) == sum(sift(tmp_path / str(number)) for number in range(len(FILES)))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=8)), max_size=8),
    st.integers(0, 300),
)
def test_damaged_files_end_soundly(tmp_path_factory, data, damage, cut):
    damaged = bytearray(data)
    for at, value in damage:
        at %= len(damaged)
        damaged[at : at + len(value)] = value
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "one").write_bytes(damaged)
    (folder / "other").write_bytes(damaged[: len(damaged) - cut])
    with contextlib.suppress(CaptureError):
        sift(folder / "one")
    with contextlib.suppress(CaptureError):
        sift(folder / "one", folder / "other")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"", FILES[0][:24], PCAPNG[:48], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"]), st.binary(max_size=600)
)
def test_any_bytes_end_soundly(tmp_path_factory, start, noise):
    path = tmp_path_factory.mktemp("hostile") / "c"
    path.write_bytes(start + noise)
    with contextlib.suppress(CaptureError):
        sift(path)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(link.NAMES)), st.lists(st.binary(max_size=120), min_size=1, max_size=8))
def test_any_packets_end_soundly(tmp_path_factory, number, packets):
    path = tmp_path_factory.mktemp("hostile") / "c"
    path.write_bytes(pcap(packets, number))
    assert sift(path) == len(packets)


@pytest.mark.parametrize("depth", [100, 2000])
def test_headers_in_headers_end_soundly(tmp_path, depth):
    packet = udp(SIP)
    while len(packet) < 65_000 and depth:
        packet, depth = ip(packet, 4, "192.0.2.1", "192.0.2.2", options=bytes(4)), depth - 1
    (tmp_path / "c").write_bytes(pcap([packet, udp(SIP)], 101))
    assert sift(tmp_path / "c") == 2
