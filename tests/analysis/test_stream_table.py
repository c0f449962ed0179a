"""Ids of keys, however they collide."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.stream_table import StreamTable

KEY = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


def columns(keys):
    return np.array([high for high, _ in keys], np.uint64), np.array([low for _, low in keys], np.uint64)


@given(st.lists(st.lists(KEY | st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), max_size=6))
def test_equal_keys_have_equal_ids_others_do_not(batches):
    table, known = StreamTable(), {}

    def create(high, low, index):
        assert (high, low) == batch[index]
        assert (high, low) not in known
        known[(high, low)] = len(known)
        return known[(high, low)]

    for batch in batches:
        if batch:
            assert table.ids(*columns(batch), create).tolist() == [known[key] for key in batch]


def test_ids_are_given_in_order_of_appearance():
    created = []

    def create(high, low, index):
        created.append((high, index))
        return len(created) - 1

    assert StreamTable().ids(*columns([(9, 1), (2, 1), (9, 1), (5, 1)]), create).tolist() == [0, 1, 0, 2]
    assert created == [(9, 0), (2, 1), (5, 3)]


def test_many_keys():
    table = StreamTable()
    rng = np.random.default_rng(3)
    high, low = rng.integers(0, 2**63, 30000).astype(np.uint64), rng.integers(0, 2**63, 30000).astype(np.uint64)
    count = iter(range(10**6))
    ids = table.ids(high, low, lambda *_: next(count))
    assert sorted(ids.tolist()) == list(range(30000))
    again = table.ids(high[::-1], low[::-1], lambda *_: -5)
    assert again.tolist() == ids[::-1].tolist()


def test_keys_that_are_not_followed_and_keys_that_move():
    table = StreamTable()
    keys = [(1, 1), (2, 2)]
    assert table.ids(*columns(keys), lambda high, low, index: -1).tolist() == [-1, -1]
    assert table.ids(*columns(keys), lambda high, low, index: int(high)).tolist() == [1, 2]
    table.set((1, 1), 9)
    assert table.ids(*columns(keys), lambda *_: 7).tolist() == [9, 2]


def test_a_key_forgotten_while_others_are_created_is_new_again():
    table, numbers = StreamTable(), iter(range(100))

    def create(high, low, index):
        number = next(numbers)
        if high == 2:
            table.forget((1, 1), 0)
        return number

    assert table.ids(*columns([(1, 1), (2, 2), (3, 3)]), create).tolist() == [0, 1, 2]
    assert table.ids(*columns([(3, 3), (2, 2), (1, 1)]), create).tolist() == [2, 1, 3]
