"""What the analysis finds, as values: messages, transactions, hop-dialogs, streams, calls.

Terms and rules are those of RFC 3261, docs/analysis.md and docs/dialogs.md. Built by the other modules of this room;
nothing here computes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sipreplay.capture.layers import TlsSession
from sipreplay.rtp.rtcp import StatisticsSummary, VoipMetrics
from sipreplay.rtp.windows import Records
from sipreplay.sip.message import Message


class Address(NamedTuple):
    """A transport address. `host` is a numeric IPv4 or IPv6 address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CapturedMessage:
    """One SIP message as a capture holds it, after IP and TCP reassembly.

    Those of an analysis are views: `data` and `message` are read from where the bytes are when they are asked for. One
    that is made again later is equal, though it may be another object.
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_message",
        "_store",
        "capture",
        "copy",
        "correlation",
        "destination",
        "index",
        "packet",
        "retransmission",
        "source",
        "time",
        "transport",
    )

    def __init__(
        self,
        capture: int,
        packet: int,
        time: float,
        source: Address,
        destination: Address,
        transport: str,
        data: bytes | None,
        message: Message | None,
        retransmission: bool = False,
        copy: bool = False,
        correlation: str = "",
        store: MessageSource | None = None,
        index: int = -1,
    ) -> None:
        """With `store`, `data` and `message` are None and asked of it by `index`."""
        self.capture = capture
        """Index of the capture file in `Analysis.captures`."""
        self.packet = packet
        """Packet number in that file, from 1; for TCP the packet that completed the message."""
        self.time = time
        """Seconds since the epoch."""
        self.source = source
        self.destination = destination
        self.transport = transport
        """UDP, TCP, TLS, WS (WebSocket) or WSS (WebSocket over TLS)."""
        self.retransmission = retransmission
        self.copy = copy
        """Another capture of the same packet (a mirror port), not a retransmission."""
        self.correlation = correlation
        """Correlation id that a HEP capture agent gave it, or ""."""
        self.index = index
        """Place among the messages of the analysis; -1 of one that is in none."""
        self._data = data
        self._message = message
        self._store = store

    @property
    def data(self) -> bytes:
        """The bytes. Raises CaptureError when the capture was changed since it was read."""
        if self._data is not None:
            return self._data
        assert self._store is not None
        return self._store.data_of(self.index)

    @property
    def message(self) -> Message:
        """The message in the bytes. Its routing fields and tags cost no reading; the rest does when it is asked for."""
        message = self._message
        if message is None:
            assert self._store is not None
            message = self._message = self._store.message_of(self.index)
        return message

    def forget(self) -> None:
        """Let go of headers that were read; they are read again when they are asked for."""
        if self._message is not None:
            self._message.forget()

    def marked(self, retransmission: bool) -> CapturedMessage:
        """The same message, said to be a retransmission or not."""
        return CapturedMessage(
            self.capture,
            self.packet,
            self.time,
            self.source,
            self.destination,
            self.transport,
            self.data,
            self.message,
            retransmission,
            self.copy,
            self.correlation,
        )

    def __eq__(self, other: object) -> bool:
        if self._store is None or not isinstance(other, CapturedMessage):
            return self is other
        return self._store is other._store and self.index == other.index

    def __hash__(self) -> int:
        return id(self) if self._store is None else hash((id(self._store), self.index))

    def __repr__(self) -> str:
        return f"<CapturedMessage {self.capture}:{self.packet} {self.source} to {self.destination}>"


class MessageSource(Protocol):
    """Where views of messages read what they do not hold."""

    def data_of(self, index: int) -> bytes:
        """The bytes of a message."""

    def message_of(self, index: int) -> Message:
        """The message."""


class MessageList(Sequence[CapturedMessage]):
    """The messages of a dialog, without an object for each."""

    __slots__ = ()

    @abstractmethod
    def time(self, at: int) -> float:
        """When one of them was captured."""

    @property
    @abstractmethod
    def methods(self) -> frozenset[str]:
        """Methods of all requests among them."""

    @abstractmethod
    def media(self) -> Iterator[tuple[int, bool, float, tuple[int, int]]]:
        """Of those whose SDP counts (no copies, retransmissions and failures): the index among all messages of the
        analysis, whether the dialog's caller sent it, the time, and capture and packet."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


@dataclass(slots=True)
class Transaction:
    """A request, its responses and, for INVITE, its ACK (RFC 3261 section 17), without copies and retransmissions."""

    method: str
    cseq: int
    request: CapturedMessage
    from_caller: bool
    """Whether the dialog's caller sent the request."""
    responses: list[CapturedMessage] = field(default_factory=list)
    ack: CapturedMessage | None = None

    @property
    def branch(self) -> str:
        """The branch of the request's top Via, or ""."""
        return self.request.message.branch

    @property
    def final(self) -> CapturedMessage | None:
        """The first final response, or None."""
        return next((m for m in self.responses if m.message.status >= 200), None)


