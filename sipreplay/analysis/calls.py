"""Hop-dialogs to calls: dialogs that evidence ties, and what those are tied to in turn.

Owns the guards that keep a value from tying what does not belong together (a constant header, a Call-ID used again),
and what was left apart for them. What ties is in `correlation` and `b2bua`. Never ties without saying by which rule,
how sure that is, and by which value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from sipreplay.analysis.b2bua import RULE as B2BUA
from sipreplay.analysis.b2bua import Ambiguous, guesses, sdp_origin
from sipreplay.analysis.correlate import parse_all
from sipreplay.analysis.correlation import (
    REFER_TARGET,
    REFERRED_BY,
    SAME_CALL_ID,
    TAGS_DIFFER,
    Referral,
    Shared,
    TieRule,
    may_tie,
    named_dialogs,
    opening,
    opening_bytes,
    referral_of,
    refers_of,
    shared_values,
)
from sipreplay.analysis.model import Call, CapturedMessage, Evidence, HopDialog

MAX_TIED = 64
"""A value that more Call-IDs have at one time ties none of them."""
MAX_ALIKE = 8
"""Nor does one that more Call-IDs from one host to one address have: a constant, not a correlation."""
LINGER_S = 32.0
"""A value ties dialogs that are no further apart in time than this (64*T1)."""
MAX_NAMED = 64
"""Hops of a named Call-ID that are looked at for the tags."""
MAX_SHOWN = 16
"""Dialogs of a value that was left unused which evidence lists."""

_Group = tuple[str, int]
"""Call-ID and conversation."""


class _Forest:
    """Which dialogs are one call, and by what evidence."""

    def __init__(self, dialogs: Sequence[HopDialog]) -> None:
        self._parent = {dialog.id: dialog.id for dialog in dialogs}
        self.evidence: list[Evidence] = []

    def root(self, ident: int) -> int:
        """The dialog that stands for the call of a dialog."""
        while self._parent[ident] != ident:
            self._parent[ident] = self._parent[self._parent[ident]]
            ident = self._parent[ident]
        return ident

    def tied(self, one: int, other: int) -> bool:
        """Whether two dialogs are one call."""
        return self.root(one) == self.root(other)

    def tie(self, members: Iterable[int], rule: str, confidence: float, values: tuple[str, ...]) -> None:
        """Make dialogs one call."""
        together = tuple(dict.fromkeys(members))
        if len(together) < 2:
            return
        self.evidence.append(Evidence(together, rule, confidence, values))
        for other in together[1:]:
            self._parent[self.root(other)] = self.root(together[0])


def build_calls(dialogs: Sequence[HopDialog], correlate: Iterable[str] = ()) -> list[Call]:
    """The calls, numbered from 1 in order of first message; sets each dialog's `call`.

    `correlate`: headers to tie dialogs by, as `HEADER` or `HEADER=REGEX`. Raises UsageError for one that is no such.
    """
    wanted = parse_all(correlate)
    forest = _Forest(dialogs)
    groups: dict[_Group, list[HopDialog]] = {}
    by_call_id: dict[str, list[_Group]] = {}
    for dialog in dialogs:
        group = _group(dialog)
        if group not in groups:
            groups[group] = []
            by_call_id.setdefault(group[0], []).append(group)
        groups[group].append(dialog)
    for group, members in groups.items():
        forest.tie((d.id for d in members), SAME_CALL_ID.name, SAME_CALL_ID.confidence, (group[0],))
    apart: list[Evidence] = []
    if len(groups) > 1:
        shared: dict[tuple[str, str], tuple[TieRule, list[HopDialog]]] = {}
        referrals: list[tuple[HopDialog, CapturedMessage]] = []
        origins: dict[int, str] = {}
        for dialog in dialogs:
            data, hep = opening_bytes(dialog)
            if dialog.kind == "invite":
                origins[dialog.id] = sdp_origin(data)
            if not (wanted or hep or "REFER" in dialog.methods or may_tie(data)):
                continue
            for value in shared_values(dialog, wanted):
                _add(shared, value, dialog)
            refers = refers_of(dialog)
            referrals += [(dialog, refer) for refer in refers]
            for named in named_dialogs(dialog, refers):
                found = _dialogs_named(named.call_id, dialog, by_call_id, groups)
                if found:
                    with_tags = [d for d in found[:MAX_NAMED] if named.tags <= {d.from_tag, d.to_tag, *d.fork_tags}]
                    rule = named.rule if with_tags else TAGS_DIFFER
                    pair = dialog.id, (with_tags or found)[0].id
                    label = rule.name if with_tags else f"{named.rule.name}, other tags"
                    forest.tie(pair, label, rule.confidence, (named.value,))
            opening(dialog).message.forget()
        for (label, key), (rule, having) in shared.items():
            _tie_shared(label, key, rule, having, forest, apart, by_call_id, groups)
        if referrals:
            _tie_referrals(referrals, dialogs, forest)
        for guess in guesses(dialogs, forest.tied, origins):
            if isinstance(guess, Ambiguous):
                ids = (guess.downstream.id, *(d.id for d in guess.candidates[:MAX_SHOWN]))
                why = f"{len(guess.candidates)} calls fit equally well"
                apart.append(Evidence(ids, B2BUA, guess.confidence, (why, *guess.values)))
            else:
                forest.tie((guess.upstream.id, guess.downstream.id), B2BUA, guess.confidence, guess.values)
    return _calls(dialogs, forest, apart)


def _calls(dialogs: Sequence[HopDialog], forest: _Forest, apart: Iterable[Evidence]) -> list[Call]:
    calls: dict[int, Call] = {}
    for dialog in dialogs:
        call = calls.setdefault(forest.root(dialog.id), Call(len(calls) + 1, []))
        call.dialogs.append(dialog.id)
        dialog.call = call.id
    for item in forest.evidence:
        calls[forest.root(item.dialogs[0])].evidence.append(item)
    for item in apart:
        for root in dict.fromkeys(forest.root(ident) for ident in item.dialogs):
            calls[root].left_apart.append(item)
    return list(calls.values())


def _group(dialog: HopDialog) -> _Group:
    return dialog.call_id, dialog.conversation


def _add(shared: dict[tuple[str, str], tuple[TieRule, list[HopDialog]]], value: Shared, dialog: HopDialog) -> None:
    having = shared.setdefault((value.label, value.key), (value.rule, []))[1]
    if not having or having[-1] is not dialog:
        having.append(dialog)


def _dialogs_named(
    call_id: str, by: HopDialog, by_call_id: dict[str, list[_Group]], groups: dict[_Group, list[HopDialog]]
) -> list[HopDialog]:
    """The dialogs of a Call-ID that another dialog names: of its latest conversation that had begun by then."""
    known = [group for group in by_call_id.get(call_id, ()) if group != _group(by)]
    begun = [group for group in known if groups[group][0].first <= by.last + LINGER_S]
    return groups[begun[-1]] if begun else []


def _tie_shared(
    label: str,
    key: str,
    rule: TieRule,
    having: list[HopDialog],
    forest: _Forest,
    apart: list[Evidence],
    by_call_id: dict[str, list[_Group]],
    groups: dict[_Group, list[HopDialog]],
) -> None:
    """Tie the dialogs that have a value, where it is one call's."""
    owner = _dialogs_named(key, having[0], by_call_id, groups)  # the value may be the other leg's Call-ID
    members = sorted({d.id: d for d in (*owner, *having)}.values(), key=lambda d: d.id)
    for cluster in _in_time(members):
        kinds = len({_group(d) for d in cluster})
        if kinds < 2:
            continue
        places: dict[Hashable, set[_Group]] = defaultdict(set)
        for dialog in cluster:
            places[dialog.caller.host, dialog.callee].add(_group(dialog))
        alike = max(len(found) for found in places.values())
        ids = [d.id for d in cluster]
        if kinds > MAX_TIED or alike > MAX_ALIKE:
            why = f"{kinds:,} Call-IDs have it" + (
                "" if kinds > MAX_TIED else f", {alike} of them between the same two peers"
            )
            apart.append(Evidence(tuple(ids[:MAX_SHOWN]), label, rule.confidence, (key, why)))
        else:
            forest.tie(ids, label, rule.confidence, (key,))


