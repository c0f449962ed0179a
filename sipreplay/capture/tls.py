"""One TLS connection, 1.0 to 1.3: both directions' records in, plain bytes out, as far as the key log allows.

Owns the state of the handshake and of both directions' keys, bounded. After lost bytes it goes on at the next record
that opens. Never verifies certificates or Finished messages: it reads, it does not take part.
"""

from __future__ import annotations

from typing import NamedTuple

from sipreplay.capture import tls_hello as hello
from sipreplay.capture.tls_keys import SUITES, KeyLog, next_secret
from sipreplay.capture.tls_records import (
    ALERT,
    APPLICATION,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_BYTES,
    MAX_RECORD,
    RECORD,
    Aead13,
    Protection,
    Record,
    protections_12,
)

TLS_13 = 0x0304
MAX_WAITING_BYTES = 256 * 1024
"""Of encrypted records of one direction while the other's part of the handshake is not there."""
MAX_TRIES = 512
"""Sequence numbers that are tried for a record after lost bytes."""
MAX_ATTEMPTS = 20_000
"""The same for a whole connection: its records may be no records."""
MAX_SESSIONS = 10_000
"""Sessions that are remembered to be resumed."""
_SMALLEST_RECORD = 22
_FAILURES = 64
NO_LOG, NOT_IN_LOG = "there is no key log", "its secrets are not in the key log"
NO_HANDSHAKE, CUT_HANDSHAKE = "its handshake is not in the capture", "a part of its handshake is missing"


class Plain(NamedTuple):
    """Plain bytes of one direction."""

    half: int
    payload: bytes
    lost: bool
    """Whether something before them is lost."""


class Secrets:
    """What all connections of a capture share: the key log, and the sessions that may be resumed."""

    def __init__(self, keys: KeyLog) -> None:
        self.keys = keys
        self._sessions: dict[bytes, bytes] = {}

    def remember(self, name: bytes, master: bytes) -> None:
        """A session's master secret by its identifier or ticket."""
        if name:
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[name] = master

    def resumed(self, *names: bytes) -> bytes | None:
        """The master secret of a session that was seen before."""
        return next((self._sessions[name] for name in names if name in self._sessions), None)


class _Half:
    """One direction."""

    __slots__ = ("application", "bad", "buffer", "encrypted", "handshake", "lost", "protection", "tell", "tries")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.handshake = bytearray()
        self.protection: Protection | None = None
        self.encrypted = False
        self.application = False
        """TLS 1.3: whether the application secret is in use."""
        self.lost = False
        """Whether the buffer need not begin with a record."""
        self.tries = 1
        """Sequence numbers to try for the next record."""
        self.tell = False
        """Whether the next plain bytes come after a loss."""
        self.bad = 0
        """Records in a row that did not open."""


