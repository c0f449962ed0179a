"""The page of `inspect --html`: calls and streams to sort and filter, the call graph, ladders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sipreplay.analysis.graph import call_graph
from sipreplay.analysis.model import Analysis, CaptureFile, Stream
from sipreplay.report.call_list import CallRow, call_rows
from sipreplay.report.callgraph_svg import graph_svg
from sipreplay.report.graph_file import write_file
from sipreplay.report.html import Tile, picture, render
from sipreplay.report.ladder import call_ladder
from sipreplay.report.ladder_svg import ladder_svg
from sipreplay.report.message_text import codec_text
from sipreplay.report.words import count, duration_ms, duration_s, percent, plural, utc

MAX_CALLS = 10_000
MAX_STREAMS = 10_000
MAX_LADDERS = 100
MAX_LADDER_ROWS = 400
RAW_LADDERS = 25
"""So many ladders carry the text of their messages; a page must stay small enough to open."""
MAX_PROBLEMS = 20

_STATE_STYLES = {"completed": "good", "established": "good", "rejected": "bad", "unanswered": "bad"}


def write_inspect_page(analysis: Analysis, path: Path) -> None:
    """Write the page. Raises TransportError when it cannot be written."""
    write_file(path, inspect_page(analysis).encode())


def inspect_page(analysis: Analysis) -> str:
    """The page as HTML."""
    rows = call_rows(analysis, MAX_CALLS)
    ladders = _ladders(analysis)
    drawn = {ladder["id"] for ladder in ladders}
    names = [Path(capture.path).name for capture in analysis.captures]
    return render(
        "inspect.html.j2",
        script="tables.js",
        name=", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        captures=[_capture(capture) for capture in analysis.captures[:50]],
        tiles=_tiles(analysis, rows),
        calls=[_call(row, row.id in drawn) for row in rows],
        calls_hidden=max(len(analysis.calls) - len(rows), 0),
        streams=[_stream(analysis, stream) for stream in analysis.streams[:MAX_STREAMS]],
        streams_hidden=max(len(analysis.streams) - MAX_STREAMS, 0),
        graph=picture(graph_svg(call_graph(analysis))),
        ladders=ladders,
        ladders_hidden=max(len(analysis.calls) - len(ladders), 0),
    )


def _capture(capture: CaptureFile) -> dict[str, Any]:
    span = ""
    if capture.first is not None and capture.last is not None:
        when = utc(capture.first).strftime("%Y-%m-%d %H:%M:%S UTC")
        span = f", {duration_s(capture.last - capture.first)} from {when}"
    kind = "/".join(capture.link_types)
    return {
        "text": f"{capture.path}: {capture.format}, {kind}, {plural(capture.packets, 'packet')}{span}",
        "problems": capture.problems[:MAX_PROBLEMS],
    }


def _tiles(analysis: Analysis, rows: list[CallRow]) -> list[Tile]:
    invites = [row for row in rows if row.method == "INVITE"]
    answered = [row for row in invites if row.setup_ms is not None]
    again = sum(message.retransmission for message in analysis.messages)
    lost = sum(stream.lost for stream in analysis.streams)
    expected = sum(stream.packets + stream.lost for stream in analysis.streams)
    worst = min((stream.mos for stream in analysis.streams if stream.mos is not None), default=None)
    tiles = [
        Tile("Calls", count(len(analysis.calls)), plural(len(analysis.dialogs), "dialog")),
        Tile(
            "INVITEs answered", percent(len(answered), len(invites)), f"{count(len(answered))} of {count(len(invites))}"
        ),
        Tile("SIP messages", count(len(analysis.messages)), f"{count(analysis.malformed)} malformed"),
        Tile("Retransmissions", count(again), "", "warn" if again else ""),
        Tile("RTP streams", count(len(analysis.streams)), plural(sum(s.packets for s in analysis.streams), "packet")),
    ]
    if analysis.streams:
        tiles.append(Tile("RTP lost", percent(max(lost, 0), expected), count(lost), "bad" if lost > 0 else ""))
        jitter = max(stream.mean_jitter_ms for stream in analysis.streams)
        tiles.append(Tile("Worst jitter", f"{jitter:.1f} ms", "mean of a stream"))
    if worst is not None:
        tiles.append(Tile("Worst MOS", f"{worst:.2f}", "of a stream", "warn" if worst < 3.6 else ""))
    return tiles


def _call(row: CallRow, drawn: bool) -> dict[str, Any]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.6g}"

    state = f"{row.state} {row.final}" if row.final and not row.final.startswith("2") else row.state
    return {
        "id": row.id,
        "drawn": drawn,
        "method": row.method,
        "from_user": row.from_user,
        "to_user": row.to_user,
        "caller": row.caller,
        "callee": row.callee,
        "messages": row.messages,
        "messages_text": f"{row.messages}" + (f" ({row.retransmissions} again)" if row.retransmissions else ""),
        "state": state,
        "style": _STATE_STYLES.get(row.state, "warn"),
        "start": f"{row.start:.6f}",
        "start_text": utc(row.start).strftime("%H:%M:%S.%f")[:-3],
        "length": number(row.duration_s),
        "length_text": duration_s(row.duration_s),
        "pdd": number(row.pdd_ms),
        "pdd_text": "-" if row.pdd_ms is None else duration_ms(row.pdd_ms),
        "setup": number(row.setup_ms),
        "setup_text": "-" if row.setup_ms is None else duration_ms(row.setup_ms),
        "codec": row.codecs or "-",
        "lost": row.lost if row.streams else "",
        "lost_text": count(row.lost) if row.streams else "-",
        "jitter": number(row.jitter_ms),
        "jitter_text": "-" if row.jitter_ms is None else f"{row.jitter_ms:.1f} ms",
        "mos": number(row.mos),
        "mos_text": "-" if row.mos is None else f"{row.mos:.2f}",
    }


def _stream(analysis: Analysis, stream: Stream) -> dict[str, Any]:
    expected = stream.packets + stream.lost
    return {
        "call": analysis.dialog(stream.dialog).call if stream.dialog is not None else "-",
        "source": str(stream.source),
        "destination": str(stream.destination),
        "ssrc": f"0x{stream.ssrc:08x}",
        "types": ", ".join(map(str, stream.payload_types)),
        "codec": codec_text(stream),
        "packets": stream.packets,
        "packets_text": count(stream.packets),
        "lost": stream.lost,
        "lost_text": f"{count(stream.lost)} ({percent(stream.lost, expected)})"
        if stream.lost > 0
        else count(stream.lost),
        "reordered": stream.reordered,
        "max_delta": stream.max_delta_ms,
        "max_delta_text": f"{stream.max_delta_ms:.1f} ms",
        "jitter": stream.mean_jitter_ms,
        "jitter_text": f"{stream.mean_jitter_ms:.2f} ms",
        "max_jitter": stream.max_jitter_ms,
        "max_jitter_text": f"{stream.max_jitter_ms:.2f} ms",
        "mos": "" if stream.mos is None else stream.mos,
        "mos_text": "-" if stream.mos is None else f"{stream.mos:.2f}",
        "dtmf": stream.dtmf,
    }


def _ladders(analysis: Analysis) -> list[dict[str, Any]]:
    """Ladders of the first calls; INVITEs first, since those are what is looked for."""
    first = sorted(analysis.calls, key=lambda call: analysis.dialog(call.dialogs[0]).kind != "invite")[:MAX_LADDERS]
    ladders = []
    opened = first[0].id if first else 0
    for place, call in enumerate(sorted(first, key=lambda call: call.id)):
        ladder = call_ladder(analysis, call)
        ladder.left_out += max(len(ladder.rows) - MAX_LADDER_ROWS, 0)
        del ladder.rows[MAX_LADDER_ROWS:]
        kind = analysis.dialog(call.dialogs[0]).kind.upper()
        ladders.append(
            {
                "id": call.id,
                "open": call.id == opened,
                "title": f"Call {call.id}: {kind}, {plural(len(ladder.rows), 'row')}",
                "svg": picture(ladder_svg(ladder, raw=place < RAW_LADDERS)),
            }
        )
    return ladders
