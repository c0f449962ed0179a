from __future__ import annotations

from sipreplay.compat import screens
from sipreplay.scenario.builtin import builtin_scenario
from sipreplay.scenario.model import Nop, Recv, Scenario
from sipreplay.stats.calls import CallStatistics, StepCounters


def view(scenario: Scenario) -> screens.View:
    return screens.View(
        scenario=scenario,
        rate_cps=10.0,
        period_ms=1000.0,
        pause_ms=100,
        users=None,
        limit=30,
        calls=None,
        remote="127.0.0.1:5070",
        transport="UDP",
        local_port=5061,
        started=1000.0,
        previous_wall=1000.0,
    )


def counted(scenario: Scenario) -> CallStatistics:
    statistics = CallStatistics(outgoing=3, successful=2, current=1, peak=2)
    statistics.steps = [StepCounters(messages=3, unexpected=0) for _ in scenario.elements]
    return statistics


def test_the_screen_of_a_client() -> None:
    scenario = builtin_scenario("uac")
    text = screens.scenario_screen(view(scenario), counted(scenario), 1000.4, screens.CLIENT_MODE)
    lines = text.splitlines()
    assert lines[:8] == [
        "------------------------------ Scenario Screen -------- [1-9]: Change Screen --",
        "  Call rate (length)   Port   Total-time  Total-calls  Remote-host",
        "  10.0(100 ms)/1.000s   5061       0.40 s            3  127.0.0.1:5070(UDP)",
        "",
        "  3 new calls during 0.400 s period       1 ms scheduler resolution",
        "  1 calls (limit 30)                      Peak was 2 calls, after 0 s",
        "  0 dead call msg (discarded)             0 out-of-call msg (discarded)",
        "  0 calls not started (limit)             0 datagrams dropped by the system",
    ]
    assert "0 :      INVITE ---------->         3         0         0" in lines
    assert "4 :         200 <----------  E-RTD1 3         0         0         0" in lines
    assert "6 :       Pause [    100ms]         3                             0" in lines
    assert lines[-1] == screens.CLIENT_MODE
    assert max(map(len, lines)) <= 80


def test_the_screen_of_a_server_has_arrows_first() -> None:
    scenario = builtin_scenario("uas")
    text = screens.scenario_screen(view(scenario), counted(scenario), 1000.4, screens.SERVER_MODE)
    assert "  Port   Total-time  Total-calls  Transport\n" in text
    assert "0 :  ----------> INVITE             3         0         0         0\n\n1 :  <---------- 180" in text
    assert "6 :  [   4000ms] Pause              3                             0" in text


def test_hidden_messages_and_losses() -> None:
    scenario = Scenario(
        "x", [Recv(request="INVITE", lost=10.0), Nop(display="here"), Nop(hide=True, display="not here")]
    )
    statistics = counted(scenario)
    statistics.steps[0].lost = 7
    text = screens.scenario_screen(view(scenario), statistics, 1000.4, "")
    assert "Unexp.    Lost" in text
    assert "0 :  ----------> INVITE             3         0         0         0         7" in text
    assert "  here" in text
    assert "not here" not in text


def test_the_statistics_screen_keeps_periodic_and_cumulative_apart() -> None:
    scenario = builtin_scenario("uac")
    shown = view(scenario)
    statistics = counted(scenario)
    shown.previous, shown.previous_wall = statistics, 1000.3
    text = screens.statistics_screen(shown, statistics, 1000.4, screens.TERMINATED)
    assert "  Elapsed Time           | 00:00:00:100000           | 00:00:00:400000\n" in text
    assert "  Call Rate              |    0.000 cps              |    7.500 cps\n" in text
    assert "  Outgoing calls created |        0                  |        3\n" in text
    assert "  Response Time 1        |" in text


def test_failures_are_listed() -> None:
    statistics = CallStatistics()
    assert screens.failures(statistics) == ""
    statistics.fail("TimeoutOnRecv")
    statistics.fail("")
    assert screens.failures(statistics) == "  FailedTimeoutOnRecv: 1\n"
