"""Which stream each packet belongs to: exact ids for 128-bit keys, a column at a time.

A direct-mapped table answers for nearly all packets; keys that share a slot, and new ones, go the exact way. Knows
nothing of what the keys mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
Int = NDArray[np.int64]

_FIRST_BITS = 14
_MOST_BITS = 20
_MIX_HIGH = np.uint64(0x9E3779B97F4A7C15)
_MIX_LOW = np.uint64(0xC2B2AE3D27D4EB4F)


class StreamTable:
    """Ids of (high, low) keys. `create(high, low, index)` is asked for the id of a key at its first packet (`index` in
    the columns); -1 from it means that the key is not followed, and nothing is remembered of it."""

    def __init__(self) -> None:
        self._exact: dict[tuple[int, int], int] = {}
        self._clear(_FIRST_BITS)

    def _clear(self, bits: int) -> None:
        self._bits = bits
        self._slot_id = np.full(1 << bits, -1, np.int64)
        self._slot_high = np.zeros(1 << bits, np.uint64)
        self._slot_low = np.zeros(1 << bits, np.uint64)

    def ids(self, high: U64, low: U64, create: Callable[[int, int, int], int]) -> Int:
        """One id a packet, -1 for keys that are not followed."""
        slot = self._slots(high, low)
        ids = self._slot_id.take(slot)
        miss = np.flatnonzero((self._slot_high.take(slot) != high) | (self._slot_low.take(slot) != low) | (ids < 0))
        if len(miss) == 0:
            return ids
        order = miss[np.lexsort((miss, low[miss], high[miss]))]
        same = (high[order][1:] == high[order][:-1]) & (low[order][1:] == low[order][:-1])
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(~same) + 1))
        ends = np.append(starts[1:], len(order))
        fresh: list[tuple[int, int]] = []
        # New keys are numbered in order of appearance, so that ids do not depend on how the file was cut into chunks.
        for group in np.argsort(order[starts]).tolist():
            at = int(order[starts[group]])
            key = (int(high[at]), int(low[at]))
            known = self._exact.get(key)
            if known is None:
                known = create(key[0], key[1], at)
                if known >= 0:
                    self._exact[key] = known
                    fresh.append(key)
            ids[order[starts[group] : ends[group]]] = known
        if fresh:
            # A key may have been forgotten again while others were created.
            self._put([(key, self._exact[key]) for key in fresh if key in self._exact])
        return ids

    def set(self, key: tuple[int, int], ident: int) -> int:
        """Let a key have this id from now on."""
        self._exact[key] = ident
        self._put([(key, ident)])
        return ident

    def _put(self, known: list[tuple[tuple[int, int], int]]) -> None:
        """Give these keys their slots, all keys if the table has become too small for them."""
        size = self._bits
        while len(self._exact) > (1 << size) // 32 and size < _MOST_BITS:
            size += 2
        if size > self._bits:
            self._clear(size)
            known = list(self._exact.items())
        highs = np.array([pair[0] for pair, _ in known], np.uint64)
        lows = np.array([pair[1] for pair, _ in known], np.uint64)
        self._place(highs, lows, np.array([number for _, number in known], np.int64))

    def forget(self, key: tuple[int, int], ident: int) -> None:
        """Remove a key, if this is still its id: its next packet is a new key's."""
        if self._exact.get(key) == ident:
            del self._exact[key]
            slot = self._slots(np.array([key[0]], np.uint64), np.array([key[1]], np.uint64))
            if self._slot_id[slot] == ident:
                self._slot_id[slot] = -1

    def _place(self, high: U64, low: U64, ids: Int) -> None:
        slot = self._slots(high, low)
        taken = (self._slot_id[slot] >= 0) & ((self._slot_high[slot] != high) | (self._slot_low[slot] != low))
        slot, high, low, ids = slot[~taken], high[~taken], low[~taken], ids[~taken]
        self._slot_id[slot], self._slot_high[slot], self._slot_low[slot] = ids, high, low

    def _slots(self, high: U64, low: U64) -> Int:
        mixed = (high * _MIX_HIGH) ^ ((low + (low >> np.uint64(29))) * _MIX_LOW)
        mixed ^= mixed >> np.uint64(32)
        return ((mixed * _MIX_HIGH) >> np.uint64(64 - self._bits)).astype(np.int64)
