"""The TLS record layer: records cut out of a stream, and their protection taken off (RFC 5246 6.2.3, RFC 8446 5.2).

Owns keys, nonces and sequence numbers of one direction. A record counts only when its tag or MAC is right. Never reads
what records carry.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, NamedTuple

from sipreplay.capture.tls_keys import Suite, expand_label, key_block

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
MAX_RECORD = (1 << 14) + 2048
HEADER_BYTES = 5
RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04][\x00-\x48]", re.DOTALL)
"""How a record header begins, as far as content, version and length are possible."""
_MAC_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48}


def looks_like_tls(payload: bytes, begins: bool) -> bool:
    """Whether the first bytes of a direction are TLS: at a connection's beginning a handshake or an alert."""
    if begins:
        return payload[:1] in (b"\x16", b"\x15") and payload[1:2] in (b"", b"\x03")
    return len(payload) >= HEADER_BYTES and RECORD.match(payload) is not None


class Record(NamedTuple):
    """One record as it was sent."""

    kind: int
    version: int
    body: bytes


class Protection:
    """Takes the protection off one direction's records."""

    def __init__(self) -> None:
        self.sequence = 0

    def open_at(self, record: Record, sequence: int) -> tuple[int, bytes] | None:
        """(content type, content) of a record if it has this sequence number and these keys, else None."""
        raise NotImplementedError

    def guess(self, record: Record) -> int:
        """The sequence number that a record after a loss says it has, or the expected one."""
        return self.sequence

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """The next record, in order."""
        opened = self.open_at(record, self.sequence)
        if opened is not None:
            self.sequence += 1
        return opened

    def find(self, record: Record, tries: int) -> tuple[tuple[int, bytes] | None, int]:
        """A record after a loss: (what it holds, if one of `tries` sequence numbers is its own; numbers tried)."""
        guess = self.guess(record)
        numbers = range(self.sequence, self.sequence + tries)
        tried = 0
        for number in (guess, *numbers):
            if number == guess and tried:
                continue
            tried += 1
            opened = self.open_at(record, number)
            if opened is not None:
                self.sequence = number + 1
                return opened, tried
        return None, tried


