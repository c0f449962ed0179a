"""The commands an engine gives the media process: fixed 64-byte structs, one a datagram, no answer.

Only packing and unpacking; who sends and who obeys is `client`'s and `server`'s business. A message that starts with
"{" is not a command but a JSON request, which is answered (before the run only).
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import NamedTuple

OPEN = 1
"""A call begins on `port` (its block of four): count what arrives from now on."""
START = 2
"""Play `source` from `port` to the address. Replaces what the call plays from that port."""
RETARGET = 3
"""What plays from `port` goes to the address from now on."""
DIRECTION = 4
"""FLAG_SEND set: what plays from `port` is sent; clear: it keeps its clock and is not sent (hold)."""
STOP = 5
"""End what plays from `port`."""
CLOSE = 6
"""The call ended: stop all it plays, count what arrived until now."""
FINISH = 7
"""The engine has no more calls. Carries its last count of refused commands."""
ECHO = 8
"""FLAG_SEND set: what arrives on `port` goes back to its sender from now on; clear: no more."""
ECHO_ALL = 9
"""FLAG_SEND set or clear: switch the echo of the client's shared ports."""

FLAG_REWRITE = 1
"""START: own SSRC, sequence and timestamp instead of the file's."""
FLAG_SEND = 2
FLAG_STREAM = 4
"""START, DIRECTION: about what `rtp_stream` plays, which goes on beside a media file from the same port."""
FOR_EVER = 0xFFFFFFFF
ALIASES = 1 << 24
"""Source numbers from here on are the engine's own, defined while it runs."""

SIZE = 64
_STRUCT = struct.Struct("<BBBxHHIIQ16sIIQ8x")
assert _STRUCT.size == SIZE


class Command(NamedTuple):
    """One unpacked command."""

    operation: int
    family: int
    """4, 6, or 0 where no address belongs to the command."""
    flags: int
    port: int
    remote_port: int
    source: int
    scope: int
    """IPv6 scope id."""
    call_number: int
    address: bytes
    """16 bytes; an IPv4 address in the first four."""
    overflows: int
    """How many commands the engine could not give so far, because the queue was full."""
    laps: int
    """START: how often the source is played, 0 for once; FOR_EVER."""
    time_ns: int
    """CLOCK_MONOTONIC when the engine gave the command: the origin of the media's clock."""


NO_ADDRESS = bytes(16)


def pack(
    operation: int,
    call_number: int,
    port: int,
    time_ns: int,
    overflows: int = 0,
    *,
    flags: int = 0,
    source: int = 0,
    target: tuple[int, bytes, int] = (0, NO_ADDRESS, 0),
    remote_port: int = 0,
    laps: int = 0,
) -> bytes:
    """The command's bytes. `target` is (family, packed address, scope) as `numeric_address` returns it."""
    family, address, scope = target
    return _STRUCT.pack(
        operation, family, flags, port, remote_port, source, scope, call_number, address, overflows, laps, time_ns
    )


def unpack(data: bytes) -> Command:
    """The command of 64 bytes. Raises struct.error for another size."""
    return Command._make(_STRUCT.unpack(data))


def numeric_address(host: str) -> tuple[int, bytes, int] | None:
    """(family, 16 bytes, scope id) of a numeric address, brackets allowed; None for anything else.

    Also None for the unspecified address (0.0.0.0 and ::): in SDP it means hold (RFC 3264 section 8.4), and the kernel
    would take it for this machine.
    """
    host = host.strip("[]")
    try:
        if ":" not in host:
            packed = socket.inet_pton(socket.AF_INET, host)
            return (4, packed.ljust(16, b"\0"), 0) if any(packed) else None
        host, _, zone = host.partition("%")
        packed = socket.inet_pton(socket.AF_INET6, host)
        scope = (int(zone) if zone.isdigit() else socket.if_nametoindex(zone)) if zone else 0
    except (OSError, ValueError):
        return None
    return (6, packed, scope) if any(packed) else None


def socket_address(command: Command) -> tuple[str, int] | tuple[str, int, int, int]:
    """The command's address as `sendto` wants it."""
    host = _text(command.family, command.address)
    if command.family == 4:
        return host, command.remote_port
    return host, command.remote_port, 0, command.scope


@lru_cache(4096)
def _text(family: int, address: bytes) -> str:
    """One string object for all streams to a host: the sending loop then finds it in the processor's cache."""
    if family == 4:
        return socket.inet_ntop(socket.AF_INET, address[:4])
    return socket.inet_ntop(socket.AF_INET6, address)
