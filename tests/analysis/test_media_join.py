"""What SDP says of streams: NAT, ICE, bundles, symmetry, encryption, fax."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.model import Address
from sipreplay.rtp.udptl import build_udptl
from tests.analysis.media_call import A_MEDIA, B_MEDIA, analysed, audio, both, rtp, sdp

NATTED = ("203.0.113.7", 31000)


def test_a_plain_call(tmp_path: Path) -> None:
    to_b, to_a = analysed(tmp_path / "c.pcap", both()).streams
    assert [(s.tied_by, s.nat, s.symmetric, s.kind, s.security) for s in (to_b, to_a)] == [
        ("destination", False, True, "rtp", "")
    ] * 2
    assert (to_b.offered, to_b.from_caller) == (Address(*A_MEDIA), True)
    assert (to_b.sender_direction, to_b.receiver_direction, to_b.unannounced_types) == ("sendrecv", "sendrecv", ())


def test_media_from_behind_a_nat_is_tied_by_where_it_goes(tmp_path: Path) -> None:
    media = [*rtp(NATTED, B_MEDIA, ssrc=77), *rtp(B_MEDIA, NATTED, ssrc=88, start=0.61)]
    to_b, to_a = analysed(tmp_path / "c.pcap", media).streams
    assert (to_b.tied_by, to_b.nat, to_b.offered, to_b.symmetric) == ("destination", True, Address(*A_MEDIA), True)
    assert (to_a.tied_by, to_a.nat, to_a.from_caller) == ("source", False, False)


def test_the_other_side_sends_elsewhere(tmp_path: Path) -> None:
    media = [*rtp(("192.0.2.1", 4444), B_MEDIA, ssrc=77), *rtp(B_MEDIA, A_MEDIA, ssrc=88, start=0.61)]
    to_b, to_a = analysed(tmp_path / "c.pcap", media).streams
    assert (to_b.symmetric, to_b.nat, to_a.symmetric) == (False, False, None)


def test_an_ice_candidate_is_where_its_owner_receives(tmp_path: Path) -> None:
    candidates = (
        "candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host",
        "candidate:2 1 UDP 1694498815 203.0.113.7 31000 typ srflx raddr 192.0.2.1 rport 4000",
        "candidate:2 2 UDP 1694498814 203.0.113.7 31001 typ srflx",
        "candidate:3 1 TCP 1 203.0.113.7 9 typ host tcptype active",
        "candidate:4 1 UDP 9 d.local x typ host",
    )
    offer = sdp("192.0.2.1", audio(4000, "96", "rtpmap:96 PCMU/8000", *candidates))
    answer = sdp("192.0.2.2", audio(6000, "96", "rtpmap:96 PCMU/8000"))
    media = [*rtp(NATTED, B_MEDIA, kind=96, ssrc=77), *rtp(B_MEDIA, NATTED, kind=96, ssrc=88, start=0.61)]
    to_b, to_a = analysed(tmp_path / "c.pcap", media, offer=offer, answer=answer).streams
    assert [(s.tied_by, s.nat, s.codec) for s in (to_b, to_a)] == [("destination", False, "PCMU")] * 2
    assert to_a.from_caller is False


@pytest.mark.parametrize("video_port", [6000, 6002])
def test_bundled_video_is_video(tmp_path: Path, video_port: int) -> None:
    def body(host: str, port: int, other: int) -> str:
        video = f"m=video {other} RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\na=mid:v\r\n"
        return sdp(host, audio(port, "0", "mid:a") + video, "a=group:BUNDLE a v\r\n")

    media = [*rtp(A_MEDIA, B_MEDIA, ssrc=77), *rtp(A_MEDIA, B_MEDIA, kind=97, step=3000, ssrc=78)]
    found = analysed(
        tmp_path / "c.pcap", media, offer=body("192.0.2.1", 4000, 4000), answer=body("192.0.2.2", 6000, video_port)
    ).streams
    assert [(s.media, s.codec, s.clock_rate, s.unannounced_types) for s in found] == [
        ("audio", "PCMU", 8000, ()),
        ("video", "VP8", 90000, ()),
    ]


def test_each_of_two_audio_lines_has_its_own_codecs(tmp_path: Path) -> None:
    def body(host: str, port: int) -> str:
        one = audio(port, "96", "rtpmap:96 opus/48000/2", "sendonly")
        return sdp(host, one + audio(port + 2, "96", "rtpmap:96 G722/8000"))

    media = [
        *rtp(A_MEDIA, B_MEDIA, kind=96, ssrc=77, step=960),
        *rtp(("192.0.2.1", 4002), ("192.0.2.2", 6002), kind=96, ssrc=78),
    ]
    offer, answer = body("192.0.2.1", 4000), body("192.0.2.2", 6000)
    found = analysed(tmp_path / "c.pcap", media, offer=offer, answer=answer).streams
    assert [(s.codec, s.sender_direction) for s in found] == [("opus", "sendonly"), ("G722", "sendrecv")]


@pytest.mark.parametrize(
    ("attribute", "security"),
    [
        ("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", "sdes"),
        ("fingerprint:sha-256 AA:BB", "dtls"),
        ("ptime:20", "unknown"),
    ],
)
def test_encrypted_media_is_named(tmp_path: Path, attribute: str, security: str) -> None:
    offer = sdp("192.0.2.1", audio(4000, "0", attribute, proto="RTP/SAVP"))
    answer = sdp("192.0.2.2", audio(6000, "0", attribute, proto="RTP/SAVP"))
    (found,) = analysed(tmp_path / "c.pcap", rtp(A_MEDIA, B_MEDIA), offer=offer, answer=answer).streams
    assert (found.kind, found.security, found.silence, found.packets) == ("srtp", security, None, 300)


def test_a_payload_type_that_nobody_named(tmp_path: Path) -> None:
    (found,) = analysed(tmp_path / "c.pcap", rtp(A_MEDIA, B_MEDIA, kind=111)).streams
    assert found.unannounced_types == (111,)


def test_fax_is_a_stream_with_what_redundancy_brought_back(tmp_path: Path) -> None:
    fax = "m=image {port} udptl t38\r\na=T38FaxVersion:0\r\n"
    ifp = [bytes((number, 1, 2, 3)) for number in range(30)]
    media = [
        (0.6 + 0.03 * n, A_MEDIA, B_MEDIA, build_udptl(n, ifp[n], tuple(ifp[max(0, n - 2) : n][::-1])))
        for n in range(30)
        if n not in (10, 15, 16, 17)
    ]
    media += [(1.9, A_MEDIA, B_MEDIA, build_udptl(29, ifp[29])), (1.0, B_MEDIA, ("192.0.2.9", 9), b"\0\0\0\0\0\0\0\0")]
    (found,) = analysed(
        tmp_path / "c.pcap",
        media,
        offer=sdp("192.0.2.1", fax.format(port=4000)),
        answer=sdp("192.0.2.2", fax.format(port=6000)),
    ).streams
    assert (found.kind, found.media, found.dialog, found.from_caller) == ("t38", "image", 1, True)
    assert (found.packets, found.duplicates, found.lost) == (27, 1, 4)
    assert (found.redundancy, found.recovered, found.fec) == (2, 3, False)


def test_a_sender_that_changes_its_ssrc(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA, ssrc=77, count=100), *rtp(A_MEDIA, B_MEDIA, ssrc=78, start=2.6, count=100)]
    media += [*rtp(A_MEDIA, B_MEDIA, ssrc=79, start=3.0, count=100)]
    found = analysed(tmp_path / "c.pcap", media).streams
    assert [(s.ssrc, s.previous_ssrc) for s in found] == [(77, None), (78, 77), (79, None)]
