"""The first call of a run as a small capture: what the report draws its ladder from, and what Wireshark can open.

Costs one comparison a message once the call's messages are taken; bounded in messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.capture.write import PcapWriter
from sipreplay.engine.call import Address
from sipreplay.errors import TransportError
from sipreplay.sip.scan import scan

if TYPE_CHECKING:
    from sipreplay.engine.engine import Send

MOST_MESSAGES = 200


class CallTrace:
    """Writes the messages of the first Call-ID it sees to a pcap, as UDP whatever they travelled over."""

    def __init__(self, path: Path, local: Address) -> None:
        """Raises TransportError if the file cannot be created."""
        try:
            self._writer = PcapWriter(path)
        except OSError as error:
            raise TransportError(f"cannot write the trace {path}: {error.strerror}") from None
        self._local = self._peer = (local[0], local[1])
        self._call_id = b""
        self._left = MOST_MESSAGES

    def sending(self, send: Send) -> Send:
        """`send`, with the messages of the first call written."""

        def traced(data: bytes, address: Address) -> object:
            if self._left:
                self._peer = (address[0], address[1])
                self._take(data, self._local, self._peer)
            return send(data, address)

        return traced

    def receiving(
        self, receive: Callable[[bytes, Address | None, float], None]
    ) -> Callable[[bytes, Address | None, float], None]:
        """`receive`, with the messages of the first call written."""

        def traced(data: bytes, address: Address | None, now: float) -> None:
            if self._left:
                # A calling engine does not ask where a message came from: it is an answer of the address it sends to.
                source = (address[0], address[1]) if address is not None else self._peer
                self._take(data, source, self._local)
            receive(data, address, now)

        return traced

    def close(self) -> None:
        """Write what is buffered."""
        self._left = 0
        self._writer.close()

    def _take(self, data: bytes, source: tuple[str, int], destination: tuple[str, int]) -> None:
        seen = scan(data)
        if seen is None:
            return
        if not self._call_id:
            self._call_id = seen.call_id
        if seen.call_id != self._call_id:
            return
        self._left -= 1
        try:
            self._writer.udp(time.time(), source, destination, data)
        except (ValueError, OSError):
            # An address of another family, or a full disk: the example is lost, the run is not.
            self._left = 0
