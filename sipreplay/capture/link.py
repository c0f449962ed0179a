"""Link layers: which are read, and where the IP header of each packet starts.

Works on columns, all packets of a batch at a time. Never looks past the first bytes of the IP header.
"""

from __future__ import annotations

import numpy as np

from sipreplay.capture.batch import Batch, Bytes, Int

NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = (
    0,
    1,
    12,
    14,
    101,
    108,
    113,
    228,
    229,
    276,
)

NAMES = {
    NULL: "NULL",
    ETHERNET: "ETHERNET",
    RAW_BSD: "RAW",
    RAW_OPENBSD: "RAW",
    RAW: "RAW",
    LOOP: "LOOP",
    LINUX_SLL: "LINUX_SLL",
    IPV4: "IPV4",
    IPV6: "IPV6",
    LINUX_SLL2: "LINUX_SLL2",
}
"""Link types that are read, by the names of tcpdump.org/linktypes.html. 12 and 14 are raw IP on some systems."""

OTHERS = {
    6: "IEEE802_5",
    9: "PPP",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    105: "IEEE802_11",
    119: "IEEE802_11_PRISM",
    127: "IEEE802_11_RADIOTAP",
    147: "USER0",
    189: "USB_LINUX",
    195: "IEEE802_15_4_WITHFCS",
    220: "USB_LINUX_MMAPPED",
    227: "CAN_SOCKETCAN",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
}
"""Names of some that are not, for messages."""

_VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
_PPPOE_SESSION = 0x8864
_MOST_TAGS = 4


def name_of(link: int) -> str:
    """A link type's name, or its number."""
    return NAMES.get(link) or OTHERS.get(link) or str(link)


def supported() -> str:
    """The readable link types, for a message."""
    return ", ".join(dict.fromkeys(NAMES.values()))


def ip_headers(batch: Batch) -> tuple[Int, Int]:
    """Offset in the buffer of each packet's IP header, and its version: 4, 6, or 0 where the packet is no IP."""
    if isinstance(batch.link, int):
        at, version = _of_one_link(batch.buffer, batch.offset, batch.link)
    else:
        at, version = batch.offset.copy(), np.zeros(len(batch), np.int64)
        for link in np.unique(batch.link).tolist():
            some = np.flatnonzero(batch.link == link)
            at[some], version[some] = _of_one_link(batch.buffer, batch.offset[some], link)
    present = batch.buffer[at].astype(np.int64) >> 4
    known = (version == present) & ((version == 4) | (version == 6))
    version[~known | (at + 20 > batch.offset + batch.captured)] = 0
    return at, version


def _of_one_link(buffer: Bytes, offset: Int, link: int) -> tuple[Int, Int]:
    if link == ETHERNET:
        return _tagged(buffer, offset + 12)
    if link == LINUX_SLL:
        return _tagged(buffer, offset + 14)
    if link == LINUX_SLL2:
        return offset + 20, _version_of(_u16(buffer, offset))
    if link in (NULL, LOOP):
        # The address family has the byte order and the numbers of the machine that captured; the IP header says enough.
        small = (buffer[offset + 1] == 0) & (buffer[offset + 2] == 0)
        return offset + 4, np.where(small, _nibble(buffer, offset + 4), 0)
    if link in (RAW, RAW_BSD, RAW_OPENBSD, IPV4, IPV6):
        return offset.copy(), _nibble(buffer, offset)
    return offset.copy(), np.zeros(len(offset), np.int64)


def _tagged(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """From the place of an EtherType: past VLAN tags (802.1Q, 802.1ad, nested) and a PPPoE session header."""
    kind = _u16(buffer, at)
    for _ in range(_MOST_TAGS):
        tagged = np.flatnonzero(np.isin(kind, _VLAN_TAGS)) if (kind >= 0x8100).any() else _NONE
        if len(tagged) == 0:
            break
        at[tagged] += 4
        kind[tagged] = _u16(buffer, np.minimum(at[tagged], len(buffer) - 2))
    version = _version_of(kind)
    session = np.flatnonzero(kind == _PPPOE_SESSION)
    if len(session):
        at[session] += 8
        protocol = _u16(buffer, np.minimum(at[session], len(buffer) - 2))
        version[session] = np.where(protocol == 0x0021, 4, np.where(protocol == 0x0057, 6, 0))
    return np.minimum(at + 2, len(buffer) - 128), version


_NONE = np.zeros(0, np.int64)


def _u16(buffer: Bytes, at: Int) -> Int:
    return (buffer[at].astype(np.int64) << 8) | buffer[at + 1]


def _nibble(buffer: Bytes, at: Int) -> Int:
    return buffer[at].astype(np.int64) >> 4


def _version_of(ether_type: Int) -> Int:
    return np.where(ether_type == 0x0800, 4, np.where(ether_type == 0x86DD, 6, 0))
