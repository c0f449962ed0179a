"""What lies between an EtherType and the IP header: VLAN tags, PPPoE, MPLS, LLC and SNAP, PPP.

Works on columns. All that carry further packets lead back here, so steps are bounded. Never looks past the first bytes
of the IP header. An offset that a damaged packet leads past the end of the buffer is brought back into it.
"""

from __future__ import annotations

import numpy as np

from sipreplay.capture.batch import PADDING, Bytes, Int

IPV4, IPV6, BRIDGED = 0x0800, 0x86DD, 0x6558
_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200)
_PPPOE_SESSION = 0x8864
_MPLS = (0x8847, 0x8848)
_PPP = 0x880B
_LENGTHS_BELOW = 0x0600
"""A smaller number in the place of an EtherType is a length (IEEE 802.3 clause 3.2.6)."""
_SNAP = 0xAAAA
_MOST_STEPS = 16
_MOST_LABELS = 10


def u16(buffer: Bytes, at: Int) -> Int:
    """Two bytes in network order at each offset."""
    return (buffer[at].astype(np.int64) << 8) | buffer[at + 1]


def nibble(buffer: Bytes, at: Int) -> Int:
    """The upper half of a byte: the version, where an IP header begins."""
    return buffer[at].astype(np.int64) >> 4


def within(buffer: Bytes, at: Int) -> Int:
    """Offsets that leave room to look at what follows."""
    return np.minimum(at, len(buffer) - PADDING // 2)


def follow(buffer: Bytes, at: Int, kind: Int) -> tuple[Int, Int]:
    """From the payload after an EtherType, at `at`, to the IP header: its offset, and its version or 0 for no IP."""
    at = within(buffer, at)
    version = np.where(kind == IPV4, 4, np.where(kind == IPV6, 6, 0))
    for _ in range(_MOST_STEPS):
        more = np.flatnonzero((version == 0) & (kind > 0))
        if len(more) == 0:
            break
        place, what = _step(buffer, at[more], kind[more])
        at[more], kind[more] = within(buffer, place), what
        version[more] = np.where(what == IPV4, 4, np.where(what == IPV6, 6, 0))
    return at, version


def ethernet(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """From the beginning of Ethernet frames to their IP headers."""
    at = within(buffer, at)
    return follow(buffer, at + 14, u16(buffer, at + 12))


def ppp(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """Past a PPP header, with or without address and control (RFC 1662), protocol compressed or not (RFC 1661): offset
    and EtherType, 0 for what is neither IP nor MPLS."""
    at = np.where(u16(buffer, at) == 0xFF03, at + 2, at)
    short = (buffer[at] & 1) == 1
    protocol = np.where(short, buffer[at], u16(buffer, at))
    at = np.where(short, at + 1, at + 2)
    kind = np.where(protocol == 0x0021, IPV4, np.where(protocol == 0x0057, IPV6, 0))
    return at, np.where(protocol == 0x0281, _MPLS[0], kind)


def _step(buffer: Bytes, at: Int, kind: Int) -> tuple[Int, Int]:
    """Past one header: the offset after it, and the EtherType of what follows, 0 for none that is known."""
    place, what = at.copy(), np.zeros(len(at), np.int64)
    some = np.flatnonzero(np.isin(kind, _VLAN))
    if len(some):
        what[some] = u16(buffer, at[some] + 2)
        place[some] = at[some] + 4
    some = np.flatnonzero((kind == _PPPOE_SESSION) | (kind == _PPP))
    if len(some):
        start = np.where(kind[some] == _PPP, at[some], at[some] + 6)
        place[some], what[some] = ppp(buffer, start)
    some = np.flatnonzero(kind < _LENGTHS_BELOW)
    if len(some):
        place[some], what[some] = _llc(buffer, at[some])
    some = np.flatnonzero(np.isin(kind, _MPLS))
    if len(some):
        place[some], what[some] = _labels(buffer, at[some])
    some = np.flatnonzero(kind == BRIDGED)
    if len(some):
        place[some], what[some] = at[some] + 14, u16(buffer, at[some] + 12)
    return place, what


def _llc(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """An LLC header (IEEE 802.2): SNAP names an EtherType, SAP 6 is IP."""
    saps = u16(buffer, at)
    snap = (saps == _SNAP) & (buffer[at + 2] == 3)
    plain = (saps == 0x0606) & (buffer[at + 2] == 3)
    kind = np.where(snap, u16(buffer, at + 6), np.where(plain, IPV4, 0))
    # A length after SNAP would lead here for ever.
    return np.where(snap, at + 8, at + 3), np.where(kind < _LENGTHS_BELOW, 0, kind)


def _labels(buffer: Bytes, at: Int) -> tuple[Int, Int]:
    """An MPLS label stack (RFC 3032), and what is under it: IP, or Ethernet of a pseudo-wire (RFC 4448)."""
    bottom = (buffer[at + 2] & 1) == 1
    for _ in range(_MOST_LABELS):
        if bottom.all():
            break
        at = within(buffer, np.where(bottom, at, at + 4))
        bottom = (buffer[at + 2] & 1) == 1
    at = within(buffer, at + 4)
    first = buffer[at]
    total = u16(buffer, at + 2)
    is_v4 = (first >= 0x45) & (first <= 0x4F) & (total >= 20)
    is_v6 = (first >> 4 == 6) & np.isin(buffer[at + 6], (0, 4, 6, 17, 41, 43, 44, 47, 50, 58, 60))
    control_word = first >> 4 == 0
    kind = np.where(is_v4, IPV4, np.where(is_v6, IPV6, BRIDGED))
    return np.where((kind == BRIDGED) & control_word, at + 4, at), np.where(bottom, kind, 0)
