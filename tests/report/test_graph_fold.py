from __future__ import annotations

from sipreplay.report.callgraph_svg import callgraph_svg
from sipreplay.report.graph_fold import ALIKE, FEW, GraphEdge, GraphNode, folded


def node(ident: str, address: str, role: str = "UAC", agent: str = "") -> GraphNode:
    return GraphNode(ident, address, role, [address], role, agent)


def phones(number: int, role: str = "UAC") -> tuple[list[GraphNode], list[GraphEdge]]:
    nodes = [node(f"phone{n}", f"10.1.0.{n}:5060", role, "Phone") for n in range(1, number + 1)]
    return nodes, [GraphEdge(phone.id, "sbc", {"invite": 2, "register": 1}) for phone in nodes]


SBC, GATEWAY = node("sbc", "10.0.0.1:5060", "B2BUA"), node("gw", "10.0.0.2:5060", "UAS")


def test_a_small_graph_is_left_as_it_is() -> None:
    nodes, edges = phones(FEW - 2)
    kept, links = folded([*nodes, SBC, GATEWAY], [*edges, GraphEdge("sbc", "gw", {"invite": 20})])
    assert len(kept) == FEW
    assert len(links) == len(edges) + 1


def test_many_endpoints_that_are_alike_are_one_box_and_no_count_is_lost() -> None:
    nodes, edges = phones(60)
    edges += [GraphEdge(phone.id, "gw", {"RTP PCMA": 1}, media=True) for phone in nodes]
    kept, links = folded([*nodes, SBC, GATEWAY], [*edges, GraphEdge("sbc", "gw", {"invite": 120})])
    assert [(n.title, n.actors) for n in kept] == [("60 actors", 60), ("10.0.0.1:5060", 1), ("10.0.0.2:5060", 1)]
    assert kept[0].detail == "UAC, 10.1.0.1 ... 10.1.0.60"
    assert [(link.source, link.target, link.counts) for link in links] == [
        ("phone1", "sbc", {"invite": 120, "register": 60}),
        ("phone1", "gw", {"RTP PCMA": 60}),
        ("sbc", "gw", {"invite": 120}),
    ]
    svg = callgraph_svg(kept, links)
    assert "62 actors, 300 dialogs, 60 streams" in svg
    assert "60 actors" in svg


def test_what_differs_in_role_or_in_whom_it_talks_to_stays_apart() -> None:
    nodes, edges = phones(20)
    nodes[0].role = "UAS"
    edges.append(GraphEdge("sbc", "phone2", {"invite": 1}))
    kept, _ = folded([*nodes, SBC], edges)
    assert [n.title for n in kept] == ["10.1.0.1:5060", "10.1.0.2:5060", "18 actors", "10.0.0.1:5060"]


def test_fewer_than_a_handful_stay_apart() -> None:
    nodes, edges = phones(ALIKE - 1)
    others = [node(f"other{n}", f"10.2.0.{n}:5060", f"role {n}") for n in range(FEW)]
    kept, _ = folded([*nodes, SBC, *others], edges)
    assert len(kept) == len(nodes) + 1 + len(others)


def test_actors_of_a_host_are_one_box_unless_they_talk_to_each_other() -> None:
    one, two = node("one", "10.0.0.1:5060", "proxy", "kamailio"), node("two", "10.0.0.1:5080", "registrar")
    kept, links = folded(
        [one, two, GATEWAY], [GraphEdge("one", "gw", {"invite": 1}), GraphEdge("gw", "two", {"register": 1})]
    )
    assert [(n.title, n.detail) for n in kept] == [("10.0.0.1", "proxy, registrar, kamailio"), ("10.0.0.2:5060", "UAS")]
    assert {(link.source, link.target) for link in links} == {("one", "gw"), ("gw", "one")}
    kept, _ = folded([one, two], [GraphEdge("one", "two", {"register": 1})])
    assert len(kept) == 2


def test_colours_are_written_out_for_viewers_without_custom_properties() -> None:
    nodes, edges = phones(3)
    svg = callgraph_svg([*nodes, SBC], edges)
    assert "var(" not in svg
    assert "prefers-color-scheme:dark" in svg
