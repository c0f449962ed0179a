"""`sipreplay inspect` as it is typed: what is chosen is what is shown and written, and nothing is destroyed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.cli import run_command

CAPTURES = Path(__file__).parents[2] / "captures"
KAMAILIO = CAPTURES / "kamailio-auth-record-route.pcap"


def inspect(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run_command(["inspect", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_filter_applies_to_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {option: tmp_path / name for option, name in (
        ("--json", "o.json"), ("--html", "o.html"), ("--graph", "g.json"), ("--export", "o.pcap"))}  # fmt: skip
    options = [part for pair in files.items() for part in pair]
    code, out, _ = inspect(capsys, KAMAILIO, "--filter", "method==REGISTER and from==bob", "--ladders", *options)
    assert code == 0
    assert "bob@127.0.0.20" in out
    assert "alice@127.0.0.20" not in out
    assert "Call 2 " in out
    assert "Call 3 " not in out
    assert [call["id"] for call in json.loads(files["--json"].read_text())["calls"]] == [2]
    assert {edge["id"] for edge in json.loads(files["--graph"].read_text())["edges"]} == {2}
    assert [d.kind for d in analyse([files["--export"]]).dialogs] == ["register"]
    assert "alice" not in files["--html"].read_text()


def test_several_calls_are_shown_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = inspect(capsys, KAMAILIO, "--call", 3, "--call", 1)
    assert code == 0
    assert out.index("Call 1 ") < out.index("Call 3 ")
    assert "Call 2 " not in out


@pytest.mark.parametrize("option", ["--json", "--html", "--graph", "--export"])
def test_an_input_is_never_overwritten(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / ("trace.svg" if option == "--graph" else "trace.pcap")
    source.write_bytes(KAMAILIO.read_bytes())
    link = tmp_path / f"link{source.suffix}"
    link.symlink_to(source)
    for name in (source, link):
        code, _, err = inspect(capsys, source, option, name, "--force")
        assert code == 2
        assert "is one of the captures" in err
        assert source.read_bytes() == KAMAILIO.read_bytes()


def test_an_export_replaces_a_file_only_when_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.pcap"
    output.write_text("precious")
    code, _, err = inspect(capsys, KAMAILIO, "--call", 1, "--export", output)
    assert (code, output.read_text()) == (2, "precious")
    assert "add --force" in err
    code, out, _ = inspect(capsys, KAMAILIO, "--call", 1, "--export", output, "--force")
    assert code == 0
    assert "4 packets of 1 call (pcap)" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--filter", "metod==INVITE"], "column 1: no field is called 'metod'; did you mean method?"),
        (["--call", "9"], "there are calls 1 to 3"),
        (["--export", "-x.pcap", "--filter", "status==600"], "no call is chosen"),
        (["--graph", "graph.png"], "ends in .svg, .graphml or .json"),
        (["--json", "a.json", "--html", "./a.json"], "writes that file too"),
        (["--html", "nowhere/a.html"], "there is no folder nowhere"),
    ],
)
def test_what_does_not_fit_ends_with_2(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = inspect(capsys, KAMAILIO, *options)
    assert (code, said in err) == (2, True), err
    assert not list(tmp_path.glob("*.pcap"))


def test_standard_input_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = inspect(capsys, "-", "--export", tmp_path / "o.pcap")
    assert code == 2
    assert "cannot be read twice" in err


def test_a_filter_that_leaves_nothing_of_the_calls_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = inspect(capsys, KAMAILIO, "--call", 3, "--filter", "method==REGISTER")
    assert code == 0
    assert "none of 3 calls is chosen" in out


@pytest.mark.parametrize("option", ["--json", "--html", "--export"])
def test_a_full_disk_is_told_with_the_file(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = inspect(capsys, KAMAILIO, option, "/dev/full", "--force")
    assert code == 4
    assert "/dev/full: " in err
    assert "No space left" in err


def test_more_processes_than_files_can_be_open_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = inspect(capsys, KAMAILIO, "--processes", 99999)
    assert code == 2
    assert "0<=x<=256" in err


def test_output_that_nobody_takes_is_no_failure() -> None:
    command = f'exec "{sys.executable}" -m sipreplay inspect "{KAMAILIO}" >&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
