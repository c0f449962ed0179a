"""Streams as they stand in an Analysis: what was found in RTP, with what SDP and RTCP say of it.

Joins; owns no rule of its own but which stream is the other direction of which. Never reads packets.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipreplay.analysis.found_stream import FoundStream
from sipreplay.analysis.media_map import MediaMap, MediaMatch
from sipreplay.analysis.model import Address, Stream
from sipreplay.analysis.rtcp_book import RtcpBook, whole_round_trip_ms
from sipreplay.analysis.scores import score
from sipreplay.analysis.stream_facts import DRIFT_FROM_S, bandwidth_kbps
from sipreplay.rtp.payload_types import COMFORT_NOISE

_LOOKED_AT = 64
_SSRC_OVERLAP_S = 0.1


def join(found: Sequence[FoundStream], faxes: Sequence[Stream], media: MediaMap, rtcp: RtcpBook) -> list[Stream]:
    """The streams, in order of their first packets."""
    streams = [_stream(item, media) for item in found]
    rtcp.attach(streams)
    reverses = reverse_streams(streams)
    ways = {(stream.source, stream.destination) for stream in streams}
    targets: dict[Address, list[Stream]] = {}
    for stream in streams:
        targets.setdefault(stream.source, []).append(stream)
    for stream, item in zip(streams, found, strict=True):
        reverse = reverses.get(id(stream))
        stream.round_trip_ms = whole_round_trip_ms(stream, reverse)
        if (stream.destination, stream.source) in ways:
            stream.symmetric = True
        elif any(_overlap(stream, other) > 0 for other in targets.get(stream.destination, ())[:_LOOKED_AT]):
            stream.symmetric = False  # the other side sends, to elsewhere
        score(stream, item.worst)
    _note_ssrc_changes(streams)
    for fax in faxes:
        _tie(fax, media.find(fax.source, fax.destination, fax.first))
    return sorted([*streams, *faxes], key=lambda stream: stream.first) if faxes else streams


def _note_ssrc_changes(streams: Sequence[Stream]) -> None:
    """A sender that goes on with another SSRC: the one before has ended when the next begins."""
    last: dict[tuple[Address, Address, int], Stream] = {}
    for stream in streams:
        if stream.dialog is None:
            continue
        way = stream.source, stream.destination, stream.dialog
        before = last.get(way)
        if before is not None and before.last <= stream.first + _SSRC_OVERLAP_S and before.ssrc != stream.ssrc:
            stream.previous_ssrc = before.ssrc
        if before is None or stream.last >= before.last:
            last[way] = stream


def _tie(stream: Stream, match: MediaMatch | None) -> None:
    """Note what SDP says of a stream."""
    if match is None:
        return
    stream.dialog, stream.media, stream.from_caller = match.dialog, match.kind, match.from_caller
    stream.tied_by = match.by
    sender, receiver = match.sender, match.receiver
    if sender is not None:
        stream.offered = sender.address
        stream.sender_direction = sender.direction
        hosts = {address.host for address in match.sender_addresses}
        stream.nat = match.by == "destination" and stream.source.host not in hosts
    if receiver is not None:
        stream.receiver_direction = receiver.direction
        stream.sdp_ptime_ms = receiver.ptime
    protected = [end.security for end in (sender, receiver) if end is not None]
    if protected and all(protected):  # an offer alone may be a wish
        stream.security = protected[0]
    if stream.security and stream.kind == "rtp":
        stream.kind = "srtp"
    stream.unannounced_types = tuple(
        kind for kind in stream.payload_types if kind not in match.accepted and kind not in COMFORT_NOISE
    )


def reverse_streams(streams: Sequence[Stream]) -> dict[int, Stream]:
    """By the identity of a stream the one between the same addresses the other way, at the same time."""
    ways: dict[tuple[Address, Address], list[Stream]] = {}
    for stream in streams:
        ways.setdefault((stream.source, stream.destination), []).append(stream)
    found: dict[int, Stream] = {}
    for (source, destination), those in ways.items():
        others = ways.get((destination, source))
        if others:
            for stream in those:
                best = max(others, key=lambda other: _overlap(stream, other))
                if _overlap(stream, best) > 0:
                    found[id(stream)] = best
    return found


def _overlap(one: Stream, other: Stream) -> float:
    return min(one.last, other.last) - max(one.first, other.first)


def _stream(found: FoundStream, media: MediaMap) -> Stream:
    quality, facts, candidate = found.quality, found.facts, found.candidate
    match = media.find(candidate.source, candidate.destination, found.first, found.payload_type)
    kind = match.kind if match else ""
    speech = kind in ("", "audio")
    ip_version = 6 if ":" in candidate.source.host else 4
    stream = Stream(
        source=candidate.source,
        destination=candidate.destination,
        ssrc=candidate.ssrc,
        payload_types=list(candidate.payload_types),
        codec=found.codec,
        packets=quality.packets,
        lost=quality.lost,
        duplicates=quality.duplicates,
        reordered=quality.reordered,
        mean_delta_ms=quality.mean_delta_ms,
        max_delta_ms=quality.max_delta_ms,
        mean_jitter_ms=quality.mean_jitter_ms,
        max_jitter_ms=quality.max_jitter_ms,
        mos=None,
        dtmf=found.dtmf,
        first=found.first,
        last=found.last,
        clock_rate=found.clock_rate,
        ptime_ms=facts.ptime_ms if speech else None,
        bandwidth_kbps=bandwidth_kbps(facts, quality.packets, ip_version, found.last - found.first),
        talkspurts=facts.talkspurts,
        comfort_noise=facts.comfort_noise,
        silence=facts.silence,
        max_skew_ms=quality.max_skew_ms,
        drift_ppm=facts.drift_ppm if found.last - found.first >= DRIFT_FROM_S else None,
        missing=quality.missing,
        burst=quality.burst,
        discarded=found.discarded if speech else 0,
        windows=found.windows,
        segments=found.segments,
        digits=found.digits(),
    )
    _tie(stream, match)
    stream.decrypted = found.decrypted
    if stream.security and not stream.decrypted:
        # What was looked at was encrypted.
        stream.silence, stream.dtmf, stream.digits = None, "", []
    return stream
