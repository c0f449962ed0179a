"""Tunnels: from the outer IP header to the packet inside, whole columns at a time.

IP in IP (RFC 2003, RFC 2473, RFC 4213), GRE with ERSPAN, MPLS, VXLAN, GENEVE, GTP-U, and ESP whose encryption is NULL.
Nested ones are entered step by step by whoever calls. Owns how each is known; never touches fragments and IP options,
which the slow path takes off first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.batch import Bytes, Int
from sipreplay.capture.ethertype import BRIDGED, follow, nibble, u16, within
from sipreplay.capture.nullesp import open_esp

MAX_DEPTH = 6
"""Tunnels inside tunnels that are entered; what is deeper is left alone."""
IPIP, IPV6_IN, GRE, ESP, MPLS_IN_IP = 4, 41, 47, 50, 137
TUNNELS = np.zeros(256, bool)
TUNNELS[[IPIP, IPV6_IN, GRE, ESP, MPLS_IN_IP]] = True
"""Protocol numbers that may be tunnels."""
GTP_U, ESP_IN_UDP, VXLAN, VXLAN_LINUX, GENEVE, MPLS_IN_UDP = 2152, 4500, 4789, 8472, 6081, 6635
_PORTS = np.zeros(65536, bool)
_PORTS[[GTP_U, ESP_IN_UDP, VXLAN, VXLAN_LINUX, GENEVE, MPLS_IN_UDP]] = True
_ERSPAN, _ERSPAN_3, _GRE_PPP, _MPLS = 0x88BE, 0x22EB, 0x880B, 0x8847
_UDP = 17
_GTP_MESSAGE = 0xFF
_MOST_EXTENSIONS = 8


def may_be(protocol: NDArray[np.uint8], ports: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which packets may be tunnels: by protocol, or by UDP port of either side."""
    found: NDArray[np.bool_] = TUNNELS.take(protocol)
    known = _PORTS.take(ports.astype(np.uint32).view(np.uint16))
    if known.any():
        found |= (protocol == _UDP) & known.reshape(-1, 2).any(axis=1)
    return found


def is_tunnel(protocol: int, source_port: int, destination_port: int) -> bool:
    """As `may_be`, of one packet."""
    ports = bool(_PORTS[source_port] or _PORTS[destination_port])
    return bool(TUNNELS[protocol]) or (protocol == _UDP and ports)


def enter(buffer: Bytes, at: Int, version: int, end: Int) -> tuple[Int, Int]:
    """Of packets that may be tunnels, with their IP headers (without options) at `at` and their ends at `end`: where
    the IP header inside begins, and its version, 0 for what is no tunnel after all."""
    size = 20 if version == 4 else 40
    protocol = buffer[at + (9 if version == 4 else 6)]
    place, inside = at + size, np.zeros(len(at), np.int64)

    def take(some: NDArray[np.bool_], reader: Callable[[Bytes, Int], tuple[Int, Int]], skip: int = 0) -> None:
        index = np.flatnonzero(some)
        if len(index):
            place[index], inside[index] = reader(buffer, within(buffer, at[index] + size + skip))

    take((protocol == IPIP) | (protocol == IPV6_IN), _ip)
    take(protocol == GRE, _gre)
    take(protocol == MPLS_IN_IP, _mpls)
    udp = protocol == _UDP
    if udp.any():
        source, destination = u16(buffer, at + size), u16(buffer, at + size + 2)
        take(udp & ((destination == GTP_U) | (source == GTP_U)), _gtp, 8)
        take(udp & ((destination == VXLAN) | (destination == VXLAN_LINUX)), _vxlan, 8)
        take(udp & (destination == GENEVE), _geneve, 8)
        take(udp & (destination == MPLS_IN_UDP), _mpls, 8)
        over_udp = udp & ((source == ESP_IN_UDP) | (destination == ESP_IN_UDP))
    else:
        over_udp = udp
    esp = np.flatnonzero((protocol == ESP) | over_udp)
    if len(esp):
        skip = np.where(over_udp[esp], size + 8, size)
        place[esp], inside[esp] = open_esp(buffer, at[esp], version, at[esp] + skip, end[esp])
    return place, inside


def _ip(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    return at, nibble(buffer, at)


def _mpls(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    return follow(buffer, at, np.full(len(at), _MPLS))


def _gre(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """RFC 2784 and RFC 2890, version 1 (RFC 2637) with PPP, ERSPAN types I, II and III."""
    flags, kind = u16(buffer, at), u16(buffer, at + 2)
    size = 4 + 4 * ((flags & 0xC000) > 0) + 4 * ((flags & 0x2000) > 0) + 4 * ((flags & 0x1000) > 0)
    gre_version = flags & 7
    size += np.where((gre_version == 1) & ((flags & 0x0080) > 0), 4, 0)
    # ERSPAN type I has no sequence number, and no header of its own.
    size += np.where((kind == _ERSPAN) & ((flags & 0x1000) > 0), 8, 0)
    then = within(buffer, at + size)
    optional = (buffer[within(buffer, then + 11)] & 1).astype(np.int64)
    size += np.where(kind == _ERSPAN_3, 12 + 8 * optional, 0)
    bridged = (kind == _ERSPAN) | (kind == _ERSPAN_3)
    kind = np.where(bridged, BRIDGED, kind)
    routed = (flags & 0x4000) > 0
    sound = ~routed & ((gre_version == 0) | ((gre_version == 1) & (kind == _GRE_PPP)))
    return follow(buffer, at + size, np.where(sound, kind, 0))


def _vxlan(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """RFC 7348: eight bytes, then Ethernet."""
    return follow(buffer, at + 8, np.where((buffer[at] & 0x08) > 0, BRIDGED, 0))


def _geneve(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """RFC 8926: options in words of four bytes, then what the EtherType says."""
    size = 8 + 4 * (buffer[at] & 0x3F).astype(np.int64)
    return follow(buffer, at + size, np.where(buffer[at] >> 6 == 0, u16(buffer, at + 2), 0))


def _gtp(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """GTP-U version 1 (3GPP TS 29.281 section 5), with its extension headers: a G-PDU carries one IP packet."""
    flags = buffer[at]
    data = ((flags & 0xF0) == 0x30) & (buffer[at + 1] == _GTP_MESSAGE)
    optional = (flags & 7) > 0
    place = at + np.where(optional, 12, 8)
    more = np.where(((flags & 4) > 0) & data, buffer[at + 11], 0)
    for _ in range(_MOST_EXTENSIONS):
        if not more.any():
            break
        length = 4 * buffer[place].astype(np.int64)
        following = within(buffer, place + np.where(more > 0, length, 0))
        data &= (more == 0) | (length > 0)
        more = np.where((more > 0) & data, buffer[np.maximum(following - 1, 0)], 0)
        place = following
    data &= more == 0
    place = within(buffer, place)
    return place, np.where(data, nibble(buffer, place), 0)
