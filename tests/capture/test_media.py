"""The packets of chosen streams, whole and once."""

from __future__ import annotations

from sipreplay.capture.media import each_media_packet, media_packets
from sipreplay.capture.write import PcapWriter
from tests.capture.frames import ethernet, pcap, rtp, udp

A, B = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
A6, B6 = ("2001:db8::1", 4000), ("2001:db8::2", 4002)


def test_only_what_is_wanted_in_order(tmp_path):
    path = tmp_path / "m.pcap"
    with PcapWriter(path) as writer:
        for index in range(5):
            writer.udp(100 + index * 0.02, A, B, rtp(index, index * 160, 1))
            writer.udp(100 + index * 0.02, B, A, rtp(index, index * 160, 1))
            writer.udp(100 + index * 0.02, A6, B6, rtp(index, index * 160, 2))
            writer.udp(100 + index * 0.02, A, B, rtp(index, index * 160, 3))
    wanted = {(A, B, 1), (A6, B6, 2), (A, B, 99)}
    found = media_packets([path], wanted)
    assert found[(A, B, 99)] == []
    for key in ((A, B, 1), (A6, B6, 2)):
        assert [data for _, data in found[key]] == [rtp(index, index * 160, key[2]) for index in range(5)]
        assert [round(time, 2) for time, _ in found[key]] == [100, 100.02, 100.04, 100.06, 100.08]


def test_copies_are_left_out_repeats_are_not(tmp_path):
    path = tmp_path / "m.pcap"
    ends = {"ports": (4000, 4002)}
    first, again = udp(rtp(1, 160), ident=7, **ends), udp(rtp(1, 160), ident=8, **ends)
    path.write_bytes(pcap([ethernet(packet) for packet in (first, first, again)], times=[1.0, 1.001, 1.002]))
    packets = list(each_media_packet([path], [(A, B, 0xABCD)]))
    assert [packet.packet for packet in packets] == [1, 3]
    assert {packet.key for packet in packets} == {(A, B, 0xABCD)}


def test_several_captures(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(pcap([ethernet(udp(rtp(ord(name), 160), ports=(4000, 4002)))]))
    packets = list(each_media_packet([tmp_path / "a", tmp_path / "b"], [(A, B, 0xABCD)]))
    assert [(packet.capture, packet.packet) for packet in packets] == [(0, 1), (1, 1)]


def test_what_two_files_saw_is_there_once_and_what_a_later_file_plays_again_is_there_again(tmp_path):
    def write(name, indices, start):
        with PcapWriter(tmp_path / name) as writer:
            for index in indices:
                writer.udp(start + index * 0.02, A, B, rtp(index, index * 160, 1))
        return tmp_path / name

    part, whole, later = write("a", range(8), 100.001), write("b", range(10), 100), write("c", range(10), 3700)
    for paths in ([part, whole], [whole, part], [whole, whole]):
        found = media_packets(paths, {(A, B, 1)})[(A, B, 1)]
        assert [data for _, data in found] == [rtp(index, index * 160, 1) for index in range(10)]
        assert [round(time, 3) for time, _ in found] == [round(100 + index * 0.02, 3) for index in range(10)]
    found = media_packets([whole, later], {(A, B, 1)})[(A, B, 1)]
    assert [round(time) for time, _ in found] == [100] * 10 + [3700] * 10
