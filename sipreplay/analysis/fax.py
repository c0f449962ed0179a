"""T.38 over UDPTL between addresses that SDP announced for it, as streams of their own kind.

Counts packets, loss and what redundancy brought back. Memory grows with streams. Never looks at other traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipreplay.analysis.model import Address, Stream
from sipreplay.rtp.udptl import UdptlPacket, parse_udptl

MAX_STREAMS = 10_000
MAX_FAX_ADDRESSES = 100_000
"""That are watched: what goes to further ones is not seen."""
PAUSE_S = 60.0
"""After such a silence the same addresses carry another fax."""
_WINDOW = 64


@dataclass(slots=True)
class _Fax:
    source: Address
    destination: Address
    first: float
    last: float
    highest: int
    """Sequence number with its cycles."""
    lowest: int
    seen: int = 1
    """Bit n: highest - n has arrived."""
    packets: int = 0
    size: int = 0
    duplicates: int = 0
    reordered: int = 0
    redundancy: int = 0
    recovered: int = 0
    """Lost packets that a later one repeated."""
    fec: bool = False

    def take(self, packet: UdptlPacket, time: float, size: int) -> None:
        self.packets += 1
        self.size += size
        self.last = max(self.last, time)
        self.redundancy, self.fec = max(self.redundancy, packet.redundant), self.fec or packet.fec
        step = ((packet.sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        if step > 0:
            self.recovered += min(step - 1, packet.redundant)
            self.highest += step
            self.seen = (self.seen << min(step, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
        elif self.packets > 1:
            bit = 1 << -step
            if -step < _WINDOW and not self.seen & bit:
                self.seen |= bit
                self.reordered += 1
            else:
                self.duplicates += 1

    @property
    def lost(self) -> int:
        return self.highest - self.lowest + 1 - (self.packets - self.duplicates)


class FaxBook:
    """All T.38 of a set of captures."""

    def __init__(self) -> None:
        self.announced: set[Address] = set()
        self._faxes: dict[tuple[Address, Address], list[_Fax]] = {}
        self._count = 0

    def add(self, source: Address, destination: Address, time: float, data: bytes) -> None:
        """A datagram from or to a watched port."""
        if destination not in self.announced and source not in self.announced:
            return
        packet = parse_udptl(data)
        if packet is None:
            return
        key = source, destination
        known = self._faxes.get(key)
        if not known or time - known[-1].last > PAUSE_S:
            if self._count >= MAX_STREAMS:
                return
            self._count += 1
            known = self._faxes.setdefault(key, [])
            known.append(_Fax(source, destination, time, time, packet.sequence, packet.sequence))
        known[-1].take(packet, time, len(data))

    def streams(self) -> list[Stream]:
        """What was found, in order of time."""
        faxes = sorted((fax for known in self._faxes.values() for fax in known), key=lambda fax: fax.first)
        return [_stream(fax) for fax in faxes]


def _stream(fax: _Fax) -> Stream:
    duration = fax.last - fax.first
    head = 48 if ":" in fax.source.host else 28
    return Stream(
        source=fax.source,
        destination=fax.destination,
        ssrc=0,
        payload_types=[],
        codec="t38",
        packets=fax.packets,
        lost=fax.lost,
        duplicates=fax.duplicates,
        reordered=fax.reordered,
        mean_delta_ms=1000 * duration / (fax.packets - 1) if fax.packets > 1 else 0.0,
        max_delta_ms=0.0,
        mean_jitter_ms=0.0,
        max_jitter_ms=0.0,
        mos=None,
        dtmf="",
        first=fax.first,
        last=fax.last,
        kind="t38",
        bandwidth_kbps=(fax.size + head * fax.packets) * 8 / duration / 1000 if duration > 0 else None,
        redundancy=fax.redundancy,
        recovered=fax.recovered,
        fec=fax.fec,
    )
