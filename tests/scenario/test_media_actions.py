"""The texts of SIPp's media actions as values."""

from __future__ import annotations

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.scenario.media_actions import (
    Dtmf,
    RtpEcho,
    RtpStream,
    codec,
    parse_dtmf,
    parse_rtp_echo,
    parse_rtp_stream,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("12*#", Dtmf("12*#", 200)),
        ("1-2 a,100", Dtmf("12A", 100)),
        ("1,20", Dtmf("1", 200)),
        ("1,3000", Dtmf("1", 200)),
    ],
)
def test_digits_and_the_length_of_their_tones(text: str, wanted: Dtmf) -> None:
    assert parse_dtmf(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.wav", RtpStream("file", "a.wav")),
        ("a.wav,-1,0,PCMU/8000", RtpStream("file", "a.wav", 1, -1, 0, codec(0))),
        ("dir/b.raw, 3, 98, iLBC/8000", RtpStream("file", "dir/b.raw", 1, 3, 98, codec(98, "ilbc/8000"))),
        ("apattern", RtpStream("apattern", pattern=1, loops=-1)),
        ("vpattern,6,97,H264/90000", RtpStream("vpattern", "", 6, -1, 97, codec(97, "H264/90000"))),
        ("pauseapattern", RtpStream("pauseapattern")),
    ],
)
def test_what_is_streamed(text: str, wanted: RtpStream) -> None:
    assert parse_rtp_stream(text) == wanted


def test_packets_are_cut_as_sipp_cuts_them() -> None:
    assert [(codec(n).packet_bytes, codec(n).packet_ms, codec(n).ticks) for n in (0, 8, 9, 18)] == [
        (160, 20, 160),
        (160, 20, 160),
        (160, 20, 160),
        (20, 20, 160),
    ]
    assert codec(97, "H264/90000").video


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no file"),
        ("pause,1", "'pause' takes no parameters"),
        ("a.wav,-2", "-1 .for ever. or more"),
        ("a.wav,1,0,PCMU/8000,x", "more than four parts"),
        ("a.wav,1,0,PCMA/8000", "payload type 0 is PCMU/8000, not PCMA/8000"),
    ],
)
def test_a_stream_that_is_none(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        parse_rtp_stream(text)


def test_an_echo() -> None:
    assert parse_rtp_echo("startaudio,0,PCMU/8000") == RtpEcho("startaudio", 0, codec(0))
    assert parse_rtp_echo("stopvideo") == RtpEcho("stopvideo")
    with pytest.raises(ScenarioError, match="more than three parts"):
        parse_rtp_echo("startaudio,0,PCMU/8000,x")
