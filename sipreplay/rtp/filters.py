"""Numeric tools over columns that are sorted by stream: carried means, maxima and RFC 3550's smoothing.

`rows` is the stream of each value, in non-decreasing order. Nothing here knows what the values mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

BLOCK = 16
_GAIN = 1 / 16
_DECAY = 1 - _GAIN
_FADE = _DECAY ** np.arange(1, BLOCK + 1)
_ROUND = 150
"""Values that Python counts in the time of one round of numpy over a short column."""


def edges(rows: Int) -> Int:
    """Where each stream starts. `rows` is not empty."""
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(rows[1:] != rows[:-1]) + 1))


def last_before(mask: Bool, starts: Int, segment: Int, *, inclusive: bool = False) -> Int:
    """Index of the last value before each (or itself) in its segment where `mask` holds; -1 where there is none."""
    count = len(mask)
    marked = np.maximum.accumulate(np.where(mask, np.arange(count), -1))
    last = marked
    if not inclusive:
        last = np.empty(count, np.int64)
        last[1:] = marked[:-1]
        last[0] = -1
    last[last < starts[segment]] = -1
    return last


def value_before(values: Float, mask: Bool, starts: Int, segment: Int, carried: Float) -> Float:
    """For each value the last one before it in its segment where `mask` holds; where there is none, the segment's
    `carried` (one a segment)."""
    if mask.all():
        previous = np.empty(len(values))
        previous[1:] = values[:-1]
        previous[starts] = carried
        return previous
    before = last_before(mask, starts, segment)
    return np.where(before >= 0, values[before], carried[segment])


def segment_max(column: Float, rows: Int, values: Float) -> None:
    """Raise `column[row]` to the largest value of each row."""
    starts = edges(rows)
    touched = rows[starts]
    column[touched] = np.maximum(column[touched], np.maximum.reduceat(values, starts))


def segment_farthest(column: Float, rows: Int, values: Float) -> None:
    """Keep in `column[row]` the value that is farthest from 0."""
    starts = edges(rows)
    touched = rows[starts]
    high, low = np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts)
    best = np.where(high >= -low, high, low)
    column[touched] = np.where(np.abs(best) > np.abs(column[touched]), best, column[touched])


def running_mean(column: Float, counted: Int, rows: Int, values: Float, number: Int) -> None:
    """Wireshark's mean: m = (m (n - 1) + x) / n, where n counts all packets of the stream and x comes only from some.

    Without gaps in n this is the plain mean. Over a gap it is not: the old mean weighs as if it had been seen in the
    gap, less one. `counted[row]` is the n of the row's last x; `column * counted` is then a sum to which each x is
    added, scaled by (n - 1) / (previous n) where n jumps.
    """
    starts = edges(rows)
    touched = rows[starts]
    previous = np.empty(len(rows), np.int64)
    previous[1:] = number[:-1]
    previous[starts] = counted[touched]
    sums = column[touched] * counted[touched]
    jump = (number - 1 != previous) & (number > 1) & (previous > 0)
    if jump.any():
        factor = np.zeros(len(rows))
        factor[jump] = np.log((number[jump] - 1) / previous[jump])
        total = np.cumsum(factor)
        ends = np.append(starts[1:], len(rows)) - 1
        lengths = ends - starts + 1
        values = values * np.exp(np.repeat(total[ends], lengths) - total)
        sums = sums * np.exp(total[ends] - total[starts] + factor[starts])
    sums += np.add.reduceat(values, starts)
    final = number[np.append(starts[1:], len(rows)) - 1]
    column[touched] = sums / final
    counted[touched] = final


def smoothed(carried: Float, rows: Int, values: Float) -> Float:
    """y += (x - y) / 16 for each row, from `carried[row]` on: RFC 3550's jitter filter. Returns y at each value.

    Blocks of 16 values are summed by doubling: after each step every value holds the decayed sum of twice as many. What
    is left over is a carry that decays from block to block. (A matrix product does the same, but starts threads.)
    """
    starts = edges(rows)
    lengths = np.append(starts[1:], len(rows)) - starts
    blocks = (lengths + BLOCK - 1) // BLOCK
    first = np.cumsum(blocks) - blocks
    count = int(blocks.sum())
    # One row a place in the blocks: what is done to all blocks at once then stands side by side.
    number = np.arange(len(rows)) - np.repeat(starts, lengths)
    slot = (number % BLOCK) * count + number // BLOCK + np.repeat(first, lengths)
    padded = np.zeros(count * BLOCK)
    padded[slot] = values
    local = padded.reshape(BLOCK, count)
    local *= _GAIN
    reach = 1
    while reach < BLOCK:
        local[reach:] += _DECAY**reach * local[:-reach]
        reach *= 2
    carry = _carried(carried[rows[starts]], local[-1], first, blocks)
    local += carry * _FADE[:, None]
    found: Float = padded[slot]
    return found


def _carried(current: Float, ends: Float, first: Int, blocks: Int) -> Float:
    """What each block gets from the one before it in its stream; `ends` are the blocks' own sums."""
    rounds, fade = int(blocks.max()), float(_FADE[-1])
    if len(ends) < _ROUND * rounds:
        # Few streams of many blocks: one value after the other is quicker than a column of few values a round.
        found: list[float] = []
        for value, start, count in zip(current.tolist(), first.tolist(), blocks.tolist(), strict=True):
            for end in ends[start : start + count].tolist():
                found.append(value)
                value = end + fade * value
        return np.array(found)
    carry = np.empty(len(ends))
    for place in range(rounds):
        if place:
            more = blocks > place
            if not more.all():
                first, blocks, current = first[more], blocks[more], current[more]
            current = ends[first + place - 1] + fade * current
        carry[first + place] = current
    return carry
