"""What lies between TCP directions and SIP messages: TLS, WebSocket and framing, connection by connection.

Owns the table of connections, bounded, and says what could not be read. Never reorders segments and never reads a SIP
message beyond its framing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sipreplay.capture.channel import Channel, Found
from sipreplay.capture.tcp import MAX_DIRECTIONS, Direction, Piece


class Origin(NamedTuple):
    """Where a payload came from. Addresses are numeric text."""

    packet: int
    time: float
    source: str
    source_port: int
    destination: str
    destination_port: int
    correlation: str = ""
    """What a HEP capture agent said ties packets to a call (chunk 17), or ""."""
    transport: str = "UDP"
    """What carried a datagram, as a HEP capture agent told; "UDP" where the packet itself was seen."""
    capture: int = 0
    """Index of the file among those read together."""
    place: int = 0
    """In the order of reading, from 1, over all files."""


class Noting(Protocol):
    """Takes a problem: the number of a packet (0 for none), the text, and the file it is of."""

    def __call__(self, packet: int, what: str, capture: int = 0) -> None: ...


class MessageTaker(Protocol):
    """Who is given what streams hold."""

    def message(self, origin: Origin, data: bytes, transport: str) -> None:
        """A whole SIP message out of a stream. `origin`: the packet that completed it. Transport: TCP, TLS, WS, WSS."""

    def broken(self, origin: Origin) -> None:
        """A SIP message of which a part is lost."""


class _Side:
    """One direction of a connection."""

    __slots__ = ("channel", "used")

    def __init__(self) -> None:
        self.channel = Channel()
        self.used = False


class _Connection:
    """Both directions of a TCP connection."""

    __slots__ = ("sides",)

    def __init__(self) -> None:
        self.sides: dict[Direction, _Side] = {}


class StreamLayers:
    """All connections of a capture."""

    def __init__(self, note: Noting) -> None:
        self._note = note
        self._connections: dict[Direction, _Connection] = {}
        """By either direction."""

    def take(self, direction: Direction, origin: Origin, pieces: list[Piece], taker: MessageTaker) -> bool:
        """The next bytes of a direction. Returns whether there is any use in more."""
        wanted = False
        for piece in pieces:
            wanted = self._piece(direction, origin, piece, taker) or wanted
        return wanted

    def finish(self, origin: Callable[[Direction], Origin], taker: MessageTaker) -> None:
        """At the end of the capture."""
        for direction, connection in self._connections.items():
            side = connection.sides.get(direction)
            if side is not None and (head := side.channel.finish()):
                self._broken(origin(direction), head, "has no end in the capture", taker)
        self._connections.clear()

    def _piece(self, direction: Direction, origin: Origin, piece: Piece, taker: MessageTaker) -> bool:
        connection = self._connections.get(direction)
        side = connection.sides.get(direction) if connection is not None else None
        if connection is None or side is None or (piece.begins and side.used):
            side = self._open(direction, piece).sides[direction]
        side.used = True
        found = side.channel.feed(piece.payload, piece.missing, piece.begins)
        self._hand_on(origin, piece.missing, found, "TCP", taker)
        return found.useful

    def _hand_on(self, origin: Origin, missing: int, found: Found, transport: str, taker: MessageTaker) -> None:
        if missing and found.useful:
            self._lost(origin, missing, found.broken, taker)
        for data in found.messages:
            taker.message(origin, data, transport)

    def _open(self, direction: Direction, piece: Piece) -> _Connection:
        """The connection of a direction that was not seen before, or begins anew."""
        source, destination, ports = direction
        reverse = (destination, source, (ports & 0xFFFF) << 16 | ports >> 16)
        connection = self._connections.get(direction)
        if connection is None or direction in connection.sides:
            while len(self._connections) >= 2 * MAX_DIRECTIONS:
                del self._connections[next(iter(self._connections))]
            connection = self._connections[direction] = self._connections[reverse] = _Connection()
        connection.sides[direction] = _Side()
        return connection

    def _lost(self, origin: Origin, missing: int, head: bytes, taker: MessageTaker) -> None:
        """Say which bytes are missing, and which message they belonged to."""
        went_on = "reading went on at the next message"
        if head:
            went_on = f"{_start_line(head)} is lost with them; {went_on}"
            taker.broken(origin)
        text = f"{missing} bytes of the TCP stream {_way(origin)} are missing; {went_on}"
        self._note(origin.packet, text, origin.capture)

    def _broken(self, origin: Origin, head: bytes, why: str, taker: MessageTaker) -> None:
        taker.broken(origin)
        self._note(origin.packet, f"{_start_line(head)} in the TCP stream {_way(origin)} {why}", origin.capture)


def _way(origin: Origin) -> str:
    return f"{origin.source}:{origin.source_port} to {origin.destination}:{origin.destination_port}"


def _start_line(head: bytes) -> str:
    """A message's first line, shortened, to be shown."""
    line = head.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")[:80]
    text = line.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
