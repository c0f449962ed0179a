"""The one place of the engine that opens sockets: UDP, unconnected, with what the system granted.

Errors are TransportError and say which address and what to do.
"""

from __future__ import annotations

import errno
import socket
import struct

from sipreplay.engine.config import EngineConfig
from sipreplay.errors import TransportError

FIRST_PORT = 5060
PORTS_TRIED = 60
ERRORS_TAKEN = 1000
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_SO_MEMINFO = 55
_DROPS = 8
"""Index of the drop counter in SO_MEMINFO (SK_MEMINFO_DROPS)."""
WANTED_BUFFER = 4 << 20


def resolve(host: str, port: int) -> tuple[str, socket.AddressFamily]:
    """The first numeric address of a host. Raises TransportError."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise TransportError(f"cannot resolve {host}: {error.strerror or error}") from None
    family, _, _, _, address = found[0]
    return str(address[0]), family


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET6 for an address with colons."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def open_udp(config: EngineConfig) -> socket.socket:
    """A bound, non-blocking UDP socket on the configured port, or the first free one from 5060, or any."""
    return _bound(config, socket.SOCK_DGRAM)


def open_listener(config: EngineConfig) -> socket.socket:
    """The same for TCP, listening."""
    sock = _bound(config, socket.SOCK_STREAM)
    sock.listen(1024)
    return sock


def _bound(config: EngineConfig, kind: socket.SocketKind) -> socket.socket:
    fixed = config.local_port is not None
    ports = [config.local_port] if config.local_port is not None else [*range(FIRST_PORT, FIRST_PORT + PORTS_TRIED), 0]
    sock = socket.socket(family_of(config.local_ip), kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, max(config.buffer_bytes, WANTED_BUFFER))
        if config.bind_device:
            _bind_device(sock, config.bind_device)
        for port in ports:
            try:
                sock.bind((config.local_ip.strip("[]"), port))
            except OSError as error:
                if fixed or error.errno != errno.EADDRINUSE:
                    raise TransportError(_bind_text(config, port, error)) from None
            else:
                return sock
        raise TransportError(f"no port is free on {config.local_ip}")
    except BaseException:
        sock.close()
        raise


def _bind_device(sock: socket.socket, device: str) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode("utf-8", "surrogateescape") + b"\0")
    except OSError as error:
        raise TransportError(f"cannot bind to device {device}: {error.strerror}") from None


def _bind_text(config: EngineConfig, port: int, error: OSError) -> str:
    place = f"{config.local_ip}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"port {place} is in use; choose another with --port, or stop what listens there"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{config.local_ip} is not an address of this machine; choose one with --local-ip"
    return f"cannot open {place}: {error.strerror}"


def address_of(sock: socket.socket) -> tuple[str, int]:
    """The bound address."""
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def source_towards(sock: socket.socket, remote: tuple[str, int]) -> str:
    """The address that the system sends from to a peer: what it chooses for a socket connected there (sends nothing).
    The socket's own where it cannot tell."""
    with socket.socket(sock.family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(remote)
        except OSError:
            return address_of(sock)[0]
        return address_of(probe)[0]


def connect(config: EngineConfig, remote: tuple[str, int], timeout_s: float) -> socket.socket:
    """A TCP connection from the local address, non-blocking once it stands. Raises TransportError."""
    sock = socket.socket(family_of(remote[0]), socket.SOCK_STREAM)
    try:
        sock.bind((config.local_ip.strip("[]"), 0))
        sock.settimeout(timeout_s)
        sock.connect(remote)
        stream_options(sock)
    except OSError as error:
        sock.close()
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        raise TransportError(f"cannot connect to {remote[0]}:{remote[1]} over TCP: {reason}") from None
    return sock


def stream_options(sock: socket.socket) -> None:
    """Non-blocking, and no waiting for more to send."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def ask_for_refusals(sock: socket.socket) -> None:
    """Let the kernel tell of ICMP errors (port unreachable) that a UDP socket's datagrams came back with."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def take_refusals(sock: socket.socket) -> list[tuple[str, int]]:
    """Destinations that the kernel has errors for, taken off its list."""
    out: list[tuple[str, int]] = []
    while len(out) < ERRORS_TAKEN:
        try:
            _, _, _, address = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        out.append((str(address[0]), int(address[1])))
    return out


def granted_buffers(sock: socket.socket) -> tuple[int, int]:
    """Receive and send buffer that the system granted, in bytes (Linux reports twice what it was asked for)."""
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2,
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2,
    )


def dropped_datagrams(sock: socket.socket) -> int:
    """Datagrams that the kernel dropped because the receive buffer was full; 0 if it does not tell."""
    try:
        numbers = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
    except OSError:
        return 0
    count = len(numbers) // 4
    values = struct.unpack(f"={count}I", numbers[: count * 4])
    return int(values[_DROPS]) if count > _DROPS else 0
