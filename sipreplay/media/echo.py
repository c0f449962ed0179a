"""Ports whose datagrams go back to where they came from (SIPp's -rtp_echo and exec rtp_echo), counted on the way.

Reads a port as soon as something is there, so an echoing port is not swept. Opens no socket.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from sipreplay.media.receiver import Receiver
from sipreplay.media.record import MediaRecord
from sipreplay.media.sweep import PortSocket

LARGEST = 2048
"""Bytes of a datagram that go back (SIPp's -mb)."""
_TURN = 64
"""Datagrams of one port in one turn of the loop: others wait."""
_CONTROL = 64
_TIMESPEC = struct.Struct("qq")


class Echo:
    """The echoing ports of one media process."""

    def __init__(
        self,
        receiver: Receiver,
        watch: Callable[[int], None],
        unwatch: Callable[[int], None],
        record: MediaRecord | None = None,
        *,
        received: bool = False,
    ) -> None:
        """`watch` and `unwatch`: tell the loop to call `readable` for a descriptor, or not any more. `record` gets what
        goes back, and if asked what is `received`."""
        self._record = record
        self._received = received
        self._receiver = receiver
        self._watch = watch
        self._unwatch = unwatch
        self._ports: dict[int, PortSocket] = {}
        self.largest = LARGEST
        self.packets = 0
        """Sent back."""
        self.bytes = 0
        self.errors = 0
        self.suspended: set[int] = set()
        """Descriptors whose datagrams are counted and swallowed."""

    def add(self, port: PortSocket) -> None:
        """Echo from now on. What was there before has been counted, and stays without an echo."""
        if port.descriptor not in self._ports:
            self._receiver.pull_out(port)
            self._ports[port.descriptor] = port
            self._watch(port.descriptor)

    def remove(self, port: PortSocket) -> None:
        """Echo no more. Does nothing for a port that does not echo."""
        if self._ports.pop(port.descriptor, None) is not None:
            self._unwatch(port.descriptor)
            self.suspended.discard(port.descriptor)
            self._receiver.put_back(port)

    def switch(self, port: PortSocket, on: bool) -> None:
        """Let an echoing port swallow what comes, or echo again."""
        if on:
            self.suspended.discard(port.descriptor)
        elif port.descriptor in self._ports:
            self.suspended.add(port.descriptor)

    def readable(self, descriptor: int) -> bool:
        """Send back what waits; False if the port does not echo."""
        port = self._ports.get(descriptor)
        if port is None:
            return False
        opened, note, largest = port.opened, self._receiver.note, self.largest
        silent = descriptor in self.suspended
        record = self._record
        send = opened.sendto if record is None else record.sending(opened)
        for _ in range(_TURN):
            try:
                data, control, _, address = opened.recvmsg(largest, _CONTROL)
            except BlockingIOError:
                break
            except OSError:
                # An ICMP error of an earlier echo: whoever sent that is gone.
                continue
            seconds, nanoseconds = _TIMESPEC.unpack_from(control[0][2]) if control else (0, 0)
            if record is not None and self._received:
                record.datagram(opened, data, seconds + nanoseconds / 1e9, address)
            note(port, data, seconds * 1_000_000_000 + nanoseconds, address)
            if silent:
                continue
            try:
                send(memoryview(data), address)
            except OSError:
                self.errors += 1
            else:
                self.packets += 1
                self.bytes += len(data)
        return True
