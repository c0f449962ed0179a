"""What a capture holds, counted by protocol: for captures in which nothing else was found.

Counts packets by their outer headers, in columns. Never decodes what they carry.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sipreplay.capture.batch import Batch, Int
from sipreplay.capture.columns import TCP, UDP
from sipreplay.capture.link import ETHERNET, ip_headers
from sipreplay.capture.reader import CaptureReader

PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    6: "TCP",
    17: "UDP",
    41: "IPv6",
    47: "GRE",
    50: "ESP",
    58: "ICMPv6",
    89: "OSPF",
    132: "SCTP",
}
"""By IP protocol number."""
_ETHER_TYPES = {0x0806: "ARP", 0x88CC: "LLDP", 0x8100: "VLAN", 0x888E: "802.1X", 0x8863: "PPPoE discovery"}


@dataclass(slots=True)
class Census:
    """Packets, counted."""

    packets: int = 0
    cut: int = 0
    """Of which the capture does not hold all."""
    fragments: int = 0
    """IPv4 fragments."""
    not_ip: Counter[str] = field(default_factory=Counter)
    """By EtherType where there is one."""
    protocols: Counter[str] = field(default_factory=Counter)
    ports: dict[str, Counter[int]] = field(default_factory=lambda: {"UDP": Counter(), "TCP": Counter()})
    """The lower port of each packet."""


def take_census(path: str) -> Census:
    """Count one capture. Raises CaptureError if it cannot be read."""
    census = Census()
    for batch in CaptureReader(path).batches():
        census.packets += len(batch)
        census.cut += int(np.count_nonzero(batch.captured < batch.original))
        at, version = ip_headers(batch)
        _count_others(census, batch, np.flatnonzero(version == 0))
        for number, place, header in ((4, 9, 20), (6, 6, 40)):
            _count_ip(census, batch, at[version == number], number, place, header)
    return census


def _count_ip(census: Census, batch: Batch, at: Int, version: int, place: int, header: int) -> None:
    buffer = batch.buffer
    protocol = buffer[at + place]
    for value, number in zip(*np.unique(protocol, return_counts=True), strict=True):
        census.protocols[PROTOCOLS.get(int(value), f"protocol {value}")] += int(number)
    if version == 4:
        apart = ((_u16(batch, at + 6)) & 0x3FFF) != 0
        census.fragments += int(np.count_nonzero(apart))
    for kind, name in ((UDP, "UDP"), (TCP, "TCP")):
        some = at[protocol == kind]
        lower = np.minimum(_u16(batch, some + header), _u16(batch, some + header + 2))
        counts = np.bincount(lower, minlength=1)
        for port in np.argsort(-counts)[:50].tolist():
            if counts[port]:
                census.ports[name][port] += int(counts[port])


def _count_others(census: Census, batch: Batch, index: Int) -> None:
    ethernet = np.full(len(index), batch.link) if isinstance(batch.link, int) else batch.link[index]
    kinds = _u16(batch, batch.offset[index] + 12)
    for kind, number in Counter(zip((ethernet == ETHERNET).tolist(), kinds.tolist(), strict=True)).items():
        known = _ETHER_TYPES.get(kind[1], f"EtherType 0x{kind[1]:04x}" if kind[1] >= 0x600 else "802.3")
        census.not_ip[known if kind[0] else "no IP"] += number


def _u16(batch: Batch, at: Int) -> Int:
    at = np.minimum(at, len(batch.buffer) - 2)
    return np.asarray((batch.buffer[at].astype(np.int64) << 8) | batch.buffer[at + 1], np.int64)
