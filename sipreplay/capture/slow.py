"""IP packets that the columns do not decode: IPv4 options, IPv6 extension headers, fragments of either.

dpkt reads the headers, one packet at a time; it is imported at the first such packet. Owns the fragments that wait for
the rest of their datagram, in bounded number and for a bounded time.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

MAX_DATAGRAMS = 1024
"""Unfinished datagrams that are kept; the oldest goes first."""
MAX_FRAGMENTS = 512
TIMEOUT_NS = 30 * 1_000_000_000
"""RFC 8200 section 4.5 gives a datagram 60 s, RFC 1122 at most 120 s; captures that miss one are far commoner."""
_MAX_DATAGRAM = 65535
_FRAGMENT = 44


class IpPacket(NamedTuple):
    """A whole IP datagram."""

    version: int
    source: bytes
    destination: bytes
    protocol: int
    payload: bytes
    ident: int


class _Parts:
    """The fragments of one datagram."""

    __slots__ = ("began_ns", "parts", "total")

    def __init__(self, now_ns: int) -> None:
        self.began_ns = now_ns
        self.parts: dict[int, bytes] = {}
        self.total = -1

    def whole(self) -> bytes | None:
        """The payload, once no byte is missing. Where fragments overlap, the earlier bytes stand."""
        if self.total < 0:
            return None
        out = bytearray()
        for offset in sorted(self.parts):
            if offset > len(out):
                return None
            out += self.parts[offset][len(out) - offset :]
        return bytes(out[: self.total]) if len(out) >= self.total else None


class SlowPath:
    """Decodes single IP packets and puts fragments together."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, bytes, int, int], _Parts] = {}
        self._readers: dict[int, Any] = {}
        self.damaged = 0
        """Packets whose headers make no sense."""
        self.abandoned = 0
        """Datagrams of which a fragment never came."""

    def packet(self, data: bytes, version: int, now_ns: int) -> IpPacket | None:
        """The datagram of an IP packet, or None while fragments are missing or if it cannot be read."""
        if not self._readers:
            self._readers = _readers()
        try:
            header = self._readers[version](data)
            if version == 4:
                return self._version_4(header, now_ns)
            return self._version_6(header, now_ns)
        except (*self._readers[0], struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError):
            # dpkt lets the last few through for some damaged headers.
            self.damaged += 1
            return None

    def finish(self) -> None:
        """At the end of the capture: what still waits is given up."""
        self.abandoned += len(self._waiting)
        self._waiting.clear()

    def _version_4(self, header: Any, now_ns: int) -> IpPacket | None:
        whole = IpPacket(4, header.src, header.dst, header.p, header.data, header.id)
        if header.offset == 0 and not header.mf:
            return whole
        return self._fragment(whole, header.offset * 8, bool(header.mf), now_ns)

    def _version_6(self, header: Any, now_ns: int) -> IpPacket | None:
        fragment = header.extension_hdrs.get(_FRAGMENT)
        if fragment is None:
            return IpPacket(6, header.src, header.dst, header.p, header.data, 0)
        whole = IpPacket(6, header.src, header.dst, header.p, header.data, fragment.id)
        if fragment.frag_off == 0 and not fragment.m_flag:
            return whole._replace(ident=0)
        return self._fragment(whole, fragment.frag_off * 8, bool(fragment.m_flag), now_ns)

    def _fragment(self, part: IpPacket, offset: int, more: bool, now_ns: int) -> IpPacket | None:
        key = (part.source, part.destination, part.protocol, part.ident)
        waiting = self._waiting.get(key)
        if waiting is None or abs(now_ns - waiting.began_ns) > TIMEOUT_NS:
            if waiting is not None:
                self.abandoned += 1
                del self._waiting[key]
            while len(self._waiting) >= MAX_DATAGRAMS:
                del self._waiting[next(iter(self._waiting))]
                self.abandoned += 1
            waiting = self._waiting[key] = _Parts(now_ns)
        end = offset + len(part.payload)
        if end > _MAX_DATAGRAM or len(waiting.parts) >= MAX_FRAGMENTS:
            self.damaged += 1
            return None
        if len(waiting.parts.get(offset, b"")) < len(part.payload):
            waiting.parts[offset] = part.payload
        if not more:
            waiting.total = end
        payload = waiting.whole()
        if payload is None:
            return None
        del self._waiting[key]
        return part._replace(payload=payload, ident=part.ident & 0xFFFF)


def _readers() -> dict[int, Any]:
    """dpkt's header classes by IP version, made to leave the payload as bytes; at 0 the errors that they raise."""
    import dpkt

    class Version4(dpkt.ip.IP):  # type: ignore[misc]
        _protosw: dict[int, Any] = {}  # noqa: RUF012

    class Version6(dpkt.ip6.IP6):  # type: ignore[misc]
        _protosw: dict[int, Any] = {}  # noqa: RUF012

    return {4: Version4, 6: Version6, 0: (dpkt.Error,)}
