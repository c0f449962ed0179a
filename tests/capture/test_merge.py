"""Several files as one: order, overlap, folders, and files that cannot be read."""

from __future__ import annotations

import gzip
import io
import os
import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.capture import merge
from sipreplay.capture.merge import open_captures
from sipreplay.errors import CaptureError
from tests.capture.frames import BEGAN, enhanced, ethernet, interface, pcap, section, udp


def read(paths):
    """(set, [(file, packet number, time in ms since BEGAN, payload, group)])."""
    captures = open_captures(paths)
    rows = []
    places = []
    for batch in captures.batches():
        index = np.arange(len(batch))
        files = batch.captures(index)
        files = [files] * len(batch) if isinstance(files, int) else files.tolist()
        for at, file, number in zip(index.tolist(), files, batch.numbers(index).tolist(), strict=True):
            start = int(batch.offset[at])
            data = batch.buffer[start : start + int(batch.captured[at])].tobytes()
            time_ms = round((int(batch.time_ns[at]) - BEGAN * 10**9) / 1e6)
            rows.append((file, number, time_ms, data[42:], batch.group))
            places.append(batch.first + at)
    assert places == list(range(1, len(rows) + 1))
    return captures, rows


@pytest.fixture
def write(tmp_path):
    def run(name, times_ms, link=1, pack=lambda data: data, payload=b"%d"):
        frames = [ethernet(udp(payload % number + name.encode())) for number in range(1, len(times_ms) + 1)]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(pack(pcap(frames, link, times=[BEGAN + ms / 1000 for ms in times_ms])))
        return tmp_path / name

    return run


def times(rows):
    return [row[2] for row in rows]


def test_rotated_files_in_any_order(write):
    paths = [write(f"{n}.pcap", range(n * 100, n * 100 + 100, 10)) for n in range(6)]
    for seed in range(3):
        given_order = list(enumerate(paths))
        random.Random(seed).shuffle(given_order)
        captures, rows = read([path for _, path in given_order])
        assert times(rows) == list(range(0, 600, 10))
        assert [reader.path for reader in captures.readers] == [str(path) for _, path in given_order]
        assert {group for *_, group in rows} == {0}
        assert all(
            data.endswith(os.path.basename(captures.readers[file].path).encode()) for file, _, _, data, _ in rows
        )
        assert all(data.startswith(b"%d" % number) for _, number, _, data, _ in rows)


def test_files_that_overlap_are_interleaved_packet_by_packet(write):
    paths = [write("a", range(0, 1000, 2)), write("b", range(1, 1000, 2)), write("c", range(300, 500, 3))]
    _, rows = read(paths)
    assert times(rows) == sorted([*range(1000), *range(300, 500, 3)])
    assert [file for file, *_ in rows[:4]] == [0, 1, 0, 1]
    for file in range(3):
        assert [number for f, number, *_ in rows if f == file] == list(range(1, 1 + sum(r[0] == file for r in rows)))


def test_large_files_that_overlap(write, monkeypatch):
    monkeypatch.setattr(merge, "CHUNK", 20_000)
    monkeypatch.setattr(merge, "_SMALL_REGION", 10_000)
    payload = b"%d" + b"x" * 400
    paths = [write(f"{n}", range(n, 3000, 6), payload=payload) for n in range(6)]
    _, rows = read(paths)
    assert times(rows) == list(range(3000))
    assert all(data == b"%d" % number + b"x" * 400 + b"%d" % file for file, number, _, data, _ in rows)


def test_more_overlapping_files_than_are_open_at_a_time_lose_nothing(write, monkeypatch):
    monkeypatch.setattr(merge, "MAX_OPEN", 3)
    captures, rows = read([write(f"{n}", range(n, 100, 10)) for n in range(10)])
    assert sorted(times(rows)) == list(range(100))
    assert sum("more than 3" in note.what for reader in captures.readers for note in reader.notes) == 1


def test_a_pause_between_files_begins_a_group(write):
    paths = [write("later", [20_000, 20_010]), write("a", [0, 10, 4000]), write("b", [8000, 8010])]
    _, rows = read(paths)
    assert [(file, group) for file, *_, group in rows] == [(1, 0)] * 3 + [(2, 0)] * 2 + [(0, 1)] * 2
    _, rows = read([write("one", [0, 60_000, 120_000]), write("two", [70_000])])
    assert {group for *_, group in rows} == {0}, "a pause inside a file is none"


def test_a_file_given_twice_is_there_twice(write):
    path = write("a", [0, 10, 20])
    _, rows = read([path, path])
    assert [(file, number) for file, number, *_ in rows] == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]


def test_packets_out_of_order_in_a_file_are_put_right(write):
    captures, rows = read([write("a", [0, 30, 10, 20, 50, 40])])
    assert times(rows) == [0, 10, 20, 30, 40, 50]
    assert [number for _, number, *_ in rows] == [1, 3, 4, 2, 6, 5]
    assert captures.readers[0].notes == []


