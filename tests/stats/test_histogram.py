from hypothesis import given
from hypothesis import strategies as st

from sipreplay.stats.histogram import Histogram, Repartition, bucket_of, bucket_top

values = st.lists(st.integers(0, 1 << 48), min_size=1, max_size=60)


@given(st.integers(0, 1 << 60))
def test_a_bucket_holds_its_value_within_one_part_in_32(value: int) -> None:
    top = bucket_top(bucket_of(value))
    assert value <= top <= value + value // 32
    assert bucket_of(top + 1) == bucket_of(top) + 1


@given(values, st.floats(0.1, 100))
def test_a_percentile_is_near_the_exact_one(numbers: list[int], percent: float) -> None:
    histogram = Histogram()
    histogram.record_all(numbers)
    exact = sorted(numbers)[max(1, -int(-len(numbers) * percent // 100)) - 1]
    assert exact <= histogram.percentile(percent) <= exact + exact // 32


@given(values, values)
def test_merging_is_recording_both(left: list[int], right: list[int]) -> None:
    one, two, both = Histogram(), Histogram(), Histogram()
    one.record_all(left)
    two.record_all(right)
    both.record_all(left + right)
    one.merge(two)
    assert one.to_dict() == both.to_dict() == Histogram.from_dict(both.to_dict()).to_dict()


def test_an_empty_histogram_is_zero_everywhere() -> None:
    empty = Histogram()
    assert (empty.mean, empty.stdev, empty.percentile(99), empty.count) == (0.0, 0.0, 0, 0)


def test_mean_and_deviation_are_exact() -> None:
    histogram = Histogram()
    histogram.record_all([2, 4, 4, 4, 5, 5, 7, 9])
    assert histogram.mean == 5
    assert abs(histogram.stdev - 2.13809) < 1e-4


def test_bins_are_sipps() -> None:
    bins = Repartition([20, 10])
    for value in (9, 10, 19, 20, 500):
        bins.record(value)
    assert (bins.bounds, bins.counts) == ([10, 20], [1, 2, 2])


def test_repartitions_of_two_scenarios_keep_the_bounds_that_both_have() -> None:
    first, second = Repartition([10, 20, 50]), Repartition([20, 100])
    for value in (5, 15, 25, 60):
        first.record(value)
    for value in (5, 30, 200):
        second.record(value)
    first.merge(second)
    assert (first.bounds, first.counts) == ([20], [3, 4])
    nothing = Repartition([1])
    nothing.merge(Repartition([2]))
    assert (nothing.bounds, nothing.counts) == ([], [0])
