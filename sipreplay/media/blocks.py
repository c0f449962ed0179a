"""Ports of the media process: blocks of four that are bound before the run, and single ones that are opened on demand.

Knows which numbers are usable at an address; what happens on the sockets is the business of others.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import chain

from sipreplay.errors import TransportError
from sipreplay.media.sockets import RECEIVE_BUFFER, free_descriptors, granted_buffer, need_descriptors, open_socket
from sipreplay.media.sweep import PortSocket

BLOCK = 4
"""Ports a call: RTP, RTCP, and the same for a second medium."""

Ports = dict[int, PortSocket]


class Blocks:
    """Opens ports, into the tables it is given, and remembers what the kernel granted."""

    def __init__(self) -> None:
        self.least_buffer = 0
        """Smallest receive buffer of all sockets; 0 before one was opened."""
        self.buffer = RECEIVE_BUFFER
        """Bytes asked of the kernel for each socket opened from now on."""

    def reserve(
        self, ports: Ports, host: str, media: int, wanted: int, least: int, ranges: Sequence[Sequence[int]]
    ) -> list[int]:
        """Bind `wanted` blocks (`media` RTP ports and their RTCP ports of each); returns the blocks' first ports.

        `ranges` are (first, last) port, tried in order.
        A block whose ports are partly in use elsewhere is passed over. Raises TransportError if there are fewer than
        `least`, or fewer file descriptors than that needs.
        """
        width = 2 * media
        need_descriptors(least * width)
        wanted = max(least, min(wanted, free_descriptors(wanted * width) // width))
        found: list[int] = []
        busy = 0
        starts = (range(-(-first // BLOCK) * BLOCK, last - BLOCK + 2, BLOCK) for first, last in ranges)
        for base in chain.from_iterable(starts):
            if len(found) == wanted:
                break
            if any(number in ports for number in range(base, base + width)):
                continue
            try:
                for number in range(base, base + width):
                    self.bind(ports, host, number)
            except OSError as error:
                close_ports(ports, range(base, base + width))
                if _hopeless(error):
                    close_ports(ports, list(ports))
                    raise TransportError(f"{host}: no media port can be opened there: {error.strerror}") from error
                busy += 1
                continue
            found.append(base)
        if len(found) < least:
            close_ports(ports, list(ports))
            first, last = min(first for first, _ in ranges), max(last for _, last in ranges)
            raise TransportError(
                f"{host}: {least} calls need {least * BLOCK} media ports, and between {first} and {last} there are "
                f"{len(found)} free blocks of {BLOCK} ({busy} are in use): give a wider range, or allow fewer calls"
            )
        return found

    def bind(self, ports: Ports, host: str, number: int) -> PortSocket:
        """Open one port. Raises OSError."""
        opened = open_socket(host, number, self.buffer)
        port = ports[number] = PortSocket(opened, number, bool(number & 1))
        granted = granted_buffer(opened)
        self.least_buffer = min(self.least_buffer, granted) if self.least_buffer else granted
        return port

    def port(self, ports: Ports, host: str, number: int) -> PortSocket | None:
        """The socket of a port, opened now if need be; None if it cannot be."""
        port = ports.get(number)
        if port is None and 0 < number < 65536:
            try:
                port = self.bind(ports, host, number)
            except OSError:
                return None
        return port


def close_ports(ports: Ports, numbers: range | list[int]) -> None:
    """Close those that are open and take them out of the table."""
    for number in numbers:
        port = ports.pop(number, None)
        if port is not None:
            port.opened.close()


def _hopeless(error: OSError) -> bool:
    """Whether no other port would do either: the address is not this machine's, or there are no more descriptors."""
    return error.errno in (errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EAFNOSUPPORT)
