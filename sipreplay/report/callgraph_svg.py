"""The call graph as one self-contained SVG: actors as boxes, dialogs and streams between them with their counts.

Readable for two actors and for dozens; follows the reader's light or dark setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from string import Template
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sipreplay.report import style
from sipreplay.report.graph_fold import GraphEdge, GraphNode, folded
from sipreplay.report.graph_layout import columns_of
from sipreplay.report.words import clip, plural, printable

if TYPE_CHECKING:
    import networkx

MAX_NODES = 120
BOX = 196
LANE = 470
CROWD = 5
"""A column of more boxes has its labels beside them, and flatter lines to make room for those."""
CHARACTER = 6.5


def elements(graph: networkx.MultiDiGraph) -> tuple[list[GraphNode], list[GraphEdge]]:
    """The actors of a call graph (`analysis.graph.call_graph`), and what they exchange, counted by kind and codec."""
    edges: dict[tuple[str, str, bool], GraphEdge] = {}
    roles: dict[str, set[str]] = {}
    peers: dict[str, set[str]] = {}
    for source, target, data in graph.edges(data=True):
        media = data["type"] == "stream"
        what = f"RTP {data['codec']}".strip() if media else data["kind"]
        edge = edges.setdefault((source, target, media), GraphEdge(source, target, {}, media))
        edge.counts[what] = edge.counts.get(what, 0) + 1
        if not media:
            peers.setdefault(source, set()).add(target)
            peers.setdefault(target, set()).add(source)
            roles.setdefault(source, set()).add("caller")
            roles.setdefault(target, set()).add("registrar" if what == "register" else "callee")
    nodes = []
    for ident, data in graph.nodes(data=True):
        seen = roles.get(ident, set())
        if {"caller", "callee"} <= seen and len(peers[ident] - {ident}) > 1:
            seen = seen - {"caller", "callee"} | {"between"}
        role = ", ".join(data.get("roles") or sorted(seen)) or "media only"
        agent = printable(data.get("agent", ""))
        detail = ", ".join(part for part in (role, agent) if part)
        nodes.append(GraphNode(ident, data["label"], detail, list(data["addresses"]), role, agent))
    return nodes, list(edges.values())


def graph_svg(graph: networkx.MultiDiGraph) -> str:
    """The picture of a call graph: hosts are merged, and of many endpoints those that are alike are one box."""
    nodes, edges = elements(graph)
    return callgraph_svg(*folded(nodes, edges))


Curve = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Start, two control points, end."""


@dataclass(slots=True)
class _Pair:
    """What two actors exchange, of one kind. `first` stands left of (or above) `second`."""

    first: str
    second: str
    media: bool
    forward: GraphEdge | None = None
    backward: GraphEdge | None = None

    @property
    def total(self) -> int:
        return sum(edge.total for edge in (self.forward, self.backward) if edge)

    @property
    def label(self) -> str:
        if self.forward and self.backward:
            return f"{self.forward.label} → · ← {self.backward.label}"
        edge = self.forward or self.backward
        return edge.label if edge else ""


def callgraph_svg(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> str:
    """The picture. Nodes past MAX_NODES, those with the least traffic, are left out and counted."""
    kept, hidden = _busiest(nodes, edges)
    by_id = {node.id: node for node in kept}
    shown = [edge for edge in edges if edge.source in by_id and edge.target in by_id]
    # Signalling orders the actors; media crosses what is between two of them and tells nothing of that.
    signalling = [(e.source, e.target, _calls(e)) for e in shown if not e.media]
    flow = signalling or [(e.source, e.target, e.total) for e in shown]
    columns = columns_of([node.id for node in kept], flow)
    tallest = max((len(column) for column in columns), default=1)
    box, gap = (44, 30) if tallest <= 8 else (40, 14) if tallest <= 16 else (28, 12)
    height = 76 + max(tallest * (box + gap), 130)
    lane = LANE + (110 if tallest > CROWD else 0)
    width = 24 + BOX + (len(columns) - 1) * lane + 24 if columns else 300
    spots: dict[str, tuple[float, float]] = {
        node: (24.0 + number * lane, 40 + (height - 76) * (index + 0.5) / len(column))
        for number, column in enumerate(columns)
        for index, node in enumerate(column)
    }
    pairs = _pairs(shown, spots)
    if any(spots[pair.first][0] == spots[pair.second][0] for pair in pairs):
        width += 170
    crowded = {node: len(column) for column in columns for node in column}
    curves = [_curve(pair, spots, crowded, box) for pair in pairs]
    drawn = [_edge(pair, curve) for pair, curve in zip(pairs, curves, strict=True)]
    labels = _labels(list(zip(pairs, curves, strict=True)), spots, crowded, box)
    boxes = "".join(_box(by_id[node], x, y, box) for node, (x, y) in spots.items())
    note = ""
    if hidden:
        note = f'<text class="d" x="24" y="{height - 10:.0f}">{plural(hidden, "quieter actor")} not shown</text>'
    title = f"{plural(sum(node.actors for node in nodes), 'actor')}, {_totals(edges)}"
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg" role="img" aria-label="Call graph: {escape(title)}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" {size}><style>{_css()}</style>'
        f"<defs>{_marker('sg-a', 'ah')}{_marker('sg-m', 'mh')}</defs>"
        f'<rect class="bg" {size} rx="8"/><text class="d" x="24" y="22">{escape(title)}</text>'
        f"{''.join(drawn)}{boxes}{labels}{note}</svg>\n"
    )


