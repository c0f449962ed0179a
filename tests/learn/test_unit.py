"""Which dialogs are learned together."""

from __future__ import annotations

from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.model import Analysis
from sipreplay.learn.unit import make_units
from tests.analysis.flow import Flow, call


def test_a_conversation_recorded_anew_is_a_unit_of_its_own() -> None:
    flow = Flow()
    call(flow)
    flow.capture, flow.time = 1, flow.time + 3600
    call(flow)
    dialogs = flow.dialogs()
    units, left_out = make_units(Analysis([], flow.messages, 0, dialogs, build_calls(dialogs), []), dialogs)
    assert (len(units), left_out) == (2, [])
