"""Messages to hop-dialogs, Call-ID by Call-ID; what a shape says (`hops`) is filled in with the Call-ID's own texts.

Owns the form in which the messages of Call-IDs are compared, and the memory of shapes: real traffic has few, so that
most are looked up and not worked out. Never decides which message belongs to which dialog.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sipreplay.analysis.hops import HopShape, hop_shapes
from sipreplay.analysis.hops import sent_by_caller as sent_by_caller
from sipreplay.analysis.messages import REPEAT_LIMIT_S
from sipreplay.analysis.model import Address, HopDialog
from sipreplay.analysis.rows import Answer, Group, Question, rows_of
from sipreplay.analysis.store import MessageStore
from sipreplay.analysis.stored import DialogMessages, DialogTransactions, Grouped

MAX_SHAPES = 65_536
"""Shapes that are remembered; then they are worked out anew."""
MAX_REMEMBERED = 1024
"""Messages of a Call-ID whose shape is remembered."""
_AT_A_TIME = 32_768
"""Messages that stand in lists at a time."""
_TIE, _ODD = 8, 16
"""Flags besides those of the store: at the time of the message before; and in no order that packet numbers tell."""

_Kind = tuple[int, int, int]


class _Node:
    """A step on the way to a shape: either what has to be asked next, or the answer to all."""

    __slots__ = ("answers", "question", "shapes")

    def __init__(self) -> None:
        self.question: Question | None = None
        self.answers: dict[Answer, _Node] = {}
        self.shapes: tuple[HopShape, ...] | None = None


class Shapes:
    """Shapes by the form of the messages, and by what those say when asked."""

    def __init__(self, limit: int = MAX_SHAPES) -> None:
        """With a limit of 0 nothing is remembered."""
        self._limit = limit
        self._roots: dict[Any, _Node] = {}
        self._count = 0
        self.worked_out = 0
        """How many were not remembered."""

    def known(self, key: Any, group: Group) -> tuple[HopShape, ...] | None:
        """The shapes of messages of this form, if they are remembered."""
        node = self._roots.get(key)
        while node is not None:
            if node.shapes is not None:
                return node.shapes
            if node.question is None:
                return None
            node = node.answers.get(group.answer(node.question))
        return None

    def remember(self, key: Any, trail: Sequence[tuple[Question, Answer]], shapes: tuple[HopShape, ...]) -> None:
        """Keep what was worked out, with what was asked on the way."""
        self.worked_out += 1
        if not self._limit:
            return
        if self._count >= self._limit:
            self._roots.clear()
            self._count = 0
        self._count += 1
        node = self._roots.setdefault(key, _Node())
        for question, answer in trail:
            node.question = question
            node = node.answers.setdefault(answer, _Node())
        node.shapes = shapes


class _Patterns:
    """Pairs of addresses by number: who is the same address and the same host as whom, in order of appearance."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self._known: dict[tuple[int, ...], tuple[tuple[tuple[int, int, int, int], ...], list[Address]]] = {}

    def of(self, pairs: tuple[int, ...]) -> tuple[tuple[tuple[int, int, int, int], ...], list[Address]]:
        """(source, destination, their hosts) of each pair as numbers, and the addresses by number."""
        found = self._known.get(pairs)
        if found is None:
            addresses: dict[Address, int] = {}
            hosts: dict[str, int] = {}
            pattern = []
            for number in pairs:
                ends = self._store.pairs[number]
                of = [addresses.setdefault(end, len(addresses)) for end in ends]
                at = [hosts.setdefault(end.host, len(hosts)) for end in ends]
                pattern.append((of[0], of[1], at[0], at[1]))
            if len(self._known) >= MAX_SHAPES:
                self._known.clear()
            found = self._known[pairs] = tuple(pattern), list(addresses)
        return found


class _Columns:
    """What decides about shapes, of messages that stand one Call-ID after the other, as lists."""

    def __init__(self, rows: NDArray[Any], kinds: NDArray[Any], ties: NDArray[Any]) -> None:
        self.time: list[float] = rows["time"].tolist()
        self.packet: list[int] = rows["packet"].tolist()
        self.pair: list[int] = rows["pair"].tolist()
        self.kind: Sequence[int] = kinds.astype(np.uint8).tobytes() if kinds.max() < 256 else tuple(kinds.tolist())
        self.cseq: list[int] = rows["cseq"].tolist()
        self.from_tag: list[int] = rows["from_tag"].tolist()
        self.to_tag: list[int] = rows["to_tag"].tolist()
        self.branch: list[int] = rows["branch"].tolist()
        self.flags: bytes = ((rows["flags"] & 7) | ties).tobytes()
        self.odd = bool((ties & _ODD).any())


