"""Writes a call graph as a file: SVG to look at, GraphML and JSON (node-link) to work with."""

from __future__ import annotations

import json
from pathlib import Path

from sipreplay.analysis.graph import call_graph, graph_json
from sipreplay.analysis.model import Analysis
from sipreplay.errors import TransportError, UsageError
from sipreplay.report.callgraph_svg import graph_svg
from sipreplay.report.words import printable

SUFFIXES = (".svg", ".graphml", ".json")


def check_graph_name(path: Path) -> None:
    """Raise UsageError for a name that does not say what to write."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--graph {path}: the name ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def write_graph(analysis: Analysis, path: Path) -> None:
    """Write the graph as `path` says (.svg, .graphml or .json).

    Raises UsageError for another extension, TransportError when the file cannot be written.
    """
    check_graph_name(path)
    suffix = path.suffix.lower()
    if suffix == ".svg":
        data = graph_svg(call_graph(analysis)).encode()
    elif suffix == ".graphml":
        data = _graphml(analysis)
    else:
        data = (json.dumps(graph_json(call_graph(analysis)), indent=1) + "\n").encode()
    write_file(path, data)


def write_file(path: Path, data: bytes) -> None:
    """Write a result. Raises TransportError that names the file and what the system said."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise TransportError(f"{path}: cannot be written: {error.strerror}") from error


def _graphml(analysis: Analysis) -> bytes:
    """GraphML knows no lists and no None, and XML no control characters."""
    import io

    import networkx

    plain = networkx.MultiDiGraph()
    graph = call_graph(analysis)
    for ident, data in graph.nodes(data=True):
        plain.add_node(ident, **_plain(data))
    for source, target, key, data in graph.edges(keys=True, data=True):
        plain.add_edge(source, target, key=key, **_plain(data))
    buffer = io.BytesIO()
    networkx.write_graphml(plain, buffer)
    return buffer.getvalue()


def _plain(data: dict[str, object]) -> dict[str, object]:
    out: dict[str, object] = {}
    for name, value in data.items():
        if isinstance(value, list):
            out[name] = printable(", ".join(map(str, value)))
        elif isinstance(value, str):
            out[name] = printable(value)
        elif value is not None:
            out[name] = value
    return out
