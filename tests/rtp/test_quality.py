"""The columns against a plain, one-packet-at-a-time reading of the same rules."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.rtp.quality import QualityState, mos


@dataclass
class Reference:
    """Wireshark's rules for one stream, packet by packet."""

    packets: int = 0
    start: int = 0
    stop: int = 0
    cycles: int = 0
    under: bool = False
    first_timestamp: int = 0
    first_ns: int = 0
    time: float = 0.0
    nominal: float = 0.0
    noise: bool = False
    jitter: float = 0.0
    mean_delta: float = 0.0
    max_delta: float = 0.0
    mean_jitter: float = 0.0
    max_jitter: float = 0.0
    max_skew: float = 0.0
    extended: int = 0
    highest: int = 0
    seen: set[int] = field(default_factory=set)
    duplicates: int = 0
    reordered: int = 0

    def packet(self, sequence, timestamp, ns, marker, payload_type, clock):
        noise = payload_type in (13, 19)
        if self.packets == 0:
            self.start = self.stop = sequence
            self.first_timestamp, self.first_ns = timestamp, ns
            self.packets, self.noise, self.seen = 1, noise, {0}
            return
        self.order(sequence)
        now = (ns - self.first_ns) / 1e6
        ticks = (timestamp - self.first_timestamp) % 2**32
        in_time = ticks < 2**31
        if not self.under and in_time and (sequence < self.start or (sequence == 0 and self.stop == 65535)):
            self.cycles += 1
            self.under = True
        elif self.under and in_time and sequence > self.start:
            self.under = False
        delta = now - self.time
        difference = 0.0
        if in_time and clock:
            nominal = ticks * 1000 / clock
            difference = abs(delta - (nominal - self.nominal))
            self.jitter = (15 * self.jitter + difference) / 16
            self.nominal = nominal
            skew = nominal - now
            if abs(skew) > abs(self.max_skew):
                self.max_skew = skew
        if in_time and not marker and not noise and not self.noise:
            self.max_delta = max(self.max_delta, delta)
            self.mean_delta = (self.mean_delta * (self.packets - 1) + delta) / self.packets
            if clock:
                self.max_jitter = max(self.max_jitter, self.jitter)
                self.mean_jitter = (self.mean_jitter * (self.packets - 1) + self.jitter) / self.packets
        if in_time:
            self.time = now
        self.noise, self.stop = noise, sequence
        self.packets += 1

    def order(self, sequence):
        step = (sequence - self.stop + 32768) % 65536 - 32768
        if step < -1024:
            step += 65536
        self.extended += step
        if self.extended > self.highest:
            self.highest = self.extended
        elif self.extended in self.seen:
            self.duplicates += 1
        else:
            self.reordered += 1
        self.seen.add(self.extended)

    @property
    def lost(self):
        return self.stop + 65536 * self.cycles - self.start + 1 - self.packets


def feed(state, packets, size):
    """`packets`: (stream, sequence, timestamp, ns, marker, payload type, clock), in batches of `size`."""
    for at in range(0, len(packets), size):
        columns = [np.array(column) for column in zip(*packets[at : at + size], strict=True)]
        state.update(*columns)


def agree(state, row, expected):
    got = state.result(row)
    assert (got.packets, got.lost) == (expected.packets, expected.lost)
    for name in ("mean_delta", "max_delta", "mean_jitter", "max_jitter", "max_skew"):
        assert getattr(got, name + "_ms") == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-6), name


