"""Bytes to SIP messages: found on any port by content, several in a datagram; copies and repeats marked.

Owns what must be remembered for that (last sight of each payload, keys of messages seen), bounded by the number of
messages and by constants. Never reads packets, and never looks past single messages.
"""

from __future__ import annotations

from sipreplay.analysis.model import Address, CapturedMessage
from sipreplay.sip.message import Message, SipSyntaxError, parse_message
from sipreplay.sip.scan import Scan, scan

COPY_WINDOW_S = 0.05
"""The same bytes between the same addresses within this time are one packet captured twice."""
REPEAT_LIMIT_S = 32.0
"""What another file shows again after more than this (64*T1, RFC 3261 17.1.1.2) is no retransmission."""
MAX_REMEMBERED = 16
"""Sights of the same bytes (times, IP identifications) that a copy is looked for among."""
_MAX_IN_DATAGRAM = 64
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n")
_MARK = b"SIP/2.0"

_Sight = tuple[tuple[float, ...], tuple[int, ...], bytes, Message, int]
"""Times, IP identifications, bytes, message and the last capture that held it."""


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

    def __init__(self) -> None:
        self.messages: list[CapturedMessage] = []
        self.malformed = 0
        self._sights: dict[tuple[Address, Address, bytes], _Sight] = {}
        self._seen: dict[tuple[object, ...], int] = {}
        """What tells a message from others, to the place of its last sight in `messages`."""

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
    ) -> bool:
        """Take one datagram. True if it was SIP, well formed or not."""
        if not payload or payload[0] not in _LETTERS:
            return False
        scanned = scan(payload)
        if scanned is None and not looks_like_sip(payload):
            return False
        known = len(self.messages)
        for data in _messages_in(payload):
            self._add(
                capture, packet, time, source, destination, transport, data, ip_id, scanned if data is payload else None
            )
        if correlation:
            for captured in self.messages[known:]:
                captured.correlation = correlation
        return True

    def message(
        self, capture: int, packet: int, time: float, source: Address, destination: Address, transport: str, data: bytes
    ) -> None:
        """Take one whole message that was cut out of a stream."""
        self._add(capture, packet, time, source, destination, transport, data, 0)

    def finish(self) -> tuple[list[CapturedMessage], int]:
        """(messages in the order they were taken, number of payloads that looked like SIP and could not be read)."""
        self._sights.clear()
        self._seen.clear()
        return self.messages, self.malformed

    def _add(
        self,
        capture: int,
        packet: int,
        time: float,
        source: Address,
        destination: Address,
        transport: str,
        data: bytes,
        ip_id: int,
        scanned: Scan | None = None,
    ) -> None:
        sight_key = (source, destination, data)
        sight = self._sights.get(sight_key)
        if sight is not None:
            times, ids, data, message, last = sight
            # All sights, not the last: another file may show a packet again after its retransmissions.
            copy = (ip_id != 0 and ip_id in ids) or any(abs(time - seen) < COPY_WINDOW_S for seen in times)
            retransmission = not copy and (capture == last or any(abs(time - seen) <= REPEAT_LIMIT_S for seen in times))
            if ip_id and ip_id not in ids:
                ids = (*ids[1 - MAX_REMEMBERED :], ip_id)
            self._sights[sight_key] = ((*times[1 - MAX_REMEMBERED :], time), ids, data, message, capture)
        else:
            scanned = scanned or scan(data)
            try:
                message = parse_message(data, scanned)
            except SipSyntaxError:
                self.malformed += 1
                return
            message.read_tags()  # while its bytes are near: dialogs ask for them when all has been collected
            copy = False
            retransmission = scanned is not None and self._seen_before(
                capture, time, source, destination, scanned, message
            )
            self._sights[sight_key] = ((time,), (ip_id,) if ip_id else (), data, message, capture)
        self.messages.append(
            CapturedMessage(capture, packet, time, source, destination, transport, data, message, retransmission, copy)
        )

    def _seen_before(
        self, capture: int, time: float, source: Address, destination: Address, scanned: Scan, message: Message
    ) -> bool:
        """Whether other bytes were already this message: the same request, or the same final response, built anew.

        A provisional response that differs (another RSeq, SDP added) says something new, and so does a response without
        a branch to know it by.
        """
        if 0 < scanned.code < 200 or not scanned.branch:
            return False
        to_tag = message.to_tag if scanned.code else ""
        key = (
            source,
            destination,
            scanned.call_id,
            scanned.branch,
            scanned.cseq_number,
            scanned.cseq_method,
            scanned.method,
            scanned.code,
            to_tag,
        )
        place = self._seen.get(key)
        self._seen[key] = len(self.messages)
        if place is None:
            return False
        last = self.messages[place]
        return last.capture == capture or abs(time - last.time) <= REPEAT_LIMIT_S
