"""Rows of numbers, one a stream, in numpy columns that grow: where all that is counted for streams is kept.

Owns the memory of the columns. Never knows what they mean.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np


class Rows:
    """Columns named in `_COLUMNS`, each an attribute, with at least `rows` values. A value that was not set is 0."""

    _COLUMNS: ClassVar[tuple[tuple[str, Any], ...]] = ()

    def __init__(self, rows: int = 0) -> None:
        self.rows = 0
        self._capacity = 0
        for name, kind in self._COLUMNS:
            setattr(self, name, np.zeros(0, kind))
        self.grow(rows)

    def grow(self, rows: int) -> None:
        """Have at least `rows` rows; new ones are empty."""
        if rows <= self.rows:
            return
        if rows > self._capacity:
            self._capacity = max(rows, 2 * self._capacity)
            for name, kind in self._COLUMNS:
                old = getattr(self, name)
                new = np.zeros(self._capacity, kind)
                new[: len(old)] = old
                setattr(self, name, new)
        self.rows = rows

    def reset(self, rows: Any) -> None:
        """Empty these rows (an index, a slice or an array), so that another stream can use them."""
        for name, _ in self._COLUMNS:
            getattr(self, name)[rows] = 0
