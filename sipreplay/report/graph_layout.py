"""Where the actors of a call graph stand: callers left, what is between them in the middle, callees right.

Pure geometry on names; knows nothing of SIP and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

MAX_MIDDLE = 6
SWEEPS = 6


def columns_of(nodes: Sequence[str], edges: Iterable[tuple[str, str, int]]) -> list[list[str]]:
    """The nodes by column, each column ordered so that few edges cross. Edges are (from, to, weight).

    A node with traffic in both directions and at least two neighbours is in the middle; middle nodes follow each
    other in the direction of the traffic. Others stand on the side of the middle nodes they talk to; where that
    does not tell, left when they start as much as they answer, else right.
    """
    into: dict[str, dict[str, int]] = {node: {} for node in nodes}
    out: dict[str, dict[str, int]] = {node: {} for node in nodes}
    for source, target, weight in edges:
        if source != target:
            out[source][target] = out[source].get(target, 0) + weight
            into[target][source] = into[target].get(source, 0) + weight
    middle = [n for n in nodes if into[n] and out[n] and len(set(into[n]) | set(out[n])) > 1]
    ranks = _ranks(middle, out)
    last = max(ranks.values(), default=-1) + 1
    columns: list[list[str]] = [[] for _ in range(last + 2)]
    for node in nodes:
        if node in ranks:
            columns[1 + ranks[node]].append(node)
        else:
            near = [ranks[other] for other in (*into[node], *out[node]) if other in ranks]
            lean = sum(near) / len(near) - (last - 1) / 2 if near else 0.0
            left = lean < 0 or (lean == 0 and sum(out[node].values()) >= sum(into[node].values()))
            columns[0 if left else -1].append(node)
    columns = [column for column in columns if column]
    return _ordered(columns, into, out)


def _ranks(middle: Sequence[str], out: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Longest path from a first middle node; cycles (calls in both directions) are cut at the lighter edge."""
    inside = set(middle)
    ranks = dict.fromkeys(middle, 0)
    forward = [
        (source, target)
        for source in middle
        for target, weight in out[source].items()
        if target in inside and weight > out[target].get(source, -1)
    ]
    for _ in range(min(len(middle), MAX_MIDDLE)):
        changed = False
        for source, target in forward:
            if ranks[target] < ranks[source] + 1 < MAX_MIDDLE:
                ranks[target] = ranks[source] + 1
                changed = True
        if not changed:
            break
    return ranks


def _ordered(
    columns: list[list[str]], into: Mapping[str, Mapping[str, int]], out: Mapping[str, Mapping[str, int]]
) -> list[list[str]]:
    """Barycentre ordering, forth and back."""
    place = {node: index / max(len(column), 1) for column in columns for index, node in enumerate(column)}
    home = {node: number for number, column in enumerate(columns) for node in column}

    def wish(node: str) -> float:
        near = [n for n in (*into[node], *out[node]) if home[n] != home[node]]
        return sum(place[n] for n in near) / len(near) if near else place[node]

    for _ in range(SWEEPS):
        for column in columns:
            column.sort(key=lambda node: (wish(node), place[node]))
            for index, node in enumerate(column):
                place[node] = (index + 0.5) / len(column)
    return columns
