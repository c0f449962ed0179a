"""Written captures are read back by us and by dpkt, with right checksums."""

from __future__ import annotations

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.write import LARGEST_PAYLOAD, PcapWriter
from sipreplay.errors import CaptureError

A, B = ("192.0.2.1", 6000), ("192.0.2.2", 7000)
A6, B6 = ("2001:db8::1", 6000), ("2001:db8::2", 7000)


def packets_of(path):
    with path.open("rb") as file:
        return [(time, data) for time, data in dpkt.pcap.Reader(file)]


def ones_sum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([(A, B), (A6, B6)]), st.sampled_from(["ETHERNET", "RAW"]))
def test_headers_and_checksums(tmp_path_factory, payload, ends, link):
    path = tmp_path_factory.mktemp("w") / "w.pcap"
    with PcapWriter(path, link) as writer:
        writer.udp(1000.5, *ends, payload)
    ((time, data),) = packets_of(path)
    assert time == 1000.5
    packet = data[14:] if link == "ETHERNET" else data
    header = dpkt.ip.IP(packet) if ends == (A, B) else dpkt.ip6.IP6(packet)
    assert (header.data.sport, header.data.dport, header.data.data) == (6000, 7000, payload)
    if ends == (A, B):
        assert ones_sum(packet[:20]) == 0xFFFF
    body = bytes(header.data)
    assert ones_sum(header.src + header.dst + len(body).to_bytes(4, "big") + b"\0\0\0\x11" + body) == 0xFFFF
    assert header.data.sum != 0


@pytest.mark.parametrize(("nanoseconds", "kept"), [(False, 1700000000_123457000), (True, 1700000000_123456716)])
def test_times_are_kept(tmp_path, nanoseconds, kept):
    with PcapWriter(tmp_path / "w.pcap", nanoseconds=nanoseconds) as writer:
        writer.udp(1700000000.123456789, A, B, b"x")
    (batch,) = CaptureReader(tmp_path / "w.pcap").batches()
    assert batch.time_ns.tolist() == pytest.approx([kept], abs=300)


def test_a_time_that_rounds_up_to_the_next_second(tmp_path):
    with PcapWriter(tmp_path / "w.pcap") as writer:
        writer.udp(99.9999999, A, B, b"x")
    (batch,) = CaptureReader(tmp_path / "w.pcap").batches()
    assert batch.time_ns.tolist() == [100 * 10**9]


def test_what_cannot_be_written_is_refused(tmp_path):
    with PcapWriter(tmp_path / "w.pcap") as writer:
        writer.udp(0.0, A, B, bytes(LARGEST_PAYLOAD))
        with pytest.raises(ValueError, match="do not fit"):
            writer.udp(0.0, A, B, bytes(LARGEST_PAYLOAD + 1))
        with pytest.raises(ValueError, match="different IP versions"):
            writer.udp(0.0, A, B6, b"")
        with pytest.raises(ValueError, match="ports"):
            writer.udp(0.0, A, ("192.0.2.2", 70000), b"")
    assert len(packets_of(tmp_path / "w.pcap")) == 1
    with pytest.raises(ValueError, match="choose ETHERNET or RAW"):
        PcapWriter(tmp_path / "x.pcap", "PPP")
    with pytest.raises(CaptureError, match="cannot be written"):
        PcapWriter(tmp_path / "missing" / "x.pcap")
