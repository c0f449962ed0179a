"""The handshake messages of TLS that say how a connection is protected (RFC 8446 4.1, RFC 5246 7.4.1).

Reads values out of bytes and never raises on damaged ones: what cannot be read is absent.
"""

from __future__ import annotations

from typing import NamedTuple

CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, FINISHED, KEY_UPDATE = 1, 2, 4, 20, 24
MAX_HANDSHAKE = 1 << 18
"""A longer handshake message is damage."""
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a HelloRetryRequest (RFC 8446 section 4.1.3)."""
_SERVER_NAME, _ALPN, _ENCRYPT_THEN_MAC, _SESSION_TICKET, _EARLY_DATA, _VERSIONS = 0, 16, 22, 35, 42, 43
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


class ClientHello(NamedTuple):
    """What a client offers."""

    random: bytes
    session_id: bytes
    ticket: bytes
    server_name: str
    """SNI, or ""."""
    protocols: tuple[str, ...]
    """ALPN."""
    early_data: bool


class ServerHello(NamedTuple):
    """What a server chooses."""

    version: int
    random: bytes
    session_id: bytes
    suite: int
    encrypt_then_mac: bool


class _Reader:
    """Takes fields off the front; past the end all is empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def left(self) -> bool:
        return self._at < len(self._data)


def _extensions(data: bytes) -> dict[int, bytes]:
    reader = _Reader(data)
    found: dict[int, bytes] = {}
    while reader.left():
        kind = reader.number(2)
        found.setdefault(kind, reader.vector(2))
    return found


def _printable(data: bytes) -> str:
    text = data.decode("ascii", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)[:255]


def read_client_hello(body: bytes) -> ClientHello | None:
    """A ClientHello's body, or None when it is cut."""
    if len(body) < 38:
        return None
    reader = _Reader(body)
    reader.take(2)
    random, session_id = reader.take(32), reader.vector(1)
    reader.vector(2)
    reader.vector(1)
    extensions = _extensions(reader.vector(2))
    names = _Reader(extensions.get(_SERVER_NAME, b"")[3:])
    protocols, listed = [], _Reader(extensions.get(_ALPN, b"")[2:])
    while listed.left():
        protocols.append(_printable(listed.vector(1)))
    return ClientHello(
        random,
        session_id,
        extensions.get(_SESSION_TICKET, b""),
        _printable(names.vector(2)),
        tuple(protocols[:16]),
        _EARLY_DATA in extensions,
    )


def read_server_hello(body: bytes) -> ServerHello | None:
    """A ServerHello's body, or None when it is cut."""
    if len(body) < 38:
        return None
    reader = _Reader(body)
    version, random, session_id, suite = reader.number(2), reader.take(32), reader.vector(1), reader.number(2)
    reader.take(1)
    extensions = _extensions(reader.vector(2))
    chosen = extensions.get(_VERSIONS)
    if chosen is not None and len(chosen) == 2:
        version = int.from_bytes(chosen, "big")
    return ServerHello(version, random, session_id, suite, _ENCRYPT_THEN_MAC in extensions)
