"""Columns of many streams at once against one stream at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.rtp import filters
from sipreplay.rtp.filters import last_before, running_mean, segment_farthest, segment_max, smoothed

SEGMENTS = st.lists(st.lists(st.floats(-1000, 1000), min_size=1, max_size=70), min_size=1, max_size=6)


def sorted_columns(segments):
    """(rows, values): row numbers leave gaps, as streams do that have no packet in a batch."""
    rows = np.concatenate([np.full(len(values), 3 * number) for number, values in enumerate(segments)])
    return rows, np.array([value for values in segments for value in values])


@settings(deadline=None)
@given(SEGMENTS, st.floats(0, 100))
def test_smoothing(segments, before):
    rows, values = sorted_columns(segments)
    carried = np.full(100, before)
    expected = []
    for part in segments:
        current = before
        for value in part:
            current += (value - current) / 16
            expected.append(current)
    assert smoothed(carried, rows, values) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (carried == before).all()


@settings(deadline=None)
@given(SEGMENTS, st.floats(0, 100))
def test_smoothing_of_few_streams_and_of_many_is_the_same(segments, before):
    rows, values = sorted_columns(segments)
    carried = np.full(100, before)
    found = []
    for most in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(filters, "_ROUND", most)
            found.append(smoothed(carried, rows, values).tolist())
    assert found[0] == found[1]


@given(SEGMENTS)
def test_largest_and_farthest(segments):
    rows, values = sorted_columns(segments)
    highest, farthest = np.zeros(100), np.zeros(100)
    segment_max(highest, rows, values)
    segment_farthest(farthest, rows, values)
    for number, part in enumerate(segments):
        assert highest[3 * number] == max(0.0, *part)
        assert abs(farthest[3 * number]) == max(abs(value) for value in part)
    assert highest[1::3].max() == 0


@given(SEGMENTS, st.randoms(), st.integers(1, 30))
def test_means_with_gaps_in_several_batches(segments, random, size):
    mean, counted = np.zeros(100), np.zeros(100, np.int64)
    expected, packets = {}, []
    for number, part in enumerate(segments):
        n, current = 0, 0.0
        for value in part:
            n += random.choice([1, 1, 1, 1, 2, 7])
            current = (current * (n - 1) + value) / n
            packets.append((3 * number, value, n))
        expected[3 * number] = current
    for at in range(0, len(packets), size):
        rows, values, count = (np.array(column) for column in zip(*packets[at : at + size], strict=True))
        running_mean(mean, counted, rows, values, count)
    for row, value in expected.items():
        assert mean[row] == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=10), min_size=1, max_size=5), st.booleans())
def test_the_last_one_before(segments, inclusive):
    mask = np.array([flag for part in segments for flag in part])
    lengths = [len(part) for part in segments]
    starts = np.cumsum([0, *lengths[:-1]])
    segment = np.repeat(np.arange(len(segments)), lengths)
    got = last_before(mask, starts, segment, inclusive=inclusive).tolist()
    for index in range(len(mask)):
        begin = int(starts[segment[index]])
        before = [place for place in range(begin, index + inclusive) if mask[place]]
        assert got[index] == (before[-1] if before else -1)
