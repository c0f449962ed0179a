"""A bundle's tables as values. Reading and writing the folder is `bundle.folder`'s."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA = "sipreplay/bundle/1"


@dataclass(slots=True)
class SourceCapture:
    """A capture the bundle was learned from."""

    path: str
    sha256: str


@dataclass(slots=True)
class MediaFile:
    """A pcap that a scenario plays, relative to the bundle."""

    file: str
    kind: str
    """audio, video or image."""
    packets: int
    duration_ms: float
    codec: str = ""
    dtmf: str = ""
    note: str = ""
    lost: int = 0
    """Packets that the capture itself misses, by sequence number: a receiver of the replay will miss them too."""


@dataclass(slots=True)
class BundleScenario:
    """One side of one shape of call."""

    id: str
    file: str
    role: str
    """uac or uas."""
    pair: str = ""
    injection: str = ""
    transport: str = "UDP"
    media: list[MediaFile] = field(default_factory=list)
    emulates: list[str] = field(default_factory=list)
    """Captured addresses, for information: nothing is ever sent to them."""
    weight: float = 1.0
    calls: int = 1
    hop: int = 0
    actor: str = ""
    peer: str = ""
    after: list[str] = field(default_factory=list)
    """Ids of scenarios that must have run before (a REGISTER before the call)."""
    injection_index: int = -1
    """Column of the injection file that `lookup` searches (SIPp's -infindex); -1: none."""
    duration_ms: float = 0.0
    """How long one call lasts as learned, pauses and captured delays together."""


@dataclass(slots=True)
class Actor:
    """A set of captured addresses that act as one."""

    id: str
    role: str
    """sut, endpoint, or trunk: an endpoint that many numbers are behind."""
    captured: list[str] = field(default_factory=list)
    reach: str = "static"
    """How calls find it: register, or static (the system under test must be told)."""
    listen: str = ""
    """Where `run` answers for it, as HOST:PORT; "" leaves it to `run`."""


@dataclass(slots=True)
class CapturedCall:
    """A call of the capture: its scenarios and weight."""

    id: int
    legs: list[str]
    weight: float = 1.0


@dataclass(slots=True)
class LinkKey:
    """What an opening request of one leg has in common with that of the other.

    Places: `call-id`, a header's name in lower case, `ruri.user`, `to.user`, `from.user`.
    """

    source: str = field(metadata={"key": "from"})
    target: str = field(metadata={"key": "to"})
    transform: str = ""
    """`REGEXP -> TEXT`: how the system under test changes the first to make the second; "" not at all."""


@dataclass(slots=True)
class Link:
    """A calling scenario whose calls the system under test passes on to an answering one."""

    from_leg: str
    """Id of the calling scenario."""
    to_leg: str
    """Id of the answering scenario."""
    keys: list[LinkKey] = field(default_factory=list)
    """Tried in turn until one fits a single call."""
    window_ms: float = 10_000.0
    """The second leg comes no later after the first than that."""
    unmatched: str = "fail"
    """What a call is that never comes back: "fail" or "pass"."""


@dataclass(slots=True)
class ExpectedMessage:
    """One message of a call, as the caller's side sees it."""

    line: str
    """"> INVITE" for a request that the caller sends, "< 180 INVITE" for a response to one."""
    at_ms: float = 0.0
    """After the call's first message."""
    headers: list[str] = field(default_factory=list)
    """"name: value" of what the callee's side sent, in order, without what differs in every call (tags, addresses)."""
    sdp: list[str] = field(default_factory=list)
    """Of what the callee's side sent: "audio sendrecv PCMU/8000 ptime=20", or "audio rejected" for port 0."""


@dataclass(slots=True)
class ExpectedStream:
    """RTP of one call."""

    line: str
    """"< audio PCMU": the direction seen from the caller, media type, codec."""
    packets: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    mos: float | None = None
    digits: str = ""
    duration_ms: float = 0.0


@dataclass(slots=True)
class Expect:
    """What the capture showed of one call of a hop, for the verdict."""

    scenario: str
    """Id of the uac scenario that replays it."""
    dialog: int
    call_id: str
    ladder: list[str] = field(default_factory=list)
    """Start lines as "> INVITE" and "< 200 INVITE", from the caller's side, without copies, retransmissions and 100.
    Left out where `message` holds them."""
    setup_ms: float | None = None
    pdd_ms: float | None = None
    number: int = 0
    """Line of the injection file, from 0, and so which call of the scenario it is."""
    start_s: float = 0.0
    """After the first learned call."""
    cut: str = ""
    """Why the capture does not show its end; what comes after the last message is not judged then."""
    message: list[ExpectedMessage] = field(default_factory=list)
    stream: list[ExpectedStream] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The start lines."""
        return [one.line for one in self.message] or self.ladder


@dataclass(slots=True)
class Bundle:
    """All of bundle.toml."""

    tool_version: str
    captures: list[SourceCapture] = field(default_factory=list)
    scenarios: list[BundleScenario] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    calls: list[CapturedCall] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    expect: list[Expect] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
