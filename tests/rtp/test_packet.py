"""RTP and RTCP packets."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.packet import (
    RtpPacket,
    RtpSyntaxError,
    build_rtp,
    is_rtcp,
    is_rtp,
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


@given(st.binary(max_size=120))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(RtpSyntaxError):
        parse_rtp(data)
