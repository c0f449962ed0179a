"""What carries the commands of third party call control (`<sendCmd>`, `<recvCmd>`) between two or more engines.

A command is a text with a Call-ID header and no rules besides; on its way it ends with one ESC byte. Owns the TCP
connections to twins. Knows nothing of calls: `commands` decides what a command is for.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from sipreplay.engine import transport
from sipreplay.engine.config import TwinConfig
from sipreplay.engine.steps import NOP, PAUSE, RECV, RECV_COMMAND, SEND_COMMAND, Program
from sipreplay.errors import TransportError, UsageError

ESCAPE: Final = b"\x1b"
"""Ends a command on a twin connection."""
CONNECT_S: Final = 5.0
LINGER_S: Final = 0.25
LONGEST: Final = 1 << 20
"""Bytes of a command that has not ended yet; a twin that sends more is hung up on."""
TAKE: Final = 1 << 16
INCOMING: Final = 64
"""Twins that may connect."""


class Twin(Protocol):
    """The way of commands in and out of an engine. What comes in goes to `commands.received(engine, text, now)`."""

    def send(self, text: bytes, peer: str) -> None:
        """Send one command (without ESC) to `peer`, the step's `dest`; "" is the one twin of -3pcc. Raises OSError."""


class Role(Enum):
    """What an engine is to its twins; its value is what SIPp's screen calls it."""

    NONE = ""
    CONTROLLER_A = "3PCC Mode - Controller A side"
    CONTROLLER_B = "3PCC Mode - Controller B side"
    A_PASSIVE = "3PCC Mode - Controller A side (passive)"
    MASTER = "3PCC extended mode - Master side"
    MASTER_PASSIVE = "3PCC extended mode - Master side (passive)"
    SLAVE = "3PCC extended mode - Slave side"

    @property
    def starts_calls_on_command(self) -> bool:
        """Whether a command with an unknown Call-ID is a new call."""
        return self in (Role.CONTROLLER_B, Role.A_PASSIVE, Role.MASTER_PASSIVE, Role.SLAVE)


def role_of(program: Program, config: TwinConfig | None) -> Role:
    """The role that a scenario plays: by its first command and what comes before.

    Raises UsageError if it does not fit the options.
    """
    kinds = [step.kind for step in program.steps if step.kind not in (PAUSE, NOP)]
    first = next((kind for kind in kinds if kind in (SEND_COMMAND, RECV_COMMAND)), -1)
    if first < 0:
        if config is not None:
            raise UsageError("third party call control needs a scenario with <sendCmd> or <recvCmd>")
        return Role.NONE
    if config is None:
        raise UsageError("a scenario with <sendCmd> or <recvCmd> needs -3pcc, or -slave_cfg with -master or -slave")
    passive = kinds[0] == RECV
    if config.address is not None:
        if first == RECV_COMMAND:
            return Role.CONTROLLER_B
        return Role.A_PASSIVE if passive else Role.CONTROLLER_A
    if first == SEND_COMMAND and not config.master:
        raise UsageError("a scenario whose first command is <sendCmd> is a master's: use -master instead of -slave")
    if first == RECV_COMMAND and config.master:
        raise UsageError("a scenario whose first command is <recvCmd> is a slave's: use -slave instead of -master")
    if first == RECV_COMMAND:
        return Role.SLAVE
    return Role.MASTER_PASSIVE if passive else Role.MASTER


class _Connection:
    """One twin's stream. `name` is "" if it connected to us."""

    __slots__ = ("name", "sock", "taken")

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.sock = sock
        self.name = name
        self.taken = b""


