from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.dumps.rtt import RttDump, read_rtt
from sipreplay.dumps.stat_reader import read_stat
from sipreplay.report.series import (
    Samples,
    distribution_of,
    distribution_of_histogram,
    percentiles_over_time,
    samples_of,
    statistics_of,
)
from sipreplay.stats.histogram import Histogram


def test_percentiles_are_the_ones_of_the_samples(data: Path) -> None:
    [samples] = samples_of(read_rtt(data / "sipp361_rtt.csv"), "x")
    found = distribution_of(samples)
    ranked = sorted(samples.milliseconds)
    assert found.count == len(ranked) == 395
    assert found.percentile(50) == ranked[197]
    assert found.percentile(100) == ranked[-1]


def test_each_response_time_name_is_a_series() -> None:
    dump = RttDump(Path("x"), [1.0, 2.0, 3.0], [10.0, 20.0, 30.0], ["1", "ring", "1"], False, [])
    assert [(s.label, list(s.milliseconds)) for s in samples_of(dump, "uac")] == [
        ("uac 1", [10.0, 30.0]),
        ("uac ring", [20.0]),
    ]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=300), st.sampled_from([50, 90, 95, 99, 100]))
def test_a_histogram_and_its_distribution_agree(values: list[int], percent: int) -> None:
    histogram = Histogram()
    histogram.record_all(values)
    shown = distribution_of_histogram("x", histogram).percentile(percent)
    assert shown == pytest.approx(histogram.percentile(percent) / 1000)


def test_rows_without_a_period_carry_no_rate(data: Path) -> None:
    statistics = statistics_of(read_stat(data / "sipp361_stat.csv"), "x")
    periods = statistics.periods()
    assert not periods[0]
    assert not periods[-1]
    assert periods[1:-1].all()
    assert statistics.last("TotalCallCreated") == 396
    assert statistics.last("FailedCall(C)") == 13
    assert statistics.response_names() == ["1"]
    assert sum(statistics.bins[0].counts) == 395


def test_slices_of_time_hold_their_own_percentiles() -> None:
    seconds = np.concatenate([np.linspace(0, 1, 100), np.linspace(9, 10, 100)])
    values = np.concatenate([np.full(100, 5.0), np.full(100, 50.0)])
    middles, [medians] = percentiles_over_time(Samples("x", seconds, values), (50,))
    assert sorted(set(medians)) == [5.0, 50.0]
    assert list(medians) == sorted(medians)
    assert middles[0] < 2
    assert middles[-1] > 8


def test_few_samples_make_no_line() -> None:
    middles, _ = percentiles_over_time(Samples("x", np.array([1.0]), np.array([2.0])), (50,))
    assert not len(middles)