def _in_time(members: Sequence[HopDialog]) -> list[list[HopDialog]]:
    """The dialogs cut where nothing goes on for longer than the limit."""
    clusters: list[list[HopDialog]] = []
    until = 0.0
    for dialog in sorted(members, key=lambda d: d.first):
        if clusters and dialog.first <= until + LINGER_S:
            clusters[-1].append(dialog)
            until = max(until, _until(dialog))
        else:
            clusters.append([dialog])
            until = _until(dialog)
    return clusters


def _until(dialog: HopDialog) -> float:
    """When a dialog was over; for ever when a call's end was not captured."""
    return float("inf") if dialog.state == "established" else dialog.last


def _tie_referrals(
    referrals: Sequence[tuple[HopDialog, CapturedMessage]], dialogs: Sequence[HopDialog], forest: _Forest
) -> None:
    """Tie the INVITEs that REFERs brought about."""
    by_target: dict[str, list[tuple[HopDialog, Referral]]] = defaultdict(list)
    for dialog in dialogs:
        if dialog.kind == "invite" and opening(dialog).message.method == "INVITE":
            invite = referral_of(opening(dialog))
            if invite is not None:
                by_target[_user(invite.target)].append((dialog, invite))
    for dialog, captured in referrals:
        refer = referral_of(captured)
        if refer is None:
            continue
        known = by_target.get(_user(refer.target), [])
        after = bisect_left(known, captured.time, key=_begun)
        for other, invite in known[after : after + MAX_NAMED]:
            wait_s = other.first - captured.time
            if not 0 <= wait_s <= LINGER_S or _group(other) == _group(dialog):
                continue
            if invite.by and invite.by == refer.by:
                values = (f"Refer-To {refer.target}", f"Referred-By {refer.by}", f"{wait_s * 1000:.0f} ms later")
                forest.tie((dialog.id, other.id), REFERRED_BY.name, REFERRED_BY.confidence, values)
            elif other.caller.host == captured.destination.host:
                values = (f"Refer-To {refer.target}", f"from {other.caller}", f"{wait_s * 1000:.0f} ms later")
                forest.tie((dialog.id, other.id), REFER_TARGET.name, REFER_TARGET.confidence, values)


def _begun(item: tuple[HopDialog, Referral]) -> float:
    return item[0].first


def _user(target: str) -> str:
    return target.partition("@")[0]
