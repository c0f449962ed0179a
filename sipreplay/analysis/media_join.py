"""Streams as they stand in an Analysis: what was found in RTP, with what SDP and RTCP say of it.

Joins; owns no rule of its own but which stream is the other direction of which. Never reads packets.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipreplay.analysis.found_stream import FoundStream
from sipreplay.analysis.model import Address, Stream
from sipreplay.analysis.rtcp_book import RtcpBook, whole_round_trip_ms
from sipreplay.analysis.scores import score
from sipreplay.analysis.sdp_media import MediaMap
from sipreplay.analysis.stream_facts import DRIFT_FROM_S, bandwidth_kbps


def join(found: Sequence[FoundStream], media: MediaMap, rtcp: RtcpBook) -> list[Stream]:
    """The streams, in the order in which they were found."""
    streams = [_stream(item, media) for item in found]
    rtcp.attach(streams)
    reverses = reverse_streams(streams)
    for stream, item in zip(streams, found, strict=True):
        stream.round_trip_ms = whole_round_trip_ms(stream, reverses.get(id(stream)))
        score(stream, item.worst)
    return streams


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
    match = media.find(candidate.source, candidate.destination, found.first)
    kind = match.kind if match else ""
    speech = kind in ("", "audio")
    ip_version = 6 if ":" in candidate.source.host else 4
    return Stream(
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
        dialog=match.dialog if match else None,
        media=kind,
        from_caller=match.from_caller if match else None,
        clock_rate=found.clock_rate,
        ptime_ms=facts.ptime_ms if speech else None,
        bandwidth_kbps=bandwidth_kbps(facts, quality.packets, ip_version, found.last - found.first),
        talkspurts=facts.talkspurts,
        comfort_noise=facts.comfort_noise,
        silence=facts.silence,
        max_skew_ms=quality.max_skew_ms,
        drift_ppm=facts.drift_ppm if found.last - found.first >= DRIFT_FROM_S else None,
        burst=quality.burst,
        discarded=found.discarded if speech else 0,
        windows=found.windows,
        segments=found.segments,
        digits=found.digits(),
    )
