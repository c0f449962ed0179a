"""SIPp's scenario screen as text, and what all screens share: titles, last lines, the last error.

Pure: values in, lines out. Eighty columns, SIPp's words, the layout of current SIPp (with an index before each row).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sipreplay.scenario import model
from sipreplay.scenario.keywords import compile_text, sent_kind
from sipreplay.stats.calls import CallStatistics, StepCounters

WIDTH = 79
SCENARIO, STATISTICS, REPARTITION, VARIABLES, CIRCUITS = 1, 2, 3, 4, 5
"""Keys of the screens; 6 to 9 are the repartitions of response times 2 to 5."""
_TITLES = {
    SCENARIO: "------------------------------ Scenario Screen -------- [1-9]: Change Screen --",
    STATISTICS: "----------------------------- Statistics Screen ------- [1-9]: Change Screen --",
    REPARTITION: "---------------------------- Repartition Screen ------- [1-9]: Change Screen --",
    VARIABLES: "----------------------------- Variables Screen -------- [1-9]: Change Screen --",
    CIRCUITS: "------------------------------ TDM map Screen --------- [1-9]: Change Screen --",
}
TERMINATED = "------------------------------ Test Terminated --------------------------------"
SERVER_MODE = "------------------------------ SIPp Server Mode -------------------------------"
CLIENT_MODE = "------ [+|-|*|/]: Adjust rate ---- [q]: Soft exit ---- [p]: Pause traffic -----"
WAITING = "------- Waiting for active calls to end. Press [q] again to force exit. -------"
PAUSED = "----------------- Traffic Paused - Press [p] again to resume ------------------"
CONGESTED = "------------------------------ OUTBOUND CONGESTION -----------------------------"
_ERROR_SHOWN = 60


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
    running: int = 0
    """Open calls that wait for a message."""
    paused: int = 0
    """Open calls that pause."""
    woken: int = 0
    """Timers that ran out since `previous_wall`."""
    sockets: int = 1
    errors: tuple[int, int, int] = (0, 0, 0)
    """Of sockets: sending, receiving, no room."""
    auto_answer: bool = False
    hidden: bool = True
    """Whether messages marked `hide` are left out."""
    last_error: str = ""


def framed(screen: int, lines: list[str], view: View, last_line: str) -> str:
    """A whole screen: title, lines, the last error but at the end of a test, last line."""
    title = _TITLES.get(screen) or (
        f"--------------------------- Repartition {screen - 4} Screen ------ [1-9]: Change Screen --"
    )
    out = [title, *lines]
    if view.last_error and last_line != TERMINATED:
        error = " ".join(view.last_error.split("\n", 1)[0].split("\r", 1)[0].split())
        out.append(f"Last Error: {error[:_ERROR_SHOWN]}..." if len(error) > _ERROR_SHOWN else f"Last Error: {error}")
    return "\n".join([*out, last_line]) + "\n"


def scenario_screen(view: View, statistics: CallStatistics, wall: float, last_line: str) -> str:
    """Screen 1: rate, calls, and one row a message."""
    client = view.scenario.is_client
    out = [*_head(view, statistics, wall), ""]
    period_s = max(wall - view.previous_wall, 0.0)
    new_calls = statistics.created - view.previous.created
    first = f"{max(new_calls, 0)} new calls during {period_s:.3f} s period"
    if view.calls is not None and statistics.created >= view.calls:
        first = f"Call limit {view.calls} hit, {period_s:.1f} s period"
    late, before = statistics.loop_lateness, view.previous.loop_lateness
    timers = late.count - before.count
    resolution_ms = (late.total - before.total) // timers // 1000 if timers > 0 else 0
    out.append(_pair(first, f"{resolution_ms} ms scheduler resolution"))
    limit = f" (limit {view.limit})" if client and view.limit else ""
    out.append(
        _pair(f"{statistics.current} calls{limit}", f"Peak was {statistics.peak} calls, after {view.peak_at:.0f} s")
    )
    out.append(f"  {view.running} Running, {view.paused} Paused, {view.woken} Woken up")
    out.append(
        _pair(
            f"{statistics.dead_call} dead call msg (discarded)",
            f"{statistics.out_of_call} out-of-call msg (discarded)" if client else "",
        )
    )
    if view.auto_answer or statistics.auto_answered:
        out.append(f"  {statistics.auto_answered} requests auto-answered")
    errors = "/".join(map(str, view.errors))
    out.append(_pair(f"{view.sockets} open sockets", f"{errors} {view.transport} errors (send/recv/cong)"))
    if statistics.not_started or statistics.datagrams_dropped:
        dropped = f"{statistics.datagrams_dropped} datagrams dropped by the system"
        out.append(_pair(f"{statistics.not_started} calls not started (limit)", dropped))
    if view.media:
        out.append(f"  {view.media}")
    return framed(SCENARIO, [*out, "", *_rows(view, statistics)], view, last_line)


def _head(view: View, statistics: CallStatistics, wall: float) -> list[str]:
    """The two lines on rate, port, time and peer."""
    total_s = max(wall - view.started, 0.0)
    counts = f"{view.local_port:<5} {total_s:9.2f} s     {statistics.created:8}"
    if not view.scenario.is_client:
        return ["  Port   Total-time  Total-calls  Transport", f"  {counts}  {view.transport}"]
    host, _, port = view.remote.rpartition(":")
    peer = f"{host[:20]}:{port}({view.transport})"
    if view.users is not None:
        return [
            "  Users (length)   Port   Total-time  Total-calls  Remote-host",
            f"  {view.users} ({view.pause_ms} ms)   {counts}  {peer}"[:WIDTH],
        ]
    rate = f"{view.rate_cps * view.period_ms / 1000:3.1f}({view.pause_ms} ms)/{view.period_ms / 1000:5.3f}s"
    return [
        "  Call rate (length)   Port   Total-time  Total-calls  Remote-host",
        f"  {rate}   {counts}  {peer}"[:WIDTH],
    ]


def failures(statistics: CallStatistics) -> str:
    """Why calls failed, one line a reason; "" if none did."""
    lines = [f"  Failed{reason}: {count}" for reason, count in statistics.failures.items() if count]
    return "\n".join(lines) + "\n" if lines else ""


def _pair(left: str, right: str) -> str:
    return f"  {left:<38.38}  {right:.37}".rstrip()


def has_losses(scenario: model.Scenario) -> bool:
    """Whether losses have their own column."""
    return any(element.lost is not None for element in scenario.elements)


def _rows(view: View, statistics: CallStatistics) -> list[str]:
    """The header and one row a message that is not hidden."""
    losses = has_losses(view.scenario)
    columns = (
        ("Messages", "Retrans", "Timeout", "Unexp.", "Lost")
        if losses
        else ("Messages", "Retrans", "Timeout", "Unexpected-Msg")
    )
    out = [" " * 36 + "  ".join(f"{name:<8}" for name in columns).rstrip()]
    for index, element in enumerate(view.scenario.elements):
        counters = statistics.steps[index] if index < len(statistics.steps) else StepCounters()
        if not (element.hide and view.hidden):
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
        text, name = f"[{pause_text(element, view.pause_ms):>9}]", "Pause"
        left = f"{name:>12} {text}" if client else f"  {text} {name}"
        return f"{left:<33}" + _cells([counters.messages, None, None, counters.unexpected, None])
    if isinstance(element, model.SendCommand):
        return f"{'        [ Sent Command ]':<33}" + _cells([counters.messages, None, None, None, None])
    if isinstance(element, model.RecvCommand):
        return f"{'    [ Received Command ]':<33}" + _cells([counters.messages, None, None, None, None])
    if element.display:
        return f" {element.display[: WIDTH - 4]}"
    return "              [ NOP ]" if client else "  [ NOP ]"


def pause_text(pause: model.Pause, default_ms: int) -> str:
    """Length of a pause as the screens say it."""
    if pause.variable:
        return f"${pause.variable}"
    if pause.distribution is not None:
        short = {"lognormal": "LN", "weibull": "Wb", "pareto": "P", "gamma": "G", "negbin": "NB"}
        name, values = pause.distribution.name, [value for _, value in pause.distribution.parameters]
        if name == "fixed":
            return time_text(values[0])
        if name == "uniform":
            return f"{time_text(values[0])}/{time_text(values[1])}"
        if name in ("normal", "exponential"):
            return f"{'N' if name == 'normal' else 'Exp'}({','.join(map(time_text, values))})"
        return f"{short.get(name, name)}({','.join(f'{value:g}' for value in values)})"
    return time_text(default_ms if pause.milliseconds is None else pause.milliseconds)


def time_text(milliseconds: float) -> str:
    """`100ms`, `12.5s` or `2:05`."""
    if milliseconds < 10_000:
        return f"{milliseconds:.0f}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}s"
    return f"{int(milliseconds // 60_000)}:{int(milliseconds // 1000 % 60):02d}"


def _cells(cells: list[int | None]) -> str:
    return "".join(f"{'' if cell is None else cell:<10}" for cell in cells).rstrip()
