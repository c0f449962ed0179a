"""Totals of media processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipreplay.errors import TransportError
from sipreplay.media.process import MediaProcess
from sipreplay.media.results import CallMedia, MediaSummary, QualityLimits


def record(call: int, *, received: int = 100, lost: int = 0, jitter_ms: float = 1.0) -> CallMedia:
    return CallMedia(
        0, call, 10000, 100, 17200, received, received * 172, lost, 0, 0, True, jitter_ms, 2.0, 4.3, (0, 101), (7,)
    )


def test_the_worst_call_is_the_one_with_most_loss_then_most_jitter() -> None:
    summary = MediaSummary()
    for one in (record(1, jitter_ms=9), record(2, lost=5), record(3, lost=5, jitter_ms=3), record(4, received=0)):
        summary.count_port(one, QualityLimits())
    assert summary.worst is not None
    assert summary.worst.call_number == 3
    assert (summary.received_packets, summary.lost) == (300, 10)
    assert summary.loss == pytest.approx(10 / 310)
    assert summary.jitter_us.count == 3, "a port that heard nothing has no jitter"
    assert summary.payload_types == {0: 3, 101: 3}


def test_calls_are_one_way_silent_or_heard() -> None:
    summary = MediaSummary()
    for sent, received, known in ((5, 5, True), (5, 0, True), (0, 0, True), (0, 5, True), (5, 0, False)):
        summary.count_call(sent, received, known=known)
    assert (summary.calls, summary.calls_sending, summary.calls_receiving) == (5, 3, 2)
    assert (summary.one_way_calls, summary.silent_calls) == (1, 1)


def test_summaries_of_two_processes_merge_and_survive_json() -> None:
    one, other = MediaSummary(scheduling="fifo", receive_buffer=4096), MediaSummary(scheduling="nice")
    one.count_port(record(1), QualityLimits())
    one.sent_packets, one.streams = 10, 1
    one.lateness_us.record(100, 10)
    other.count_port(record(2, lost=1), QualityLimits())
    other.sent_packets, other.streams, other.receive_buffer = 20, 2, 2048
    other.lateness_us.record(900, 20)
    total = MediaSummary.from_dict(json.loads(json.dumps(one.to_dict())))
    total.merge(MediaSummary.from_dict(json.loads(json.dumps(other.to_dict()))))
    assert (total.sent_packets, total.streams, total.received_packets) == (30, 3, 200)
    assert (total.scheduling, total.receive_buffer) == ("nice", 2048)
    assert (total.lateness_us.count, total.lateness_us.maximum) == (30, 900)
    assert total.payload_types == {0: 2, 101: 2}
    assert total.worst == record(2, lost=1)


def test_a_record_is_a_row_of_its_fields() -> None:
    cells = dict(zip(CallMedia.__slots__, record(9).row(), strict=True))
    assert (cells["call_number"], cells["mean_jitter_ms"], cells["payload_types"]) == ("9", "1.000", "0 101")
    assert (cells["ssrcs"], cells["shared"]) == ("0x00000007", "0")


def test_records_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="media records cannot be written"):
        MediaProcess(records=tmp_path / "no" / "records.csv").start()


def test_what_the_captured_media_lacks_is_no_loss_on_the_way() -> None:
    summary = MediaSummary(lost=430, duplicates=2, captured_lost=420, captured_duplicates=5)
    summary.settle_with_captured()
    assert (summary.lost, summary.captured_lost) == (10, 420)
    assert (summary.duplicates, summary.captured_duplicates) == (0, 2), "never below nothing"
