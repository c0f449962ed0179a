"""From SIPp's evaluated command line to an engine configuration and the files to write."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sipreplay.compat.options import CommandLine, split_host
from sipreplay.dumps.names import base_name, trace_name
from sipreplay.engine.config import EngineConfig
from sipreplay.errors import TransportError, UsageError

_TRANSPORTS = {"u1": "UDP", "t1": "TCP"}
_TRANSPORTS_NOT_YET = ("un", "ui", "tn", "l1", "ln", "s1", "sn", "c1", "cn")
EVERYWHERE = ["0.0.0.0/0", "::/0"]


@dataclass(slots=True)
class Settings:
    """What a run of `sipreplay sipp` does."""

    engine: EngineConfig
    name: str
    """Base name of the scenario, of which file names are made."""
    period_ms: float
    screen_s: float
    row_s: float
    timeout_s: float
    timeout_error: bool
    stat_file: Path | None
    delimiter: str


def settings_of(line: CommandLine) -> Settings:
    """The settings that a command line asks for. Raises UsageError."""
    builtin = "sf" not in line
    scenario = line.text("sn", "uac") if builtin else line.text("sf")
    pid = os.getpid()
    name = scenario if builtin else base_name(scenario)
    period_ms = line.number("rp", 1000.0)
    if period_ms <= 0:
        raise UsageError("-rp must be longer than 0")
    config = EngineConfig(
        scenario=scenario if builtin else Path(scenario),
        builtin=builtin,
        injection=[Path(str(file)) for (file,) in line.repeated.get("inf", [])],
        injection_index=[(str(file), int(number)) for file, number in line.repeated.get("infindex", [])],
        remote=split_host(line.host) if line.host else None,
        transport=_transport(line.text("t", "u1")),
        local_port=_port(line, "p"),
        rate_cps=line.number("r", 10.0) * 1000.0 / period_ms,
        limit=_positive(line, "l"),
        calls=line.integer("m", 0) if "m" in line else None,
        users=_positive(line, "users"),
        service=line.text("s", "service"),
        pause_ms=int(line.number("d", 0)),
        media_ip=line.text("mi").strip("[]"),
        media_port=_port(line, "min_rtp_port") or _port(line, "mp") or 6000,
        buffer_bytes=line.integer("buff_size", 65536),
        recv_timeout_ms=int(line.number("recv_timeout", 0)),
        auth_user=line.text("au"),
        auth_password=line.text("ap"),
        keys={str(key): str(value) for key, value in line.repeated.get("key", [])},
        set_variables={str(name): str(value) for name, value in line.repeated.get("set", [])},
        allow_net=list(EVERYWHERE),
        allow_exec=True,
        dead_call_wait_ms=int(line.number("deadcall_wait", 33000)),
        max_retrans=line.integer("max_retrans", 9),
        max_invite_retrans=line.integer("max_invite_retrans", 5),
        max_non_invite_retrans=line.integer("max_non_invite_retrans", 9),
        t2_ms=int(line.number("T2", 4000)),
        base_cseq=line.integer("base_cseq", 1),
        retransmission="nr" not in line,
        auto_answer="aa" in line,
        default_bye="nd" not in line,
        abort_unexpected="nd" not in line,
        pid=pid,
        trace_messages=_trace(line, "trace_msg", "message_file", name, pid, "messages"),
        trace_errors=_trace(line, "trace_err", "error_file", name, pid, "errors"),
        trace_rtt=_trace(line, "trace_rtt", "", name, pid, "rtt"),
    )
    _addresses(config, line.text("i"))
    return Settings(
        engine=config,
        name=name,
        period_ms=period_ms,
        screen_s=max(line.number("f", 1000.0) / 1000.0, 0.1),
        row_s=max(line.number("fd", 60_000.0) / 1000.0, 0.1),
        timeout_s=line.number("timeout", 0) // 1000,
        timeout_error="timeout_error" in line,
        stat_file=_trace(line, "trace_stat", "stf", name, pid, "stat"),
        delimiter=line.text("stat_delimiter", ";") or ";",
    )


def _transport(mode: str) -> str:
    if mode in _TRANSPORTS:
        return _TRANSPORTS[mode]
    if mode in _TRANSPORTS_NOT_YET:
        raise UsageError(f"-t {mode} is not supported yet; use {' or '.join(f'-t {known}' for known in _TRANSPORTS)}")
    raise UsageError(f"-t {mode}: unknown transport; use {' or '.join(f'-t {known}' for known in _TRANSPORTS)}")


def _port(line: CommandLine, name: str) -> int | None:
    if name not in line:
        return None
    port = line.integer(name, 0)
    if not 0 < port < 65536:
        raise UsageError(f"-{name} {port}: a port is from 1 to 65535")
    return port


def _positive(line: CommandLine, name: str) -> int | None:
    if name not in line:
        return None
    number = line.integer(name, 0)
    if number < 1:
        raise UsageError(f"-{name} must be at least 1")
    return number


def _trace(line: CommandLine, flag: str, file: str, name: str, pid: int, kind: str) -> Path | None:
    if flag not in line:
        return None
    return Path(line.text(file) if file and file in line else trace_name(name, pid, kind))


def _addresses(config: EngineConfig, given: str) -> None:
    """The local address as SIPp finds it: `-i`, else what the system would use for the peer, else this host's."""
    if given:
        config.local_ip = _without_port(given)
        return
    if config.remote is not None:
        config.local_ip = _source_address(*config.remote)
        return
    config.local_ip = "0.0.0.0"
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_DGRAM)
        config.advertise_ip = str(found[0][4][0])
    except OSError:
        config.advertise_ip = "127.0.0.1"


def _without_port(text: str) -> str:
    return split_host(text)[0]


def _source_address(host: str, port: int) -> str:
    """The address from which the system would send to a host. Raises TransportError if there is none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.connect(address)
            return str(sock.getsockname()[0])
    except OSError as error:
        raise TransportError(f"remote host '{host}': {error.strerror or error}") from None
