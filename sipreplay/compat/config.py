"""From SIPp's evaluated command line to an engine configuration and the files to write."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sipreplay.compat.media import MediaSettings, media_settings
from sipreplay.compat.options import CommandLine, split_host
from sipreplay.dumps.logfile import LogBounds
from sipreplay.dumps.names import base_name, trace_name
from sipreplay.engine.call_id import KINDS
from sipreplay.engine.config import EngineConfig, TwinConfig, Watchdog
from sipreplay.errors import TransportError, UsageError

_TRANSPORTS = {"u1": "UDP", "t1": "TCP"}
_TRANSPORTS_NOT_YET = ("un", "ui", "tn", "l1", "ln", "s1", "sn", "c1", "cn")
EVERYWHERE = ["0.0.0.0/0", "::/0"]
BEHAVIORS = ("bye", "abortunexp", "pingreply", "cseq")
TWIN_PORT = 6060
LOGS = {
    "messages": ("trace_msg", "message_file"),
    "shortmessages": ("trace_shortmsg", "shortmessage_file"),
    "errors": ("trace_err", "error_file"),
    "logs": ("trace_logs", "log_file"),
    "calldebug": ("trace_calldebug", "calldebug_file"),
}
"""Kind of log to its option and the option for its file."""
_TRACES = {
    "messages": "trace_messages",
    "shortmessages": "trace_short",
    "errors": "trace_errors",
    "logs": "trace_logs",
    "calldebug": "trace_calldebug",
}


@dataclass(slots=True)
class Settings:
    """What a run of `sipreplay sipp` does."""

    engine: EngineConfig
    media: MediaSettings
    name: str
    """Base name of the scenario, of which file names are made."""
    period_ms: float
    rate_scale: float
    screen_s: float
    row_s: float
    sleep_s: float
    timeout_s: float
    timeout_error: bool
    background: bool
    reads_keys: bool
    control_ip: str
    control_port: int | None
    """None: the first free one of SIPp's range, if any is."""
    delimiter: str
    periodic_rtd: bool
    losses: bool
    """Whether -lost was given, so that losses have their columns."""
    stat_file: Path | None
    counts_file: Path | None
    codes_file: Path | None
    screen_file: Path
    screen_at_end: bool
    screen_append: bool
    log_files: dict[str, Path]
    """Kind of log to its file, also of logs that are switched on later."""