@dataclass(slots=True)
class HopDialog:
    """A dialog, or a lone transaction, between two neighbours. The caller sent the first request."""

    id: int
    kind: str
    """Lower-case method of the first request: invite, register, options, ..."""
    call_id: str
    from_tag: str
    to_tag: str
    caller: Address
    callee: Address
    transport: str
    hop: int = 0
    """Place in the chain of hops of the same dialog, from 0 at the originating side."""
    state: str = ""
    """INVITE: setup, ringing, established, completed, cancelled, rejected, redirected, challenged, unanswered;
    others: completed, rejected, challenged, unanswered."""
    messages: Sequence[CapturedMessage] = field(default_factory=list)
    """All messages in capture order, copies and retransmissions too."""
    transactions: Sequence[Transaction] = field(default_factory=list)
    pdd_ms: float | None = None
    """First INVITE to the first 18x (or final) response."""
    setup_ms: float | None = None
    """First INVITE to its 200."""
    call: int = -1
    upstream: int | None = None
    """Id of the hop-dialog before this one in the chain of hops."""
    alias_of: int | None = None
    """Id of the hop-dialog that this one is the other side of a NAT of: the same bytes between other addresses."""
    fork_tags: list[str] = field(default_factory=list)
    """Other To-tags in answers to the request that made the dialog (a proxy forked it)."""
    caller_addresses: frozenset[Address] = frozenset()
    """Where the caller sends from and listens, as far as its transactions, Via and Contact show."""
    callee_addresses: frozenset[Address] = frozenset()
    conversation: int = 0
    """Which use of the Call-ID, from 0: a later file may hold other calls with the same Call-IDs, branches and tags, as
    tools make them that count from 1 whenever they start."""

    @property
    def first(self) -> float:
        """Time of the first message."""
        return self.messages.time(0) if isinstance(self.messages, MessageList) else self.messages[0].time

    @property
    def last(self) -> float:
        """Time of the last message."""
        return self.messages.time(-1) if isinstance(self.messages, MessageList) else self.messages[-1].time

    @property
    def methods(self) -> frozenset[str]:
        """Methods of all requests in it; asking costs no look at messages."""
        if isinstance(self.messages, MessageList):
            return self.messages.methods
        return frozenset(m.message.method for m in self.messages if m.message.is_request)


class Digit(NamedTuple):
    """A telephone event (RFC 4733)."""

    digit: str
    time: float
    """Arrival of its first packet."""
    duration_ms: float
    """As its last packet says."""
    ended: bool
    """Whether its end was seen."""


@dataclass(slots=True)
class StreamRtcp:
    """What RTCP told of a stream; None where it did not."""

    sender_reports: int = 0
    receiver_reports: int = 0
    """Report blocks of its receiver."""
    encrypted: int = 0
    """SRTCP datagrams, which cannot be read."""
    cname: str = ""
    bye: float | None = None
    """When the sender said BYE."""
    sent_packets: int | None = None
    """As its last sender report counts."""
    sent_octets: int | None = None
    reported_lost: int | None = None
    """Cumulative, in the receiver's last report."""
    reported_loss_max: float | None = None
    """The largest fraction lost that the receiver reported, 0.0 to 1.0."""
    reported_jitter_ms: float | None = None
    """Mean over the receiver's reports."""
    reported_max_jitter_ms: float | None = None
    round_trip_ms: float | None = None
    """Mean, from the capture point to the receiver and back."""
    max_round_trip_ms: float | None = None
    metrics: VoipMetrics | None = None
    """The receiver's last XR VoIP metrics (RFC 3611)."""
    summary: StatisticsSummary | None = None


