"""Link layers: which are read, and where the IP header of each packet starts.

Works on columns, all packets of a batch at a time. Never looks past the first bytes of the IP header.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sipreplay.capture.batch import Batch, Bytes, Int
from sipreplay.capture.ethertype import ethernet, follow, nibble, ppp, u16, within

NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
RAW_BSD, RAW_OPENBSD = 12, 14
PPP, PPP_HDLC, PPP_ETHER, C_HDLC, PPP_PPPD, PPP_WITH_DIR = 9, 50, 51, 104, 166, 204
ENC, ERF = 109, 197
IEEE802_11, RADIOTAP, PPI = 105, 127, 192

NAMES = {
    NULL: "NULL",
    ETHERNET: "ETHERNET",
    PPP: "PPP",
    RAW_BSD: "RAW",
    RAW_OPENBSD: "RAW",
    PPP_HDLC: "PPP_HDLC",
    PPP_ETHER: "PPP_ETHER",
    RAW: "RAW",
    C_HDLC: "C_HDLC",
    IEEE802_11: "IEEE802_11",
    LOOP: "LOOP",
    ENC: "ENC",
    LINUX_SLL: "LINUX_SLL",
    RADIOTAP: "IEEE802_11_RADIOTAP",
    PPP_PPPD: "PPP_PPPD",
    PPI: "PPI",
    ERF: "ERF",
    PPP_WITH_DIR: "PPP_WITH_DIR",
    IPV4: "IPV4",
    IPV6: "IPV6",
    LINUX_SLL2: "LINUX_SLL2",
}
"""Link types that are read, by the names of tcpdump.org/linktypes.html. 12 and 14 are raw IP on some systems."""

OTHERS = {
    6: "IEEE802_5",
    10: "FDDI",
    11: "ATM_RFC1483",
    107: "FRELAY",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    147: "USER0",
    189: "USB_LINUX",
    195: "IEEE802_15_4_WITHFCS",
    220: "USB_LINUX_MMAPPED",
    227: "CAN_SOCKETCAN",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
}
"""Names of some that are not, for messages."""

_ERF_ETHERNET = (2, 11, 16, 20)
"""TYPE_ETH and its coloured kinds."""
_MOST_ERF_EXTENSIONS = 8


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
    return at, checked(batch.buffer, at, version, batch.offset + batch.captured)


def checked(buffer: Bytes, at: Int, version: Int, end: Int) -> Int:
    """The versions, with 0 where no IP header of that version begins, or not whole."""
    present = nibble(buffer, at)
    known = (version == present) & ((version == 4) | (version == 6))
    version[~known | (at + 20 > end)] = 0
    return version


def _of_one_link(buffer: Bytes, offset: Int, link: int) -> tuple[Int, Int]:
    reader = _READERS.get(link)
    if reader is None:
        return offset.copy(), np.zeros(len(offset), np.int64)
    return reader(buffer, offset)


def _cooked(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return follow(buffer, offset + 16, u16(buffer, offset + 14))


def _cooked_2(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return follow(buffer, offset + 20, u16(buffer, offset))


def _null(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    # The address family has the byte order and the numbers of the machine that captured; the IP header says enough.
    small = (buffer[offset + 1] == 0) & (buffer[offset + 2] == 0)
    return offset + 4, np.where(small, nibble(buffer, offset + 4), 0)


def _raw(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return offset.copy(), nibble(buffer, offset)


def _enc(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    """OpenBSD: address family, SPI and flags."""
    return offset + 12, nibble(buffer, offset + 12)


def _ppp(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return follow(buffer, *ppp(buffer, offset))


def _ppp_with_direction(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return follow(buffer, *ppp(buffer, offset + 1))


def _pppd(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    # The direction takes the place of the address; the control byte may be missing with it.
    start = np.where(buffer[offset + 1] == 3, offset + 2, offset + 1)
    return follow(buffer, *ppp(buffer, start))


def _hdlc(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    """PPP in HDLC-like framing (RFC 1662), or Cisco's HDLC, whose addresses are 0x0F and 0x8F."""
    at, kind = ppp(buffer, offset)
    cisco = (buffer[offset] & 0x7F) == 0x0F
    return follow(buffer, np.where(cisco, offset + 4, at), np.where(cisco, u16(buffer, offset + 2), kind))


def _pppoe(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    return follow(buffer, *ppp(buffer, offset + 6))


def _erf(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    """Endace's records: 16 bytes, extension headers of 8 each, then for Ethernet two bytes of padding."""
    more = buffer[offset + 8] >= 0x80
    at = offset + 16
    for _ in range(_MOST_ERF_EXTENSIONS):
        if not more.any():
            break
        at = within(buffer, at)
        then = more & (buffer[at] >= 0x80)
        at = np.where(more, at + 8, at)
        more = then
    kind = buffer[offset + 8] & 0x7F
    is_ethernet = np.isin(kind, _ERF_ETHERNET)
    at = within(buffer, np.where(is_ethernet, at + 2, at))
    place, version = ethernet(buffer, at)
    raw = np.where((kind == 22) | (kind == 23), nibble(buffer, at), 0)
    return np.where(is_ethernet, place, at), np.where(is_ethernet, version, raw)


def _wireless(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    """IEEE 802.11 data frames that are not encrypted: the header, then LLC."""
    offset = within(buffer, offset)
    kind, flags = buffer[offset], buffer[offset + 1]
    data = ((kind & 0x0C) == 0x08) & ((kind & 0x40) == 0) & ((flags & 0x40) == 0)
    size = 24 + 6 * ((flags & 3) == 3).astype(np.int64)
    size += np.where(kind & 0x80, 2 + 4 * (flags >> 7).astype(np.int64), 0)
    return follow(buffer, offset + size, np.where(data, 1, 0))


def _radiotap(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    """Radiotap's header, and that of PPI, begin alike: four bytes, of which two are the length, the lower first."""
    length = buffer[offset + 2].astype(np.int64) | buffer[offset + 3].astype(np.int64) << 8
    return _wireless(buffer, offset + length)


def _ppi(buffer: Bytes, offset: Int) -> tuple[Int, Int]:
    at, version = _radiotap(buffer, offset)
    carried = buffer[offset + 4].astype(np.int64) | buffer[offset + 5].astype(np.int64) << 8
    return at, np.where(carried == IEEE802_11, version, 0)


_READERS: dict[int, Callable[[Bytes, Int], tuple[Int, Int]]] = {
    NULL: _null,
    LOOP: _null,
    ETHERNET: ethernet,
    LINUX_SLL: _cooked,
    LINUX_SLL2: _cooked_2,
    RAW: _raw,
    RAW_BSD: _raw,
    RAW_OPENBSD: _raw,
    IPV4: _raw,
    IPV6: _raw,
    PPP: _ppp,
    PPP_HDLC: _hdlc,
    C_HDLC: _hdlc,
    PPP_ETHER: _pppoe,
    PPP_PPPD: _pppd,
    PPP_WITH_DIR: _ppp_with_direction,
    ENC: _enc,
    ERF: _erf,
    IEEE802_11: _wireless,
    RADIOTAP: _radiotap,
    PPI: _ppi,
}
