"""Encrypted media with keys in SDP: digits and silence as if it were in the clear; counts as ever."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pylibsrtp import Policy, Session

from sipreplay.analysis.media_findings import found
from sipreplay.analysis.model import Analysis
from sipreplay.rtp.events import event_packets
from sipreplay.rtp.packet import build_rtp
from tests.analysis.media_call import A_MEDIA, B_MEDIA, Packet, analysed, audio, rtp, sdp

SUITE = "AES_CM_128_HMAC_SHA1_80"


def line(tag: int, seed: int) -> str:
    return f"crypto:{tag} {SUITE} inline:{base64.b64encode(master(seed)).decode()}"


def master(seed: int) -> bytes:
    return bytes((seed * 31 + at) & 0xFF for at in range(30))


def secured(path: Path, *, used: int, silent: bool = False, nat: bool = False, profile: str = "RTP/SAVP") -> Analysis:
    """The caller offers two keys; the callee answers the second. What the caller sends is protected with key `used`."""
    session = Session(
        Policy(key=master(used), ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
    )
    source = ("203.0.113.7", 31000) if nat else A_MEDIA
    tone = event_packets("42", payload_type=101, ssrc=77, sequence=300, timestamp=48000)
    plain: list[Packet] = [*rtp(source, B_MEDIA, payload=b"\xff" * 160 if silent else None)]
    plain += [(6.7 + at / 1000, source, B_MEDIA, build_rtp(packet)) for at, packet in tone]
    event = "rtpmap:101 telephone-event/8000"
    return analysed(
        path,
        [(time, sender, receiver, session.protect(data)) for time, sender, receiver, data in plain],
        offer=sdp("192.0.2.1", audio(4000, "0 101", event, line(1, 1), line(2, 2), proto=profile)),
        answer=sdp("192.0.2.2", audio(6000, "0 101", event, line(2, 3), proto=profile)),
        bye=8.0,
    )


@pytest.mark.parametrize(("silent", "nat"), [(False, False), (True, False), (False, True)])
def test_digits_and_silence_are_read_with_the_answered_key(tmp_path: Path, silent: bool, nat: bool) -> None:
    (stream,) = secured(tmp_path / "c.pcap", used=2, silent=silent, nat=nat).streams
    assert (stream.kind, stream.security, stream.decrypted, stream.dtmf) == ("srtp", "sdes", True, "42")
    assert stream.silence == (1.0 if silent else 0.0)
    assert (stream.packets, stream.lost) == (324, 0)
    assert [digit.duration_ms for digit in stream.digits] == [200.0, 200.0]


def test_without_a_key_that_fits_nothing_is_said_of_the_content(tmp_path: Path) -> None:
    analysis = secured(tmp_path / "c.pcap", used=9)
    (stream,) = analysis.streams
    assert (stream.decrypted, stream.dtmf, stream.silence, stream.packets) == (False, "", None, 324)
    assert "srtp-without-keys" in {finding.rule for finding in found(analysis)}


def test_keys_are_not_in_the_document(tmp_path: Path) -> None:
    from sipreplay.analysis.json import inspect_json

    text = str(inspect_json(secured(tmp_path / "c.pcap", used=2)))
    assert base64.b64encode(master(2)).decode() not in text
