"""TDM circuits (SIPp's -tdmmap): a name such as `0.99.5/1` for each open call that prints [tdmmap].

Hands out and takes back; knows nothing of calls.
"""

from __future__ import annotations

import re
from random import Random

from sipreplay.errors import UsageError

CIRCUITS = 1024
"""SIPp's bound."""
_MAP = re.compile(r"\{(\d{1,4})-(\d{1,4})\}\{(\d{1,4})\}\{(\d{1,4})-(\d{1,4})\}\{(\d{1,4})-(\d{1,4})\}")


class Circuits:
    """The circuits of `{0-3}{99}{5-8}{1-31}`: all combinations, `a.h.b/c`. Raises UsageError for another form."""

    def __init__(self, text: str) -> None:
        match = _MAP.fullmatch(text)
        if match is None:
            raise UsageError(f"-tdmmap {text}: wants a map such as {{0-3}}{{99}}{{5-8}}{{1-31}}")
        first, last, fixed, low, high, begin, end = (int(group) for group in match.groups())
        count = (last - first + 1) * (high - low + 1) * (end - begin + 1)
        if last < first or high < low or end < begin or count > CIRCUITS:
            raise UsageError(f"-tdmmap {text}: ranges go upwards, and there are at most {CIRCUITS} circuits")
        self._names = [
            b"%d.%d.%d/%d" % (a, fixed, b, c)
            for a in range(first, last + 1)
            for b in range(low, high + 1)
            for c in range(begin, end + 1)
        ]
        self._free = set(range(count))
        self.width = end - begin + 1
        """Circuits that differ in their last number only."""

    @property
    def taken(self) -> list[bool]:
        """Of each circuit, whether it is in use."""
        return [number not in self._free for number in range(len(self._names))]

    def take(self, random: Random) -> bytes:
        """The name of a free circuit, the first from a random one on; b"" if all are taken."""
        if not self._free:
            return b""
        count = len(self._names)
        start = random.randrange(count)
        chosen = next(n % count for n in range(start, start + count) if n % count in self._free)
        self._free.discard(chosen)
        return self._names[chosen]

    def release(self, name: bytes) -> None:
        """Give a circuit back."""
        self._free.add(self._names.index(name))
