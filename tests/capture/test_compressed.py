"""Compressed captures: members, frames, pipes, damage and bombs."""

from __future__ import annotations

import gzip
import io
import random
import sys
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture.compressed import Damaged, unpacked
from sipreplay.errors import CaptureError
from tests.capture.frames import enhanced, ethernet, interface, pcap, section, udp
from tests.capture.test_reader import read

FRAMES = [ethernet(udp(random.Random(number).randbytes(1000))) for number in range(300)]
PCAP = pcap(FRAMES)
PCAPNG = section() + interface() + b"".join(enhanced(frame, at) for at, frame in enumerate(FRAMES))


def zstd(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


def in_parts(pack, data, size=70_000):
    return b"".join(pack(data[at : at + size]) for at in range(0, len(data), size))


PACKED = {
    "gzip": gzip.compress,
    "gzip members": lambda data: in_parts(gzip.compress, data),
    "gzip members with padding": lambda data: in_parts(lambda part: gzip.compress(part) + bytes(700), data),
    "gzip without compression": lambda data: gzip.compress(data, 0),
    "zstd": zstd,
    "zstd frames": lambda data: in_parts(zstd, data),
    "zstd with checksum, no size": lambda data: (
        zstandard.ZstdCompressor(write_checksum=True).compressobj().compress(b"")
        + in_parts(lambda part: zstd(part, write_checksum=True), data)
    ),
    "zstd after a skippable frame": lambda data: b"\x52\x2a\x4d\x18\x03\0\0\0xyz" + zstd(data),
    "zstd between skippable frames": lambda data: in_parts(
        lambda part: zstd(part) + b"\x50\x2a\x4d\x18\0\0\0\0", data, 40_000
    ),
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("data", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
def test_compressed_captures_are_read_as_if_they_were_not(tmp_path, name, data):
    path = tmp_path / "c"
    path.write_bytes(PACKED[name](data))
    reader, packets, _ = read(path)
    assert packets == FRAMES
    assert reader.notes == []
    assert reader.bytes_read == path.stat().st_size


@pytest.mark.parametrize("name", PACKED)
def test_compressed_standard_input(monkeypatch, name):
    class Pipe:
        buffer = io.BytesIO(PACKED[name](PCAP))

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert read("-")[1] == FRAMES


@pytest.mark.parametrize("name", ["gzip", "gzip members", "zstd", "zstd frames"])
def test_what_comes_before_a_damage_is_used(tmp_path, name):
    packed = PACKED[name](PCAP)
    for place in (0.5, 0.9):
        damaged = bytearray(packed)
        at = int(len(packed) * place)
        damaged[at : at + 64] = b"\xff" * 64
        (tmp_path / "c").write_bytes(damaged)
        reader, packets, _ = read(tmp_path / "c")
        # Random bytes are stored as they are: nothing but a checksum tells. At most a block before the damage is lost.
        sound = int(300 * place) - 140
        assert packets[:sound] == FRAMES[:sound]
        if name.startswith("gzip"):
            assert "damaged" in reader.notes[0].what


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_cut_file_is_used_as_far_as_it_goes(tmp_path, name):
    packed = PACKED[name](PCAP)
    (tmp_path / "c").write_bytes(packed[: len(packed) // 2])
    reader, packets, _ = read(tmp_path / "c")
    assert 0 < len(packets) < 300
    assert packets == FRAMES[: len(packets)]
    assert reader.notes


def test_a_wrong_checksum_loses_nothing_and_is_said(tmp_path):
    packed = bytearray(gzip.compress(PCAP))
    packed[-8] ^= 1
    (tmp_path / "c").write_bytes(packed)
    reader, packets, _ = read(tmp_path / "c")
    assert packets == FRAMES
    assert "damaged" in reader.notes[0].what


def test_rubbish_after_the_compressed_data_is_said(tmp_path):
    (tmp_path / "c").write_bytes(gzip.compress(PCAP) + b"rubbish")
    reader, packets, _ = read(tmp_path / "c")
    assert packets == FRAMES
    assert "not compressed" in reader.notes[0].what


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_bomb_is_unpacked_in_small_steps(pack):
    file = unpacked(io.BytesIO(pack(bytes(200 << 20))))
    buffer = bytearray(100_000)
    total = 0
    while count := file.readinto(memoryview(buffer)):
        assert count <= len(buffer)
        total += count
    assert total == 200 << 20


def test_frames_that_want_too_much_memory_are_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=29)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    file = unpacked(io.BytesIO(packer.compress(PCAP) + packer.flush()))
    with pytest.raises(Damaged, match="memory"):
        file.readinto(bytearray(100))


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"BZh91AY", "bzip2"), (b"\xfd7zXZ\0\0", "xz"), (b"\x04\x22\x4d\x18", "lz4"), (b"PK\3\4", "zip")],
)
def test_other_compression_is_named(tmp_path, start, name):
    (tmp_path / "c").write_bytes(start + bytes(100))
    with pytest.raises(CaptureError, match=f"compressed with {name}: unpack it first"):
        read(tmp_path / "c")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([gzip.compress, zstd, zlib.compress]),
    st.binary(max_size=400),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=4),
    st.integers(1, 50),
)
def test_any_damage_ends(pack, data, damage, size):
    packed = bytearray(pack(data) + pack(data))
    for at, value in damage:
        packed[at % len(packed)] = value
    file = unpacked(io.BytesIO(bytes(packed)))
    buffer = bytearray(size)
    out = 0
    try:
        while (count := file.readinto(memoryview(buffer))) and out < 10_000_000:
            out += count
    except Damaged:
        pass
    assert out < 10_000_000
