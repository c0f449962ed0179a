"""Message, error and response-time traces: another code path around the engine, chosen when a run starts.

Without traces nothing here is on the way of a message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sipreplay.dumps.logs import ErrorLog, MessageLog
from sipreplay.dumps.rtt import RttWriter
from sipreplay.engine.call import Address
from sipreplay.engine.call_trace import CallTrace
from sipreplay.engine.config import EngineConfig
from sipreplay.errors import TransportError

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine, Send

Receive = Callable[[bytes, Address | None, float], None]


class Traces:
    """The trace files of one engine. Raises TransportError if one cannot be created."""

    def __init__(self, config: EngineConfig, local: Address) -> None:
        """`local`: the bound address, for the trace of a call."""
        self._transport = config.transport
        self._stack = ExitStack()
        self._messages: MessageLog | None = None
        self._errors: ErrorLog | None = None
        self._times: RttWriter | None = None
        self._call: CallTrace | None = None
        try:
            if config.trace_messages is not None:
                self._messages = self._stack.enter_context(MessageLog(config.trace_messages))
            if config.trace_errors is not None:
                self._errors = self._stack.enter_context(ErrorLog(config.trace_errors))
            if config.trace_rtt is not None:
                self._times = self._stack.enter_context(RttWriter(config.trace_rtt))
        except OSError as error:
            self._stack.close()
            raise TransportError(f"cannot write the trace {error.filename}: {error.strerror}") from None
        if config.trace_call is not None:
            self._call = CallTrace(config.trace_call, local)
            self._stack.callback(self._call.close)

    def sending(self, send: Send) -> Send:
        """`send`, or one that writes every message first."""
        if self._call is not None:
            send = self._call.sending(send)
        log = self._messages
        if log is None:
            return send
        transport = self._transport

        def traced(data: bytes, address: Address) -> object:
            done = send(data, address)
            log.sent(data, time.time(), transport)
            return done

        return traced

    def receiving(self, receive: Receive) -> Receive:
        """`receive`, or one that writes every message first."""
        if self._call is not None:
            receive = self._call.receiving(receive)
        log = self._messages
        if log is None:
            return receive
        transport = self._transport

        def traced(data: bytes, address: Address | None, now: float) -> None:
            log.received(data, time.time(), transport)
            receive(data, address, now)

        return traced

    def attach(self, engine: Engine) -> None:
        """Listen to warnings and response times."""
        errors, times = self._errors, self._times
        if errors is not None:
            engine.on_warning = lambda text: errors.write(text, time.time())
        if times is not None:
            engine.on_rtd = lambda name, ms, now: times.record((now - engine.started) * 1000.0, ms, name)

    def close(self) -> None:
        """Write what is buffered."""
        self._stack.close()