@dataclass(slots=True)
class Stream:
    """One RTP SSRC from one address to another. Loss, delta and jitter by Wireshark's rules."""

    source: Address
    destination: Address
    ssrc: int
    payload_types: list[int]
    """In order of first appearance."""
    codec: str
    """rtpmap name of the first payload type that is not telephone-event or comfort noise, e.g. "PCMU"; "" unknown."""
    packets: int
    lost: int
    duplicates: int
    reordered: int
    mean_delta_ms: float
    max_delta_ms: float
    mean_jitter_ms: float
    max_jitter_ms: float
    mos: float | None
    dtmf: str
    """RFC 4733 digits, in order."""
    first: float
    last: float
    dialog: int | None = None
    """Id of the hop-dialog whose SDP announced it."""
    media: str = ""
    """SDP media type (audio, video, ...) when a dialog announced it."""
    from_caller: bool | None = None
    """Whether the dialog's caller sends it."""
    kind: str = "rtp"
    """"rtp", "srtp" or "t38" (UDPTL: no SSRC, no payload types, no jitter)."""
    tied_by: str = ""
    """How SDP knows it: "destination" (an announced address), "source" (only its sender's address was announced)."""
    offered: Address | None = None
    """Where its sender announced to receive, and so is expected to send from (RFC 4961)."""
    nat: bool = False
    """Whether it comes from another host than its sender announced."""
    symmetric: bool | None = None
    """Whether the other direction goes to the address that it comes from; None where there is no other direction."""
    security: str = ""
    """"" (none known), "sdes", "dtls", or "unknown": a secure profile without a key exchange in SDP."""
    decrypted: bool = False
    """Whether keys from SDP opened it, so that digits and silence are known."""
    unannounced_types: tuple[int, ...] = ()
    """Payload types that the receiver's SDP does not name."""
    sdp_ptime_ms: int | None = None
    """What the receiver's SDP asks for."""
    sender_direction: str = ""
    """sendrecv, sendonly, ... as the sender's SDP said when it began; "" unknown."""
    receiver_direction: str = ""
    redundancy: int = 0
    """T.38: the most earlier packets that one repeats."""
    recovered: int = 0
    """T.38: lost packets that a later one repeats."""
    fec: bool = False
    """T.38: parity instead of repetition."""
    clock_rate: int = 0
    """Of `codec`, in Hz; 0 unknown."""
    ptime_ms: float | None = None
    """Media time of most packets."""
    bandwidth_kbps: float | None = None
    """Mean over the stream, with RTP, UDP and IP headers."""
    talkspurts: int = 0
    """Packets with the marker bit."""
    comfort_noise: int = 0
    """Packets of comfort noise."""
    silence: float | None = None
    """Part of the G.711 samples below -60 dBov, 0.0 to 1.0; None where no payload could be looked at."""
    max_skew_ms: float = 0.0
    """Media time less arrival, where farthest from 0."""
    drift_ppm: float | None = None
    """By how much the sender's clock is faster than the capturing host's, in millionths."""
    missing: int | None = None
    """Sequence numbers that never came. `lost`, which is Wireshark's, also counts a turn of the numbers, or a duplicate
    as a packet that was not lost. None for fax."""
    burst: float = 1.0
    """BurstR of G.107: how much more losses come in runs than by chance."""
    discarded: int = 0
    """Packets that came too late for a jitter buffer of 60 ms."""
    mos_worst: float | None = None
    """MOS of the worst ten seconds."""
    mos_worst_at: float | None = None
    """When they began."""
    windows: Records | None = field(default=None, compare=False, repr=False)
    """Ten seconds each, as rtp.windows keeps them."""
    previous_ssrc: int | None = None
    """The SSRC that the same sender used towards the same address in this dialog before this one."""
    segments: tuple[tuple[float, int, str], ...] = ()
    """(time, payload type, codec) of each change of the payload type."""
    digits: list[Digit] = field(default_factory=list)
    rtcp: StreamRtcp | None = None
    round_trip_ms: float | None = None
    """Mean, from end to end and back, as far as both directions' RTCP show it."""

    @property
    def gone(self) -> int:
        """Packets that were lost, as MOS and findings count them: what both counts agree on."""
        lost = max(self.lost, 0)
        return lost if self.missing is None else min(lost, self.missing)


class Evidence(NamedTuple):
    """Why dialogs belong to one call."""

    dialogs: tuple[int, ...]
    rule: str
    confidence: float
    values: tuple[str, ...] = ()
    """What they share, as captured; for a guess, each mark in words."""


@dataclass(slots=True)
class Call:
    """Dialogs that belong together."""

    id: int
    dialogs: list[int]
    evidence: list[Evidence] = field(default_factory=list)
    left_apart: list[Evidence] = field(default_factory=list)
    """What might tie other dialogs to it and was not used: ambiguous, or a value that too many dialogs have."""


class Problem(NamedTuple):
    """Something in a capture that could not be used."""

    packet: int
    """Its number in the file, from 1; 0 where the problem is the file's as a whole."""
    what: str


@dataclass(slots=True)
class CaptureFile:
    """One file that was read."""

    path: str
    format: str
    """"pcap" or "pcapng"."""
    link_types: list[str]
    packets: int
    first: float | None
    last: float | None
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True, weakref_slot=True)
class Analysis:
    """All that was found in a set of captures."""

    captures: list[CaptureFile]
    messages: Sequence[CapturedMessage]
    malformed: int
    dialogs: list[HopDialog]
    calls: list[Call]
    streams: list[Stream]
    tls: list[TlsSession] = field(default_factory=list)
    """TLS connections; those that could not be read are blind spots."""
    malformed_packets: tuple[tuple[int, int], ...] = ()
    """(index of the capture, packet number) of the first malformed messages."""

    def dialog(self, ident: int) -> HopDialog:
        """The hop-dialog of that id (ids count from 1 in order of first message)."""
        return self.dialogs[ident - 1]
