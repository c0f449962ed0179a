"""Debian's sipp as a peer: command lines and readiness, on addresses of the loopback net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.interop.process import Program


def sipp_uas(
    log_dir: Path,
    scenario: str | Path,
    ip: str,
    port: int = 5060,
    *options: str | Path,
    name: str = "uas",
    transport: str = "u1",
) -> Program:
    """Start a called party and wait until it listens. `scenario` is a path, or the name of a built-in one."""
    program = _start(log_dir, scenario, ip, port, transport, options, name)
    try:
        program.wait_listening(ip, port, "tcp" if transport.startswith("t") else "udp")
    except BaseException:
        program.stop()
        raise
    return program


def sipp_uac(
    log_dir: Path,
    scenario: str | Path,
    ip: str,
    port: int,
    remote: str,
    *options: str | Path,
    name: str = "uac",
    transport: str = "u1",
) -> Program:
    """Start a calling party towards `remote` ("host:port"). Wait for its end with `.wait()`."""
    return _start(log_dir, scenario, ip, port, transport, [remote, *options], name)


def _start(
    log_dir: Path, scenario: str | Path, ip: str, port: int, transport: str, options: Sequence[str | Path], name: str
) -> Program:
    source: list[str | Path] = ["-sf", scenario] if isinstance(scenario, Path) else ["-sn", scenario]
    log_dir.mkdir(parents=True, exist_ok=True)
    argv = ["sipp", *source, "-i", ip, "-mi", ip, "-p", str(port), "-t", transport, "-nostdin", "-trace_err"]
    errors = ["-error_file", log_dir / f"{name}.errors.log"]
    return Program([*argv, *errors, *options], log_dir, name)
