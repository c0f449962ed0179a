import json

from sipreplay.stats.calls import CallStatistics, FailureExample, StepCounters, merged, plain
from sipreplay.stats.histogram import Repartition


def shard(calls: int, failed: int) -> CallStatistics:
    statistics = CallStatistics(outgoing=calls, successful=calls - failed, receive_buffer=1000 * calls)
    for _ in range(failed):
        statistics.fail("TimeoutOnRecv")
    statistics.examples["x"] = FailureExample("TimeoutOnRecv", 2, "200", "nothing", "a@b", failed)
    statistics.steps = [StepCounters(messages=calls)]
    statistics.call_length.record(500, calls)
    statistics.call_length_bins = Repartition([1])
    statistics.call_length_bins.record(0)
    return statistics


def test_shards_add_up() -> None:
    total = merged([shard(10, 1), shard(20, 2)])
    assert (total.created, total.successful, total.failed, total.failures) == (30, 27, 3, {"TimeoutOnRecv": 3})
    assert total.examples["x"].count == 3
    assert total.steps[0].messages == 30
    assert total.call_length.count == 30
    assert total.call_length_bins is not None
    assert total.call_length_bins.counts == [2, 0]
    assert total.receive_buffer == 10_000, "the smallest buffer granted is the one that matters"


def test_merging_leaves_the_parts_alone() -> None:
    part = shard(10, 1)
    merged([part, part])
    assert (part.created, part.examples["x"].count, part.steps[0].messages) == (10, 1, 10)


def test_plain_is_json() -> None:
    assert json.loads(json.dumps(plain(shard(3, 1))))["failures"] == {"TimeoutOnRecv": 1}
