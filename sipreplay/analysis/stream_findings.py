"""Findings about one stream: heard badly, not as SDP says, encrypted, silent.

Judges by the thresholds below; each check is a function of its own in `STREAM_CHECKS`, from a stream to what is wrong
with it. Never looks at other streams or at signalling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Stream

LOSS_WARNING, LOSS_ERROR = 0.01, 0.05
THINNED = 0.5
"""A conversation with more loss is given up: the capture is thinned."""
JITTER_WARNING_MS = 30.0
MOS_WARNING, MOS_ERROR = 3.6, 3.1
"""3.6 is where many users are dissatisfied (R of 70), 3.1 where nearly all are (R of 60): G.107, annex B."""
DISCARD_WARNING = 0.01
DRIFT_WARNING_PPM, DRIFT_SECONDS = 200.0, 30.0
FEWEST_PACKETS = 100
"""Shorter streams are not judged by rates."""
SILENT_PART, SILENT_SECONDS = 0.99, 5.0
NOISE_PART = 0.9
SIDES = {True: "caller", False: "callee"}


def about(
    severity: Severity, rule: str, title: str, why: str, remedy: str, place: int, stream: Stream, call: int
) -> Finding:
    return Finding(
        severity,
        rule,
        title,
        why,
        remedy,
        calls=(call,) if call >= 0 else (),
        dialogs=(stream.dialog,) if stream.dialog is not None else (),
        streams=(place,),
    )


def way(stream: Stream) -> str:
    return f"{stream.source} to {stream.destination}"


def sent_by(stream: Stream) -> str:
    return "" if stream.from_caller is None else f" of the {SIDES[stream.from_caller]}"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _loss(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Packets that never came, by sequence numbers."""
    expected = stream.packets + stream.gone
    if not stream.codec or expected < FEWEST_PACKETS:
        return
    lost = max(stream.gone - stream.recovered, 0)
    loss = lost / expected
    if loss < LOSS_WARNING:
        return
    yield about(
        Severity.ERROR if loss >= LOSS_ERROR else Severity.WARNING,
        "rtp-loss",
        f"{_percent(loss)} of the packets{sent_by(stream)} are lost, {way(stream)}",
        f"{lost} of {expected} packets did not reach the capture point, in runs {stream.burst:.1f} times as long as by"
        " chance",
        "so many are more often missing in the capture than in the network: was it filtered, or the capturing host too"
        " slow?"
        if loss >= THINNED
        else "look at the links and queues between the sender and the capture point; bursts point to congestion or a"
        " link that went down, single losses to a faulty or wireless link",
        place,
        stream,
        call,
    )


