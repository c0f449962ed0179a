"""A dialog's messages and transactions as views over the message store: made when somebody looks, and let go again.

Owns the few that were looked at last. Never decides what belongs to a dialog: its shape says.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

from numpy.typing import NDArray

from sipreplay.analysis.hops import HopShape
from sipreplay.analysis.model import CapturedMessage, MessageList, Transaction
from sipreplay.analysis.store import MessageStore

RECENT = 256
"""Dialogs whose transactions are kept after somebody looked at them."""


class Grouped:
    """The messages of a store, Call-ID by Call-ID."""

    def __init__(self, store: MessageStore, order: NDArray[Any]) -> None:
        self.store = store
        self.order = array("I", order.tobytes())
        """Indexes in the store."""
        self.recent: dict[tuple[int, int], list[Transaction]] = {}

    def slice(self, start: int, stop: int) -> array[int]:
        """Some of the indexes."""
        return self.order[start:stop]


class DialogMessages(MessageList):
    """The messages of a dialog."""

    __slots__ = ("_grouped", "_shape", "_start")

    def __init__(self, grouped: Grouped, start: int, shape: HopShape) -> None:
        self._grouped = grouped
        self._start = start
        self._shape = shape

    def index(self, at: int) -> int:  # type: ignore[override]
        """The index in the store of one of them."""
        return self._grouped.order[self._start + self._shape.messages[at]]

    def time(self, at: int) -> float:
        return float(self._grouped.store.row(self.index(at))[0])

    def opening(self) -> tuple[bytes, str]:
        """Bytes and correlation id of the first, without an object for it."""
        store, index = self._grouped.store, self.index(0)
        return store.data_of(index), store.correlations.get(index, "") if store.correlations else ""

    @property
    def methods(self) -> frozenset[str]:
        return self._shape.methods

    def media(self) -> Iterator[tuple[int, bool, float, tuple[int, int]]]:
        order, row, start = self._grouped.order, self._grouped.store.row, self._start
        for place, from_caller in self._shape.media:
            index = order[start + place]
            fields = row(index)
            yield index, from_caller, fields[0], (fields[14], fields[5])

    def __len__(self) -> int:
        return len(self._shape.messages)

    @overload
    def __getitem__(self, at: int) -> CapturedMessage: ...
    @overload
    def __getitem__(self, at: slice) -> list[CapturedMessage]: ...
    def __getitem__(self, at: int | slice) -> CapturedMessage | list[CapturedMessage]:
        store, order, start = self._grouped.store, self._grouped.order, self._start
        if isinstance(at, slice):
            return [store.view(order[start + place]) for place in self._shape.messages[at]]
        return store.view(order[start + self._shape.messages[at]])

    def __iter__(self) -> Iterator[CapturedMessage]:
        view, order, start = self._grouped.store.view, self._grouped.order, self._start
        for place in self._shape.messages:
            yield view(order[start + place])


class DialogTransactions(Sequence[Transaction]):
    """The transactions of a dialog."""

    __slots__ = ("_grouped", "_shape", "_start")

    def __init__(self, grouped: Grouped, start: int, shape: HopShape) -> None:
        self._grouped = grouped
        self._start = start
        self._shape = shape

    def _made(self) -> list[Transaction]:
        key = self._start, id(self._shape)
        recent = self._grouped.recent
        made = recent.get(key)
        if made is None:
            view, order, start = self._grouped.store.view, self._grouped.order, self._start
            made = []
            for shape in self._shape.transactions:
                request = view(order[start + shape.request])
                transaction = Transaction(shape.method, request.message.cseq_number, request, shape.from_caller)
                transaction.responses = [view(order[start + place]) for place in shape.responses]
                transaction.ack = view(order[start + shape.ack]) if shape.ack >= 0 else None
                made.append(transaction)
            if len(recent) >= RECENT:
                recent.clear()
            recent[key] = made
        return made

    def __len__(self) -> int:
        return len(self._shape.transactions)

    @overload
    def __getitem__(self, at: int) -> Transaction: ...
    @overload
    def __getitem__(self, at: slice) -> list[Transaction]: ...
    def __getitem__(self, at: int | slice) -> Transaction | list[Transaction]:
        return self._made()[at]

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._made())
