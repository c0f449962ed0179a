"""Whole runs with real processes on loopback, through the command line, as a user starts them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipreplay.scenario.builtin import builtin

# Short pauses: the built-in uas lingers for four seconds.
QUICK = {'timewait milliseconds="4000"': 'timewait milliseconds="100"'}


def run(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sipreplay", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    uac, uas = tmp_path / "caller.xml", tmp_path / "callee.xml"
    uac.write_text(builtin("uac"))
    text = builtin("uas")
    for old, new in QUICK.items():
        assert old in text
        text = text.replace(old, new)
    uas.write_text(text)
    return uac, uas


def test_a_good_run_passes_and_leaves_its_report(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("run", *pair, "--rate", 40, "--calls", 30, "--report", tmp_path / "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "30 made · 30 passed" in done.stdout
    assert "PASSED" in done.stdout
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"report.html", "latency.png", "latency.svg", "run.json", "caller_stat.csv", "caller_rtt.csv"} <= names
    numbers = json.loads((tmp_path / "report" / "run.json").read_text())
    assert numbers["schema"] == "sipreplay/run/1"
    assert len((tmp_path / "report" / "caller_rtt.csv").read_text().splitlines()) == 31
    header, *rows = (tmp_path / "report" / "caller_stat.csv").read_text().splitlines()
    assert rows[-1].split(";")[header.split(";").index("SuccessfulCall(C)")] == "30"
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<svg" in page
    assert ">180 Ringing" in page, "the page shows the ladder of a call, both ways"
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page), "the page fetches nothing"


def test_a_report_folder_with_files_is_refused_without_force(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("precious")
    done = run("run", *pair, "--calls", 1, "--report", tmp_path / "report")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert "--force" in done.stderr
    assert (tmp_path / "report" / "mine.txt").read_text() == "precious"


def test_a_call_due_at_the_limit_is_not_started_and_the_summary_says_so(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    uac = pair[0]
    uac.write_text(uac.read_text().replace("<pause/>", '<pause milliseconds="1000"/>'))
    done = run("run", *pair, "--rate", 50, "--duration", "1s", "--limit", 5, "--json", tmp_path / "run.json")
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = json.loads((tmp_path / "run.json").read_text())
    counted = re.search(r"(\d+) made .* (\d+) not started \(limit 5\) · at most (\d+) at once", done.stdout)
    assert counted, done.stdout
    made, not_started, peak = map(int, counted.groups())
    assert peak == 5
    assert not_started >= 30
    assert 45 <= made + not_started <= 50
    assert numbers["schema"] == "sipreplay/run/1"


def test_a_target_that_refuses_fails_the_calls_not_the_tool(pair: tuple[Path, Path]) -> None:
    uac = pair[0]
    uac.write_text(uac.read_text().replace('retrans="500"', 'retrans="10"'))
    done = run("run", uac, "127.0.0.1:9", "--rate", 50, "--calls", 5)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "5 of 5 calls failed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named(pair: tuple[Path, Path]) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = run("run", pair[1], "--local-ip", "127.0.0.1", "--port", port)
    assert done.returncode == 4, done.stdout + done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_interrupt_ends_open_calls_and_leaves_whole_dumps(pair: tuple[Path, Path], tmp_path: Path) -> None:
    uac = pair[0]
    uac.write_text(uac.read_text().replace("<pause/>", '<pause milliseconds="600000"/>'))
    command = ["run", *pair, "--rate", "20", "--calls", "1000", "--report", tmp_path / "report"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sipreplay", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stat = tmp_path / "report" / "caller_stat.csv"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not stat.exists() or len(stat.read_text().splitlines()) < 3):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=40)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    header, *rows = stat.read_text().splitlines()
    last = dict(zip(header.split(";"), rows[-1].split(";"), strict=True))
    assert last["CurrentCall"] == "0", "open calls were released"
    assert int(last["OutgoingCall(C)"]) > 0
    callee = (tmp_path / "report" / "callee_stat.csv").read_text().splitlines()
    answered = dict(zip(callee[0].split(";"), callee[-1].split(";"), strict=True))
    assert answered["SuccessfulCall(C)"] == last["OutgoingCall(C)"], (
        "each was released by a BYE, so the other side ended well"
    )


@contextmanager
def processor_hog() -> Iterator[None]:
    """A real-time process that takes the run's one core for 200 ms, lets go for 100 ms, and so on."""
    code = (
        "import os, time\nos.sched_setaffinity(0, {0})\nos.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))\n"
        "while True:\n    end = time.monotonic() + 0.2\n    while time.monotonic() < end: pass\n    time.sleep(0.1)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as hog:
        try:
            time.sleep(0.3)
            assert hog.poll() is None
            yield
        finally:
            hog.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="a hog that beats everybody needs root")
def test_a_hog_on_the_same_core_makes_the_run_invalid(pair: tuple[Path, Path]) -> None:
    command = ["taskset", "-c", "0", sys.executable, "-m", "sipreplay", "run", *map(str, pair)]
    command += ["--rate", "200", "--calls", "400"]
    with processor_hog():
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "INVALID" in done.stdout
    assert re.search(r"started late|rate was not held", done.stdout)
