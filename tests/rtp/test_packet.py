"""RTP and RTCP packets."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.packet import (
    ReportBlock,
    RtcpPacket,
    RtpPacket,
    RtpSyntaxError,
    build_receiver_report,
    build_rtp,
    build_sender_report,
    is_rtcp,
    is_rtp,
    parse_rtcp,
    parse_rtp,
)

PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 63) | st.integers(96, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
)


@given(PACKETS)
def test_a_built_packet_reads_back_equal(packet: RtpPacket) -> None:
    data = build_rtp(packet)
    assert parse_rtp(data) == packet
    assert is_rtp(data)
    assert not is_rtcp(data)


def test_contributing_sources_extension_and_padding_are_not_payload() -> None:
    data = (
        bytes([0x80 | 0x20 | 0x10 | 2, 0x80 | 8])
        + bytes(10)
        + bytes(8)
        + b"\xbe\xde\x00\x01"
        + bytes(4)
        + b"voice"
        + b"\0\0\x03"
    )
    assert parse_rtp(data).payload == b"voice"
    assert parse_rtp(data).payload_type == 8


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80" * 11, "too few"),
        (bytes(12), "version is 0"),
        (b"\x90" + bytes(11), "extension is cut"),
        (b"\xa0" + bytes(11), "padding"),
        (b"\x8f" + bytes(11), "longer than the packet"),
    ],
)
def test_what_is_not_rtp_says_why(data: bytes, why: str) -> None:
    with pytest.raises(RtpSyntaxError, match=why):
        parse_rtp(data)


def test_a_compound_of_sender_report_description_and_bye() -> None:
    block = ReportBlock(7, 0.25, -3, 0x10005, 42, 0x11112222, 1.5)
    report = build_sender_report(RtcpPacket(200, 9, (block,), 1 << 63, 160, 10, 1720))
    description = b"\x81\xca\x00\x04\x00\x00\x00\x09\x02\x01x\x01\x04a@b.\x00\x00\x00"
    bye = b"\x81\xcb\x00\x01\x00\x00\x00\x09"
    first, second, third = parse_rtcp(report + description + bye)
    assert first.reports == (block,)
    assert (first.ssrc, first.ntp_time, first.packet_count, first.octet_count) == (9, 1 << 63, 10, 1720)
    assert second.cname == "a@b."
    assert (third.packet_type, third.ssrc) == (203, 9)
    assert is_rtcp(report)
    assert not is_rtp(report)


def test_a_receiver_report_reads_back() -> None:
    block = ReportBlock(1, 0.0, 5, 2, 3, 4, 0.0)
    (packet,) = parse_rtcp(build_receiver_report(77, (block,)))
    assert (packet.ssrc, packet.reports) == (77, (block,))


@pytest.mark.parametrize("data", [b"\x80", b"\x00\xc8\x00\x00", b"\x80\xc8\x00\x09", b"\x81\xc9\x00\x01\0\0\0\0"])
def test_what_is_not_rtcp_is_refused(data: bytes) -> None:
    with pytest.raises(RtpSyntaxError):
        parse_rtcp(data)


@given(st.binary(max_size=120))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for parse in (parse_rtp, parse_rtcp):
        with contextlib.suppress(RtpSyntaxError):
            parse(data)
