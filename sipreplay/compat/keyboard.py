"""The keys of a terminal, one at a time (SIPp's interactive keys), and the control socket that takes them over UDP.

Owns the terminal's mode and gives it back on every way out. Knows nothing of what a key does.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import socket
import sys
import termios
import tty
from types import TracebackType
from typing import Any

from sipreplay.errors import TransportError

FIRST_PORT = 8888
PORTS_TRIED = 60
LONGEST = 1024


class Keyboard:
    """Standard input, without echo and line by line no more if it is a terminal of ours. `fd` -1: it is not read."""

    def __init__(self, *, wanted: bool = True) -> None:
        """`wanted`: whether keys are read at all."""
        self.fd = -1
        self._saved: list[Any] | None = None
        if not wanted:
            return
        try:
            fd = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):
            return
        if not os.isatty(fd):
            self.fd = fd
            return
        try:
            # A background job that touches its terminal is stopped.
            if os.tcgetpgrp(fd) != os.getpgrp():
                return
            self._saved = termios.tcgetattr(fd)
            tty.setcbreak(fd)
        except (OSError, termios.error):
            self._saved = None
            return
        self.fd = fd
        atexit.register(self.close)

    def __enter__(self) -> Keyboard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self) -> str | None:
        """The keys that were pressed; None if there will be no more."""
        try:
            data = os.read(self.fd, LONGEST)
        except BlockingIOError:
            return ""
        except OSError:
            return None
        return data.decode("utf-8", "replace") if data else None

    def close(self) -> None:
        """Give the terminal back. Closing twice does nothing."""
        saved, self._saved = self._saved, None
        if saved is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self.fd, termios.TCSADRAIN, saved)
            atexit.unregister(self.close)


def open_control(ip: str, port: int | None) -> socket.socket | None:
    """The UDP socket for keys and commands. Without a port: the first free one of SIPp's range, or none.

    Raises TransportError if the named port cannot be had.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for candidate in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        try:
            sock.bind((ip.strip("[]"), candidate))
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                sock.close()
                raise TransportError(
                    f"the control socket cannot have {ip or '*'}:{candidate}: {error.strerror}; choose another with -cp"
                ) from error
        else:
            return sock
    sock.close()
    return None


def datagrams(sock: socket.socket) -> list[str]:
    """What has come to the control socket, at most some at a time."""
    out = []
    for _ in range(100):
        try:
            data = sock.recv(LONGEST)
        except OSError:
            break
        out.append(data.split(b"\0", 1)[0].decode("utf-8", "replace").strip("\r\n"))
    return out
