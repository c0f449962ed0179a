"""The timer wheel: calls in buckets of one millisecond. A call has at most one entry that counts.

A timer that is cancelled or put off leaves its entry where it is; the entry finds out when its time comes. That makes
the usual case, a retransmission or a timeout that never happens, cost nothing a second time.
"""

from __future__ import annotations

from heapq import heappop, heappush

from sipreplay.engine.call import Call


class Wheel:
    """Buckets by millisecond, and a heap of the milliseconds that have one."""

    __slots__ = ("_buckets", "keys")

    def __init__(self) -> None:
        self._buckets: dict[int, list[Call]] = {}
        self.keys: list[int] = []
        """A heap; the first is when something is due next, in milliseconds."""

    def schedule(self, call: Call, when: float) -> None:
        """Wake the call in the first millisecond that begins after `when`, or earlier if it has an earlier entry."""
        key = int(when * 1000.0) + 1
        scheduled = call.scheduled
        if scheduled and scheduled <= key:
            return
        call.scheduled = key
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = [call]
            heappush(self.keys, key)
        else:
            bucket.append(call)

    def pop(self) -> list[Call]:
        """Take out the first bucket: the calls for which this entry is the one that counts.

        They have none afterwards.
        """
        key = heappop(self.keys)
        out: list[Call] = []
        for call in self._buckets.pop(key):
            if call.scheduled == key:
                call.scheduled = 0
                out.append(call)
        return out