def settings_of(line: CommandLine) -> Settings:
    """The settings that a command line asks for. Raises UsageError."""
    builtin = "sf" not in line
    scenario = line.text("sn", "uac") if builtin else line.text("sf")
    pid = os.getpid()
    name = scenario if builtin else base_name(scenario)
    period_ms = line.number("rp", 1000.0)
    if period_ms <= 0:
        raise UsageError("-rp must be longer than 0")
    per_second = 1000.0 / period_ms
    row_s = max(line.number("fd", 60_000.0) / 1000.0, 0.1)
    behaviors = _behaviors(line)
    config = EngineConfig(
        scenario=scenario if builtin else Path(scenario),
        builtin=builtin,
        injection=[Path(str(file)) for (file,) in line.repeated.get("inf", [])],
        injection_index=[(str(file), int(number)) for file, number in line.repeated.get("infindex", [])],
        remote=split_host(line.host) if line.host else None,
        sending_address=split_host(line.text("rsa")) if "rsa" in line else None,
        transport=_transport(line.text("t", "u1")),
        local_port=_port(line, "p"),
        bind_device=line.text("bind_to_device"),
        rate_cps=line.number("r", 10.0) * per_second,
        rate_increase_cps=line.integer("rate_increase", 0) * per_second,
        rate_interval_s=max(line.number("rate_interval", row_s * 1000.0) / 1000.0, 0.001),
        rate_max_cps=line.integer("rate_max", 0) * per_second,
        stop_at_rate_max="no_rate_quit" not in line,
        limit=_positive(line, "l"),
        calls=line.integer("m", 0) if "m" in line else None,
        users=_positive(line, "users"),
        service=line.text("s", "service"),
        pause_ms=int(line.number("d", 0)),
        media_ip=line.text("mi").strip("[]"),
        media_port=_port(line, "min_rtp_port") or _port(line, "mp") or 6000,
        rtp_payload=_payload_type(line),
        sipp_media=True,
        buffer_bytes=line.integer("buff_size", 65536),
        recv_timeout_ms=int(line.number("recv_timeout", 0)),
        send_timeout_ms=int(line.number("send_timeout", 0)),
        auth_user=line.text("au"),
        auth_password=line.text("ap"),
        auth_uri=line.text("auth_uri"),
        tdm_map=line.text("tdmmap"),
        short_lines=True,
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
        call_id_format=line.text("cid_str", "%u-%p@%s"),
        call_id_kind=_call_id_kind(line.text("cid_type", "default")),
        dynamic_ids=_dynamic_ids(line),
        lost_percent=_percent(line),
        retransmission="nr" not in line,
        loose_copies=_loose(line.text("rtcheck", "full")),
        auto_answer="aa" in line,
        default_bye="bye" in behaviors,
        abort_unexpected="abortunexp" in behaviors,
        answer_ping="pingreply" in behaviors,
        check_ack_cseq="cseq" in behaviors,
        keep_call_id_prefix="callid_slash_ign" in line,
        ignore_while_pausing="pause_msg_ign" in line,
        fatal_send_failures=bool(line.values.get("sendbuffer_warn", False)),
        timer_resolution_s=line.number("timer_resol", 0.0) / 1000.0,
        messages_a_turn=max(line.integer("max_recv_loops", 1000), 1),
        calls_a_turn=max(line.integer("max_sched_loops", 1000), 1),
        watchdog=_watchdog(line),
        out_of_call=_out_of_call(line),
        out_of_call_builtin="oocsn" in line,
        terminating=Path(line.text("rxsf")) if "rxsf" in line else None,
        twin=_twin(line),
        pid=pid,
        trace_stem=f"{name}_{pid}",
        trace_rtt=_trace(line, "trace_rtt", "", name, pid, "rtt"),
        rtt_every=max(line.integer("rtt_freq", 200), 1),
        trace_append=frozenset(k for k, (_, file) in LOGS.items() if _appends(line, file.replace("_file", ""))),
        trace_bounds=_bounds(line),
        rfc3339="rfc3339" in line,
    )
    logs = {kind: Path(line.text(file) or trace_name(name, pid, kind)) for kind, (_, file) in LOGS.items()}
    for kind, (flag, _) in LOGS.items():
        if flag in line:
            setattr(config, _TRACES[kind], logs[kind])
    _addresses(config, line)
    return Settings(
        engine=config,
        media=media_settings(line, config.media_port),
        name=name,
        period_ms=period_ms,
        rate_scale=line.number("rate_scale", 1.0),
        screen_s=max(line.number("f", 1000.0) / 1000.0, 0.1),
        row_s=row_s,
        sleep_s=line.number("sleep", 0.0) / 1000.0,
        timeout_s=line.number("timeout", 0) // 1000,
        timeout_error="timeout_error" in line,
        background="bg" in line,
        reads_keys="nostdin" not in line and "bg" not in line,
        control_ip=line.text("ci"),
        control_port=_port(line, "cp"),
        delimiter=line.text("stat_delimiter", ";") or ";",
        periodic_rtd="periodic_rtd" in line,
        losses="lost" in line,
        stat_file=_trace(line, "trace_stat", "stf", name, pid, "stat"),
        counts_file=_trace(line, "trace_counts", "", name, pid, "counts"),
        codes_file=_trace(line, "trace_error_codes", "", name, pid, "error_codes"),
        screen_file=Path(line.text("screen_file") or trace_name(name, pid, "screen")),
        screen_at_end="trace_screen" in line,
        screen_append=_appends(line, "screen"),
        log_files=logs,
    )


def _behaviors(line: CommandLine) -> set[str]:
    """What -default_behaviors and -nd leave. A list starts from nothing, whatever the default is."""
    if "default_behaviors" not in line:
        return set() if "nd" in line else set(BEHAVIORS)
    out: set[str] = set()
    for word in line.text("default_behaviors").split(","):
        name, taken = word.lstrip("+-"), word.startswith("-")
        if name not in (*BEHAVIORS, "all", "none"):
            raise UsageError(
                f"-default_behaviors: unknown behavior '{word}'; there are all, none, {', '.join(BEHAVIORS)}"
            )
        which = {"all": set(BEHAVIORS), "none": set()}.get(name, {name})
        if name == "none":
            out = set()
        elif taken:
            out -= which
        else:
            out |= which
    return out


def _call_id_kind(name: str) -> str:
    if name not in KINDS:
        raise UsageError(f"-cid_type {name}: unknown; there are {', '.join(KINDS)}")
    return KINDS[name]


