"""Whole runs of one engine on real sockets of the loopback."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.loop import EngineResult, run_engine
from sipreplay.errors import ScenarioError, TransportError, UsageError


def free_port(ip: str = "127.0.0.1", kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind) as probe:
        probe.bind((ip, 0))
        return int(probe.getsockname()[1])


def pair(transport: str = "UDP", calls: int = 20, **settings: object) -> tuple[EngineResult, EngineResult]:
    """A caller and a callee in two threads."""
    ready = threading.Event()
    addresses: list[tuple[str, int]] = []
    results: list[EngineResult] = []

    def callee() -> None:
        def listening(address: tuple[str, int]) -> None:
            addresses.append(address)
            ready.set()

        config = EngineConfig(
            scenario="uas", builtin=True, local_port=0, calls=calls, transport=transport, max_pause_ms=50
        )
        results.append(run_engine(config, on_ready=listening))

    thread = threading.Thread(target=callee)
    thread.start()
    assert ready.wait(10)
    config = EngineConfig(
        scenario="uac",
        builtin=True,
        local_port=0,
        remote=addresses[0],
        rate_cps=200,
        calls=calls,
        transport=transport,
        **settings,  # type: ignore[arg-type]
    )
    caller = run_engine(config)
    thread.join(30)
    return caller, results[0]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_run_between_two_engines(transport: str) -> None:
    caller, callee = pair(transport)
    assert (caller.reason, caller.statistics.successful, caller.statistics.failed) == ("finished", 20, 0)
    assert (callee.statistics.successful, callee.statistics.failed) == (20, 0)


def test_traces_are_written(tmp_path: Path) -> None:
    messages, times = tmp_path / "messages.log", tmp_path / "rtt.csv"
    pair(calls=3, trace_messages=messages, trace_rtt=times, trace_errors=tmp_path / "errors.log")
    text = messages.read_bytes()
    assert text.count(b"UDP message sent") == 9
    assert text.count(b"UDP message received") == 9
    assert len(times.read_text().splitlines()) == 4
    assert not (tmp_path / "errors.log").exists()


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_a_target_where_nobody_listens_is_named(ip: str) -> None:
    port = free_port(ip)
    config = EngineConfig(
        scenario="uac", builtin=True, local_ip=ip, local_port=0, remote=(ip, port), rate_cps=100, calls=2, max_retrans=1
    )
    result = run_engine(config)
    (example,) = result.statistics.examples.values()
    assert example.cause == "MaxUDPRetrans"
    assert f"nothing listens on {ip}:{port}" in example.got


def test_a_tcp_target_that_refuses_is_told_before_the_run() -> None:
    port = free_port(kind=socket.SOCK_STREAM)
    config = EngineConfig(scenario="uac", builtin=True, local_port=0, remote=("127.0.0.1", port), transport="TCP")
    with pytest.raises(TransportError, match="refused"):
        run_engine(config)


def test_a_tcp_peer_that_hangs_up_fails_the_calls_on_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def peer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)

        thread = threading.Thread(target=peer)
        thread.start()
        config = EngineConfig(
            scenario="uac",
            builtin=True,
            local_port=0,
            remote=server.getsockname(),
            transport="TCP",
            calls=1,
            rate_cps=100,
        )
        result = run_engine(config)
        thread.join(10)
    assert result.statistics.failures == {"TcpClosed": 1}


def test_what_is_wrong_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="remote host"):
        run_engine(EngineConfig(scenario="uac", builtin=True))
    with pytest.raises(UsageError, match="SCTP"):
        run_engine(EngineConfig(scenario="uas", builtin=True, transport="SCTP"))
    with pytest.raises(UsageError, match="IP version"):
        run_engine(EngineConfig(scenario="uac", builtin=True, remote=("::1", 5060)))
    with pytest.raises(TransportError, match="not an address of this machine"):
        run_engine(EngineConfig(scenario="uas", builtin=True, local_ip="192.0.2.99", local_port=0))
    with pytest.raises(ScenarioError, match="cannot be read"):
        run_engine(EngineConfig(scenario=tmp_path / "missing.xml"))
    with pytest.raises(ScenarioError, match="cannot be read"):
        run_engine(EngineConfig(scenario="uas", builtin=True, injection=[tmp_path / "missing.csv"]))


def test_a_fatal_error_of_the_scenario_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "fatal.xml"
    path.write_text(
        '<scenario name="x"><send><![CDATA[\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\n\n]]></send>'
        '<nop><action><error message="call [call_number] is enough"/></action></nop></scenario>'
    )
    port = free_port()
    result = run_engine(EngineConfig(scenario=path, local_port=0, remote=("127.0.0.1", port), rate_cps=100))
    assert result.reason == "fatal"
    assert "call 1 is enough" in result.message


def test_a_file_keyword_reads_below_the_scenario_only(tmp_path: Path) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    path = folder / "file.xml"
    path.write_text(
        '<scenario name="x"><send><![CDATA[\nOPTIONS sip:a SIP/2.0\nCall-ID: [call_id]\n'
        f"X: [file name={tmp_path}/secret.txt]\n\n]]></send></scenario>"
    )
    port = free_port()
    result = run_engine(EngineConfig(scenario=path, local_port=0, remote=("127.0.0.1", port), rate_cps=100))
    assert result.reason == "fatal"
    assert "outside" in result.message


def test_the_run_time_can_end_a_run() -> None:
    config = EngineConfig(scenario="uas", builtin=True, local_port=0, timeout_s=0.3)
    assert run_engine(config).reason == "timeout"
