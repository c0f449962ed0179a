"""Windows of ten seconds: what each holds, the worst, what a buffer drops, and that memory has a cap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp import windows
from sipreplay.rtp.quality import QualityState
from sipreplay.rtp.windows import WindowBook

PTIME_NS = 20_000_000


class Feed:
    """Streams that go through quality and windows together."""

    def __init__(self, rows: int = 1) -> None:
        self.quality, self.book = QualityState(rows), WindowBook()
        self.book.grow(rows)

    def batch(self, rows: list[int], numbers: list[int], delays_ms: list[float] | None = None) -> None:
        sequence = np.array(numbers, np.int64) & 0xFFFF
        late = np.array(delays_ms or [0.0] * len(numbers))
        arrival = 1_000_000_000_000 + np.array(numbers) * PTIME_NS + (late * 1e6).astype(np.int64)
        kind = np.zeros(len(numbers), np.int64)
        counted = self.quality.update(
            np.array(rows), sequence, np.array(numbers) * 160, arrival, kind, kind, np.full(len(numbers), 8000)
        )
        if counted is not None:
            self.book.add(counted)


def test_ten_seconds_each() -> None:
    feed = Feed()
    feed.batch([0] * 1200, list(range(1200)))
    feed.book.finish()
    found = feed.book.of(0)
    assert found["number"].tolist() == [0, 1, 2]
    assert found["packets"].tolist() == [500, 500, 200]
    assert found["lost"].tolist() == [0, 0, 0]


def test_loss_is_in_its_window_and_makes_it_the_worst() -> None:
    feed = Feed()
    gone = {*range(600, 610), 700, 1100}
    feed.batch([0] * (1500 - len(gone)), [n for n in range(1500) if n not in gone])
    feed.book.finish()
    assert feed.book.of(0)["lost"].tolist() == [0, 11, 1]
    assert feed.book.of(0)["gaps"].tolist() == [0, 2, 1]
    assert int(feed.book.worst_of(0)["number"]) == 1


def test_a_late_packet_is_not_lost() -> None:
    feed = Feed()
    feed.batch([0] * 100, [*range(50), 51, 50, *range(52, 100)])
    feed.book.finish()
    assert feed.book.of(0)["lost"].tolist() == [0]


@given(st.lists(st.integers(1, 1999), max_size=8, unique=True), st.sets(st.integers(1, 1998), max_size=40))
def test_the_same_in_any_batches(cuts: list[int], gone: set[int]) -> None:
    packets = [n for n in range(2000) if n not in gone]
    whole, parts = Feed(), Feed()
    whole.batch([0] * len(packets), packets)
    edges = [0, *sorted(min(cut, len(packets)) for cut in cuts), len(packets)]
    for start, stop in pairwise(edges):
        parts.batch([0] * (stop - start), packets[start:stop])
    whole.book.finish()
    parts.book.finish()
    for name in ("number", "packets", "lost", "gaps", "discarded"):
        assert whole.book.of(0)[name].tolist() == parts.book.of(0)[name].tolist()
    assert int(whole.book.of(0)["lost"].sum()) == len(gone)
    assert whole.book.worst_of(0)["number"] == parts.book.worst_of(0)["number"]


def test_packets_too_late_for_the_buffer_are_dropped() -> None:
    feed = Feed()
    delays = [0.0] * 300
    delays[100], delays[101], delays[150] = 75.0, 61.0, 55.0
    feed.batch([0] * 300, list(range(300)), delays)
    feed.book.finish()
    assert feed.book.of(0)["discarded"].tolist() == [2]
    assert int(feed.book.all_discarded[0]) == 2  # type: ignore[attr-defined]


def test_a_new_time_base_is_no_delay() -> None:
    feed = Feed()
    feed.batch([0] * 300, list(range(300)), [0.0] * 100 + [3000.0] * 200)
    feed.book.finish()
    assert int(feed.book.all_discarded[0]) == 0  # type: ignore[attr-defined]


def test_a_row_that_another_stream_has_now_shows_only_that() -> None:
    feed = Feed()
    feed.batch([0] * 600, list(range(600)))
    feed.quality.reset(0)
    feed.book.reset(np.array([0]))
    feed.batch([0] * 30, list(range(30)))
    feed.book.finish()
    assert feed.book.of(0)["packets"].tolist() == [30]


def test_past_the_cap_the_worst_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MAX_WINDOWS", 2)
    feed = Feed()
    for start in range(0, 4000, 100):
        numbers = [n for n in range(start, start + 100) if n not in (3100, 3200)]
        feed.batch([0] * len(numbers), numbers)
    feed.book.finish()
    assert len(feed.book.of(0)) == 2
    assert feed.book.dropped == 6
    assert int(feed.book.worst_of(0)["number"]) == 6


DELAYS_MS = st.sampled_from([0.0, 5.0, 55.0, 61.0, 75.0, 130.0, 700.0])


@given(st.lists(st.lists(DELAYS_MS, min_size=2), min_size=1, max_size=4))
def test_what_the_buffer_drops_is_what_a_plain_loop_says(streams: list[list[float]]) -> None:
    feed = Feed(len(streams))
    rows = [row for row, delays in enumerate(streams) for _ in delays]
    numbers = [number for delays in streams for number in range(len(delays))]
    feed.batch(rows, numbers, [delay for delays in streams for delay in delays])
    for row, delays in enumerate(streams):
        skews = [delays[0] - delay for delay in delays[1:]]  # the first packet is the origin of media time
        quickest, before, late = skews[0], skews[0], 0
        for skew in skews:
            quickest = skew if abs(skew - before) >= windows.RESYNC_MS else max(quickest, skew)
            late += quickest - skew > windows.BUFFER_MS
            before = skew
        assert int(feed.book.all_discarded[row]) == late  # type: ignore[attr-defined]


def test_the_quickest_packet_counts_over_batches() -> None:
    feed = Feed()
    feed.batch([0] * 50, list(range(50)))
    feed.batch([0] * 50, list(range(50, 100)), [70.0] * 10 + [0.0] * 40)
    assert int(feed.book.all_discarded[0]) == 10  # type: ignore[attr-defined]
