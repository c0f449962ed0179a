"""Streams in the document of `inspect --json`: figures, what SDP and RTCP say, windows.

Never computes anything new.
"""

from __future__ import annotations

from typing import Any

from sipreplay.analysis.model import Stream, StreamRtcp
from sipreplay.analysis.scores import windows_of
from sipreplay.rtp.windows import WINDOW_S


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def stream_json(stream: Stream) -> dict[str, Any]:
    """One stream, as `streams[]` of the document has it."""
    return {
        "source": str(stream.source),
        "destination": str(stream.destination),
        "ssrc": stream.ssrc,
        "payload_types": list(stream.payload_types),
        "codec": _printable(stream.codec),
        "packets": stream.packets,
        "lost": stream.lost,
        "duplicates": stream.duplicates,
        "reordered": stream.reordered,
        "mean_delta_ms": _milliseconds(stream.mean_delta_ms),
        "max_delta_ms": _milliseconds(stream.max_delta_ms),
        "mean_jitter_ms": _milliseconds(stream.mean_jitter_ms),
        "max_jitter_ms": _milliseconds(stream.max_jitter_ms),
        "mos": None if stream.mos is None else round(stream.mos, 2),
        "dtmf": stream.dtmf,
        "first": stream.first,
        "last": stream.last,
        "dialog": stream.dialog,
        "kind": stream.kind,
        "media": _printable(stream.media),
        "from_caller": stream.from_caller,
        "tied_by": stream.tied_by or None,
        "offered": None if stream.offered is None else str(stream.offered),
        "nat": stream.nat,
        "symmetric": stream.symmetric,
        "security": stream.security or None,
        "decrypted": stream.decrypted,
        "unannounced_types": list(stream.unannounced_types),
        "clock_rate": stream.clock_rate,
        "ptime_ms": stream.ptime_ms,
        "sdp_ptime_ms": stream.sdp_ptime_ms,
        "bandwidth_kbps": _milliseconds(stream.bandwidth_kbps),
        "talkspurts": stream.talkspurts,
        "comfort_noise": stream.comfort_noise,
        "silence": _milliseconds(stream.silence),
        "max_skew_ms": _milliseconds(stream.max_skew_ms),
        "drift_ppm": None if stream.drift_ppm is None else round(stream.drift_ppm, 1),
        "drift_hz": None if stream.drift_ppm is None else round(stream.drift_ppm * stream.clock_rate / 1e6, 3),
        "missing": stream.missing,
        "burst_ratio": _milliseconds(stream.burst),
        "discarded": stream.discarded,
        "mos_worst": None if stream.mos_worst is None else round(stream.mos_worst, 2),
        "mos_worst_at": stream.mos_worst_at,
        "windows": _windows(stream),
        "previous_ssrc": stream.previous_ssrc,
        "segments": [
            {"time": at, "payload_type": kind, "codec": _printable(codec)} for at, kind, codec in stream.segments
        ],
        "digits": [
            {"digit": d.digit, "time": d.time, "duration_ms": _milliseconds(d.duration_ms), "ended": d.ended}
            for d in stream.digits
        ],
        "round_trip_ms": _milliseconds(stream.round_trip_ms),
        "rtcp": None if stream.rtcp is None else _rtcp(stream.rtcp),
        "t38": {"redundancy": stream.redundancy, "recovered": stream.recovered, "fec": stream.fec}
        if stream.kind == "t38"
        else None,
    }


def _windows(stream: Stream) -> dict[str, Any]:
    """Ten seconds each, a list a figure."""
    windows = windows_of(stream)
    return {
        "seconds": WINDOW_S,
        "start": [window.start for window in windows],
        "packets": [window.packets for window in windows],
        "lost": [window.lost for window in windows],
        "discarded": [window.discarded for window in windows],
        "mean_jitter_ms": [_milliseconds(window.mean_jitter_ms) for window in windows],
        "max_jitter_ms": [_milliseconds(window.max_jitter_ms) for window in windows],
        "mos": [None if window.mos is None else round(window.mos, 2) for window in windows],
    }


def _rtcp(facts: StreamRtcp) -> dict[str, Any]:
    rounded = {
        name: _milliseconds(getattr(facts, name))
        for name in (
            "reported_loss_max",
            "reported_jitter_ms",
            "reported_max_jitter_ms",
            "round_trip_ms",
            "max_round_trip_ms",
        )
    }
    return {
        "sender_reports": facts.sender_reports,
        "receiver_reports": facts.receiver_reports,
        "encrypted": facts.encrypted,
        "cname": _printable(facts.cname),
        "bye": facts.bye,
        "sent_packets": facts.sent_packets,
        "sent_octets": facts.sent_octets,
        "reported_lost": facts.reported_lost,
        **rounded,
        "metrics": None if facts.metrics is None else facts.metrics._asdict(),
        "summary": None if facts.summary is None else facts.summary._asdict(),
    }
