"""The media sockets: opening them with the options that measuring needs, and receiving many datagrams a system call.

The only place of the media room that opens UDP sockets. Knows nothing of calls or RTP.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipreplay.errors import TransportError

RECEIVE_BUFFER = 256 * 1024
"""Asked for each socket: at 20 ms and 200 bytes that is seconds of audio, or 200 ms of video at 4 Mbit/s."""
BATCH = 16
"""Datagrams a call of recvmmsg."""
HEAD = 64
"""Bytes of a datagram that are kept: all that counting looks at."""
_ROWS = 4096
_NAME = 28
_CONTROL = 32
_SO_TIMESTAMPNS = 35
_SO_MEMINFO = 55
_MEMINFO_WORDS = 9
_MEMINFO_DROPS = 8
_SPARE_DESCRIPTORS = 64
_TIME = struct.Struct("=qq")

_HEADER = np.dtype(
    {
        "names": ["name", "name_length", "vector", "vectors", "control", "control_length", "flags", "length"],
        "formats": ["<u8", "<u4", "<u8", "<u8", "<u8", "<u8", "<u4", "<u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
"""struct mmsghdr on 64-bit Linux."""

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_recvmmsg.restype = ctypes.c_int
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_TRUNC


def open_socket(host: str, port: int, buffer: int = RECEIVE_BUFFER) -> socket.socket:
    """A bound, non-blocking UDP socket whose datagrams get a kernel time stamp. Raises OSError."""
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


def granted_buffer(opened: socket.socket) -> int:
    """The receive buffer the kernel granted, in its own count of bytes."""
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def dropped(opened: socket.socket) -> int:
    """Datagrams the kernel dropped since the socket was opened because its buffer was full."""
    raw = opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _MEMINFO_WORDS)
    return int(struct.unpack_from("=I", raw, 4 * _MEMINFO_DROPS)[0])


def free_descriptors(wanted: int) -> int:
    """How many of `wanted` more files this process may open, after raising its limit as far as it may."""
    used = len(os.listdir("/proc/self/fd")) + _SPARE_DESCRIPTORS
    needed = used + wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((needed, hard if hard == resource.RLIM_INFINITY else max(hard, needed)), (hard, hard)):
        if soft >= needed or soft == resource.RLIM_INFINITY:
            return wanted
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            soft = limits[0]
        except (ValueError, OSError):
            continue
    return max(0, min(wanted, soft - used))


def need_descriptors(more: int) -> None:
    """Make sure that this process may open `more` files. Raises TransportError."""
    free = free_descriptors(more)
    if free < more:
        needed = len(os.listdir("/proc/self/fd")) + more + _SPARE_DESCRIPTORS
        raise TransportError(
            f"media needs {needed} open files and the system allows {needed - more + free}: "
            f"raise it (`ulimit -n {needed}`, or LimitNOFILE={needed} in the service), or allow fewer calls at a time"
        )


class Received(NamedTuple):
    """Datagrams as columns; valid until the arena is used again."""

    tag: NDArray[np.int64]
    """What the caller gave with the socket."""
    length: NDArray[np.int64]
    head: NDArray[np.uint8]
    """(datagrams, 64 or as many as the arena keeps): the first bytes; what is past `length` is old."""
    arrival_ns: NDArray[np.int64]
    """Kernel time, since the epoch."""
    name: NDArray[np.uint8]
    """(datagrams, 28): the sender as a sockaddr."""


class Arena:
    """Room for 4096 datagrams, filled socket by socket."""

    def __init__(self, head: int = HEAD) -> None:
        """`head`: bytes of each datagram that are kept."""
        self._head = np.zeros((_ROWS, head), np.uint8)
        self._name = np.zeros((_ROWS, _NAME), np.uint8)
        self._control = np.zeros((_ROWS, _CONTROL), np.uint8)
        self._vector = np.zeros((_ROWS, 2), np.uint64)
        self._header = np.zeros(_ROWS, _HEADER)
        index = np.arange(_ROWS, dtype=np.uint64)
        self._vector[:, 0] = self._head.ctypes.data + index * head
        self._vector[:, 1] = head
        self._header["name"] = self._name.ctypes.data + index * _NAME
        self._header["vector"] = self._vector.ctypes.data + index * 16
        self._header["vectors"] = 1
        self._header["control"] = self._control.ctypes.data + index * _CONTROL
        self._base = self._header.ctypes.data
        self._tags: list[int] = []
        self._counts: list[int] = []
        self.filled = 0
        self.reset()

    @property
    def full(self) -> bool:
        """Whether there is no room for one more read."""
        return self.filled > _ROWS - BATCH

    def receive(self, descriptor: int, tag: int) -> int:
        """Read up to 16 waiting datagrams; returns how many. The arena must not be full."""
        count = int(_recvmmsg(descriptor, self._base + 64 * self.filled, BATCH, _FLAGS, None))
        if count <= 0:
            return 0
        self._tags.append(tag)
        self._counts.append(count)
        self.filled += count
        return count

    def append(self, tag: int, data: bytes, arrival_ns: int, name: bytes) -> None:
        """One datagram that was read elsewhere; `name`: its sender's sockaddr, or empty. The arena must not be full."""
        row = self.filled
        head = data[:HEAD]
        self._head[row, : len(head)] = np.frombuffer(head, np.uint8)
        self._header["length"][row] = len(data)
        self._control[row, 16:32] = np.frombuffer(_TIME.pack(*divmod(arrival_ns, 1_000_000_000)), np.uint8)
        if name:
            self._name[row, : len(name)] = np.frombuffer(name, np.uint8)
        self._tags.append(tag)
        self._counts.append(1)
        self.filled += 1

    def last(self, count: int) -> Received:
        """The last `count` datagrams, of one socket; its tag is not told."""
        rows = slice(self.filled - count, self.filled)
        control = self._control[rows].view("<i8")
        return Received(
            np.zeros(0, np.int64),
            self._header["length"][rows].astype(np.int64),
            self._head[rows],
            control[:, 2] * 1_000_000_000 + control[:, 3],
            self._name[rows],
        )

    def columns(self) -> Received:
        """What was read since the last reset."""
        filled = self.filled
        control = self._control[:filled].view("<i8")
        return Received(
            np.repeat(np.array(self._tags, np.int64), self._counts),
            self._header["length"][:filled].astype(np.int64),
            self._head[:filled, :HEAD],
            control[:, 2] * 1_000_000_000 + control[:, 3],
            self._name[:filled],
        )

    def reset(self) -> None:
        """Make all rows free. The kernel writes into the lengths, so they are set anew."""
        used = slice(0, self.filled or _ROWS)
        self._header["name_length"][used] = _NAME
        self._header["control_length"][used] = _CONTROL
        self._tags.clear()
        self._counts.clear()
        self.filled = 0
