"""All files of a run beside Debian's sipp's: the same columns, rows, screens and lines for the same calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.command_lines import OURS, THEIRS, messages, play
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

ODD = """<?xml version="1.0"?><scenario name="odd">
<send retrans="400" start_rtd="1" counter="sent"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:b@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:a@[local_ip]:[local_port]>
    Content-Length: 0
]]></send>
<recv response="180" optional="true" rtd="1" counter="7"/>
<recv response="486" timeout="20000"><action><log message="busy"/></action></recv>
<nop display="after all" crlf="true"/>
<nop/>
<pause milliseconds="12500"/>
<pause distribution="uniform" min="10" max="20"/>
<pause distribution="normal" mean="1000" stdev="200"/>
<ResponseTimeRepartition value="10, 20, 50"/>
<CallLengthRepartition value="100, 1000"/>
</scenario>
"""
"""A 200 comes instead of a 486: both calls fail."""

FILES = (
    "-trace_counts -trace_error_codes -trace_shortmsg -shortmessage_file uac.short -trace_screen -screen_file uac.scr"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of a run of sipp and one of ours, for a scenario whose calls pass and one whose calls fail."""
    out = {}
    for name, base in (("sipp", THEIRS), ("ours", OURS)):
        for kind, words, code in (("good", "-sn uac", 0), ("bad", "-sf odd.xml", 1)):
            folder = tmp_path_factory.mktemp(f"{kind}-{name}")
            (folder / "odd.xml").write_text(ODD)
            port = free_port()
            uac, _ = play(
                folder,
                base,
                OURS,
                "127.0.0.1",
                port,
                uac_words=f"{words} -m 2 -r 20 -fd 60 {FILES} -mp {port + 50}",
                uas_words=f"-sn uas -m 2 -timeout 15 -mp {port + 60}",
            )
            assert uac.exit_code == code, uac.explain()
            out[f"{kind}-{name}"] = folder
    return out


def pair(runs: dict[str, Path], kind: str) -> tuple[Path, Path]:
    return runs[f"{kind}-sipp"], runs[f"{kind}-ours"]


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_statistics(runs: dict[str, Path], kind: str) -> None:
    rows = [(folder / "uac.csv").read_text().splitlines() for folder in pair(runs, kind)]
    assert rows[0][0] == rows[1][0]
    assert len(rows[0]) == len(rows[1]) == 4
    names = rows[0][0].split(";")
    theirs, ours = (dict(zip(names, lines[-1].split(";"), strict=True)) for lines in rows)
    timed = re.compile(
        r"^(StartTime|LastReset|CurrentTime|Elapsed|CallRate|TargetRate|ResponseTime1|CallLength(StDev)?\()"
    )
    for name in names:
        if name and not timed.match(name) and "Repartition" not in name:
            assert ours[name] == theirs[name], name


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_counts(runs: dict[str, Path], kind: str) -> None:
    theirs, ours = (only(folder, "*_counts.csv").read_text().splitlines() for folder in pair(runs, kind))
    assert ours[0] == theirs[0]
    assert len(ours) == len(theirs) == 4
    assert ours[-1].split(";")[2:] == theirs[-1].split(";")[2:]


def test_error_codes(runs: dict[str, Path]) -> None:
    codes = [
        "".join(line.rpartition(";")[2] for line in only(folder, "*_error_codes.csv").read_text().splitlines())
        for folder in pair(runs, "bad")
    ]
    assert codes == ["200,200,", "200,200,"]


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_short_messages(runs: dict[str, Path], kind: str) -> None:
    def lines(folder: Path) -> list[list[str]]:
        rows = [line.split("\t") for line in (folder / "uac.short").read_text().splitlines()]
        assert all(len(row) == 7 and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", row[0]) for row in rows)
        plain = ([re.sub(r"^([0-9]+)-[0-9]+@", r"\1-PID@", cell) for cell in row[3:]] for row in rows)
        return sorted([re.sub(r":[0-9]{5}", ":PORT", cell) for cell in row] for row in plain)

    theirs, ours = map(lines, pair(runs, kind))
    assert ours == theirs


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_messages(runs: dict[str, Path], kind: str) -> None:
    def said(folder: Path) -> list[str]:
        return sorted(re.sub(r":[0-9]{5}", ":PORT", text) for text in messages(folder / "uac.msg"))

    theirs, ours = map(said, pair(runs, kind))
    assert theirs
    # The SDP names the media port of the run.
    plain = [[re.sub(r"m=audio [0-9]+", "m=audio PORT", text) for text in texts] for texts in (theirs, ours)]
    assert plain[0] == plain[1]


def screens(folder: Path) -> list[str]:
    """The screens of a file without times, ports and what depends on them."""
    text = (folder / "uac.scr").read_text()
    lines = [line.rstrip() for line in text.splitlines()]
    out: list[str] = []
    for line in lines:
        # Debian's sipp has no index before a row, and writes one line twice.
        line = re.sub(r"^[0-9]+ *:(?=[ \[])", "", line)
        line = re.sub(r"^ {36}Messages", " " * 33 + "Messages", line)
        line = re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9:.]+\t[0-9.]+", "TIME", line)
        line = re.sub(r"[0-9]{2}:[0-9]{2}:[0-9]{2}:[0-9]{6}", "DURATION", line)
        line = re.sub(r"^  10\.0\(0 ms\)|^  20\.0\(0 ms\)", "  RATE", line)
        line = re.sub(r"[0-9]{5} +[0-9]+\.[0-9]{2} s", "PORT SECONDS", line)
        line = re.sub(r":[0-9]{5}\(", ":PORT(", line)
        line = re.sub(r"[0-9]+\.[0-9]+ (s period|cps)", r"NUMBER \1", line)
        line = re.sub(r"[0-9]+ (ms scheduler|Running|Paused|Woken|open sockets)", r"N \1", line)
        line = re.sub(r"(Peak was) [0-9]+", r"\1 N", line)
        line = re.sub(r"'[0-9]+-[0-9@.]+\.\.\.", "'CALL...", line)
        line = re.sub(r"(ms : +)[0-9]+$", r"\1N", line)
        line = re.sub(r" +", " ", line)
        if "open sockets" not in line or line not in out[-1:]:
            out.append(line)
    return out


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_screens(runs: dict[str, Path], kind: str) -> None:
    theirs, ours = map(screens, pair(runs, kind))
    assert len(theirs) > 30
    assert ours == theirs


def test_what_an_error_log_begins_with(runs: dict[str, Path], loopback: Callable[[], str]) -> None:
    for folder in pair(runs, "bad"):
        text = (folder / "uac.err.log").read_text()
        assert text.startswith("The following events occurred:\n")
        wanted = (
            r"Aborting call on unexpected message for Call-Id '1-[0-9]+@127.0.0.1': while expecting '486' \(index 2\)"
        )
        assert re.search(wanted + r", received 'SIP/2.0 200 OK\n", text.replace("\r", ""))
