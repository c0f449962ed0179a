from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.dumps.logfile import LogBounds, LogFile
from sipreplay.dumps.logs import ActionLog, CallDebugLog, MessageLog, ShortMessageLog


def test_a_ring_keeps_the_newest_files_and_loses_nothing_in_them(tmp_path: Path) -> None:
    file = LogFile(
        tmp_path / "m.log", bounds=LogBounds(ring_bytes=10, ring_files=2), ring_stem="uac_7_messages", buffered=False
    )
    for number in range(6):
        file.write(b"line %05d\n" % number)
        file.write(b"x")
    file.close()
    rotated = sorted(path.name for path in tmp_path.glob("uac_7_messages_*.log"))
    assert len(rotated) == 2
    texts = [(tmp_path / name).read_bytes() for name in rotated]
    assert sorted(texts) == [b"xline 00004\n", b"xline 00005\n"]
    assert (tmp_path / "m.log").read_bytes() == b"x"


def test_without_a_number_of_files_the_file_is_begun_anew(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "m.log", bounds=LogBounds(ring_bytes=10), buffered=False)
    for text in (b"0123456789", b"a", b"b"):
        file.write(text)
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["m.log"]
    assert (tmp_path / "m.log").read_bytes() == b"b"


def test_a_log_ends_at_its_largest_size(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "m.log", bounds=LogBounds(most_bytes=5))
    file.write(b"123456")
    assert not file.is_open
    file.write(b"more")
    assert (tmp_path / "m.log").read_bytes() == b"123456"


def test_a_full_disk_ends_the_log_and_not_the_run() -> None:
    file = LogFile(Path("/dev/full"), buffered=False)
    file.write(b"lost")
    assert not file.is_open
    assert file.failure is not None


def test_appending(tmp_path: Path) -> None:
    for append, wanted in ((False, "b\n"), (True, "b\nb\n")):
        with ActionLog(tmp_path / "l.log", append=append) as log:
            log.write("b")
        assert (tmp_path / "l.log").read_text() == wanted


@pytest.mark.parametrize("rfc3339", [False, True])
def test_a_line_a_message(tmp_path: Path, rfc3339: bool) -> None:
    with ShortMessageLog(tmp_path / "s.log", rfc3339=rfc3339) as log:
        log.line(b"BYE sip:a SIP/2.0\r\nX: y\r\n\r\n", b"1-2@h", b"2 BYE", 1795405063.5, sent=True)
        log.line(b"SIP/2.0 200 OK\r\n\r\n", b"1-2@h", b"2 BYE", 1795405063.5, sent=False)
    rows = [line.split("\t") for line in (tmp_path / "s.log").read_text().splitlines()]
    assert [row[-4:] for row in rows] == [
        ["S", "1-2@h", "CSeq:2 BYE", "BYE sip:a SIP/2.0"],
        ["R", "1-2@h", "CSeq:2 BYE", "SIP/2.0 200 OK"],
    ]
    assert len(rows[0]) == (5 if rfc3339 else 7)


def test_remarks_and_histories(tmp_path: Path) -> None:
    with MessageLog(tmp_path / "m.log") as log:
        log.remark("Unexpected UDP message received:", b"BYE a\r\n")
    assert (tmp_path / "m.log").read_bytes() == b"-" * 47 + b"\nUnexpected UDP message received:\n\nBYE a\r\n\n"
    with CallDebugLog(tmp_path / "c.log") as debug:
        debug.write(b"1-2@h", b"what happened\n")
    text = (tmp_path / "c.log").read_text()
    assert text == "-" * 79 + "\nCall debugging information for call 1-2@h:\nwhat happened\n"
