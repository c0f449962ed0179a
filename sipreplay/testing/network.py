"""A network in memory: engines send to each other, with delay, loss, copies and disorder drawn from a seed.

Owns the order of events on the virtual clock; a run is the same every time.
"""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

from sipreplay.engine.call import Address
from sipreplay.engine.engine import Engine
from sipreplay.scenario.model import Scenario
from sipreplay.testing.build import build_engine
from sipreplay.testing.clock import VirtualClock


class Packet(NamedTuple):
    """One datagram that was sent, whether it arrived or not."""

    time: float
    source: Address
    destination: Address
    data: bytes

    @property
    def word(self) -> str:
        """Method or status code."""
        words = self.data.split(b" ", 2)
        return words[1].decode() if words[0] == b"SIP/2.0" else words[0].decode("utf-8", "replace")


class Network:
    """Hosts on 127.0.0.1, one engine a port.

    `delay_s` is the way of a datagram; `loss`, `duplication` and `reordering` are probabilities. A reordered datagram
    comes five delays later, and at least 2 ms.
    """

    def __init__(
        self,
        *,
        delay_s: float = 0.0005,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.clock = VirtualClock()
        self.packets: list[Packet] = []
        """All that was sent, in order."""
        self._delay_s = delay_s
        self._loss = loss
        self._duplication = duplication
        self._reordering = reordering
        self._random = Random(seed)
        self._engines: dict[Address, Engine] = {}
        self._flying: list[tuple[float, int, Address, Address, bytes]] = []
        self._count = 0
        self._started = False

    def engine(
        self,
        scenario: Scenario | str,
        *,
        port: int,
        remote: Engine | tuple[str, int] | None = None,
        **settings: Any,
    ) -> Engine:
        """Put an engine on the network. `remote` is its peer; the rest goes to `build_engine`."""
        address = ("127.0.0.1", port)
        if address in self._engines:
            raise ValueError(f"port {port} is taken")
        if isinstance(remote, Engine):
            remote = ("127.0.0.1", remote.endpoint.local_port)

        def send(data: bytes, destination: Address) -> None:
            self.send(data, address, destination)

        built = build_engine(scenario, send, self.clock, local_port=port, remote=remote, **settings)
        self._engines[address] = built
        return built

    def send(self, data: bytes, source: Address, destination: Address) -> None:
        """Put a datagram on its way."""
        self.packets.append(Packet(self.clock.now(), source, destination, data))
        draw = self._random.random
        if self._loss and draw() < self._loss:
            return
        for _ in range(2 if self._duplication and draw() < self._duplication else 1):
            delay = self._delay_s
            if self._reordering and draw() < self._reordering:
                delay = max(0.002, 5 * delay)
            self._count += 1
            heappush(self._flying, (self.clock.now() + delay, self._count, source, destination, data))

    def run(self, seconds: float = 3600.0) -> float:
        """Let everything happen until the engines that place calls are done and nothing flies; how long that took
        (virtual).

        Servers are stopped gracefully once the callers are done. Raises AssertionError if it takes longer than
        `seconds`.
        """
        begin = self.clock.now()
        self.start()
        while not self._finished():
            if not self.step(begin + seconds):
                open_calls = sum(engine.totals.current for engine in self._engines.values())
                raise AssertionError(f"not done after {seconds} virtual seconds; {open_calls} calls are open")
        return self.clock.now() - begin

    def run_for(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.clock.now() + seconds
        self.start()
        while self.step(end):
            pass
        self.clock.jump(end)

    def start(self) -> None:
        """Start the engines that are not started, once."""
        if not self._started:
            self._started = True
            for engine in self._engines.values():
                engine.start(self.clock.now())

    def step(self, end: float) -> bool:
        """Jump to the next event and let it happen; False if there is none before `end`."""
        due = self._flying[0][0] if self._flying else float("inf")
        for engine in self._engines.values():
            wanted = engine.advance(self.clock.now())
            if wanted is not None:
                due = min(due, wanted)
        if self._flying:
            due = min(due, self._flying[0][0])
        if due > end:
            return False
        self.clock.jump(due)
        now = self.clock.now()
        while self._flying and self._flying[0][0] <= now:
            _, _, source, destination, data = heappop(self._flying)
            receiver = self._engines.get(destination)
            if receiver is not None:
                receiver.receive(data, source, now)
        for engine in self._engines.values():
            engine.advance(now)
            while engine.start_next(now):
                pass
        return True

    def _finished(self) -> bool:
        now = self.clock.now()
        clients = [engine for engine in self._engines.values() if engine.client]
        if self._flying or any(not engine.done(now) for engine in clients):
            return False
        for engine in self._engines.values():
            engine.stop_gracefully(now)
        return all(engine.done(now) for engine in self._engines.values())

    def words(self, *, source: Engine | None = None) -> list[str]:
        """Methods and codes in the order they were sent, of all or of one engine."""
        port = source.endpoint.local_port if source is not None else 0
        return [packet.word for packet in self.packets if not port or packet.source[1] == port]
