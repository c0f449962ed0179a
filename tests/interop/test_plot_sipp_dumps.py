"""`sipreplay plot` on dumps that real sipp has just written."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from sipreplay.report.plots import load_dumps, plot_dumps

pytestmark = pytest.mark.interop

CALLS = 60


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_charts_count_what_sipp_counted(tmp_path: Path) -> None:
    if shutil.which("sipp") is None:
        pytest.skip("sipp is not installed")
    port = _free_port()
    common = ["-i", "127.0.0.1", "-nostdin", "-m", str(CALLS), "-timeout", "30s"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    uas = subprocess.Popen(["sipp", "-sn", "uas", "-p", str(port), *common], **quiet)  # type: ignore[call-overload]
    try:
        trace = ["-trace_stat", "-trace_rtt", "-fd", "1", "-rtt_freq", "1"]
        caller = ["sipp", "-sn", "uac", f"127.0.0.1:{port}", "-r", "30", "-d", "100", *trace, *common]
        assert subprocess.run(caller, timeout=60, check=False, **quiet).returncode == 0  # type: ignore[call-overload]
    finally:
        uas.terminate()
        uas.wait(10)
    [rtt] = tmp_path.glob("uac_*_rtt.csv")
    [stat] = tmp_path.glob("uac_*_.csv")
    dumps = load_dumps([rtt, stat])
    assert len(dumps.samples[0].seconds) == CALLS
    assert dumps.statistics[0].last("SuccessfulCall(C)") == CALLS
    assert dumps.samples[0].label == dumps.statistics[0].label
    assert not dumps.problems
    plot_dumps([rtt, stat], tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 20_000
