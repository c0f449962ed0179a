"""What a signalling engine may ask of the media side.

Ports are numbers here; who owns the sockets is the media room's business.
"""

from __future__ import annotations

from typing import Protocol

from sipreplay.media.made import Made


class MediaPort(Protocol):
    """One engine's handle on media. Every call returns at once; nothing blocks.

    A source id comes from `register` or `make`, before the run starts, or from `define`, while it runs. `port` is the
    even RTP port a call was given (RTCP is port + 1; port + 2 and port + 3 belong to the same call, for a second
    medium).
    """

    def register(self, path: str, kind: str) -> int:
        """Load a media pcap (kind: audio, video or image); returns its source id. Raises ScenarioError if unusable."""

    def make(self, made: Made) -> int:
        """Have media made; returns its source id. Raises ScenarioError if unusable."""

    def define(self, made: Made) -> int:
        """The same while calls run; -1 if it cannot be had."""

    def allocate(self, call_number: int) -> int:
        """An even port for a call, or 0 when none is free (the call fails as OutboundCongestion)."""

    def shared(self, port: int) -> None:
        """Open one port that all calls use (SIPp's [media_port]). Raises TransportError if it is busy."""

    def play(
        self,
        call_number: int,
        port: int,
        source: int,
        host: str,
        remote_port: int,
        *,
        laps: int = 1,
        stream: bool = False,
    ) -> bool:
        """Start a source from `port` to the address the peer's SDP named; False if the command queue is full.

        A second play of the same call and port replaces the first (SIPp: one media thread a call), except that what
        `rtp_stream` plays (`stream`) and media files go on side by side.
        """

    def hold(self, call_number: int, port: int, held: bool, *, stream: bool = False) -> bool:
        """Stop sending for a while, or go on."""

    def echo(self, call_number: int, port: int, on: bool) -> bool:
        """Send back what arrives on the call's own port, or no more."""

    def switch_echo(self, on: bool) -> None:
        """Let the ports that all calls share echo (SIPp's -rtp_echo), or swallow what comes."""

    def stop(self, call_number: int, port: int) -> None:
        """Stop sending."""

    def release(self, call_number: int, port: int) -> None:
        """The call ended: stop, count what was received, and free an allocated port."""


class NoMedia:
    """For scenarios without media: ports are numbers from a range, and nothing is sent or received."""

    def __init__(self, first_port: int = 6000) -> None:
        self.first_port = first_port

    def register(self, path: str, kind: str) -> int:
        """Nothing is loaded; the id says so."""
        return -1

    def make(self, made: Made) -> int:
        """Nothing is made."""
        return 0

    def define(self, made: Made) -> int:
        """Nothing is made."""
        return 0

    def allocate(self, call_number: int) -> int:
        """SIPp's own arithmetic for [auto_media_port]."""
        return self.first_port + (4 * (call_number - 1)) % 10000

    def shared(self, port: int) -> None:
        """Nothing to open."""

    def play(
        self,
        call_number: int,
        port: int,
        source: int,
        host: str,
        remote_port: int,
        *,
        laps: int = 1,
        stream: bool = False,
    ) -> bool:
        """Nothing is sent."""
        return True

    def hold(self, call_number: int, port: int, held: bool, *, stream: bool = False) -> bool:
        """Nothing plays."""
        return True

    def echo(self, call_number: int, port: int, on: bool) -> bool:
        """Nothing is received."""
        return True

    def switch_echo(self, on: bool) -> None:
        """Nothing echoes."""

    def stop(self, call_number: int, port: int) -> None:
        """Nothing plays."""

    def release(self, call_number: int, port: int) -> None:
        """Nothing was held."""
