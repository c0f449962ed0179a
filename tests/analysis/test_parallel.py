"""Several processes find what one finds."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from bench.media_capture import generate
from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.parallel import on_cores
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.share import Share
from sipreplay.errors import CaptureError
from tests.interop.conftest import shared_folder

FOLDERS = [folder for folder in (shared_folder(), Path("captures")) if folder is not None]
CAPTURES = [path for folder in FOLDERS for path in sorted(folder.glob("*.pcap*"))]


def document(paths: list[Path], processes: int) -> str:
    return json.dumps(inspect_json(analyse(paths, processes=processes)), indent=1)


@pytest.mark.parametrize("processes", [2, 3])
def test_generated_calls_are_the_same_for_any_number_of_processes(tmp_path: Path, processes: int) -> None:
    path = tmp_path / "calls.pcap"
    generate(path, 20)
    assert document([path], processes) == document([path], 1)


def test_all_captures_together_are_the_same_with_two_processes() -> None:
    assert document(CAPTURES, 2) == document(CAPTURES, 1)


def test_the_bytes_of_messages_are_there_afterwards() -> None:
    captures = [Path("captures/tcp-call.pcap"), Path("captures/uac_pcap-g711-dtmf.pcap")]
    one, two = analyse(captures), analyse(captures, processes=2)
    assert len(one.messages) > 10
    assert [m.data for m in two.messages] == [m.data for m in one.messages]


def test_what_can_be_read_only_once_is_read_by_one_process_and_said(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    content = Path("captures/tcp-call.pcap").read_bytes()
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    analysis = analyse([fifo], processes=2)
    writer.join()
    assert len(analysis.dialogs) == len(analyse([Path("captures/tcp-call.pcap")]).dialogs)
    assert any("can be read only once" in problem.what for problem in analysis.captures[0].problems)


def test_an_error_of_a_process_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(b"no capture at all")
    with pytest.raises(CaptureError, match="not a capture"):
        analyse([tmp_path / "x.pcap"], processes=2)


def test_an_interruption_is_left_to_the_first_process(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C reaches all processes of a terminal; those that read have nothing to say of it."""

    def interrupted(share: Share, spool: object, tell: object) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return share.number

    found, spools = on_cores(interrupted, 2, None)
    for spool in spools:
        spool.close()
    assert found == [0, 1]
    assert "Traceback" not in capfd.readouterr().err
