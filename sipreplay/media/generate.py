"""Media that is made rather than captured: telephone events, raw codec files and WAV, bit patterns (SIPp's rtp_stream).

Returns sources like those of media pcaps; knows nothing of sockets, calls or time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sipreplay.errors import ScenarioError
from sipreplay.media.made import Made
from sipreplay.media.sources import Datagram, Flow, MediaSource, build_source
from sipreplay.rtp.events import DIGITS, TelephoneEvent, encode
from sipreplay.rtp.packet import HEADER_BYTES, RtpPacket, build_rtp
from sipreplay.rtp.payload_types import STATIC

SSRC = 0xCA110000
"""SIPp's first one; the next stream has the next number."""
FIRST_EVENT_SEQUENCE = 1200
MAX_FILE_BYTES = 64 << 20
_FILLER_TYPE = 97
_EVENT_MS = 20
_END_PACKETS = 3
_VOLUME = 10
_CLOCK_KHZ = 8
_PATTERN_MS = 10_000
_PCM, _ALAW, _ULAW = 1, 6, 7
_WAV_OF = {0: _ULAW, 8: _ALAW}
_WAV_NAMES = {_PCM: "linear PCM", _ALAW: "A-law", _ULAW: "mu-law"}


def make_source(made: Made) -> MediaSource:
    """The source. Raises ScenarioError that names the file if it cannot be played."""
    if made.kind == "dtmf":
        source = build_source(f"digits {made.text}", "audio", _digits(made))
        source.is_events = True
    elif made.kind == "pattern":
        count = max(1, _PATTERN_MS // made.packet_ms)
        payload = np.full((count, made.packet_bytes), made.pattern, np.uint8)
        source = _stream(f"pattern {made.pattern:#x}", made, payload)
        source.pattern = (made.pattern, made.packet_bytes)
    else:
        source = _stream(made.text, made, _cut(_media_bytes(made), made.packet_bytes))
    return source


def _digits(made: Made) -> list[Datagram]:
    """SIPp's packets for digits, except that timestamps and sequence numbers go on as RFC 4733 and 3550 want.

    Each event has the timestamp of its beginning; its end is told three times.
    """
    out: list[Datagram] = []
    now_us, ticks, sequence = 0, 24000, FIRST_EVENT_SEQUENCE

    def add(payload_type: int, payload: bytes, *, marker: bool = False) -> None:
        nonlocal sequence
        packet = RtpPacket(payload_type, marker, sequence, ticks, SSRC, payload)
        out.append(Datagram(now_us, 0, build_rtp(packet)))
        sequence += 1

    for _ in range(made.filler):
        add(_FILLER_TYPE, bytes(4))
        now_us += _EVENT_MS * 1000
        ticks += _EVENT_MS * _CLOCK_KHZ
    for digit in made.text:
        code, started_us = DIGITS.index(digit), now_us
        for elapsed_ms in range(_EVENT_MS, made.tone_ms + 1, _EVENT_MS):
            event = TelephoneEvent(code, False, _VOLUME, elapsed_ms * _CLOCK_KHZ)
            add(made.payload_type, encode(event), marker=elapsed_ms == _EVENT_MS)
            now_us += _EVENT_MS * 1000
        for _ in range(_END_PACKETS):
            event = TelephoneEvent(code, True, _VOLUME, made.tone_ms * _CLOCK_KHZ)
            add(made.payload_type, encode(event))
            now_us += 1000
        now_us = started_us + 2 * made.tone_ms * 1000
        ticks += 2 * made.tone_ms * _CLOCK_KHZ
    return out


def _stream(path: str, made: Made, payload: NDArray[np.uint8]) -> MediaSource:
    """Rows of payload as one flow that can be played again and again."""
    count, size = payload.shape
    width = -(-(HEADER_BYTES + size) // 64) * 64
    template = np.zeros((count, width), np.uint8)
    template[:, 0] = 0x80
    template[:, 1] = made.payload_type
    numbers = np.arange(count)
    template.view(">u2")[:, 1] = numbers & 0xFFFF
    template.view(">u4")[:, 1] = numbers * made.ticks & 0xFFFFFFFF
    template.view(">u4")[:, 2] = SSRC
    template[:, HEADER_BYTES : HEADER_BYTES + size] = payload
    flow = Flow(
        0,
        numbers.astype(np.int64) * made.packet_ms * 1000,
        template,
        np.full(count, HEADER_BYTES + size, np.int64),
        np.ones(count, np.bool_),
        lap_us=count * made.packet_ms * 1000,
        lap_ticks=count * made.ticks,
    )
    rate = made.ticks * 1000 // made.packet_ms
    clock_rates = {} if made.payload_type in STATIC else {made.payload_type: rate}
    return MediaSource(
        path,
        "audio",
        [flow],
        [flow],
        packets=count,
        duration_ms=float(count * made.packet_ms),
        payload_types=(made.payload_type,),
        clock_rates=clock_rates,
        ticks_per_ms=made.ticks / made.packet_ms,
    )


def _cut(data: bytes, size: int) -> NDArray[np.uint8]:
    """Rows of one packet each. The last one is filled up from the beginning (SIPp)."""
    short = -len(data) % size
    while len(data) % size:
        data += data[: min(short, size - len(data) % size)]
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def _media_bytes(made: Made) -> bytes:
    """What the file holds as the codec's bytes. Raises ScenarioError."""
    path = Path(made.text)
    try:
        if not path.is_file():
            raise ScenarioError("no such media file", made.text)
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScenarioError(f"is larger than {MAX_FILE_BYTES >> 20} MB: cut it into shorter files", made.text)
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", made.text) from error
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        data = _wav(data, made)
    if not data:
        raise ScenarioError("holds nothing to play", made.text)
    return data


def _wav(data: bytes, made: Made) -> bytes:
    """The sound of a WAV file in the codec of the payload type: as it is, or from 16-bit linear PCM to G.711.

    Raises ScenarioError for a format that would be noise under that payload type.
    """
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data) and b"data" not in chunks:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.setdefault(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    layout, sound = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(layout) < 16 or not sound:
        raise ScenarioError("is a WAV file without format or sound", made.text)
    form, channels, rate, bits = (int.from_bytes(layout[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8), (14, 16)))
    wanted = _WAV_OF.get(made.payload_type)
    if wanted is None:
        # Another codec in a WAV container: its bytes, as SIPp takes them.
        if form in _WAV_NAMES:
            raise ScenarioError(f"holds {_WAV_NAMES[form]}, which is not payload type {made.payload_type}", made.text)
        return sound
    if (channels, rate) != (1, 8000) or not (form == wanted or (form == _PCM and bits == 16)):
        kind = _WAV_NAMES.get(form, f"format {form}")
        raise ScenarioError(
            f"holds {kind} ({bits} bits, {rate} Hz, {channels} channels): payload type {made.payload_type} takes "
            f"{_WAV_NAMES[wanted]} or 16-bit linear PCM, 8000 Hz, 1 channel; convert it",
            made.text,
        )
    if form == wanted:
        return sound
    samples = np.frombuffer(sound[: len(sound) & ~1], "<i2").astype(np.int32)
    return (_ulaw(samples) if wanted == _ULAW else _alaw(samples)).tobytes()


def _ulaw(samples: NDArray[np.int32]) -> NDArray[np.uint8]:
    """G.711 mu-law of 16-bit samples."""
    negative = samples < 0
    magnitude = np.minimum(np.abs(samples), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = magnitude >> (exponent + 3) & 15
    code: NDArray[np.int32] = ~((negative.astype(np.int32) << 7) | exponent << 4 | mantissa) & 0xFF
    return code.astype(np.uint8)


def _alaw(samples: NDArray[np.int32]) -> NDArray[np.uint8]:
    """G.711 A-law of 16-bit samples."""
    positive = samples >= 0
    magnitude = np.where(positive, samples, -samples - 1) >> 3
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = np.where(exponent > 0, magnitude >> np.maximum(exponent, 1), magnitude >> 1) & 15
    code: NDArray[np.int32] = (exponent << 4 | mantissa) ^ np.where(positive, 0xD5, 0x55)
    return code.astype(np.uint8)
