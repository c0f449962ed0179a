"""Every capture at hand read here and by tshark: messages, methods, codes, Call-IDs, resends, and RTP streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.ladder import ladder_lines
from sipreplay.analysis.reading import analyse
from tests.interop.agreement import DIFFERENCES, MOST_FILES, differences, our_reading, page_text, text
from tests.interop.conftest import NO_SHARED, own_names, shared_folder, shared_names
from tests.interop.tshark_reading import tshark_reading

pytestmark = pytest.mark.interop("tshark")


def check(path: Path) -> None:
    """The readings are the same, or differ in what the table says."""
    found = differences(path)
    known = DIFFERENCES.get(path.name)
    if known is None:
        assert found == []
    else:
        assert found, "the table names a difference that is none"
        assert all(line.startswith(known.what) for line in found)
        assert 1 <= known.packet <= sum(capture.packets for capture in our_reading(path).captures)
    marked = {m.packet for m in our_reading(path).messages if m.retransmission or m.copy}
    assert tshark_reading(path).resent <= marked


@pytest.mark.parametrize("name", own_names())
def test_own_captures(own_captures: Path, name: str) -> None:
    check(own_captures / name)


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", shared_names())
def test_shared_captures(shared_captures: Path, name: str) -> None:
    check(shared_captures / name)


def test_few_files_differ() -> None:
    assert len(DIFFERENCES) <= MOST_FILES


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
def test_the_documentation_says_how_far_the_tools_agree() -> None:
    assert page_text() == text(), "run: python -m tests.interop.agreement"


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", shared_names())
def test_every_message_with_a_call_id_is_in_a_dialog(shared_captures: Path, name: str) -> None:
    analysis = our_reading(shared_captures / name)
    held = {id(m) for d in analysis.dialogs for m in d.messages}
    assert held == {id(m) for m in analysis.messages if m.message.call_id}


def test_two_hops_through_kamailio(own_captures: Path) -> None:
    analysis = analyse([own_captures / "kamailio-auth-record-route.pcap"])
    first, second = (d for d in analysis.dialogs if d.kind == "invite")
    assert (first.hop, second.hop, second.upstream) == (0, 1, first.id)
    assert ladder_lines(first)[:4] == ["> INVITE", "< 407", "> ACK", "> INVITE"]
    assert ladder_lines(first)[3:] == ladder_lines(second)
