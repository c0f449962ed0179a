"""An engine's part of a run's recording: every message it sends, and if asked every message it receives.

Where both sides of a call are ours each message is recorded once, by its sender. Without a recording nothing of this
is loaded.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.capture.recording import TCP, UDP, Recorder
from sipreplay.engine.call import Address
from sipreplay.engine.link import Link, Receive
from sipreplay.errors import TransportError

if TYPE_CHECKING:
    from sipreplay.engine.engine import Send


class WireRecord:
    """Wraps sending and receiving."""

    def __init__(self, path: Path, link: Link, *, tcp: bool, received: bool) -> None:
        """`received`: whether what comes in is recorded too. Raises TransportError if the file cannot be created."""
        try:
            self._recorder = Recorder(path)
        except OSError as error:
            raise TransportError(f"{path}: the recording cannot be written: {error.strerror}") from None
        self._link = link
        self._kind = TCP if tcp else UDP
        self._received = received

    @property
    def failure(self) -> str:
        """Why the recording ended early, or ""."""
        return self._recorder.failure

    def sending(self, send: Send) -> Send:
        """`send`, with what was sent recorded, at the time before it left."""
        take, kind, local_of, wall = self._recorder.take, self._kind, self._link.local_of, time.time

        def recorded(data: bytes, address: Address) -> object:
            moment = wall()
            done = send(data, address)
            take(moment, local_of(address), (address[0], address[1]), data, kind)
            return done

        return recorded

    def receiving(self, receive: Receive, *, quiet: bool) -> Receive:
        """`receive`, with what came recorded. `quiet`: the engine is not told where it came from."""
        if not self._received:
            return receive
        take, kind, local_of, wall = self._recorder.take, self._kind, self._link.local_of, time.time

        def recorded(data: bytes, address: Address | None, now: float) -> None:
            if address is not None:
                take(wall(), (address[0], address[1]), local_of(address), data, kind)
            receive(data, None if quiet else address, now)

        return recorded

    def close(self) -> None:
        """Write what is buffered."""
        self._recorder.close()
