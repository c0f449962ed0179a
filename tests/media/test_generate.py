"""Media that is made: digits, raw files, WAV, patterns, as a receiver would understand them."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from sipreplay.errors import ScenarioError
from sipreplay.media.generate import make_source
from sipreplay.media.made import Made
from sipreplay.media.sources import MediaSource
from sipreplay.rtp.events import decode, digits
from sipreplay.rtp.packet import RtpPacket, parse_rtp


def packets(source: MediaSource) -> list[tuple[int, RtpPacket]]:
    flow = source.flows[0]
    return [
        (at // 1000, parse_rtp(bytes(row[:length])))
        for at, row, length in zip(flow.offset_us.tolist(), flow.template, flow.length.tolist(), strict=True)
    ]


def wav(form: int, channels: int, rate: int, bits: int, sound: bytes) -> bytes:
    layout = struct.pack("<HHIIHH", form, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", 16) + layout
    chunks += b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def test_digits_are_events_that_a_receiver_reads_back() -> None:
    came = packets(make_source(Made("dtmf", "15#D", 101, tone_ms=100)))
    assert digits((p.timestamp, p.payload) for _, p in came) == "15#D"
    assert {p.payload_type for _, p in came} == {101}
    assert [p.sequence for _, p in came] == list(range(1200, 1200 + len(came)))
    first = came[:8]
    assert [at for at, _ in first] == [0, 20, 40, 60, 80, 100, 101, 102]
    assert [p.marker for _, p in first] == [True] + [False] * 7
    ends = [decode(p.payload) for _, p in first[-3:]]
    assert all(event is not None and event.end and event.duration == 800 for event in ends)
    # A tone, a gap of the same length, the next tone: on the clock of the time stamps too.
    assert came[8][0] == 200
    assert came[8][1].timestamp - came[0][1].timestamp == 200 * 8


def test_sipps_filler_comes_before_the_digits() -> None:
    came = packets(make_source(Made("dtmf", "1", 96, tone_ms=200, filler=20)))
    assert [p.payload_type for _, p in came[:21]] == [97] * 20 + [96]
    assert came[20][0] == 400


def test_a_raw_file_is_cut_into_packets_and_wraps(tmp_path: Path) -> None:
    data = bytes(range(250)) * 2
    (tmp_path / "a.g729").write_bytes(data[:50])
    source = make_source(Made("file", str(tmp_path / "a.g729"), 18, 20, 20, 160))
    came = packets(source)
    assert [p.payload for _, p in came] == [data[:20], data[20:40], data[40:50] + data[:10]]
    assert [(at, p.sequence, p.timestamp) for at, p in came] == [(0, 0, 0), (20, 1, 160), (40, 2, 320)]
    assert source.flows[0].lap_us == 60_000
    (tmp_path / "tiny").write_bytes(b"ab")
    assert packets(make_source(Made("file", str(tmp_path / "tiny"), 0)))[0][1].payload == b"ab" * 80


def test_a_pattern_is_ten_seconds_of_one_byte() -> None:
    source = make_source(Made("pattern", "", 0, pattern=0xBB))
    came = packets(source)
    assert (len(came), {p.payload for _, p in came}, source.pattern) == (500, {b"\xbb" * 160}, (0xBB, 160))


def test_sound_of_a_wav_file_is_played_in_the_codec_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(7, 1, 8000, 8, b"\x11" * 160))
    assert packets(make_source(Made("file", str(path), 0)))[0][1].payload == b"\x11" * 160
    samples = np.arange(-32768, 32768, 409).astype("<i2")
    path.write_bytes(wav(1, 1, 8000, 16, samples.tobytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import audioop

        for payload_type, back in ((0, audioop.ulaw2lin), (8, audioop.alaw2lin)):
            coded = b"".join(p.payload for _, p in packets(make_source(Made("file", str(path), payload_type))))
            heard = np.frombuffer(back(coded[: len(samples)], 2), "<i2").astype(int)
            # G.711 keeps four bits of a sample: within a thirtieth, and small ones to a few steps.
            assert (np.abs(heard - samples) <= np.maximum(np.abs(samples.astype(int)) / 30, 16)).all(), payload_type


@pytest.mark.parametrize(
    ("data", "payload_type", "words"),
    [
        (None, 0, "no such media file"),
        (b"", 0, "nothing to play"),
        (wav(1, 2, 44100, 16, b"\0" * 64), 0, r"linear PCM \(16 bits, 44100 Hz, 2 channels\).*convert it"),
        (wav(6, 1, 8000, 8, b"\0" * 64), 0, "A-law"),
        (wav(1, 1, 8000, 16, b"\0" * 64), 18, "linear PCM, which is not payload type 18"),
        (wav(7, 1, 8000, 8, b""), 0, "without format or sound"),
    ],
)
def test_a_file_that_would_be_noise_is_refused_by_name(
    tmp_path: Path, data: bytes | None, payload_type: int, words: str
) -> None:
    path = tmp_path / "x"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ScenarioError, match=words) as refused:
        make_source(Made("file", str(path), payload_type))
    assert str(path) in str(refused.value)
