"""The messages of an analysis as rows of numbers: 90 bytes each, and no object until one is looked at.

Owns the rows, the texts that they name by number, and the few messages that were looked at last. The bytes of messages
are in `places`. Never decides what a message is or means.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sipreplay.analysis.model import Address, CapturedMessage
from sipreplay.analysis.places import Places
from sipreplay.sip.message import Message, parse_message

RETRANSMISSION, COPY, MEDIA, SHORT = 1, 2, 4, 64
"""Flags of a row. MEDIA: it carries SDP that can be read. SHORT: Content-Length says more than there is of a body."""
RECENT = 1024
"""Messages that are kept as objects after they were looked at, at least."""

FIELDS: tuple[tuple[str, str], ...] = (
    ("time", "<f8"),
    ("place", "<i8"),
    ("branch", "<i8"),  # hash of the top Via's branch; 0 without one
    ("digest", "<i8"),  # hash of the bytes
    ("cseq", "<i8"),
    ("packet", "<u4"),
    ("call", "<u4"),  # Call-ID; 0 without one
    ("pair", "<u4"),  # source and destination
    ("length", "<u4"),
    ("from_tag", "<u4"),
    ("to_tag", "<u4"),
    ("method", "<u4"),  # 0 of a response
    ("cseq_method", "<u4"),
    ("status", "<u2"),
    ("capture", "<u2"),
    ("file", "<i2"),  # SPOOL, or the capture that holds the bytes
    ("ident", "<u2"),  # IP identification
    ("transport", "u1"),
    ("flags", "u1"),
)
ROW = np.dtype(list(FIELDS))
PACKED = struct.Struct("<dqqqqIIIIIIIIHHhHBB")
assert PACKED.size == ROW.itemsize


class Names:
    """Texts by number, from 1; 0 is "". Each is kept once."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {b"": 0}
        self.texts: list[bytes] = [b""]
        self._said: dict[int, str] = {}

    def number(self, text: bytes) -> int:
        """The number of a text, a new one if it was not seen yet."""
        number = self.numbers.get(text)
        if number is None:
            number = self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return number

    def text(self, number: int) -> str:
        """The text of a number; bytes that are no UTF-8 as surrogates."""
        return self.texts[number].decode("utf-8", "surrogateescape")

    def common(self, number: int) -> str:
        """The same, of texts of which there are few."""
        said = self._said.get(number)
        if said is None:
            said = self._said[number] = self.text(number)
        return said

    def __len__(self) -> int:
        return len(self.texts) - 1


_NAMED = {"call_id": ("call_ids", 0), "_from_tag": ("tags", 1), "_to_tag": ("tags", 2)}
"""What a row has as a number: which names it is one of."""


class StoredMessage(Message):
    """A message whose routing fields come from its row; its bytes are read when anything else is asked for."""

    __slots__ = ("_named", "_number", "_store")

    def __init__(self, store: MessageStore, index: int, row: tuple[Any, ...]) -> None:
        self._store = store
        self._number = index
        self._named = row[6], row[9], row[10]
        self.method = store.methods.common(row[11])
        self.status = row[13]
        self.cseq_number = row[4]
        self.cseq_method = store.methods.common(row[12])

    def __getattr__(self, name: str) -> Any:
        # Only what is not set comes here: texts that few ask for, and all that is in the bytes.
        if name in _NAMED:
            names, at = _NAMED[name]
            text: str = getattr(self._store, names).text(self._named[at])
            setattr(self, name, text)
            return text
        if name not in Message.__slots__:
            raise AttributeError(name)
        whole = parse_message(self._store.data_of(self._number))
        for slot in Message.__slots__:
            setattr(self, slot, getattr(whole, slot))
        return getattr(whole, name)


