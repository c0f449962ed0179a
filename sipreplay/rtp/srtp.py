"""SRTP with keys from SDP (RFC 4568): a=crypto lines read, packets opened (RFC 3711, RFC 6188, RFC 7714).

Ciphers are libsrtp's, but AES-256 in counter mode, which its binding lacks and `cryptography` has. Sans-IO. Keys stay
in memory; nothing here writes or logs them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pylibsrtp import Error, Policy, Session

MAX_KEYS = 16
"""That one decryptor tries."""
MAX_ATTEMPTS = 64
"""Packets that are tried without success before a decryptor gives up."""


class Suite(NamedTuple):
    """A crypto suite."""

    key_bytes: int
    salt_bytes: int
    tag_bytes: int
    profile: int | None
    """pylibsrtp's number, or None where it has none."""


SUITES = {
    "AES_CM_128_HMAC_SHA1_80": Suite(16, 14, 10, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    "AES_CM_128_HMAC_SHA1_32": Suite(16, 14, 4, Policy.SRTP_PROFILE_AES128_CM_SHA1_32),
    "AES_256_CM_HMAC_SHA1_80": Suite(32, 14, 10, None),
    "AES_256_CM_HMAC_SHA1_32": Suite(32, 14, 4, None),
    "AEAD_AES_128_GCM": Suite(16, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    "AEAD_AES_256_GCM": Suite(32, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
}


class CryptoKey(NamedTuple):
    """One key of an a=crypto line."""

    tag: int
    suite: str
    master: bytes
    """Master key and salt."""
    lifetime: int | None
    """Packets."""
    mki_bytes: int
    """Length of the key identifier in each packet, 0 for none."""


def parse_crypto(value: str) -> list[CryptoKey]:
    """The usable keys of an a=crypto value (RFC 4568 section 9.1); none of an unknown suite or of a key that does not
    fit it. A line that says that packets are not encrypted has none either."""
    words = value.split()
    if len(words) < 3 or not (words[0].isascii() and words[0].isdigit()) or len(words[0]) > 9:
        return []
    suite = SUITES.get(words[1].upper())
    if suite is None or "UNENCRYPTED_SRTP" in words[3:] or "UNAUTHENTICATED_SRTP" in words[3:]:
        return []
    found = []
    for parameter in words[2].split(";")[:MAX_KEYS]:
        method, _, info = parameter.partition(":")
        parts = info.split("|")
        if method.lower() != "inline":
            continue
        try:
            master = base64.b64decode(parts[0] + "=" * (-len(parts[0]) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(master) != suite.key_bytes + suite.salt_bytes:
            continue
        lifetime, mki_bytes = None, 0
        for part in parts[1:]:
            if ":" in part:
                length = part.rpartition(":")[2]
                mki_bytes = int(length) if length.isascii() and length.isdigit() and len(length) < 4 else 0
            else:
                lifetime = _lifetime(part)
        found.append(CryptoKey(int(words[0]), words[1].upper(), master, lifetime, min(mki_bytes, 128)))
    return found


def _lifetime(text: str) -> int | None:
    power = text.removeprefix("2^")
    if not (power.isascii() and power.isdigit()) or len(power) > 15:
        return None
    return 1 << min(int(power), 48) if power != text else int(text)


class Decryptor:
    """Opens the packets of one SSRC with whichever of some keys fits: packets are authenticated, so that a wrong key
    shows. Packets come in order; they need not be all."""

    def __init__(self, keys: Iterable[CryptoKey]) -> None:
        self._keys = list(dict.fromkeys(keys))[:MAX_KEYS]
        self._session: _Opener | None = None
        self._failures = 0
        self.opened = 0
        """Packets that were opened."""

    def open(self, packet: bytes) -> bytes | None:
        """The RTP packet in the clear, or None: no key fits, a packet seen before, or damage."""
        if self._session is not None:
            clear = self._session.open(packet)
            if clear is not None:
                self.opened += 1
                return clear
        if self._failures >= MAX_ATTEMPTS:
            return None
        for key in self._keys:
            session = _Opener(key)
            clear = session.open(packet)
            if clear is not None:
                self._session, self._failures = session, 0
                self.opened += 1
                return clear
        self._failures += 1
        return None


class _Opener:
    """One key at work."""

    def __init__(self, key: CryptoKey) -> None:
        self._mki_bytes = key.mki_bytes
        self._suite = suite = SUITES[key.suite]
        self._counter: _Counter256 | None = None
        self._session: Session | None = None
        if suite.profile is None:
            self._counter = _Counter256(key.master, suite.tag_bytes)
        else:
            policy = Policy(key=key.master, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=suite.profile)
            policy.window_size = 1024
            self._session = Session(policy=policy)

    def open(self, packet: bytes) -> bytes | None:
        if self._mki_bytes:
            packet = self._without_mki(packet)
        if len(packet) < 12 + self._suite.tag_bytes:
            return None
        if self._counter is not None:
            return self._counter.open(packet)
        assert self._session is not None
        try:
            clear: bytes = self._session.unprotect(packet)
        except (Error, ValueError):  # ValueError: longer than libsrtp's buffer
            return None
        return clear

    def _without_mki(self, packet: bytes) -> bytes:
        """It stands before the tag, but for AEAD, whose tag belongs to the ciphertext (RFC 7714 section 8.2)."""
        if self._suite.salt_bytes == 12:
            return packet[: -self._mki_bytes]
        end = len(packet) - self._suite.tag_bytes
        return packet[: max(end - self._mki_bytes, 0)] + packet[end:]


class _Counter256:
    """AES-256 in counter mode with HMAC-SHA1 (RFC 6188 on RFC 3711's rules)."""

    def __init__(self, master: bytes, tag_bytes: int) -> None:
        key, salt = master[:32], master[32:]
        self._key = _derived(key, salt, 0, 32)
        self._auth = _derived(key, salt, 1, 20)
        self._salt = int.from_bytes(_derived(key, salt, 2, 14), "big")
        self._tag_bytes = tag_bytes
        self._index = -1
        """Highest packet index so far (RFC 3711 section 3.3.1)."""

    def open(self, packet: bytes) -> bytes | None:
        sequence = packet[2] << 8 | packet[3]
        index = sequence
        if self._index >= 0:
            step = ((sequence - self._index + 0x8000) & 0xFFFF) - 0x8000
            index = max(self._index + step, sequence)
        body, tag = packet[: -self._tag_bytes], packet[-self._tag_bytes :]
        digest = hmac.new(self._auth, body + (index >> 16).to_bytes(4, "big"), hashlib.sha1).digest()
        if not hmac.compare_digest(digest[: self._tag_bytes], tag):
            return None
        start = 12 + 4 * (packet[0] & 15)
        if packet[0] & 0x10 and len(body) >= start + 4:
            start += 4 + 4 * int.from_bytes(body[start + 2 : start + 4], "big")
        ssrc = int.from_bytes(packet[8:12], "big")
        counter = (self._salt << 16) ^ (ssrc << 64) ^ (index << 16)
        self._index = max(self._index, index)
        return body[:start] + _stream(self._key, counter, body[start:])


def _derived(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    """RFC 3711 section 4.3.1 with a key derivation rate of 0."""
    return _stream(key, (int.from_bytes(salt, "big") ^ label << 48) << 16, bytes(size))


def _stream(key: bytes, counter: int, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return cipher.update(data) + cipher.finalize()
