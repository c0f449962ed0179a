from __future__ import annotations

from sipreplay.compat import number_screens, screens
from sipreplay.scenario.builtin import builtin_scenario
from sipreplay.scenario.model import Distribution, Nop, Pause, Recv, Scenario
from sipreplay.stats.calls import CallStatistics, StepCounters
from sipreplay.stats.histogram import Repartition


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
        "  3 new calls during 0.400 s period       0 ms scheduler resolution",
        "  1 calls (limit 30)                      Peak was 2 calls, after 0 s",
        "  0 Running, 0 Paused, 0 Woken up",
        "  0 dead call msg (discarded)             0 out-of-call msg (discarded)",
    ]
    assert lines[8] == "  1 open sockets                          0/0/0 UDP errors (send/recv/cong)"
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
    assert "1 : here\n" in text
    assert "not here" not in text


def test_the_statistics_screen_keeps_periodic_and_cumulative_apart() -> None:
    scenario = builtin_scenario("uac")
    shown = view(scenario)
    statistics = counted(scenario)
    shown.previous, shown.previous_wall = statistics, 1000.3
    text = number_screens.statistics_screen(shown, statistics, 1000.4, screens.TERMINATED)
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


def test_what_a_client_sees_while_calls_are_not_started() -> None:
    scenario = builtin_scenario("uac")
    statistics = counted(scenario)
    statistics.not_started, statistics.datagrams_dropped = 4, 2
    text = screens.scenario_screen(view(scenario), statistics, 1000.4, screens.PAUSED)
    assert "  4 calls not started (limit)             2 datagrams dropped by the system\n" in text
    assert "Traffic Paused" in text


def test_the_last_error_stands_above_the_last_line_until_the_test_ends() -> None:
    scenario = builtin_scenario("uac")
    shown = view(scenario)
    shown.last_error = "Aborting call on unexpected message for Call-Id '1-1@127.0.0.1': while\nmore"
    text = screens.scenario_screen(shown, counted(scenario), 1000.4, screens.WAITING)
    assert text.splitlines()[-2] == "Last Error: Aborting call on unexpected message for Call-Id '1-1@127.0.0..."
    assert "Last Error" not in screens.scenario_screen(shown, counted(scenario), 1000.4, screens.TERMINATED)


def test_repartitions() -> None:
    scenario = builtin_scenario("uac")
    statistics = counted(scenario)
    bins = statistics.response_bins["1"] = Repartition([10, 20])
    for milliseconds in (3, 9, 10, 500):
        bins.record(milliseconds)
    text = number_screens.repartition_screen(view(scenario), statistics, screens.CLIENT_MODE)
    assert text.splitlines()[1:7] == [
        "  Average Response Time Repartition 1",
        "             0 ms <= n <         10 ms :          2",
        "            10 ms <= n <         20 ms :          1",
        "                   n >=         20 ms :          1",
        "  Average Call Length Repartition",
        "    <No repartion defined>",
    ]
    assert " Repartition 2 Screen " in number_screens.repartition_screen(view(scenario), statistics, "", 6)


def test_the_actions_of_a_scenario() -> None:
    text = number_screens.variables_screen(view(builtin_scenario("regexp")), "")
    assert "=> Message[4] (Receive Message) - [3] action(s) defined :\n   --> action[0] = ereg regexp=" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "=> No action found on any messages" in number_screens.variables_screen(view(builtin_scenario("uac")), "")


def test_pauses_are_said_as_sipp_says_them() -> None:
    said = [screens.time_text(ms) for ms in (0, 100, 9999, 10_500, 125_000)]
    assert said == ["0ms", "100ms", "9999ms", "10.5s", "2:05"]
    normal = Pause(distribution=Distribution("normal", (("mean", 1000.0), ("stdev", 200.0))))
    assert screens.pause_text(normal, 0) == "N(1000ms,200ms)"
    assert screens.pause_text(Pause(variable="x"), 0) == "$x"


def test_circuits() -> None:
    taken = [True, False, False, True, True, False]
    text = number_screens.circuits_screen(view(builtin_scenario("uac")), taken, 3, "")
    assert text.splitlines()[1:6] == ["TDM Circuits in use:", "*..", "**.", "", "3/6 circuits (50%) in use"]
