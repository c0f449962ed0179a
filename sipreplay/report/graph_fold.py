"""A call graph made small enough to look at: hosts merged, endpoints that are alike folded into one box with a count.

For drawing only: GraphML and JSON have every actor. Draws nothing and changes no count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sipreplay.report.words import count, printable

FEW = 12
"""A graph of no more actors is drawn as it is."""
ALIKE = 4
"""So many actors that have the same role and talk to the same ones are one box."""


@dataclass(slots=True)
class GraphNode:
    """An actor, or several that are drawn as one."""

    id: str
    title: str
    """Address or name."""
    detail: str = ""
    """Role and software."""
    addresses: list[str] = field(default_factory=list)
    role: str = ""
    agent: str = ""
    actors: int = 1
    """How many it stands for."""


@dataclass(slots=True)
class GraphEdge:
    """What goes from one actor to another. `counts`: what to how many, e.g. {"invite": 12}."""

    source: str
    target: str
    counts: dict[str, int]
    media: bool = False

    @property
    def total(self) -> int:
        """All counts together."""
        return sum(self.counts.values())

    @property
    def label(self) -> str:
        """ "12 invite, 3 register", or "24 streams PCMU"."""
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        parts = [f"{count(number)} {printable(what)}" for what, number in ranked[:3]]
        return ", ".join(parts) + (", ..." if len(ranked) > 3 else "")


def folded(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> tuple[list[GraphNode], list[GraphEdge]]:
    """The graph as it is drawn: hosts merged, then, of more than FEW, endpoints folded."""
    kept, links = _joined(nodes, edges, _by_host(nodes, edges))
    if len(kept) <= FEW:
        return kept, links
    return _joined(kept, links, _by_likeness(kept, links))


def _by_host(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> dict[str, str]:
    """Node to the node that it is merged into: the first of its host, unless actors of that host talk to each other."""
    hosts = {node.id: _host(node) for node in nodes}
    apart = {hosts[e.source] for e in edges if e.source != e.target and hosts[e.source] == hosts[e.target]}
    first: dict[str, str] = {}
    return {n.id: n.id if hosts[n.id] in apart else first.setdefault(hosts[n.id], n.id) for n in nodes}


def _host(node: GraphNode) -> str:
    return node.addresses[0].rpartition(":")[0] if node.addresses else node.id


def _by_likeness(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> dict[str, str]:
    """Node to the node that it is folded into: of the same role, with the same neighbours in the same directions."""
    around: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    media: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for edge in edges:
        if edge.source != edge.target:
            sides = media if edge.media else around
            sides[edge.source].add((edge.target, True))
            sides[edge.target].add((edge.source, False))
    groups: dict[tuple[str, frozenset[tuple[str, bool]]], list[str]] = defaultdict(list)
    for node in nodes:
        neighbours = around.get(node.id) or media.get(node.id) or set()
        groups[(node.role, frozenset(neighbours))].append(node.id)
    return {ident: group[0] if len(group) >= ALIKE else ident for group in groups.values() for ident in group}


def _joined(
    nodes: Iterable[GraphNode], edges: Iterable[GraphEdge], into: Mapping[str, str]
) -> tuple[list[GraphNode], list[GraphEdge]]:
    """The graph with each node joined into the one that `into` says; what they said among themselves stays a loop."""
    members: dict[str, list[GraphNode]] = defaultdict(list)
    for node in nodes:
        members[into[node.id]].append(node)
    kept = [group[0] if len(group) == 1 else _one(ident, group) for ident, group in members.items()]
    links: dict[tuple[str, str, bool], GraphEdge] = {}
    for edge in edges:
        key = (into[edge.source], into[edge.target], edge.media)
        link = links.setdefault(key, GraphEdge(*key[:2], {}, edge.media))
        for what, number in edge.counts.items():
            link.counts[what] = link.counts.get(what, 0) + number
    return kept, list(links.values())


def _one(ident: str, group: Sequence[GraphNode]) -> GraphNode:
    addresses = [address for node in group for address in node.addresses]
    hosts = list(dict.fromkeys(map(_host, group)))
    actors = sum(node.actors for node in group)
    roles = ", ".join(dict.fromkeys(role for node in group for role in node.role.split(", ") if role))
    agents = Counter(node.agent for node in group if node.agent)
    agent = agents.most_common(1)[0][0] + (" ..." if len(agents) > 1 else "") if agents else ""
    if len(hosts) == 1:
        title, detail = hosts[0], ", ".join(part for part in (roles, agent) if part)
    else:
        title = f"{count(actors)} actors"
        detail = ", ".join(part for part in (roles, f"{hosts[0]} ... {hosts[-1]}") if part)
    return GraphNode(ident, title, detail, addresses, roles, agent, actors)