def _jitter(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Uneven arrival, and what a jitter buffer drops because of it."""
    if stream.media == "video" or stream.packets < FEWEST_PACKETS:
        return
    discarded = stream.discarded / stream.packets
    if stream.mean_jitter_ms >= JITTER_WARNING_MS:
        yield about(
            Severity.WARNING,
            "rtp-jitter",
            f"jitter of {stream.mean_jitter_ms:.0f} ms{sent_by(stream)}, {way(stream)}",
            f"mean {stream.mean_jitter_ms:.1f} ms, at most {stream.max_jitter_ms:.1f} (limit: {JITTER_WARNING_MS:.0f})",
            "look for queues without priority for voice, wireless links, or a sender that sends in bursts",
            place,
            stream,
            call,
        )
    if discarded >= DISCARD_WARNING:
        yield about(
            Severity.WARNING,
            "rtp-too-late",
            f"{_percent(discarded)} of the packets{sent_by(stream)} come too late to be played, {way(stream)}",
            f"{stream.discarded} of {stream.packets} packets come more than 60 ms after they would have to",
            "as for jitter; or let the receiver have a larger jitter buffer, at the price of delay",
            place,
            stream,
            call,
        )


def _score(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """The E-model's verdict, over all and in the worst ten seconds."""
    if stream.mos is None or stream.packets < FEWEST_PACKETS:
        return
    if stream.mos < MOS_WARNING:
        yield about(
            Severity.ERROR if stream.mos < MOS_ERROR else Severity.WARNING,
            "low-mos",
            f"MOS {stream.mos:.1f}{sent_by(stream)}, {way(stream)}",
            f"{stream.codec} with {stream.gone} packets lost and {stream.discarded} too late of"
            f" {stream.packets + stream.gone}: MOS {stream.mos:.2f} (limit: {MOS_WARNING})",
            "see loss and jitter of the stream; a codec that bears loss better (G.711 with concealment, opus) helps",
            place,
            stream,
            call,
        )
    elif stream.mos_worst is not None and stream.mos_worst < MOS_ERROR and stream.mos_worst_at is not None:
        yield about(
            Severity.WARNING,
            "bad-ten-seconds",
            f"ten seconds with MOS {stream.mos_worst:.1f}{sent_by(stream)}, {way(stream)}",
            f"from {stream.mos_worst_at - stream.first:.0f} s after the first packet, where the whole has"
            f" {stream.mos:.1f}",
            "look at what happened in the network at that time",
            place,
            stream,
            call,
        )


def _drift(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """A sender whose clock does not keep time."""
    drift, duration = stream.drift_ppm, stream.last - stream.first
    if drift is None or stream.media == "video" or duration < DRIFT_SECONDS or abs(drift) < DRIFT_WARNING_PPM:
        return
    yield about(
        Severity.WARNING,
        "clock-drift",
        f"the clock{sent_by(stream)} is {abs(drift):.0f} ppm {'fast' if drift > 0 else 'slow'}, {way(stream)}",
        f"{abs(drift) * duration / 1000:.0f} ms in {duration:.0f} s against the capturing host's clock",
        "a sender this far off makes jitter buffers run over or dry: look at its sound clock, or at the virtual"
        " machine's timer",
        place,
        stream,
        call,
    )


def _announced(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """What is sent against what SDP says."""
    if stream.unannounced_types and stream.packets >= 6:
        types = ", ".join(map(str, stream.unannounced_types))
        yield about(
            Severity.WARNING,
            "payload-type-not-accepted",
            f"payload type {types}{sent_by(stream)} is not in the receiver's SDP, {way(stream)}",
            f"the stream holds types {', '.join(map(str, stream.payload_types))}",
            "the receiver will drop these packets: compare offer and answer, and which of them the sender follows",
            place,
            stream,
            call,
        )
    if stream.ptime_ms and stream.sdp_ptime_ms and abs(stream.ptime_ms - stream.sdp_ptime_ms) > 0.5:
        yield about(
            Severity.NOTE,
            "ptime-not-as-asked",
            f"packets of {stream.ptime_ms:g} ms{sent_by(stream)} where {stream.sdp_ptime_ms} ms were asked for",
            f"{way(stream)}: most packets are {stream.ptime_ms:g} ms apart in media time",
            "a=ptime is a wish (RFC 8866 section 6.4), but some gateways accept nothing else",
            place,
            stream,
            call,
        )
    if stream.tied_by == "source" and not stream.symmetric and stream.packets >= 6:
        yield about(
            Severity.WARNING,
            "media-to-unoffered-address",
            f"media{sent_by(stream)} goes to {stream.destination}, which no SDP offered",
            f"{stream.packets} packets from {stream.source}",
            "is there signalling that the capture does not hold, or a relay that the sender learned of otherwise?",
            place,
            stream,
            call,
        )
    if stream.nat:
        yield about(
            Severity.NOTE,
            "nat",
            f"media{sent_by(stream)} comes from {stream.source.host}, where SDP said {stream.offered}",
            f"{stream.packets} packets to {stream.destination}"
            + ("; the other direction goes to where it comes from" if stream.symmetric else ""),
            "behind a NAT the other side has to answer to the address that packets come from (RFC 4961)",
            place,
            stream,
            call,
        )


def _encrypted(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Media that could not be listened to."""
    if stream.security in ("dtls", "unknown") or (stream.security == "sdes" and not stream.decrypted):
        reason = {
            "dtls": "keys were agreed by DTLS, which a capture does not show",
            "unknown": "a secure profile, but no keys in the SDP that was captured",
            "sdes": "none of the keys in SDP fits, or its suite is not supported",
        }[stream.security]
        yield about(
            Severity.NOTE,
            "srtp-without-keys",
            "encrypted media: counted, but digits and silence are not known",
            reason,
            "capture the SIP in which a=crypto is sent; media under DTLS cannot be opened later",
            place,
            stream,
            call,
        )


def _silence(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Packets that carry nothing to hear."""
    duration = stream.last - stream.first
    if duration < SILENT_SECONDS:
        return
    noise = stream.comfort_noise >= NOISE_PART * stream.packets
    if noise or (stream.silence is not None and stream.silence >= SILENT_PART):
        yield about(
            Severity.WARNING,
            "only-silence",
            f"nothing but silence{sent_by(stream)}, {way(stream)}",
            f"{stream.comfort_noise} of {stream.packets} packets are comfort noise"
            if noise
            else f"{stream.packets} packets in {duration:.0f} s, all of what was looked at below -60 dBov",
            "a muted microphone, a missing sound device, or a bridge that has not joined the other side",
            place,
            stream,
            call,
        )


def _reported(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Loss that only the receiver saw."""
    rtcp, expected = stream.rtcp, stream.packets + stream.gone
    if rtcp is None or rtcp.reported_lost is None or expected < FEWEST_PACKETS:
        return
    behind = rtcp.reported_lost - stream.gone
    if behind / expected >= LOSS_WARNING:
        yield about(
            Severity.WARNING,
            "loss-behind-capture",
            f"the receiver misses {behind} packets more than were lost up to here, {way(stream)}",
            f"RTCP reports {rtcp.reported_lost} packets lost in all, {_percent(rtcp.reported_loss_max or 0)} at worst;"
            f" {stream.gone} were missing at the capture point",
            "look at the links between the capture point and the receiver",
            place,
            stream,
            call,
        )


def _unfinished(place: int, stream: Stream, call: int) -> Iterator[Finding]:
    """Digits whose end was not seen."""
    open_ones = [digit.digit for digit in stream.digits if not digit.ended]
    if open_ones:
        yield about(
            Severity.NOTE,
            "digit-without-end",
            f"{len(open_ones)} of {len(stream.digits)} digits have no end, {way(stream)}",
            f"no packet with the end bit of {', '.join(open_ones[:20])}",
            "some receivers take such a digit only after a timeout, or twice (RFC 4733 section 2.5.1.4)",
            place,
            stream,
            call,
        )


STREAM_CHECKS: tuple[Callable[[int, Stream, int], Iterator[Finding]], ...] = (
    _loss,
    _jitter,
    _score,
    _drift,
    _announced,
    _encrypted,
    _silence,
    _reported,
    _unfinished,
)
