"""SIPp's command line: the table of its options and their evaluation in four passes over the arguments.

Passes: 0 help and version, 1 everything ordinary in order, 2 the scenario, 3 `-set`. An option of SIPp that is not
built is an error that names it, as is an unknown one. Opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sipreplay.errors import UsageError
from sipreplay.scenario.attributes import parse_integer, parse_number

HELP, ORDINARY, SCENARIO, SET = range(4)
"""The passes."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `kinds`: the types of its arguments (text, int, float, bool, or a time with its default unit)."""

    name: str
    kinds: tuple[str, ...]
    help: str
    turn: int = ORDINARY
    metavar: str = ""


def _options(*options: Option) -> Mapping[str, Option]:
    return {option.name: option for option in options}


OPTIONS: Mapping[str, Option] = _options(
    Option("h", (), "This help.", HELP),
    Option("help", (), "This help.", HELP),
    Option("v", (), "The version.", HELP),
    Option("sd", ("text",), "Print the built-in scenario NAME as XML.", HELP, "NAME"),
    Option("sn", ("text",), "Play the built-in scenario NAME (uac if neither -sn nor -sf is given).", SCENARIO, "NAME"),
    Option("sf", ("text",), "Play the scenario FILE.", SCENARIO, "FILE"),
    Option("set", ("text", "text"), "Set a <Global> variable to a string.", SET, "VARIABLE VALUE"),
    Option("inf", ("text",), "Injection file; may be repeated, the first is the default.", metavar="FILE"),
    Option("infindex", ("text", "int"), "Index a field of an injection file for <lookup>.", metavar="FILE FIELD"),
    Option("i", ("text",), "Local address, for binding and [local_ip].", metavar="IP"),
    Option("p", ("int",), "Local port (default: the first free one from 5060).", metavar="PORT"),
    Option("t", ("text",), "Transport: u1 (UDP, one socket; the default) or t1 (TCP, one connection).", metavar="MODE"),
    Option("r", ("float",), "Calls per period (default 10).", metavar="RATE"),
    Option("rp", ("ms",), "Period (default 1000 ms).", metavar="TIME"),
    Option("m", ("int",), "End when N calls were made and have ended.", metavar="N"),
    Option("l", ("int",), "Most calls at a time (default: 3 times what the rate and the pauses need).", metavar="N"),
    Option("users", ("int",), "Keep N calls open instead of a rate.", metavar="N"),
    Option("d", ("ms",), "Length of a <pause> that does not say its own.", metavar="TIME"),
    Option("s", ("text",), "[service], and the default user of [authentication] (default: service).", metavar="NAME"),
    Option("au", ("text",), "User of [authentication] (default: -s).", metavar="USER"),
    Option("ap", ("text",), "Password of [authentication] (default: password).", metavar="PASSWORD"),
    Option("aa", (), "Answer INFO, NOTIFY, OPTIONS and UPDATE that the scenario does not expect with 200."),
    Option("nd", (), "No default behaviours: unexpected messages are ignored, failed calls are not released by BYE."),
    Option("nr", (), "No retransmission over UDP."),
    Option("base_cseq", ("int",), "First value of [cseq] (default 1).", metavar="N"),
    Option("key", ("text", "text"), "Value of the keyword [KEYWORD].", metavar="KEYWORD VALUE"),
    Option("mi", ("text",), "Media address, [media_ip] (default: the local address).", metavar="IP"),
    Option("mp", ("int",), "First media port, [media_port] (default 6000).", metavar="PORT"),
    Option("min_rtp_port", ("int",), "The same as -mp.", metavar="PORT"),
    Option("buff_size", ("int",), "Socket buffers in bytes.", metavar="BYTES"),
    Option("nostdin", (), "Do not read keys (keys are never read)."),
    Option("timeout", ("s",), "Stop after TIME: open calls are ended and count as failed.", metavar="TIME"),
    Option("timeout_error", (), "Reaching -timeout is a fatal error (exit 255)."),
    Option("recv_timeout", ("ms",), "Longest wait of a <recv> that does not say its own.", metavar="TIME"),
    Option("deadcall_wait", ("ms",), "How long ended calls are remembered (default 33 s).", metavar="TIME"),
    Option("max_retrans", ("int",), "Most retransmissions of a message (default 9).", metavar="N"),
    Option("max_invite_retrans", ("int",), "Most retransmissions of an INVITE (default 5).", metavar="N"),
    Option("max_non_invite_retrans", ("int",), "Most retransmissions of others (default 9).", metavar="N"),
    Option("T2", ("ms",), "Longest retransmission interval but for INVITE (default 4000 ms).", metavar="TIME"),
    Option("f", ("s",), "How often the screen is drawn (default 1 s).", metavar="TIME"),
    Option("fd", ("s",), "How often a statistics row is written (default 60 s).", metavar="TIME"),
    Option("trace_stat", (), "Write statistics to <scenario>_<pid>_.csv."),
    Option("stf", ("text",), "File of -trace_stat.", metavar="FILE"),
    Option("stat_delimiter", ("text",), "Between the columns of -trace_stat (default ;).", metavar="TEXT"),
    Option("trace_rtt", (), "Write each response time to <scenario>_<pid>_rtt.csv."),
    Option("trace_msg", (), "Write all messages to <scenario>_<pid>_messages.log."),
    Option("message_file", ("text",), "File of -trace_msg.", metavar="FILE"),
    Option("trace_err", (), "Write warnings and errors to <scenario>_<pid>_errors.log."),
    Option("error_file", ("text",), "File of -trace_err.", metavar="FILE"),
)
"""What is built, by SIPp's names."""

