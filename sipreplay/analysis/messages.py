"""Bytes to SIP messages: found on any port by content, several in a datagram; copies and repeats marked.

Owns what must be remembered for that (the sights of payloads and messages of the last while), bounded by constants.
Never reads packets, and never looks past single messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sipreplay.analysis.model import Address
from sipreplay.analysis.places import SPOOL, Places
from sipreplay.analysis.share import ALL, Share, call_id_of
from sipreplay.analysis.store import COPY, MEDIA, PACKED, RETRANSMISSION, SHORT, MessageStore
from sipreplay.sip.framing import salvaged
from sipreplay.sip.message import SipSyntaxError, parse_message
from sipreplay.sip.scan import scan, with_tags

COPY_WINDOW_S = 0.05
"""The same bytes between the same addresses within this time are one packet captured twice."""
REPEAT_LIMIT_S = 32.0
"""What another file shows again after more than this (64*T1, RFC 3261 17.1.1.2) is no retransmission."""
MAX_CALL_IDS = 500_000
"""Call-IDs that are followed: about 1.2 KB each. Messages of others are counted and dropped."""
MAX_MESSAGES = 20_000_000
"""Messages that are kept: 90 bytes each. Those after them are counted and dropped."""
REMEMBERED = 16_384
"""Messages among which copies and retransmissions are looked for at least, and for at least REPEAT_LIMIT_S; at most 32
times as many."""
MAX_MALFORMED = 20
"""Malformed messages whose packets are kept."""
MAX_REMEMBERED = 16
"""Sights of the same bytes (times, IP identifications) that a copy is looked for among."""
_MAX_IN_DATAGRAM = 64
_MOST_AT_ONCE = 20
"""Bits for the number of a message among those that one packet completed."""
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n")
_MARK = b"SIP/2.0"
_EMPTY = b"\r\n\r\n"
_BARE = b"\nContent-Length: 0\r\n\r\n"
"""What nearly every message without a body ends with."""

Item = tuple[int, int, int, float, int, bytes, int, int, int, int]
"""Capture, place in the order of reading, packet, time, pair of addresses, bytes, IP identification, file and offset of
the bytes (SPOOL, -1: not kept yet), transport."""


def looks_like_sip(payload: bytes) -> bool:
    """Whether the first line is a SIP start line, sound or not: names no port and reads no header."""
    if not payload or payload[0] not in _LETTERS:
        return False
    start = 0
    size = len(payload)
    while start < size and payload[start] in b"\r\n":
        start += 1
    if payload.startswith(b"SIP/", start):
        return True
    stop = payload.find(b"\n", start)
    line = payload[start:] if stop < 0 else payload[start:stop]
    return line.rstrip().upper().endswith(b" " + _MARK)


def _has_second_start(payload: bytes) -> bool:
    """Whether what may be a start line stands after the first."""
    line_end = payload.find(b"\n", 8)
    return line_end >= 0 and (
        payload.find(b"\nSIP/2.0 ", line_end) >= 0
        or payload.find(b" SIP/2.0\r\n", line_end) >= 0
        or payload.find(b" SIP/2.0\n", line_end) >= 0
    )


def _messages_in(payload: bytes) -> list[bytes]:
    """One datagram's messages: nearly always one; another may follow the body that Content-Length ends."""
    found: list[bytes] = []
    while len(found) < _MAX_IN_DATAGRAM and _has_second_start(payload):
        try:
            surplus = parse_message(payload).surplus
        except SipSyntaxError:
            break
        following = surplus.lstrip(b"\r\n")
        if not looks_like_sip(following):
            break
        found.append(payload[: len(payload) - len(surplus)])
        payload = following
    found.append(payload)
    return found