def _calls(edge: GraphEdge) -> int:
    """How much an edge says of who calls whom: a phone registers whether it calls or is called."""
    return sum(number * (100 if what == "invite" else 1) for what, number in edge.counts.items())


def _pairs(edges: Sequence[GraphEdge], spots: dict[str, tuple[float, float]]) -> list[_Pair]:
    pairs: dict[tuple[str, str, bool], _Pair] = {}
    for edge in edges:
        forward = spots[edge.source] <= spots[edge.target]
        ends = (edge.source, edge.target) if forward else (edge.target, edge.source)
        pair = pairs.setdefault((*ends, edge.media), _Pair(*ends, edge.media))
        if forward:
            pair.forward = edge
        else:
            pair.backward = edge
    return list(pairs.values())


def _totals(edges: Sequence[GraphEdge]) -> str:
    dialogs = sum(edge.total for edge in edges if not edge.media)
    streams = sum(edge.total for edge in edges if edge.media)
    return f"{plural(dialogs, 'dialog')}, {plural(streams, 'stream')}"


def _busiest(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> tuple[list[GraphNode], int]:
    weight: dict[str, int] = {}
    for edge in edges:
        for end in (edge.source, edge.target):
            weight[end] = weight.get(end, 0) + edge.total
    if len(nodes) <= MAX_NODES:
        return list(nodes), 0
    kept = set(sorted((node.id for node in nodes), key=lambda n: -weight.get(n, 0))[:MAX_NODES])
    return [node for node in nodes if node.id in kept], sum(node.actors for node in nodes if node.id not in kept)


def _marker(ident: str, name: str) -> str:
    return (
        f'<marker id="{ident}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="{name}" d="M0 1L10 5L0 9z"/></marker>'
    )


_COLOURS = {
    "paper": style.PAPER,
    "ink": style.INK,
    "muted": style.MUTED,
    "box": "#f1f5f9",
    "rail": "#94a3b8",
    "sip": style.BLUE,
    "media": style.VIOLET,
}
_RULES = (
    ".sg .bg{fill:$paper}.sg text{fill:$ink}.sg .d{fill:$muted}.sg .box{fill:$box;stroke:$rail}.sg .e{stroke:$sip}"
    ".sg .e.md{stroke:$media}.sg .ah{fill:$sip}.sg .mh{fill:$media}.sg .l{stroke:$paper}.sg .l.md{fill:$media}"
)


def _css() -> str:
    """Colours are written out: not every viewer knows custom properties."""
    dark = {name: style.DARK.get(colour, colour) for name, colour in _COLOURS.items()} | {"box": "#1b2740"}
    light_rules, dark_rules = Template(_RULES).substitute(_COLOURS), Template(_RULES).substitute(dark)
    return (
        ".sg{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;font-size:11px}"
        ".sg .d{font-size:10.5px}.sg .who{font-weight:600;font-size:12px}"
        ".sg .e{fill:none}.sg .e.md{stroke-dasharray:6 4}.sg .ed:hover .e{stroke-width:5}"
        ".sg .l{paint-order:stroke;stroke-width:4px;stroke-linejoin:round;font-size:10.5px}"
        f"{light_rules}@media (prefers-color-scheme:dark){{{dark_rules}}}@media print{{{light_rules}}}"
    )


def _box(node: GraphNode, x: float, y: float, height: int) -> str:
    room = int((BOX - 16) / CHARACTER)
    tip = escape("\n".join([*node.addresses[:20], node.detail]).strip() or node.title)
    title = escape(clip(printable(node.title), room))
    middle = x + BOX / 2
    two = bool(node.detail) and height >= 36
    texts = f'<text class="who" x="{middle:.0f}" y="{y + (-2 if two else 4):.0f}" text-anchor="middle">{title}</text>'
    if two:
        detail = escape(clip(node.detail, room))
        texts += f'<text class="d" x="{middle:.0f}" y="{y + 13:.0f}" text-anchor="middle">{detail}</text>'
    return (
        f'<g><title>{tip}</title><rect class="box" x="{x:.0f}" y="{y - height / 2:.0f}" width="{BOX}" '
        f'height="{height}" rx="7"/>{texts}</g>'
    )


def _curve(pair: _Pair, spots: dict[str, tuple[float, float]], crowded: dict[str, int], box: int) -> Curve:
    """Start, two control points and end of a pair's line. Media leaves the boxes below signalling."""
    (x1, y1), (x2, y2) = spots[pair.first], spots[pair.second]
    shift = box * 0.3 if pair.media else -box * 0.08
    y1, y2 = y1 + shift, y2 + shift
    if x1 == x2:
        bulge = 60 + 0.25 * abs(y2 - y1) + (30 if pair.media else 0)
        return (x1 + BOX, y1), (x1 + BOX + bulge, y1), (x2 + BOX + bulge, y2), (x2 + BOX, y2)
    start, end = (x1 + BOX, y1), (x2, y2)
    flat = [0.8 if crowded[node] > CROWD else 0.45 for node in (pair.first, pair.second)]
    across = end[0] - start[0]
    # A line past the next column hangs below the boxes it would otherwise cross.
    sag = 80.0 if x2 - x1 > LANE + 111 else 0.0
    return start, (start[0] + flat[0] * across, y1 + sag), (end[0] - flat[1] * across, y2 + sag), end


def _edge(pair: _Pair, curve: Curve) -> str:
    start, one, two, end = curve
    kind = "e md" if pair.media else "e"
    thick = min(1.2 + 0.3 * math.log2(pair.total + 1), 3.5)
    marker = "url(#sg-m)" if pair.media else "url(#sg-a)"
    ends = (f' marker-end="{marker}"' if pair.forward else "") + (f' marker-start="{marker}"' if pair.backward else "")
    tip = escape(f"{pair.first} and {pair.second}: {pair.label}")
    return (
        f'<g class="ed"><title>{tip}</title><path class="{kind}" stroke-width="{thick:.1f}"{ends} '
        f'd="M{start[0]:.0f} {start[1]:.0f}C{one[0]:.0f} {one[1]:.0f} {two[0]:.0f} {two[1]:.0f} '
        f'{end[0]:.0f} {end[1]:.0f}"/></g>'
    )


def _labels(
    lines: Sequence[tuple[_Pair, Curve]], spots: dict[str, tuple[float, float]], crowded: dict[str, int], box: int
) -> str:
    """A label a line; where a column is crowded, one label at each of its boxes, and none where lines bundle."""
    texts = []
    beside: dict[str, list[str]] = {}
    # Boxes are in the way of labels, too: as rows of text as wide as they are.
    taken = [
        (x + BOX / 2, y + row, float(BOX)) for x, y in spots.values() for row in range(-box // 2 + 4, box // 2 + 10, 12)
    ]
    for pair, curve in lines:
        ends = [node for node in (pair.first, pair.second) if crowded[node] > CROWD]
        if ends:
            for node in ends:
                beside.setdefault(node, []).append(pair.label)
            continue
        same = spots[pair.first][0] == spots[pair.second][0]
        anchor = "start" if same else "middle"
        text = clip(pair.label, 64)
        x, y = _free_spot(curve, len(text) * CHARACTER * 0.9, 14 if pair.media else -6, 6 if same else 0, taken)
        texts.append(_label(x, y, anchor, text, pair.media))
    leftmost = min((x for x, _ in spots.values()), default=0.0)
    for node, labels in beside.items():
        x, y = spots[node]
        left = x == leftmost
        at = x + BOX + 12 if left else x - 12
        texts.append(_label(at, y - box * 0.08 - 6, "start" if left else "end", " · ".join(labels), False))
    return "".join(texts)


def _free_spot(
    curve: Curve, width: float, lift: float, shift: float, taken: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """A place for a label along its line, away from the labels already placed (middle, baseline, width)."""
    spot = (0.0, 0.0)
    for t, nudge in product((0.5, 0.36, 0.64, 0.26, 0.74, 0.18, 0.82), (0, 13, -13)):
        x, y = _point(curve, t)
        spot = (x + shift, y + lift + nudge)
        centre = spot[0] + (width / 2 if shift else 0)
        if all(abs(centre - ox) > (width + other) / 2 or abs(spot[1] - oy) > 11 for ox, oy, other in taken):
            break
    else:
        x, y = _point(curve, 0.5)
        spot = (x + shift, y + lift)
    taken.append((spot[0] + (width / 2 if shift else 0), spot[1], width))
    return spot


def _label(x: float, y: float, anchor: str, text: str, media: bool) -> str:
    name = "l md" if media else "l"
    return f'<text class="{name}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(clip(text, 64))}</text>'


def _point(curve: Curve, t: float) -> tuple[float, float]:
    """Of a cubic Bézier curve."""
    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
    return (
        sum(w * x for w, (x, _) in zip(weights, curve, strict=True)),
        sum(w * y for w, (_, y) in zip(weights, curve, strict=True)),
    )
