"""SIPp's other screens as text: statistics, repartitions, and the actions of a scenario.

Pure. The cumulative column holds cumulative values (SIPp shows the periodic ones twice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sipreplay.compat.screens import CIRCUITS, REPARTITION, STATISTICS, VARIABLES, WIDTH, View, framed
from sipreplay.dumps.stat import scenario_counters, scenario_rtds
from sipreplay.dumps.times import duration, timestamp
from sipreplay.scenario import model
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Histogram, Repartition

_RULE = "-------------------------+---------------------------+--------------------------"


def statistics_screen(view: View, statistics: CallStatistics, wall: float, last_line: str) -> str:
    """Screen 2: counters of the last period and of the whole run."""
    before = view.previous
    period, total = max(wall - view.previous_wall, 0.0), max(wall - view.started, 0.0)
    out = []
    for name, moment in (
        ("Start Time", view.started),
        ("Last Reset Time", view.previous_wall),
        ("Current Time", wall),
    ):
        out.append(f"  {name:<23}| {timestamp(moment)}")
    out += [_RULE, "  Counter Name           | Periodic value            | Cumulative value", _RULE]
    out.append(_counter("Elapsed Time", duration(period * 1e6), duration(total * 1e6)))
    rates = [
        f"{calls / seconds if seconds > 0 else 0.0:8.3f} cps"
        for calls, seconds in ((statistics.created - before.created, period), (statistics.created, total))
    ]
    out += [_counter("Call Rate", *rates), _RULE]
    for name, now, then in (
        ("Incoming calls created", statistics.incoming, before.incoming),
        ("Outgoing calls created", statistics.outgoing, before.outgoing),
    ):
        out.append(_both(name, now, then))
    out.append(_counter("Total Calls created", "", f"{statistics.created:8d}"))
    out += [_counter("Current Calls", f"{statistics.current:8d}", ""), _RULE]
    counters = scenario_counters(view.scenario)
    for name in counters:
        values = statistics.generic_counters.get(name, 0), before.generic_counters.get(name, 0)
        out.append(_both(f"Counter {name}"[:22], *values))
    if counters:
        out.append(_RULE)
    out.append(_both("Successful call", statistics.successful, before.successful))
    out += [_both("Failed call", statistics.failed, before.failed), _RULE]
    empty = Histogram()
    for rtd in scenario_rtds(view.scenario):
        now_times = statistics.response_times.get(rtd, empty)
        out.append(_times(f"Response Time {rtd}", now_times, before.response_times.get(rtd, empty)))
    out.append(_times("Call Length", statistics.call_length, before.call_length))
    return framed(STATISTICS, out, view, last_line)


def repartition_screen(view: View, statistics: CallStatistics, last_line: str, screen: int = REPARTITION) -> str:
    """Screen 3: how the first response time and the lengths of calls are distributed; 6 to 9: response times 2 to 5."""
    number = 1 if screen == REPARTITION else screen - 4
    rtds = scenario_rtds(view.scenario)
    name = rtds[number - 1] if number <= len(rtds) else ""
    out = [f"  Average Response Time Repartition {name or number}", *_bins(statistics.response_bins.get(name))]
    if screen == REPARTITION:
        out += ["  Average Call Length Repartition", *_bins(statistics.call_length_bins)]
    return framed(screen, out, view, last_line)


def variables_screen(view: View, last_line: str) -> str:
    """Screen 4: the actions of each message."""
    out = ["Action defined Per Message :"]
    kinds: dict[type[model.Element], str] = {
        model.Recv: " (Receive Message)",
        model.RecvCommand: " (Receive Command Message)",
    }
    for index, element in enumerate(view.scenario.elements):
        if element.actions:
            kind = kinds.get(type(element), "")
            out.append(f"=> Message[{index}]{kind} - [{len(element.actions)}] action(s) defined :")
            out += [f"   --> action[{n}] = {_described(action)}"[:WIDTH] for n, action in enumerate(element.actions)]
    if len(out) == 1:
        out.append("=> No action found on any messages")
    return framed(VARIABLES, [*out, ""], view, last_line)


def circuits_screen(view: View, taken: Sequence[bool], width: int, last_line: str) -> str:
    """Screen 5: the circuits of -tdmmap, `*` for one in use, `width` of them a row."""
    marks = "".join("*" if used else "." for used in taken)
    rows = [marks[start : start + width][:WIDTH] for start in range(0, len(marks), max(width, 1))]
    share = 100 * sum(taken) // len(taken) if taken else 0
    out = ["TDM Circuits in use:", *rows, "", f"{sum(taken)}/{len(taken)} circuits ({share}%) in use", ""]
    return framed(CIRCUITS, out, view, last_line)


def _described(action: model.Action) -> str:
    """`ereg regexp=..., search_in=msg, ...`: what the scenario says."""
    said = []
    for item in fields(action):
        value = getattr(action, item.name)
        if item.name == "line" or value in ("", None, False):
            continue
        said.append(f"{item.name}={','.join(value) if isinstance(value, tuple) else value}")
    return f"{type(action).__name__.lower()} {' '.join(said)}".replace("\n", " ").rstrip()


def _bins(bins: Repartition | None) -> Sequence[str]:
    if bins is None or not bins.bounds:
        return ["    <No repartion defined>"]
    out, low = [], 0
    for bound, count in zip(bins.bounds, bins.counts, strict=False):
        out.append(f"    {low:>10} ms <= n < {bound:>10} ms : {count:>10}")
        low = bound
    return [*out, f"    {'n >=':>19} {low:>10} ms : {bins.counts[-1]:>10}"]


def _both(name: str, now: int, then: int) -> str:
    return _counter(name, f"{now - then:8d}", f"{now:8d}")


def _counter(name: str, periodic: str, cumulative: str) -> str:
    return f"  {name:<23}| {periodic:<26}| {cumulative:<25}".rstrip()


def _times(name: str, now: Histogram, before: Histogram) -> str:
    count, total = now.count - before.count, now.total - before.total
    return _counter(name, duration(total / count if count else 0), duration(now.mean))
