from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sipreplay.dumps.counts import CountsWriter, ErrorCodesWriter
from sipreplay.scenario.model import Nop, Pause, Recv, Scenario, Send
from sipreplay.stats.calls import CallStatistics, StepCounters

STEPS = Scenario(
    "x",
    [
        Send(text="INVITE a SIP/2.0\nA: b", retrans_ms=500),
        Recv(response="200"),
        Nop(),
        Send(text="SIP/2.0 200 OK\nA: b"),
        Recv(request="BYE", hide=True),
        Pause(milliseconds=1),
    ],
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()


def test_columns_and_rows(tmp_path: Path) -> None:
    statistics = CallStatistics()
    statistics.steps = [StepCounters(10 + n, 20 + n, 30 + n, 40 + n, 50 + n) for n in range(6)]
    with CountsWriter(tmp_path / "c.csv", STEPS, started=1795405063.0, keys={}) as writer:
        writer.row(CallStatistics(), 1795405063.5)
        writer.row(statistics, 1795405064.2345)
    header, empty, row = (tmp_path / "c.csv").read_text().splitlines()
    assert header == (
        "CurrentTime;ElapsedTime;0_INVITE_Sent;0_INVITE_Retrans;0_INVITE_Timeout;1_200_Recv;1_200_Retrans;"
        "1_200_Timeout;1_200_Unexp;2_Pause_Sessions;2_Pause_Unexp;3_200_Sent;3_200_Retrans;5_Pause_Sessions;"
        "5_Pause_Unexp;"
    )
    assert empty.endswith(";00:00:00:500000;0;0;0;0;0;0;0;0;0;0;0;0;0;")
    assert row.endswith(";00:00:01:234000;10;20;30;11;21;31;41;0;42;13;23;15;45;")


def test_losses_have_a_column_where_messages_are_lost(tmp_path: Path) -> None:
    with CountsWriter(tmp_path / "c.csv", STEPS, started=0.0, keys={}, losses=True, delimiter=","):
        pass
    header = (tmp_path / "c.csv").read_text()
    assert "0_INVITE_Timeout,0_INVITE_Lost,1_200_Recv" in header
    assert "2_Pause_Lost" not in header


def test_codes_are_written_newest_first(tmp_path: Path) -> None:
    with ErrorCodesWriter(tmp_path / "e.csv", started=1795405063.0) as writer:
        writer.row([], 1795405063.0)
        writer.row([404, 503], 1795405065.0)
    first, second = (tmp_path / "e.csv").read_text().splitlines()
    assert first.endswith(";00:00:00:000000;")
    assert second.endswith(";00:00:02:000000;503,404,")
