"""ESP whose encryption is NULL (RFC 2410), as IMS phones and their P-CSCF use it: recognised and taken off.

Nothing in a packet says that it is not encrypted: it is known by its end, as in Wireshark's heuristics. Padding counts
1, 2, 3 ...; the next header is IP, UDP or TCP; and what is said to be inside has the length, or the checksum, that it
says. Never decrypts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.batch import Bytes, Int
from sipreplay.capture.ethertype import u16, within

CHECK_VALUES = (12, 16, 0, 24, 32, 8, 20)
"""Lengths of the integrity check value that are tried, the commonest first: HMAC-SHA1-96 and HMAC-MD5-96 have 12,
HMAC-SHA-256-128 and the AES ones 16."""
_HEADER = 8
_IPV4, _TCP, _UDP, _IPV6 = 4, 6, 17, 41
_MOST_PADDING = 255
_MOST_SEGMENT = 9000


def open_esp(buffer: Bytes, at: Int, version: int, esp: Int, end: Int) -> tuple[Int, Int]:
    """Of packets with their IP headers at `at`, ESP headers at `esp` and ends at `end`: where the IP header inside
    begins, and its version; 0 for what is encrypted. In transport mode there is none inside: the outer one is written
    anew in the buffer, right before the transport header."""
    place, inside = at.copy(), np.zeros(len(at), np.int64)
    if not buffer.flags.writeable:
        return place, inside
    size = 20 if version == 4 else 40
    spi = (u16(buffer, esp) << 16) | u16(buffer, esp + 2)
    left = (spi != 0) & (end - esp > _HEADER + 2)  # an SPI of 0 on port 4500 is IKE (RFC 3948)
    for check in CHECK_VALUES:
        some = np.flatnonzero(left & (end - check - esp > _HEADER + 2))
        if len(some) == 0:
            continue
        start = within(buffer, esp[some] + _HEADER)
        tail = end[some] - check
        padding = buffer[tail - 2].astype(np.int64)
        following = buffer[tail - 1]
        stop = tail - 2 - padding
        fits = (stop > start) & _counts_up(buffer, tail - 2, padding)
        fits &= _is_inside(buffer, at[some], version, start, stop, following)
        found = some[fits]
        left[found] = False
        tunnel = np.isin(following[fits], (_IPV4, _IPV6))
        place[found] = start[fits]
        inside[found] = np.where(tunnel, buffer[start[fits]] >> 4, version)
        bare = found[~tunnel]
        if len(bare):
            place[bare] = start[fits][~tunnel] - size
            _write_header(buffer, at[bare], place[bare], version, following[fits][~tunnel], stop[fits][~tunnel])
    return place, inside


def _counts_up(buffer: Bytes, stop: Int, padding: Int) -> NDArray[np.bool_]:
    """Whether the padding before `stop` is 1, 2, 3 ... (RFC 4303 section 2.4)."""
    sound = np.ones(len(stop), bool)
    for step in range(int(padding.max(initial=0))):
        some = np.flatnonzero(sound & (padding > step))
        if len(some) == 0:
            break
        where = np.maximum(stop[some] - padding[some] + step, 0)
        sound[some] = buffer[where] == step + 1
    return sound


def _is_inside(
    buffer: Bytes, at: Int, version: int, start: Int, stop: Int, following: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Whether what the next header promises is there, with the length that it says itself."""
    length = stop - start
    first = buffer[start]
    v4 = (following == _IPV4) & (first >> 4 == 4) & (u16(buffer, start + 2) == length)
    v6 = (following == _IPV6) & (first >> 4 == 6) & (u16(buffer, start + 4) + 40 == length)
    udp = (following == _UDP) & (u16(buffer, start + 4) == length) & (length >= 8)
    sound: NDArray[np.bool_] = v4 | v6 | udp
    tcp = (following == _TCP) & (buffer[start + 12] >= 0x50) & (length >= 20) & (length <= _MOST_SEGMENT)
    for index in np.flatnonzero(tcp).tolist():
        header = int(at[index])
        addresses = buffer[header + 12 : header + 20] if version == 4 else buffer[header + 8 : header + 40]
        sound[index] = _checksum_holds(addresses.tobytes(), buffer[start[index] : stop[index]].tobytes())
    return sound


def _checksum_holds(addresses: bytes, segment: bytes) -> bool:
    """Whether the checksum of a TCP segment is right (RFC 9293 section 3.1)."""
    data = addresses + bytes((0, _TCP)) + len(segment).to_bytes(2, "big") + segment + bytes(len(segment) % 2)
    total = int(np.frombuffer(data, ">u2").sum(dtype=np.int64))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def _write_header(buffer: Bytes, at: Int, place: Int, version: int, protocol: NDArray[np.uint8], stop: Int) -> None:
    """Write the IP headers at `at` anew at `place`, for another protocol and the length up to `stop`."""
    size = 20 if version == 4 else 40
    steps = np.arange(size)
    header = buffer[at[:, None] + steps]
    total = stop - place if version == 4 else stop - place - 40
    where = 2 if version == 4 else 4
    header[:, where], header[:, where + 1] = total >> 8, total & 0xFF
    header[:, 9 if version == 4 else 6] = protocol
    buffer[place[:, None] + steps] = header
