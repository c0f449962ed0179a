"""The media process's part of a run's recording: every packet it sends, and if asked every datagram it receives.

Off, it does not exist, and sending and receiving go as always. On, a packet costs more: its
bytes are handed to a buffered file.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from sipreplay.capture.recording import UDP, Recorder
from sipreplay.errors import TransportError
from sipreplay.media.lanes import Send
from sipreplay.media.sockets import Received

RECORDED_BYTES = 2048
"""Of a datagram that is received: more than an Ethernet frame carries. A longer one is recorded as cut."""


class MediaRecord:
    """Wraps sending, and is told what was received."""

    def __init__(self, path: Path) -> None:
        """Raises TransportError if the file cannot be created."""
        try:
            self._recorder = Recorder(path)
        except OSError as error:
            raise TransportError(f"{path}: the recording cannot be written: {error.strerror}") from None

    @property
    def failure(self) -> str:
        """Why the recording ended early, or ""."""
        return self._recorder.failure

    def sending(self, opened: socket.socket) -> Send:
        """The socket's `sendto`, with what was sent recorded, at the time before it left."""
        take, send, wall = self._recorder.take, opened.sendto, time.time
        host, port, *_ = opened.getsockname()
        local = (host, port)

        def recorded(view: memoryview | bytes, address: Any) -> int:
            moment = wall()
            sent = send(view, address)
            take(moment, local, address[:2], view)
            return sent

        return recorded

    def received(self, opened: socket.socket, got: Received) -> None:
        """Datagrams of one socket."""
        host, port, *_ = opened.getsockname()
        local, take = (host, port), self._recorder.take
        lengths, times_ns, heads = got.length.tolist(), got.arrival_ns.tolist(), got.head
        known: dict[bytes, tuple[str, int]] = {}
        for row, (length, time_ns) in enumerate(zip(lengths, times_ns, strict=True)):
            name = got.name[row].tobytes()
            source = known.get(name)
            if source is None:
                source = known[name] = _address(name)
            data = heads[row, : min(length, RECORDED_BYTES)].tobytes()
            take(time_ns / 1e9, source, local, data, UDP, length)

    def datagram(self, opened: socket.socket, data: bytes, time_s: float, address: Any) -> None:
        """One datagram that was read elsewhere."""
        host, port, *_ = opened.getsockname()
        self._recorder.take(time_s, address[:2], (host, port), data)

    def close(self) -> None:
        """Write what is buffered."""
        self._recorder.close()


def _address(name: bytes) -> tuple[str, int]:
    """The sender in a sockaddr."""
    port = int.from_bytes(name[2:4], "big")
    if int.from_bytes(name[:2], "little") == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, name[8:24]), port
    return socket.inet_ntop(socket.AF_INET, name[4:8]), port
