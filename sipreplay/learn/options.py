"""What a user can ask of `learn`, and what it tells afterwards. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.analysis.model import Analysis
from sipreplay.bundle.model import Bundle
from sipreplay.errors import UsageError


@dataclass(slots=True)
class LearnOptions:
    """Options of `sipreplay learn`; empty means: all."""

    calls: tuple[int, ...] = ()
    """Ids of calls, as `inspect` lists them."""
    numbers: tuple[str, ...] = ()
    """User parts or telephone numbers that a chosen call's From, To or Request-URI holds."""
    filter: str = ""
    """Terms as `learn.selection` says, joined by "and"."""
    time_scale: float = 1.0
    """Factor on every captured pause."""
    max_pause_s: float | None = None
    """No pause is longer."""
    force: bool = False
    sut: str = ""
    """The system under test: HOST[:PORT] or actor:ID; "": the actor in the middle, if there is one."""
    exact: bool = False
    """Each call is a scenario of its own."""
    top: int | None = None
    """Only that many of the commonest kinds of call, with all their legs."""
    timewait_ms: int = 4000
    """How long a side that sent the last response stays to answer retransmissions."""
    media: bool = True
    """Whether captured RTP goes into the bundle."""
    correlate: tuple[str, ...] = ()
    """Headers that tie dialogs to calls, as `HEADER` or `HEADER=REGEX`."""
    keylog: Path | None = None
    """File of TLS secrets (SSLKEYLOGFILE)."""

    def check(self) -> None:
        """Raise UsageError for what cannot be done."""
        if self.top is not None and self.top < 1:
            raise UsageError(f"--top {self.top}: wants 1 or more")
        if not 0 < self.time_scale <= 1000:
            raise UsageError(f"--time-scale {self.time_scale:g}: wants a factor above 0 and at most 1000")
        if self.max_pause_s is not None and self.max_pause_s < 0:
            raise UsageError(f"--max-pause {self.max_pause_s:g}: wants seconds, 0 or more")

    def paced_ms(self, delay_ms: float) -> float:
        """A captured delay as it is replayed."""
        paced = max(0.0, delay_ms) * self.time_scale
        return paced if self.max_pause_s is None else min(paced, self.max_pause_s * 1000)


@dataclass(slots=True)
class ScenarioRow:
    """One line of the table that `learn` prints: a pair of scenarios."""

    name: str
    """Without -uac or -uas."""
    files: list[str]
    calls: int
    """Captured calls that have this shape: lines of the injection file."""
    dialogs: list[int]
    messages: int
    """Of one call, without copies and retransmissions."""
    transport: str
    media: list[str]
    """"caller PCMU 250 packets"."""
    columns: list[str]
    duration_ms: float


@dataclass(slots=True)
class LeftOut:
    """Something that was in the capture and is not in the bundle."""

    what: str
    why: str


@dataclass(slots=True)
class LearnReport:
    """All that `learn` has to say."""

    output: Path
    bundle: Bundle
    analysis: Analysis
    calls: int
    """Calls in the captures."""
    dialogs: int
    streams: int
    learned_calls: int
    learned_dialogs: int
    learned_streams: int
    scenarios: list[ScenarioRow] = field(default_factory=list)
    generalised: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    blind_spots: list[str] = field(default_factory=list)
    under_test: list[str] = field(default_factory=list)
    """Who is under test, who is emulated, what the system under test must be told."""
