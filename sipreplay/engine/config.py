"""All that one engine process needs to know before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


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
    local_port: int | None = None
    """None: SIPp's search from 5060."""
    advertise_ip: str = ""
    """What `[local_ip]` prints; "" for local_ip."""
    remote: tuple[str, int] | None = None
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
    duration_s: float | None = None
    """Stop creating calls after that long."""
    users: int | None = None
    """Keep that many calls open, instead of a rate."""
    service: str = "service"
    pause_ms: int = 0
    media_ip: str = ""
    media_port: int = 6000
    buffer_bytes: int = 65536
    recv_timeout_ms: int = 0
    timeout_s: float = 0.0
    """Stop generating after that long and wait for open calls (SIPp -timeout)."""
    timeout_error: bool = False
    auth_user: str = ""
    auth_password: str = ""
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
    retransmission: bool = True
    """UDP: retransmit what is sent with `retrans`, and recognise copies of what is received."""
    auto_answer: bool = False
    """Answer INFO, NOTIFY, OPTIONS and UPDATE that no step takes with 200 (SIPp -aa)."""
    default_bye: bool = True
    """Release the peer of a failed call by BYE, CANCEL or ACK."""
    abort_unexpected: bool = True
    """A message that no step takes ends its call as failed; otherwise it is ignored."""
    pid: int = 0
    """What `[pid]`, Call-ID and branch print; 0: the process's own."""
    keep_call_id_prefix: bool = False
    """A Call-ID is the whole value, even if it contains `///` (SIPp -callid_slash_ign)."""
    trace_messages: Path | None = None
    trace_errors: Path | None = None
    trace_rtt: Path | None = None
    trace_call: Path | None = None
    """The messages of the first call, as a pcap."""
    random_seed: int | None = None
