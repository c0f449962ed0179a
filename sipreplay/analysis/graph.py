"""The call graph: actors as nodes, hop-dialogs and streams as edges between them (networkx).

Owns which actors a stream is drawn between. Who is one actor is in `actors`, what it is in `roles`; drawing is
elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipreplay.analysis.actors import Actors as Actors
from sipreplay.analysis.model import Analysis, HopDialog, Stream
from sipreplay.analysis.roles import describe_actors

if TYPE_CHECKING:
    import networkx

SCHEMA = "sipreplay/callgraph/1"


def _chain_ends(analysis: Analysis) -> dict[int, tuple[HopDialog, HopDialog]]:
    """Dialog id to the first and the last hop of its chain: media, unlike signalling, may go from end to end."""
    downstream: dict[int, HopDialog] = {}
    for dialog in analysis.dialogs:
        if dialog.upstream is not None:
            downstream.setdefault(dialog.upstream, dialog)
    ends = {}
    for dialog in analysis.dialogs:
        first = last = dialog
        seen = {dialog.id}
        while first.upstream is not None and first.upstream not in seen:
            seen.add(first.upstream)
            first = analysis.dialog(first.upstream)
        while (following := downstream.get(last.id)) is not None and following.id not in seen:
            seen.add(following.id)
            last = following
        ends[dialog.id] = (first, last)
    return ends


def _stream_sides(stream: Stream, actors: Actors, ends: dict[int, tuple[HopDialog, HopDialog]]) -> tuple[str, str]:
    source = destination = None
    if stream.dialog is not None and stream.from_caller is not None:
        first, last = ends[stream.dialog]
        caller, callee = actors.of(first.caller), actors.of(last.callee)
        source, destination = (caller, callee) if stream.from_caller else (callee, caller)
    return actors.of_media(stream.source, source), actors.of_media(stream.destination, destination)


def call_graph(analysis: Analysis) -> networkx.MultiDiGraph:
    """The graph.

    Nodes: actor ids with `label`, `addresses`, `agent`, `roles` and `sut_likely`. Edges: key "dialog1" (`type` dialog,
    from caller to callee) and "stream1" (`type` stream, from sender to receiver), each with its plain attributes.
    """
    import networkx

    graph = networkx.MultiDiGraph(schema=SCHEMA)
    actors = Actors(analysis.dialogs)
    ends = _chain_ends(analysis)
    stream_sides = [_stream_sides(stream, actors, ends) for stream in analysis.streams]
    described = {actor.id: actor for actor in describe_actors(analysis, actors)}
    for ident, addresses in actors.addresses.items():
        actor = described.get(ident)
        graph.add_node(
            ident,
            label=str(addresses[0]),
            addresses=[str(a) for a in addresses],
            agent=actor.agent if actor else "",
            roles=actor.roles if actor else [],
            sut_likely=actor.sut_likely if actor else False,
        )
    for dialog in analysis.dialogs:
        graph.add_edge(
            actors.of(dialog.caller),
            actors.of(dialog.callee),
            key=f"dialog{dialog.id}",
            type="dialog",
            id=dialog.id,
            kind=dialog.kind,
            call=dialog.call,
            call_id=dialog.call_id.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            hop=dialog.hop,
            state=dialog.state,
            transport=dialog.transport,
            caller=str(dialog.caller),
            callee=str(dialog.callee),
            messages=len(dialog.messages),
            first=dialog.first,
            last=dialog.last,
        )
    for number, (stream, (source, destination)) in enumerate(zip(analysis.streams, stream_sides, strict=True), 1):
        graph.add_edge(
            source,
            destination,
            key=f"stream{number}",
            type="stream",
            id=number,
            dialog=stream.dialog,
            source_address=str(stream.source),
            destination_address=str(stream.destination),
            ssrc=stream.ssrc,
            codec=stream.codec,
            media=stream.media,
            packets=stream.packets,
            lost=stream.lost,
            first=stream.first,
            last=stream.last,
        )
    return graph


def graph_json(graph: networkx.MultiDiGraph) -> dict[str, Any]:
    """The graph in networkx's node-link form (`networkx.node_link_graph(document, edges="edges")` reads it back)."""
    return {
        "directed": True,
        "multigraph": True,
        "graph": dict(graph.graph),
        "nodes": [{"id": ident, **data} for ident, data in graph.nodes(data=True)],
        "edges": [
            {"source": source, "target": target, "key": key, **data}
            for source, target, key, data in graph.edges(keys=True, data=True)
        ],
    }
