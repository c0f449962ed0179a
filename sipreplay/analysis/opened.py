"""SRTP while a capture is read: the few packets whose payload matters, opened with the keys that SDP named in the call.

Owns a decryptor for each encrypted row. Never needed for counts; never opens packets that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sipreplay.capture.columns import RtpColumns
from sipreplay.rtp.packet import RtpSyntaxError, parse_rtp
from sipreplay.rtp.quality import Int

if TYPE_CHECKING:
    from sipreplay.rtp.srtp import Decryptor

MAX_ROWS = 20_000
"""Rows that are opened: further ones are counted only."""


class OpenedRows:
    """Rows whose calls named keys."""

    def __init__(self) -> None:
        self._decryptors: dict[int, Decryptor] = {}
        self._lines: dict[int, tuple[str, ...]] = {}
        self._rows: Int = np.zeros(0, np.int64)
        """Sorted."""

    def __bool__(self) -> bool:
        return bool(self._decryptors)

    def set_keys(self, row: int, lines: Iterable[str]) -> None:
        """The a=crypto values that were named for a row; those it has already change nothing."""
        wanted = tuple(dict.fromkeys(lines))
        if not wanted or self._lines.get(row) == wanted or len(self._decryptors) >= MAX_ROWS:
            return
        from sipreplay.rtp.srtp import Decryptor, parse_crypto  # loads two libraries that most captures do not need

        keys = [key for line in wanted for key in parse_crypto(line)]
        if keys:
            self._lines[row] = wanted
            self._decryptors[row] = Decryptor(keys)
            self._rows = np.array(sorted(self._decryptors), np.int64)

    def forget(self, row: int) -> None:
        """The row is another stream's now."""
        if self._decryptors.pop(row, None) is not None:
            self._lines.pop(row)
            self._rows = np.array(sorted(self._decryptors), np.int64)

    def locked(self, rows: Int) -> NDArray[np.bool_]:
        """Which of these packets are encrypted, by their rows."""
        result: NDArray[np.bool_] = np.isin(rows, self._rows)
        return result

    def payload(self, row: int, rtp: RtpColumns, index: int) -> bytes | None:
        """The payload of a packet in the clear, or None. Ask in order of arrival."""
        start = int(rtp.offset[index])
        clear = self._decryptors[row].open(rtp.buffer[start : start + int(rtp.length[index])].tobytes())
        if clear is None:
            return None
        try:
            return parse_rtp(clear).payload
        except RtpSyntaxError:
            return None

    def has_opened(self, row: int) -> bool:
        """Whether a key fitted."""
        decryptor = self._decryptors.get(row)
        return decryptor is not None and decryptor.opened > 0
