"""An engine's handle on the media process: a free list of ports and a queue of commands.

Never blocks, and never opens a UDP socket.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from sipreplay.errors import ScenarioError, TransportError
from sipreplay.media import commands as op
from sipreplay.media.made import Made

_QUEUE_BYTES = 1 << 20
_ANSWER_S = 60.0
_MAX_ANSWER = 65536
_KNOWN_HOSTS = 4096
MAX_DEFINED = 4096
"""Different sources that a run may have made while it runs."""


@dataclass(frozen=True, slots=True)
class ClientDescription:
    """All an engine process needs to reach its media: plain values, to be pickled or passed on as they are."""

    name: str
    """Of the media process's queue (an abstract Unix address)."""
    index: int
    host: str
    """Where the engine's media comes from."""
    ports: tuple[int, ...]
    """First port of each block of four."""
    rewrite: bool
    echo: tuple[int, ...] = ()
    """Ports that send back what arrives."""


class MediaClient:
    """Implements `port.MediaPort` for one engine. `play` costs one struct and one send."""

    def __init__(self, description: ClientDescription) -> None:
        self.description = description
        self.overflows = 0
        """Commands that found the queue full."""
        self._free = deque(description.ports)
        self._held: set[int] = set()
        """Blocks that calls have."""
        self._unsent: deque[tuple[int, int]] = deque()
        self._hosts: dict[str, tuple[int, bytes, int] | None] = {}
        self._made: dict[Made, int] = {}
        self._defined = 0
        self._flags = op.FLAG_REWRITE if description.rewrite else 0
        self._queue = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._queue.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_BYTES)
            self._queue.connect("\0" + description.name)
        except OSError as error:
            self._queue.close()
            raise TransportError(f"the media process does not answer: {error.strerror}") from error
        self._queue.setblocking(False)
        try:
            self._ask({"do": "hello", "client": description.index})
        except TransportError:
            self._queue.close()
            raise

    def register(self, path: str, kind: str) -> int:
        """Load a media pcap (kind: audio, video or image); returns its source id. Raises ScenarioError if unusable."""
        answer = self._ask({"do": "register", "path": os.path.abspath(path), "kind": kind}, path)
        return int(answer["source"])

    def make(self, made: Made) -> int:
        """Have media made (digits, a raw file, a pattern); returns its source id. Raises ScenarioError if unusable."""
        known = self._made.get(made)
        if known is None:
            known = self._made[made] = int(self._ask({"do": "make", "made": list(made)}, made.text)["source"])
        return known

    def define(self, made: Made) -> int:
        """The same while calls run: nothing is waited for, and what turns out unusable is counted by the media process.

        -1: too many different ones, or the queue is full.
        """
        known = self._made.get(made)
        if known is None:
            if self._defined >= MAX_DEFINED:
                return -1
            known = op.ALIASES + self._defined
            if not self._give(json.dumps({"do": "define", "alias": known, "made": list(made)}).encode()):
                return -1
            self._defined += 1
            self._made[made] = known
        return known

    def shared(self, port: int) -> None:
        """Open one port that all calls use (SIPp's [media_port]). Raises TransportError if it is busy."""
        self._ask({"do": "shared", "port": port})
        for block in [block for block in self._free if block <= port < block + 4]:
            self._free.remove(block)

    def clock_rates(self, rates: dict[int, int]) -> None:
        """Clock rates in Hz of dynamic payload types, for calls from now on. Without one, jitter is not measured."""
        self._ask({"do": "clocks", "rates": sorted(rates.items())})

    def allocate(self, call_number: int) -> int:
        """An even port for a call, or 0 when none is free or the queue is full."""
        if self._unsent:
            self._flush()
        if not self._free:
            return 0
        port = self._free[0]
        if not self._give(op.pack(op.OPEN, call_number, port, time.monotonic_ns(), self.overflows)):
            return 0
        # The port that rested longest comes first: late packets of its last call have died down.
        self._free.popleft()
        self._held.add(port)
        return port

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
        """Start a source towards the peer's address; False if the command queue is full.

        `host` must be numeric. An unusable address (a name, 0.0.0.0, port 0: hold or refused media) sends nothing and
        is counted. `laps`: how often a source that was made is played, -1 for ever. `stream`: for `rtp_stream`, which
        plays on beside media files.
        """
        return self._give(
            op.pack(
                op.START,
                call_number,
                port,
                time.monotonic_ns(),
                self.overflows,
                flags=self._flags | (op.FLAG_STREAM if stream else 0),
                source=source,
                target=self._target(host),
                remote_port=remote_port if 0 <= remote_port < 65536 else 0,
                laps=op.FOR_EVER if laps < 0 else laps,
            )
        )

    def retarget(self, call_number: int, port: int, host: str, remote_port: int) -> bool:
        """Send what plays to another address from now on; False if the queue is full."""
        command = op.pack(
            op.RETARGET,
            call_number,
            port,
            time.monotonic_ns(),
            self.overflows,
            target=self._target(host),
            remote_port=remote_port if 0 <= remote_port < 65536 else 0,
        )
        return self._give(command)

    def hold(self, call_number: int, port: int, held: bool, *, stream: bool = False) -> bool:
        """Keep what plays on its clock without sending it, or send it again; False if the queue is full.

        `stream`: only what `rtp_stream` plays.
        """
        flags = (0 if held else op.FLAG_SEND) | (op.FLAG_STREAM if stream else 0)
        return self._give(op.pack(op.DIRECTION, call_number, port, time.monotonic_ns(), self.overflows, flags=flags))

    def echo(self, call_number: int, port: int, on: bool) -> bool:
        """Send back what arrives on a call's own port, or no more; False if the queue is full."""
        flags = op.FLAG_SEND if on else 0
        return self._give(op.pack(op.ECHO, call_number, port, time.monotonic_ns(), self.overflows, flags=flags))

    def switch_echo(self, on: bool) -> None:
        """Let the ports that all calls share echo, or swallow what comes."""
        flags = op.FLAG_SEND if on else 0
        self._give(op.pack(op.ECHO_ALL, 0, 0, time.monotonic_ns(), self.overflows, flags=flags))

    def stop(self, call_number: int, port: int) -> None:
        """Stop sending."""
        self._give(op.pack(op.STOP, call_number, port, time.monotonic_ns(), self.overflows))

    def release(self, call_number: int, port: int) -> None:
        """The call ended: stop, count what was received, and free an allocated port."""
        self._unsent.append((call_number, port))
        self._flush()

    def close(self) -> None:
        """Give what is left to give and end the connection; the media process then ends every open call."""
        self._queue.setblocking(True)
        self._queue.settimeout(1.0)
        self._flush()
        self._give(op.pack(op.FINISH, 0, 0, time.monotonic_ns(), self.overflows))
        self._queue.close()

    def _flush(self) -> None:
        """Send waiting releases. One that finds the queue full waits for the next call: it must not get lost."""
        unsent = self._unsent
        while unsent:
            call_number, port = unsent[0]
            if not self._give(op.pack(op.CLOSE, call_number, port, time.monotonic_ns(), self.overflows)):
                return
            unsent.popleft()
            if port in self._held:
                self._held.remove(port)
                self._free.append(port)

    def _give(self, command: bytes) -> bool:
        try:
            self._queue.send(command)
        except OSError:
            self.overflows += 1
            return False
        return True

    def _target(self, host: str) -> tuple[int, bytes, int]:
        try:
            target = self._hosts[host]
        except KeyError:
            if len(self._hosts) >= _KNOWN_HOSTS:
                self._hosts.clear()
            target = self._hosts[host] = op.numeric_address(host)
        return target or (0, op.NO_ADDRESS, 0)

    def _ask(self, request: dict[str, Any], path: str = "") -> dict[str, Any]:
        """A request and its answer, before the run. Raises TransportError, or ScenarioError if it is about a file."""
        self._queue.settimeout(_ANSWER_S)
        try:
            self._queue.send(json.dumps(request).encode())
            answer = json.loads(self._queue.recv(_MAX_ANSWER) or b"{}")
        except OSError as error:
            raise TransportError(f"the media process does not answer: {error}") from error
        finally:
            self._queue.setblocking(False)
        if "error" in answer:
            if path:
                raise ScenarioError(answer["error"], path)
            raise TransportError(answer["error"])
        if not answer:
            raise TransportError("the media process has ended")
        return dict(answer)
