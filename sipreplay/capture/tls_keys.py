"""TLS secrets: key log files (SSLKEYLOGFILE), and the keys that follow from them (RFC 5246 6.3, RFC 8446 7).

Owns what secrets are known, bounded. Never looks at records.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import NamedTuple

from sipreplay.errors import CaptureError

KEY_LOG = 0x544C534B
"""Type of a pcapng Decryption Secrets Block that holds a key log ("TLSK")."""
MAX_SECRETS = 1_000_000
MAX_FILE_BYTES = 512 << 20
_LABELS = frozenset(
    (
        b"CLIENT_RANDOM",
        b"CLIENT_EARLY_TRAFFIC_SECRET",
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
        b"CLIENT_TRAFFIC_SECRET_0",
        b"SERVER_TRAFFIC_SECRET_0",
    )
)
_OTHER_LABELS = frozenset((b"EXPORTER_SECRET", b"EARLY_EXPORTER_SECRET", b"RSA", b"SERVER_RANDOM", b"ECH_SECRET"))
"""Lines that a key log may hold and that are of no use here."""
_SECRET_SIZES = (32, 48, 64)


class KeyLog:
    """Secrets by label and client random."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[bytes, bytes], bytes] = {}
        self.damaged = 0
        """Lines that are no key log lines."""
        self.left_out = 0
        """Secrets past the limit."""

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, text: bytes) -> None:
        """Take the lines of a key log: `LABEL CLIENT_RANDOM SECRET`, the last two in hexadecimal. Comments (#) and
        labels that are of no use are passed over, damaged lines counted.
        """
        for line in text.split(b"\n"):
            words = line.split()
            if not words or words[0].startswith(b"#") or words[0] in _OTHER_LABELS:
                continue
            label = words[0]
            try:
                random, secret = (bytes.fromhex(word.decode("ascii")) for word in words[1:])
            except (ValueError, UnicodeDecodeError):
                self.damaged += 1
                continue
            if label not in _LABELS or len(random) != 32 or len(secret) not in _SECRET_SIZES:
                self.damaged += 1
            elif len(self._secrets) >= MAX_SECRETS:
                self.left_out += 1
            else:
                self._secrets[label, random] = secret

    def secret(self, label: bytes, client_random: bytes) -> bytes | None:
        """A connection's secret of that label."""
        return self._secrets.get((label, client_random))


