"""The packets of one file put in order of time, as far as a bounded window reaches.

Several queues of a network card write their packets a little late. Owns what is held back until nothing earlier can be
expected any more. Never reads files, and never moves a packet past the window: what comes later still stays where it
is, and is counted.
"""

from __future__ import annotations

import numpy as np

from sipreplay.capture.batch import Batch, Bytes, join

WINDOW_BYTES = 256 << 10
"""Of the file that are held back at the end of each chunk. Once a file turned out to need more, half a chunk is."""

_NO_BYTES = np.zeros(0, np.uint8)


class TimeOrder:
    """Takes the batches of one file; gives them back in order of time."""

    def __init__(self, region: int) -> None:
        self._window = min(WINDOW_BYTES, region // 4)
        self._most = region // 2
        self._held: Batch | None = None
        self._last_ns: int | None = None
        """Latest time of what was given back."""
        self.moved = 0
        """Packets that stood after a later one and were put right."""
        self.late = 0
        """Packets earlier than one that had already been given back: more than the window too late."""
        self.first_late = 0
        """The number of the first of them."""
        self.latest_ns = 0
        """By how much the worst of them was late."""

    def arrange(self, buffer: Bytes, batches: list[Batch], end: int, last: bool) -> tuple[Batch | None, int]:
        """(what is in order now, offset of the first byte that is still needed); `end` is where the chunk's data ends,
        `last` says that nothing is to be held back."""
        if self._held is not None:
            batches = [self._held, *batches]
            self._held = None
        if not batches:
            return None, end
        whole = join(batches)
        whole.buffer = buffer
        if last:
            return self._sorted(whole), end
        ready_to = int(np.searchsorted(whole.offset, end - self._window))
        if ready_to == len(whole):
            return self._sorted(whole), end
        ready = whole.time_ns <= (whole.time_ns[:ready_to].max() if ready_to else whole.time_ns.min() - 1)
        count = int(np.count_nonzero(ready))
        if count == len(whole):
            return self._sorted(whole), end
        in_a_row = count == ready_to
        self._held = whole.take(slice(count, None) if in_a_row else np.flatnonzero(~ready))
        self._held.buffer = _NO_BYTES  # or it would keep a buffer alive that its pool has left for a larger one
        keep = int(self._held.offset[0])
        if count == 0:
            return None, keep
        return self._sorted(whole.take(slice(0, count) if in_a_row else np.flatnonzero(ready))), keep

    def shift(self, by: int) -> None:
        """The bytes that are still needed have moved towards the beginning of the buffer."""
        if self._held is not None:
            self._held.offset = self._held.offset - by

    def _sorted(self, whole: Batch) -> Batch:
        time_ns = whole.time_ns
        backwards = time_ns[1:] < time_ns[:-1]
        if backwards.any():
            self.moved += int(np.count_nonzero(backwards))
            whole = whole.take(np.argsort(time_ns, kind="stable"))
            time_ns = whole.time_ns
        if self._last_ns is not None and time_ns[0] < self._last_ns:
            late = int(np.searchsorted(time_ns, self._last_ns))
            self.first_late = self.first_late or int(whole.numbers(np.zeros(1, np.int64))[0])
            self.late += late
            self.latest_ns = max(self.latest_ns, self._last_ns - int(time_ns[0]))
            self._window = self._most
        self._last_ns = max(int(time_ns[-1]), self._last_ns or int(time_ns[-1]))
        return whole
