"""What the page of `inspect --html` carries, as plain lists for its script: calls, streams, findings, ladders.

The order of the fields is the one that inspect_app.js reads. All text is made printable here, so that no control or
direction mark of a capture reaches the page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sipreplay.analysis.findings import Finding
from sipreplay.analysis.model import Analysis, Call, Stream
from sipreplay.analysis.scores import windows_of
from sipreplay.report.call_list import CallRow
from sipreplay.report.ladder import Row, call_ladder
from sipreplay.report.message_text import codec_text
from sipreplay.report.words import printable

MAX_LADDER_ROWS = 1000
MAX_WINDOWS = 360
"""Points of a stream's chart: an hour in windows of ten seconds; longer streams are thinned out to the worst."""

CALL_FIELDS = (
    "id", "kind", "from", "to", "source", "destination", "dialogs", "messages", "retransmissions", "state", "final",
    "start", "duration", "pdd", "setup", "codec", "lost", "jitter", "mos", "lost_text", "mos_text", "errors",
    "warnings", "notes", "chunk", "call_id", "streams",
)  # fmt: skip
STREAM_FIELDS = (
    "call", "source", "destination", "ssrc", "types", "codec", "packets", "lost", "reordered", "duplicates",
    "max_delta", "jitter", "max_jitter", "mos", "mos_worst", "dtmf", "first", "last", "media", "drift", "ptime",
    "dialog",
)  # fmt: skip
ROW_FIELDS = (
    "time", "source", "target", "label", "style", "packet", "capture", "cseq", "detail", "again", "last_again",
    "copies", "orphan", "raw", "stream",
)  # fmt: skip


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)


def call_data(row: CallRow, call_id: str, chunk: int, streams: Sequence[int]) -> list[Any]:
    """A call, in the order of CALL_FIELDS. `chunk`: the data block of its ladder, -1 for none."""
    return [
        row.id,
        row.method,
        row.from_user,
        row.to_user,
        row.caller,
        row.callee,
        row.dialogs,
        row.messages,
        row.retransmissions,
        row.state,
        int(row.final) if row.final else None,
        round(row.start, 6),
        _rounded(row.duration_s, 6),
        _rounded(row.pdd_ms),
        _rounded(row.setup_ms),
        row.codecs,
        row.lost if row.streams else None,
        _rounded(row.jitter_ms, 4),
        _rounded(row.mos, 4),
        row.lost_text,
        row.mos_text,
        *row.findings,
        chunk,
        printable(call_id),
        list(streams),
    ]


def stream_data(analysis: Analysis, stream: Stream) -> list[Any]:
    """A stream, in the order of STREAM_FIELDS."""
    return [
        analysis.dialog(stream.dialog).call if stream.dialog is not None else None,
        str(stream.source),
        str(stream.destination),
        f"0x{stream.ssrc:08x}",
        ", ".join(map(str, stream.payload_types)),
        codec_text(stream),
        stream.packets,
        stream.lost,
        stream.reordered,
        stream.duplicates,
        _rounded(stream.max_delta_ms, 1),
        _rounded(stream.mean_jitter_ms, 4),
        _rounded(stream.max_jitter_ms, 2),
        _rounded(stream.mos, 4),
        _rounded(stream.mos_worst, 2),
        printable(stream.dtmf),
        round(stream.first, 6),
        round(stream.last, 6),
        stream.media,
        _rounded(stream.drift_ppm, 1),
        _rounded(stream.ptime_ms, 2),
        stream.dialog,
    ]


def window_data(stream: Stream) -> list[list[Any]]:
    """Of each ten seconds: seconds since the stream began, packets, lost, discarded, mean and peak jitter, MOS."""
    windows = windows_of(stream)
    step = -(-len(windows) // MAX_WINDOWS) or 1
    kept = [
        max(windows[at : at + step], key=lambda w: (w.lost, w.max_jitter_ms)) for at in range(0, len(windows), step)
    ]
    return [
        [
            round(w.start - stream.first, 1),
            w.packets,
            w.lost,
            w.discarded,
            round(w.mean_jitter_ms, 2),
            round(w.max_jitter_ms, 2),
            _rounded(w.mos, 2),
        ]
        for w in kept
    ]


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding. Its streams are counted from 0, as the page's are."""
    return {
        "severity": finding.severity.name.lower(),
        "rule": finding.rule,
        "title": printable(finding.title),
        "why": printable(finding.why),
        "remedy": printable(finding.remedy),
        "calls": list(finding.calls),
        "streams": [number - 1 for number in finding.streams],
        "packets": [list(place) for place in finding.packets[:20]],
        "count": finding.count,
    }


def ladders(analysis: Analysis, calls: Sequence[Call]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(call, its ladder) of each of these calls: columns, rows in the order of ROW_FIELDS, legs, evidence."""
    own: dict[int, list[int]] = defaultdict(list)
    for number, stream in enumerate(analysis.streams):
        if stream.dialog is not None:
            own[stream.dialog].append(number)
    for call in calls:
        numbers = [number for ident in call.dialogs for number in own.get(ident, ())]
        yield call.id, _ladder(analysis, call, numbers)


def _ladder(analysis: Analysis, call: Call, numbers: Sequence[int]) -> dict[str, Any]:
    streams = {id(analysis.streams[number]): number for number in numbers}
    drawn = call_ladder(analysis, call, limit=MAX_LADDER_ROWS, own=[analysis.streams[number] for number in numbers])
    return {
        "columns": [[column.label, column.role, column.agent, len(column.addresses)] for column in drawn.columns],
        "rows": [_row(row, streams) for row in drawn.rows],
        "left": drawn.left_out,
        "start": round(drawn.start, 6),
        "legs": [
            [str(d.caller), str(d.callee), d.kind.upper(), d.state, printable(d.call_id), d.transport]
            for d in (analysis.dialog(ident) for ident in call.dialogs[:50])
        ],
        "evidence": [[printable(e.rule), e.confidence] for e in call.evidence[:50]],
    }


def _row(row: Row, streams: dict[int, int]) -> list[Any]:
    return [
        round(row.time, 6),
        row.source,
        row.destination,
        row.label if row.stream is None else row.media_label,
        row.style,
        row.packet,
        row.capture,
        row.cseq,
        row.detail,
        row.retransmissions,
        round(row.last_retransmission, 6),
        row.copies,
        int(row.orphan),
        row.raw,
        streams.get(id(row.stream), -1) if row.stream is not None else -1,
    ]