def _dynamic_ids(line: CommandLine) -> tuple[int, int, int]:
    first = line.integer("dynamicStart", 10000)
    last = line.integer("dynamicMax", 12000)
    step = line.integer("dynamicStep", 4)
    if step < 1 or last < first:
        raise UsageError("-dynamicStep must be at least 1, and -dynamicMax not below -dynamicStart")
    return first, last, step


def _percent(line: CommandLine) -> float:
    percent = line.number("lost", 0.0)
    if percent > 100:
        raise UsageError(f"-lost {percent:g}: at most 100 per cent can be lost")
    return percent


def _payload_type(line: CommandLine) -> int:
    number = line.integer("rtp_payload", 8)
    if number > 127:
        raise UsageError(f"-rtp_payload {number}: a payload type is from 0 to 127")
    return number


def _loose(method: str) -> bool:
    if method not in ("full", "loose"):
        raise UsageError(f"-rtcheck {method}: must be full or loose")
    return method == "loose"


def _watchdog(line: CommandLine) -> Watchdog | None:
    interval_ms = line.number("watchdog_interval", 400.0)
    if not interval_ms:
        return None
    return Watchdog(
        interval_ms,
        line.number("watchdog_minor_threshold", 500.0),
        line.number("watchdog_major_threshold", 3000.0),
        line.integer("watchdog_minor_maxtriggers", 120),
        line.integer("watchdog_major_maxtriggers", 10),
        line.number("watchdog_reset", 600_000.0),
    )


def _out_of_call(line: CommandLine) -> Path | str | None:
    if "oocsn" in line:
        return line.text("oocsn")
    return Path(line.text("oocsf")) if "oocsf" in line else None


def _twin(line: CommandLine) -> TwinConfig | None:
    """Third party call control. Raises UsageError for options that exclude each other."""
    extended = [name for name in ("master", "slave", "slave_cfg") if name in line]
    if "3pcc" in line:
        if extended:
            raise UsageError(f"-3pcc and -{extended[0]} exclude each other: one is for two instances, one for more")
        return TwinConfig(address=split_host(line.text("3pcc"), TWIN_PORT))
    if not extended:
        return None
    if "slave_cfg" not in line:
        raise UsageError(f"-{extended[0]} needs -slave_cfg FILE with the addresses of all instances")
    if ("master" in line) == ("slave" in line):
        raise UsageError("-slave_cfg needs either -master NAME or -slave NAME")
    path = Path(line.text("slave_cfg"))
    name = line.text("master") or line.text("slave")
    peers = _peers(path)
    if name not in peers:
        raise UsageError(f"{path}: no line for {name}; write {name};HOST:PORT")
    return TwinConfig(name=name, master="master" in line, peers=peers)


def _peers(path: Path) -> dict[str, tuple[str, int]]:
    """The lines `name;host:port` of -slave_cfg."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"-slave_cfg {path}: cannot be read: {error.strerror}") from None
    out = {}
    for number, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        name, found, address = row.partition(";")
        if not found or not name.strip():
            raise UsageError(f"{path}:{number}: wants NAME;HOST:PORT")
        out[name.strip()] = split_host(address.strip().rstrip(";"), TWIN_PORT)
    return out


def _bounds(line: CommandLine) -> LogBounds:
    bounds = LogBounds(
        line.integer("ringbuffer_size", 0), line.integer("ringbuffer_files", 0), line.integer("max_log_size", 0)
    )
    if bounds.most_bytes and (bounds.ring_bytes or bounds.ring_files):
        raise UsageError("-ringbuffer_size or -ringbuffer_files and -max_log_size exclude each other")
    if bounds.ring_files and not bounds.ring_bytes:
        raise UsageError("-ringbuffer_files needs -ringbuffer_size BYTES")
    return bounds


def _appends(line: CommandLine, log: str) -> bool:
    return line.values.get(f"{log}_overwrite", True) is False


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


def _addresses(config: EngineConfig, line: CommandLine) -> None:
    """The local address as SIPp finds it: `-i`, else what the system would use for the peer, else this host's.

    Bound is `-i`, and the address that was found only with -bind_local; otherwise all addresses.
    """
    given = line.text("i")
    if given:
        config.local_ip = _without_port(given)
        return
    remote = config.sending_address or config.remote
    if remote is not None:
        found = _source_address(*remote)
    else:
        try:
            names = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_DGRAM)
            found = str(names[0][4][0])
        except OSError:
            found = "127.0.0.1"
    if "bind_local" in line:
        config.local_ip = found
        return
    config.local_ip = "::" if ":" in found else "0.0.0.0"
    config.advertise_ip = found


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