_NOT_YET = """
    audiotolerance auth_uri bg bind_local bind_to_device calldebug_file calldebug_overwrite
    callid_slash_ign ci cid_str cid_type cp default_behaviors dynamicMax dynamicStart dynamicStep error_overwrite 3pcc
    assocmaxret gracefulclose heartbeat ip_field log_file log_overwrite lost master max_log_size max_reconnect
    max_recv_loops max_rtp_port max_sched_loops max_socket mb message_overwrite multihome no_rate_quit oocsf oocsn
    pathmaxret pause_msg_ign periodic_rtd plugin pmtu random_base_ssrc rate_increase rate_interval rate_max rate_scale
    reconnect_close reconnect_sleep rfc3339 ringbuffer_files ringbuffer_size rsa rtcheck rtp_buffsize rtp_echo
    rtp_payload rtp_threadtasks rtpcheck_debug rtt_freq rxinf rxrn rxsf screen_file screen_overwrite send_timeout
    sendbuffer_warn shortmessage_file shortmessage_overwrite skip_rlimit slave slave_cfg sleep srtpcheck_debug tdmmap
    timer_resol tls_ca tls_cert tls_crl tls_key tls_version trace_calldebug trace_counts trace_error_codes trace_logs
    trace_screen trace_shortmsg videotolerance watchdog_interval watchdog_major_maxtriggers watchdog_major_threshold
    watchdog_minor_maxtriggers watchdog_minor_threshold watchdog_reset
"""
NOT_YET = frozenset(_NOT_YET.split())
"""SIPp's other options."""

_ACCUMULATE = frozenset(("inf", "infindex", "key", "set"))
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)?")
_UNIT_MS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}

Value = str | int | float | bool


@dataclass(slots=True)
class CommandLine:
    """The evaluated arguments: option name to its value (True for a flag), times in milliseconds."""

    values: dict[str, Value] = field(default_factory=dict)
    repeated: dict[str, list[tuple[Value, ...]]] = field(default_factory=dict)
    """Options that accumulate: their arguments, in order."""
    host: str = ""
    """The word that is no option: remote_host[:port]."""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        """Value of a text option."""
        return str(self.values.get(name, default))

    def integer(self, name: str, default: int) -> int:
        """Value of an integer option."""
        return int(self.values.get(name, default))

    def number(self, name: str, default: float) -> float:
        """Value of a float or of a time in milliseconds."""
        return float(self.values.get(name, default))


