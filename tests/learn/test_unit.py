"""Which dialogs are learned together."""

from __future__ import annotations

from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.model import Analysis
from sipreplay.learn.unit import make_units
from tests.analysis.flow import Flow, call


def test_a_conversation_recorded_anew_is_a_unit_of_its_own() -> None:
    first, second = Flow(), Flow()
    second.time += 3600
    call(first)
    call(second)
    for captured in second.messages:
        captured.capture = 1
    messages = first.messages + second.messages
    dialogs = build_dialogs(messages)
    units, left_out = make_units(Analysis([], messages, 0, dialogs, build_calls(dialogs), []), dialogs)
    assert (len(units), left_out) == (2, [])
