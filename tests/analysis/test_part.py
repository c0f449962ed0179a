from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.graph import call_graph
from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.model import Analysis
from sipreplay.analysis.part import Part, choose_calls
from sipreplay.analysis.reading import analyse
from sipreplay.errors import UsageError

CAPTURES = Path(__file__).parents[2] / "captures"


@pytest.fixture(scope="module")
def whole() -> Analysis:
    return analyse([CAPTURES / "kamailio-auth-record-route.pcap"])


def test_what_is_written_of_a_part_is_what_the_whole_has_of_it(whole: Analysis) -> None:
    calls = choose_calls(whole, (), "kind==invite")
    assert calls is not None
    part, all_of_it = inspect_json(Part(whole, calls)), inspect_json(whole)
    assert [call["id"] for call in part["calls"]] == [3]
    assert part["calls"] == all_of_it["calls"][2:]
    assert part["dialogs"] == [d for d in all_of_it["dialogs"] if d["call"] == 3]
    assert part["streams"] == all_of_it["streams"]
    assert part["captures"] == all_of_it["captures"]
    assert part["sip"]["messages"] == 16
    assert part["sip"]["requests"] == {"ACK": 3, "BYE": 2, "INVITE": 3}


def test_the_graph_of_a_part_has_its_dialogs_only(whole: Analysis) -> None:
    graph = call_graph(Part(whole, whole.calls[:1]))
    assert [data["kind"] for *_, data in graph.edges(data=True)] == ["register"]


def test_numbers_and_filter_both_have_to_fit(whole: Analysis) -> None:
    assert choose_calls(whole, (), " ") is None
    assert choose_calls(whole, (1, 3), "kind==register") == whole.calls[:1]
    with pytest.raises(UsageError, match="--call 9: there are calls 1 to 3"):
        choose_calls(whole, (9,), "")