class TlsConnection:
    """Both directions, numbered 0 and 1; which is the client's is learned."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._halves = (_Half(), _Half())
        self._client: hello.ClientHello | None = None
        self._server: hello.ServerHello | None = None
        self.client_half: int | None = None
        """Which direction is the client's, once that is known."""
        self.why = ""
        """Why it cannot be read, once that is certain."""
        self.opened = 0
        """Application records that were decrypted."""
        self.failed = 0
        """Records that did not open with the keys at hand."""
        self._attempts = MAX_ATTEMPTS
        self._hello_done = False

    @property
    def version(self) -> str:
        """Such as "TLS 1.2"; "" while it is not known."""
        number = self._server.version if self._server else 0
        return hello.VERSIONS.get(number, f"0x{number:04x}" if number else "")

    @property
    def server_name(self) -> str:
        """What the client asked for (SNI), or ""."""
        return self._client.server_name if self._client else ""

    @property
    def protocols(self) -> tuple[str, ...]:
        """ALPN protocols that the client offered."""
        return self._client.protocols if self._client else ()

    def held(self, half: int) -> int:
        """Bytes of a direction that are kept for later."""
        side = self._halves[half]
        return len(side.buffer) + len(side.handshake)

    def drop(self, half: int) -> None:
        """Forget those bytes, as if they were lost."""
        side = self._halves[half]
        side.buffer.clear()
        side.handshake.clear()
        side.lost = side.tell = True
        side.tries = min(MAX_TRIES, side.tries + MAX_RECORD // _SMALLEST_RECORD)

    @property
    def incomplete(self) -> str:
        """At the end of the capture: why nothing was decrypted, or ""."""
        if self.why or self.opened:
            return self.why
        return CUT_HANDSHAKE if self._client is None or self._server is None else ""

    def feed(self, half: int, payload: bytes, missing: int, begins: bool) -> list[Plain]:
        """Take the next bytes of a direction; returns what became readable, of either direction."""
        if self.why:
            return []
        side = self._halves[half]
        if missing:
            side.tries = min(MAX_TRIES, side.tries + (missing + len(side.buffer)) // _SMALLEST_RECORD + 1)
            side.buffer.clear()
            side.handshake.clear()
            side.lost = side.tell = True
        side.buffer += payload
        if not begins and self._client is None and self._server is None and side.buffer[:1] == b"\x17":
            self.why = NO_HANDSHAKE
            return []
        out: list[Plain] = []
        self._run(half, out)
        if self._server is not None and self._client is not None and not self._hello_done:
            self._hello_done = True
            self._run(1 - half, out)
            self._run(half, out)
        return out

    def _run(self, half: int, out: list[Plain]) -> None:
        side = self._halves[half]
        buffer = side.buffer
        at = 0
        while not self.why:
            record, at, end = _next_record(side, at)
            if record is None:
                break
            done = self._record(half, record, out)
            if done is None:
                if len(buffer) - at > MAX_WAITING_BYTES:
                    self.why = CUT_HANDSHAKE
                break
            if done or not side.lost:
                at = end
                side.lost = False
            else:
                at += 1  # it only looked like a record
        if self.why:
            buffer.clear()
        else:
            del buffer[:at]

    def _record(self, half: int, record: Record, out: list[Plain]) -> bool | None:
        """Whether a record was understood; None when it has to wait for the other direction."""
        side = self._halves[half]
        if not side.encrypted:
            if record.kind == HANDSHAKE:
                return self._handshake(half, record.body)
            if record.kind == ALERT:
                return True
            if self._server is None or self._client is None:
                return None
            if record.kind == CHANGE_CIPHER_SPEC:
                if self._server.version < TLS_13:
                    self._switch(half)
                return True
            # The record that announced encryption is lost, or TLS 1.3 never had one.
            if self._server.version < TLS_13:
                side.tries += 4
            self._switch(half)
            if self.why:
                return False
        if record.kind == CHANGE_CIPHER_SPEC:
            if self._server is not None and self._server.version < TLS_13 and side.protection is not None:
                self._switch(half)  # renegotiation
            return True
        opened = self._open(half, record)
        if opened is None:
            self._failure(side, record)
            return False
        side.bad = 0
        side.tries = 1
        kind, plain = opened
        if kind == APPLICATION:
            self.opened += 1
            if plain:
                out.append(Plain(half, plain, side.tell))
                side.tell = False
        elif kind == HANDSHAKE:
            self._handshake(half, plain)
        return True

    def _failure(self, side: _Half, record: Record) -> None:
        """A record does not open."""
        side.tell = True
        if side.lost:
            return  # perhaps no record at all
        self.failed += 1
        side.bad += 1
        side.tries = min(MAX_TRIES, side.tries + 1)
        if side.bad > _FAILURES and not self.opened:
            self.why = "its records do not open with the secrets in the key log"

    def _open(self, half: int, record: Record) -> tuple[int, bytes] | None:
        """Decrypt with the keys in use, or with those that follow where the change was lost."""
        side = self._halves[half]
        candidates: list[tuple[Protection, bool]] = []
        if side.protection is not None:
            candidates.append((side.protection, side.application))
        if self._server is not None and self._server.version == TLS_13:
            if not side.application:
                later = self._secret(half, application=True)
                if later is not None:
                    candidates.append((Aead13(SUITES[self._server.suite], later), True))
            elif side.tries > 1 and isinstance(side.protection, Aead13):
                suite = SUITES[self._server.suite]
                candidates.append((Aead13(suite, next_secret(suite.prf, side.protection.secret)), True))
        for protection, application in candidates:
            if side.tries == 1 and protection is side.protection:
                opened = protection.open(record)
            else:
                opened, tried = protection.find(record, max(1, min(side.tries, self._attempts)))
                self._attempts -= tried
                if self._attempts <= 0 and opened is None:
                    self.why = "too much of it is missing"
                    return None
            if opened is not None:
                side.protection, side.application = protection, application
                return opened
        return None

    def _handshake(self, half: int, body: bytes) -> bool:
        side = self._halves[half]
        data = side.handshake
        data += body
        while len(data) >= 4 and not self.why:
            kind, size = data[0], int.from_bytes(data[1:4], "big")
            if size > hello.MAX_HANDSHAKE:
                data.clear()
                return False
            if len(data) < 4 + size:
                break
            message = bytes(data[4 : 4 + size])
            del data[: 4 + size]
            self._message(half, kind, message)
        return True

    def _message(self, half: int, kind: int, message: bytes) -> None:
        side = self._halves[half]
        if kind == hello.CLIENT_HELLO:
            client = hello.read_client_hello(message)
            if client is not None:
                self._client, self.client_half = client, half
        elif kind == hello.SERVER_HELLO:
            server = hello.read_server_hello(message)
            if server is not None and server.random != hello.RETRY_RANDOM:
                self._server, self.client_half = server, 1 - half
                self._check(server)
                if server.version == TLS_13:
                    side.tries = 1
        elif self._server is not None and self._server.version == TLS_13:
            if side.encrypted:
                self._message_13(half, kind)
        elif kind == hello.NEW_SESSION_TICKET:
            master = self._master()
            if master is not None:
                self._secrets.remember(message[6:], master)

    def _message_13(self, half: int, kind: int) -> None:
        side = self._halves[half]
        assert self._server is not None
        suite = SUITES[self._server.suite]
        if kind == hello.FINISHED and not side.application:
            secret = self._secret(half, application=True)
            if secret is None:
                self.why = NOT_IN_LOG
                return
            side.protection, side.application = Aead13(suite, secret), True
        elif kind == hello.KEY_UPDATE and side.application and isinstance(side.protection, Aead13):
            side.protection = Aead13(suite, next_secret(suite.prf, side.protection.secret))

    def _check(self, server: hello.ServerHello) -> None:
        """Whether a connection as the server chose it can be read."""
        if not 0x0301 <= server.version <= TLS_13:
            self.why = f"{self.version} is not supported"
        elif server.suite not in SUITES:
            self.why = f"its cipher suite 0x{server.suite:04X} is not supported"

    def _switch(self, half: int) -> None:
        """From here on a direction is encrypted."""
        side = self._halves[half]
        server, client = self._server, self._client
        assert server is not None
        assert client is not None
        side.encrypted = True
        side.handshake.clear()
        if server.version == TLS_13:
            secret = self._secret(half, application=False)
            if secret is not None:
                side.protection = Aead13(SUITES[server.suite], secret)
            elif self._secret(half, application=True) is None:
                self.why = self._no_secrets()
            return
        master = self._master()
        if master is None:
            self.why = self._no_secrets()
            return
        self._secrets.remember(server.session_id, master)
        pair = protections_12(
            server.version, SUITES[server.suite], master, server.random + client.random, server.encrypt_then_mac
        )
        side.protection = pair[0 if half == self.client_half else 1]

    def _no_secrets(self) -> str:
        return NOT_IN_LOG if len(self._secrets.keys) else NO_LOG

    def _secret(self, half: int, application: bool) -> bytes | None:
        """The traffic secret of a direction (TLS 1.3)."""
        who = b"CLIENT" if half == self.client_half else b"SERVER"
        label = who + (b"_TRAFFIC_SECRET_0" if application else b"_HANDSHAKE_TRAFFIC_SECRET")
        return self._secrets.keys.secret(label, self._client.random) if self._client else None

    def _master(self) -> bytes | None:
        """The master secret (up to TLS 1.2): of the key log, or of the session that is resumed."""
        client, server = self._client, self._server
        if client is None or server is None:
            return None
        known = self._secrets.keys.secret(b"CLIENT_RANDOM", client.random)
        if known is None and server.session_id and server.session_id == client.session_id:
            known = self._secrets.resumed(client.ticket, server.session_id)
        return known


def _next_record(side: _Half, at: int) -> tuple[Record | None, int, int]:
    """The next record from `at` on, where it starts and where it ends; without a whole one from where bytes have to be
    kept.
    """
    buffer = side.buffer
    while len(buffer) - at >= HEADER_BYTES:
        if RECORD.match(buffer, at) is None:
            side.lost = side.tell = True
            found = RECORD.search(buffer, at)
            if found is None:
                return None, len(buffer) - HEADER_BYTES + 1, 0
            at = found.start()
            continue
        size = int.from_bytes(buffer[at + 3 : at + HEADER_BYTES], "big")
        end = at + HEADER_BYTES + size
        if size > MAX_RECORD:
            side.lost = side.tell = True
            at += 1
            continue
        if end > len(buffer):
            break
        version = int.from_bytes(buffer[at + 1 : at + 3], "big")
        return Record(buffer[at], version, bytes(buffer[at + HEADER_BYTES : end])), at, end
    return None, at, 0
