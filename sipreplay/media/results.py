"""What media sent and received: one record a call and port, and the totals a run reports. Values only.

Mergeable over media processes; nothing here knows sockets or processes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from sipreplay.stats.histogram import Histogram

_FULL = 0.85
"""Part of a CPU that a process may use and keep its clock."""
_FEW_PACKETS = 1000


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What each received stream of a call must hold. The defaults are no limits."""

    min_mos: float = 0.0
    max_loss: float = 1.0
    """Part of the packets, 0 to 1."""
    max_jitter_ms: float = math.inf


@dataclass(slots=True)
class CallMedia:
    """What one call sent and received on one RTP port."""

    client: int
    """Which engine: index of its client description."""
    call_number: int
    port: int
    sent_packets: int = 0
    sent_bytes: int = 0
    received_packets: int = 0
    received_bytes: int = 0
    """Of RTP, headers included."""
    lost: int = 0
    """Sequence numbers that never arrived."""
    duplicates: int = 0
    reordered: int = 0
    jitter_measured: bool = False
    """Whether the clock of a payload type that came is known; without it there is no jitter."""
    mean_jitter_ms: float = 0.0
    """RFC 3550, as Wireshark takes the mean."""
    max_jitter_ms: float = 0.0
    mos: float = 0.0
    """By the E-model, from codec and loss; 0.0: not scored, because the codec has no published figures."""
    payload_types: tuple[int, ...] = ()
    """Received."""
    ssrcs: tuple[int, ...] = ()
    rtcp_packets: int = 0
    other_datagrams: int = 0
    """Neither RTP nor RTCP."""
    dropped: int = 0
    """By the kernel, because the socket's buffer was full."""
    round_trip_ms: float = 0.0
    """Mean, from the peer's reports on ours; 0.0 without any."""
    first_s: float = 0.0
    """Arrival of the first RTP packet, seconds since the epoch; 0.0 if none."""
    last_s: float = 0.0
    shared: bool = False
    """The port was shared by calls: what arrived there is told apart by the sender's address, as far as it can be."""

    @property
    def expected(self) -> int:
        """Packets that were sent here, as far as sequence numbers tell: duplicates once, lost ones too."""
        return self.received_packets - self.duplicates + self.lost

    @property
    def loss(self) -> float:
        """Part of the expected packets that never arrived."""
        return self.lost / self.expected if self.expected > 0 else 0.0

    def row(self) -> list[str]:
        """The record's CSV cells, in the order of the fields."""
        cells = []
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, tuple):
                cells.append(" ".join(f"{v:#010x}" if name == "ssrcs" else str(v) for v in value))
            elif isinstance(value, float):
                cells.append(f"{value:.6f}" if name.endswith("_s") else f"{value:.3f}")
            else:
                cells.append(str(int(value)))
        return cells