class MessageStore(Sequence[CapturedMessage]):
    """All messages, in the order they were taken."""

    def __init__(self, places: Places | None = None) -> None:
        self.places = places or Places()
        self.call_ids = Names()
        self.tags = Names()
        self.methods = Names()
        self.transports = Names()
        self.pairs: list[tuple[Address, Address]] = [(Address("", 0), Address("", 0))]
        """Source and destination by number, from 1."""
        self.pair_numbers: dict[tuple[Address, Address], int] = {}
        self.correlations: dict[int, str] = {}
        """By message, for the few that have one."""
        self._packed = bytearray()
        self._recent: dict[int, CapturedMessage] = {}
        """The views that were asked for last; `_older` those before them."""
        self._older: dict[int, CapturedMessage] = {}
        self._bytes: dict[int, bytes] = {}

    def pair(self, source: Address, destination: Address) -> int:
        """The number of a pair of addresses."""
        key = (source, destination)
        number = self.pair_numbers.get(key)
        if number is None:
            number = self.pair_numbers[key] = len(self.pairs)
            self.pairs.append(key)
        return number

    def append(self, *fields: Any) -> None:
        """Add a row: values in the order of FIELDS."""
        self._packed += PACKED.pack(*fields)

    def extend(self, packed: bytes | bytearray) -> None:
        """Add rows that were packed elsewhere."""
        self._packed += packed

    @property
    def packed(self) -> bytearray:
        """All rows, packed."""
        return self._packed

    @property
    def rows(self) -> NDArray[Any]:
        """All rows as an array. Drop it before more messages are added."""
        return np.frombuffer(self._packed, ROW)

    def row(self, index: int) -> tuple[Any, ...]:
        """One row, in the order of FIELDS."""
        return PACKED.unpack_from(self._packed, index * PACKED.size)

    def data_of(self, index: int) -> bytes:
        """The bytes of a message. Raises CaptureError when its capture was changed."""
        data = self._bytes.get(index)
        if data is None:
            row = self.row(index)
            data = self.places.read(row[15], row[1], row[8])
            if hash(data) != row[3]:
                raise self.places.changed(row[15])
            if len(self._bytes) >= 64:
                self._bytes.clear()
            self._bytes[index] = data
        return data

    def message_of(self, index: int) -> Message:
        """The message. Headers are read when they are asked for."""
        return StoredMessage(self, index, self.row(index))

    def counts(self) -> tuple[Counter[str], Counter[int], int]:
        """Requests by method, responses by code, and how many messages are retransmissions; copies count too."""
        rows = self.rows
        asked = np.bincount(rows["method"][rows["status"] == 0], minlength=1).tolist()
        answered = np.bincount(rows["status"], minlength=1).tolist()
        requests = Counter({self.methods.text(number): count for number, count in enumerate(asked) if count})
        responses = Counter({code: count for code, count in enumerate(answered) if code and count})
        return requests, responses, int(np.count_nonzero(rows["flags"] & RETRANSMISSION))

    def forget(self) -> None:
        """Let go of what was read for those who looked, and of the files."""
        self._recent, self._older, self._bytes = {}, {}, {}
        self.places.forget()

    def view(self, index: int) -> CapturedMessage:
        """The message as callers see it; one that is asked for again soon is the same object, later an equal one."""
        known = self._recent.get(index)
        if known is not None:
            return known
        if len(self._recent) >= RECENT:
            self._older, self._recent = self._recent, {}
        made = self._recent[index] = self._older.get(index) or self._new_view(index)
        return made

    def _new_view(self, index: int) -> CapturedMessage:
        row = PACKED.unpack_from(self._packed, index * PACKED.size)
        source, destination = self.pairs[row[7]]
        flags = row[18]
        correlations = self.correlations
        return CapturedMessage(
            row[14],
            row[5],
            row[0],
            source,
            destination,
            self.transports.common(row[17]),
            None,
            None,
            flags & RETRANSMISSION != 0,
            flags & COPY != 0,
            correlations.get(index, "") if correlations else "",
            self,
            index,
        )

    def views(self, indexes: Iterable[int]) -> list[CapturedMessage]:
        """Several messages."""
        return [self.view(index) for index in indexes]

    def __len__(self) -> int:
        return len(self._packed) // PACKED.size

    @overload
    def __getitem__(self, index: int) -> CapturedMessage: ...
    @overload
    def __getitem__(self, index: slice) -> list[CapturedMessage]: ...
    def __getitem__(self, index: int | slice) -> CapturedMessage | list[CapturedMessage]:
        if isinstance(index, slice):
            return self.views(range(*index.indices(len(self))))
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"message {index} of {size}")
        return self.view(index % size)

    def __iter__(self) -> Iterator[CapturedMessage]:
        for index in range(len(self)):
            yield self.view(index)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence):
            return self is other or (len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True)))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]
