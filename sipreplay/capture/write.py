"""Writes UDP and TCP payloads as a pcap file that tshark and tcpdump read and SIPp's play_pcap plays.

Builds Ethernet or raw IP headers with right checksums. Never reads captures and never decides what goes in.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from types import TracebackType
from typing import IO

from sipreplay.capture.link import ETHERNET, RAW
from sipreplay.errors import CaptureError

LARGEST_PAYLOAD = 65507
"""Of UDP over IPv4."""
LARGEST_SEGMENT = 65483
"""Of TCP over the loopback device: a message is one segment."""
_LINKS = {"ETHERNET": ETHERNET, "RAW": RAW}
_SNAP_LENGTH = 262144
_MACS = b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
"""Destination and source: locally administered, so that they are nobody's."""
_UDP, _TCP = 17, 6
_PUSH_ACK = 0x18
_WINDOW = 65535

Endpoint = tuple[str, int]


class PcapWriter:
    """A pcap file being written. Use as a context manager, or call `close`.

    `link` is "ETHERNET" or "RAW" (IP without a link layer); SIPp plays the former, and its release 3.6.1 refuses the
    latter. Times are kept in microseconds, or nanoseconds if asked (SIPp reads both, some other tools only the first).
    An existing file is replaced.
    """

    def __init__(self, path: Path | str, link: str = "ETHERNET", *, nanoseconds: bool = False) -> None:
        if link not in _LINKS:
            raise ValueError(f"link type {link!r}: choose ETHERNET or RAW")
        self.path = Path(path)
        self.packets = 0
        self._ethernet = link == "ETHERNET"
        self._nanoseconds = nanoseconds
        self._headers: dict[tuple[Endpoint, Endpoint, int], _Headers] = {}
        try:
            self._file: IO[bytes] = open(self.path, "wb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be written: {error.strerror}") from error
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        self._file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, _SNAP_LENGTH, _LINKS[link]))

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write out what is buffered and close the file."""
        self._file.close()

    def udp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes, length: int = 0) -> None:
        """Add a datagram at `time` (seconds since the epoch). Endpoints are (numeric host, port), of one IP version.

        `length`: of the whole datagram, where `payload` is only its beginning (the packet is then marked as cut).
        Raises ValueError for other addresses and for payloads that no UDP datagram holds.
        """
        headers = self._headers_of(source, destination, _UDP)
        missing = max(length - len(payload), 0)
        self._packet(time, headers.packet(payload, self.packets & 0xFFFF, missing), missing)

    def tcp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes) -> None:
        """Add what was sent on a connection, in one segment if it fits; numbers go on from the last one of this
        direction. The connection's opening is not in the file. Raises ValueError as `udp`."""
        headers = self._headers_of(source, destination, _TCP)
        back = self._headers.get((destination, source, _TCP))
        for start in range(0, len(payload), LARGEST_SEGMENT):
            part = payload[start : start + LARGEST_SEGMENT]
            self._packet(time, headers.segment(part, self.packets & 0xFFFF, back.sequence if back else 1), 0)

    def _headers_of(self, source: Endpoint, destination: Endpoint, protocol: int) -> _Headers:
        headers = self._headers.get((source, destination, protocol))
        if headers is None:
            headers = _Headers(source, destination, self._ethernet, protocol)
            self._headers[(source, destination, protocol)] = headers
        return headers

    def _packet(self, time: float, packet: bytes, missing: int) -> None:
        ticks = round(time * (1_000_000_000 if self._nanoseconds else 1_000_000))
        second, fraction = divmod(ticks, 1_000_000_000 if self._nanoseconds else 1_000_000)
        head = struct.pack("<IIII", second & 0xFFFFFFFF, fraction, len(packet), len(packet) + missing)
        self._file.write(head + packet)
        self.packets += 1


class _Headers:
    """What the packets of one address pair have in common."""

    def __init__(self, source: Endpoint, destination: Endpoint, ethernet: bool, protocol: int) -> None:
        sender, receiver = ip_address(source[0]), ip_address(destination[0])
        if sender.version != receiver.version:
            raise ValueError(f"{source[0]} and {destination[0]} are of different IP versions")
        if not (0 <= source[1] <= 65535 and 0 <= destination[1] <= 65535):
            raise ValueError(f"ports {source[1]} and {destination[1]}: choose 0 to 65535")
        self._version_4 = isinstance(sender, IPv4Address)
        self._addresses = sender.packed + receiver.packed
        self._ports = struct.pack("!HH", source[1], destination[1])
        kind = b"\x08\x00" if self._version_4 else b"\x86\xdd"
        self._link = _MACS + kind if ethernet else b""
        self._protocol = protocol
        self._sum = _words(self._addresses) + protocol + source[1] + destination[1]
        self.sequence = 1
        """Of the next byte, of a TCP connection."""

    def packet(self, payload: bytes, ident: int, missing: int = 0) -> bytes:
        """A whole datagram, checksums right (that of one whose end is missing is left out)."""
        length = len(payload) + missing + 8
        if length - 8 > LARGEST_PAYLOAD:
            raise ValueError(f"{length - 8} bytes do not fit a UDP datagram")
        # RFC 768: a computed checksum of 0 is sent as all ones. The length counts twice: pseudo-header and header.
        checksum = 0 if missing else _folded(self._sum + 2 * length + _words(payload)) or 0xFFFF
        return self._ip(self._ports + struct.pack("!HH", length, checksum) + payload, ident, missing)

    def segment(self, payload: bytes, ident: int, acknowledged: int) -> bytes:
        """A TCP segment, which moves `sequence` on."""
        numbers = struct.pack("!II", self.sequence, acknowledged)
        self.sequence = (self.sequence + len(payload)) & 0xFFFFFFFF
        tail = struct.pack("!BBH", 5 << 4, _PUSH_ACK, _WINDOW)
        total = self._sum + len(payload) + 20 + _words(numbers) + _words(tail) + _words(payload)
        return self._ip(self._ports + numbers + tail + struct.pack("!HH", _folded(total), 0) + payload, ident, 0)

    def _ip(self, body: bytes, ident: int, missing: int) -> bytes:
        length = len(body) + missing
        if self._version_4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, length + 20, ident, 0, 64, self._protocol, 0) + self._addresses
            head = head[:10] + struct.pack("!H", _folded(_words(head))) + head[12:]
        else:
            head = struct.pack("!IHBB", 0x60000000, length, self._protocol, 64) + self._addresses
        return self._link + head + body


def _words(data: bytes) -> int:
    """Sum of big-endian 16-bit words, the last padded with zero."""
    if len(data) & 1:
        data += b"\0"
    return sum(struct.unpack(f"!{len(data) >> 1}H", data))


def _folded(total: int) -> int:
    """The ones' complement of a ones' complement sum."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
