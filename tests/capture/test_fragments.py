"""Fragments that meet, overlap, come twice, are cut, or never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture.fragments import (
    COPY_WINDOW_NS,
    MAX_DATAGRAMS,
    MAX_WAITING_BYTES,
    Fragment,
    Fragments,
    Whole,
)

KEY = (b"\1\1\1\1", b"\2\2\2\2", 17, 5)


def part(offset, data, more=True, version=4, size=0, key=KEY):
    return Fragment(key, version, offset, data, size or len(data), more)


@given(st.binary(min_size=1, max_size=300), st.integers(8, 64), st.randoms())
def test_any_order_and_copies_make_the_datagram_once(payload, size, order):
    parts = [part(at, payload[at : at + size], at + size < len(payload)) for at in range(0, len(payload), size)]
    order.shuffle(parts)
    fragments = Fragments()
    found = [whole for each in [*parts[:1], *parts, *parts] if (whole := fragments.add(each, 0))]
    assert found == [Whole(payload, False)]
    assert (fragments.finished, fragments.copies, fragments.overlapping) == (1, 1 + len(parts), 0)
    assert fragments.held == 0


def test_an_identification_used_again_after_a_while_is_no_copy():
    fragments = Fragments()
    for now in (0, COPY_WINDOW_NS + 1):
        assert fragments.add(part(0, b"a" * 8), now) is None
        assert fragments.add(part(8, b"b", False), now) == Whole(b"a" * 8 + b"b", False)


def test_of_overlapping_ipv4_fragments_the_bytes_that_came_first_stand():
    fragments = Fragments()
    fragments.add(part(8, b"B" * 16), 0, 4)
    fragments.add(part(0, b"A" * 16), 0, 5)
    whole = fragments.add(part(16, b"C" * 16, False), 0, 6)
    assert whole == Whole(b"A" * 8 + b"B" * 16 + b"C" * 8, False)
    assert (fragments.overlapping, fragments.first_overlapping, fragments.finished) == (2, 5, 1)


def test_an_ipv6_datagram_with_overlapping_fragments_is_dropped():
    fragments = Fragments()
    fragments.add(part(0, b"A" * 16, version=6), 0)
    assert fragments.add(part(8, b"B" * 16, version=6), 0) is None
    assert fragments.add(part(16, b"C" * 8, False, version=6), 0) is None
    fragments.finish()
    assert (fragments.overlapping, fragments.finished, fragments.abandoned, fragments.held) == (1, 0, 0, 0)


def test_a_datagram_that_the_capture_cut_is_used_as_far_as_it_goes():
    fragments = Fragments()
    fragments.add(part(0, b"A" * 8), 0)
    fragments.add(part(16, b"C" * 8, False), 0)
    assert fragments.add(part(8, b"B" * 3, size=8), 0) == Whole(b"A" * 8 + b"B" * 3, True)


def test_a_hundred_thousand_fragments_that_never_meet_stay_under_the_cap():
    fragments = Fragments()
    most = 0
    for number in range(100_000):
        data = number.to_bytes(4, "big") * 250
        fragments.add(part(0, data, key=(KEY[0], number.to_bytes(4, "big"), 17, 7)), number, number + 1)
        most = max(most, fragments.held)
    assert most <= MAX_DATAGRAMS * 1000 <= MAX_WAITING_BYTES
    large = bytes(60_000)
    for number in range(1000):
        fragments.add(part(0, large, key=(KEY[1], number.to_bytes(4, "big"), 17, 7)), number)
        most = max(most, fragments.held)
    assert most <= MAX_WAITING_BYTES + len(large)
    fragments.finish()
    assert (fragments.abandoned, fragments.first_abandoned, fragments.held) == (101_000, 1, 0)


def test_the_number_of_unfinished_datagrams_is_bounded():
    fragments = Fragments()
    for number in range(MAX_DATAGRAMS + 10):
        fragments.add(part(0, b"x" * 8, key=(KEY[0], KEY[1], 17, number)), 0)
    assert fragments.abandoned == 10


def test_many_small_fragments_of_one_datagram_are_bounded():
    fragments = Fragments()
    for number in range(2000):
        fragments.add(part(8 + 8 * number, b"x" * 8), 0)
    assert fragments.damaged == 2000 - 512
