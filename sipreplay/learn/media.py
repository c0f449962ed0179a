"""The RTP of a shape's first call as files to play: one per stream, direction and offer/answer segment; and when.

SIPp plays one stream a call at a time: streams of one kind that overlap share a file, and of several kinds one is in
the scenario, the others are in the bundle for engines that can play more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.analysis.model import Analysis, HopDialog, Stream
from sipreplay.bundle.model import MediaFile
from sipreplay.capture.media import StreamKey, media_packets
from sipreplay.capture.write import PcapWriter
from sipreplay.learn.draft import Draft, Play
from sipreplay.learn.names import UAC
from sipreplay.learn.shapes import Shape
from sipreplay.learn.unit import CALLEE, CALLER, Unit
from sipreplay.scenario.model import Pause, Recv, Send

KINDS = ("audio", "video")
OVERLAP_S = 0.2
ANSWER_S = 0.5
"""RTP that comes up to this long before the ACK starts with the ACK."""
LATE_S = 2.0
"""RTP so long after a call's last message is still its own."""
MOST_CHUNKS = 40
MOST_PACKETS = 500_000
"""Of one file: 2.8 hours of 20 ms."""
NOBODY = ("127.0.0.1", 6000)
"""Written in place of the captured addresses; SIPp takes only the distance between ports from it."""

Packet = tuple[float, bytes]


@dataclass(slots=True)
class Chunk:
    """Packets that are played in one go."""

    kind: str
    packets: list[Packet]
    codecs: list[str] = field(default_factory=list)
    dtmf: str = ""
    lost: int = 0

    def take(self, other: Chunk) -> None:
        """Play another's packets too, at their time."""
        self.packets = sorted(self.packets + other.packets, key=lambda p: p[0])[:MOST_PACKETS]
        self.codecs += [codec for codec in other.codecs if codec not in self.codecs]
        self.dtmf += other.dtmf
        self.lost += other.lost

    @property
    def start(self) -> float:
        """Seconds since the epoch."""
        return self.packets[0][0]

    @property
    def stop(self) -> float:
        """Of the last packet."""
        return self.packets[-1][0]


@dataclass(slots=True)
class SideMedia:
    """What one side plays."""

    plays: list[Play] = field(default_factory=list)
    files: list[MediaFile] = field(default_factory=list)


class StreamTable:
    """Which streams belong to which unit."""

    def __init__(self, analysis: Analysis) -> None:
        self._by_dialog: dict[int, list[Stream]] = {}
        for stream in analysis.streams:
            if stream.dialog is not None and stream.media in KINDS and stream.from_caller is not None:
                self._by_dialog.setdefault(stream.dialog, []).append(stream)
        self._chains = _chains(analysis.dialogs)

    def of(self, unit: Unit) -> list[Stream]:
        """The streams that the unit's SDP announced; those of another hop of the chain if this hop has none."""
        own = [s for d in unit.dialogs for s in self._by_dialog.get(d.id, [])]
        if own:
            return own
        return [s for d in unit.dialogs for ident in self._chains.get(d.id, []) for s in self._by_dialog.get(ident, [])]


def _chains(dialogs: Sequence[HopDialog]) -> dict[int, list[int]]:
    """Dialog to the others of its chain of hops."""
    root: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for dialog in dialogs:
        up = dialog.upstream if dialog.upstream is not None else dialog.alias_of
        root[dialog.id] = root.get(up, up) if up is not None else dialog.id
        members.setdefault(root[dialog.id], []).append(dialog.id)
    return {d.id: [m for m in members[root[d.id]] if m != d.id] for d in dialogs}


def collect(paths: Sequence[Path], streams: Sequence[Stream]) -> dict[int, list[Packet]]:
    """The packets of streams, by `id()` of the stream: a second pass over the captures."""
    if not streams:
        return {}
    keys: set[StreamKey] = {(s.source, s.destination, s.ssrc) for s in streams}
    found = media_packets(paths, keys)
    return {
        id(s): [
            packet
            for packet in found[(s.source, s.destination, s.ssrc)]
            if s.first - 0.001 <= packet[0] <= s.last + 0.001
        ][:MOST_PACKETS]
        for s in streams
    }


def plan_media(
    shape: Shape, name: str, streams: Sequence[Stream], packets: dict[int, list[Packet]], folder: Path
) -> dict[str, SideMedia]:
    """Write the files of a shape into `folder`/media and say when each side plays which. By role."""
    found = {}
    for role, draft in shape.drafts.items():
        from_caller = role == UAC
        chunks = [
            chunk
            for stream in streams
            if stream.from_caller == from_caller
            for chunk in _segments(stream, packets.get(id(stream), []), shape.unit)
        ]
        found[role] = _side(draft, _merged(chunks), f"{name}-{CALLER if from_caller else CALLEE}", folder)
    return found