def evaluate(arguments: Sequence[str]) -> CommandLine:
    """The arguments after all four passes. If one of pass 0 is there, nothing after it is looked at.

    Raises UsageError for an option that is unknown or not built, a bad value, a second host, a second scenario.
    """
    line = CommandLine()
    for turn in (HELP, ORDINARY, SCENARIO, SET):
        _pass(arguments, turn, line)
        if turn == HELP and line.values:
            return line
    return line


def _pass(arguments: Sequence[str], turn: int, line: CommandLine) -> None:
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("-") or word == "-":
            if turn == ORDINARY:
                if line.host:
                    raise UsageError(
                        f"'{word}' is a second remote host ('{line.host}' is the first); options begin with -"
                    )
                line.host = word
            continue
        option = _option(word)
        given = arguments[position : position + len(option.kinds)]
        if len(given) < len(option.kinds):
            raise UsageError(f"{word} needs {option.metavar or 'an argument'}")
        position += len(option.kinds)
        if option.turn != turn:
            continue
        values = tuple(_value(word, kind, text) for kind, text in zip(option.kinds, given, strict=True))
        _keep(line, option, word, values)
        if turn == HELP:
            return


def _keep(line: CommandLine, option: Option, word: str, values: tuple[Value, ...]) -> None:
    if option.name in _ACCUMULATE:
        line.repeated.setdefault(option.name, []).append(values)
        return
    if option.turn == SCENARIO and ("sn" in line or "sf" in line):
        raise UsageError(f"{word}: the scenario is given twice; use -sn or -sf once")
    if option.name == "l" and "users" in line:
        raise UsageError(f"{word} cannot follow -users, which sets the number of calls")
    line.values[option.name] = values[0] if values else True


def _option(word: str) -> Option:
    name = word.removeprefix("-").removeprefix("-")
    option = OPTIONS.get(name)
    if option is not None:
        return option
    if name in NOT_YET:
        raise UsageError(f"option {word} of SIPp is not supported yet")
    from difflib import get_close_matches

    near = get_close_matches(name, OPTIONS, 1, 0.7)
    raise UsageError(f"unknown option {word}" + (f"; did you mean -{near[0]}?" if near else "; -h lists the options"))


def _value(word: str, kind: str, text: str) -> Value:
    if kind == "text":
        return text
    if kind == "int":
        whole = parse_integer(text)
        if whole is None or not 0 <= whole < 2**63:
            raise UsageError(f"{word} {text}: must be an integer that is not negative")
        return whole
    if kind == "float":
        number = parse_number(text)
        if number is None or number < 0:
            raise UsageError(f"{word} {text}: must be a number that is not negative")
        return number
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{word} {text}: must be a time such as 500ms, 10s, 2m or 1h (without unit: {kind})")
    return float(match.group(1)) * _UNIT_MS[match.group(2) or kind]


def help_text() -> str:
    """What `-h` prints."""
    lines = ["Usage: sipreplay sipp remote_host[:remote_port] [options]", "", "SIPp's options that are built:", ""]
    for option in OPTIONS.values():
        head = f"   -{option.name} {option.metavar}".rstrip()
        lines.append(f"{head:<28}{option.help}" if len(head) < 28 else f"{head}\n{'':28}{option.help}")
    lines += ["", "A TIME is a number with ms, s, m or h. Exit codes are SIPp's: 0 all calls passed, 1 some failed,"]
    lines += ["97 nothing done at -timeout, 99 help, 254 port in use, 255 other fatal errors.", ""]
    return "\n".join(lines)


def split_host(text: str, default_port: int = 5060) -> tuple[str, int]:
    """Host and port of `host[:port]`, `[IPv6]:port` or a bare IPv6 address. Raises UsageError."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?", text)
    if match is None and re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?", text):
        return text, default_port
    match = match or re.fullmatch(r"([^:\s]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        raise UsageError(f"'{text}' is not a remote host; write host:port, with [ ] around an IPv6 address")
    port = int(match.group(2) or default_port)
    if not 0 < port < 65536:
        raise UsageError(f"'{text}': the port must be from 1 to 65535")
    return match.group(1), port
