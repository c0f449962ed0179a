"""The bytes of messages, read again from where they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sipreplay.analysis.places import PENDING, SPOOL, Places
from sipreplay.analysis.reading import analyse
from sipreplay.errors import CaptureError

CAPTURE = Path("captures/uac_pcap-g711-dtmf.pcap")


def test_what_is_spooled_comes_back_from_memory_and_from_disk() -> None:
    places = Places()
    pieces = [bytes([65 + number % 26]) * (PENDING // 10 + number) for number in range(40)]
    offsets = [places.spool(piece) for piece in pieces]
    assert [places.read(SPOOL, at, len(piece)) for at, piece in zip(offsets, pieces, strict=True)] == pieces


@pytest.mark.parametrize("how", ["truncated", "written over", "replaced", "removed"])
def test_a_capture_that_changes_is_an_error_not_garbage(tmp_path: Path, how: str) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(CAPTURE.read_bytes())
    analysis = analyse([path])
    message = analysis.messages[3]
    analysis.messages.forget()  # type: ignore[attr-defined]
    if how == "truncated":
        with path.open("r+b") as file:
            file.truncate(100)
    elif how == "written over":
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    elif how == "replaced":
        (tmp_path / "other").write_bytes(CAPTURE.read_bytes())
        (tmp_path / "other").rename(path)
    else:
        path.unlink()
    assert message.message.status or message.message.method, "routing fields are known all the same"
    with pytest.raises(CaptureError, match=r"call\.pcap: (changed while it was in use|cannot be read again)"):
        _ = message.data


def test_messages_of_a_plain_file_are_not_copied(tmp_path: Path) -> None:
    analysis = analyse([CAPTURE])
    content = CAPTURE.read_bytes()
    assert all(captured.data in content for captured in analysis.messages)
    assert all(captured.data == captured.message._data for captured in analysis.messages)


def test_compressed_and_merged_captures_give_the_same_bytes(tmp_path: Path) -> None:
    plain = [m.data for m in analyse([CAPTURE]).messages]
    packed = tmp_path / "call.pcap.gz"
    packed.write_bytes(gzip.compress(CAPTURE.read_bytes()))
    assert [m.data for m in analyse([packed]).messages] == plain
    other = Path("captures/kamailio-auth-record-route.pcap")
    both = analyse([CAPTURE, other]).messages
    assert sorted(m.data for m in both) == sorted([*plain, *(m.data for m in analyse([other]).messages)])
