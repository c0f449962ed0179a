from __future__ import annotations

import math
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.dumps.stat import columns, scenario_counters, scenario_rtds, stat_writer
from sipreplay.dumps.stat_reader import read_stat
from sipreplay.errors import DumpError
from sipreplay.scenario.builtin import builtin_scenario
from sipreplay.scenario.model import Nop, Scenario
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Repartition

SIPP_361 = (
    "StartTime;LastResetTime;CurrentTime;ElapsedTime(P);ElapsedTime(C);TargetRate;CallRate(P);CallRate(C);"
    "IncomingCall(P);IncomingCall(C);OutgoingCall(P);OutgoingCall(C);TotalCallCreated;CurrentCall;SuccessfulCall(P);"
    "SuccessfulCall(C);FailedCall(P);FailedCall(C);FailedCannotSendMessage(P);FailedCannotSendMessage(C);"
    "FailedMaxUDPRetrans(P);FailedMaxUDPRetrans(C);FailedTcpConnect(P);FailedTcpConnect(C);FailedTcpClosed(P);"
    "FailedTcpClosed(C);FailedUnexpectedMessage(P);FailedUnexpectedMessage(C);FailedCallRejected(P);"
    "FailedCallRejected(C);FailedCmdNotSent(P);FailedCmdNotSent(C);FailedRegexpDoesntMatch(P);"
    "FailedRegexpDoesntMatch(C);FailedRegexpShouldntMatch(P);FailedRegexpShouldntMatch(C);FailedRegexpHdrNotFound(P);"
    "FailedRegexpHdrNotFound(C);FailedOutboundCongestion(P);FailedOutboundCongestion(C);FailedTimeoutOnRecv(P);"
    "FailedTimeoutOnRecv(C);FailedTimeoutOnSend(P);FailedTimeoutOnSend(C);FailedTestDoesntMatch(P);"
    "FailedTestDoesntMatch(C);FailedTestShouldntMatch(P);FailedTestShouldntMatch(C);FailedStrcmpDoesntMatch(P);"
    "FailedStrcmpDoesntMatch(C);FailedStrcmpShouldntMatch(P);FailedStrcmpShouldntMatch(C);OutOfCallMsgs(P);"
    "OutOfCallMsgs(C);DeadCallMsgs(P);DeadCallMsgs(C);Retransmissions(P);Retransmissions(C);AutoAnswered(P);"
    "AutoAnswered(C);Warnings(P);Warnings(C);FatalErrors(P);FatalErrors(C);WatchdogMajor(P);WatchdogMajor(C);"
    "WatchdogMinor(P);WatchdogMinor(C);ResponseTime1(P);ResponseTime1(C);ResponseTime1StDev(P);ResponseTime1StDev(C);"
    "CallLength(P);CallLength(C);CallLengthStDev(P);CallLengthStDev(C);ResponseTimeRepartition1;"
    "ResponseTimeRepartition1_<10;ResponseTimeRepartition1_<20;ResponseTimeRepartition1_<30;"
    "ResponseTimeRepartition1_<40;ResponseTimeRepartition1_<50;ResponseTimeRepartition1_<100;"
    "ResponseTimeRepartition1_<150;ResponseTimeRepartition1_<200;ResponseTimeRepartition1_>=200;CallLengthRepartition;"
    "CallLengthRepartition_<10;CallLengthRepartition_<50;CallLengthRepartition_<100;CallLengthRepartition_<500;"
    "CallLengthRepartition_<1000;CallLengthRepartition_<5000;CallLengthRepartition_<10000;"
    "CallLengthRepartition_>=10000;"
)
"""The header that `sipp -sn uac -trace_stat` of Debian writes."""

