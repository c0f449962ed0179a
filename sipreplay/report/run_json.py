"""A run as JSON, schema `sipreplay/run/1`: what the summary shows, the histograms raw so that runs can be merged."""

from __future__ import annotations

from typing import Any

from sipreplay.media.results import MediaSummary
from sipreplay.report.model import PERCENTILES, RunSummary, milliseconds, time_rows
from sipreplay.stats.calls import CallStatistics, plain
from sipreplay.stats.histogram import Histogram

SCHEMA = "sipreplay/run/1"


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """The whole summary as plain values; histograms come with their percentiles in ms, and raw for merging."""
    return {
        "schema": SCHEMA,
        "name": summary.name,
        "tool_version": summary.tool_version,
        "command": summary.command,
        "host": summary.host,
        "target": summary.target or None,
        "transport": summary.transport,
        "started": summary.started,
        "wall_s": summary.wall_s,
        "generating_s": summary.generating_s,
        "wanted_rate_cps": summary.wanted_rate_cps,
        "achieved_rate_cps": summary.achieved_rate_cps,
        "users": summary.users,
        "wanted_calls": summary.wanted_calls,
        "limit": summary.limit,
        "lateness_limit_ms": summary.lateness_limit_ms,
        "verdict": {"name": summary.verdict, "exit_code": summary.exit_code, "reasons": list(summary.reasons)},
        "notes": list(summary.notes),
        "uac": _side_json(summary.uac),
        "uas": None if summary.uas is None else _side_json(summary.uas),
        "scenarios": [
            {"name": s.name, "role": s.role, "expected_calls": s.expected_calls, "statistics": _side_json(s.statistics)}
            for s in summary.scenarios
        ],
        "media": None if summary.media is None else _media_json(summary, summary.media),
        "artefacts": [{"path": a.path, "what": a.what} for a in summary.artefacts],
    }


def _side_json(statistics: CallStatistics) -> dict[str, Any]:
    out = plain(statistics)
    out["times"] = [
        {"name": row.name, "what": row.what, **_spread_json(row.histogram)} for row in time_rows(statistics)
    ]
    return out


def _media_json(summary: RunSummary, media: MediaSummary) -> dict[str, Any]:
    return {
        **media.to_dict(),
        "lateness": _spread_json(media.lateness_us),
        "jitter": _spread_json(media.jitter_us),
        "calls_expecting_media": summary.calls_expecting_media,
        "calls_silent": summary.calls_silent,
        "lateness_limit_ms": summary.media_lateness_limit_ms,
    }


def _spread_json(histogram: Histogram) -> dict[str, Any]:
    spread: dict[str, Any] = {f"p{p}_ms": milliseconds(histogram.percentile(p)) for p in PERCENTILES}
    return {**spread, "max_ms": milliseconds(histogram.maximum), "mean_ms": milliseconds(histogram.mean)}
