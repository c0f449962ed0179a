"""The page of `inspect --html`: calls to sort and filter, ladders, streams with charts, findings, the call graph.

One file that loads nothing. What came from a capture is compressed data that a script shows as text, never markup.
Never computes what it shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.filter_fields import FIELDS
from sipreplay.analysis.findings import Finding, findings
from sipreplay.analysis.graph import call_graph
from sipreplay.analysis.model import Analysis, CaptureFile
from sipreplay.analysis.peers import peers
from sipreplay.analysis.roles import describe_actors
from sipreplay.report.call_list import POOR_MOS, CallRow, call_rows
from sipreplay.report.callgraph_svg import graph_svg
from sipreplay.report.graph_file import write_file
from sipreplay.report.html import Tile, picture, render
from sipreplay.report.inspect_data import (
    CALL_FIELDS,
    ROW_FIELDS,
    STREAM_FIELDS,
    call_data,
    finding_data,
    ladders,
    stream_data,
    window_data,
)
from sipreplay.report.packing import Packed, chunks, packed
from sipreplay.report.peer_tables import actor_data, peer_data
from sipreplay.report.words import count, duration_s, percent, plural, printable, size, utc

MAX_CALLS = 50_000
MAX_STREAMS = 50_000
MAX_FINDINGS = 500
MAX_PEERS = 2000
MAX_LADDER_BYTES = 48 << 20
"""Of ladders and messages, compressed: a page must stay small enough to be opened and sent."""
MAX_PROBLEMS = 20
_SCRIPTS = (
    "inspect_filter.js",
    "inspect_list.js",
    "inspect_ladder.js",
    "inspect_diff.js",
    "inspect_chart.js",
    "inspect_app.js",
)


def write_inspect_page(analysis: Analysis, path: Path, found: Sequence[Finding] | None = None) -> str:
    """Write the page; returns what to say of it. Raises TransportError when it cannot be written."""
    data = inspect_page(analysis, found).encode()
    write_file(path, data)
    return f"{path}: {plural(min(len(analysis.calls), MAX_CALLS), 'call')}, {size(len(data))}"


def inspect_page(analysis: Analysis, found: Sequence[Finding] | None = None) -> str:
    """The page as HTML. `found`: its findings, where they are known already."""
    found = findings(analysis) if found is None else found
    rows = call_rows(analysis, MAX_CALLS, found)
    blocks, place = _ladder_blocks(analysis)
    names = [printable(Path(capture.path).name) for capture in analysis.captures]
    name = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return render(
        "inspect.html.j2",
        scripts=_SCRIPTS,
        styles=("inspect.css",),
        name=name or "nothing",
        captures=[_capture(capture) for capture in analysis.captures[:50]],
        tiles=_tiles(analysis, rows),
        hidden=_hidden(analysis, found, rows, len(place)),
        numbers={
            "calls": count(len(rows)),
            "streams": count(min(len(analysis.streams), MAX_STREAMS)),
            "findings": count(len(found)),
        },
        graph=picture(graph_svg(call_graph(analysis))),
        blocks=[packed("index", _index(analysis, rows, found, place)), _windows(analysis), *blocks],
    )


def _ladder_blocks(analysis: Analysis) -> tuple[list[Packed], dict[int, int]]:
    """Data blocks of ladders, and which of them each call is in."""
    blocks: list[Packed] = []
    place: dict[int, int] = {}
    calls = [call for call in analysis.calls if call.dialogs][:MAX_CALLS]
    for block, keys in chunks("ladders", ladders(analysis, calls), MAX_LADDER_BYTES):
        place.update(dict.fromkeys(keys, len(blocks)))
        blocks.append(block)
    return blocks, place


def _index(
    analysis: Analysis, rows: Sequence[CallRow], found: Sequence[Finding], place: dict[int, int]
) -> dict[str, Any]:
    """What the page shows at once."""
    streams = analysis.streams[:MAX_STREAMS]
    own: dict[int, list[int]] = defaultdict(list)
    for number, stream in enumerate(streams):
        if stream.dialog is not None:
            own[analysis.dialog(stream.dialog).call].append(number)
    actors = Actors(analysis.dialogs)
    described = describe_actors(analysis, actors)
    first = {call.id: analysis.dialog(call.dialogs[0]).call_id for call in analysis.calls if call.dialogs}
    return {
        "fields": {"call": CALL_FIELDS, "stream": STREAM_FIELDS, "row": ROW_FIELDS},
        "calls": [call_data(row, first[row.id], place.get(row.id, -1), own.get(row.id, ())) for row in rows],
        "streams": [stream_data(analysis, stream) for stream in streams],
        "findings": [finding_data(finding) for finding in found[:MAX_FINDINGS]],
        "actors": [actor_data(actor) for actor in described[:MAX_PEERS]],
        "peers": [peer_data(peer) for peer in peers(analysis, actors)[:MAX_PEERS]],
        "captures": [printable(Path(capture.path).name) for capture in analysis.captures],
        "units": {name: field.unit for name, field in FIELDS.items() if field.unit},
        "poor_mos": POOR_MOS,
    }


def _windows(analysis: Analysis) -> Packed:
    """The ten seconds of every stream, by its place."""
    return packed("windows", [window_data(stream) for stream in analysis.streams[:MAX_STREAMS]])


def _hidden(analysis: Analysis, found: Sequence[Finding], rows: Sequence[CallRow], drawn: int) -> list[str]:
    """What is not on the page, and where it is."""
    out = []
    for number, what in (
        (len(analysis.calls) - len(rows), "call"),
        (len(analysis.streams) - MAX_STREAMS, "stream"),
        (len(found) - MAX_FINDINGS, "finding"),
    ):
        if number > 0:
            out.append(f"{plural(number, f'more {what}')}: choose with --filter, or see --json")
    if drawn < len(rows):
        out.append(f"the ladders of {plural(len(rows) - drawn, 'call')}: sipreplay inspect --call N shows any call's")
    return out


def _capture(capture: CaptureFile) -> dict[str, Any]:
    span = ""
    if capture.first is not None and capture.last is not None:
        when = utc(capture.first).strftime("%Y-%m-%d %H:%M:%S UTC")
        span = f", {duration_s(capture.last - capture.first)} from {when}"
    kind = "/".join(capture.link_types)
    return {
        "text": f"{capture.path}: {capture.format}, {kind}, {plural(capture.packets, 'packet')}{span}",
        "problems": capture.problems[:MAX_PROBLEMS],
        "more": max(len(capture.problems) - MAX_PROBLEMS, 0),
    }


def _tiles(analysis: Analysis, rows: Sequence[CallRow]) -> list[Tile]:
    invites = [row for row in rows if row.method == "INVITE"]
    answered = [row for row in invites if row.setup_ms is not None]
    again = sum(row.retransmissions for row in rows)
    lost = sum(stream.lost for stream in analysis.streams if stream.codec or not stream.dtmf)
    expected = sum(stream.packets + stream.lost for stream in analysis.streams)
    worst = min((stream.mos for stream in analysis.streams if stream.mos is not None), default=None)
    share = percent(len(answered), len(invites))
    tiles = [
        Tile("Calls", count(len(analysis.calls)), plural(len(analysis.dialogs), "dialog")),
        Tile("INVITEs answered", share, f"{count(len(answered))} of {count(len(invites))}"),
        Tile("SIP messages", count(sum(row.messages for row in rows)), f"{count(analysis.malformed)} malformed"),
        Tile("Retransmissions", count(again), "", "warn" if again else ""),
        Tile("RTP streams", count(len(analysis.streams)), plural(sum(s.packets for s in analysis.streams), "packet")),
    ]
    if analysis.streams:
        tiles.append(Tile("RTP lost", percent(max(lost, 0), expected), count(lost), "bad" if lost > 0 else ""))
        jitter = max(stream.mean_jitter_ms for stream in analysis.streams)
        tiles.append(Tile("Worst jitter", f"{jitter:.1f} ms", "mean of a stream"))
    if worst is not None:
        tiles.append(Tile("Worst MOS", f"{worst:.2f}", "of a stream", "warn" if worst < POOR_MOS else ""))
    return tiles
