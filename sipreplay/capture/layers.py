"""What lies between TCP directions and SIP messages: TLS, WebSocket and framing, connection by connection.

Owns the table of connections, bounded, and says what could not be read. Never reorders segments and never reads a SIP
message beyond its framing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sipreplay.capture.channel import Channel, Found
from sipreplay.capture.tcp import MAX_DIRECTIONS, Direction, Piece
from sipreplay.capture.tls import NO_LOG, NOT_IN_LOG, Secrets, TlsConnection
from sipreplay.capture.tls_keys import KeyLog
from sipreplay.capture.tls_records import looks_like_tls
from sipreplay.capture.websocket import WebSession
from sipreplay.sip.uri import join_host_port

MAX_HELD = 64 << 20
"""Bytes of unfinished messages and records, all connections together."""
MAX_SESSIONS = 10_000
"""TLS connections that are listed."""
_NAMED = 8


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


@dataclass(frozen=True, slots=True)
class TlsSession:
    """One TLS connection as the capture shows it."""

    client: str
    client_port: int
    server: str
    server_port: int
    capture: int
    """Index of the capture file."""
    packet: int
    """The first packet of it that held TLS, from 1."""
    time: float
    """Of that packet, seconds since the epoch."""
    version: str
    """Such as "TLS 1.3"; "" where the handshake does not show it."""
    server_name: str
    """What the client asked for (SNI), or ""."""
    protocols: tuple[str, ...]
    """ALPN protocols that the client offered, such as "sip"."""
    decrypted: bool
    """Whether anything of it could be read."""
    records: int
    """Application records that were decrypted."""
    failed: int
    """Records that did not open with the secrets at hand."""
    why: str
    """Why it, or the rest of it, could not be read; "" where all could."""


class _Side:
    """One direction of a connection."""

    __slots__ = ("channel", "held", "number", "used")

    def __init__(self, number: int, web: WebSession) -> None:
        self.number = number
        """0 or 1."""
        self.channel = Channel(web)
        self.used = False
        self.held = 0
        """Bytes that are kept for later."""


class _Connection:
    """Both directions of a TCP connection."""

    __slots__ = ("origin", "sides", "tls", "ways")

    def __init__(self, ways: tuple[Direction, Direction], origin: Origin) -> None:
        self.ways = ways
        web = WebSession()
        self.sides = {way: _Side(number, web) for number, way in enumerate(ways)}
        self.tls: TlsConnection | None = None
        self.origin = origin
        """Of its first bytes, or of those that began TLS; as if the first direction had sent them."""


class StreamLayers:
    """All connections of a capture."""

    def __init__(self, note: Noting, keys: KeyLog | None = None) -> None:
        self._note = note
        self._secrets = Secrets(keys if keys is not None else KeyLog())
        self._connections: dict[Direction, _Connection] = {}
        """By either direction."""
        self._held = 0
        self.dropped = 0
        """Bytes of unfinished messages and records that were given up to keep within MAX_HELD."""
        self.tls: list[TlsSession] = []
        """TLS connections that are over, in order of their end; at most MAX_SESSIONS."""
        self.tls_unlisted = 0
        """How many more there were."""

    @property
    def held(self) -> int:
        """Bytes of unfinished messages and records that are kept now."""
        return self._held

    def take(self, direction: Direction, origin: Origin, pieces: list[Piece], taker: MessageTaker) -> bool | None:
        """The next bytes of a direction. Returns whether there is any use in more; None: certainly never."""
        wanted: bool | None = False
        for piece in pieces:
            now = self._piece(direction, origin, piece, taker)
            wanted = wanted or now
        return wanted

    def finish(self, origin: Callable[[Direction], Origin], taker: MessageTaker) -> None:
        """At the end of the capture."""
        for direction, connection in self._connections.items():
            if head := connection.sides[direction].channel.finish():
                self._broken(origin(direction), head, "has no end in the capture", taker)
        for connection in {id(each): each for each in self._connections.values()}.values():
            self._close(connection)
        self._connections.clear()
        self._note_unread()
        if self.dropped:
            self._note(
                0, f"{self.dropped} bytes of unfinished messages in TCP streams were dropped: too many at a time"
            )

    def _note_unread(self) -> None:
        """Say which TLS connections could not be read, and why."""
        unread: dict[str, Counter[str]] = {}
        for session in self.tls:
            if not session.decrypted and session.why:
                servers = unread.setdefault(session.why, Counter())
                servers[join_host_port(session.server, session.server_port)] += 1
        for why, servers in unread.items():
            named = ", ".join(f"{server} ({count})" for server, count in servers.most_common(_NAMED))
            more = f" and {len(servers) - _NAMED} more" if len(servers) > _NAMED else ""
            remedy = (
                "; give the key log of the client or the server with --keylog" if why in (NO_LOG, NOT_IN_LOG) else ""
            )
            count = servers.total()
            what = "TLS connection" if count == 1 else "TLS connections"
            self._note(0, f"{count} {what} could not be read, as {why}: to {named}{more}{remedy}")
        if self.tls_unlisted:
            self._note(0, f"{self.tls_unlisted} more TLS connections are not listed")

    def _piece(self, direction: Direction, origin: Origin, piece: Piece, taker: MessageTaker) -> bool | None:
        connection = self._connections.get(direction)
        if connection is None or (piece.begins and connection.sides[direction].used):
            connection = self._open(direction, origin)
        side = connection.sides[direction]
        if not side.used:
            side.used = True
            if connection.tls is None and looks_like_tls(piece.payload, piece.begins):
                connection.tls = TlsConnection(self._secrets)
                connection.origin = origin if side.number == 0 else _reversed(origin)
        if connection.tls is not None:
            return self._tls_piece(connection, connection.tls, side, origin, piece, taker)
        found = side.channel.feed(piece.payload, piece.missing, piece.begins)
        self._hand_on(origin, piece.missing, found, False, taker)
        self._hold(side, side.channel.held)
        if side.held and self._held > MAX_HELD:
            self._give_up(side)
        return found.useful

    def _tls_piece(
        self,
        connection: _Connection,
        tls: TlsConnection,
        side: _Side,
        origin: Origin,
        piece: Piece,
        taker: MessageTaker,
    ) -> bool | None:
        useful = True
        if piece.missing and not tls.why:
            self._lost(origin, piece.missing, b"", taker)
        for half, payload, lost in tls.feed(side.number, piece.payload, piece.missing, piece.begins):
            way = connection.ways[half]
            other = connection.sides[way]
            found = other.channel.feed(payload, 1 if lost else 0, not lost)
            where = origin if other is side else _reversed(origin)
            if found.broken:
                self._broken(where, found.broken, "is lost with the missing bytes", taker)
            self._hand_on(where, 0, found, True, taker)
            useful = found.useful if other is side else useful
        if tls.why:
            self._hold(side, 0)
            return None
        self._hold(side, side.channel.held + tls.held(side.number))
        if side.held and self._held > MAX_HELD:
            tls.drop(side.number)
            self._give_up(side)
        return useful

    def _hold(self, side: _Side, size: int) -> None:
        self._held += size - side.held
        side.held = size

    def _give_up(self, side: _Side) -> None:
        """Forget what is unfinished in a direction: all directions together hold too much."""
        self.dropped += side.held
        side.channel.drop()
        self._hold(side, 0)

    def _hand_on(self, origin: Origin, missing: int, found: Found, secure: bool, taker: MessageTaker) -> None:
        if missing and found.useful:
            self._lost(origin, missing, found.broken, taker)
        if found.problem:
            self._note(origin.packet, f"{found.problem}: {_way(origin)}", origin.capture)
        transport = ("WSS" if secure else "WS") if found.web else "TLS" if secure else "TCP"
        for data in found.messages:
            taker.message(origin, data, transport)

    def _open(self, direction: Direction, origin: Origin) -> _Connection:
        """The connection of a direction that was not seen before, or begins anew."""
        source, destination, ports = direction
        reverse = (destination, source, (ports & 0xFFFF) << 16 | ports >> 16)
        connection = self._connections.get(direction)
        if connection is not None:
            self._close(connection)
        while len(self._connections) >= MAX_DIRECTIONS:
            oldest = self._connections[next(iter(self._connections))]
            self._close(oldest)
            for way in oldest.ways:
                self._connections.pop(way, None)
        connection = _Connection((direction, reverse), origin)
        self._connections[direction] = self._connections[reverse] = connection
        return connection

    def _close(self, connection: _Connection) -> None:
        """A connection is over: keep what is to be known of it."""
        for side in connection.sides.values():
            self._hold(side, 0)
        tls = connection.tls
        if tls is None:
            return
        if len(self.tls) >= MAX_SESSIONS:
            self.tls_unlisted += 1
            return
        origin = connection.origin
        # Where the handshake does not say who is the server, it is likely the one with the lower port.
        guess = 0 if origin.source_port > origin.destination_port else 1
        client = _reversed(origin) if (guess if tls.client_half is None else tls.client_half) else origin
        self.tls.append(
            TlsSession(
                client.source,
                client.source_port,
                client.destination,
                client.destination_port,
                client.capture,
                client.packet,
                client.time,
                tls.version,
                tls.server_name,
                tls.protocols,
                tls.opened > 0,
                tls.opened,
                tls.failed,
                tls.incomplete,
            )
        )

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


def _reversed(origin: Origin) -> Origin:
    """The same packet, as if it had gone the other way."""
    return origin._replace(
        source=origin.destination,
        source_port=origin.destination_port,
        destination=origin.source,
        destination_port=origin.source_port,
    )


def _way(origin: Origin) -> str:
    source = join_host_port(origin.source, origin.source_port)
    return f"{source} to {join_host_port(origin.destination, origin.destination_port)}"


def _start_line(head: bytes) -> str:
    """A message's first line, shortened, to be shown."""
    line = head.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")[:80]
    text = line.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
