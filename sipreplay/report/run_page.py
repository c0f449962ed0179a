"""The page of a run (`report.html`): verdict, key numbers, failures, charts, media, a call's ladder, how it was run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sipreplay.media.results import MediaSummary
from sipreplay.report.failures import cause_text, failure_counts, failure_examples
from sipreplay.report.html import Fact, Tile, picture, render
from sipreplay.report.ladder import Ladder
from sipreplay.report.ladder_svg import ladder_svg
from sipreplay.report.model import PERCENTILES, RunSummary, milliseconds, time_rows
from sipreplay.report.plots import Panel, distributions_svg, samples_svg, statistics_svg
from sipreplay.report.series import Samples, Statistics, distribution_of_histogram
from sipreplay.report.summary import SCHEDULING, rate_share, spread_text
from sipreplay.report.words import count, duration_ms, duration_s, percent, plural, rate, size, utc
from sipreplay.stats.histogram import Histogram

MAX_FAILURES = 100


def run_page(
    summary: RunSummary,
    *,
    statistics: Sequence[Statistics] = (),
    samples: Sequence[Samples] = (),
    ladder: Ladder | None = None,
    ladder_title: str = "One call",
) -> str:
    """The page as HTML. `statistics` and `samples`: the run's own dumps (`plots.load_dumps`), for charts over time."""
    failures, hidden = _failures(summary)
    return render(
        "run.html.j2",
        s=summary,
        name=summary.name,
        subtitle=_subtitle(summary),
        reasons=summary.reasons,
        notes=summary.notes,
        tiles=_tiles(summary),
        failures=failures,
        failures_hidden=hidden,
        charts=_charts(summary, statistics, samples),
        percentiles=PERCENTILES,
        times=_times(summary),
        media=_media(summary, summary.media) if summary.media is not None else None,
        scenarios=_scenarios(summary),
        ladder=picture(ladder_svg(ladder)) if ladder is not None and ladder.rows else None,
        ladder_title=ladder_title,
        generator=_generator(summary),
        command=summary.command,
        artefacts=summary.artefacts,
        started=_moment(summary.started),
    )


def _moment(seconds: float) -> str:
    return utc(seconds).strftime("%Y-%m-%d %H:%M:%S UTC") if seconds else ""


def _subtitle(summary: RunSummary) -> str:
    parts = [
        f"against {summary.target}" if summary.target else "both sides on loopback",
        summary.transport,
        duration_s(summary.wall_s),
        _moment(summary.started),
        f"exit code {summary.exit_code}",
    ]
    return ", ".join(part for part in parts if part)


def _tiles(summary: RunSummary) -> list[Tile]:
    uac, media = summary.uac, summary.media
    wanted = summary.wanted_calls
    tiles = [
        Tile(
            "Calls passed",
            count(uac.successful),
            f"of {count(uac.created)} made" + (f", {count(wanted)} wanted" if wanted and wanted != uac.created else ""),
            "good" if uac.successful and not uac.failed else "",
        ),
        Tile("Failed", count(uac.failed), percent(uac.failed, summary.finished), "bad" if uac.failed else ""),
    ]
    if uac.not_started or summary.limit is not None:
        limit = f"limit {count(summary.limit)} at once" if summary.limit is not None else ""
        tiles.append(Tile("Not started", count(uac.not_started), limit, "warn" if uac.not_started else ""))
    if summary.users is not None:
        tiles.append(Tile("Users", count(summary.users), f"{rate(summary.achieved_rate_cps)} calls/s came of it"))
    else:
        held = summary.achieved_rate_cps >= 0.95 * summary.wanted_rate_cps
        more = f"calls/s, {rate_share(summary)} of {rate(summary.wanted_rate_cps)}"
        tiles.append(Tile("Rate achieved", rate(summary.achieved_rate_cps), more, "" if held else "warn"))
    for name, histogram in (("Setup time", uac.setup_time), ("Ring time", uac.ring_time)):
        if histogram.count:
            tiles.append(Tile(f"{name}, p95", _ms(histogram.percentile(95)), f"median {_ms(histogram.percentile(50))}"))
    again = uac.retransmissions + (summary.uas.retransmissions if summary.uas else 0)
    tiles.append(Tile("Retransmissions", count(again), "both sides" if summary.uas else "", "warn" if again else ""))
    if media is not None:
        tiles.append(Tile("RTP sent", count(media.sent_packets), f"{plural(media.streams, 'stream')}"))
        lost = percent(max(media.lost, 0), media.expected)
        tiles.append(Tile("RTP lost", lost, f"of {count(media.expected)} packets", "bad" if media.lost > 0 else ""))
        if media.jitter_us.count:
            jitter = media.jitter_us
            tiles.append(Tile("Jitter, p99", _ms(jitter.percentile(99)), f"median {_ms(jitter.percentile(50))}"))
    return tiles


