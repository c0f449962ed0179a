"""What may be learned from besides a file: standard input, folders, and files among which some cannot be read."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest

from sipreplay.errors import CaptureError
from sipreplay.learn.learner import learn

CAPTURE = Path(__file__).resolve().parents[2] / "captures" / "kamailio-auth-record-route.pcap"


def scenarios(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.xml")}


def test_standard_input_a_folder_and_an_unreadable_file_give_what_the_capture_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pipe:
        buffer = io.BytesIO(gzip.compress(CAPTURE.read_bytes()))

    day = tmp_path / "day"
    day.mkdir()
    (day / "c.gz").write_bytes(gzip.compress(CAPTURE.read_bytes()))
    (day / "notes.txt").write_text("nothing")
    monkeypatch.setattr(sys, "stdin", Pipe())
    plain = learn([CAPTURE], tmp_path / "plain")
    piped = learn(["-"], tmp_path / "piped")
    folder = learn([day, tmp_path / "missing"], tmp_path / "folder")
    assert plain.learned_streams == piped.learned_streams == folder.learned_streams
    assert [c.path for c in piped.bundle.captures] == ["stdin"]
    assert [c.path for c in folder.bundle.captures] == ["c.gz"]
    texts = [scenarios(tmp_path / name) for name in ("plain", "piped", "folder")]
    assert texts[0].keys() == texts[1].keys() == texts[2].keys()
    assert len(texts[0]) >= 2


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        learn([tmp_path / "missing"], tmp_path / "bundle")
