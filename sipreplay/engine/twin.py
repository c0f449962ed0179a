"""What carries the commands of third party call control (`<sendCmd>`, `<recvCmd>`) between two or more engines.

A command is a text with a Call-ID header and no rules besides; on its way it ends with one ESC byte. Knows nothing of
calls: `commands` decides what a command is for.
"""

from __future__ import annotations

from typing import Final, Protocol

ESCAPE: Final = b"\x1b"
"""Ends a command on a twin connection."""


class Twin(Protocol):
    """The way of commands in and out of an engine. What comes in goes to `commands.received(engine, text, now)`."""

    def send(self, text: bytes, peer: str) -> None:
        """Send one command (without ESC) to `peer`, the step's `dest`; "" is the one twin of -3pcc. Raises OSError."""
