"""Hop-dialogs to calls, by a table of rules: each says what dialogs of one call share and how sure that is.

A rule is a name, a confidence and a function that gives a dialog's keys; dialogs with an equal key are one call.
Never guesses without saying by which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from sipreplay.analysis.model import Call, Evidence, HopDialog


class Rule(NamedTuple):
    """One kind of evidence."""

    name: str
    confidence: float
    """From 0 to 1."""
    keys: Callable[[HopDialog], Iterable[Hashable]]


def _call_id(dialog: HopDialog) -> Iterable[Hashable]:
    return ((dialog.call_id, dialog.conversation),)


RULES: tuple[Rule, ...] = (Rule("same Call-ID", 1.0, _call_id),)


def build_calls(dialogs: Sequence[HopDialog], rules: Sequence[Rule] = RULES) -> list[Call]:
    """The calls, numbered from 1 in order of first message; sets each dialog's `call`."""
    parent = {dialog.id: dialog.id for dialog in dialogs}

    def root(ident: int) -> int:
        while parent[ident] != ident:
            parent[ident] = parent[parent[ident]]
            ident = parent[ident]
        return ident

    evidence: list[Evidence] = []
    for rule in rules:
        groups: dict[Hashable, list[int]] = {}
        for dialog in dialogs:
            for key in rule.keys(dialog):
                groups.setdefault(key, []).append(dialog.id)
        for members in groups.values():
            together = tuple(dict.fromkeys(members))
            if len(together) < 2:
                continue
            evidence.append(Evidence(together, rule.name, rule.confidence))
            for other in together[1:]:
                parent[root(other)] = root(together[0])

    calls: dict[int, Call] = {}
    for dialog in dialogs:
        call = calls.setdefault(root(dialog.id), Call(len(calls) + 1, []))
        call.dialogs.append(dialog.id)
        dialog.call = call.id
    for item in evidence:
        calls[root(item.dialogs[0])].evidence.append(item)
    return list(calls.values())
