"""The pcapng format: sections, interfaces and the packet blocks of a chunk.

Reads both byte orders (a section each), any time resolution, several interfaces with their own link types, and the
three packet blocks; collects decryption secrets and skips every other block. Never opens files; the reader hands it
bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from sipreplay.capture import link as links
from sipreplay.capture.batch import MAX_PACKET, Batch, Bytes, Int, words

SECTION = 0x0A0D0D0A
INTERFACE = 1
OLD_PACKET = 2
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
DECRYPTION_SECRETS = 10
MAX_SECRETS_BYTES = 16 << 20
"""Decryption secrets kept from one file; later ones are noted and left out."""
_PACKETS = (ENHANCED_PACKET, OLD_PACKET, SIMPLE_PACKET)
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14
_MAX_INTERFACES = 65536


def is_pcapng(start: bytes) -> bool:
    """Whether a file that starts so is pcapng."""
    return start[:4] == b"\x0a\x0d\x0d\x0a" and start[8:12] in _ORDERS


@dataclass(frozen=True, slots=True)
class Interface:
    """What an interface description block says."""

    link: int
    snap_length: int
    exponent: int = 6
    """A time unit is base ** -exponent seconds."""
    base: int = 10
    offset_s: int = 0

    def nanoseconds(self, ticks: Int) -> Int:
        """Times in nanoseconds since the epoch; `ticks` are the raw 64-bit values."""
        if self.base == 10 and self.exponent <= 9:
            time: Int = ticks * 10 ** (9 - self.exponent)
        elif self.base == 10:
            time = ticks // 10 ** (self.exponent - 9)
        else:
            whole, part = ticks >> self.exponent, ticks & ((1 << self.exponent) - 1)
            time = whole * 1_000_000_000 + (part * (1e9 / 2.0**self.exponent)).astype(np.int64)
        return time + self.offset_s * 1_000_000_000


class PcapngRecords:
    """Cuts chunks into batches. `damage` says why reading stopped before the end, if it did."""

    format = "pcapng"

    def __init__(self) -> None:
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._links: dict[int, None] = {}
        self._unreadable: dict[int, list[int]] = {}
        """Link type that cannot be read to [first packet, packets]."""
        self._skip = 0
        self._next = 1
        self._last_ns = 0
        self._orphans = [0, 0]
        """First packet without an interface, and how many there are."""
        self.secrets: list[tuple[int, bytes]] = []
        """Decryption secrets so far: (type, such as 0x544C534B for a TLS key log; its bytes)."""
        self._secrets_bytes = 0
        self._secrets_lost = 0
        self.damage = ""

    def links(self) -> list[int]:
        """Link types of all interfaces so far, in order."""
        return list(self._links)

    @property
    def next_packet(self) -> int:
        """Number of the packet that comes next."""
        return self._next

    def problems(self) -> list[tuple[int, str]]:
        """Packet number and text of what was skipped."""
        found = [
            (
                first,
                f"{count} packets of link type {link} ({links.name_of(link)}) skipped; read are {links.supported()}",
            )
            for link, (first, count) in self._unreadable.items()
        ]
        if self._orphans[1]:
            found.append((self._orphans[0], f"{self._orphans[1]} packets name an interface that was not described"))
        if self._secrets_lost:
            limits = f"more than {MAX_PACKET >> 20} MiB, or {MAX_SECRETS_BYTES >> 20} MiB in all"
            found.append((0, f"{self._secrets_lost} blocks of decryption secrets were left out: {limits}"))
        return sorted(found)

    def missing(self, left: int) -> str:
        """What to say of `left` bytes after the last whole block."""
        return "the file ends in the middle of a block" if left or self._skip else ""

    def batch(self, buffer: Bytes, start: int, end: int) -> tuple[list[Batch], int]:
        """The whole packet blocks between two offsets, and the offset of the first block that is not whole.

        A new section ends a batch: byte order and interface numbers start over.
        """
        out: list[Batch] = []
        view = buffer.data
        position = start
        if self._skip:
            step = min(self._skip, end - position)
            self._skip -= step
            position += step
        packets: list[int] = []
        odd: list[tuple[int, int]] = []
        block_at = struct.Struct(self._order + "II").unpack_from
        append = packets.append
        while position + 12 <= end:
            kind, length = block_at(view, position)
            if kind == ENHANCED_PACKET and position + length <= end and length >= 32:
                append(position)
                position += length
                continue
            if kind == SECTION:
                self._flush(out, buffer, packets, odd)
                order = _ORDERS.get(bytes(view[position + 8 : position + 12]))
                if order is None:
                    self.damage = "section header without byte-order magic"
                    break
                length = struct.unpack_from(order + "I", view, position + 4)[0]
                block_at = struct.Struct(order + "II").unpack_from
            if length < 12 or length % 4:
                self.damage = f"block length of {length} bytes"
                break
            if position + length > end:
                if kind not in (SECTION, INTERFACE, *_PACKETS) and (kind != DECRYPTION_SECRETS or length > MAX_PACKET):
                    self._secrets_lost += kind == DECRYPTION_SECRETS
                    self._skip = length - (end - position)
                    position = end
                elif length > MAX_PACKET:
                    self.damage = f"block length of {length} bytes"
                break
            if kind == SECTION:
                self._order, self._interfaces = order or "<", []
            elif kind == INTERFACE:
                self._describe(bytes(view[position : position + length]))
            elif kind == DECRYPTION_SECRETS:
                self._keep_secrets(bytes(view[position + 8 : position + length - 4]))
            elif kind in _PACKETS and length >= (16 if kind == SIMPLE_PACKET else 32):
                odd.append((len(packets), kind))
                append(position)
            position += length
        self._flush(out, buffer, packets, odd)
        return out, position

    def _keep_secrets(self, body: bytes) -> None:
        """Keep a decryption secrets block: type, length, secrets, options."""
        if len(body) < 8:
            return
        kind, length = struct.unpack_from(self._order + "II", body)
        secrets = body[8 : 8 + length]
        if len(body) > MAX_PACKET or self._secrets_bytes + len(secrets) > MAX_SECRETS_BYTES:
            self._secrets_lost += 1
            return
        self._secrets_bytes += len(secrets)
        self.secrets.append((kind, secrets))

    def _describe(self, block: bytes) -> None:
        """Add an interface. Options that are malformed leave the defaults."""
        if len(self._interfaces) >= _MAX_INTERFACES or len(block) < 20:
            return
        order = self._order
        link, _, snap = struct.unpack_from(order + "HHI", block, 8)
        exponent, base, offset = 6, 10, 0
        position = 16
        while position + 4 <= len(block) - 4:
            code, length = struct.unpack_from(order + "HH", block, position)
            value = block[position + 4 : position + 4 + length]
            if code == 0:
                break
            if code == _OPTION_RESOLUTION and len(value) >= 1:
                base, exponent = (2 if value[0] & 0x80 else 10), value[0] & 0x7F
            elif code == _OPTION_OFFSET and len(value) >= 8:
                offset = struct.unpack_from(order + "q", value)[0]
            position += 4 + (length + 3) // 4 * 4
        # Finer than 2^-62 or 10^-18 s leaves no second in 64 bits.
        exponent = min(exponent, 62 if base == 2 else 18)
        self._interfaces.append(Interface(link, snap, exponent, base, max(-(2**32), min(offset, 2**32))))
        self._links[link] = None

    def _flush(self, out: list[Batch], buffer: Bytes, packets: list[int], odd: list[tuple[int, int]]) -> None:
        """Make a batch of the packet blocks found so far in this section."""
        if not packets:
            return
        at = np.array(packets, np.int64)
        fields = words(buffer, at, self._order, 7).astype(np.int64)
        interface, high, low = fields[:, 2], fields[:, 3], fields[:, 4]
        captured, original = fields[:, 5], fields[:, 6]
        offset = at + 28
        room = fields[:, 1] - 32
        ticks = (high << 32) | low
        timeless = np.zeros(len(at), bool)
        for index, kind in odd:
            if kind == OLD_PACKET:
                interface[index] = struct.unpack_from(self._order + "H", buffer.data, packets[index] + 8)[0]
                continue
            original[index] = fields[index, 2]
            interface[index], offset[index], room[index] = 0, at[index] + 12, fields[index, 1] - 16
            snap = self._interfaces[0].snap_length if self._interfaces else 0
            captured[index] = min(original[index], snap or original[index])
            timeless[index] = True
        captured = np.minimum(captured, np.maximum(room, 0))
        link, time_ns = self._of_interfaces(interface, ticks)
        if not isinstance(link, int):
            timeless |= link < 0
        self._carry_time(time_ns, timeless)
        first, self._next = self._next, self._next + len(at)
        self._note_unreadable(link, first, len(at))
        out.append(Batch(buffer, first, offset, captured, original, time_ns, link))
        packets.clear()
        odd.clear()

    def _of_interfaces(self, interface: Int, ticks: Int) -> tuple[Int | int, Int]:
        """Link type and time of each packet."""
        if len(self._interfaces) == 1 and not interface.any():
            only = self._interfaces[0]
            return only.link, only.nanoseconds(ticks)
        link, time_ns = np.full(len(interface), -1), np.zeros(len(interface), np.int64)
        for number in np.unique(interface).tolist():
            some = interface == number
            if number < len(self._interfaces):
                link[some] = self._interfaces[number].link
                time_ns[some] = self._interfaces[number].nanoseconds(ticks[some])
        return link, time_ns

    def _carry_time(self, time_ns: Int, timeless: Any) -> None:
        """Simple packet blocks, and packets of no known interface, have no time: they take that of the one before."""
        for index in np.flatnonzero(timeless).tolist():
            time_ns[index] = time_ns[index - 1] if index else self._last_ns
        self._last_ns = int(time_ns[-1])

    def _note_unreadable(self, link: Int | int, first: int, count: int) -> None:
        if isinstance(link, int):
            if link in links.NAMES:
                return
            link = np.full(count, link)
        for number in np.unique(link).tolist():
            if number in links.NAMES:
                continue
            at = np.flatnonzero(link == number)
            if number < 0:
                self._orphans = [self._orphans[0] or int(at[0]) + first, self._orphans[1] + len(at)]
                continue
            self._unreadable.setdefault(number, [int(at[0]) + first, 0])[1] += len(at)