@dataclass(slots=True)
class MediaSummary:
    """Totals of one or more media processes. Sums, unless a field says otherwise."""

    scheduling: str = ""
    """The class that held: "fifo", "nice" or "normal"; the weakest of merged processes."""
    streams: int = 0
    """Streams started."""
    active_streams: int = 0
    """Being sent now."""
    peak_streams: int = 0
    sent_packets: int = 0
    sent_bytes: int = 0
    send_errors: int = 0
    """Packets that the kernel refused."""
    no_destination: int = 0
    """Plays without a usable address or port in the peer's SDP: nothing was sent."""
    refused_ports: int = 0
    """Plays from a port that could not be opened."""
    unplayable: int = 0
    """Plays of a file that could not be read when the call named it: nothing was sent."""
    echoed_packets: int = 0
    """Sent back to where they came from."""
    checked_streams: int = 0
    """Bit patterns that were sent and whose echo was compared with them."""
    failed_checks: int = 0
    """Those of which too large a part did not come back."""
    queue_overflows: int = 0
    """Commands an engine could not give because the queue was full; each failed its call."""
    lateness_us: Histogram = field(default_factory=Histogram)
    """Of each packet against its due time."""
    received_packets: int = 0
    received_bytes: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    captured_lost: int = 0
    """Sequence numbers missing in the files that were played: their receivers miss them, and count them as lost."""
    captured_duplicates: int = 0
    jitter_us: Histogram = field(default_factory=Histogram)
    """Mean jitter of each received port of a call, where the clock of what came is known."""
    loss_ppm: Histogram = field(default_factory=Histogram)
    """Lost packets a million of each received port of a call."""
    mos_milli: Histogram = field(default_factory=Histogram)
    """MOS of each received port of a call, times 1000, where the codec has published figures."""
    round_trip_us: Histogram = field(default_factory=Histogram)
    """Each round trip that a peer's report told."""
    sent_reports: int = 0
    """RTCP datagrams of our own."""
    below_mos: int = 0
    """Received ports of calls whose MOS is below the limit."""
    above_loss: int = 0
    """Those that lost more than the limit."""
    above_jitter: int = 0
    """Those whose mean jitter is above the limit."""
    planted_lost: int = 0
    """Packets that were lost on purpose: they never left."""
    planted_reordered: int = 0
    """Packets that left after their successors on purpose."""
    rates: float = 0.0
    """Sum of the packets a second of all streams."""
    run_s: float = 0.0
    """CPU time while streams were sent."""
    wait_s: float = 0.0
    """Time in that the process wanted a CPU and did not get one."""
    processes: int = 0
    rtcp_packets: int = 0
    other_datagrams: int = 0
    stray_datagrams: int = 0
    """Arrived at a port before its call began or from no call's peer."""
    dropped: int = 0
    receive_buffer: int = 0
    """Granted, least of all sockets; 0 before one was opened."""
    open_calls: int = 0
    calls: int = 0
    """Ended calls that had a media port."""
    calls_sending: int = 0
    calls_receiving: int = 0
    one_way_calls: int = 0
    """Sent, and received nothing."""
    silent_calls: int = 0
    """Neither sent nor received."""
    cpu_s: float = 0.0
    payload_types: dict[int, int] = field(default_factory=dict)
    """Received payload type to the number of calls' ports that saw it."""
    worst: CallMedia | None = None
    """The record with the largest loss, then the largest jitter."""

    @property
    def expected(self) -> int:
        """Packets that were sent here, as far as sequence numbers tell: duplicates once, lost ones too."""
        return self.received_packets - self.duplicates + self.lost

    @property
    def loss(self) -> float:
        """Part of all expected packets that never arrived."""
        return self.lost / self.expected if self.expected > 0 else 0.0

    @property
    def streams_held(self) -> int:
        """How many streams such as these the CPU would hold, as far as it was to be had; 0: too little was sent."""
        if self.sent_packets < _FEW_PACKETS or not self.rates or self.run_s <= 0:
            return 0
        share = self.run_s / (self.run_s + self.wait_s)
        packets_a_second = _FULL * self.processes * share * self.sent_packets / self.run_s
        return int(packets_a_second * self.streams / self.rates)

    @property
    def calls_both_ways(self) -> int:
        """Ended calls that sent and received, as far as they can be told apart."""
        return self.calls_sending - self.one_way_calls

    def settle_with_captured(self) -> None:
        """For a run whose both sides are ours: `lost` and `duplicates` become what happened on the way.

        What the captured media lacks or repeats itself stays in `captured_lost` and `captured_duplicates`.
        """
        for name in ("lost", "duplicates"):
            captured = min(getattr(self, f"captured_{name}"), max(getattr(self, name), 0))
            setattr(self, f"captured_{name}", captured)
            setattr(self, name, getattr(self, name) - captured)
        if self.captured_lost:
            self.worst = None

    def count_port(self, record: CallMedia, limits: QualityLimits) -> None:
        """Add one ended record to what was received, and judge it."""
        for name in ("received_packets", "received_bytes", "lost", "duplicates", "reordered", "rtcp_packets"):
            setattr(self, name, getattr(self, name) + getattr(record, name))
        self.other_datagrams += record.other_datagrams
        self.dropped += record.dropped
        if record.received_packets:
            if record.jitter_measured:
                self.jitter_us.record(round(record.mean_jitter_ms * 1000))
            self.loss_ppm.record(round(record.loss * 1_000_000))
            if record.mos:
                self.mos_milli.record(round(record.mos * 1000))
                self.below_mos += record.mos < limits.min_mos
            self.above_loss += record.loss > limits.max_loss
            self.above_jitter += record.jitter_measured and record.mean_jitter_ms > limits.max_jitter_ms
            for payload_type in record.payload_types:
                self.payload_types[payload_type] = self.payload_types.get(payload_type, 0) + 1
            self.worst = _worse(self.worst, record)

    def count_call(self, sent: int, received: int, *, known: bool = True) -> None:
        """Count one ended call. `known`: what it received could be told from what other calls received."""
        self.calls += 1
        self.calls_sending += sent > 0
        self.calls_receiving += received > 0
        if known and not received:
            if sent:
                self.one_way_calls += 1
            else:
                self.silent_calls += 1

    def merge(self, other: MediaSummary) -> None:
        """Add what another process counted."""
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, Histogram):
                mine.merge(theirs)
            elif isinstance(mine, dict):
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0) + count
            elif item.name == "receive_buffer":
                self.receive_buffer = min((size for size in (mine, theirs) if size), default=0)
            elif item.name == "scheduling":
                self.scheduling = max(mine, theirs, key=_SCHEDULING.index)
            elif item.name == "worst":
                self.worst = _worse(mine, theirs) if theirs is not None else mine
            else:
                setattr(self, item.name, mine + theirs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and pipes."""
        out: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Histogram):
                value = value.to_dict()
            elif isinstance(value, CallMedia):
                value = {f.name: getattr(value, f.name) for f in fields(value)}
            elif isinstance(value, dict):
                value = [[key, count] for key, count in sorted(value.items())]
            out[item.name] = value
        return out

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> MediaSummary:
        """What `to_dict` wrote."""
        self = cls()
        for item in fields(self):
            value = plain[item.name]
            if isinstance(getattr(self, item.name), Histogram):
                value = Histogram.from_dict(value)
            elif item.name == "payload_types":
                value = {int(key): int(count) for key, count in value}
            elif item.name == "worst" and value is not None:
                plain_record: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
                value = CallMedia(**plain_record)
            setattr(self, item.name, value)
        return self


_SCHEDULING = ("", "fifo", "nice", "normal")


def _worse(one: CallMedia | None, other: CallMedia) -> CallMedia:
    if one is None:
        return other
    return max(one, other, key=lambda record: (record.loss, record.mean_jitter_ms))
