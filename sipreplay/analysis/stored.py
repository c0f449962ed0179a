"""A dialog's messages and transactions as views over the message store: made when somebody looks, and let go again.

Owns the few that were looked at last. Never decides what belongs to a dialog: its shape says.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

from numpy.typing import NDArray

from sipreplay.analysis.hops import HopShape, TransactionShape
from sipreplay.analysis.model import Address, CapturedMessage, MessageList, Transaction
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
        self.outlines: dict[int, tuple[HopShape, Any]] = {}
        """What `outline` has drawn, by the shape's id."""

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

    @property
    def shape(self) -> HopShape:
        """The shape of the dialog."""
        return self._shape

    @property
    def outlines(self) -> dict[int, tuple[HopShape, Any]]:
        """What is remembered of shapes."""
        return self._grouped.outlines

    def time(self, at: int) -> float:
        return float(self._grouped.store.row(self.index(at))[0])

    def rows(self) -> Iterator[tuple[tuple[Any, ...], tuple[Address, Address], bytes]]:
        """The row of the store, the addresses and the bytes of each."""
        store, order, start = self._grouped.store, self._grouped.order, self._start
        for place in self._shape.messages:
            index = order[start + place]
            row = store.row(index)
            yield row, store.pairs[row[7]], store.data_of(index)

    def data(self, at: int) -> bytes:
        """The bytes of one of them, without an object for it."""
        return self._grouped.store.data_of(self.index(at))

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


def time_of(messages: Sequence[CapturedMessage], at: int) -> float:
    """When one of a dialog's messages was captured; without an object for it, where the store has it."""
    return messages.time(at) if isinstance(messages, DialogMessages) else messages[at].time


def data_of(messages: Sequence[CapturedMessage], at: int) -> bytes:
    """The bytes of one of them, likewise."""
    return messages.data(at) if isinstance(messages, DialogMessages) else messages[at].data


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
            made = [self._make(shape) for shape in self._shape.transactions]
            if len(recent) >= RECENT:
                recent.clear()
            recent[key] = made
        return made

    def _make(self, shape: TransactionShape) -> Transaction:
        view, order, start = self._grouped.store.view, self._grouped.order, self._start
        request = view(order[start + shape.request])
        transaction = Transaction(shape.method, request.message.cseq_number, request, shape.from_caller)
        transaction.responses = [view(order[start + place]) for place in shape.responses]
        transaction.ack = view(order[start + shape.ack]) if shape.ack >= 0 else None
        return transaction

    def __len__(self) -> int:
        return len(self._shape.transactions)

    @overload
    def __getitem__(self, at: int) -> Transaction: ...
    @overload
    def __getitem__(self, at: slice) -> list[Transaction]: ...
    def __getitem__(self, at: int | slice) -> Transaction | list[Transaction]:
        if isinstance(at, slice) or (self._start, id(self._shape)) in self._grouped.recent:
            return self._made()[at]
        return self._make(self._shape.transactions[at])

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._made())
