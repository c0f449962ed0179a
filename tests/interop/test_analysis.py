"""Our analysis of captures against tshark's: the same messages, in the same order, and the same RTP streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from tests.interop.conftest import NO_SHARED, own_names, shared_folder, shared_names
from tests.interop.peers import tshark_sequences, tshark_streams

pytestmark = pytest.mark.interop("tshark")


def sequences(analysis: Analysis) -> dict[tuple[str, frozenset[str]], list[tuple[str, str, str]]]:
    found: dict[tuple[str, frozenset[str]], list[tuple[float, tuple[str, str, str]]]] = {}
    for captured in (captured for dialog in analysis.dialogs for captured in dialog.messages):
        message = captured.message
        if captured.copy or captured.retransmission or message.status == 100:
            continue
        key = (message.call_id, frozenset((captured.source.host, captured.destination.host)))
        what = message.method if message.is_request else str(message.status)
        row = (str(captured.source), str(captured.destination), what)
        found.setdefault(key, []).append((captured.time, row))
    return {key: [row for _, row in sorted(rows, key=lambda each: each[0])] for key, rows in found.items()}


@pytest.mark.parametrize("name", own_names())
def test_own_captures_hold_what_tshark_sees(own_captures: Path, name: str) -> None:
    path = own_captures / name
    analysis = analyse([path])
    assert sequences(analysis) == tshark_sequences(path)
    ours = {
        (str(each.source), str(each.destination), each.ssrc): (each.packets, each.lost) for each in analysis.streams
    }
    theirs = {(each.source, each.destination, each.ssrc): (each.packets, each.lost) for each in tshark_streams(path)}
    assert ours == theirs


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", shared_names())
def test_shared_captures_hold_the_ladders_that_tshark_sees(shared_captures: Path, name: str) -> None:
    assert sequences(analyse([shared_captures / name])) == tshark_sequences(shared_captures / name)
