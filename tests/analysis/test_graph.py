"""The call graph."""

from __future__ import annotations

import json

import networkx

from sipreplay.analysis.graph import Actors, call_graph, graph_json
from sipreplay.analysis.model import Address, Stream
from tests.analysis.flow import A, B, Flow, P, call, sdp


def stream(source: Address, destination: Address, dialog: int | None, from_caller: bool | None) -> Stream:
    return Stream(
        source,
        destination,
        7,
        [0],
        "PCMU",
        50,
        0,
        0,
        0,
        20,
        20,
        0,
        0,
        4.4,
        "",
        1000,
        1001,
        dialog,
        "audio",
        from_caller,
    )


def test_dialogs_and_streams_are_edges_between_actors() -> None:
    flow = Flow()
    call(flow)
    analysis = flow.analysis()
    analysis.streams.append(stream(Address(A.host, 4000), Address(B.host, 6000), 1, True))
    graph = call_graph(analysis)
    assert {data["label"] for _, data in graph.nodes(data=True)} == {str(A), str(B)}
    assert [(u, v, k) for u, v, k in graph.edges(keys=True)] == [
        ("actor1", "actor2", "dialog1"),
        ("actor1", "actor2", "stream1"),
    ]
    assert graph.edges["actor1", "actor2", "dialog1"]["state"] == "completed"


def test_two_ports_of_one_client_are_one_actor_and_two_actors_of_one_host_are_two() -> None:
    listening = Address("127.0.0.1", 5070)
    sending, proxy = Address("127.0.0.1", 40000), Address("127.0.0.1", 5060)
    flow = Flow()
    flow.say(sending, proxy, "OPTIONS", "1 OPTIONS", via="b1@127.0.0.1:5070")
    actors = Actors(flow.dialogs())
    assert actors.of(sending) == actors.of(listening) != actors.of(proxy)


def test_media_between_endpoints_does_not_end_at_the_proxy() -> None:
    a, p, b = (Address("127.0.0.1", port) for port in (5061, 5060, 5062))
    flow = Flow()
    flow.say(a, p, "INVITE", "1 INVITE", body=sdp("127.0.0.1", 4000))
    flow.say(p, b, "INVITE", "1 INVITE", via="p1,b1")
    analysis = flow.analysis()
    analysis.streams.append(stream(Address("127.0.0.1", 4000), Address("127.0.0.1", 6000), 1, True))
    actors = Actors(analysis.dialogs)
    edges = {k: (u, v) for u, v, k in call_graph(analysis).edges(keys=True)}
    assert edges["stream1"] == (actors.of(a), actors.of(b))


def test_a_stream_of_no_dialog_is_drawn_between_its_own_addresses() -> None:
    flow = Flow()
    analysis = flow.analysis()
    analysis.streams.append(stream(Address("203.0.113.1", 1), Address("203.0.113.2", 2), None, None))
    graph = call_graph(analysis)
    assert sorted(data["label"] for _, data in graph.nodes(data=True)) == ["203.0.113.1:1", "203.0.113.2:2"]


def test_the_document_comes_back_as_the_same_graph() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE", headers="User-Agent: phone")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    graph = call_graph(flow.analysis())
    document = json.loads(json.dumps(graph_json(graph)))
    assert document["graph"]["schema"] == "sipreplay/callgraph/1"
    again = networkx.MultiDiGraph()
    again.add_nodes_from((node.pop("id"), node) for node in document["nodes"])
    again.add_edges_from((e.pop("source"), e.pop("target"), e.pop("key"), e) for e in document["edges"])
    assert sorted(again.edges(keys=True, data="kind")) == sorted(graph.edges(keys=True, data="kind"))
    assert again.nodes["actor1"]["agent"] == "phone"
