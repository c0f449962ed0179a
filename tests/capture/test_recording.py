"""Parts that processes kept, put together as one capture that our own analysis reads."""

import struct
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.capture.recording import TCP, Recorder, failures_of, merged, write_capture

A, B = ("127.0.0.1", 5060), ("127.0.0.2", 5062)
SIX_A, SIX_B = ("::1", 5060), ("::1", 5062)


def message(number: int, extra: str = "") -> bytes:
    return (
        f"OPTIONS sip:b@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: call{number}\r\nCSeq: {number} OPTIONS\r\n"
        f"{extra}Content-Length: 0\r\n\r\n"
    ).encode()


def test_parts_of_several_processes_become_one_capture_in_order_of_time(tmp_path: Path) -> None:
    for name, times in (("one", [1.0, 3.0]), ("two", [2.5, 2.0, 4.0])):
        recorder = Recorder(tmp_path / f"{name}.part")
        for time in times:
            recorder.take(time, A, B, message(round(time * 10)))
        recorder.close()
    parts = sorted(tmp_path.glob("*.part"))
    assert [one.time for one in merged(parts)] == [1.0, 2.0, 2.5, 3.0, 4.0]
    assert write_capture(parts, tmp_path / "all.pcap") == 5
    analysis = analyse([tmp_path / "all.pcap"])
    assert [(m.time, m.message.cseq_number) for m in analysis.messages] == [
        (1.0, 10),
        (2.0, 20),
        (2.5, 25),
        (3.0, 30),
        (4.0, 40),
    ]
    assert not analysis.captures[0].problems


@pytest.mark.parametrize(("source", "destination"), [(A, B), (SIX_A, SIX_B)])
def test_what_was_sent_over_tcp_is_read_back_message_by_message(
    tmp_path: Path, source: tuple[str, int], destination: tuple[str, int]
) -> None:
    recorder = Recorder(tmp_path / "one.part")
    sent = [message(1), message(2, "Subject: " + "x" * 60_000 + "\r\n"), message(3)]
    for number, data in enumerate(sent):
        recorder.take(1.0 + number, source, destination, data, TCP)
        recorder.take(1.5 + number, destination, source, data, TCP)
    recorder.close()
    write_capture([tmp_path / "one.part"], tmp_path / "all.pcap")
    analysis = analyse([tmp_path / "all.pcap"])
    assert [(m.transport, m.data) for m in analysis.messages if m.source == source] == [("TCP", data) for data in sent]
    assert len(analysis.messages) == 6


def test_the_part_of_a_process_that_was_killed_counts_up_to_its_last_whole_packet(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "one.part")
    for number in range(3):
        recorder.take(float(number + 1), A, B, message(number))
    recorder.close()
    whole = (tmp_path / "one.part").read_bytes()
    (tmp_path / "one.part").write_bytes(whole[:-5])
    assert [one.payload for one in merged([tmp_path / "one.part"])] == [message(0), message(1)]


def test_a_datagram_that_was_kept_in_part_is_marked_as_cut(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "one.part")
    recorder.take(1.0, A, B, b"\x80" * 100, length=1500)
    recorder.close()
    write_capture([tmp_path / "one.part"], tmp_path / "all.pcap")
    kept, length = struct.unpack_from("<II", (tmp_path / "all.pcap").read_bytes(), 24 + 8)
    assert (kept, length) == (14 + 20 + 8 + 100, 14 + 20 + 8 + 1500)


def test_a_full_disk_ends_the_part_and_says_why(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "one.part")
    recorder._file.close()
    recorder._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    recorder.take(1.0, A, B, b"lost")
    assert failures_of(tmp_path) == ["No space left on device"]
    recorder.take(2.0, A, B, b"not tried")
    recorder.close()
