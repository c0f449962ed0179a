"""What a user meets who gives the wrong thing: a message that names it, the right exit code, never a traceback."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sipreplay.capture.write import PcapWriter
from sipreplay.cli import run_command
from sipreplay.errors import ExitCode

CAPTURES = Path(__file__).parents[2] / "captures"
GOOD = CAPTURES / "uac_pcap-g711-dtmf.pcap"

INVITE = (
    b"INVITE sip:bob@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-1\r\n"
    b"From: <sip:al@127.0.0.1>;tag=1\r\nTo: <sip:bob@127.0.0.2>\r\nCall-ID: lonely@127.0.0.1\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:al@127.0.0.1:5061>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run_command([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def pcap(path: Path, *payloads: bytes) -> Path:
    with PcapWriter(path) as writer:
        for number, payload in enumerate(payloads):
            writer.udp(1000.0 + number, ("127.0.0.1", 5061), ("127.0.0.2", 5060), payload)
    return path


def not_a_capture(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("these are my notes, and they are no capture\n" * 9)
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.pcap"
    path.touch()
    return path


def unknown_link(folder: Path) -> Path:
    path = folder / "odd.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 250) + bytes(40))
    return path


@pytest.mark.parametrize("command", ["inspect", "learn"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_a_capture, ["notes.txt", "not"]),
        (empty_file, ["empty.pcap", "empty"]),
        (unknown_link, ["odd.pcap", "250"]),
        (lambda folder: folder / "gone.pcap", ["gone.pcap", "No such file"]),
        (lambda folder: folder, ["folder", "no captures"]),
    ],
)
def test_what_is_no_capture_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, make: object, words: list[str]
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    more = ["-o", tmp_path / "bundle"] if command == "learn" else []
    code, _, err = call(capsys, command, path, *more)
    assert code == ExitCode.INPUT
    for word in words:
        assert word.lower() in err.lower()
    assert not (tmp_path / "bundle").exists(), "nothing half-made is left"


def test_a_capture_cut_in_a_packet_is_used_up_to_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(GOOD.read_bytes()[:-150])
    code, out, _ = call(capsys, "inspect", cut)
    assert code == ExitCode.PASSED
    assert "3 calls" in out
    assert "cut" in out, "the damage is told"
    code, out, _ = call(capsys, "learn", cut, "-o", tmp_path / "bundle")
    assert code == ExitCode.PASSED
    assert (tmp_path / "bundle" / "bundle.toml").exists()


def test_a_capture_without_sip_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = pcap(tmp_path / "dns.pcap", b"\x12\x34not sip at all", b"nor this")
    code, out, _ = call(capsys, "inspect", path)
    assert code == ExitCode.PASSED
    assert "0 SIP messages" in out
    code, _, err = call(capsys, "learn", path, "-o", tmp_path / "bundle")
    assert code == ExitCode.INPUT
    assert "no SIP" in err
    assert not (tmp_path / "bundle").exists()


def test_a_call_that_nobody_answered_is_learned_as_far_as_seen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = pcap(tmp_path / "lonely.pcap", INVITE)
    code, out, _ = call(capsys, "learn", path, "-o", tmp_path / "bundle")
    assert code == ExitCode.PASSED
    assert "as far as seen" in out
    assert list((tmp_path / "bundle").glob("*-uac.xml"))


def test_an_output_folder_with_files_is_refused_without_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    precious = tmp_path / "bundle" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    code, _, err = call(capsys, "learn", GOOD, "-o", precious.parent)
    assert code == ExitCode.USAGE
    assert "--force" in err
    assert precious.read_text() == "mine"


def test_a_choice_that_fits_no_call_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for choice in (["--call", "9"], ["--number", "555"], ["--filter", "method == REGISTER"]):
        code, _, err = call(capsys, "learn", GOOD, "-o", tmp_path / "bundle", *choice)
        assert code in (ExitCode.USAGE, ExitCode.INPUT), choice
        assert err.startswith("sipreplay: "), choice
        assert not (tmp_path / "bundle").exists()
    code, _, err = call(capsys, "inspect", GOOD, "--call", "9")
    assert code == ExitCode.USAGE
    assert "1 to 3" in err


def test_a_system_under_test_that_is_not_in_the_capture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capsys, "learn", GOOD, "-o", tmp_path / "bundle", "--sut", "192.0.2.99")
    assert code == ExitCode.USAGE
    assert "--sut 192.0.2.99" in err
    assert "127.0.0.30:5060" in err


def test_a_scenario_with_a_fault_is_named_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text('<scenario name="x">\n  <send>\n  <![CDATA[ x ]]>\n</scenario>')
    for command in (["check", bad], ["run", bad, "127.0.0.1:5060"]):
        code, _, err = call(capsys, *command)
        assert code == ExitCode.INPUT
        assert "bad.xml:" in err


def test_an_injection_file_with_too_few_fields_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenario, lines = tmp_path / "a.xml", tmp_path / "a.csv"
    scenario.write_text(
        '<scenario name="x"><send><![CDATA[\nOPTIONS sip:[field2]@[remote_ip] SIP/2.0\nCall-ID: [call_id]\n'
        'CSeq: 1 OPTIONS\n\n]]></send><recv response="200"/></scenario>'
    )
    lines.write_text("SEQUENTIAL\none;two\n")
    code, _, err = call(capsys, "run", scenario, "127.0.0.1:5060", "--inf", lines, "--calls", 1)
    assert code == ExitCode.INPUT
    assert "a.csv" in err
    assert "field" in err


def test_a_bundle_that_is_none_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capsys, "run", tmp_path)
    assert code == ExitCode.INPUT
    assert "bundle.toml" in err
    (tmp_path / "bundle.toml").write_text("schema = 'else'\n")
    code, _, err = call(capsys, "run", tmp_path)
    assert code == ExitCode.INPUT
    assert "schema" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere"], "nowhere: no such bundle"),
        (["run", GOOD.parent.parent / "README.md", "host:99999"], "99999"),
        (["run", GOOD.parent, "--rate", "fast"], "fast"),
        (["run", GOOD.parent, "--duration", "5x"], "5x"),
        (["learn", GOOD], "-o"),
        (["lern", GOOD], "lern"),
        (["run", GOOD.parent, "--ratte", "5"], "--ratte"),
        (["plot", GOOD.parent.parent / "README.md", "-o", "x.gif"], ".png"),
    ],
)
def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str], arguments: list[object], words: str) -> None:
    code, _, err = call(capsys, *arguments)
    assert code == ExitCode.USAGE
    assert words in err


def test_inspect_writes_json_to_a_file_and_to_a_pipe(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import json

    code, _, _ = call(capsys, "inspect", GOOD, "--json", tmp_path / "x.json")
    assert code == ExitCode.PASSED
    code, out, _ = call(capsys, "inspect", GOOD, "--json", "-")
    assert code == ExitCode.PASSED
    assert json.loads(out) == json.loads((tmp_path / "x.json").read_text())
    assert json.loads(out)["schema"] == "sipreplay/inspect/1"


def test_inspect_draws_the_ladder_of_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "inspect", GOOD, "--call", 2)
    assert code == ExitCode.PASSED
    order = [out.index(word) for word in ("INVITE", "180 Ringing", "200 OK", "ACK", "BYE")]
    assert order == sorted(order)
    code, out, _ = call(capsys, "inspect", GOOD, "--call", 2, "--ascii")
    assert out.isascii()


def test_a_list_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "inspect", GOOD)
    assert code == ExitCode.PASSED
    for part in ("4930201001@127.0.0.10", "4940300503@127.0.0.30", "127.0.0.30:5060"):
        assert part in out


def test_an_interrupted_reading_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sipreplay.analysis.reading.analyse", interrupted)
    code, _, err = call(capsys, "inspect", GOOD)
    assert code == ExitCode.INTERRUPTED
    assert "interrupted" in err


@pytest.mark.parametrize(
    "words", [["inspect", GOOD, "--ladders"], ["inspect", GOOD, "--json", "-"], ["check", "nothing.xml"]]
)
def test_a_reader_that_has_gone_is_no_failure(words: list[object]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "sipreplay", *map(str, words)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert "Exception" not in done.stderr
    assert done.returncode == (ExitCode.INPUT if words[0] == "check" else ExitCode.PASSED)
