"""Impairment on purpose: packets that are lost, late or out of order before they leave, drawn from a seeded source.

Works on planned packets in columns; sends nothing, and never touches sequence numbers: what is lost is missing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sipreplay.media.impairment import Impairment

_NORMAL_SHIFT = 4.0
"""Standard deviations by which all packets are later, so that a normal delay is hardly ever below 0."""
_LAST_GAP_US = 20_000
_Int = NDArray[np.int64]


class Impairer:
    """Applies one impairment to plan after plan."""

    def __init__(self, impairment: Impairment) -> None:
        self.impairment = impairment
        self.lost = 0
        self.reordered = 0
        self._random = np.random.default_rng(impairment.seed)

    def apply(self, streams: _Int, packets: _Int, due_us: _Int, offset_us: _Int) -> tuple[_Int, _Int, _Int]:
        """(stream, packet, due time) of what leaves, in order of time. `offset_us`: of the shelf's packets."""
        wanted = self.impairment
        if wanted.loss:
            kept = self._random.random(len(streams)) >= wanted.loss
            self.lost += len(kept) - int(kept.sum())
            streams, packets, due_us = streams[kept], packets[kept], due_us[kept]
        if wanted.jitter_ms:
            due_us = due_us + self._delays_us(len(streams))
        if wanted.reorder:
            late = np.flatnonzero(self._random.random(len(streams)) < wanted.reorder)
            following = np.minimum(packets[late] + 1, len(offset_us) - 1)
            gap_us = offset_us[following] - offset_us[packets[late]]
            due_us = due_us.copy()
            # Past the successor by a tick, however near it is.
            due_us[late] += np.where(gap_us > 0, gap_us, _LAST_GAP_US) + 1500
            self.reordered += len(late)
        order = np.argsort(due_us, kind="stable")
        return streams[order], packets[order], due_us[order]

    def _delays_us(self, count: int) -> _Int:
        """Delays whose mean difference between two packets is the jitter that was asked for."""
        jitter_us, draw = self.impairment.jitter_ms * 1000, self._random
        if self.impairment.distribution == "exponential":
            delays = draw.exponential(jitter_us, count)
        elif self.impairment.distribution == "uniform":
            delays = draw.uniform(0, 3 * jitter_us, count)
        else:
            deviation = jitter_us * math.sqrt(math.pi) / 2
            delays = np.maximum(draw.normal(_NORMAL_SHIFT * deviation, deviation, count), 0)
        return delays.astype(np.int64)
