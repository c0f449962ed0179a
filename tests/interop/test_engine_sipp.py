"""Our engine and Debian's sipp call each other: every call succeeds, and nothing has to be sent twice."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.process import EngineProcess
from tests.interop.sipp import sipp_uac, sipp_uas

IP = "127.0.0.41"
PEER = "127.0.0.42"
CALLS = 400
RATE = 200


def free_port(ip: str, kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((ip, 0))
        return int(probe.getsockname()[1])


@pytest.mark.interop("sipp")
@pytest.mark.parametrize(("transport", "mode"), [("UDP", "u1"), ("TCP", "t1")])
def test_engine_calls_sipp(tmp_path: Path, transport: str, mode: str) -> None:
    port = free_port(PEER, socket.SOCK_STREAM if transport == "TCP" else socket.SOCK_DGRAM)
    with sipp_uas(tmp_path, "uas", PEER, port, "-m", str(CALLS), transport=mode) as peer:
        config = EngineConfig(
            scenario="uac",
            builtin=True,
            local_ip=IP,
            local_port=0,
            remote=(PEER, port),
            rate_cps=RATE,
            calls=CALLS,
            limit=0,
            transport=transport,
        )
        with EngineProcess(config) as engine:
            result = engine.result(60)
        finished = peer.wait(20)
    assert result.reason == "finished"
    assert (result.statistics.successful, result.statistics.failed) == (CALLS, 0), result.statistics.examples
    assert result.statistics.retransmissions == 0
    assert finished.exit_code == 0, finished.explain()


@pytest.mark.interop("sipp")
@pytest.mark.parametrize(("transport", "mode"), [("UDP", "u1"), ("TCP", "t1")])
def test_sipp_calls_engine(tmp_path: Path, transport: str, mode: str) -> None:
    config = EngineConfig(scenario="uas", builtin=True, local_ip=IP, local_port=0, calls=CALLS, transport=transport)
    with EngineProcess(config) as engine:
        ip, port = engine.wait_ready()
        options = ("-r", str(RATE), "-m", str(CALLS))
        with sipp_uac(tmp_path, "uac", PEER, free_port(PEER), f"{ip}:{port}", *options, transport=mode) as peer:
            finished = peer.wait(60)
        result = engine.result(30)
    assert finished.exit_code == 0, finished.explain()
    assert (result.statistics.successful, result.statistics.failed) == (CALLS, 0), result.statistics.examples
    assert result.statistics.retransmissions == 0


@pytest.mark.interop("sipp")
@pytest.mark.parametrize("name", ["regexp", "branchc"])
def test_other_built_in_callers_against_sipp(tmp_path: Path, name: str) -> None:
    peer_name = {"regexp": "uas", "branchc": "branchs"}[name]
    port = free_port(PEER)
    with sipp_uas(tmp_path, peer_name, PEER, port, "-m", "20"):
        config = EngineConfig(
            scenario=name,
            builtin=True,
            local_ip=IP,
            local_port=0,
            remote=(PEER, port),
            rate_cps=50,
            calls=20,
            max_pause_ms=200,
        )
        with EngineProcess(config) as engine:
            result = engine.result(60)
    assert (result.statistics.successful, result.statistics.failed) == (20, 0), result.statistics.examples
