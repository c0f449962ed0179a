"""All that one engine process needs to know before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.dumps.logfile import UNBOUNDED, LogBounds


@dataclass(frozen=True, slots=True)
class Watchdog:
    """When a loop that is late counts, and when it is too late (SIPp's -watchdog_...). Times in ms."""

    interval_ms: float = 400.0
    minor_ms: float = 500.0
    major_ms: float = 3000.0
    most_minor: int = 120
    """More trips end the run; -1: never."""
    most_major: int = 10
    reset_ms: float = 600_000.0
    """After that long without a trip, counting begins again."""


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """Where the twins are."""

    address: tuple[str, int] | None = None
    """Of -3pcc: the twin's, or for controller B the own one."""
    name: str = ""
    """Own name in extended mode."""
    master: bool = False
    peers: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Extended mode: all names and addresses, the own one too."""


@dataclass(slots=True)
class EngineConfig:
    """What to play, from where, to whom, how fast. Times in the unit their name says."""

    scenario: Path | str
    """A file, or the name of a built-in scenario."""
    builtin: bool = False
    injection: list[Path] = field(default_factory=list)
    injection_index: list[tuple[str, int]] = field(default_factory=list)
    """(base name of the file, field)."""
    local_ip: str = "127.0.0.1"
    bind_device: str = ""
    """Network device that the sockets are bound to."""
    local_port: int | None = None
    """None: SIPp's search from 5060."""
    advertise_ip: str = ""
    """What `[local_ip]` prints; "" for local_ip."""
    remote: tuple[str, int] | None = None
    sending_address: tuple[str, int] | None = None
    """Where everything is sent instead, such as an outbound proxy (SIPp -rsa); numeric."""
    transport: str = "UDP"
    """UDP or TCP."""
    rate_cps: float = 10.0
    rate_increase_cps: float = 0.0
    """Added to the rate every `rate_interval_s`; 0: the rate stays."""
    rate_interval_s: float = 60.0
    rate_max_cps: float = 0.0
    """Bound of an increasing rate; 0: none."""
    stop_at_rate_max: bool = True
    """Whether the run ends gracefully there."""
    limit: int | None = None
    """Most calls in progress; None: SIPp's default from rate and pauses; 0: none."""
    calls: int | None = None
    """Calls to create; None: no end."""
    starts_s: tuple[float, ...] = ()
    """When each call is due after the start, ascending: instead of a rate, and all calls there are."""
    duration_s: float | None = None
    """Stop creating calls after that long."""
    users: int | None = None
    """Keep that many calls open, instead of a rate."""
    service: str = "service"
    pause_ms: int = 0
    media_ip: str = ""
    media_port: int = 6000
    rtp_payload: int = 8
    """Payload type of rtp_stream, where the action names none (SIPp -rtp_payload)."""
    sipp_media: bool = False
    """Digits as SIPp sends them: payload type 96 whatever the peer's SDP says, after 20 packets of no meaning."""
    buffer_bytes: int = 65536
    recv_timeout_ms: int = 0
    """Longest wait of a receive that does not say its own; 0: for ever."""
    send_timeout_ms: int = 0
    """The same for a send that the socket refuses."""
    timeout_s: float = 0.0
    """Stop generating after that long and wait for open calls (SIPp -timeout)."""
    timeout_error: bool = False
    auth_user: str = ""
    auth_password: str = ""
    tdm_map: str = ""
    """What [tdmmap] prints is taken from (SIPp -tdmmap), as `{0-3}{99}{5-8}{1-31}`."""
    short_lines: bool = False
    """A [fieldN] beyond the end of its line is empty, with a warning, as in SIPp; else an error before the start."""
    auth_uri: str = ""
    """What credentials name instead of the remote host (SIPp -auth_uri)."""
    keys: dict[str, str] = field(default_factory=dict)
    set_variables: dict[str, str] = field(default_factory=dict)
    time_scale: float = 1.0
    """Factor on every pause."""
    max_pause_ms: int = 0
    """Upper bound of a pause; 0: none."""
    digest_uri: str = "remote"
    """"remote": SIPp's sip:remote_ip:port; "request": the Request-URI."""
    allow_net: list[str] = field(default_factory=list)
    """Networks that setdest may send to; empty: loopback and the remote host only."""
    allow_exec: bool = False
    dead_call_wait_ms: int = 33000
    max_retrans: int = 9
    max_invite_retrans: int = 5
    max_non_invite_retrans: int = 9
    t2_ms: int = 4000
    base_cseq: int = 1
    """First value of [cseq]."""
    call_id_format: str = "%u-%p@%s"
    """%u call number, %p process, %s local address, %r a random number, %% a per cent sign."""
    call_id_kind: str = "default"
    """default (by `call_id_format`), uuid, uuid-compact, random or timestamp."""
    dynamic_ids: tuple[int, int, int] = (10000, 12000, 4)
    """First and last value of [dynamic_id], and the step."""
    lost_percent: float = 0.0
    """Messages that are lost on purpose, either way, unless a step says otherwise."""
    retransmission: bool = True
    """UDP: retransmit what is sent with `retrans`, and recognise copies of what is received."""
    auto_answer: bool = False
    """Answer INFO, NOTIFY, OPTIONS and UPDATE that no step takes with 200 (SIPp -aa)."""
    default_bye: bool = True
    """Release the peer of a failed call by BYE, CANCEL or ACK."""
    abort_unexpected: bool = True
    """A message that no step takes ends its call as failed; otherwise it is ignored."""
    answer_ping: bool = True
    """PING is answered with 200."""
    check_ack_cseq: bool = True
    """An ACK whose CSeq is not the INVITE's ends its call."""
    ignore_while_pausing: bool = False
    """What comes while a call pauses is dropped."""
    loose_copies: bool = False
    """A copy is recognised by To, From, Call-ID and CSeq (and what a response says) instead of all its bytes."""
    fatal_send_failures: bool = False
    """A message of the engine's own that cannot be sent ends the run."""
    timer_resolution_s: float = 0.0
    """Timers are looked at that seldom; 0: when they are due."""
    messages_a_turn: int = 1000
    calls_a_turn: int = 1000
    """What one turn of the loop does at most before the others get theirs."""
    watchdog: Watchdog | None = None
    pid: int = 0
    """What `[pid]`, Call-ID and branch print; 0: the process's own."""
    keep_call_id_prefix: bool = False
    """A Call-ID is the whole value, even if it contains `///` (SIPp -callid_slash_ign)."""
    trace_messages: Path | None = None
    trace_short: Path | None = None
    trace_errors: Path | None = None
    trace_logs: Path | None = None
    trace_calldebug: Path | None = None
    trace_rtt: Path | None = None
    rtt_every: int = 200
    """Response times that are kept before they are written."""
    trace_append: frozenset[str] = frozenset()
    """Kinds of log that are appended to instead of begun anew."""
    trace_bounds: LogBounds = UNBOUNDED
    trace_stem: str = ""
    """What names of rotated logs begin with, such as `uac_4711`; "" for the files' own names."""
    rfc3339: bool = False
    """Time stamps by RFC 3339 instead of SIPp's with tabs."""
    trace_call: Path | None = None
    """The messages of the first call, as a pcap."""
    record: Path | None = None
    """Part of the run's recording (`capture.recording`): what is sent."""
    record_received: bool = True
    """Whether what is received goes into it too: not where the peer is ours and records what it sends."""
    out_of_call: Path | str | None = None
    """Scenario for requests outside of any call (SIPp -oocsf, -oocsn)."""
    out_of_call_builtin: bool = False
    terminating: Path | None = None
    """Scenario for calls that come in while `scenario` places calls (SIPp's mixed mode, -rxsf)."""
    twin: TwinConfig | None = None
    """Third party call control."""
    random_seed: int | None = None
