"""What SDP has announced so far: payload types by address, while a capture is being read.

Needed before dialogs are known, because jitter cannot be computed without a clock. Never ties streams to dialogs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sipreplay.rtp.payload_types import STATIC, TELEPHONE_EVENT, timing_clock

Codecs = tuple[tuple[int, str, int], ...]
"""(payload type, name, clock rate), ascending."""
Place = tuple[int, int]
"""Group of files (see Batch.group), and place in the order of reading."""

_LAWS = ("PCMU", "PCMA")

MAX_KEYS = 32
"""a=crypto values that are tried for a stream."""
MAX_SECURE_CALLS = 50_000
"""Calls whose keys are remembered."""
MAX_CHANGES = 256
"""Of the codecs, or of the call, at one address: later ones are not followed."""


_NOTHING: dict[int, tuple[str, int]] = {}


class CodecTables:
    """Sets of codecs, each known by a number, as tables over payload types. Number 0 holds the static types only."""

    def __init__(self) -> None:
        self._numbers: dict[Codecs, int] = {}
        self._names: list[dict[int, str]] = []
        self.clock: NDArray[np.int64] = np.zeros((8, 128), np.int64)
        """[number, payload type]: Hz for jitter, 0 where there is none."""
        self.event: NDArray[np.bool_] = np.zeros((8, 128), bool)
        """[number, payload type]: telephone events."""
        self.law: NDArray[np.int8] = np.full((8, 128), -1, np.int8)
        """[number, payload type]: 0 for PCMU, 1 for PCMA, -1 for all else."""
        self._sums: dict[tuple[int, int], int] = {}
        self.number({})

    def number(self, codecs: dict[int, tuple[str, int]]) -> int:
        """The number of a set; static types need not be in it."""
        key = tuple(sorted((kind, name, clock) for kind, (name, clock) in codecs.items() if 0 <= kind < 128))
        known = self._numbers.get(key)
        if known is not None:
            return known
        number = self._numbers[key] = len(self._names)
        if number >= len(self.clock):
            self.clock = np.concatenate((self.clock, np.zeros_like(self.clock)))
            self.event = np.concatenate((self.event, np.zeros_like(self.event)))
            self.law = np.concatenate((self.law, np.full_like(self.law, -1)))
        names = {kind: name for kind, (name, _) in STATIC.items()}
        for kind, (_, clock) in STATIC.items():
            self.clock[number, kind] = clock
        for kind, name, clock in key:
            names[kind] = name
            self.clock[number, kind] = timing_clock(name, clock)
            self.event[number, kind] = name.lower() == TELEPHONE_EVENT
        for kind, name in names.items():
            if name.upper() in _LAWS:
                self.law[number, kind] = _LAWS.index(name.upper())
        self._names.append(names)
        return number

    def together(self, other: dict[int, tuple[str, int]], current: dict[int, tuple[str, int]]) -> int:
        """The number of two sets together, of which the second counts where both name a type. Both must live on."""
        key = id(other), id(current)
        number = self._sums.get(key)
        if number is None:
            number = self._sums[key] = self.number({**other, **current})
        return number

    def name(self, number: int, payload_type: int) -> str:
        """Encoding name of a payload type in a set, "" if unknown."""
        return self._names[number].get(payload_type, "")


class Announcements:
    """Codecs and Call-IDs that SDP has named for media addresses, with the place in the capture where it did."""

    def __init__(self, tables: CodecTables) -> None:
        self._tables = tables
        self._codecs: dict[tuple[str, int], list[tuple[Place, dict[int, tuple[str, int]]]]] = {}
        self._calls: dict[tuple[str, int], list[tuple[Place, bytes | str]]] = {}
        self._keys: dict[bytes | str, dict[str, None]] = {}
        """a=crypto values by Call-ID."""
        self._beside: dict[bytes | str, set[tuple[str, int]]] = {}
        """The addresses of calls with keys."""
        self.changed: set[tuple[str, int]] = set()
        """Addresses with news since whoever reads this last cleared it."""

    def announce(
        self, place: Place, host: str, port: int, codecs: dict[int, tuple[str, int]], call_id: bytes | str
    ) -> None:
        """An SDP says that `host`:`port` receives these payload types: number to (name, clock)."""
        address = (host, port)
        history = self._codecs.get(address)
        if history is None:
            self._codecs[address], self._calls[address] = [(place, codecs)], [(place, call_id)]
            self.changed.add(address)
            return
        last = history[-1][1]
        if last is not codecs and last != codecs and len(history) < MAX_CHANGES:
            history.append((place, codecs))
            self.changed.add(address)
        calls = self._calls[address]
        if calls[-1][1] != call_id and len(calls) < MAX_CHANGES:
            calls.append((place, call_id))

    def name_keys(self, call_id: bytes | str, lines: Iterable[str], addresses: Iterable[tuple[str, int]]) -> None:
        """An SDP of a call holds these a=crypto values, beside these addresses."""
        if len(self._keys) >= MAX_SECURE_CALLS and call_id not in self._keys:
            return
        known = self._keys.setdefault(call_id, {})
        for line in lines:
            if line not in known and len(known) < MAX_KEYS:
                known[line] = None
                self.changed.update(addresses)
                self.changed.update(self._beside.setdefault(call_id, set()))
        beside = self._beside.setdefault(call_id, set())
        if len(beside) < MAX_CHANGES:
            beside.update(addresses)

    def keys_of(self, source: tuple[str, int], destination: tuple[str, int]) -> list[str]:
        """The a=crypto values of the calls that announced one of the addresses, the latest call first. Either side's
        may be the sender's: an address tells whose only without NAT, and authentication tells which key it is."""
        if not self._keys:
            return []
        calls = [call for address in (destination, source) for _, call in reversed(self._calls.get(address, ()))]
        return [line for call in dict.fromkeys(calls[:MAX_KEYS]) for line in self._keys.get(call, ())][:MAX_KEYS]

    def knows(self, address: tuple[str, int]) -> bool:
        """Whether any SDP named this address."""
        return address in self._codecs

    def of_stream(self, source: tuple[str, int], destination: tuple[str, int]) -> Sequence[tuple[Place, int]]:
        """Codec set numbers for a stream with the places they hold from, in order; the first holds from the beginning.

        The receiver's SDP says what it is sent; the sender's own fills in what the receiver's leaves open, as where
        only one side of the signalling was captured.
        """
        ours = self._codecs.get(destination, [])
        theirs = self._codecs.get(source, [])
        if not theirs and not ours:
            return ()
        if not theirs or not ours:
            return [(place, self._tables.together(_NOTHING, codecs)) for place, codecs in ours or theirs]
        out: list[tuple[Place, int]] = []
        current = other = _NOTHING
        events = sorted(
            [(place, 0, codecs) for place, codecs in ours] + [(place, 1, codecs) for place, codecs in theirs],
            key=lambda event: event[:2],
        )
        for place, side, codecs in events:
            if side == 0:
                current = codecs
            else:
                other = codecs
            number = self._tables.together(other, current)
            if not out or out[-1][1] != number:
                out.append((place, number))
        return out

    def new_call_between(self, address: tuple[str, int], before: Place, after: Place) -> bool:
        """Whether another call than the one before took the address over between two places."""
        calls = self._calls.get(address, ())
        return len(calls) > 1 and any(before < place < after for place, _ in calls[1:])