class SipCollector:
    """Takes payloads in capture order and keeps the SIP messages in them."""

    def __init__(
        self,
        media: Callable[[int, int, bytes, bytes], bool] | None = None,
        share: Share = ALL,
        places: Places | None = None,
    ) -> None:
        """`media(index, place in the order of reading, Call-ID, bytes)` is told each message that may carry SDP, and
        returns whether it does; index -1: of another share."""
        self.messages = MessageStore(places)
        self._share = share
        self._shared = share.of > 1
        self.order: list[int] = []
        """Where there are several shares: the place of each message among those of all."""
        self._taken = self._began_at = self._forget_at = 0
        """Messages so far, of all shares; and how many there were when `_began` was set."""
        self._last = (-1, 0)
        """Place in the order of reading, and number there, of the last message."""
        self.malformed = 0
        self.malformed_at: list[tuple[int, int, int]] = []
        """Of the first of them: place in the order of reading, capture, packet."""
        self.dropped = 0
        """Messages past MAX_CALL_IDS or MAX_MESSAGES."""
        self._media = media
        self._sights: dict[int, int | tuple[int, ...]] = {}
        """Hash of bytes and addresses to the message that had them, or the messages, the latest last."""
        self._older_sights: dict[int, int | tuple[int, ...]] = {}
        self._seen: dict[int, int] = {}
        """Hash of what tells a message from others to its last sight."""
        self._older_seen: dict[int, int] = {}
        self._began = 0.0

    def datagram(
        self,
        capture: int,
        packet: int,
        time: float,
        source: Address,
        destination: Address,
        transport: str,
        payload: bytes,
        ip_id: int = 0,
        correlation: str = "",
        order: int = 0,
    ) -> bool:
        """Take one datagram; `order` is its place in the order of reading. True if it was SIP, well formed or not."""
        if not payload or payload[0] not in _LETTERS:
            return False
        if with_tags(payload) is None and scan(payload) is None and not looks_like_sip(payload):
            sound = salvaged(payload)
            if sound is None:
                return False
            payload = sound
        known = len(self.messages)
        for data in _messages_in(payload):
            self._keep(capture, packet, time, source, destination, transport, data, ip_id, order)
        if correlation:
            for index in range(known, len(self.messages)):
                self.messages.correlations[index] = correlation
        return True

    def run(
        self,
        captures: Iterable[int],
        order: Iterable[int],
        packets: Iterable[int],
        times: Iterable[float],
        pairs: Iterable[int],
        payloads: Iterable[bytes],
        ids: Iterable[int],
        offsets: Iterable[int],
    ) -> None:
        """Take many UDP datagrams; `pairs` are numbers of `messages.pair`, `offsets` places in the capture file, below
        0 where it does not hold the bytes as they are."""
        self.take(self._each(zip(captures, order, packets, times, pairs, payloads, ids, offsets, strict=True)))

    def _each(self, rows: Iterable[tuple[int, int, int, float, int, bytes, int, int]]) -> Iterator[Item]:
        """The messages of datagrams."""
        transport = self._transport("UDP")
        empty, mark = _EMPTY, _MARK
        for capture, order, packet, time, pair, payload, ident, offset in rows:
            file = capture if offset >= 0 else SPOOL
            # Nothing after the end of the headers, or one start line and one Via.
            if payload.find(empty) == len(payload) - 4 or payload.count(mark) == 2:
                yield capture, order, packet, time, pair, payload, ident, file, offset, transport
                continue
            at = 0
            for data in _messages_in(payload):
                at = payload.find(data, at)
                yield capture, order, packet, time, pair, data, ident, file, offset + at, transport

    def message(
        self,
        capture: int,
        packet: int,
        time: float,
        source: Address,
        destination: Address,
        transport: str,
        data: bytes,
        order: int = 0,
    ) -> None:
        """Take one whole message that was cut out of a stream."""
        self._keep(capture, packet, time, source, destination, transport, data, 0, order)

    def finish(self) -> tuple[MessageStore, int]:
        """(messages in the order they were taken, number of payloads that looked like SIP and could not be read)."""
        for held in (self._sights, self._older_sights, self._seen, self._older_seen):
            held.clear()
        self._media = None  # who listens often holds this collector
        return self.messages, self.malformed

    def _transport(self, name: str) -> int:
        return self.messages.transports.number(name.encode())

    def _keep(
        self,
        capture: int,
        packet: int,
        time: float,
        source: Address,
        destination: Address,
        transport: str,
        data: bytes,
        ip_id: int,
        order: int,
    ) -> None:
        pair = self.messages.pair(source, destination)
        self.take(((capture, order, packet, time, pair, data, ip_id, SPOOL, -1, self._transport(transport)),))

    def take(self, items: Iterable[Item]) -> None:
        """Take messages, each alone in its bytes."""
        store = self.messages
        packed, pack = store.packed, PACKED.pack
        call_texts, call_number = store.call_ids.texts, store.call_ids.numbers.get
        tag_number, method_number = store.tags.numbers.get, store.methods.numbers.get
        new_tag, new_method = store.tags.number, store.methods.number
        shared, media = self._shared, self._media
        index, taken = len(store), self._taken
        sights_now, sights_before, seen_now, seen_before = self._remembered()
        for capture, order, packet, time, pair, data, ident, file, place, transport in items:
            taken += 1
            if taken >= self._forget_at:
                self._forget_some(time, taken)
                sights_now, sights_before, seen_now, seen_before = self._remembered()
            if shared and not self._is_ours(order, data):
                continue
            digest = hash(data)
            key = digest ^ pair
            sights = sights_now.get(key)
            if sights is None:
                sights = sights_before.get(key)
            flags = 0
            if sights is None:
                found = with_tags(data)
                if found is not None:
                    code, method, branch, from_tag, to_tag, call_id, number, cseq_method = found.groups(b"")
                    status, cseq, routed = int(code) if code else 0, int(number), True
                else:
                    fields = _slowly(data)
                    if fields is None:
                        self._taken = taken
                        self._salvage((capture, order, packet, time, pair, data, ident, SPOOL, -1, transport))
                        index, taken = len(store), self._taken
                        sights_now, sights_before, seen_now, seen_before = self._remembered()
                        continue
                    status, method, branch, from_tag, to_tag, call_id, cseq, cseq_method, routed = fields
                call = call_number(call_id)
                if call is None:
                    call = self._new_call(call_id)
                if call < 0 or index >= MAX_MESSAGES:
                    self.dropped += 1
                    continue
                of = tag_number(from_tag) or new_tag(from_tag)
                to = tag_number(to_tag) or new_tag(to_tag)
                method_at = method_number(method) or new_method(method)
                cseq_at = method_number(cseq_method) or new_method(cseq_method)
                branch_hash = hash(branch)
                # A provisional response that differs (another RSeq, SDP added) says something new, and so does a
                # response without a branch to know it by.
                if branch_hash and routed and not 0 < status < 200:
                    same = hash((pair, call, branch_hash, cseq, cseq_at, method_at, status, to if status else 0))
                    last = seen_now.get(same)
                    if last is None:
                        last = seen_before.get(same)
                    seen_now[same] = index
                    if last is not None and self._goes_on(last, capture, time):
                        flags = RETRANSMISSION
                sights_now[key] = index
            else:
                if index >= MAX_MESSAGES:
                    self.dropped += 1
                    continue
                if isinstance(sights, int):
                    sights = (sights,)
                flags = self._again(sights, capture, time, ident)
                sights_now[key] = (*sights[1 - MAX_REMEMBERED :], index)
                first = store.row(sights[-1])
                branch_hash, cseq, call, of, to, method_at, cseq_at, status = (
                    first[2], first[4], first[6], first[9], first[10], first[11], first[12], first[13],
                )  # fmt: skip
            if not data.endswith(_BARE):
                if media is not None and not flags & COPY and (b"\nm=" in data or b": gzip" in data):
                    flags |= MEDIA * media(index, order, call_texts[call], data)
                if _is_short(data):
                    flags |= SHORT
            if file == SPOOL:
                place = store.places.spool(data)
            packed += pack(
                time, place, branch_hash, digest, cseq, packet, call, pair, len(data), of, to, method_at, cseq_at,
                status, capture, file, ident, transport, flags,
            )  # fmt: skip
            index += 1
            if shared:
                self.order.append(self._last[0] << _MOST_AT_ONCE | self._last[1])
        self._taken = taken

    def _new_call(self, call_id: bytes) -> int:
        """The number of a Call-ID that was not seen yet; -1 when there are too many."""
        calls = self.messages.call_ids
        return calls.number(call_id) if len(calls) < MAX_CALL_IDS // self._share.of else -1

    def broken(self, order: int, capture: int, packet: int) -> None:
        """Count what looks like SIP and cannot be read; the first places are kept."""
        self.malformed += 1
        if len(self.malformed_at) < MAX_MALFORMED:
            self.malformed_at.append((order, capture, packet))

    def _salvage(self, item: Item) -> None:
        """Take what can be read of a message whose beginning cannot."""
        data = item[5]
        sound = salvaged(data)
        if sound is None or sound == data:
            if looks_like_sip(data):
                self.broken(item[1], item[0], item[2])
        else:
            self.take(((*item[:5], sound, *item[6:]),))

    def _is_ours(self, order: int, data: bytes) -> bool:
        """Whether a message is of this share; of others, what their SDP announces is told all the same."""
        self._last = (order, self._last[1] + 1 if self._last[0] == order else 0)
        call_id = call_id_of(data)
        if self._share.has_call(call_id):
            return True
        if self._media is not None and b"\nm=" in data:
            self._media(-1, order, call_id, data)
        return False

    def _goes_on(self, last: int, capture: int, time: float) -> bool:
        """Whether what was seen at `last` may be sent again now."""
        row = self.messages.row(last)
        return bool(row[14] == capture or abs(time - row[0]) <= REPEAT_LIMIT_S)

    def _again(self, sights: tuple[int, ...], capture: int, time: float, ident: int) -> int:
        """The flag of bytes that were seen before between the same addresses.

        All sights count, not the last: another file may show a packet again after its retransmissions.
        """
        rows = [self.messages.row(index) for index in sights]
        if any((ident and row[16] == ident) or abs(time - row[0]) < COPY_WINDOW_S for row in rows):
            return COPY
        if rows[-1][14] == capture or any(abs(time - row[0]) <= REPEAT_LIMIT_S for row in rows):
            return RETRANSMISSION
        return 0

    def _remembered(self) -> tuple[dict[int, Any], dict[int, Any], dict[int, int], dict[int, int]]:
        """The sights of messages, and of what they say, each lately and before that."""
        return self._sights, self._older_sights, self._seen, self._older_seen

    def _forget_some(self, time: float, taken: int) -> None:
        """Let go of what was seen long ago."""
        self._forget_at = taken + REMEMBERED // 32
        since = taken - self._began_at
        if since < REMEMBERED or (0 <= time - self._began <= REPEAT_LIMIT_S and since < 32 * REMEMBERED):
            return
        self._began, self._began_at = time, taken
        self._older_sights, self._sights = self._sights, {}
        self._older_seen, self._seen = self._seen, {}


