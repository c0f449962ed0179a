"""The collector around an analysis."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from sipreplay.analysis import garbage
from sipreplay.analysis.garbage import without_collection


class Made:
    """Something large."""


@pytest.fixture(autouse=True)
def unfrozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(garbage, "_alive", 0)  # other tests may hold an analysis
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()


def test_objects_are_set_aside_while_what_was_made_lives() -> None:
    during: list[bool] = []
    made = without_collection(lambda: during.append(gc.isenabled()) or Made())
    assert (during, gc.isenabled()) == ([False], True)
    assert gc.get_freeze_count()
    del made
    assert not gc.get_freeze_count()


def test_the_last_of_several_gives_them_back() -> None:
    first = without_collection(Made)
    before = gc.get_freeze_count()
    more = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    second = without_collection(Made)
    assert gc.get_freeze_count() >= before + len(more)
    del first
    assert gc.get_freeze_count()
    del second
    assert not gc.get_freeze_count()


def test_garbage_in_cycles_is_collected_once_it_is_gone() -> None:
    ring = Made()
    ring.self = ring  # type: ignore[attr-defined]
    gone = weakref.ref(ring)
    made = without_collection(Made)
    del ring
    del made
    gc.collect()
    assert gone() is None


def test_a_process_with_its_own_policy_is_left_alone() -> None:
    gc.disable()
    without_collection(Made)
    assert not gc.isenabled()
    assert not gc.get_freeze_count()
    gc.enable()
    gc.freeze()
    frozen = gc.get_freeze_count()
    made = without_collection(Made)
    del made
    assert 0 < gc.get_freeze_count() <= frozen


def test_what_cannot_be_made_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        without_collection(lambda: 1 // 0)
    assert gc.isenabled()
    assert not gc.get_freeze_count()
