"""What carries an engine's messages: one UDP socket, drained whenever it is readable.

(`streams` is the same for TCP.)
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

from sipreplay.engine import transport
from sipreplay.engine.call import Address
from sipreplay.engine.config import EngineConfig
from sipreplay.stats.calls import CallStatistics

LARGEST = 65536
KNOWN_HOSTS = 4096

Receive = Callable[[bytes, Address | None, float], None]
Lost = Callable[[Address, float], None]


class Link(Protocol):
    """The way of messages in and out of an engine. Closing it closes every socket."""

    address: Address
    """Where it listens."""

    @property
    def sockets(self) -> int:
        """How many sockets are open."""

    def send(self, data: bytes, address: Address) -> object:
        """Send one message. Raises BlockingIOError if there is no room now, OSError if it cannot be sent."""

    def begin(self, poll: select.epoll, receive: Receive, lost: Lost, *, client: bool, sources: bool = False) -> None:
        """Register with `poll` and hand what comes to `receive`, and addresses whose connection is gone to `lost`.

        `client`: where a datagram comes from need not be told, unless `sources` asks for it.
        """

    def local_of(self, address: Address) -> Address:
        """Our own address on the way to and from a peer."""

    def deliver_to(self, receive: Receive) -> None:
        """Hand what comes to another function from now on."""

    def handle(self, fd: int, events: int) -> None:
        """What epoll said about a socket."""

    def settle(self) -> None:
        """Once a turn: tell of connections that were lost while sending."""

    def account(self, statistics: CallStatistics) -> None:
        """Fill in what the sockets know: buffers and drops."""

    def close(self) -> None:
        """Close all."""


class UdpLink:
    """One unconnected UDP socket. Raises TransportError if it cannot be opened."""

    def __init__(self, config: EngineConfig) -> None:
        self._socket = transport.open_udp(config)
        self.address: Address = transport.address_of(self._socket)
        self.send: Callable[[bytes, Address], object] = self._socket.sendto
        self._receive: Receive | None = None
        self._client = False
        self._drain = config.messages_a_turn
        self._wildcard = self.address[0] in ("0.0.0.0", "::")
        self._hosts: dict[str, str] = {}
        self._lost: Lost | None = None

    @property
    def sockets(self) -> int:
        """The one."""
        return 1

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def begin(self, poll: select.epoll, receive: Receive, lost: Lost, *, client: bool, sources: bool = False) -> None:
        """Register with `poll`. `lost` hears of addresses where nobody listens, as far as their hosts say so."""
        self._receive = receive
        self._client = client and not sources
        self._lost = lost
        if client:
            transport.ask_for_refusals(self._socket)
        poll.register(self._socket, select.EPOLLIN)

    def local_of(self, address: Address) -> Address:
        """The bound address; where that is the wildcard, the one that the system sends from to this peer."""
        if not self._wildcard:
            return self.address
        host = self._hosts.get(address[0])
        if host is None:
            if len(self._hosts) >= KNOWN_HOSTS:
                self._hosts.clear()
            host = self._hosts[address[0]] = transport.source_towards(self._socket, address)
        return host, self.address[1]

    def deliver_to(self, receive: Receive) -> None:
        """Hand datagrams to another function from now on."""
        self._receive = receive

    def handle(self, fd: int, events: int) -> None:
        """Drain the socket. One clock reading a datagram, so that a full buffer does not blur response times."""
        receive, monotonic = self._receive, time.monotonic
        assert receive is not None
        try:
            if self._client:
                # Where a datagram comes from does not matter to a client, and asking costs time.
                take = self._socket.recv
                for _ in range(self._drain):
                    receive(take(LARGEST), None, monotonic())
            else:
                take_from = self._socket.recvfrom
                for _ in range(self._drain):
                    data, address = take_from(LARGEST)
                    receive(data, address[:2], monotonic())
        except BlockingIOError:
            pass
        except OSError:
            # An ICMP error of something sent earlier: which one, the error queue tells.
            events |= select.EPOLLERR
        if events & select.EPOLLERR and self._lost is not None:
            for refusing in set(transport.take_refusals(self._socket)):
                self._lost(refusing, monotonic())

    def settle(self) -> None:
        """There are no connections."""

    def account(self, statistics: CallStatistics) -> None:
        """Buffers granted, datagrams dropped."""
        statistics.receive_buffer, statistics.send_buffer = transport.granted_buffers(self._socket)
        statistics.datagrams_dropped = transport.dropped_datagrams(self._socket)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def open_link(config: EngineConfig, remote: Address | None, *, client: bool) -> Link:
    """The link of a configuration. Raises TransportError."""
    if config.transport == "TCP":
        from sipreplay.engine.streams import StreamLink

        return StreamLink(config, remote if client else None)
    return UdpLink(config)