class _Builder:
    """Builds the dialogs of all Call-IDs of a store."""

    def __init__(self, store: MessageStore, shapes: Shapes) -> None:
        self._store = store
        self._shapes = shapes
        self._patterns = _Patterns(store)
        self._kinds: list[_Kind] = []
        self._kind_numbers: dict[int, int] = {}
        self._texts = [store.methods.text(number) for number in range(len(store.methods) + 1)]
        self._sets: dict[frozenset[Address], frozenset[Address]] = {}
        self._grouped = Grouped(store, np.zeros(0, np.uint32))
        self._several: list[tuple[tuple[HopShape, ...], list[HopDialog]]] = []
        """Shapes and dialogs of Call-IDs that have several."""
        self.found: list[tuple[float, int, int, HopDialog]] = []
        """Dialogs with what they are numbered by: time, capture and packet of the first message."""

    def all(self) -> None:
        """Build them, in order of Call-IDs."""
        rows = self._store.rows
        order = _by_call(rows)
        if len(order) == 0:
            return
        self._grouped = Grouped(self._store, order)
        call = rows["call"][order]
        starts = [*np.flatnonzero(np.concatenate(([True], call[1:] != call[:-1]))).tolist(), len(order)]
        first = 0
        while first < len(starts) - 1:
            last = first + 1
            while last < len(starts) - 1 and starts[last + 1] - starts[first] <= _AT_A_TIME:
                last += 1
            self._some(rows[order[starts[first] : starts[last]]], starts[first : last + 1])
            first = last

    def _some(self, rows: NDArray[Any], starts: list[int]) -> None:
        base = starts[0]
        triples, places = np.unique(_combined(rows), return_inverse=True)
        kinds = np.array([self._kind(triple) for triple in triples.tolist()])[places]
        columns = _Columns(rows, kinds, _ties(rows, np.array(starts[:-1]) - base))
        several = np.maximum.reduceat(rows["capture"], np.array(starts[:-1]) - base) != np.minimum.reduceat(
            rows["capture"], np.array(starts[:-1]) - base
        )
        for (start, stop), mixed in zip(pairwise(starts), several.tolist(), strict=True):
            begin, end = start - base, stop - base
            cuts = [begin, end]
            if mixed and columns.time[end - 1] - columns.time[begin] > REPEAT_LIMIT_S:
                cuts = _conversations(columns, rows["capture"], self._kinds, begin, end)
            for conversation, (here, there) in enumerate(pairwise(cuts)):
                self._one(columns, here, there, base, conversation)

    def _kind(self, combined: int) -> int:
        """The number of a method, CSeq method and status."""
        number = self._kind_numbers.get(combined)
        if number is None:
            number = self._kind_numbers[combined] = len(self._kinds)
            self._kinds.append((combined >> 40, combined >> 16 & 0xFFFFFF, combined & 0xFFFF))
        return number

    def _one(self, columns: _Columns, begin: int, end: int, base: int, conversation: int) -> None:
        """The dialogs of one use of a Call-ID."""
        count = end - begin
        pairs = columns.pair[begin:end]
        of, to = columns.from_tag[begin:end], columns.to_tag[begin:end]
        branches = list(dict.fromkeys((0, *columns.branch[begin:end])))
        tags = list(dict.fromkeys((0, *of, *to)))
        ways = tuple(dict.fromkeys(pairs))
        pattern, addresses = self._patterns.of(ways)
        cseqs = columns.cseq[begin:end]
        numbers = [
            _numbered(ways, pairs),
            _numbered(branches, columns.branch[begin:end]),
            _numbered(tags, of),
            _numbered(tags, to),
            _numbered(sorted(set(cseqs)), cseqs),
        ]
        kinds, flags = columns.kind[begin:end], columns.flags[begin:end]
        group = Group(self._store, self._grouped.slice(base + begin, base + end), addresses, branches)
        key = None
        if count <= MAX_REMEMBERED and not (columns.odd and any(flag & _ODD for flag in flags)):
            key = pattern, kinds, flags, *numbers
        shapes = self._shapes.known(key, group) if key is not None else None
        if shapes is None:
            group.begin()
            way = [pattern[number] for number in numbers[0]]
            fields = [
                (columns.time[at], columns.packet[at], *way[n], self._kinds[kinds[n]], numbers[4][n], numbers[2][n],
                 numbers[3][n], numbers[1][n], flags[n])
                for n, at in enumerate(range(begin, end))
            ]  # fmt: skip
            shapes = hop_shapes(rows_of(group, fields, self._texts))
            if key is not None:
                self._shapes.remember(key, group.trail, shapes)
        self._fill(shapes, group, tags, columns.time, begin, base, conversation)

    def _fill(
        self,
        shapes: tuple[HopShape, ...],
        group: Group,
        tags: list[int],
        times: list[float],
        begin: int,
        base: int,
        conversation: int,
    ) -> None:
        """Dialogs of shapes, with the texts and addresses of this Call-ID."""
        store, start = self._store, base + begin
        made: list[HopDialog] = []
        addresses = group.addresses
        for shape in shapes:
            first = store.row(self._grouped.order[start + shape.messages[0]])
            dialog = HopDialog(
                id=0,
                kind=shape.kind,
                call_id=made[0].call_id if made else store.call_ids.text(first[6]),
                from_tag=store.tags.text(tags[shape.from_tag]),
                to_tag=store.tags.text(tags[shape.to_tag]),
                caller=addresses[shape.caller],
                callee=addresses[shape.callee],
                transport=store.transports.text(first[17]),
                hop=shape.hop,
                state=shape.state,
                messages=DialogMessages(self._grouped, start, shape),
                transactions=DialogTransactions(self._grouped, start, shape),
                pdd_ms=_between(times, begin, shape.pdd),
                setup_ms=_between(times, begin, shape.setup),
                fork_tags=[store.tags.text(tags[tag]) for tag in shape.fork_tags],
                caller_addresses=self._set(addresses, shape.caller_addresses),
                callee_addresses=self._set(addresses, shape.callee_addresses),
                conversation=conversation,
            )
            made.append(dialog)
            self.found.append((first[0], first[14], first[5], dialog))
        if len(made) > 1:
            self._several.append((shapes, made))

    def _set(self, addresses: list[Address], numbers: frozenset[int]) -> frozenset[Address]:
        """One set for all dialogs that have the same."""
        made = frozenset(addresses[number] for number in numbers)
        if len(self._sets) >= MAX_SHAPES:
            self._sets.clear()
        return self._sets.setdefault(made, made)

    def link(self) -> list[HopDialog]:
        """Number the dialogs in order of first message and tell each its upstream and its NAT alias."""
        self.found.sort(key=lambda item: item[:3])
        dialogs = [item[3] for item in self.found]
        for number, dialog in enumerate(dialogs, 1):
            dialog.id = number
        for shapes, made in self._several:
            openings: dict[int, HopDialog] = {}
            for dialog in sorted(made, key=lambda d: d.id):
                opening = self._store.row(self._first(dialog))
                known = openings.setdefault(opening[3], dialog)
                if known is not dialog and opening[2]:
                    dialog.alias_of = known.id
            for shape, dialog in zip(shapes, made, strict=True):
                if shape.upstream >= 0:
                    dialog.upstream = made[shape.upstream].id
        return dialogs

    def _first(self, dialog: HopDialog) -> int:
        assert isinstance(dialog.messages, DialogMessages)
        return dialog.messages.index(0)


