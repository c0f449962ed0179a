"""Which of several processes takes what, where each of them reads everything.

A message is its Call-ID's, a stream its addresses' and SSRC's: whatever is compared with each other has one owner.
Never takes anything itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipreplay.sip.scan import scan

_CALL_ID = b"\r\nCall-ID: "
_MIX = np.uint64(0x9E3779B97F4A7C15)


def call_id_of(data: bytes) -> bytes:
    """The Call-ID that says whose a message is: in the usual spelling by a quick look, else by the rules; or b""."""
    at = data.find(_CALL_ID)
    if at >= 0:
        return data[at + 11 : data.find(b"\r\n", at + 2)].strip()
    scanned = scan(data)
    return scanned.call_id if scanned is not None else b""


class Share(NamedTuple):
    """One of several shares; (0, 1) is everything."""

    number: int
    of: int
    """How many there are."""

    @property
    def leads(self) -> bool:
        """Whether it is the one that takes what cannot be shared: RTCP, fax, problems of files."""
        return self.number == 0

    def has_call(self, call_id: bytes) -> bool:
        """Whether the messages of a Call-ID are of this share. Only processes with one hash seed agree."""
        return hash(call_id) % self.of == self.number

    def streams(self, addresses: NDArray[np.uint64], ports_ssrc: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which packets are of this share, by the key of their stream."""
        mixed = (addresses ^ (ports_ssrc * _MIX)) * _MIX
        ours: NDArray[np.bool_] = (mixed >> np.uint64(40)) % np.uint64(self.of) == np.uint64(self.number)
        return ours


ALL = Share(0, 1)
