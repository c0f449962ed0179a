"""Files: both formats in all their variants, and everything that can be wrong with one."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture.batch import CHUNK
from sipreplay.capture.merge import open_captures
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.write import PcapWriter
from sipreplay.errors import CaptureError, ExitCode
from tests.capture.frames import BEGAN, block, enhanced, ethernet, interface, odd_pcap, option, pcap, section, udp

FRAMES = [ethernet(udp(b"x" * size)) for size in (10, 500, 33)]


def read(path):
    """(reader, the packets' bytes, their times)."""
    reader = CaptureReader(path)
    packets, times = [], []
    for batch in reader.batches():
        for at, size, now in zip(batch.offset.tolist(), batch.captured.tolist(), batch.time_ns.tolist(), strict=True):
            packets.append(bytes(batch.buffer[at : at + size]))
            times.append(now)
    return reader, packets, times


@pytest.fixture
def file(tmp_path):
    def write(data: bytes, name: str = "test.cap"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap_in_both_byte_orders_and_resolutions(file, order, nanoseconds):
    reader, packets, times = read(file(pcap(FRAMES, order=order, nanoseconds=nanoseconds)))
    assert packets == FRAMES
    assert times == [BEGAN * 10**9 + index * 20_000_000 for index in range(3)]
    assert (reader.format, reader.link_types, reader.packets, reader.notes) == ("pcap", ["ETHERNET"], 3, [])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [0, 2, 3])
@pytest.mark.parametrize(
    ("magic", "more"),
    [
        (0xA1B2C3D4, 0),
        (0xA1B2C3D4, 8),
        (0xA1B2C3D4, 4),
        (0xA1B2CD34, 8),
        (0xA1B2CD34, 12),
        (0x1C0001AC, 0),
        (0x1C0001AB, 0),
    ],
)
def test_pcap_variants_with_longer_records(file, order, count, magic, more):
    reader, packets, times = read(file(odd_pcap(FRAMES[:count], magic, more, order)))
    assert packets == FRAMES[:count]
    assert times == [BEGAN * 10**9 + index * 20_000_000 for index in range(count)]
    assert reader.link_types == ["ETHERNET"]


def test_ixia_hardware_captures_may_count_nanoseconds(file):
    data = bytearray(odd_pcap(FRAMES, 0x1C0001AC, 0))
    struct.pack_into("<I", data, 28 + 4, 999_999_999)
    assert read(file(bytes(data)))[2][0] in (BEGAN * 10**9 + 20_000, BEGAN * 10**9 + 40_000)


def test_aix_captures_count_nanoseconds_and_name_interfaces(file):
    data = bytearray(odd_pcap(FRAMES, 0xA1B2C3D4, 0, ">", (2, 2)))
    data[20:24] = struct.pack(">I", 6)
    reader, packets, times = read(file(bytes(data)))
    assert (packets, reader.link_types, times[1]) == (FRAMES, ["ETHERNET"], BEGAN * 10**9 + 20_000)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("options", "second"),
    [
        (b"", 10**6),
        (option(9, b"\x09"), 10**9),
        (option(9, b"\x03"), 10**3),
        (option(9, b"\x8a"), 2**10),
        (option(9, b"\x0c"), 10**12),
    ],
)
def test_pcapng_in_both_byte_orders_and_any_resolution(file, order, options, second):
    options = (
        options
        if order == "<"
        else b"".join(
            struct.pack(">HH", *struct.unpack("<HH", options[:4])) + options[4:] for _ in range(bool(options))
        )
    )
    blocks = [section(order), interface(1, order, options)]
    blocks += [enhanced(frame, 1000 * second + second // 2, 0, order) for frame in FRAMES]
    reader, packets, times = read(file(b"".join(blocks)))
    assert packets == FRAMES
    assert times == [1000_500_000_000] * 3
    assert (reader.format, reader.packets) == ("pcapng", 3)


def test_pcapng_time_offset(file):
    blocks = [section(), interface(options=option(14, struct.pack("<q", 5))), enhanced(FRAMES[0], 1_000_000)]
    assert read(file(b"".join(blocks)))[2] == [6_000_000_000]


def test_pcapng_other_packet_blocks_and_unknown_blocks(file):
    old = struct.pack("<HHIIII", 0, 0, 0, 7, len(FRAMES[0]), len(FRAMES[0])) + FRAMES[0]
    simple = struct.pack("<I", len(FRAMES[1])) + FRAMES[1]
    blocks = [section(), block(0xBAD, b"1234"), interface(), block(2, old), block(5, bytes(20)), block(3, simple)]
    reader, packets, times = read(file(b"".join(blocks)))
    assert packets == FRAMES[:2]
    assert times == [7000, 7000], "a simple packet block has the time of the packet before it"
    assert reader.notes == []


def test_pcapng_simple_packets_are_cut_at_the_snapshot_length(file):
    simple = struct.pack("<I", 1000) + FRAMES[0][:40]
    assert read(file(section() + interface(snap=40) + block(3, simple)))[1] == [FRAMES[0][:40]]


def test_pcapng_unknown_block_larger_than_a_chunk(file):
    blocks = [section(), interface(), block(0xBAD, bytes(CHUNK + 1000)), enhanced(FRAMES[0], 1)]
    assert read(file(b"".join(blocks)))[1] == FRAMES[:1]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_decryption_secrets_are_kept(file, order):
    keys = b"CLIENT_RANDOM 00 11\n"
    held = block(10, struct.pack(order + "II", 0x544C534B, len(keys)) + keys, order)
    large = block(10, struct.pack(order + "II", 0x544C534B, 2 << 20) + bytes(2 << 20), order)
    reader, packets, _ = read(
        file(section(order) + interface(order=order) + held + large + enhanced(FRAMES[0], 1, 0, order) + held)
    )
    assert packets == FRAMES[:1]
    assert reader.secrets == [(0x544C534B, keys)] * 2
    assert [note.what[:44] for note in reader.notes] == ["1 blocks of decryption secrets were left out"]
    assert read(file(pcap(FRAMES)))[0].secrets == []


def test_pcapng_interfaces_of_different_links_and_several_sections(file):
    raw = udp(b"raw")
    blocks = [section(), interface(1), interface(147), interface(101)]
    blocks += [enhanced(FRAMES[0], 1, 0), enhanced(b"wifi" * 9, 2, 1), enhanced(raw, 3, 2), enhanced(raw, 4, 9)]
    blocks += [section(">"), interface(101, ">"), enhanced(raw, 5, 0, ">")]
    reader, packets, times = read(file(b"".join(blocks)))
    assert len(packets) == 5
    assert times == [1000, 2000, 3000, 3000, 5000]
    assert reader.link_types == ["ETHERNET", "USER0", "RAW"]
    assert [note.packet for note in reader.notes] == [2, 4]
    assert "147 (USER0)" in reader.notes[0].what
    assert "LINUX_SLL2" in reader.notes[0].what


@pytest.mark.parametrize(
    "make",
    [
        pcap,
        lambda frames: section() + interface() + b"".join(enhanced(frame, index) for index, frame in enumerate(frames)),
    ],
)
def test_a_capture_cut_anywhere_gives_what_is_whole(file, make):
    whole = make(FRAMES)
    sizes = [len(make(FRAMES[:count])) for count in range(4)]
    for size in range(sizes[0], len(whole)):
        reader, packets, _ = read(file(whole[:size]))
        count = sum(size >= full for full in sizes[1:])
        assert packets == FRAMES[:count], size
        if size not in sizes:
            assert "middle" in reader.notes[0].what
            assert reader.notes[0].packet == count + 1


def test_an_impossible_record_length_ends_reading_and_is_said(file):
    data = pcap(FRAMES) + struct.pack("<IIII", 1, 2, 0x7FFFFFFF, 100) + bytes(50) + pcap(FRAMES)
    reader, packets, _ = read(file(data))
    assert packets == FRAMES
    assert reader.notes[0].packet == 4
    assert "damaged" in reader.notes[0].what


def test_an_impossible_block_length_ends_reading_and_is_said(file):
    for length in (3, 8, 13, 0xFFFFFFF0):
        data = section() + interface() + enhanced(FRAMES[0], 1) + struct.pack("<II", 6, length) + bytes(100)
        reader, packets, _ = read(file(data))
        assert packets == FRAMES[:1]
        assert "damaged" in reader.notes[0].what or "middle" in reader.notes[0].what


def test_files_larger_than_a_chunk(file):
    frames = [ethernet(udp(bytes([index & 255]) * 1300)) for index in range(4000)]
    assert len(pcap(frames)) > CHUNK
    reader, packets, times = read(file(pcap(frames)))
    assert packets == frames
    assert times == sorted(times)
    reader = CaptureReader(file(pcap(frames)))
    numbers = [batch.numbers(np.arange(len(batch))).tolist() for batch in reader.batches()]
    assert len(numbers) == 2
    assert [*numbers[0], *numbers[1]] == list(range(1, 4001))


def test_compressed_captures(file):
    assert read(file(gzip.compress(pcap(FRAMES)), "test.pcap.gz"))[1] == FRAMES


def test_a_cut_compressed_capture_is_used_as_far_as_it_goes(file):
    frames = [ethernet(udp(os.urandom(1000))) for _ in range(100)]
    packed = gzip.compress(pcap(frames))
    reader, packets, _ = read(file(packed[: len(packed) // 2]))
    assert 0 < len(packets) < 100
    assert packets == frames[: len(packets)]
    assert reader.notes


def test_standard_input(monkeypatch):
    class Pipe:
        buffer = io.BytesIO(pcap(FRAMES))

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert read("-")[1] == FRAMES


def failure(path) -> str:
    with pytest.raises(CaptureError) as caught:
        read(path)
    assert caught.value.exit_code == ExitCode.INPUT
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_no_capture_says_what_to_do(file, tmp_path):
    assert "empty" in failure(file(b""))
    assert "not a capture" in failure(file(b"INVITE sip:a@b SIP/2.0\r\n"))
    assert "not a capture" in failure(file(b"\xd4\xc3"))
    assert "inside its header" in failure(file(pcap([])[:20]))
    assert "is a directory" in failure(tmp_path)
    assert "no such file" in failure(tmp_path / "missing.pcap")


def test_an_unknown_link_type_is_named_with_what_is_supported(file):
    text = failure(file(pcap(FRAMES, link=195)))
    assert "195 (IEEE802_15_4_WITHFCS)" in text
    for name in ("ETHERNET", "NULL", "RAW", "LINUX_SLL", "LINUX_SLL2"):
        assert name in text
    assert "147" in failure(file(section() + interface(147) + enhanced(FRAMES[0], 1)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(file):
    path = file(pcap(FRAMES))
    path.chmod(0)
    assert "no permission" in failure(path)


def test_a_capture_without_packets_is_a_problem_not_an_error(file):
    reader, packets, _ = read(file(pcap([])))
    assert packets == []
    assert "no packets" in reader.notes[0].what


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["pcap", "pcapng"]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6))
def test_damaged_files_are_survived(tmp_path_factory, kind, damage):
    if kind == "pcap":
        data = bytearray(pcap(FRAMES))
    else:
        data = bytearray(
            section() + interface(options=option(9, b"\x09")) + enhanced(FRAMES[0], 1) + enhanced(FRAMES[1], 2)
        )
    for at, value in damage:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("damaged") / "d.cap"
    path.write_bytes(data)
    with contextlib.suppress(CaptureError):
        reader, packets, _ = read(path)
        assert reader.packets == len(packets) <= 200


def test_problems_are_bounded(file):
    reader = CaptureReader(file(pcap([])))
    for number in range(5000):
        reader.note(number, "x")
    assert len(reader.notes) == 1001


def test_several_files_and_progress(file):
    paths = [file(pcap(FRAMES), "a"), file(pcap(FRAMES[:1]), "b")]
    seen, told = [], []
    captures = open_captures(paths)
    for batch in captures.batches(lambda done, total: told.append((done, total))):
        seen += zip(batch.captures(np.arange(len(batch))).tolist(), batch.number.tolist(), strict=True)
    assert seen == [(0, 1), (1, 1), (0, 2), (0, 3)]
    assert [(reader.path, reader.packets) for reader in captures.readers] == [(str(paths[0]), 3), (str(paths[1]), 1)]
    total = sum(path.stat().st_size for path in paths)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(("began", "step"), [(1000, 0.02), (1_699_999_999, 60.0)])
def test_all_records_are_found_whatever_their_dates_look_like(tmp_path, began, step):
    """The upper half of the date is 0 as in much of the payload; or it changes on the way."""
    path = tmp_path / "c.pcap"
    with PcapWriter(path, nanoseconds=True) as writer:
        for number in range(2000):
            payload = bytes((number * 7 + 3 * at) % 40 for at in range(200))
            writer.udp(began + step * number, ("192.0.2.1", 4000), ("192.0.2.2", 4002), payload)
    reader = CaptureReader(path)
    assert sum(len(batch) for batch in reader.batches()) == 2000
    assert reader.notes == []
