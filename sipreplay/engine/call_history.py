"""The history of every open call (SIPp's `-trace_calldebug`): kept in memory, written for those that are aborted.

Costs time and memory for each message, so it is on the way of messages only while it is switched on. Bounded in bytes a
call and in calls.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from sipreplay.dumps.logs import CallDebugLog
from sipreplay.dumps.times import timestamp
from sipreplay.engine.call import Address, Call
from sipreplay.engine.headers import header

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine, Send

MOST_BYTES = 1 << 18
MOST_CALLS = 20_000


class CallHistory:
    """What happened to the calls of the engines it follows."""

    def __init__(self, log: CallDebugLog, transport: str, *, rfc3339: bool) -> None:
        self._log = log
        self._transport = transport
        self._rfc3339 = rfc3339
        self._engines: list[Engine] = []
        self._calls: dict[bytes, bytearray] = {}

    def follow(self, engine: Engine) -> None:
        """An engine whose calls count."""
        if engine not in self._engines:
            self._engines.append(engine)

    def sending(self, send: Send) -> Send:
        """`send`, with every message noted first."""

        def noted(data: bytes, address: Address) -> object:
            call = self._call_of(data)
            if call is not None:
                step = call.index
                self._note(
                    call,
                    f"Sending {self._transport} message for call {_name(call)} (index {step}, {_hash(data)}):",
                    data,
                )
            return send(data, address)

        return noted

    def receiving(
        self, receive: Callable[[bytes, Address | None, float], None]
    ) -> Callable[[bytes, Address | None, float], None]:
        """`receive`, with every message of an open call noted first."""

        def noted(data: bytes, address: Address | None, now: float) -> None:
            call = self._call_of(data)
            if call is not None:
                words = (
                    f"Processing {len(data)} byte incoming message for call-ID {_name(call)} "
                    f"(index {call.index}, {_hash(data)}):"
                )
                self._note(call, words, data)
            receive(data, address, now)

        return noted

    def ended(self, call: Call, reason: str) -> None:
        """A call is over: write its history if it was aborted, and forget it."""
        if reason.startswith("aborted"):
            self._note(call, f"Aborting call {_name(call)} (index {call.index}).")
            self._log.write(call.call_id, bytes(self._calls[call.call_id]))
        self._calls.pop(call.call_id, None)

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _call_of(self, data: bytes) -> Call | None:
        call_id = header(data, b"Call-ID")
        for engine in self._engines:
            call = engine.calls.get(call_id) or engine.calls.get(call_id.partition(b"///")[2])
            if call is not None:
                return call
        return None

    def _note(self, call: Call, words: str, message: bytes = b"") -> None:
        history = self._calls.get(call.call_id)
        if history is None:
            if len(self._calls) >= MOST_CALLS:
                del self._calls[next(iter(self._calls))]
            history = self._calls[call.call_id] = bytearray()
            self._note(call, f"Starting call {_name(call)}")
        if len(history) < MOST_BYTES:
            history += f"{timestamp(time.time(), rfc3339=self._rfc3339)} {words}\n".encode("utf-8", "surrogateescape")
            if message:
                history += message + b"\n\n"


def _name(call: Call) -> str:
    return call.call_id.decode("utf-8", "surrogateescape")


def _hash(data: bytes) -> str:
    return f"hash {zlib.crc32(data)}"
