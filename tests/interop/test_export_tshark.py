"""What `inspect --export` writes shows tshark the chosen calls and their streams, as the whole capture does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.cli import run_command
from tests.interop.conftest import own_names
from tests.interop.test_streams_tshark import tshark_figures

pytestmark = pytest.mark.interop("tshark")


def call_ids(path: Path) -> list[tuple[str, str, str]]:
    """Call-ID, method and status of every message."""
    fields = ["-e", "sip.Call-ID", "-e", "sip.Method", "-e", "sip.Status-Code"]
    command = ["tshark", "-n", "-r", str(path), "-Y", "sip", "-T", "fields", *fields]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = []
    for line in output.splitlines():
        call_id, method, status = line.split("\t")
        found.append((call_id, method, status))
    return sorted(found)


@pytest.mark.parametrize("name", own_names())
def test_tshark_sees_the_chosen_calls_and_no_others(own_captures: Path, name: str, tmp_path: Path) -> None:
    source, output = own_captures / name, tmp_path / "call.pcap"
    analysis = analyse([source])
    messages, figures = call_ids(source), tshark_figures(source)
    for call in analysis.calls[-1:]:  # each alone is what the tests of the room look at
        assert run_command(["inspect", str(source), "--call", str(call.id), "--export", str(output), "--force"]) == 0
        mine = {analysis.dialog(ident).call_id for ident in call.dialogs}
        assert call_ids(output) == [message for message in messages if message[0] in mine]
        streams = [s for s in analysis.streams if s.dialog in call.dialogs]
        keys = {(*s.source, *s.destination, s.ssrc) for s in streams}
        assert tshark_figures(output) == {key: value for key, value in figures.items() if key in keys}
