"""The call graph: actors as nodes, hop-dialogs and streams as edges between them (networkx).

An actor is a set of addresses joined by evidence (one transaction, Via, Contact), never by host alone. Owns who is
one actor with whom; drawing is elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sipreplay.analysis.model import Address, Analysis, HopDialog, Stream

if TYPE_CHECKING:
    import networkx

SCHEMA = "sipreplay/callgraph/1"


class Actors:
    """Which address belongs to which actor. Ids ("actor1", ...) in order of first appearance."""

    def __init__(self, dialogs: Iterable[HopDialog]) -> None:
        self._parent: dict[Address, Address] = {}
        for dialog in dialogs:
            self._join(dialog.caller, dialog.caller_addresses)
            self._join(dialog.callee, dialog.callee_addresses)
        self.addresses: dict[str, list[Address]] = {}
        """Actor id to its addresses."""
        self._ids: dict[Address, str] = {}
        self._by_host: dict[str, set[str]] = defaultdict(set)
        for address in self._parent:
            self._number(address)

    def _number(self, address: Address) -> str:
        root = self._root(address)
        ident = self._ids.setdefault(root, f"actor{len(self._ids) + 1}")
        self.addresses.setdefault(ident, []).append(address)
        self._by_host[address.host].add(ident)
        return ident

    def _root(self, address: Address) -> Address:
        while self._parent[address] != address:
            self._parent[address] = self._parent[self._parent[address]]
            address = self._parent[address]
        return address

    def _join(self, main: Address, others: Iterable[Address]) -> None:
        self._parent.setdefault(main, main)
        for other in sorted(others):
            self._parent.setdefault(other, other)
            self._parent[self._root(other)] = self._root(main)

    def of(self, address: Address) -> str:
        """The actor of an address; a new one for an address that no dialog uses."""
        if address not in self._parent:
            self._parent[address] = address
            return self._number(address)
        return self._ids[self._root(address)]

    def of_media(self, address: Address, fallback: str | None) -> str:
        """The actor that a media address is drawn with: the only one on its host, else `fallback`, else its own."""
        if address not in self._parent:
            here = self._by_host.get(address.host, set())
            if len(here) == 1:
                return next(iter(here))
            if fallback is not None:
                return fallback
        return self.of(address)


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

    Nodes: actor ids with `label` and `addresses`. Edges: key "dialog1" (`type` dialog, from caller to callee)
    and "stream1" (`type` stream, from sender to receiver), each with its plain attributes.
    """
    import networkx

    graph = networkx.MultiDiGraph(schema=SCHEMA)
    actors = Actors(analysis.dialogs)
    ends = _chain_ends(analysis)
    stream_sides = [_stream_sides(stream, actors, ends) for stream in analysis.streams]
    agents = _agents(analysis, actors)
    for ident, addresses in actors.addresses.items():
        graph.add_node(
            ident, label=str(addresses[0]), addresses=[str(a) for a in addresses], agent=agents.get(ident, "")
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


def _agents(analysis: Analysis, actors: Actors) -> dict[str, str]:
    """The software each actor names most often in its own requests and answers (User-Agent, Server)."""
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for dialog in analysis.dialogs:
        if dialog.upstream is not None:
            continue  # what a proxy passes on names the endpoint, not the proxy
        for captured in dialog.messages[:8]:
            message = captured.message
            if message.is_request and captured.source == dialog.caller:
                name = message.get("user-agent")
                if name:
                    named[actors.of(dialog.caller)][name[:80]] += 1
    return {ident: names.most_common(1)[0][0] for ident, names in named.items()}


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
