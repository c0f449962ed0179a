from __future__ import annotations

from lxml import etree

from sipreplay.analysis.graph import call_graph
from sipreplay.analysis.model import Analysis
from sipreplay.report.callgraph_svg import MAX_NODES, GraphEdge, GraphNode, callgraph_svg, graph_svg

SVG = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> list[str]:
    return [text.text or "" for text in etree.fromstring(svg.encode()).iter(SVG + "text")]


def test_actors_are_boxes_and_dialogs_and_streams_have_counts(analysis: Analysis) -> None:
    texts = _texts(graph_svg(call_graph(analysis)))
    assert texts[0] == "3 actors, 2 dialogs, 2 streams"
    for address in ("10.0.0.1:5060", "192.168.100.20:5060", "10.0.0.77:49152"):
        assert address in texts
    assert texts.count("1 invite") == 2
    assert "1 RTP PCMA → · ← 1 RTP PCMA" in texts


def _star(phones: int) -> tuple[list[GraphNode], list[GraphEdge]]:
    nodes = [GraphNode("sbc", "10.0.0.2:5060", "between")] + [
        GraphNode(f"p{n}", f"10.0.1.{n}:5060", "caller") for n in range(phones)
    ]
    edges = [GraphEdge(f"p{n}", "sbc", {"invite": n + 1, "register": 2}) for n in range(phones)]
    return nodes, edges


def test_thirty_actors_do_not_stand_on_each_other() -> None:
    tree = etree.fromstring(callgraph_svg(*_star(29)).encode())
    boxes = [
        tuple(float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        for rect in tree.iter(SVG + "rect")
        if rect.get("class") == "box"
    ]
    assert len(boxes) == 30
    for index, (x, y, width, height) in enumerate(boxes):
        for ox, oy, _, _ in boxes[:index]:
            assert abs(x - ox) >= width or abs(y - oy) >= height


def test_a_huge_graph_is_cut_to_its_busiest_actors_and_says_so() -> None:
    texts = _texts(callgraph_svg(*_star(MAX_NODES + 50)))
    assert "51 quieter actors not shown" in texts
    assert f"10.0.1.{MAX_NODES + 49}:5060" in texts
    assert "10.0.1.0:5060" not in texts


def test_no_actor_at_all_is_a_picture_too() -> None:
    assert "0 actors" in _texts(callgraph_svg([], []))[0]


def test_names_are_text() -> None:
    svg = callgraph_svg([GraphNode("a", "<script>x</script>", '"><script>')], [GraphEdge("a", "a", {"<b>": 1})])
    assert "<script" not in svg
    etree.fromstring(svg.encode())