def _ms(microseconds: float) -> str:
    return duration_ms(milliseconds(microseconds))


def _failures(summary: RunSummary) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    for side in summary.sides():
        label = side.role if not summary.scenarios else f"{side.role} {side.name}"
        examples = failure_examples(side.statistics)
        told = {example.cause for example in examples}
        rows += [
            {
                "count": count(example.count),
                "cause": cause_text(example.cause),
                "side": label,
                "step": example.step,
                "expected": example.expected,
                "got": example.got or "nothing",
                "note": example.note,
                "call_id": example.call_id,
            }
            for example in examples
        ]
        rows += [
            {
                "count": count(number),
                "cause": cause_text(reason),
                "side": label,
                **dict.fromkeys(("step", "expected", "got", "note", "call_id"), ""),
            }
            for reason, number in failure_counts(side.statistics)
            if reason not in told
        ]
    return rows[:MAX_FAILURES], max(len(rows) - MAX_FAILURES, 0)


def _charts(summary: RunSummary, statistics: Sequence[Statistics], samples: Sequence[Samples]) -> list[dict[str, Any]]:
    drawn = (
        ("Over time", statistics_svg(statistics, tables=False)),
        ("Response times", samples_svg(samples)),
        ("Distributions", distributions_svg(run_panels(summary))),
    )
    return [{"title": title, "svg": picture(svg)} for title, svg in drawn if svg]


def run_panels(summary: RunSummary) -> list[Panel]:
    """The distributions that a run's histograms hold and no dump does: setup and ring time, jitter and lateness."""
    uac, media = summary.uac, summary.media
    times = [("setup", uac.setup_time), ("ring", uac.ring_time)]
    rtp = [("jitter of a stream", media.jitter_us), ("lateness of a packet sent", media.lateness_us)] if media else []
    panels = []
    for title, found, x_label, y_label in (
        ("Setup and ring time", times, "time since INVITE (ms)", "share of calls (%)"),
        ("RTP: jitter and lateness", rtp, "ms", "share of streams, of packets (%)"),
    ):
        series = [distribution_of_histogram(name, histogram) for name, histogram in found if histogram.count]
        if series:
            panels.append(Panel(title, series, x_label, y_label))
    return panels


def _times(summary: RunSummary) -> list[dict[str, Any]]:
    rows = []
    for row in time_rows(summary.uac):
        values = [*row.percentiles_ms(), milliseconds(row.histogram.maximum), milliseconds(row.histogram.mean)]
        rows.append(
            {
                "name": row.name,
                "what": row.what,
                "cells": [duration_ms(value) for value in values],
                "count": count(row.histogram.count),
            }
        )
    return rows