def _is_short(data: bytes) -> bool:
    """Whether Content-Length says more than there is of a body."""
    end = data.find(b"\r\n\r\n")
    at = data.find(b"\nContent-Length: ", 0, end + 2) if end >= 0 else -1
    if at >= 0:
        said = data[at + 17 : data.find(b"\r", at)]
        if said.isdigit() and len(said) < 10 and int(said) <= len(data) - end - 4:
            return False
    elif _LENGTH.search(data) is None:
        return False
    try:
        return parse_message(data).missing > 0
    except SipSyntaxError:
        return False


_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:", re.IGNORECASE)


_Fields = tuple[int, bytes, bytes, bytes, bytes, bytes, int, bytes, bool]
"""Status, method, branch, From-tag, To-tag, Call-ID, CSeq number and method, and whether it was well formed."""


def _slowly(data: bytes) -> _Fields | None:
    """The fields of a message that is written unusually, or None when it cannot be read or is no SIP."""
    scanned = scan(data)
    if scanned is None and not looks_like_sip(data):
        return None
    try:
        message = parse_message(data, scanned)
    except SipSyntaxError:
        return None
    texts = message.method, message.branch, message.from_tag, message.to_tag, message.call_id, message.cseq_method
    method, branch, from_tag, to_tag, call_id, cseq_method = (t.encode("utf-8", "surrogateescape") for t in texts)
    return (
        message.status,
        method,
        branch,
        from_tag,
        to_tag,
        call_id,
        message.cseq_number,
        cseq_method,
        scanned is not None,
    )