def test_packets_out_of_order_across_chunks_are_put_right(write, monkeypatch):
    monkeypatch.setattr("sipreplay.capture.merge.CHUNK", 40_000)
    order = list(range(3000))
    for at in range(0, 3000 - 20, 20):
        part = order[at : at + 20]
        random.Random(at).shuffle(part)
        order[at : at + 20] = part
    captures, rows = read([write("a", order)])
    assert times(rows) == list(range(3000))
    assert captures.readers[0].notes == []


def test_what_is_too_late_to_be_put_right_is_used_and_said(write, monkeypatch):
    monkeypatch.setattr("sipreplay.capture.merge.CHUNK", 40_000)
    captures, rows = read([write("a", [*range(100, 3000), *range(50), *range(3000, 3100)])])
    assert sorted(times(rows)) == [*range(50), *range(100, 3100)]
    (note,) = captures.readers[0].notes
    assert note.packet == 2901
    assert note.what.startswith("50 packets are up to 2.")


def test_one_packet_with_a_broken_clock_hurts_no_other(write, monkeypatch):
    monkeypatch.setattr("sipreplay.capture.merge.CHUNK", 40_000)
    _, rows = read([write("a", [*range(1000), 10**9, *range(1000, 2000)])])
    assert len(rows) == 2001
    assert [row[2] for row in rows if row[2] < 10**9] == list(range(2000))


def test_a_folder_stands_for_the_captures_in_it_and_below(write, tmp_path):
    write("day/2.cap", [20])
    write("day/hour/1", [10], pack=gzip.compress)
    write("day/.hidden", [0])
    for name in ("notes.txt", "empty"):
        (tmp_path / "day" / name).write_text("x" * (name != "empty"))
    captures, rows = read([tmp_path / "day"])
    assert times(rows) == [10, 20]
    assert [os.path.basename(reader.path) for reader in captures.readers] == ["2.cap", "1", "day"]
    assert captures.readers[2].notes[0].what == "2 files in the folder are no captures: empty, notes.txt"


def test_folders_without_captures(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(CaptureError, match=r"1 file in the folder is no capture: a\.txt"):
        read([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptureError, match="holds no captures"):
        read([tmp_path / "empty"])


def test_links_to_folders_are_not_followed(write, tmp_path):
    write("day/1", [1])
    (tmp_path / "day" / "again").symlink_to(tmp_path / "day")
    assert len(read([tmp_path / "day"])[1]) == 1


def test_what_cannot_be_read_is_a_problem_unless_nothing_can(write, tmp_path):
    good, bad = write("good", [0]), tmp_path / "bad"
    bad.write_bytes(b"nonsense")
    other = write("other", [0], link=250)
    wireless = tmp_path / "ng"
    wireless.write_bytes(section() + interface(147) + enhanced(b"x" * 60, 5))
    captures, rows = read([bad, good, tmp_path / "gone", other, wireless])
    assert [(file, number) for file, number, *_ in rows if file == 1] == [(1, 1)]
    words = [reader.notes[0].what if reader.notes else "" for reader in captures.readers]
    assert "not used: not a capture" in words[0]
    assert words[1] == ""
    assert "not used: no such file" in words[2]
    assert "not used: packet 1: link type 250" in words[3]
    assert "147 (USER0)" in " ".join(note.what for note in captures.readers[4].notes)
    with pytest.raises(CaptureError, match=r"not a capture.*nor could any of the 1 other"):
        read([bad, other])


def test_standard_input_among_files(write, monkeypatch):
    class Pipe:
        buffer = io.BytesIO(gzip.compress(write("p", [5, 15]).read_bytes()))

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert times(read(["-", write("a", [0, 10, 20])])[1]) == [0, 5, 10, 15, 20]


def test_a_named_pipe_is_read_once(write, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = write("a", [5, 15]).read_bytes()
    child = os.fork()
    if child == 0:
        pipe.write_bytes(data)
        os._exit(0)
    assert times(read([pipe, write("b", [10])])[1]) == [5, 10, 15]
    os.waitpid(child, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2000), max_size=60), min_size=1, max_size=5),
    st.sampled_from([2000, 9000, 4 << 20]),
)
def test_every_packet_comes_once_and_files_in_order_make_a_whole_in_order(tmp_path_factory, files, chunk):
    folder = tmp_path_factory.mktemp("merge")
    paths = []
    for number, moments in enumerate(files):
        frames = [ethernet(udp(b"%d,%d" % (number, at))) for at in range(len(moments))]
        path = folder / str(number)
        path.write_bytes(pcap(frames, times=[BEGAN + moment / 1000 for moment in moments]))
        paths.append(path)
    before = merge.CHUNK, merge._SMALL_REGION
    merge.CHUNK = merge._SMALL_REGION = chunk
    try:
        _, rows = read(paths)
    finally:
        merge.CHUNK, merge._SMALL_REGION = before
    assert sorted(times(rows)) == sorted(moment for moments in files for moment in moments)
    assert sorted((file, number) for file, number, *_ in rows) == [
        (file, number) for file, moments in enumerate(files) for number in range(1, len(moments) + 1)
    ]
    assert all(data == b"%d,%d" % (file, number - 1) for file, number, _, data, _ in rows)
    if all(moments == sorted(moments) for moments in files) or chunk == 4 << 20:
        assert times(rows) == sorted(times(rows))
