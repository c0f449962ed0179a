"""Counts of `inspect` against tshark's on every capture at hand: messages, methods, codes, Call-IDs, resends."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.ladder import ladder_lines
from sipreplay.analysis.reading import analyse
from tests.interop.conftest import NO_SHARED, own_names, shared_folder, shared_names

pytestmark = pytest.mark.interop("tshark")

TUNNELLED = {"arkime--pcap-gtp-iphone.pcap"}
"""GTP, which is not decoded."""


def fields(path: Path, *names: str, only: str = "sip") -> list[list[str]]:
    """What `tshark -T fields` says of each SIP packet: for each field its values, separated by commas."""
    chosen = [argument for name in names for argument in ("-e", name)]
    result = subprocess.run(
        ["tshark", "-r", str(path), "-Y", only, "-T", "fields", "-E", "occurrence=a", "-E", "separator=\t", *chosen],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return [line.split("\t") for line in result.stdout.splitlines()]


def values(rows: list[list[str]], column: int) -> list[str]:
    return [value for row in rows for value in row[column].split(",") if value]


def check(path: Path) -> None:
    analysis = analyse([path])
    sip = inspect_json(analysis)["sip"]
    rows = fields(path, "sip.Method", "sip.Status-Code", "sip.Call-ID")
    assert sip["requests"] == dict(Counter(values(rows, 0)))
    assert sip["responses"] == dict(Counter(values(rows, 1)))
    assert sip["messages"] == len(values(rows, 0)) + len(values(rows, 1))
    call_ids = {m.message.call_id for m in analysis.messages if m.message.call_id}
    assert call_ids == set(values(rows, 2))
    assert {d.call_id for d in analysis.dialogs} == call_ids
    resent = fields(path, "frame.number", only="sip.resend == 1")
    marked = {str(m.packet) for m in analysis.messages if m.retransmission or m.copy}
    assert {row[0] for row in resent} <= marked


@pytest.mark.parametrize("name", own_names())
def test_own_captures(own_captures: Path, name: str) -> None:
    check(own_captures / name)


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", [name for name in shared_names() if name not in TUNNELLED])
def test_shared_captures(shared_captures: Path, name: str) -> None:
    check(shared_captures / name)


@pytest.mark.skipif(shared_folder() is None, reason=NO_SHARED)
@pytest.mark.parametrize("name", [name for name in shared_names() if name not in TUNNELLED])
def test_every_message_with_a_call_id_is_in_a_dialog(shared_captures: Path, name: str) -> None:
    analysis = analyse([shared_captures / name])
    held = {id(m) for d in analysis.dialogs for m in d.messages}
    assert held == {id(m) for m in analysis.messages if m.message.call_id}


def test_two_hops_through_kamailio(own_captures: Path) -> None:
    analysis = analyse([own_captures / "kamailio-auth-record-route.pcap"])
    first, second = (d for d in analysis.dialogs if d.kind == "invite")
    assert (first.hop, second.hop, second.upstream) == (0, 1, first.id)
    assert ladder_lines(first)[:4] == ["> INVITE", "< 407", "> ACK", "> INVITE"]
    assert ladder_lines(first)[3:] == ladder_lines(second)
