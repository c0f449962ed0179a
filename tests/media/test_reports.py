"""RTCP of our own: what a peer reads in it, and the round trip that two sides find in each other's."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sipreplay.media.reports import Heard, Reporter, Reporting, Sent, ntp_time
from sipreplay.rtp.rtcp import RtcpPacket, parse_rtcp

NOW_NS = 1_800_000_000_250_000_000


def side(ssrc: int, heard: list[Heard]) -> Reporting:
    return Reporting(lambda data: None, lambda: Sent(ssrc, 16_000, 100, 16_000), lambda: heard, 0)


def test_two_sides_find_the_round_trip() -> None:
    one, two = side(1, []), side(2, [Heard(1, 90, 10, 65_636, 80)])
    data = one.report(NOW_NS, "a@b")
    # 30 ms there, answered after 2 s, 50 ms back.
    two.heard(data[:64], NOW_NS + 30_000_000)
    answer = two.report(NOW_NS + 2_030_000_000, "b@a")
    one.heard(answer[:64], NOW_NS + 2_080_000_000)
    assert one.round_trips_us == [pytest.approx(80_000, abs=50)]
    report, names = parse_rtcp(answer)
    block = report.reports[0]
    assert (block.ssrc, block.cumulative_lost, block.highest_sequence, block.jitter) == (1, 10, 65_636, 80)
    assert block.fraction_lost == pytest.approx(0.1, abs=1 / 256)
    assert (report.packet_count, report.octet_count, report.rtp_timestamp) == (100, 16_000, 16_000)
    assert report.ntp_time == ntp_time(NOW_NS + 2_030_000_000)
    assert names.cname == "b@a"


def test_the_fraction_counts_from_report_to_report() -> None:
    heard = [Heard(1, 90, 10, 100, 0)]
    one = side(2, heard)
    one.report(NOW_NS, "a")
    heard[0] = Heard(1, 190, 10, 200, 0)
    assert parse_rtcp(one.report(NOW_NS, "a"))[0].reports[0].fraction_lost == 0


def test_reports_of_others_and_garbage_tell_nothing() -> None:
    one = side(1, [])
    for data in (b"", b"\x80\xc9", bytes(64), b"\x81\xc9\0\x07" + bytes(28), b"\x81\xc8\xff\xff" + bytes(60)):
        one.heard(data, NOW_NS)
    assert one.round_trips_us == []


def test_who_only_listens_sends_receiver_reports_and_who_has_nothing_to_tell_nothing() -> None:
    silent = Reporting(lambda data: None, lambda: None, list, 0)
    assert silent.report(NOW_NS, "a") == b""
    listening = Reporting(lambda data: None, lambda: None, lambda: [Heard(7, 5, 0, 5, 0)], 0)
    report: RtcpPacket = parse_rtcp(listening.report(NOW_NS, "a"))[0]
    assert (report.packet_type, report.reports[0].ssrc) == (201, 7)


def test_reports_come_about_every_five_seconds_until_the_call_ends() -> None:
    reporter, sent = Reporter(seed=1), []
    now_us = 0
    reporting = reporter.begin(0, lambda data: sent.append(now_us), lambda: Sent(1, 0, 1, 1), list)
    for now_us in range(0, 600_000_000, 100_000):
        reporter.turn(now_us)
    gaps_s = [(b - a) / 1e6 for a, b in pairwise(sent)]
    assert sent[0] <= 3_800_000
    assert min(gaps_s) >= 2.5
    assert max(gaps_s) <= 7.6
    assert sum(gaps_s) / len(gaps_s) == pytest.approx(5, rel=0.1)
    reporting.live = False
    before = len(sent)
    reporter.turn(now_us + 60_000_000)
    assert len(sent) == before