def _media(summary: RunSummary, media: MediaSummary) -> dict[str, Any]:
    lost_style = "bad" if media.lost > 0 else ""
    heads = ["packets", "streams", "bytes", "lost", "duplicate", "out of order", "p50", "p99", "max"]
    sent = [
        count(media.sent_packets),
        count(media.streams),
        size(media.sent_bytes),
        "",
        "",
        "",
        *_three(media.lateness_us),
    ]
    received = [
        count(media.received_packets),
        count(media.jitter_us.count),
        size(media.received_bytes),
        f"{count(media.lost)} ({percent(max(media.lost, 0), media.expected)})",
        count(media.duplicates),
        count(media.reordered),
        *_three(media.jitter_us),
    ]
    rows = [
        {"name": "sent; lateness", "cells": [Fact("", text) for text in sent]},
        {
            "name": "received; jitter",
            "cells": [Fact("", text, lost_style if index == 3 else "") for index, text in enumerate(received)],
        },
    ]
    remarks = []
    if summary.calls_silent:
        expecting = count(summary.calls_expecting_media)
        text = f"{count(summary.calls_silent)} of {expecting} calls that expect RTP received none."
        remarks.append(Fact("", text, "bad"))
    for number, what in (
        (media.send_errors, "packets were refused by the kernel."),
        (media.no_destination, "streams had no usable address in the peer's SDP."),
        (media.refused_ports, "streams had no port to send from."),
        (media.dropped, "received datagrams were dropped because a socket's buffer was full."),
    ):
        if number:
            remarks.append(Fact("", f"{count(number)} {what}", "bad"))
    if media.worst is not None and (media.worst.lost or media.worst.mean_jitter_ms):
        worst = media.worst
        text = (
            f"Worst call: number {worst.call_number}, port {worst.port}: {percent(worst.loss, 1.0)} lost, "
            f"jitter {worst.mean_jitter_ms:.2f} ms on average, {worst.max_jitter_ms:.2f} ms at most."
        )
        remarks.append(Fact("", text, "muted"))
    return {"heads": heads, "rows": rows, "remarks": remarks}


def _three(histogram: Histogram) -> list[str]:
    if not histogram.count:
        return ["-", "-", "-"]
    return [_ms(histogram.percentile(50)), _ms(histogram.percentile(99)), _ms(histogram.maximum)]


def _scenarios(summary: RunSummary) -> list[dict[str, str]]:
    return [
        {
            "name": scenario.name,
            "role": scenario.role,
            "created": count(scenario.statistics.created),
            "passed": count(scenario.statistics.successful),
            "failed": count(scenario.statistics.failed),
            "again": count(scenario.statistics.retransmissions),
            "length": _ms(scenario.statistics.call_length.percentile(50)),
        }
        for scenario in summary.scenarios
    ]


def _generator(summary: RunSummary) -> list[Fact]:
    uac, uas, media = summary.uac, summary.uas, summary.media
    late_ms = milliseconds(uac.start_lateness.percentile(99))
    over = bool(summary.lateness_limit_ms) and late_ms > summary.lateness_limit_ms
    limit = f"; limit of p99 {duration_ms(summary.lateness_limit_ms)}" if summary.lateness_limit_ms else ""
    facts = [Fact("Calls started late", spread_text(uac.start_lateness) + limit, "bad" if over else "")]
    if uac.loop_lateness.count:
        facts.append(Fact("Timers ran late", spread_text(uac.loop_lateness)))
    if summary.wall_s > 0 and uac.busy_seconds:
        facts.append(Fact("CPU, calling side", f"{percent(uac.busy_seconds, summary.wall_s)} of a core"))
    if media is not None:
        limit = (
            f"; limit of p99 {duration_ms(summary.media_lateness_limit_ms)}" if summary.media_lateness_limit_ms else ""
        )
        facts.append(Fact("RTP sent late", spread_text(media.lateness_us) + limit))
        if media.scheduling:
            facts.append(Fact("Media process", SCHEDULING.get(media.scheduling, media.scheduling)))
        if summary.wall_s > 0 and media.cpu_s:
            facts.append(Fact("CPU, media", f"{percent(media.cpu_s, summary.wall_s)} of a core"))
    dropped = uac.datagrams_dropped + (uas.datagrams_dropped if uas else 0)
    facts.append(
        Fact(
            "Signalling sockets",
            f"{size(uac.receive_buffer)} to receive and {size(uac.send_buffer)} to send granted; "
            f"{plural(dropped, 'datagram')} dropped",
            "bad" if dropped else "",
        )
    )
    if media is not None and media.receive_buffer:
        text = f"{size(media.receive_buffer)} to receive granted; {plural(media.dropped, 'datagram')} dropped"
        facts.append(Fact("Media sockets", text, "bad" if media.dropped else ""))
    facts.append(Fact("Calls at once", f"{count(uac.peak)} at most"))
    return facts
