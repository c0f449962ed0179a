from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.dumps.rtt import RttWriter, read_rtt
from sipreplay.errors import DumpError


def test_samples_are_buffered_and_complete_when_closed(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    with RttWriter(path, every=2) as writer:
        writer.record(105.717, 2.743, "1")
        assert path.read_text() == "Date_ms;response_time_ms;rtd_no\n"
        writer.record(106.0, 0.25, "invite")
        assert path.read_text().count("\n") == 3
        writer.record(107.0, 1.0, "1")
    assert path.read_text() == (
        "Date_ms;response_time_ms;rtd_no\n105.717;2.743;1\n106.000;0.250;invite\n107.000;1.000;1\n"
    )
    dump = read_rtt(path)
    assert dump.seconds == pytest.approx([0.105717, 0.106, 0.107])
    assert dump.milliseconds == [2.743, 0.25, 1.0]
    assert dump.names == ["1", "invite", "1"]
    assert not dump.whole_ms


def test_files_of_sipp_are_read(tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("Date_ms;response_time_ms;rtd_no\n12.001;0;1\n24.001;3;1\n44.0")
    dump = read_rtt(old)
    assert (dump.milliseconds, dump.whole_ms, dump.problems) == ([0.0, 3.0], True, ["line 4 is cut or damaged"])
    new = tmp_path / "new.csv"
    new.write_text("Date_ms,response_time_ms,rtd_no\n1.23457e+06,2.743,1\n1.23458e+06,3,1\n")
    dump = read_rtt(new)
    assert dump.seconds == [1234.57, 1234.58]
    assert not dump.whole_ms


@pytest.mark.parametrize("text", ["", "hello\n", "StartTime;LastResetTime;\n", "Date_msresponse_time_msrtd_no\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DumpError, match=r"x.csv: not a response time file"):
        read_rtt(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="cannot be read"):
        read_rtt(tmp_path / "none.csv")