@st.composite
def traffic(draw):
    """Several streams with loss, late and repeated packets, noise, events, wraps and restarts, mixed."""
    packets = []
    now = 10**18
    streams = draw(st.integers(1, 4))
    sequence = [draw(st.sampled_from([0, 5, 65530, 65535, 30000])) for _ in range(streams)]
    timestamp = [draw(st.sampled_from([0, 1000, 2**31 - 100, 2**32 - 500])) for _ in range(streams)]
    for _ in range(draw(st.integers(1, 120))):
        stream = draw(st.integers(0, streams - 1))
        step = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 5, 0, -1, -3]))
        sequence[stream] = (sequence[stream] + step) % 65536
        timestamp[stream] = (timestamp[stream] + 160 * step) % 2**32
        now += draw(st.integers(0, 40_000_000))
        payload_type, clock = draw(st.sampled_from([(0, 8000)] * 6 + [(13, 8000), (101, 0), (96, 48000)]))
        marker = draw(st.integers(0, 9)) == 0
        packets.append((stream, sequence[stream], timestamp[stream], now, marker, payload_type, clock))
    return streams, packets


@settings(max_examples=120, deadline=None)
@given(traffic(), st.integers(1, 130))
def test_columns_agree_with_the_rules_packet_by_packet(drawn, size):
    streams, packets = drawn
    state = QualityState(streams)
    feed(state, packets, size)
    for row in range(streams):
        expected = Reference()
        for stream, *rest in packets:
            if stream == row:
                expected.packet(*rest)
        if expected.packets:
            agree(state, row, expected)
            got = state.result(row)
            assert (got.duplicates, got.reordered) == (expected.duplicates, expected.reordered)


def test_a_long_stream_in_one_batch_and_in_many():
    rng = np.random.default_rng(7)
    ns = 20_000_000 * np.arange(5000) + rng.integers(0, 5_000_000, 5000)
    packets = [(0, (60000 + i) % 65536, i * 160, int(ns[i]), i % 500 == 0, 0, 8000) for i in range(5000)]
    expected = Reference()
    for packet in packets:
        expected.packet(*packet[1:])
    for size in (1, 7, 64, 5000):
        state = QualityState(1)
        feed(state, packets, size)
        agree(state, 0, expected)
        assert state.result(0).lost == 0


def test_lost_duplicated_and_late_packets_are_told_apart():
    state = QualityState(1)
    order = [0, 1, 2, 4, 3, 5, 5, 8, 9]
    feed(state, [(0, 100 + n, 160 * n, 20_000_000 * i, False, 0, 8000) for i, n in enumerate(order)], 4)
    got = state.result(0)
    assert (got.packets, got.duplicates, got.reordered, got.lost) == (9, 1, 1, 1)


def test_a_sender_that_starts_over_is_not_late_for_ever():
    state = QualityState(1)
    order = list(range(50000, 50010)) + list(range(10, 60))
    feed(state, [(0, n, 160 * i, 20_000_000 * i, False, 0, 8000) for i, n in enumerate(order)], 8)
    assert state.result(0).reordered == 0


def test_rows_can_be_used_again():
    state = QualityState(1)
    packets = [(0, 65530 + i, 160 * i, 20_000_000 * i + (i % 3) * 10**6, False, 0, 8000) for i in range(6)]
    feed(state, packets, 3)
    before = state.result(0)
    state.reset(0)
    assert state.result(0).packets == 0
    feed(state, packets, 2)
    assert state.result(0) == before


def test_growing_keeps_what_was_counted():
    state = QualityState(1)
    feed(state, [(0, i, 160 * i, 20_000_000 * i, False, 0, 8000) for i in range(4)], 4)
    state.grow(1000)
    feed(state, [(999, 1, 1, 1, False, 0, 8000)], 1)
    assert (state.result(0).packets, state.result(999).packets, state.result(500).packets) == (4, 1, 0)


def test_an_empty_batch_changes_nothing():
    state = QualityState(2)
    state.update(*[np.zeros(0, np.int64)] * 7)
    assert state.packets.tolist() == [0, 0]


def test_mos_falls_with_loss_and_is_unknown_for_codecs_without_a_figure():
    clean = mos("PCMU", 0.0)
    assert clean == pytest.approx(4.41, abs=0.01)
    assert mos("pcma", 0.05) < clean
    assert mos("PCMU", 0.05, burst=3.0) < mos("PCMU", 0.05)
    assert mos("G729", 0.0) < clean
    assert mos("PCMU", 1.0) >= 1.0
    assert mos("opus", 0.0) is None
