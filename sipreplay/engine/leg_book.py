"""Which second leg belongs to which first: by what their opening requests share, never by the order of arrival.

Owns the calls that are open on the calling side and what came back of them. Sans-IO; keeps no reference cycles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sipreplay.engine.headers import header
from sipreplay.stats.legs import ANSWERING_FAILED, CALLING_FAILED, NOT_FORWARDED, NOT_LINKED, LegTotals

_USER: Final = re.compile(rb"(?i)\b(?:sips?:([^@;>\s]+)@|tel:([^;>\s]+))")


@dataclass(frozen=True, slots=True)
class Key:
    """What an opening request of the first leg has in common with that of the second, by the place of each."""

    source: str
    target: str
    transform: str = ""
    """`REGEXP -> TEXT`, as in a bundle."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A calling scenario and an answering one that its calls lead to."""

    from_leg: str
    to_leg: str
    keys: tuple[Key, ...]
    window_s: float = 10.0
    must_come: bool = True
    """Whether a call that never comes back has failed."""


@dataclass(slots=True)
class _Open:
    """A first leg."""

    leg: str
    call_id: bytes
    opened: float
    places: list[tuple[int, bytes]]
    """Where it stands in the index."""
    seconds: dict[tuple[str, bytes], str | None] = field(default_factory=dict)
    """(leg, Call-ID) of what came back, to how it ended: "" well, None not yet."""
    outcome: str | None = None
    strangers: int = 0
    """How many calls had come unlinked when it was opened."""


def value_at(data: bytes, place: str) -> bytes:
    """What stands at `call-id`, `ruri.user`, `to.user`, `from.user` or in a header; b"" if nothing does."""
    if place == "ruri.user":
        text = data[: data.find(b"\r\n")]
    elif place in ("to.user", "from.user"):
        text = header(data, place.partition(".")[0].encode())
    else:
        return header(data, place.encode())
    found = _USER.search(text)
    return (found[1] or found[2]) if found else b""


def transformed(value: bytes, transform: str) -> bytes:
    """A value as the system under test rewrites it."""
    pattern, arrow, text = transform.partition(" -> ")
    if not arrow:
        return value
    return re.sub(pattern.encode(), text.encode(), value, count=1)


class LegBook:
    """All calls of one run."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.totals = LegTotals()
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.from_leg, []).append(rule)
        ranks: dict[Key, int] = {}
        for rule in rules:
            for rank, key in enumerate(rule.keys):
                ranks[key] = min(ranks.get(key, rank), rank)
        self._keys = sorted(ranks, key=lambda key: ranks[key])
        self._open: dict[tuple[str, bytes], _Open] = {}
        self._index: dict[tuple[int, bytes], dict[tuple[str, bytes], None]] = {}
        self._first: dict[tuple[str, bytes], tuple[str, bytes]] = {}
        """A second leg to its first."""

    def opened(self, leg: str, data: bytes, now: float) -> None:
        """A request that opens a call was sent on a first leg; sent again (with credentials, say), it counts once."""
        ident = leg, header(data, b"Call-ID")
        rules = self._rules.get(leg)
        if rules is None or ident in self._open:
            return
        mine = {key for rule in rules for key in rule.keys}
        places = []
        for number, key in enumerate(self._keys):
            value = transformed(value_at(data, key.source), key.transform) if key in mine else b""
            if value:
                places.append((number, value))
                self._index.setdefault((number, value), {})[ident] = None
        self._open[ident] = _Open(leg, ident[1], now, places, strangers=self.totals.unlinked)
        self.totals.calls += 1

    def link(self, data: bytes, now: float) -> tuple[str, str]:
        """The answering scenario that a new request belongs to, or "" and why there is none."""
        found: dict[tuple[str, bytes], None] = {}
        used = ""
        for number, key in enumerate(self._keys):
            if key.target == "from.user" and not found and len(self._keys) > 1:
                break  # who calls tells calls apart; alone it says nothing where there is more to go by
            value = value_at(data, key.target)
            here = self._index.get((number, value), {}) if value else {}
            fitting = [ident for ident in here if self._in_time(ident, now) and (not found or ident in found)]
            if fitting:
                found, used = dict.fromkeys(fitting), key.target
            if len(found) == 1:
                break
        waiting = [ident for ident in found if not self._open[ident].seconds]
        chosen = list(found) if len(found) == 1 else waiting if len(waiting) == 1 else []
        if not chosen:
            self.totals.unlinked += 1
            return "", f"it fits {len(found)} calls in progress" if found else "it fits no call in progress"
        first = self._open[chosen[0]]
        legs = [second for second, _ in first.seconds]
        rule = min(self._rules[first.leg], key=lambda rule: legs.count(rule.to_leg))
        second = rule.to_leg, header(data, b"Call-ID")
        first.seconds[second] = None
        self._first[second] = chosen[0]
        self.totals.linked += 1
        self.totals.by_key[used] = self.totals.by_key.get(used, 0) + 1
        return rule.to_leg, ""

    def _in_time(self, ident: tuple[str, bytes], now: float) -> bool:
        first = self._open[ident]
        return now - first.opened <= max(rule.window_s for rule in self._rules[first.leg])

    def ended(self, leg: str, call_id: bytes, how: str) -> None:
        """A call of either leg is over. `how`: "" if it went through its scenario."""
        ident = leg, call_id
        first = self._open.get(ident)
        if first is not None:
            first.outcome = how
        elif ident in self._first:
            first = self._open[self._first.pop(ident)]
            first.seconds[ident] = how
        if first is not None and first.outcome is not None and None not in first.seconds.values():
            self._judge(first)

    def finish(self) -> None:
        """The run is over: what has not ended never will."""
        for first in list(self._open.values()):
            if first.outcome is None:
                first.outcome = "it had not ended when the run did"
            for second, how in first.seconds.items():
                if how is None:
                    first.seconds[second] = "it had not ended when the run did"
                    self._first.pop(second, None)
            self._judge(first)

    def _judge(self, first: _Open) -> None:
        del self._open[first.leg, first.call_id]
        for place in first.places:
            here = self._index[place]
            del here[first.leg, first.call_id]
            if not here:
                del self._index[place]
        totals = self.totals
        totals.ended += 1
        name = f"{first.leg}, Call-ID {first.call_id.decode('utf-8', 'replace')}"
        failed = [f"{leg}: {how}" for (leg, _), how in first.seconds.items() if how]
        if not first.seconds and any(rule.must_come for rule in self._rules[first.leg]):
            cause = NOT_LINKED if totals.unlinked > first.strangers else NOT_FORWARDED
            totals.fail(cause, name + (f" ({first.outcome})" if first.outcome else ""))
        elif failed:
            totals.fail(ANSWERING_FAILED, f"{name}; {', '.join(failed)}")
        elif first.outcome:
            totals.fail(CALLING_FAILED, f"{name} ({first.outcome})")
        else:
            totals.passed += 1
