"""Engines beside the main one on the same sockets: for requests outside of any call, and for calls that come in.

Owns which of them gets a message that the main engine has no call for. Each has its own program, calls and counters;
call numbers are shared, so that branches and tags of two engines never meet.
"""

from __future__ import annotations

from collections.abc import Callable

from sipreplay.engine.call import Address
from sipreplay.engine.engine import Engine


class Companions:
    """The engines beside `main`. Either of them may be missing."""

    def __init__(self, main: Engine, out_of_call: Engine | None, terminating: Engine | None) -> None:
        self._main = main
        self.out_of_call = out_of_call
        self.terminating = terminating
        self.engines = [engine for engine in (out_of_call, terminating) if engine is not None]
        for engine in self.engines:
            engine.numbers = main.numbers
        if self.engines:
            main.strangers = self.take

    def take(self, data: bytes, call_id: bytes, address: Address | None, now: float) -> bool:
        """A message of no call of the main engine: whether a companion has taken it."""
        for engine in self.engines:
            if call_id in engine.calls:
                engine.receive(data, address, now)
                return True
        if data.startswith((b"SIP/2.0", b"ACK ")):
            return False
        if self.terminating is not None:
            # In SIPp's mixed mode calls come in even while no more go out.
            self.terminating.receive(data, address, now)
            return True
        if self.out_of_call is None or self._main.stopping:
            return False
        method = data[: data.find(b" ")].decode("latin-1")
        self._main.totals.auto_answered += 1
        self._main.warn(f"Received out-of-call {method} message, using the out-of-call scenario")
        self.out_of_call.receive(data, address, now)
        return True

    def each(self, act: Callable[[Engine], None]) -> None:
        """Do something with every companion."""
        for engine in self.engines:
            act(engine)

    @property
    def idle(self) -> bool:
        """Whether no call has come in that is still open. Calls of the out-of-call scenario hold nobody up."""
        return self.terminating is None or not self.terminating.totals.current
