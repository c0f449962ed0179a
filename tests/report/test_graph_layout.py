from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.report.graph_layout import columns_of


def test_callers_left_proxies_between_callees_right() -> None:
    assert columns_of(["b", "p2", "p1", "a"], [("a", "p1", 1), ("p1", "p2", 1), ("p2", "b", 1)]) == [
        ["a"],
        ["p1"],
        ["p2"],
        ["b"],
    ]


def test_a_phone_that_is_called_more_than_it_calls_stands_right() -> None:
    assert columns_of(["a", "p", "b"], [("a", "p", 100), ("b", "p", 1), ("p", "b", 100)]) == [["a"], ["p"], ["b"]]


def test_a_loop_of_proxies_does_not_hang() -> None:
    nodes = ["a", "b", "c"]
    columns = columns_of(nodes, [("a", "b", 1), ("b", "c", 1), ("c", "a", 1)])
    assert sorted(node for column in columns for node in column) == nodes


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.integers(1, 5)), max_size=30))
def test_every_node_stands_in_exactly_one_column(edges: list[tuple[str, str, int]]) -> None:
    columns = columns_of(list("abcdefgh"), edges)
    assert sorted(node for column in columns for node in column) == list("abcdefgh")
    assert all(columns)