def read_key_log(path: Path | str) -> KeyLog:
    """The secrets of a key log file. Raises CaptureError when it cannot be read or holds none."""
    keys = KeyLog()
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError as error:
        raise CaptureError(f"{path}: is a directory; --keylog names the file that SSLKEYLOGFILE named") from error
    except OSError as error:
        raise CaptureError(f"{path}: the TLS key log cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise CaptureError(f"{path}: the TLS key log is larger than {MAX_FILE_BYTES >> 20} MiB; keep the lines needed")
    keys.add(data)
    if not len(keys):
        what = "holds no line such as CLIENT_RANDOM <64 hex digits> <96 hex digits>" if data.strip() else "is empty"
        raise CaptureError(
            f"{path}: {what}; have the client or the server write one (environment variable SSLKEYLOGFILE)"
        )
    return keys


class Suite(NamedTuple):
    """How a cipher suite protects records."""

    cipher: str
    """gcm, chacha, ccm, ccm8 or cbc."""
    key_size: int
    mac: str
    """Of CBC: the HMAC's hash."""
    prf: str
    """Hash of the key derivation."""


def _suites() -> dict[int, Suite]:
    table: dict[int, Suite] = {}

    def put(suite: Suite, *numbers: int) -> None:
        table.update(dict.fromkeys(numbers, suite))

    put(Suite("gcm", 16, "", "sha256"), 0x1301, 0x009C, 0x009E, 0x00A0, 0x00A2, 0x00A4, 0x00A8, 0x00AA, 0x00AC)
    put(Suite("gcm", 16, "", "sha256"), 0xC02B, 0xC02D, 0xC02F, 0xC031, 0xD001)
    put(Suite("gcm", 32, "", "sha384"), 0x1302, 0x009D, 0x009F, 0x00A1, 0x00A3, 0x00A5, 0x00A9, 0x00AB, 0x00AD)
    put(Suite("gcm", 32, "", "sha384"), 0xC02C, 0xC02E, 0xC030, 0xC032, 0xD002)
    put(Suite("chacha", 32, "", "sha256"), 0x1303, *range(0xCCA8, 0xCCAF))
    put(Suite("ccm", 16, "", "sha256"), 0x1304, 0xC09C, 0xC09E, 0xC0A4, 0xC0A6, 0xC0AC)
    put(Suite("ccm8", 16, "", "sha256"), 0x1305, 0xC0A0, 0xC0A2, 0xC0A8, 0xC0AA, 0xC0AE)
    put(Suite("ccm", 32, "", "sha256"), 0xC09D, 0xC09F, 0xC0A5, 0xC0A7, 0xC0AD)
    put(Suite("ccm8", 32, "", "sha256"), 0xC0A1, 0xC0A3, 0xC0A9, 0xC0AB, 0xC0AF)
    put(Suite("cbc", 16, "sha1", "sha256"), 0x002F, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008C, 0x0090, 0x0094)
    put(Suite("cbc", 16, "sha1", "sha256"), 0xC004, 0xC009, 0xC00E, 0xC013, 0xC018, 0xC035)
    put(Suite("cbc", 32, "sha1", "sha256"), 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003A, 0x008D, 0x0091, 0x0095)
    put(Suite("cbc", 32, "sha1", "sha256"), 0xC005, 0xC00A, 0xC00F, 0xC014, 0xC019, 0xC036)
    put(Suite("cbc", 16, "sha256", "sha256"), 0x003C, 0x003E, 0x003F, 0x0040, 0x0067, 0x006C, 0x00AE, 0x00B2, 0x00B6)
    put(Suite("cbc", 16, "sha256", "sha256"), 0xC023, 0xC025, 0xC027, 0xC029, 0xC037)
    put(Suite("cbc", 32, "sha256", "sha256"), 0x003D, 0x0068, 0x0069, 0x006A, 0x006B, 0x006D)
    put(Suite("cbc", 32, "sha384", "sha384"), 0x00AF, 0x00B3, 0x00B7, 0xC024, 0xC026, 0xC028, 0xC02A, 0xC038)
    return table


SUITES = _suites()
"""The cipher suites that are decrypted, by their IANA numbers."""


def _p_hash(name: str, secret: bytes, seed: bytes, size: int) -> bytes:
    """P_hash of RFC 5246 section 5."""
    out = b""
    link = seed
    while len(out) < size:
        link = hmac.digest(secret, link, name)
        out += hmac.digest(secret, link + seed, name)
    return out[:size]


def key_block(version: int, suite: Suite, master: bytes, randoms: bytes, size: int) -> bytes:
    """Key material of TLS 1.0 to 1.2. `randoms`: the server's, then the client's (RFC 5246 6.3, RFC 2246 5)."""
    seed = b"key expansion" + randoms
    if version >= 0x0303:
        return _p_hash(suite.prf, master, seed, size)
    half = (len(master) + 1) // 2
    first, second = _p_hash("md5", master[:half], seed, size), _p_hash("sha1", master[-half:], seed, size)
    return bytes(one ^ other for one, other in zip(first, second, strict=True))


def expand_label(name: str, secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label without context (RFC 8446 section 7.1)."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    out = block = b""
    count = 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([count]), name)
        out += block
        count += 1
    return out[:size]


def next_secret(name: str, secret: bytes) -> bytes:
    """The application secret after a KeyUpdate (RFC 8446 section 7.2)."""
    return expand_label(name, secret, b"traffic upd", hashlib.new(name).digest_size)
