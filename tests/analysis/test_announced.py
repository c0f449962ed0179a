"""What SDP announced, and from where on."""

from __future__ import annotations

import pytest

from sipreplay.analysis.announced import MAX_CHANGES, Announcements, CodecTables

A, B = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
OPUS, AMR, EVENT = {96: ("opus", 48000)}, {96: ("AMR", 8000)}, {101: ("telephone-event", 8000)}


@pytest.fixture
def tables():
    return CodecTables()


@pytest.fixture
def announced(tables):
    return Announcements(tables)


def test_static_types_need_no_announcement(tables):
    assert (tables.name(0, 0), tables.clock[0, 0], tables.name(0, 96), tables.clock[0, 96]) == ("PCMU", 8000, "", 0)


def test_equal_sets_have_one_number(tables):
    assert tables.number(OPUS) == tables.number(dict(OPUS)) != tables.number(AMR)
    many = [tables.number({96: ("opus", rate)}) for rate in range(8000, 8050)]
    assert len(set(many)) == 50
    assert [int(tables.clock[number, 96]) for number in many] == list(range(8000, 8050))


def test_events_have_no_clock(tables):
    number = tables.number({**OPUS, **EVENT})
    assert (tables.clock[number, 96], tables.clock[number, 101]) == (48000, 0)
    assert tables.event[number].nonzero()[0].tolist() == [101]


def names(tables, announced, kind=96):
    return [(place, tables.name(number, kind)) for place, number in announced.of_stream(A, B)]


def test_the_receiver_decides_the_sender_fills_in(tables, announced):
    assert announced.of_stream(A, B) == ()
    announced.announce((0, 1), *A, {**AMR, **EVENT}, "c")
    assert names(tables, announced) == [((0, 1), "AMR")]
    announced.announce((0, 5), *B, OPUS, "c")
    assert names(tables, announced) == [((0, 1), "AMR"), ((0, 5), "opus")]
    assert names(tables, announced, 101)[-1][1] == "telephone-event"


def test_saying_the_same_again_is_no_news(announced):
    announced.announce((0, 1), *A, OPUS, "c")
    announced.changed.clear()
    announced.announce((0, 9), *A, dict(OPUS), "c")
    assert announced.changed == set()
    announced.announce((0, 10), *A, AMR, "c")
    assert announced.changed == {A}


def test_a_call_that_takes_an_address_over(announced):
    announced.announce((0, 10), *A, OPUS, "one")
    assert not announced.new_call_between(A, (0, 5), (0, 15)), "the first call takes nothing over"
    announced.announce((0, 20), *A, OPUS, "two")
    assert announced.new_call_between(A, (0, 15), (0, 25))
    assert not announced.new_call_between(A, (0, 21), (0, 25))
    assert not announced.new_call_between(B, (0, 15), (0, 25))


def test_changes_at_one_address_are_bounded(announced):
    for place in range(2 * MAX_CHANGES):
        announced.announce((0, place), *A, OPUS if place % 2 else AMR, f"call {place}")
    assert len(announced.of_stream(B, A)) == MAX_CHANGES
