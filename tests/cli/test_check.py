"""`sipreplay check`: all problems of all files at once, and --fix, which overwrites nothing by surprise."""

from pathlib import Path

import pytest

from sipreplay.errors import ExitCode
from tests.cli.test_bad_input import call
from tests.scenario.broken import REPAIRED, file, logged, message

BROKEN = file(logged('<log message="a & b"/>'))


def test_all_files_and_all_their_problems_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("one.xml", "two.xml", "three.xml"))
    one.write_bytes(file('<nop next="x"/>\n<erge/>\n' + message("[field0] [nope]")))
    two.write_bytes(BROKEN)
    three.write_bytes(file(logged('<exec play_pcap_audio="nowhere.pcap"/><exec rtp_stream="nowhere.ulaw"/>')))
    code, out, err = call(capsys, "check", one, two, three)
    assert code == ExitCode.INPUT
    assert out == f"{two}: ok (uac, 1 steps, 1 warning)\n"
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        *(f"{one}:{line}" for line in (3, 4, 9)),
        f"{two}:8",
        f"{three}:8",
        f"{three}:8",
    ]
    assert f"{one}:9: <send>: unknown keyword [nope]" in err
    assert f"{two}:8: warning: <log>: in message=, write & as &amp;\n" in err
    assert f"{three}:8: <exec play_pcap_audio>: the media file nowhere.pcap does not exist" in err
    assert "nowhere.ulaw does not exist" in err


def test_an_injection_file_that_is_missing_names_the_line_that_wants_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, csv = tmp_path / "x.xml", tmp_path / "users.csv"
    path.write_bytes(file(message("[field0]")))
    for command in (["check", "--inf", csv, path], ["run", "--inf", csv, path, "127.0.0.1:9"]):
        code, _, err = call(capsys, *command)
        assert code == ExitCode.INPUT
        assert f"{csv}: cannot be read: No such file or directory; [field0] of {path}:3 wants it" in err
    code, _, err = call(capsys, "check", path)
    assert f"{path}:3: [field0] needs an injection file; give one with -inf" in err


def test_fix_writes_a_file_beside_the_first_and_checks_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, fixed = tmp_path / "x.xml", tmp_path / "x.fixed.xml"
    path.write_bytes(BROKEN)
    code, out, err = call(capsys, "check", "--fix", path)
    assert (code, err) == (ExitCode.PASSED, "")
    assert out == (
        f"{path}:8: fixed: <log>: in message=, write & as &amp;\n{fixed}: written\n{fixed}: ok (uac, 1 steps)\n"
    )
    assert path.read_bytes() == BROKEN
    assert fixed.read_bytes() == BROKEN.replace(b"&", b"&amp;")
    code, _, err = call(capsys, "check", "--fix", path)
    assert (code, "exists; remove it" in err) == (ExitCode.USAGE, True)
    code, out, _ = call(capsys, "check", "--fix", fixed)
    assert (code, "nothing to fix" in out) == (ExitCode.PASSED, True)


def test_fix_in_place_keeps_the_original(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, kept = tmp_path / "x.xml", tmp_path / "x.xml.orig"
    path.write_bytes(BROKEN)
    assert call(capsys, "check", "--fix", "--in-place", path)[0] == ExitCode.PASSED
    assert (path.read_bytes(), kept.read_bytes()) == (BROKEN.replace(b"&", b"&amp;"), BROKEN)
    path.write_bytes(BROKEN)
    code, _, err = call(capsys, "check", "--fix", "--in-place", path)
    assert (code, f"{kept} exists" in err) == (ExitCode.USAGE, True)
    assert (path.read_bytes(), kept.read_bytes()) == (BROKEN, BROKEN)


def test_fix_to_a_named_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = tmp_path / "x.xml", tmp_path / "out.xml"
    path.write_bytes(BROKEN)
    assert call(capsys, "check", "--fix", "-o", out, path)[0] == ExitCode.PASSED
    assert out.read_bytes() == BROKEN.replace(b"&", b"&amp;")
    assert call(capsys, "check", "--fix", "-o", out, path)[0] == ExitCode.USAGE
    for words in (["-o", out], ["--in-place"], ["--fix", "-o", out, path], ["--fix", "--in-place", "-o", out]):
        assert call(capsys, "check", *words, path)[0] == ExitCode.USAGE


def test_what_cannot_be_mended_is_told_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(file("<nop>" + message("a") + "<!-- -- -->"))
    code, out, err = call(capsys, "check", "--fix", path)
    assert code == ExitCode.INPUT
    assert "x.xml:3: not well-formed XML: <nop> is never closed" in err
    assert out == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.xml"]


def test_a_run_tells_what_was_mended(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(REPAIRED[0].data)
    code, out, _ = call(capsys, "run", "--dry-run", path, "127.0.0.1:9")
    assert code == ExitCode.PASSED
    assert f"note: {path}:8: <log>: message= is written twice" in out
