"""Engine processes: ready soon, stopped, aborted, failing clearly, and never left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.process import EngineProcess
from sipreplay.errors import ScenarioError, TransportError, UsageError

ROOT = Path(__file__).resolve().parents[2]


def uas(**settings: object) -> EngineConfig:
    return EngineConfig(scenario="uas", builtin=True, local_port=0, **settings)  # type: ignore[arg-type]


def test_two_processes_call_each_other_and_tell_about_it() -> None:
    with EngineProcess(uas()) as callee:
        address = callee.wait_ready()
        config = EngineConfig(
            scenario="uac", builtin=True, local_port=0, remote=address, rate_cps=100, calls=50, pause_ms=100
        )
        with EngineProcess(config, hold=True, snapshot_interval_s=0.1) as caller:
            caller.wait_ready()
            time.sleep(0.2)
            assert all(kind == "ready" for kind, _ in caller.poll())
            caller.go()
            result = caller.result(30)
            kinds = [kind for kind, _ in caller.poll()]
        callee.stop()
        answered = callee.result(30)
    assert (result.reason, result.statistics.successful, result.statistics.failed) == ("finished", 50, 0)
    assert "snapshot" in kinds
    assert kinds[-1] == "result"
    assert (answered.reason, answered.statistics.successful) == ("stopped", 50)
    assert answered.statistics.receive_buffer > 0


def test_aborting_releases_the_calls_of_a_peer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        config = EngineConfig(
            scenario="uac", builtin=True, local_port=0, remote=peer.getsockname(), rate_cps=100, calls=1
        )
        with EngineProcess(config) as caller:
            invite, source = peer.recvfrom(65536)
            head = invite.split(b"\r\n")[1:6]
            peer.sendto(b"SIP/2.0 180 Ringing\r\n" + b"\r\n".join(head) + b"\r\n\r\n", source)
            time.sleep(0.2)
            caller.abort()
            result = caller.result(10)
        words = [invite.split(b" ")[0]]
        while words[-1] != b"CANCEL":
            words.append(peer.recv(65536).split(b" ")[0])
    assert result.reason == "aborted"
    assert result.statistics.failed == 1


def test_what_cannot_be_played_is_told_before_it_is_ready(tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text(
        '<scenario name="x">\n<send><![CDATA[\nOPTIONS sip:a SIP/2.0\nX: [nonsense]\n\n]]></send>\n</scenario>\n'
    )
    with (
        EngineProcess(EngineConfig(scenario=bad, local_port=0, remote=("127.0.0.1", 9))) as process,
        pytest.raises(ScenarioError, match="nonsense") as caught,
    ):
        process.wait_ready()
    assert caught.value.line == 4
    with (
        EngineProcess(EngineConfig(scenario="uac", builtin=True)) as process,
        pytest.raises(UsageError, match="remote"),
    ):
        process.wait_ready()
    with EngineProcess(uas()) as first:
        config = uas()
        config.local_port = first.wait_ready()[1]
        with EngineProcess(config) as second, pytest.raises(TransportError, match="in use"):
            second.wait_ready()


def test_a_process_that_dies_is_noticed() -> None:
    with EngineProcess(uas()) as process:
        process.wait_ready()
        os.kill(process.pid, 9)
        with pytest.raises(TransportError, match="without a result"):
            process.result(10)
        assert not process.running


def test_an_engine_ends_with_its_parent() -> None:
    program = (
        "import os, sys\n"
        "from sipreplay.engine.config import EngineConfig\n"
        "from sipreplay.engine.process import EngineProcess\n"
        "process = EngineProcess(EngineConfig(scenario='uas', builtin=True, local_port=0))\n"
        "process.wait_ready()\n"
        "print(process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        assert time.monotonic() < deadline, "the engine outlived its parent"
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_an_engine_process_imports_little() -> None:
    program = (
        "import sys\n"
        "import sipreplay.engine.loop, sipreplay.engine.process, sipreplay.media.client\n"
        "print([name for name in ('networkx', 'dpkt', 'scapy', 'matplotlib', 'rich', 'click', 'jinja2', 'distributed')"
        " if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
