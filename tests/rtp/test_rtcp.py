"""RTCP: compounds read and built, XR, padding, and any bytes."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.packet import RtpSyntaxError, is_rtcp, is_rtp
from sipreplay.rtp.rtcp import (
    ReportBlock,
    RtcpPacket,
    build_receiver_report,
    build_sender_report,
    is_plain,
    parse_rtcp,
)


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


def test_voip_metrics_and_round_trips_of_xr() -> None:
    metrics = struct.pack(
        "!I4B4Hbb8B3H", 7, 26, 0, 3, 1, 120, 5000, 80, 40, -20, -60, 55, 16, 88, 127, 41, 127, 0, 0, 60, 120, 200
    )
    blocks = b"\x04\0\0\x02" + (9 << 48).to_bytes(8, "big")
    blocks += b"\x05\0\0\x03" + struct.pack("!III", 7, 0x1234, 65536 // 2)
    blocks += b"\x2a\0\0\x01" + bytes(4)  # a block of a type that nobody knows
    blocks += b"\x07\0\0\x08" + metrics
    data = b"\x80\xcf" + struct.pack("!HI", 1 + len(blocks) // 4, 99) + blocks
    (packet,) = parse_rtcp(data)
    assert (packet.ssrc, packet.ntp_time) == (99, 9 << 48)
    assert packet.delays == ((7, 0x1234, 0.5),)
    (found,) = packet.metrics
    assert (found.ssrc, found.loss_rate, found.round_trip_ms, found.r_factor) == (7, 26 / 256, 80, 88)
    assert (found.mos_listening, found.mos_conversational, found.buffer_nominal_ms) == (4.1, None, 60)


def test_a_statistics_summary_says_what_it_knows() -> None:
    block = struct.pack("!IHH6I4B", 7, 1, 500, 12, 3, 5, 90, 40, 0, 0, 0, 0, 0)
    data = b"\x80\xcf" + struct.pack("!HI", 11, 99) + b"\x06\xa0\0\x09" + block
    (packet,) = parse_rtcp(data)
    assert packet.summaries == ((7, 1, 500, 12, None, 5, 90, 40),)


def test_bye_with_a_reason() -> None:
    (packet,) = parse_rtcp(b"\x82\xcb\x00\x04" + struct.pack("!II", 7, 8) + b"\x06done..\0")
    assert (packet.sources, packet.reason) == ((7, 8), "done..")


def test_padding_of_the_last_packet_is_no_content() -> None:
    plain = build_receiver_report(5)
    padded = bytes((plain[0] | 0x20, plain[1], 0, 2)) + plain[4:] + b"\0\0\0\x04"
    assert parse_rtcp(padded) == parse_rtcp(plain)


def test_encrypted_rtcp_is_not_plain() -> None:
    report = build_sender_report(RtcpPacket(200, 9, (), 1 << 63, 160, 10, 1720))
    assert is_plain(report)
    assert not is_plain(report[:8] + bytes(range(1, 21)) + b"\x80\0\0\1" + bytes(10))


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for head in (b"", b"\x81\xcf\0\x10", b"\x81\xc8\0\x10"):
        with contextlib.suppress(RtpSyntaxError):
            parse_rtcp(head + data)


blocks = st.builds(
    ReportBlock,
    st.integers(0, 2**32 - 1),
    st.integers(0, 255).map(lambda n: n / 256),
    st.integers(-0x800000, 0x7FFFFF),
    *(st.integers(0, 2**32 - 1),) * 3,
    st.integers(0, 2**32 - 1).map(lambda n: n / 65536),
)


@given(st.lists(blocks, max_size=31), st.integers(0, 2**64 - 1))
def test_reports_round_trip(reports: list[ReportBlock], ntp_time: int) -> None:
    packet = RtcpPacket(200, 9, tuple(reports), ntp_time, 160, 10, 1720)
    assert parse_rtcp(build_sender_report(packet)) == [packet]
