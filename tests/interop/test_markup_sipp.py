"""Files that are not well-formed: what Debian's sipp makes of them, what we make of them, and of the mended file."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from sipreplay.scenario.mending import mend
from sipreplay.scenario.reader import read_scenario
from sipreplay.testing import Playbook
from tests.interop.peers import free_port
from tests.scenario.broken import REFUSED, REPAIRED, Broken, file, message

pytestmark = pytest.mark.interop("sipp")


def by_sipp(folder: Path, data: bytes) -> tuple[str, list[bytes]] | None:
    """What sipp logs and sends when it plays a file; None if it refuses the file."""
    (folder / "x.xml").write_bytes(data)
    log = folder / "l.log"
    log.unlink(missing_ok=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        options = [
            "-m",
            "1",
            "-nr",
            "-i",
            "127.0.0.1",
            "-p",
            str(free_port()),
            "-nostdin",
            "-trace_logs",
            "-log_file",
            log,
        ]
        target = f"127.0.0.1:{sock.getsockname()[1]}"
        ended = subprocess.run(
            ["sipp", "-sf", "x.xml", *options, target], cwd=folder, capture_output=True, timeout=30, check=False
        )
        sock.setblocking(False)
        sent = []
        while True:
            try:
                sent.append(without_pid(sock.recv(65536)))
            except BlockingIOError:
                break
    if ended.returncode:
        return None
    return (log.read_text() if log.exists() else ""), sent


def without_pid(data: bytes) -> bytes:
    return re.sub(rb"Call-ID: 1-[0-9]+@", b"Call-ID: 1-PID@", data)


def by_us(data: bytes) -> tuple[str, list[bytes]]:
    logged: list[str] = []
    play = Playbook(read_scenario(data, "x.xml"), calls=0)
    play.engine.on_log = logged.append
    play.engine.config.calls = 1
    sent: list[bytes] = []
    play.engine.send = lambda message, address: sent.append(without_pid(message))
    play.ended(successful=1)
    return "".join(f"{text}\n" for text in logged), sent


@pytest.mark.parametrize("broken", REPAIRED, ids=lambda broken: broken.name)
def test_a_defect_means_the_same(tmp_path: Path, broken: Broken) -> None:
    theirs = by_sipp(tmp_path, broken.data)
    assert (theirs is not None) == broken.old_sipp
    after = by_sipp(tmp_path, mend(broken.data).data)
    assert after is not None
    assert after == (theirs or after)
    assert after == by_us(broken.data)


@pytest.mark.parametrize("broken", REFUSED, ids=lambda broken: broken.name)
def test_what_we_refuse_sipp_refuses_or_misreads_until_it_is_mended(tmp_path: Path, broken: Broken) -> None:
    mended = mend(broken.data).data
    after = by_sipp(tmp_path, mended)
    assert after == by_us(mended)
    assert by_sipp(tmp_path, broken.data) != after


@pytest.mark.parametrize("head", [b"", b'\xef\xbb\xbf<?xml version="1.0"?>\n'], ids=["no declaration", "mark"])
def test_a_note_tells_what_debians_sipp_refuses(tmp_path: Path, head: bytes) -> None:
    data = file(message(), head)
    assert by_sipp(tmp_path, data) is None
    assert by_sipp(tmp_path, mend(data).data) == by_us(data)
