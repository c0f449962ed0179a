"""The summary of a run for a terminal or a pipe. `run_json` has the same numbers as JSON.

One list of styled lines is made once; a terminal gets it with colours, a pipe as plain text.
It prints and never judges: the verdict comes with the RunSummary.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TextIO

from sipreplay.media.results import MediaSummary
from sipreplay.report.failures import cause_text, failure_counts, failure_examples
from sipreplay.report.lines import Line, Span, dotted, plain_text, width_of, wrapped, write_lines
from sipreplay.report.model import (
    FAILED,
    INVALID,
    PASSED,
    PERCENTILES,
    RunSummary,
    ScenarioResult,
    milliseconds,
    time_rows,
)
from sipreplay.report.words import clip, count, duration_ms, duration_s, percent, plural, printable, rate, size
from sipreplay.stats.calls import FailureExample
from sipreplay.stats.histogram import Histogram

_VERDICT_STYLE = {PASSED: "good", FAILED: "bad", INVALID: "bad"}
_LABEL = 13
MAX_FAILURES = 20
MAX_ARTEFACTS = 8
MAX_SCENARIOS = 30


def summary_lines(summary: RunSummary, width: int = 120) -> list[Line]:
    """All lines of the summary, verdict last. `width` only bounds what is free text."""
    lines: list[Line] = [_title(summary), []]
    lines.append(_calls(summary))
    lines.append(_rate(summary))
    lines += _scenarios(summary)
    lines += _times(summary, width)
    lines += _signalling(summary)
    if summary.media is not None:
        lines += _media(summary, summary.media)
    lines += _sockets(summary)
    lines.append(_generator(summary))
    lines += _failures(summary, width)
    if summary.notes:
        lines.append([])
        lines += [_row("Note" if index == 0 else "", [(note, "")]) for index, note in enumerate(summary.notes)]
    lines += _artefacts(summary)
    lines.append([])
    lines += _verdict(summary)
    return [part for line in lines for part in wrapped(line, width)]


def summary_text(summary: RunSummary, width: int = 120) -> str:
    """The summary as plain text, ending with a newline."""
    return plain_text(summary_lines(summary, width))


def print_summary(summary: RunSummary, stream: TextIO) -> None:
    """Write the summary: with colours on a terminal, plain otherwise."""
    write_lines(summary_lines(summary, width_of(stream)), stream)


def _row(label: str, spans: Line) -> Line:
    return [(f"  {label:<{_LABEL}}", "head"), *spans]


def _title(summary: RunSummary) -> Line:
    against = f"against {summary.target}" if summary.target else "both sides on loopback"
    return [
        (printable(summary.name), "bold"),
        (f"  {against}, {summary.transport}, {duration_s(summary.wall_s)}", "dim"),
    ]


def _calls(summary: RunSummary) -> Line:
    uac = summary.uac
    made = f"{count(uac.created)} made"
    if summary.wanted_calls is not None and uac.created < summary.wanted_calls:
        made += f" of {count(summary.wanted_calls)}"
    parts: list[str | Span] = [
        made,
        (
            f"{count(uac.successful)} passed ({percent(uac.successful, summary.finished)})",
            "good" if uac.successful else "",
        ),
        (f"{count(uac.failed)} failed", "bad" if uac.failed else ""),
    ]
    limit = "" if summary.limit is None else f" (limit {count(summary.limit)})"
    parts.append(
        (f"{count(uac.not_started)} not started{limit if uac.not_started else ''}", "warn" if uac.not_started else "")
    )
    parts.append(f"at most {count(uac.peak)} at once")
    if uac.current:
        parts.append((f"{count(uac.current)} still open", "warn"))
    return _row("Calls", dotted(*parts))


def _rate(summary: RunSummary) -> Line:
    if summary.users is not None:
        return _row(
            "Rate",
            dotted(
                f"{plural(summary.users, 'user')} kept calling", f"{rate(summary.achieved_rate_cps)} calls/s came of it"
            ),
        )
    held = summary.wanted_rate_cps <= 0 or summary.achieved_rate_cps >= 0.98 * summary.wanted_rate_cps
    share = rate_share(summary)
    return _row(
        "Rate",
        dotted(
            (f"{rate(summary.achieved_rate_cps)} calls/s achieved", "" if held else "warn"),
            f"{rate(summary.wanted_rate_cps)} calls/s wanted ({share})",
            f"{duration_s(summary.generating_s)} of starting calls",
        ),
    )


def rate_share(summary: RunSummary) -> str:
    """The achieved rate in percent of the wanted one, to three figures."""
    if summary.wanted_rate_cps <= 0:
        return "-"
    return f"{100 * summary.achieved_rate_cps / summary.wanted_rate_cps:.3g} %"


def _scenarios(summary: RunSummary) -> Iterator[Line]:
    if len(summary.scenarios) <= 2:
        return
    yield []
    names = max(len(clip(printable(s.name), 40)) for s in summary.scenarios[:MAX_SCENARIOS])
    yield [(f"  {'Scenario':<{_LABEL + names}}  role {'calls':>9} {'passed':>9} {'failed':>9}", "head")]
    for scenario in summary.scenarios[:MAX_SCENARIOS]:
        statistics = scenario.statistics
        yield [
            (f"  {clip(printable(scenario.name), 40):<{_LABEL + names}}  {scenario.role:<4}", ""),
            (f" {count(statistics.created):>9} {count(statistics.successful):>9}", ""),
            (f" {count(statistics.failed):>9}", "bad" if statistics.failed else ""),
        ]
    if len(summary.scenarios) > MAX_SCENARIOS:
        yield [(f"  and {len(summary.scenarios) - MAX_SCENARIOS} more, in the JSON", "dim")]


def _times(summary: RunSummary, width: int) -> Iterator[Line]:
    rows = time_rows(summary.uac)
    if not rows:
        return
    yield []
    names = max(len(row.name) for row in rows)
    head = "".join(f"{f'p{percentile}':>11}" for percentile in PERCENTILES)
    yield [(f"  {'Time':<{max(_LABEL, names + 2)}}{head}{'max':>11}{'mean':>11}{'count':>10}", "head")]
    for row in rows:
        cells = [*row.percentiles_ms(), milliseconds(row.histogram.maximum), milliseconds(row.histogram.mean)]
        text = "".join(f"{duration_ms(cell):>11}" for cell in cells)
        numbers = f"  {row.name:<{max(_LABEL, names + 2)}}{text}{count(row.histogram.count):>9}"
        what = f"   {row.what}"
        yield [(numbers, ""), (what if len(numbers) + len(what) <= width else "", "dim")]
    yield []


def _signalling(summary: RunSummary) -> Iterator[Line]:
    uac, uas = summary.uac, summary.uas
    retransmissions = uac.retransmissions + (uas.retransmissions if uas else 0)
    parts: list[str | Span] = [
        (plural(retransmissions, "retransmission"), "warn" if retransmissions else ""),
        plural(uac.out_of_call, "message outside any call", "messages outside any call"),
    ]
    if uac.dead_call:
        parts.append((plural(uac.dead_call, "message for an ended call", "messages for ended calls"), "warn"))
    if uac.auto_answered:
        parts.append(f"{count(uac.auto_answered)} answered automatically")
    yield _row("Signalling", dotted(*parts))
    if uas is not None:
        yield _row(
            "Callee side",
            dotted(
                f"{plural(uas.created, 'call')} arrived",
                f"{count(uas.successful)} passed",
                (f"{count(uas.failed)} failed", "bad" if uas.failed else ""),
            ),
        )


def spread_text(histogram: Histogram) -> str:
    """p50, p99 and maximum of a histogram of microseconds."""
    if not histogram.count:
        return "not measured"
    median, high = (duration_ms(milliseconds(histogram.percentile(p))) for p in (50, 99))
    return f"p50 {median}, p99 {high}, max {duration_ms(milliseconds(histogram.maximum))}"


SCHEDULING = {
    "fifo": "real-time scheduling (SCHED_FIFO)",
    "nice": "raised priority (nice)",
    "normal": "ordinary scheduling",
}
"""The media process's scheduling class, in words."""


