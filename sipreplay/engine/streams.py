"""An engine's messages over TCP: connections that peers open, and for a client one to its peer (SIPp's t1).

Frames by Content-Length; bounded in what it keeps for a peer that does not read or does not end its message.
"""

from __future__ import annotations

import select
import socket
import time

from sipreplay.engine import transport
from sipreplay.engine.call import Address
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.link import Lost, Receive
from sipreplay.errors import TransportError
from sipreplay.sip.message import split_stream
from sipreplay.stats.calls import CallStatistics

CONNECT_S = 5.0
RECONNECT_S = 0.5
"""Longest stop of the loop for a connection that was lost; tried at most once a second."""
LINGER_S = 0.1
TAKE = 1 << 16
UNSENT_LIMIT = 1 << 20
CONNECTIONS = 10_000


class _Connection:
    """One stream and what is under way on it."""

    __slots__ = ("address", "sock", "taken", "unsent")

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.sock = sock
        self.address = address
        self.taken = b""
        self.unsent = b""


class StreamLink:
    """A listening socket, and the connection to `remote` if there is one. Raises TransportError."""

    def __init__(self, config: EngineConfig, remote: Address | None) -> None:
        self._config = config
        self._remote = remote
        self._listener = transport.open_listener(config)
        self.address: Address = transport.address_of(self._listener)
        self._by_fd: dict[int, _Connection] = {}
        self._by_address: dict[Address, _Connection] = {}
        self._poll: select.epoll | None = None
        self._receive: Receive | None = None
        self._lost: Lost | None = None
        self._gone: list[Address] = []
        self._next_try = 0.0
        if remote is not None:
            try:
                self._add(transport.connect(config, remote, CONNECT_S), remote)
            except TransportError:
                self._listener.close()
                raise

    def begin(self, poll: select.epoll, receive: Receive, lost: Lost, *, client: bool, sources: bool = False) -> None:
        """Register the sockets there are; more come."""
        self._poll = poll
        self._receive = receive
        self._lost = lost
        poll.register(self._listener, select.EPOLLIN)
        for fd in self._by_fd:
            poll.register(fd, select.EPOLLIN)

    @property
    def sockets(self) -> int:
        """The listening one and the connections."""
        return 1 + len(self._by_fd)

    def deliver_to(self, receive: Receive) -> None:
        """Hand messages to another function from now on."""
        self._receive = receive

    def local_of(self, address: Address) -> Address:
        """The own end of the connection to a peer."""
        connection = self._by_address.get(address)
        try:
            return self.address if connection is None else transport.address_of(connection.sock)
        except OSError:
            return self.address

    def send(self, data: bytes, address: Address) -> object:
        """Send, or keep what the socket does not take now. Raises OSError without a connection."""
        connection = self._by_address.get(address)
        if connection is None:
            connection = self._again(address)
        if connection.unsent:
            if len(connection.unsent) > UNSENT_LIMIT:
                raise BlockingIOError
            connection.unsent += data
            return None
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(connection)
            raise
        if sent < len(data):
            connection.unsent = data[sent:]
            self._watch(connection, select.EPOLLIN | select.EPOLLOUT)
        return None

    def handle(self, fd: int, events: int) -> None:
        """Accept, read or write."""
        if fd == self._listener.fileno():
            self._accept()
            return
        connection = self._by_fd.get(fd)
        if connection is None:
            return
        if events & select.EPOLLOUT:
            self._flush(connection)
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and fd in self._by_fd:
            self._read(connection)

    def account(self, statistics: CallStatistics) -> None:
        """Buffers granted; a stream drops nothing."""
        statistics.receive_buffer, statistics.send_buffer = transport.granted_buffers(self._listener)

    def close(self) -> None:
        """Close all sockets.

        A peer of ours gets a moment to finish its last call: to it, a close before that is a failure.
        """
        if self._remote in self._by_address:
            time.sleep(LINGER_S)
        self._listener.close()
        for connection in list(self._by_fd.values()):
            connection.sock.close()
        self._by_fd.clear()
        self._by_address.clear()

    def _add(self, sock: socket.socket, address: Address) -> _Connection:
        connection = _Connection(sock, address)
        self._by_fd[sock.fileno()] = connection
        self._by_address[address] = connection
        if self._poll is not None:
            self._poll.register(sock, select.EPOLLIN)
        return connection

    def _again(self, address: Address) -> _Connection:
        """The connection to our peer was lost: open another one, now and then."""
        now = time.monotonic()
        if address != self._remote or now < self._next_try:
            raise OSError(0, "the connection is closed")
        self._next_try = now + 1.0
        try:
            return self._add(transport.connect(self._config, address, RECONNECT_S), address)
        except TransportError as error:
            raise OSError(0, str(error)) from None

    def _accept(self) -> None:
        while True:
            try:
                sock, name = self._listener.accept()
            except OSError:
                return
            if len(self._by_fd) >= CONNECTIONS:
                sock.close()
                continue
            transport.stream_options(sock)
            self._add(sock, (str(name[0]), int(name[1])))

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(TAKE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        messages, connection.taken = split_stream(connection.taken + data)
        receive = self._receive
        assert receive is not None
        for message in messages:
            receive(message, connection.address, time.monotonic())

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.sock.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            self._watch(connection, select.EPOLLIN)

    def _watch(self, connection: _Connection, events: int) -> None:
        if self._poll is not None:
            self._poll.modify(connection.sock, events)

    def _drop(self, connection: _Connection) -> None:
        """Forget a connection; its calls are told once nothing of this turn needs them any more."""
        self._by_fd.pop(connection.sock.fileno(), None)
        if self._by_address.get(connection.address) is connection:
            del self._by_address[connection.address]
        connection.sock.close()
        self._gone.append(connection.address)

    def settle(self) -> None:
        """Tell of lost connections, unless there is a new one to the same address."""
        while self._gone:
            address = self._gone.pop()
            if self._lost is not None and address not in self._by_address:
                self._lost(address, time.monotonic())