def _segments(stream: Stream, packets: list[Packet], unit: Unit) -> list[Chunk]:
    """A stream cut where a later offer/answer changed its payload type."""
    answers = [e.responses[-1].time for e in unit.exchanges if e.method in ("INVITE", "UPDATE") and e.responses]
    parts: list[list[Packet]] = []
    current = (-1, -1)
    counts: list[Counter[int]] = []
    begin, end = _lifetime(unit)
    for packet in packets:
        if len(packet[1]) < 12 or not begin <= packet[0] <= end:
            continue
        segment = bisect_right(answers, packet[0])
        if not parts or segment != current[0]:
            parts.append([])
            counts.append(Counter())
            current = (segment, 0)
        parts[-1].append(packet)
        counts[-1][packet[1][1] & 0x7F] += 1
    chunks: list[Chunk] = []
    main = -1
    for part, count in zip(parts, counts, strict=True):
        most = count.most_common(1)[0][0]
        if chunks and most == main:
            chunks[-1].packets += part
        else:
            chunks.append(Chunk(stream.media, part, [stream.codec] if stream.codec else []))
        main = most
    if chunks and sum(len(chunk.packets) for chunk in chunks) == len(packets):
        chunks[0].dtmf, chunks[0].lost = stream.dtmf, max(0, stream.lost)
    return chunks


def _lifetime(unit: Unit) -> tuple[float, float]:
    """When the call's media may have been sent: a port is used again by later calls, with the same SSRC at worst."""
    over = any(e.method == "BYE" for e in unit.exchanges) or not any(
        e.method == "INVITE" and e.final is not None and e.final.status < 300 for e in unit.exchanges
    )
    return unit.events[0].time - LATE_S, (unit.events[-1].time + LATE_S if over else float("inf"))


def _merged(chunks: list[Chunk]) -> list[Chunk]:
    """Chunks of one kind that overlap, together in one; in order of their start."""
    merged: list[Chunk] = []
    for kind in KINDS:
        last: Chunk | None = None
        for chunk in sorted((c for c in chunks if c.kind == kind), key=lambda c: c.start):
            crowded = len(merged) >= MOST_CHUNKS
            if last is not None and (chunk.start < last.stop - OVERLAP_S or crowded):
                last.take(chunk)
            else:
                last = chunk
                merged.append(chunk)
    return merged


def _side(draft: Draft, chunks: list[Chunk], name: str, folder: Path) -> SideMedia:
    media = SideMedia()
    ready = _ready(draft)
    kinds = [kind for kind in KINDS if any(c.kind == kind for c in chunks)]
    for kind in kinds:
        of_kind = _playable(draft, [c for c in chunks if c.kind == kind], ready)
        for number, chunk in enumerate(of_kind, 1):
            more = f"-{number}" if len(of_kind) > 1 else ""
            file = f"media/{name}-{kind}{more}.pcap"
            _write(folder / file, chunk)
            note = "" if kind == kinds[0] else "not in the scenario: SIPp plays one stream a call at a time"
            if ready < 0:
                note = "not in the scenario: the capture holds no complete offer and answer"
            duration = round((chunk.stop - chunk.start) * 1000, 1)
            codec = "+".join(chunk.codecs)
            packets = len(chunk.packets)
            media.files.append(MediaFile(file, kind, packets, duration, codec, chunk.dtmf, note, chunk.lost))
            if not note:
                media.plays.append(_play(draft, chunk, ready, file))
    return media


def _playable(draft: Draft, chunks: list[Chunk], ready: int) -> list[Chunk]:
    """Chunks that would start after the same step are one file, with the silence between them, unless a pause follows
    that step: only there a scenario can start one media after another."""
    kept: list[Chunk] = []
    last = -1
    for chunk in chunks:
        step = _play(draft, chunk, ready, "").step if ready >= 0 else 0
        following = draft.steps[step + 1].element if step + 1 < draft.main_end else None
        if kept and step == last and not isinstance(following, Pause):
            kept[-1].take(chunk)
        else:
            kept.append(chunk)
        last = step
    return kept


def _write(path: Path, chunk: Chunk) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with PcapWriter(path) as writer:
        for time, data in chunk.packets:
            writer.udp(time, NOBODY, NOBODY, data)


def _ready(draft: Draft) -> int:
    """The first step at which both sides' SDP is known; -1 if none is."""
    seen: dict[type, int] = {}
    for number, step in enumerate(draft.steps[: draft.main_end]):
        if step.sdp:
            seen.setdefault(type(step.element), number)
    return max(seen.values()) if Send in seen and Recv in seen else -1


def _play(draft: Draft, chunk: Chunk, ready: int, file: str) -> Play:
    """After the last message that the capture shows before the first packet, and how long after it."""
    best = ready
    for number, step in enumerate(draft.steps[: draft.main_end]):
        if number <= ready or not step.time or not isinstance(step.element, Send | Recv):
            continue
        acknowledges = isinstance(step.element, Recv) and step.element.request == "ACK"
        if step.time <= chunk.start or (acknowledges and step.time <= chunk.start + ANSWER_S):
            best = number
    return Play(best, max(0.0, (chunk.start - draft.steps[best].time) * 1000), chunk.kind, file)