def _media(summary: RunSummary, media: MediaSummary) -> Iterator[Line]:
    sent: list[str | Span] = [f"{plural(media.sent_packets, 'packet')} in {plural(media.streams, 'stream')}"]
    if media.lateness_us.count:
        sent.append(f"late {spread_text(media.lateness_us)}")
    if media.send_errors:
        sent.append((f"{count(media.send_errors)} refused by the kernel", "bad"))
    if media.scheduling:
        sent.append(SCHEDULING.get(media.scheduling, media.scheduling))
    yield _row("RTP sent", dotted(*sent))
    planted = ((media.planted_lost, "lost"), (media.planted_reordered, "sent after their successors"))
    if any(number for number, _ in planted):
        yield _row("", dotted(*(f"{plural(number, 'packet')} {what} on purpose" for number, what in planted if number)))
    if media.echoed_packets:
        yield _row("", dotted(f"{plural(media.echoed_packets, 'packet')} sent back to where they came from"))
    for number, what in (
        (media.no_destination, "streams had no usable address in the peer's SDP"),
        (media.refused_ports, "streams had no port to send from"),
        (media.queue_overflows, "commands did not fit the queue"),
        (media.unplayable, "streams had a file that could not be read"),
    ):
        if number:
            yield _row("", [(f"{count(number)} {what}", "bad")])
    got: list[str | Span] = [
        f"{plural(media.received_packets, 'packet')} on {plural(media.loss_ppm.count, 'port')}",
        (f"{count(media.lost)} lost ({percent(max(media.lost, 0), media.expected)})", "bad" if media.lost > 0 else ""),
    ]
    if media.captured_lost:
        got.append(f"{count(media.captured_lost)} missing in the capture too")
    if media.duplicates or media.reordered:
        got.append((f"{count(media.duplicates)} duplicate, {count(media.reordered)} out of order", "warn"))
    if media.jitter_us.count:
        got.append(f"jitter {spread_text(media.jitter_us)}")
    if media.mos_milli.count:
        median, least = media.mos_milli.percentile(50) / 1000, media.mos_milli.minimum / 1000
        got.append(f"MOS p50 {median:.2f}, least {least:.2f}")
    yield _row("RTP received", dotted(*got))
    if media.sent_reports or media.round_trip_us.count:
        told: list[str | Span] = [f"{count(media.sent_reports)} reports sent, {count(media.rtcp_packets)} received"]
        if media.round_trip_us.count:
            told.append(f"round trip {spread_text(media.round_trip_us)}")
        yield _row("RTCP", dotted(*told))
    if summary.calls_silent:
        expecting = count(summary.calls_expecting_media)
        text = f"{count(summary.calls_silent)} of {expecting} calls that expect RTP received none"
        yield _row("", [(text, "bad")])


