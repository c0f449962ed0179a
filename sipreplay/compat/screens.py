"""SIPp's screens as text: scenario and statistics, for the terminal while a run goes and for its end.

Pure: values in, lines out. Eighty columns, SIPp's words; the cumulative column holds cumulative values (SIPp shows
the periodic ones twice).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sipreplay.dumps.stat import scenario_rtds
from sipreplay.dumps.times import duration, timestamp
from sipreplay.scenario import model
from sipreplay.scenario.keywords import compile_text, sent_kind
from sipreplay.stats.calls import CallStatistics, StepCounters
from sipreplay.stats.histogram import Histogram

_RULE = "-------------------------+---------------------------+--------------------------"
_SCENARIO_TITLE = "------------------------------ Scenario Screen -------- [1-9]: Change Screen --"
_STATISTICS_TITLE = "----------------------------- Statistics Screen ------- [1-9]: Change Screen --"
TERMINATED = "------------------------------ Test Terminated --------------------------------"
SERVER_MODE = "------------------------------ SIPp Server Mode -------------------------------"
CLIENT_MODE = "------------------- sipreplay sipp: Ctrl-C once for a soft exit ---------------"
WAITING = "------- Waiting for active calls to end. Press Ctrl-C again to force exit. ----"


@dataclass(slots=True)
class View:
    """What the screens show, beside the counters."""

    scenario: model.Scenario
    rate_cps: float
    period_ms: float
    pause_ms: int
    users: int | None
    limit: int
    calls: int | None
    remote: str
    """host:port of the peer, for clients."""
    transport: str
    local_port: int = 0
    started: float = 0.0
    """Seconds since 1970."""
    peak_at: float = 0.0
    """Seconds after the start."""
    previous: CallStatistics = field(default_factory=CallStatistics)
    """Counters at the last periodic row."""
    previous_wall: float = 0.0
    keys: dict[str, str] = field(default_factory=dict)
    media: str = ""
    """A line on RTP, "" without media."""


def scenario_screen(view: View, statistics: CallStatistics, wall: float, last_line: str) -> str:
    """Screen 1: rate, calls, and one row a message."""
    total_s = max(wall - view.started, 0.0)
    out = [_SCENARIO_TITLE]
    client = view.scenario.is_client
    length = f"{view.pause_ms} ms"
    if client:
        period = f"{view.period_ms / 1000:.3f}s"
        head = "Users (length)" if view.users is not None else "Call rate (length)"
        rate = (
            f"{view.users}({length})"
            if view.users is not None
            else f"{view.rate_cps * view.period_ms / 1000:.1f}({length})/{period}"
        )
        out.append(f"  {head}   Port   Total-time  Total-calls  Remote-host")
        out.append(
            f"  {rate:<{len(head)}}   {view.local_port:<5}  {total_s:8.2f} s  {statistics.created:>11}  "
            f"{view.remote}({view.transport})"
        )
    else:
        out.append("  Port   Total-time  Total-calls  Transport")
        out.append(f"  {view.local_port:<5}  {total_s:8.2f} s  {statistics.created:>11}  {view.transport}")
    out.append("")
    period_s = max(wall - view.previous_wall, 0.0)
    new_calls = statistics.created - view.previous.created
    first = f"{new_calls} new calls during {period_s:.3f} s period"
    if view.calls is not None and statistics.created >= view.calls:
        first = f"Call limit {view.calls} hit, {period_s:.1f} s period"
    limit = f" (limit {view.limit})" if client and view.limit else ""
    out.append(_pair(first, "1 ms scheduler resolution"))
    out.append(
        _pair(f"{statistics.current} calls{limit}", f"Peak was {statistics.peak} calls, after {view.peak_at:.0f} s")
    )
    out.append(
        _pair(
            f"{statistics.dead_call} dead call msg (discarded)",
            f"{statistics.out_of_call} out-of-call msg (discarded)" if client else "",
        )
    )
    dropped = f"{statistics.datagrams_dropped} datagrams dropped by the system"
    out.append(_pair(f"{statistics.not_started} calls not started (limit)" if client else "", dropped))
    if view.media:
        out.append(f"  {view.media}")
    out += ["", *_rows(view, statistics), last_line]
    return "\n".join(out) + "\n"


def statistics_screen(view: View, statistics: CallStatistics, wall: float, last_line: str) -> str:
    """Screen 2: counters of the last period and of the whole run."""
    before = view.previous
    period, total = max(wall - view.previous_wall, 0.0), max(wall - view.started, 0.0)
    out = [_STATISTICS_TITLE]
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
        out.append(_counter(name, f"{now - then:8d}", f"{now:8d}"))
    out.append(_counter("Total Calls created", "", f"{statistics.created:8d}"))
    out += [_counter("Current Calls", f"{statistics.current:8d}", ""), _RULE]
    for name, now, then in (
        ("Successful call", statistics.successful, before.successful),
        ("Failed call", statistics.failed, before.failed),
    ):
        out.append(_counter(name, f"{now - then:8d}", f"{now:8d}"))
    out.append(_RULE)
    empty = Histogram()
    for rtd in scenario_rtds(view.scenario):
        now_times = statistics.response_times.get(rtd, empty)
        out.append(_times(f"Response Time {rtd}", now_times, before.response_times.get(rtd, empty)))
    out.append(_times("Call Length", statistics.call_length, before.call_length))
    out.append(last_line)
    return "\n".join(out) + "\n"


def failures(statistics: CallStatistics) -> str:
    """Why calls failed, one line a reason; "" if none did."""
    lines = [f"  Failed{reason}: {count}" for reason, count in statistics.failures.items() if count]
    return "\n".join(lines) + "\n" if lines else ""


def _pair(left: str, right: str) -> str:
    return f"  {left:<40}{right}".rstrip()


def _counter(name: str, periodic: str, cumulative: str) -> str:
    return f"  {name:<23}| {periodic:<26}| {cumulative:<25}".rstrip()


def _times(name: str, now: Histogram, before: Histogram) -> str:
    count, total = now.count - before.count, now.total - before.total
    return _counter(name, duration(total / count if count else 0), duration(now.mean))


def _rows(view: View, statistics: CallStatistics) -> list[str]:
    """The header and one row a message that is not hidden."""
    losses = any(element.lost is not None for element in view.scenario.elements)
    columns = (
        ("Messages", "Retrans", "Timeout", "Unexp.", "Lost")
        if losses
        else ("Messages", "Retrans", "Timeout", "Unexpected-Msg")
    )
    out = [" " * 36 + "  ".join(f"{name:<8}" for name in columns).rstrip()]
    for index, element in enumerate(view.scenario.elements):
        counters = statistics.steps[index] if index < len(statistics.steps) else StepCounters()
        if not element.hide:
            out.append(f"{index:<2}:" + _row(element, counters, view, losses))
        if element.crlf:
            out.append("")
    return out


def _row(element: model.Element, counters: StepCounters, view: View, losses: bool) -> str:
    client = view.scenario.is_client
    mark = f"  B-RTD{element.start_rtd} " if element.start_rtd else f"  E-RTD{element.rtd} " if element.rtd else ""
    cells: list[int | None] = [counters.messages, None, None, None, None]
    if isinstance(element, model.Send):
        method, code = sent_kind(compile_text(element.text, message=True, keys=view.keys))
        name, to_peer = method or str(code), True
        cells[1] = counters.retransmissions
        cells[2] = counters.timeouts if element.retrans_ms else None
    elif isinstance(element, model.Recv):
        name, to_peer = element.request or element.response, False
        cells[1], cells[2], cells[3] = counters.retransmissions, counters.timeouts, counters.unexpected
    else:
        return _other(element, counters, view)
    cells[4] = counters.lost if losses else None
    arrow = "---------->" if to_peer == client else "<----------"
    left = f"{name[:12]:>12} {arrow}" if client else f"  {arrow} {name[:10]:<10}"
    return f"{left}{mark[:9]:<9}" + _cells(cells)


def _other(element: model.Element, counters: StepCounters, view: View) -> str:
    client = view.scenario.is_client
    if isinstance(element, model.Pause):
        text, name = f"[{_pause_text(element, view.pause_ms):>9}]", "Pause"
        left = f"{name:>12} {text}" if client else f"  {text} {name}"
        return f"{left:<33}" + _cells([counters.messages, None, None, counters.unexpected, None])
    text = element.display or "[ NOP ]"
    return f"{text[:24]:>24}" if client else f"  {text[:30]}"


def _pause_text(pause: model.Pause, default_ms: int) -> str:
    if pause.variable:
        return f"${pause.variable}"
    if pause.distribution is not None:
        short = {"normal": "N", "lognormal": "LN", "exponential": "Exp", "weibull": "Wb", "pareto": "P", "gamma": "G"}
        name, values = pause.distribution.name, [value for _, value in pause.distribution.parameters]
        if name == "fixed":
            return f"{values[0]:g}ms"
        if name == "uniform":
            return f"{values[0]:g}/{values[1]:g}ms"
        return f"{short.get(name, name)}({','.join(f'{value:g}' for value in values)})"
    return f"{default_ms if pause.milliseconds is None else pause.milliseconds}ms"


def _cells(cells: list[int | None]) -> str:
    return "".join(f"{'' if cell is None else cell:<10}" for cell in cells).rstrip()
