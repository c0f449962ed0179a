"""Loading what can be played."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from media_files import frame, rtp, write_g711, write_pcap

from sipreplay.errors import ScenarioError
from sipreplay.media.sources import Datagram, build_source, load_source
from sipreplay.rtp.rtcp import build_receiver_report


def test_packets_keep_their_bytes_times_and_order(tmp_path: Path) -> None:
    source = load_source(str(write_g711(tmp_path / "a.pcap", 5)), "audio")
    (flow,) = source.flows
    assert (source.packets, source.duration_ms, source.payload_types) == (5, 80.0, (8,))
    assert flow.offset_us.tolist() == [0, 20_000, 40_000, 60_000, 80_000]
    assert flow.length.tolist() == [172] * 5
    assert bytes(flow.template[3, :172]) == rtp(3)
    assert flow.rewritable.all()
    assert source.rewritten == source.flows


def test_ports_are_relative_to_the_smallest_and_every_flow_is_taken(tmp_path: Path) -> None:
    report = build_receiver_report(1)
    frames = [(0, frame(rtp(0), 6002)), (5, frame(report, 6003)), (10, frame(rtp(1), 6002)), (12, frame(b"x", 6000))]
    source = load_source(str(write_pcap(tmp_path / "a.pcap", frames)), "audio")
    assert [(f.port_offset, f.packets) for f in source.flows] == [(0, 1), (2, 2), (3, 1)]
    assert source.flows[1].offset_us.tolist() == [0, 10_000]
    assert [f.port_offset for f in source.rewritten] == [0, 2], "captured RTCP tells of the captured stream"
    assert not source.flows[0].rewritable.any()


def test_rtcp_on_the_media_port_is_left_out_of_rewritten_streams_only() -> None:
    packets = [Datagram(0, 10, rtp(0)), Datagram(1, 10, build_receiver_report(1)), Datagram(2, 10, rtp(1))]
    source = build_source("x", "audio", packets)
    assert (source.flows[0].packets, source.rewritten[0].packets) == (3, 2)


def test_fax_is_never_rewritten() -> None:
    source = build_source("x", "image", [Datagram(0, 10, rtp(0))])
    assert not source.rewritten[0].rewritable.any()


def test_packets_out_of_time_order_are_sorted() -> None:
    source = build_source("x", "audio", [Datagram(40, 10, rtp(1)), Datagram(20, 10, rtp(0))])
    assert source.flows[0].offset_us.tolist() == [0, 20]
    assert np.frombuffer(bytes(source.flows[0].template[0, 2:4]), ">u2")[0] == 1000


def test_other_protocols_and_six_are_read(tmp_path: Path) -> None:
    other = bytearray(frame(rtp(0), 5000))
    other[14 + 9] = 6
    frames = [(0, bytes(other)), (1, frame(rtp(1), 5000, six=True)), (2, b"\0" * 60)]
    source = load_source(str(write_pcap(tmp_path / "a.pcap", frames)), "audio")
    assert (source.packets, source.skipped) == (1, 2)
    assert bytes(source.flows[0].template[0, :172]) == rtp(1)


def test_options_and_fragments_are_read_too(tmp_path: Path) -> None:
    whole = frame(rtp(0), 5000)
    head, body = whole[14:34], whole[34:]
    options = whole[:14] + b"\x46" + head[1:2] + struct.pack("!H", 24 + len(body)) + head[4:] + b"\1\1\1\0" + body
    parts = []
    for start, more in ((0, 0x2000), (96, 0)):
        piece = body[start : start + 96] if more else body[start:]
        parts.append(
            whole[:14] + head[:2] + struct.pack("!HHH", 20 + len(piece), 77, more | start // 8) + head[8:] + piece
        )
    frames = [(0, options), (1, parts[0]), (2, parts[1])]
    source = load_source(str(write_pcap(tmp_path / "a.pcap", frames)), "audio")
    assert [bytes(row[:172]) for row in source.flows[0].template] == [rtp(0), rtp(0)]


def test_what_cannot_be_played_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "no.pcap"
    with pytest.raises(ScenarioError, match="no such media file"):
        load_source(str(missing), "audio")
    text = tmp_path / "text.pcap"
    text.write_text("not a capture at all, but long enough to look at")
    with pytest.raises(ScenarioError, match=r"text\.pcap.*cannot be played"):
        load_source(str(text), "audio")
    empty = write_pcap(tmp_path / "empty.pcap", [])
    with pytest.raises(ScenarioError, match=r"empty\.pcap.*no UDP packet"):
        load_source(str(empty), "audio")
    cut = write_pcap(tmp_path / "cut.pcap", [(0, frame(rtp(0), 5000))], cut=40)
    with pytest.raises(ScenarioError, match=r"cut\.pcap.*packet 1 was cut"):
        load_source(str(cut), "audio")
    with pytest.raises(ScenarioError, match="days apart"):
        build_source("x", "audio", [Datagram(0, 1, rtp(0)), Datagram(10**15, 1, rtp(1))])


def timed(payload_type: int, step: int, *, every_ms: int = 20, size: int = 40, count: int = 20) -> list[Datagram]:
    packets = []
    for number in range(count):
        head = struct.pack("!BBHII", 0x80, payload_type, number, 0xFFFFFF00 + number * step & 0xFFFFFFFF, payload_type)
        packets.append(Datagram(number * every_ms * 1000 + number % 3 * 900, 10, head + bytes(size)))
    return packets


def test_clocks_of_dynamic_types_are_found_from_their_timestamps() -> None:
    packets = [*timed(111, 960), *timed(96, 3000, every_ms=33), *timed(8, 160), *timed(97, 320), *timed(98, 160)]
    packets += [*timed(101, 160, size=4), *timed(99, 12345), *timed(100, 160, count=5)]
    source = build_source("x", "audio", packets)
    assert source.clock_rates == {111: 48000, 96: 90000, 97: 16000, 98: 8000}
    assert source.payload_types == (8, 96, 97, 98, 99, 100, 101, 111)


def test_what_the_file_lacks_and_repeats_is_known() -> None:
    packets = [Datagram(20_000 * n, 5004, rtp(n)) for n in (0, 1, 2, 5, 6, 6, 7)]
    source = build_source("", "audio", packets)
    assert (source.lost, source.duplicates) == (2, 1)
    whole = build_source("", "audio", [Datagram(20_000 * n, 5004, rtp(n)) for n in range(7)])
    assert (whole.lost, whole.duplicates) == (0, 0)