def _sockets(summary: RunSummary) -> Iterator[Line]:
    uac, uas = summary.uac, summary.uas
    dropped = uac.datagrams_dropped + (uas.datagrams_dropped if uas else 0)
    label = "Sockets"
    if uac.receive_buffer or dropped:
        yield _row(label, _socket_line("signalling", uac.receive_buffer, uac.send_buffer, dropped))
        label = ""
    media = summary.media
    if media is not None and (media.receive_buffer or media.dropped):
        yield _row(label, _socket_line("media", media.receive_buffer, 0, media.dropped))


def _socket_line(what: str, receive: int, send: int, dropped: int) -> Line:
    return dotted(
        f"{what} buffers {size(receive)} receive" + (f", {size(send)} send" if send else ""),
        (f"{plural(dropped, 'datagram')} dropped", "bad" if dropped else ""),
    )


def _generator(summary: RunSummary) -> Line:
    uac = summary.uac
    parts: list[str | Span] = [f"calls started late {spread_text(uac.start_lateness)}"]
    if uac.loop_lateness.count:
        parts.append(f"timers late p99 {duration_ms(milliseconds(uac.loop_lateness.percentile(99)))}")
    if summary.lateness_limit_ms:
        parts.append(f"limit {duration_ms(summary.lateness_limit_ms)}")
    if summary.wall_s > 0 and uac.busy_seconds:
        parts.append(f"CPU {percent(uac.busy_seconds, summary.wall_s)} of a core")
    return _row("Generator", dotted(*parts))


def _failures(summary: RunSummary, width: int) -> Iterator[Line]:
    for side in summary.sides():
        if not side.statistics.failed:
            continue
        yield []
        title = f"Failed, {side.role}" + (f" {printable(side.name)}" if summary.scenarios else "")
        yield [(f"  {title}", "head")]
        yield from _side_failures(side, width)


def _side_failures(side: ScenarioResult, width: int) -> Iterator[Line]:
    examples = failure_examples(side.statistics)
    shown = 0
    for reason, number in failure_counts(side.statistics):
        yield [(f"  {count(number):>6} × ", "bad"), (cause_text(reason), "bold")]
        for example in (e for e in examples if e.cause == reason):
            shown += 1
            if shown > MAX_FAILURES:
                break
            yield from _example(example, width)
    if shown > MAX_FAILURES:
        yield [
            (f"           {plural(len(examples) - MAX_FAILURES, 'more way', 'more ways')} to fail, in the JSON", "dim")
        ]


def _example(example: FailureExample, width: int) -> Iterator[Line]:
    room = max(width - 11, 40)
    at = f"{count(example.count)} at step {example.step}: " if example.count else f"step {example.step}: "
    text = f"{at}expected {printable(example.expected)}, got {printable(example.got) or 'nothing'}"
    for part in textwrap.wrap(text, room):
        yield [(f"           {part}", "")]
    where = " · ".join(
        part
        for part in (printable(example.note), f"Call-ID {printable(example.call_id)}" if example.call_id else "")
        if part
    )
    if where:
        yield [(f"           {clip(where, room)}", "dim")]


def _artefacts(summary: RunSummary) -> Iterator[Line]:
    """The files a reader opens, by name; what tools read is only counted."""
    if not summary.artefacts:
        return
    yield []
    told = [a for a in summary.artefacts if not a.path.endswith((".csv", ".log", ".svg"))][:MAX_ARTEFACTS]
    widest = max((len(artefact.path) for artefact in told), default=0)
    label = "Report"
    for artefact in told:
        yield _row(label, [(f"{artefact.path:<{widest}}", ""), (f"  {artefact.what}", "dim")])
        label = ""
    rest = len(summary.artefacts) - len(told)
    if rest:
        yield _row(label, [(f"and {plural(rest, 'more file')}: dumps, logs, charts", "dim")])


def _verdict(summary: RunSummary) -> Iterator[Line]:
    style = _VERDICT_STYLE.get(summary.verdict, "warn")
    first, rest = (summary.reasons[0], summary.reasons[1:]) if summary.reasons else ("", [])
    yield [
        (f"  {summary.verdict.upper()}", style),
        (f"  {printable(first)}" if first else "", ""),
        (f"  (exit code {summary.exit_code})", "dim"),
    ]
    for reason in rest:
        yield [(f"  {'':<{len(summary.verdict)}}  {printable(reason)}", "")]