def _aead(suite: Suite, key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import aead

    if suite.cipher == "gcm":
        return aead.AESGCM(key)
    if suite.cipher == "chacha":
        return aead.ChaCha20Poly1305(key)
    return aead.AESCCM(key, tag_length=8 if suite.cipher == "ccm8" else 16)


def _decrypted(aead: Any, nonce: bytes, body: bytes, associated: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        plain: bytes = aead.decrypt(nonce, body, associated)
    except (InvalidTag, ValueError):
        return None
    return plain


class Aead13(Protection):
    """TLS 1.3 (RFC 8446 section 5.2, 5.3)."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        super().__init__()
        self.secret = secret
        self._aead = _aead(suite, expand_label(suite.prf, secret, b"key", suite.key_size))
        self._iv = int.from_bytes(expand_label(suite.prf, secret, b"iv", 12), "big")

    def open_at(self, record: Record, sequence: int) -> tuple[int, bytes] | None:
        if record.kind != APPLICATION:
            return None
        head = bytes([record.kind]) + record.version.to_bytes(2, "big") + len(record.body).to_bytes(2, "big")
        plain = _decrypted(self._aead, (self._iv ^ sequence).to_bytes(12, "big"), record.body, head)
        if plain is None:
            return None
        plain = plain.rstrip(b"\0")  # padding after the content type
        return (plain[-1], plain[:-1]) if plain else (0, b"")


class Aead12(Protection):
    """AES-GCM, AES-CCM and ChaCha20-Poly1305 of TLS 1.2 (RFC 5288, 6655, 7905)."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        super().__init__()
        self._aead = _aead(suite, key)
        self._iv = iv
        self._explicit = suite.cipher != "chacha"
        self._tag = 8 if suite.cipher == "ccm8" else 16
        self._last: int | None = None
        """Explicit nonce of the last record."""

    def guess(self, record: Record) -> int:
        # The explicit part is free to choose, but all count it up with the records.
        if not self._explicit or self._last is None or len(record.body) < 8:
            return self.sequence
        ahead = int.from_bytes(record.body[:8], "big") - self._last - 1
        return self.sequence + ahead if 0 <= ahead < 1 << 32 else self.sequence

    def open_at(self, record: Record, sequence: int) -> tuple[int, bytes] | None:
        body = record.body
        if self._explicit:
            nonce, sealed = self._iv + body[:8], body[8:]
        else:
            nonce, sealed = (int.from_bytes(self._iv, "big") ^ sequence).to_bytes(12, "big"), body
        size = len(sealed) - self._tag
        if size < 0:
            return None
        associated = sequence.to_bytes(8, "big") + bytes([record.kind]) + record.version.to_bytes(2, "big")
        plain = _decrypted(self._aead, nonce, sealed, associated + size.to_bytes(2, "big"))
        if plain is None:
            return None
        if self._explicit:
            self._last = int.from_bytes(body[:8], "big")
        return record.kind, plain


class Cbc(Protection):
    """AES-CBC with HMAC, MAC first or encryption first (RFC 7366); TLS 1.0 chains its IVs."""

    def __init__(self, suite: Suite, version: int, key: bytes, mac_key: bytes, iv: bytes, mac_last: bool) -> None:
        super().__init__()
        self._suite = suite
        self._key = key
        self._mac_key = mac_key
        self._chained: bytes | None = iv if version < 0x0302 else None
        self._mac_last = mac_last
        """Encrypt-then-MAC."""

    def open_at(self, record: Record, sequence: int) -> tuple[int, bytes] | None:
        size = _MAC_SIZES[self._suite.mac]
        body = record.body
        if self._mac_last:
            body, mac = body[:-size], body[-size:]
            if not self._is_right(record, sequence, body, mac):
                return None
        if self._chained is None:
            iv, body = body[:16], body[16:]
        else:
            iv = self._chained
        if not body or len(body) % 16 or len(iv) != 16:
            return None
        plain = self._decrypt(iv, body)
        padding = plain[-1] + 1
        if padding > len(plain) or plain[-padding:] != bytes([plain[-1]]) * padding:
            return None
        plain = plain[:-padding]
        if not self._mac_last:
            if len(plain) < size:
                return None
            plain, mac = plain[:-size], plain[-size:]
            if not self._is_right(record, sequence, plain, mac):
                return None
        if self._chained is not None:
            self._chained = body[-16:]
        return record.kind, plain

    def _is_right(self, record: Record, sequence: int, data: bytes, mac: bytes) -> bool:
        head = sequence.to_bytes(8, "big") + bytes([record.kind]) + record.version.to_bytes(2, "big")
        wanted = hmac.digest(self._mac_key, head + len(data).to_bytes(2, "big") + data, self._suite.mac)
        return hmac.compare_digest(wanted, mac)

    def _decrypt(self, iv: bytes, body: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        opener = Cipher(algorithms.AES(self._key), modes.CBC(iv)).decryptor()
        return opener.update(body) + opener.finalize()


def protections_12(
    version: int, suite: Suite, master: bytes, randoms: bytes, encrypt_then_mac: bool
) -> tuple[Protection, Protection]:
    """The client's and the server's protection up to TLS 1.2. `randoms`: the server's, then the client's."""
    mac_size = _MAC_SIZES.get(suite.mac, 0)
    iv_size = 16 if suite.cipher == "cbc" else 12 if suite.cipher == "chacha" else 4
    sizes = (mac_size, mac_size, suite.key_size, suite.key_size, iv_size, iv_size)
    block = key_block(version, suite, master, randoms, sum(sizes))
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]
    client_mac, server_mac, client_key, server_key, client_iv, server_iv = parts
    if suite.cipher == "cbc":
        return (
            Cbc(suite, version, client_key, client_mac, client_iv, encrypt_then_mac),
            Cbc(suite, version, server_key, server_mac, server_iv, encrypt_then_mac),
        )
    return Aead12(suite, client_key, client_iv), Aead12(suite, server_key, server_iv)