class TwinLink:
    """All connections of an engine to its twins. Raises TransportError if one cannot be had at the start."""

    def __init__(
        self,
        config: TwinConfig,
        role: Role,
        destinations: list[str],
        *,
        received: Callable[[bytes], None],
        closed: Callable[[str], None],
        noted: Callable[[bytes, bool], None],
    ) -> None:
        """`destinations`: the `dest` names of the scenario. `received`: gets commands; `closed`: gets why it is over.

        `noted` hears of each command that passes, with whether it was sent.
        """
        self._config = config
        self._role = role
        self._destinations = destinations
        self._received = received
        self._closed = closed
        self._noted = noted
        self._poll: select.epoll | None = None
        self._listener: socket.socket | None = None
        self._by_fd: dict[int, _Connection] = {}
        self._by_name: dict[str, _Connection] = {}
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def begin(self, poll: select.epoll) -> list[int]:
        """Register with `poll`; the descriptors so far. `handle` gets what happens on them, and on later ones."""
        self._poll = poll
        sockets = [connection.sock for connection in self._by_fd.values()]
        if self._listener is not None:
            sockets.append(self._listener)
        for sock in sockets:
            poll.register(sock, select.EPOLLIN)
        return [sock.fileno() for sock in sockets]

    def owns(self, fd: int) -> bool:
        """Whether a descriptor is one of this link."""
        return fd in self._by_fd or (self._listener is not None and fd == self._listener.fileno())

    def send(self, text: bytes, peer: str) -> None:
        """Send one command. Raises OSError if there is no connection, or it breaks."""
        connection = self._by_name.get(peer)
        if connection is None:
            raise OSError(0, f"no connection to twin {peer}" if peer else "no twin is connected")
        connection.sock.sendall(text + ESCAPE)
        self._noted(text, True)

    def handle(self, fd: int, events: int) -> None:
        """Accept or read."""
        if self._listener is not None and fd == self._listener.fileno():
            self._accept(self._listener)
            return
        connection = self._by_fd.get(fd)
        if connection is None:
            return
        try:
            data = connection.sock.recv(TAKE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *texts, connection.taken = (connection.taken + data).split(ESCAPE)
        for text in texts:
            if text.strip(b"\r\n\0"):
                self._noted(text, False)
                self._received(text)
        if not data or len(connection.taken) > LONGEST:
            self._end(connection)

    def close(self) -> None:
        """Close all.

        A twin that ends when we do (SIPp's B) gets a moment to finish its last call first.
        """
        if self._by_name and self._role in (Role.CONTROLLER_A, Role.MASTER):
            time.sleep(LINGER_S)
        if self._listener is not None:
            self._listener.close()
        for connection in self._by_fd.values():
            connection.sock.close()
        self._by_fd.clear()
        self._by_name.clear()

    def _open(self) -> None:
        """What the role asks for at the start."""
        config = self._config
        if config.address is not None:
            if self._role is Role.CONTROLLER_B:
                self._listen("", config.address)
            else:
                self._connect("", config.address)
            return
        own = config.peers.get(config.name)
        if own is None:
            raise UsageError(f"-slave_cfg: there is no line for {config.name}, this instance itself")
        self._listen(own[0], own)
        if self._role in (Role.MASTER, Role.MASTER_PASSIVE):
            self._connect_to_destinations()

    def _connect_to_destinations(self) -> None:
        for name in self._destinations:
            if name in self._by_name:
                continue
            address = self._config.peers.get(name)
            if address is None:
                raise UsageError(f'<sendCmd dest="{name}">: -slave_cfg has no line for {name}')
            self._connect(name, address)

    def _listen(self, host: str, address: tuple[str, int]) -> None:
        """`host` "": the wildcard address of the family that the given address is of."""
        numeric, family = transport.resolve(*address)
        listener = self._listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place = numeric if host else ("::" if family == socket.AF_INET6 else "0.0.0.0")
        try:
            listener.bind((place, address[1]))
        except OSError as error:
            raise TransportError(f"cannot listen for the twin on {place}:{address[1]}: {error.strerror}") from error
        listener.listen(INCOMING)
        listener.setblocking(False)

    def _connect(self, name: str, address: tuple[str, int]) -> None:
        numeric, family = transport.resolve(*address)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(CONNECT_S)
            sock.connect((numeric, address[1]))
        except OSError as error:
            sock.close()
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
            who = f"twin {name}" if name else "the twin"
            raise TransportError(
                f"cannot connect to {who} at {numeric}:{address[1]}: {reason}; start it before this one"
            ) from None
        self._add(sock, name)

    def _add(self, sock: socket.socket, name: str) -> None:
        # Commands are small and rare: a write may wait, a read never does.
        sock.settimeout(CONNECT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock, name)
        self._by_fd[sock.fileno()] = connection
        if name or self._config.address is not None:
            self._by_name[name] = connection
        if self._poll is not None:
            self._poll.register(sock, select.EPOLLIN)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        if len(self._by_fd) >= INCOMING:
            sock.close()
            return
        self._add(sock, "")
        if self._role is Role.SLAVE:
            try:
                self._connect_to_destinations()
            except (TransportError, UsageError) as error:
                self._closed(str(error))

    def _end(self, connection: _Connection) -> None:
        """A twin has gone."""
        fd = connection.sock.fileno()
        del self._by_fd[fd]
        if self._by_name.get(connection.name) is connection:
            del self._by_name[connection.name]
        if self._poll is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(fd)
        connection.sock.close()
        if self._role is Role.CONTROLLER_B:
            self._closed("3PCC controller A has ended -> exiting")
        elif self._config.address is not None:
            self._closed("the 3PCC twin has ended: no new calls")
        else:
            self._closed("One of the twin instances has ended -> exiting")
