"""What a user asked of a run, before anything was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.media.impairment import Impairment
from sipreplay.verify.verdict import Limits


@dataclass(slots=True)
class RunOptions:
    """Options of `sipreplay run`; None means: not said."""

    sources: list[Path]
    """One bundle folder, or scenario files."""
    weights: list[float] = field(default_factory=list)
    """Of scenario files, in their order; none: all weigh the same."""
    target: tuple[str, int] | None = None
    rate_cps: float | None = None
    calls: int | None = None
    duration_s: float | None = None
    limit: int | None = None
    users: int | None = None
    local_ip: str = ""
    local_port: int | None = None
    advertise_ip: str = ""
    transport: str = ""
    """"" as learned, else UDP or TCP."""
    auth: tuple[str, str] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    """Injection column to the value that replaces it on every line."""
    injection: list[Path] = field(default_factory=list)
    time_scale: float = 1.0
    max_hold_s: float | None = None
    report: Path | None = None
    json_file: Path | None = None
    record: Path | None = None
    """Capture to write of what is sent and received."""
    force: bool = False
    limits: Limits = field(default_factory=Limits)
    callers_only: bool = False
    """Against a target: somebody else answers behind it."""
    listen: str = ""
    """Where calls that a system under test passes on are answered: PORT, IP or IP:PORT."""
    allow_exec: bool = False
    allow_net: list[str] = field(default_factory=list)
    """Networks that `setdest` may send to besides loopback and the target."""
    rtcp: bool = False
    """Send RTCP reports for every call that plays media."""
    impairment: Impairment = field(default_factory=Impairment)
    command: str = ""
    """The command line, for the report."""
    grace_s: float = 64.0
    """How long open calls may still take once nothing has happened any more (RFC 3261: 64 T1 and some)."""
