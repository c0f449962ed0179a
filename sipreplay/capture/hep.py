"""HEP, the Homer encapsulation protocol, versions 1 to 3: what a capture agent saw, with its own time and addresses.

HEP has no port of its own: version 3 is known by its first four bytes, versions 1 and 2 by a header that makes sense.
Formats: github.com/sipcapture/HEP. Never authenticates: the keys that agents send are not looked at.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

MAGIC = b"HEP3"
SHORTEST = 22
"""Of the datagrams that may be HEP."""
_CHUNK = struct.Struct("!HHH")
_FAMILY, _PROTOCOL, _SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS = 1, 2, 7, 8, 9, 10
_SOURCES, _DESTINATIONS = (3, 5), (4, 6)
_PAYLOAD, _COMPRESSED, _CORRELATION = 15, 16, 17
_WANTED = frozenset(range(1, 18))
_MAX_PAYLOAD = 65535
_MAX_CORRELATION = 256
_MAX_CHUNKS = 256
_OLD_HEADER = struct.Struct("!BBBBHH")
_OLD_TIME = struct.Struct("<IIH")
_ADDRESS_BYTES = {2: 4, 10: 16}
"""By address family."""


class HepPacket(NamedTuple):
    """The packet that a capture agent saw."""

    source: bytes
    """Packed address."""
    source_port: int
    destination: bytes
    destination_port: int
    protocol: int
    """IP protocol number that carried it."""
    time_ns: int | None
    """When, since the epoch; None if it was not told."""
    payload: bytes
    """Without IP and transport headers."""
    correlation: str
    cut: bool
    """The capture does not hold all of the payload."""


def parse_hep(data: bytes) -> HepPacket | None:
    """What a datagram carries, or None if it is no HEP, or carries nothing that has addresses."""
    if data.startswith(MAGIC):
        return _version_3(data)
    if data[:1] in (b"\1", b"\2"):
        return _old_version(data)
    return None


def _version_3(data: bytes) -> HepPacket | None:
    chunks: dict[int, bytes] = {}
    position, cut = 6, False
    while position + 6 <= len(data) and len(chunks) < _MAX_CHUNKS:
        vendor, kind, length = _CHUNK.unpack_from(data, position)
        if length < 6:
            break
        value = data[position + 6 : position + length]
        if vendor == 0 and kind in _WANTED:
            chunks.setdefault(kind, value)
            cut = cut or (kind in (_PAYLOAD, _COMPRESSED) and position + length > len(data))
        position += length
    source = next((chunks[kind] for kind in _SOURCES if kind in chunks), b"")
    destination = next((chunks[kind] for kind in _DESTINATIONS if kind in chunks), b"")
    payload = chunks.get(_PAYLOAD, b"") or _inflated(chunks.get(_COMPRESSED, b""))
    if len(source) not in (4, 16) or len(source) != len(destination) or not payload:
        return None
    seconds = _number(chunks, _SECONDS, -1)
    time_ns = None if seconds < 0 else seconds * 1_000_000_000 + _number(chunks, _MICROSECONDS, 0) * 1000
    correlation = chunks.get(_CORRELATION, b"")[:_MAX_CORRELATION].rstrip(b"\0").decode("utf-8", "replace")
    return HepPacket(
        source,
        _number(chunks, _SOURCE_PORT, 0) & 0xFFFF,
        destination,
        _number(chunks, _DESTINATION_PORT, 0) & 0xFFFF,
        _number(chunks, _PROTOCOL, 17),
        time_ns,
        payload,
        correlation,
        cut,
    )


def _number(chunks: dict[int, bytes], kind: int, default: int) -> int:
    value = chunks.get(kind, b"")
    return int.from_bytes(value, "big") if 0 < len(value) <= 4 else default


def _inflated(data: bytes) -> bytes:
    """A compressed payload, no longer than a datagram may be; b"" if it is damaged."""
    for form in (47, -15):  # zlib or gzip, then bare
        try:
            return zlib.decompressobj(form).decompress(data, _MAX_PAYLOAD) if data else b""
        except zlib.error:
            continue
    return b""


def _old_version(data: bytes) -> HepPacket | None:
    """Versions 1 and 2: version, header length, family, protocol, ports, addresses; in version 2 then the time."""
    if len(data) < SHORTEST:
        return None
    version, length, family, protocol, source_port, destination_port = _OLD_HEADER.unpack_from(data)
    width = _ADDRESS_BYTES.get(family, 0)
    addresses = 8 + 2 * width
    # Some agents count the time of version 2 into the length, some do not.
    if not width or protocol not in (6, 17, 132) or length not in (addresses, addresses + 10, addresses + 12):
        return None
    source, destination = data[8 : 8 + width], data[8 + width : addresses]
    time_ns, start = None, addresses
    if version == 2:
        if len(data) < addresses + 12:
            return None
        seconds, microseconds, _ = _OLD_TIME.unpack_from(data, addresses)
        time_ns = seconds * 1_000_000_000 + microseconds * 1000
        start = addresses + 12
        if data[start - 2 : start].strip(b"\0"):
            start = addresses + 10  # not padded
    payload = data[start:]
    if not payload:
        return None
    return HepPacket(source, source_port, destination, destination_port, protocol, time_ns, payload, "", False)
