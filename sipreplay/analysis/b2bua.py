"""Guesses which two INVITE dialogs are the two legs of a B2BUA, from what both sides of it have in common.

Owns the marks, their weights and the threshold (`MARKS`, `THRESHOLD`); every guess says which marks it rests on, and
where two legs fit equally well none is taken. Looks only at legs that an address, a From-tag or an SDP origin could
connect, and at most at `NEAREST` earlier legs for each. Never joins anything (`calls` does).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sipreplay.analysis.correlation import opening_bytes
from sipreplay.analysis.model import Address, HopDialog
from sipreplay.analysis.numbers import named_in, same_number, suffix_key
from sipreplay.analysis.states import initial_transactions

RULE = "B2BUA"
WINDOW_S = 10.0
"""The second leg begins at most this long after the first."""
SKEW_S = 0.1
"""What clocks may differ between two files: the second leg may seem to begin this much earlier there."""
TOGETHER_S = 2.0
"""Answers, and ends, of two legs of one call are no further apart."""
THRESHOLD = 0.6
HIGHEST = 0.9
"""No guess is surer than this."""
MARGIN = 0.1
"""A second candidate that comes this near to the best makes the guess ambiguous."""
NEAREST = 16
_MOST_SHARING = 8
"""A From-tag or SDP origin of more Call-IDs than this says nothing."""
_CONSTANT_SESSIONS = frozenset({"53655765"})
"""Session ids that a tool writes into each of its calls (SIPp)."""
_MEDIA = re.compile(rb"\n(?:c=IN IP[46] ([^\s/]{1,64})|m=(?:audio|video) (\d{1,5}) )")
_ORIGIN = re.compile(rb"\no=(\S{1,64}) (\d{6,32}) \d+ IN IP[46] (\S+)")


class Guess(NamedTuple):
    """Two dialogs that a B2BUA may tie."""

    upstream: HopDialog
    downstream: HopDialog
    confidence: float
    values: tuple[str, ...]
    """The marks, in words with their values."""


class Ambiguous(NamedTuple):
    """A leg that fits several others equally well."""

    downstream: HopDialog
    candidates: tuple[HopDialog, ...]
    confidence: float
    values: tuple[str, ...]


@dataclass(slots=True)
class _Leg:
    dialog: HopDialog
    group: Hashable
    """Call-ID and conversation."""
    first: float
    """When it began."""
    origin: str
    """User name and session id of o=, or ""."""
    caller: str = ""
    target: str = ""
    max_forwards: int = -1
    status: int = 0
    answered: float | None = None
    """When the final answer was seen."""
    ended: float | None = None
    """When its BYE was answered."""
    offer: frozenset[Address] = frozenset()
    """Where the caller says it receives."""
    read: bool = False


def _middle_address(a: _Leg, b: _Leg) -> str:
    shared = (a.dialog.callee_addresses | {a.dialog.callee}) & (b.dialog.caller_addresses | {b.dialog.caller})
    return f"both at {min(shared)}" if shared else ""


def _middle_host(a: _Leg, b: _Leg) -> str:
    host = a.dialog.callee.host
    hosts = {a.dialog.caller.host, b.dialog.callee.host}
    if _middle_address(a, b) or host != b.dialog.caller.host or host in hosts:
        return ""  # where all peers share a host (loopback) it says nothing
    return f"both at host {host}"


def _called(a: _Leg, b: _Leg) -> str:
    return f"called {a.target}, {b.target}" if same_number(a.target, b.target) else ""


def _calling(a: _Leg, b: _Leg) -> str:
    return f"calling {a.caller}, {b.caller}" if same_number(a.caller, b.caller) else ""


def _sdp_origin(a: _Leg, b: _Leg) -> str:
    return f"SDP origin {a.origin}" if a.origin and a.origin == b.origin else ""


def _media(a: _Leg, b: _Leg) -> str:
    shared = a.offer & b.offer
    return f"media at {min(shared)}" if shared else ""


def _from_tag(a: _Leg, b: _Leg) -> str:
    tag = a.dialog.from_tag
    return f"From-tag {tag}" if tag and tag == b.dialog.from_tag else ""


def _during_setup(a: _Leg, b: _Leg) -> str:
    wait_s = b.first - a.first
    pending = a.answered is None or b.first <= a.answered + SKEW_S
    return f"begins {wait_s * 1000:.0f} ms later, while the first leg waits" if pending else ""


def _hops(a: _Leg, b: _Leg) -> str:
    stepped = a.max_forwards > 0 and b.max_forwards == a.max_forwards - 1
    return f"Max-Forwards {a.max_forwards}, {b.max_forwards}" if stepped else ""


def _answers(a: _Leg, b: _Leg) -> str:
    if a.answered is None or b.answered is None or a.status != b.status:
        return ""
    between = a.answered - b.answered
    return f"both answered {a.status}, {between * 1000:.0f} ms apart" if -SKEW_S <= between <= TOGETHER_S else ""


def _ends(a: _Leg, b: _Leg) -> str:
    if a.ended is None or b.ended is None or abs(a.ended - b.ended) > TOGETHER_S:
        return ""
    return f"both ended, {abs(a.ended - b.ended) * 1000:.0f} ms apart"


class Mark(NamedTuple):
    """Something that the two legs of a B2BUA have in common."""

    name: str
    weight: float
    test: Callable[[_Leg, _Leg], str]
    """Its values in words, or ""."""


MARKS: tuple[Mark, ...] = (
    Mark("the first leg's callee and the second's caller are one address", 0.2, _middle_address),
    Mark("… or one host, which neither other end shares", 0.15, _middle_host),
    Mark("the same called number (E.164, or one ends with the other)", 0.25, _called),
    Mark("the same calling number", 0.15, _calling),
    Mark("the same SDP origin (user name and session id of o=)", 0.3, _sdp_origin),
    Mark("a media address that both offers announce", 0.3, _media),
    Mark("the same From-tag", 0.25, _from_tag),
    Mark("the second begins while the first waits for its answer", 0.15, _during_setup),
    Mark("Max-Forwards one lower", 0.1, _hops),
    Mark("the same final answer, the second leg's first, within 2 s", 0.1, _answers),
    Mark("a BYE on both within 2 s", 0.05, _ends),
)
_MIDDLE = (_middle_address, _middle_host)
_STRONG = (_sdp_origin, _from_tag)


def guesses(
    dialogs: Sequence[HopDialog], tied: Callable[[int, int], bool], origins: Mapping[int, str]
) -> Iterator[Guess | Ambiguous]:
    """The pairs of dialogs that a B2BUA seems to tie, and the legs that fit several.

    `tied` says whether two dialogs (by id) are one call already, by better evidence; `origins` has the `sdp_origin` of
    the message that opened each INVITE dialog.
    """
    legs = [
        _Leg(d, (d.call_id, d.conversation), d.first, origins[d.id])
        for d in dialogs
        if d.kind == "invite" and d.alias_of is None
    ]
    tags = _rare((leg.dialog.from_tag, leg.group) for leg in legs)
    shared = _rare((leg.origin, leg.group) for leg in legs)
    entered = {leg.dialog.callee.host for leg in legs}
    left = {leg.dialog.caller.host for leg in legs if leg.dialog.upstream is None}
    for leg in legs:
        if leg.origin not in shared:
            leg.origin = ""

    def strong(leg: _Leg) -> bool:
        return bool(leg.origin) or leg.dialog.from_tag in tags

    upstream = [leg for leg in legs if leg.dialog.callee.host in left or strong(leg)]
    second = [leg for leg in legs if leg.dialog.upstream is None and (leg.dialog.caller.host in entered or strong(leg))]
    if len({leg.group for leg in (*upstream, *second)}) < 2 or not second:
        return
    index = _Index(upstream, tags)
    for leg in second:
        _read(leg)
        yield from _best(leg, index.near(leg), tied)


def _best(leg: _Leg, candidates: Iterable[_Leg], tied: Callable[[int, int], bool]) -> Iterator[Guess | Ambiguous]:
    best: dict[Hashable, tuple[float, _Leg, tuple[str, ...]]] = {}
    for other in candidates:
        if other.group == leg.group:
            continue
        score, values = _score(other, leg)
        if score >= THRESHOLD and tied(other.dialog.id, leg.dialog.id):
            return  # better evidence has said already whose leg it is
        if score >= THRESHOLD and (other.group not in best or best[other.group][0] < score):
            best[other.group] = (score, other, values)
    ranked = sorted(best.values(), key=lambda item: -item[0])
    if not ranked:
        return
    score, other, values = ranked[0]
    equal = [item[1].dialog for item in ranked if item[0] > score - MARGIN]
    if len(equal) > 1:
        yield Ambiguous(leg.dialog, tuple(equal), min(score, HIGHEST), values)
    else:
        yield Guess(other.dialog, leg.dialog, min(score, HIGHEST), values)


def _score(a: _Leg, b: _Leg) -> tuple[float, tuple[str, ...]]:
    one, two = a.dialog, b.dialog
    if one.callee.host != two.caller.host and a.origin != b.origin and one.from_tag != two.from_tag:
        return 0.0, ()
    if {one.caller, *one.caller_addresses} & {two.caller, *two.caller_addresses}:
        return 0.0, ()  # the same phone calls twice
    if {one.callee, *one.callee_addresses} & {two.callee, *two.callee_addresses}:
        return 0.0, ()
    if b.first < a.first and two.messages[0].capture == one.messages[0].capture:
        return 0.0, ()  # no effect comes before its cause
    said = {mark.test: mark.test(a, b) for mark in MARKS}
    if not any(said[test] for test in _MIDDLE) and not any(said[test] for test in _STRONG):
        return 0.0, ()
    if not (said[_called] or said[_sdp_origin] or said[_media] or said[_from_tag]):
        return 0.0, ()
    score = sum(mark.weight for mark in MARKS if said[mark.test])
    return round(score, 2), tuple(text for text in said.values() if text)


class _Index:
    """First legs by what a second leg may share with them, in order of time."""

    def __init__(self, legs: Iterable[_Leg], tags: frozenset[str]) -> None:
        self._tags = tags
        self._by_key: dict[Hashable, list[_Leg]] = defaultdict(list)
        for leg in legs:
            _read(leg)
            for key in self._keys(leg):
                self._by_key[key].append(leg)
        for known in self._by_key.values():
            known.sort(key=_first)

    def _keys(self, leg: _Leg) -> Iterator[Hashable]:
        if leg.target:
            yield "called", suffix_key(leg.target)
        if leg.origin:
            yield "origin", leg.origin
        if leg.dialog.from_tag in self._tags:
            yield "tag", leg.dialog.from_tag
        for address in leg.offer:
            yield "media", address

    def near(self, leg: _Leg) -> Iterator[_Leg]:
        """First legs that began shortly before, each once."""
        seen: set[int] = set()
        for key in self._keys(leg):
            known = self._by_key.get(key, [])
            stop = bisect_right(known, leg.first + SKEW_S, key=_first)
            start = max(bisect_left(known, leg.first - WINDOW_S, key=_first), stop - NEAREST)
            for other in known[start:stop]:
                if other.dialog.id not in seen:
                    seen.add(other.dialog.id)
                    yield other


def _first(leg: _Leg) -> float:
    return leg.first


def _rare(pairs: Iterable[tuple[str, Hashable]]) -> frozenset[str]:
    """The values that more than one Call-ID has, but not many."""
    groups: dict[str, set[Hashable]] = {}
    for value, group in pairs:
        if value:
            groups.setdefault(value, set()).add(group)
    return frozenset(value for value, members in groups.items() if 1 < len(members) <= _MOST_SHARING)


def sdp_origin(data: bytes) -> str:
    """User name and session id of the o= line in a message; "" for none, and for what a tool always writes."""
    match = _ORIGIN.search(data)
    if match is None or match.group(2).decode() in _CONSTANT_SESSIONS:
        return ""
    return f"{match.group(1).decode('utf-8', 'replace')} {match.group(2).decode()}"


def media_addresses(data: bytes) -> frozenset[Address]:
    """Where an SDP body's first media sections want to receive: found without reading all of it."""
    session = host = ""
    ports: list[tuple[int, str]] = []
    for match in _MEDIA.finditer(data):
        if match.group(2):
            ports.append((int(match.group(2)), session))
            if len(ports) > 4:
                break
        else:
            host = match.group(1).decode("ascii", "replace")
            if ports:
                ports[-1] = (ports[-1][0], host)
            else:
                session = host
    return frozenset(Address(host, port) for port, host in ports if port and host and host not in ("0.0.0.0", "::"))


def _read(leg: _Leg) -> None:
    """Read what marks compare; once."""
    if leg.read:
        return
    leg.read = True
    data = opening_bytes(leg.dialog)[0]
    if not data.startswith(b"SIP/"):
        leg.caller, leg.target, leg.max_forwards = named_in(data)
        leg.offer = media_addresses(data)
    dialog = leg.dialog
    if dialog.setup_ms is not None:
        leg.status, leg.answered = 200, dialog.first + dialog.setup_ms / 1000
        leg.ended = dialog.last if dialog.state == "completed" else None
        return
    rounds = initial_transactions(dialog)
    final = rounds[-1].final if rounds else None
    if final is not None:
        leg.status, leg.answered = final.message.status, final.time