def _between(times: list[float], begin: int, places: tuple[int, int] | None) -> float | None:
    """Milliseconds between two messages, never less than 0."""
    if places is None:
        return None
    return max(0.0, (times[begin + places[1]] - times[begin + places[0]]) * 1000)


def _numbered(values: Sequence[Any], column: list[Any]) -> Sequence[int]:
    """Each value of a column by its place among `values`."""
    places = {value: place for place, value in enumerate(values)}
    numbers = map(places.__getitem__, column)
    return bytes(numbers) if len(values) <= 256 else tuple(numbers)


def _by_call(rows: NDArray[Any]) -> NDArray[np.uint32]:
    """Places of the messages that have a Call-ID: Call-ID by Call-ID, each in order of time."""
    time, call = rows["time"], rows["call"]
    order = np.arange(len(rows)) if bool((time[1:] >= time[:-1]).all()) else np.argsort(time, kind="stable")
    order = order[call[order] > 0]
    return order[np.argsort(call[order], kind="stable")].astype(np.uint32)


def _combined(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Method, CSeq method and status in one number."""
    method = rows["method"].astype(np.int64)
    combined: NDArray[np.int64] = method << 40 | rows["cseq_method"].astype(np.int64) << 16 | rows["status"]
    return combined


def _ties(rows: NDArray[Any], starts: NDArray[Any]) -> NDArray[np.uint8]:
    """Flags of messages at the time of the one before."""
    time, packet = rows["time"], rows["packet"]
    ties = np.zeros(len(rows), np.uint8)
    same = time[1:] == time[:-1]
    ties[1:][same] = _TIE
    ties[1:][same & ((packet[1:] <= packet[:-1]) | (rows["capture"][1:] != rows["capture"][:-1]))] |= _ODD
    ties[starts] = 0
    return ties


def _conversations(columns: _Columns, captures: NDArray[Any], kinds: list[_Kind], begin: int, end: int) -> list[int]:
    """Where the messages of one Call-ID, in order of time, are cut because a later file uses the Call-ID for something
    else: where a request outside a dialog comes again, branch and all, too late for a retransmission."""
    cuts = [begin]
    seen: dict[tuple[int, int, int], int] = {}
    for at in range(begin, end):
        method = kinds[columns.kind[at]][0]
        if method and columns.branch[at] and not columns.to_tag[at]:
            key = method, columns.branch[at], columns.cseq[at]
            last = seen.get(key, at)
            if columns.time[at] - columns.time[last] > REPEAT_LIMIT_S and captures[at] != captures[last]:
                cuts.append(at)
                seen.clear()
            seen[key] = at
    return [*cuts, end]


def build_dialogs(messages: MessageStore, shapes: Shapes | None = None) -> list[HopDialog]:
    """All hop-dialogs, numbered from 1 in order of first message. Messages without a Call-ID make none.

    `shapes` that are remembered from before are used again.
    """
    builder = _Builder(messages, shapes if shapes is not None else Shapes())
    builder.all()
    return builder.link()
