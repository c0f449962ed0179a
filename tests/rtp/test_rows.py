"""Columns that grow and are emptied."""

from __future__ import annotations

import numpy as np

from sipreplay.rtp.rows import Rows


class Two(Rows):
    _COLUMNS = (("count", np.int64), ("share", np.float64))


def test_growing_keeps_what_is_there_and_starts_empty() -> None:
    rows = Two(2)
    rows.count[1] = 7  # type: ignore[attr-defined]
    rows.grow(1000)
    rows.grow(5)
    assert rows.rows == 1000
    assert rows.count[:3].tolist() == [0, 7, 0]  # type: ignore[attr-defined]
    assert len(rows.share) >= 1000  # type: ignore[attr-defined]


def test_a_row_is_emptied() -> None:
    rows = Two(3)
    rows.count[:] = 5  # type: ignore[attr-defined]
    rows.reset(np.array([0, 2]))
    assert rows.count.tolist() == [0, 5, 0]  # type: ignore[attr-defined]
