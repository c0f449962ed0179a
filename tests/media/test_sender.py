"""The timing wheel, on a clock of the test's own: which packet leaves when, with which bytes, to whom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import SSRC, rtp

from sipreplay.media.impairer import Impairer
from sipreplay.media.impairment import Impairment
from sipreplay.media.lanes import Address
from sipreplay.media.sender import Sender
from sipreplay.media.sources import Datagram, Flow, build_source
from sipreplay.rtp.packet import parse_rtp

PEER: Address = ("127.0.0.1", 9)
ORIGIN_US = 5_000_000


class Bench:
    """A sender, its clock, and what it sent: (time, bytes, address)."""

    def __init__(self) -> None:
        self.now_us = ORIGIN_US
        self.sent: list[tuple[int, bytes, Any]] = []
        self.refuse: set[int] = set()
        self.sender = Sender(lambda: self.now_us)

    def send(self, view: memoryview, address: Any) -> int:
        if len(self.sent) in self.refuse:
            self.refuse.discard(len(self.sent))
            raise OSError(1, "refused")
        self.sent.append((self.now_us, bytes(view), address))
        return len(view)

    def start(self, flow: Flow, address: Address = PEER, rewrite: tuple[int, int, int] = (0, 0, 0)) -> int:
        self.sender.add(flow)
        stream = self.sender.start(flow, self.send, address, self.now_us, rewrite)
        self.sender.begin()
        return stream

    def run(self, until_ms: float) -> None:
        """Let the clock go on to that time after the origin, a millisecond at a time."""
        while self.now_us < ORIGIN_US + until_ms * 1000:
            self.sender.run(self.now_us)
            self.now_us += 1000
        self.sender.run(self.now_us)


def g711(packets: int, interval_us: int = 20_000) -> Flow:
    return build_source("x", "audio", [Datagram(n * interval_us, 10, rtp(n)) for n in range(packets)]).flows[0]


def test_packets_leave_on_the_captured_clock_with_their_own_bytes() -> None:
    bench = Bench()
    offsets = [0, 20_000, 20_000, 35_400, 70_600, 1_000_000]
    flow = build_source("x", "audio", [Datagram(t, 10, rtp(n)) for n, t in enumerate(offsets)]).flows[0]
    bench.start(flow)
    bench.run(1100)
    assert [data for _, data, _ in bench.sent] == [rtp(n) for n in range(6)]
    assert [(t - ORIGIN_US) // 1000 for t, _, _ in bench.sent] == [0, 20, 20, 35, 71, 1000]
    bench.sender.collect()
    assert (bench.sender.tally.packets, bench.sender.totals.active) == (6, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60), st.integers(1, 45)), min_size=1, max_size=12),
)
def test_many_streams_each_keep_their_own_time(streams: list[tuple[int, int, int]]) -> None:
    """Whatever starts when, every packet leaves once, in order, in the millisecond that is nearest to its due time."""
    bench = Bench()
    expected = []
    for number, (start_ms, packets, interval_ms) in enumerate(sorted(streams)):
        bench.run(start_ms)
        begun = bench.now_us
        bench.start(g711(packets, interval_ms * 1000), ("127.0.0.1", number))
        expected += [(begun + n * interval_ms * 1000, rtp(n), ("127.0.0.1", number)) for n in range(packets)]
    bench.run(200 + 60 * 45 + 50)
    arrived = sorted(bench.sent, key=lambda one: (one[2], one[0], one[1]))
    wanted = sorted(expected, key=lambda one: (one[2], one[0], one[1]))
    assert [(d, a) for _, d, a in arrived] == [(d, a) for _, d, a in wanted]
    # A stream's first packet may miss the tick that is running.
    assert all(-500 <= t - due <= 1000 for (t, _, _), (due, _, _) in zip(arrived, wanted, strict=True))


def test_streams_of_one_source_are_told_apart() -> None:
    bench = Bench()
    flow = g711(3)
    bench.start(flow, ("127.0.0.1", 1), (10, 0xFFFFFFFF, 0xABCD0000))
    bench.start(flow, ("127.0.0.1", 2))
    bench.run(100)
    one = [parse_rtp(d) for _, d, a in bench.sent if a[1] == 1]
    two = [parse_rtp(d) for _, d, a in bench.sent if a[1] == 2]
    assert [p.sequence for p in one] == [1010, 1011, 1012]
    assert [p.timestamp for p in one] == [4999, 5159, 5319]
    assert {p.ssrc for p in one} == {SSRC ^ 0xABCD0000}
    assert [p.payload for p in one] == [p.payload for p in two]
    assert [p.sequence for p in two] == [1000, 1001, 1002]


def test_sequence_and_timestamp_wrap() -> None:
    bench = Bench()
    bench.start(g711(2), PEER, (0xFFFF - 1000, 0xFFFFFFFF - 5000, 0))
    bench.run(50)
    first, second = (parse_rtp(d) for _, d, _ in bench.sent)
    assert (first.sequence, second.sequence) == (0xFFFF, 0)
    assert (first.timestamp, second.timestamp) == (0xFFFFFFFF, 159)


def test_what_is_not_rtp_is_never_changed() -> None:
    bench = Bench()
    bodies = [b"\x00\x01hello, not media", b"x", rtp(0)]
    flow = build_source("x", "audio", [Datagram(n, 10, body) for n, body in enumerate(bodies)]).flows[0]
    bench.start(flow, PEER, (7, 7, 7))
    bench.run(10)
    assert [d for _, d, _ in bench.sent][:2] == bodies[:2]
    assert bench.sent[2][1] != bodies[2]


def test_stop_ends_in_the_same_millisecond() -> None:
    bench = Bench()
    flow = build_source("x", "audio", [Datagram(n * 1000, 10, rtp(n)) for n in range(100)]).flows[0]
    stream = bench.start(flow)
    bench.run(30)
    before = len(bench.sent)
    bench.sender.stop(stream)
    bench.run(200)
    assert len(bench.sent) == before == 31
    bench.sender.collect()
    assert (bench.sender.tally.sent[stream], bench.sender.tally.packets, bench.sender.totals.active) == (31, 31, 0)


def test_retarget_takes_effect_at_once_and_keeps_the_clock() -> None:
    bench = Bench()
    stream = bench.start(g711(10))
    bench.run(50)
    bench.sender.retarget(stream, ("127.0.0.2", 7))
    bench.run(250)
    assert [a for _, _, a in bench.sent] == [PEER] * 3 + [("127.0.0.2", 7)] * 7
    assert [(t - ORIGIN_US) // 1000 for t, _, _ in bench.sent] == list(range(0, 200, 20))


def test_hold_sends_nothing_and_resume_goes_on_in_time() -> None:
    bench = Bench()
    stream = bench.start(g711(20))
    bench.run(45)
    bench.sender.mute(stream, True)
    bench.run(205)
    assert len(bench.sent) == 3
    bench.sender.mute(stream, False)
    bench.run(500)
    late = [(t - ORIGIN_US) // 1000 for t, _, _ in bench.sent[3:]]
    assert late[-1] == 380
    packets = [parse_rtp(d) for _, d, _ in bench.sent]
    # The clock went on, and nothing is missing: silence is no loss to whoever receives it.
    assert [p.sequence - packets[0].sequence for p in packets] == list(range(len(packets)))
    assert [(p.timestamp - packets[0].timestamp) // 8 for p in packets[3:]] == late


def test_a_refused_packet_is_counted_and_the_next_ones_leave() -> None:
    bench = Bench()
    bench.refuse = {1}
    streams = [bench.start(g711(1), ("127.0.0.1", n)) for n in range(3)]
    bench.run(10)
    bench.sender.collect()
    assert len(bench.sent) == 2
    assert (bench.sender.totals.errors, bench.sender.tally.packets) == (1, 2)
    assert [int(bench.sender.tally.sent[s]) for s in streams] == [1, 0, 1]


def test_bursts_of_a_video_frame_leave_together_in_order() -> None:
    bench = Bench()
    sizes = [1200, 1200, 700, 40]
    packets = [Datagram(f * 33_000 + k, 10, rtp(f * 4 + k, size=sizes[k])) for f in range(5) for k in range(4)]
    bench.start(build_source("x", "video", packets).flows[0])
    bench.run(200)
    assert [d for _, d, _ in bench.sent] == [p.payload for p in packets]
    assert [(t - ORIGIN_US) // 1000 for t, _, _ in bench.sent] == [t for t in range(0, 165, 33) for _ in range(4)]


def test_lateness_is_measured_against_the_due_time() -> None:
    bench = Bench()
    bench.start(g711(100))
    bench.run(500)
    bench.now_us += 300_000
    bench.run(2100)
    bench.sender.collect()
    late = bench.sender.tally.lateness()
    assert late.count == 100
    assert late.percentile(50) < 1000
    assert 250_000 <= late.maximum <= 300_000


def test_idle_time_costs_nothing_and_streams_start_after_it() -> None:
    bench = Bench()
    bench.sender.run(bench.now_us)
    bench.now_us += 3_600_000_000
    assert bench.sender.next_us(bench.now_us + 100_000) == bench.now_us + 100_000
    bench.sender.run(bench.now_us)
    begun = bench.now_us
    bench.start(g711(2))
    while len(bench.sent) < 2:
        bench.now_us = bench.sender.next_us(bench.now_us + 5_000)
        bench.sender.run(bench.now_us)
    assert [t - begun for t, _, _ in bench.sent] == pytest.approx([0, 20_000], abs=1001)


def test_numbers_of_ended_streams_are_used_again() -> None:
    bench = Bench()
    flow = g711(1)
    for _ in range(3):
        numbers = [bench.start(flow) for _ in range(300)]
        bench.run((bench.now_us - ORIGIN_US) / 1000 + 50)
        bench.sender.collect()
        for number in numbers:
            assert bench.sender.tally.sent[number] == 1
            bench.sender.stop(number)
            bench.sender.free(number)
    assert max(numbers) < 512
    assert len(bench.sent) == 900


def test_planted_loss_leaves_gaps_and_planted_jitter_does_not_outlive_its_call() -> None:
    bench = Bench()
    bench.sender.impairer = Impairer(Impairment(loss=0.2, jitter_ms=30, distribution="uniform"))
    stream = bench.start(g711(100))
    kept = bench.start(g711(100), ("127.0.0.2", 7))
    bench.run(1000)
    bench.sender.stop(stream)
    before = len([1 for _, _, address in bench.sent if address == PEER])
    bench.run(3000)
    assert len([1 for _, _, address in bench.sent if address == PEER]) == before
    bench.sender.collect()
    numbers = [parse_rtp(d).sequence - 1000 for _, d, address in bench.sent if address != PEER]
    assert len(numbers) == len(set(numbers)) == int(bench.sender.tally.sent[kept]) < 95
    assert numbers != sorted(numbers)
    for when, data, _ in bench.sent:
        packet = parse_rtp(data)
        assert packet.timestamp == (packet.sequence - 1000) * 160 + 5000, "rows of late packets are not used again"
        assert 0 <= when - ORIGIN_US - (packet.sequence - 1000) * 20_000 <= 92_000