ROW_361 = (
    "2026-11-23\t15:06:43.692438\t1795446403.692438;2026-11-23\t15:06:45.698543\t1795446405.698543;"
    "2026-11-23\t15:06:45.699872\t1795446405.699872;00:00:00;00:00:02;10;0;9.96512;0;0;0;20;20;0;1;20;0;0;"
    + "0;"
    * 50
    + "00:00:00:000000;00:00:00:000000;00:00:00:000000;00:00:00:000000;00:00:00:004000;00:00:00:005000;"
    "2562047788015:12:55:808000;00:00:00:002000;;20;0;0;0;0;0;0;0;0;;20;0;0;0;0;0;0;0;"
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()


def test_the_columns_of_the_built_in_uac_are_sipps() -> None:
    scenario = builtin_scenario("uac")
    names = columns(
        scenario_rtds(scenario),
        scenario_counters(scenario),
        scenario.response_time_repartition,
        scenario.call_length_repartition,
    )
    assert names == SIPP_361.removesuffix(";").split(";")
    assert names[11] == "OutgoingCall(C)"
    assert names[17] == "FailedCall(C)"


def test_names_are_in_order_of_first_appearance_and_counters_of_digits_are_generic() -> None:
    scenario = Scenario(
        "x", [Nop(rtd="b", counter="3"), Nop(start_rtd="a", counter="calls"), Nop(rtd="a", counter="3")]
    )
    assert scenario_rtds(scenario) == ["b", "a"]
    assert scenario_counters(scenario) == ["3", "calls"]
    names = columns(["b", "a"], ["3", "calls"], [], [])
    assert names[68:] == [
        *("ResponseTimeb(P)", "ResponseTimeb(C)", "ResponseTimebStDev(P)", "ResponseTimebStDev(C)"),
        *("ResponseTimea(P)", "ResponseTimea(C)", "ResponseTimeaStDev(P)", "ResponseTimeaStDev(C)"),
        *("CallLength(P)", "CallLength(C)", "CallLengthStDev(P)", "CallLengthStDev(C)"),
        *("GenericCounter3(P)", "GenericCounter3(C)", "calls(P)", "calls(C)"),
    ]


def counted(calls: int, response_us: int) -> CallStatistics:
    statistics = CallStatistics(outgoing=calls, successful=calls - 1, current=1)
    statistics.call_length_bins = Repartition([10, 50, 100, 500, 1000, 5000, 10000])
    bins = statistics.response_bins["1"] = Repartition([10, 20, 30, 40, 50, 100, 150, 200])
    for _ in range(calls):
        statistics.response_times.setdefault("1", type(statistics.call_length)()).record(response_us)
        statistics.call_length.record(2 * response_us)
        bins.record(response_us // 1000)
        statistics.call_length_bins.record(2 * response_us // 1000)
    return statistics


def test_rows_are_differences_of_cumulative_counts(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    start = 1795446403.692438
    with stat_writer(path, builtin_scenario("uac"), started=start) as writer:
        writer.row(CallStatistics(), start + 0.001, 10)
        writer.row(counted(10, 15_250), start + 1.001, 10)
        second = counted(30, 15_250)
        second.fail("TimeoutOnRecv")
        writer.row(second, start + 3.001, 10)
        writer.row(second, start + 3.001, 10)
    lines = path.read_text().splitlines()
    assert lines[0] == SIPP_361
    assert all(line.endswith(";") and len(line.split(";")) == len(lines[0].split(";")) for line in lines)
    row = dict(zip(lines[0].split(";"), lines[3].split(";"), strict=True))
    assert row["StartTime"] == "2026-11-23\t15:06:43.692438\t1795446403.692438"
    assert row["LastResetTime"].endswith("\t1795446404.693438")
    assert (row["ElapsedTime(P)"], row["ElapsedTime(C)"]) == ("00:00:02", "00:00:03")
    assert (row["TargetRate"], row["CallRate(P)"], row["CallRate(C)"]) == ("10.000", "10.000", "9.997")
    assert (row["OutgoingCall(P)"], row["OutgoingCall(C)"], row["TotalCallCreated"]) == ("20", "30", "30")
    assert (row["FailedCall(P)"], row["FailedTimeoutOnRecv(P)"], row["FailedTimeoutOnRecv(C)"]) == ("1", "1", "1")
    assert (row["ResponseTime1(P)"], row["ResponseTime1StDev(C)"]) == ("00:00:00:015250", "00:00:00:000000")
    assert row["CallLength(C)"] == "00:00:00:030500"
    assert row["ResponseTimeRepartition1"] == ""
    assert row["ResponseTimeRepartition1_<20"] == "30"
    assert row["CallLengthRepartition_<50"] == "30"
    last = dict(zip(lines[0].split(";"), lines[4].split(";"), strict=True))
    assert (last["OutgoingCall(P)"], last["OutgoingCall(C)"], last["CallRate(P)"]) == ("0", "30", "0.000")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    with stat_writer(path, builtin_scenario("uac"), started=1e9, delimiter=",") as writer:
        writer.row(counted(10, 15_250), 1e9 + 1, 10)
        writer.row(counted(30, 15_250), 1e9 + 3, 10)
    dump = read_stat(path)
    assert (dump.started, dump.seconds, dump.problems) == (1e9, [1.0, 3.0], [])
    assert dump.columns["OutgoingCall(P)"] == [10.0, 20.0]
    assert dump.columns["ResponseTime1(C)"] == [15.25, 15.25]
    assert dump.columns["ElapsedTime(C)"] == [1000.0, 3000.0]
    assert dump.response_names() == ["1"]
    assert dump.bins["ResponseTimeRepartition1"][1] == ("<20", [10.0, 30.0])
    assert dump.bins["CallLengthRepartition"][-1][0] == ">=10000"


@pytest.mark.parametrize("rfc3339", [False, True])
def test_files_of_sipp_are_read(tmp_path: Path, rfc3339: bool) -> None:
    row = ROW_361
    if rfc3339:
        row = row.replace("2026-11-23\t15:06:43.692438\t1795446403.692438", "2026-11-23T16:06:43.692438+01:00")
        row = row.replace("2026-11-23\t15:06:45.698543\t1795446405.698543", "2026-11-23T15:06:45.698543Z")
    path = tmp_path / "s.csv"
    path.write_text(f"{SIPP_361}\n{row}\n{row[:200]}")
    dump = read_stat(path)
    assert dump.started == pytest.approx(1795446403.692438, abs=1e-5)
    assert dump.seconds == [pytest.approx(2.007434, abs=1e-5)]
    assert dump.columns["CallLength(C)"] == [5.0]
    assert dump.columns["CallLengthStDev(P)"] == [0.0]
    assert dump.columns["CallRate(C)"] == [9.96512]
    assert dump.problems == [f"line 3: {len(row[:200].removesuffix(';').split(';'))} columns instead of 95"]


@pytest.mark.parametrize("text", ["", "hello\n", "Date_ms;response_time_ms;rtd_no\n", "StartTime;LastResetTime;x\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DumpError, match=r"x.csv: not a statistics file"):
        read_stat(path)


MOMENTS = [
    "2026-11-23\t15:06:43.692438\t1795446403.692438",
    "2026-11-23T15:06:43Z",
    "0001-01-01T00:00:00+23:59",
    "a\tb\tc",
]
NUMBERS = ["0", "-1", "nan", "inf", "1e999", "9" * 5000, "", "x", "00:00:01", "-1:0:0:0", "1:2"]
CELLS = st.sampled_from(MOMENTS + NUMBERS)


@given(st.lists(st.lists(CELLS, min_size=4, max_size=5), max_size=5))
def test_damaged_rows_are_named_and_left_out(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.csv"
        lines = ["StartTime;LastResetTime;CurrentTime;OutgoingCall(C);", *(";".join(row) + ";" for row in rows)]
        path.write_text("\n".join(lines) + "\n")
        dump = read_stat(path)
        assert len(dump.seconds) + len(dump.problems) == len(rows)
        assert all(math.isfinite(value) for value in (*dump.seconds, *dump.columns["OutgoingCall(C)"]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="cannot be read"):
        read_stat(tmp_path / "none.csv")
