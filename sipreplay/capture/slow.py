"""IP packets that the columns do not decode: IPv4 options, IPv6 extension headers, fragments of either.

dpkt reads the headers, one packet at a time; it is imported at the first such packet. Never looks past IP.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from sipreplay.capture.fragments import Fragment, Fragments

_FRAGMENT, _AH = 44, 51


class IpPacket(NamedTuple):
    """A whole IP datagram."""

    version: int
    source: bytes
    destination: bytes
    protocol: int
    payload: bytes
    ident: int
    cut: bool = False
    """The capture does not hold all of the payload."""

    def plain(self) -> bytes:
        """As a packet without options, extension headers and fragments."""
        if self.version == 6:
            head = struct.pack("!IHBB", 0x60000000, min(len(self.payload), 65535), self.protocol, 64)
        else:
            total = min(20 + len(self.payload), 65535)
            head = struct.pack("!BBHHHBBH", 0x45, 0, total, self.ident, 0, 64, self.protocol, 0)
        return head + self.source + self.destination + self.payload


class SlowPath:
    """Decodes single IP packets and puts fragments together."""

    def __init__(self) -> None:
        self.fragments = Fragments()
        self._readers: dict[int, Any] = {}
        self._damaged = 0
        self.first_damaged = 0
        """Number of the first packet whose headers make no sense."""

    @property
    def damaged(self) -> int:
        """Packets whose headers make no sense."""
        return self._damaged + self.fragments.damaged

    @property
    def abandoned(self) -> int:
        """Datagrams of which a fragment never came."""
        return self.fragments.abandoned

    def packet(self, data: bytes, version: int, now_ns: int, number: int = 0) -> IpPacket | None:
        """The datagram of an IP packet, or None while fragments are missing or if it cannot be read. `number` is the
        packet's, for what has to be said of it."""
        if not self._readers:
            self._readers = _readers()
        try:
            header = self._readers[version](data)
            if version == 4:
                return self._version_4(header, now_ns, number)
            return self._version_6(header, len(data) - 40, now_ns, number)
        except (*self._readers[0], struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError):
            # dpkt lets the last few through for some damaged headers.
            self._damaged += 1
            self.first_damaged = self.first_damaged or number
            return None

    def finish(self) -> None:
        """At the end of the capture: what still waits is given up."""
        self.fragments.finish()

    def _version_4(self, header: Any, now_ns: int, number: int) -> IpPacket | None:
        data = header.data
        # A total length of 0 was left to the card.
        size = max(header.len - header.hl * 4, 0) if header.len else len(data)
        whole = IpPacket(4, header.src, header.dst, header.p, data, header.id, len(data) < size)
        if header.p == _AH and header.offset == 0 and not header.mf:
            # RFC 4302: next header, length in words less two.
            skip = 4 * (data[1] + 2)
            return whole._replace(protocol=data[0], payload=data[skip:])
        if header.offset == 0 and not header.mf:
            return whole
        return self._fragment(whole, header.offset * 8, size, bool(header.mf), now_ns, number)

    def _version_6(self, header: Any, captured: int, now_ns: int, number: int) -> IpPacket | None:
        data = header.data
        extensions = min(captured, header.plen) - len(data)
        size = max(header.plen - extensions, 0) if header.plen else len(data)
        whole = IpPacket(6, header.src, header.dst, header.p, data, 0, len(data) < size)
        fragment = header.extension_hdrs.get(_FRAGMENT)
        if fragment is None or (fragment.frag_off == 0 and not fragment.m_flag):
            return whole
        whole = whole._replace(ident=fragment.id)
        return self._fragment(whole, fragment.frag_off * 8, size, bool(fragment.m_flag), now_ns, number)

    def _fragment(
        self, part: IpPacket, offset: int, size: int, more: bool, now_ns: int, number: int
    ) -> IpPacket | None:
        key = (part.source, part.destination, part.protocol, part.ident)
        if part.version == 4 and size < len(part.payload):
            part = part._replace(payload=part.payload[:size])
        fragment = Fragment(key, part.version, offset, part.payload, max(size, len(part.payload)), more)
        found = self.fragments.add(fragment, now_ns, number)
        if found is None:
            return None
        return part._replace(payload=found.payload, ident=part.ident & 0xFFFF, cut=found.cut)


def _readers() -> dict[int, Any]:
    """dpkt's header classes by IP version, made to leave the payload as bytes; at 0 the errors that they raise."""
    import dpkt

    class Version4(dpkt.ip.IP):  # type: ignore[misc]
        _protosw: dict[int, Any] = {}  # noqa: RUF012

    class Version6(dpkt.ip6.IP6):  # type: ignore[misc]
        _protosw: dict[int, Any] = {}  # noqa: RUF012

    return {4: Version4, 6: Version6, 0: (dpkt.Error,)}
