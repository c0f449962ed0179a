"""SIPp's options as a table: names, types of arguments, help, and in which pass they count. Evaluates nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HELP, ORDINARY, SCENARIO, SET = range(4)
"""The passes."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `kinds`: the types of its arguments: text, int (not negative), signed, float, bool, or a time by its default unit
    (ms, s).
    """

    name: str
    kinds: tuple[str, ...]
    help: str
    turn: int = ORDINARY
    metavar: str = ""


def _options(*options: Option) -> Mapping[str, Option]:
    return {option.name: option for option in options}


OPTIONS: Mapping[str, Option] = _options(
    # Scenario.
    Option("h", (), "This help; -h stat explains the columns of -trace_stat.", HELP),
    Option("help", (), "The same.", HELP),
    Option("v", (), "The version.", HELP),
    Option("sd", ("text",), "Print the built-in scenario NAME as XML.", HELP, "NAME"),
    Option("sn", ("text",), "Play the built-in scenario NAME (uac if neither -sn nor -sf is given).", SCENARIO, "NAME"),
    Option("sf", ("text",), "Play the scenario FILE.", SCENARIO, "FILE"),
    Option("oocsf", ("text",), "Scenario for requests outside of any call.", SCENARIO, "FILE"),
    Option("oocsn", ("text",), "The same, a built-in one (ooc_default).", SCENARIO, "NAME"),
    Option("rxsf", ("text",), "Scenario for calls that come in while the other places calls.", SCENARIO, "FILE"),
    Option("set", ("text", "text"), "Set a <Global> variable to a string.", SET, "VARIABLE VALUE"),
    # Injection.
    Option("inf", ("text",), "Injection file; may be repeated, the first is the default.", metavar="FILE"),
    Option("rxinf", ("text",), "Injection file for -rxsf; the same as another -inf.", metavar="FILE"),
    Option("infindex", ("text", "int"), "Index a field of an injection file for <lookup>.", metavar="FILE FIELD"),
    # Addresses and transport.
    Option("i", ("text",), "Local address, for binding and [local_ip].", metavar="IP"),
    Option("p", ("int",), "Local port (default: the first free one from 5060).", metavar="PORT"),
    Option("t", ("text",), "Transport: u1 (UDP, one socket; the default) or t1 (TCP, one connection).", metavar="MODE"),
    Option("bind_local", (), "Bind to the local address that was found instead of all addresses."),
    Option("bind_to_device", ("text",), "Bind to a network device.", metavar="DEVICE"),
    Option("ci", ("text",), "Address of the control socket (default: all).", metavar="IP"),
    Option("cp", ("int",), "Port of the control socket (default: the first free one from 8888).", metavar="PORT"),
    Option("rsa", ("text",), "Send everything there, whatever the remote host is.", metavar="HOST[:PORT]"),
    Option("buff_size", ("int",), "Socket buffers in bytes.", metavar="BYTES"),
    Option("sendbuffer_warn", ("bool",), "true: a default message that cannot be sent ends the run.", metavar="BOOL"),
    Option("lost", ("float",), "Lose that many per cent of the messages on purpose.", metavar="PERCENT"),
    # Calls.
    Option("s", ("text",), "[service], and the default user of [authentication] (default: service).", metavar="NAME"),
    Option("d", ("ms",), "Length of a <pause> that does not say its own.", metavar="TIME"),
    Option("au", ("text",), "User of [authentication] (default: -s).", metavar="USER"),
    Option("ap", ("text",), "Password of [authentication] (default: password).", metavar="PASSWORD"),
    Option("tdmmap", ("text",), "Circuits that [tdmmap] prints, as {0-3}{99}{5-8}{1-31}.", metavar="MAP"),
    Option("auth_uri", ("text",), "URI of [authentication] (default: the remote host).", metavar="URI"),
    Option("aa", (), "Answer INFO, NOTIFY, OPTIONS and UPDATE that the scenario does not expect with 200."),
    Option(
        "default_behaviors",
        ("text",),
        "all, none, bye, abortunexp, pingreply, cseq, with commas; -NAME takes one away: all,-bye.",
        metavar="LIST",
    ),
    Option("nd", (), "-default_behaviors none: unexpected messages are ignored, failed calls are not released by BYE."),
    Option("base_cseq", ("int",), "First value of [cseq] (default 1).", metavar="N"),
    Option("cid_str", ("text",), "Call-IDs: %u call number, %p process, %s address, %r random.", metavar="TEMPLATE"),
    Option("cid_type", ("text",), "default, uuid, uuid-compact, random or timestamp.", metavar="KIND"),
    Option("callid_slash_ign", (), "/// in a Call-ID has no meaning."),
    Option("pause_msg_ign", (), "Drop what comes while a call pauses."),
    Option("deadcall_wait", ("ms",), "How long ended calls are remembered (default 33 s).", metavar="TIME"),
    Option("key", ("text", "text"), "Value of the keyword [KEYWORD].", metavar="KEYWORD VALUE"),
    Option("dynamicStart", ("int",), "First value of [dynamic_id] (default 10000).", metavar="N"),
    Option("dynamicMax", ("int",), "Last value of [dynamic_id] (default 12000).", metavar="N"),
    Option("dynamicStep", ("int",), "Step of [dynamic_id] (default 4).", metavar="N"),
    Option(
        "3pcc", ("text",), "Third party call control: where the twin is, or where to wait for it.", metavar="HOST:PORT"
    ),
    Option("master", ("text",), "Extended third party call control: be the master NAME of -slave_cfg.", metavar="NAME"),
    Option("slave", ("text",), "Extended third party call control: be the slave NAME of -slave_cfg.", metavar="NAME"),
    Option("slave_cfg", ("text",), "Names and addresses of all instances, a line NAME;HOST:PORT each.", metavar="FILE"),
    # Load.
    Option("r", ("float",), "Calls per period (default 10).", metavar="RATE"),
    Option("rp", ("ms",), "Period (default 1000 ms).", metavar="TIME"),
    Option("rate_scale", ("float",), "What the keys + - * / change, times 1 or 10 (default 1).", metavar="N"),
    Option("rate_increase", ("int",), "Add N to the rate every -rate_interval.", metavar="N"),
    Option("rate_interval", ("s",), "See -rate_increase (default: -fd).", metavar="TIME"),
    Option("rate_max", ("int",), "End when the rate has climbed to N.", metavar="N"),
    Option("no_rate_quit", (), "Go on at -rate_max."),
    Option("m", ("int",), "End when N calls were made and have ended.", metavar="N"),
    Option("l", ("int",), "Most calls at a time (default: 3 times what the rate and the pauses need).", metavar="N"),
    Option("users", ("int",), "Keep N calls open instead of a rate.", metavar="N"),
    # Timers.
    Option("timeout", ("s",), "Stop after TIME: open calls are ended and count as failed.", metavar="TIME"),
    Option("timeout_error", (), "Reaching -timeout is a fatal error (exit 255)."),
    Option("recv_timeout", ("ms",), "Longest wait of a <recv> that does not say its own.", metavar="TIME"),
    Option("send_timeout", ("ms",), "Longest wait of a <send> for a full socket.", metavar="TIME"),
    Option("nr", (), "No retransmission over UDP."),
    Option("rtcheck", ("text",), "full or loose: what makes a message a copy of another.", metavar="METHOD"),
    Option("max_retrans", ("int",), "Most retransmissions of a message (default 9).", metavar="N"),
    Option("max_invite_retrans", ("int",), "Most retransmissions of an INVITE (default 5).", metavar="N"),
    Option("max_non_invite_retrans", ("int",), "Most retransmissions of others (default 9).", metavar="N"),
    Option("T2", ("ms",), "Longest retransmission interval but for INVITE (default 4000 ms).", metavar="TIME"),
    # Performance.
    Option("timer_resol", ("ms",), "Look at timers that seldom (default: when they are due).", metavar="TIME"),
    Option("max_recv_loops", ("int",), "Messages taken in one turn (default 1000).", metavar="N"),
    Option("max_sched_loops", ("int",), "Calls woken in one turn (default 1000).", metavar="N"),
    Option("watchdog_interval", ("ms",), "How often lateness is looked for (default 400; 0: never).", metavar="TIME"),
    Option("watchdog_minor_threshold", ("ms",), "A gap that counts (default 500).", metavar="TIME"),
    Option("watchdog_major_threshold", ("ms",), "A gap that counts more (default 3000).", metavar="TIME"),
    Option("watchdog_minor_maxtriggers", ("signed",), "Most of them (default 120; -1: any).", metavar="N"),
    Option("watchdog_major_maxtriggers", ("signed",), "Most of them (default 10; -1: any).", metavar="N"),
    Option("watchdog_reset", ("ms",), "Counting begins again after that long (default 10 min).", metavar="TIME"),
    Option("skip_rlimit", (), "Do not look at the limit of open files (it is only looked at, never changed)."),
    Option("bg", (), "Go to the background: prints the process id and exits with 99."),
    Option("nostdin", (), "Do not read keys."),
    Option("sleep", ("s",), "Wait before the start.", metavar="TIME"),
    # Media.
    Option("mi", ("text",), "Media address, [media_ip] (default: the local address).", metavar="IP"),
    Option("mp", ("int",), "First media port, [media_port] (default 6000).", metavar="PORT"),
    Option("min_rtp_port", ("int",), "The same as -mp.", metavar="PORT"),
    Option("max_rtp_port", ("int",), "Last media port (default 65535).", metavar="PORT"),
    Option("rtp_echo", (), "Send back what arrives at the media port and at the one 2 above."),
    Option("mb", ("int",), "Bytes of a datagram that -rtp_echo sends back (default 2048).", metavar="BYTES"),
    Option("rtp_payload", ("int",), "Payload type of rtp_stream where it names none (default 8).", metavar="N"),
    Option("rtp_buffsize", ("int",), "Buffer of each media socket.", metavar="BYTES"),
    Option("rtp_threadtasks", ("int",), "No effect: one process plays all streams.", metavar="N"),
    Option("random_base_ssrc", (), "The SSRCs of rtp_stream and play_dtmf count from a random one."),
    Option("audiotolerance", ("float",), "Part of an audio pattern that may miss its echo (default 1.0).", metavar="F"),
    Option("videotolerance", ("float",), "The same for video.", metavar="F"),
    # Reports.
    Option("f", ("s",), "How often the screen is drawn (default 1 s).", metavar="TIME"),
    Option("fd", ("s",), "How often rows are written to the files of numbers (default 60 s).", metavar="TIME"),
    Option("trace_stat", (), "Write statistics to <scenario>_<pid>_.csv."),
    Option("stf", ("text",), "File of -trace_stat.", metavar="FILE"),
    Option("stat_delimiter", ("text",), "Between the columns of the files of numbers (default ;).", metavar="TEXT"),
    Option("periodic_rtd", (), "Repartitions of -trace_stat count from row to row."),
    Option("rfc3339", (), "Time stamps by RFC 3339 in the files."),
    Option("trace_rtt", (), "Write each response time to <scenario>_<pid>_rtt.csv."),
    Option("rtt_freq", ("int",), "Write response times by that many (default 200).", metavar="N"),
    Option("trace_counts", (), "Write the counters of each message to <scenario>_<pid>_counts.csv."),
    Option("trace_error_codes", (), "Write unexpected response codes to <scenario>_<pid>_error_codes.csv."),
    Option("trace_screen", (), "Write the screens to <scenario>_<pid>_screen.log at the end."),
    Option("screen_file", ("text",), "File of -trace_screen.", metavar="FILE"),
    Option("screen_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("trace_msg", (), "Write all messages to <scenario>_<pid>_messages.log."),
    Option("message_file", ("text",), "File of -trace_msg.", metavar="FILE"),
    Option("message_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("trace_shortmsg", (), "Write a line for each message to <scenario>_<pid>_shortmessages.log."),
    Option("shortmessage_file", ("text",), "File of -trace_shortmsg.", metavar="FILE"),
    Option("shortmessage_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("trace_err", (), "Write warnings and errors to <scenario>_<pid>_errors.log."),
    Option("error_file", ("text",), "File of -trace_err.", metavar="FILE"),
    Option("error_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("trace_logs", (), "Write what <log> says to <scenario>_<pid>_logs.log."),
    Option("log_file", ("text",), "File of -trace_logs.", metavar="FILE"),
    Option("log_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("trace_calldebug", (), "Write the history of aborted calls to <scenario>_<pid>_calldebug.log."),
    Option("calldebug_file", ("text",), "File of -trace_calldebug.", metavar="FILE"),
    Option("calldebug_overwrite", ("bool",), "false: append to it.", metavar="BOOL"),
    Option("ringbuffer_size", ("int",), "Begin another log file at that size.", metavar="BYTES"),
    Option("ringbuffer_files", ("int",), "Keep that many old log files.", metavar="N"),
    Option("max_log_size", ("int",), "End a log at that size.", metavar="BYTES"),
)
"""What is built, by SIPp's names."""

_MEDIA = "SIPp's debugging files of media checks are not written; media.csv and the capture of the run tell more"
_TLS = "TLS is not supported yet; use -t u1 or -t t1"
_SCTP = "SCTP is not supported yet; use -t u1 or -t t1"
_MULTI = "sockets for each call are not supported yet; use -t u1 or -t t1"
NOT_YET: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "rtpcheck_debug",
            "srtpcheck_debug",
        ),
        _MEDIA,
    ),
    **dict.fromkeys(("tls_ca", "tls_cert", "tls_crl", "tls_key", "tls_version"), _TLS),
    **dict.fromkeys(("assocmaxret", "gracefulclose", "heartbeat", "multihome", "pathmaxret", "pmtu"), _SCTP),
    **dict.fromkeys(("ip_field", "max_socket"), _MULTI),
    **dict.fromkeys(
        ("max_reconnect", "reconnect_close", "reconnect_sleep"),
        "a lost TCP connection fails its calls and is opened again for the next one; this is not supported yet",
    ),
    "plugin": "SIPp's plugins are C++ libraries, which cannot be loaded here; use [file] or an injection file",
    "rxrn": "SIPp itself never accepts it; use -rxsf FILE",
}
"""SIPp's other options, and what to do instead."""
