"""Traces of messages, errors, logs and response times: another code path around the engine, built when they are on.

Without traces nothing here is on the way of a message. A log can be switched on and off while a run goes.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.dumps.logs import ActionLog, CallDebugLog, ErrorLog, MessageLog, ShortMessageLog
from sipreplay.dumps.rtt import RttWriter
from sipreplay.engine.call import Address
from sipreplay.engine.call_history import CallHistory
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.headers import header
from sipreplay.errors import TransportError

if TYPE_CHECKING:
    from sipreplay.engine.call_trace import CallTrace
    from sipreplay.engine.engine import Engine, Send
    from sipreplay.engine.link import Link
    from sipreplay.engine.wire_record import WireRecord

Receive = Callable[[bytes, Address | None, float], None]


class Traces:
    """The trace files of one run. Raises TransportError if one cannot be created."""

    def __init__(self, config: EngineConfig, link: Link) -> None:
        """`link`: what the traced messages travel over."""
        local = link.address
        self._config = config
        self._transport = config.transport
        self._stack = ExitStack()
        self.errors = ErrorLog(None)
        self._messages: MessageLog | None = None
        self._short: ShortMessageLog | None = None
        self._logs: ActionLog | None = None
        self._history: CallHistory | None = None
        self._times: RttWriter | None = None
        self._call: CallTrace | None = None
        self._record: WireRecord | None = None
        paths = {
            "messages": config.trace_messages,
            "shortmessages": config.trace_short,
            "errors": config.trace_errors,
            "logs": config.trace_logs,
            "calldebug": config.trace_calldebug,
        }
        try:
            for kind, path in paths.items():
                if path is not None:
                    self.switch(kind, path)
            if config.trace_rtt is not None:
                self._times = self._stack.enter_context(RttWriter(config.trace_rtt, every=config.rtt_every))
        except OSError as error:
            self.close()
            raise TransportError(f"cannot write the trace {error.filename}: {error.strerror}") from None
        if config.trace_call is not None:
            # Only for reports: it brings the writer of captures with it, which takes long to load.
            from sipreplay.engine.call_trace import CallTrace

            self._call = CallTrace(config.trace_call, local)
            self._stack.callback(self._call.close)

        if config.record is not None:
            from sipreplay.engine.wire_record import WireRecord

            received = config.record_received
            self._record = WireRecord(config.record, link, tcp=self._transport == "TCP", received=received)
            self._stack.callback(self._record.close)

    def switch(self, kind: str, path: Path | None) -> None:
        """Begin a log in `path`, or end it (None).

        `kind`: messages, shortmessages, errors, logs or calldebug. Wrap and attach again afterwards. Raises OSError.
        """
        config = self._config
        append, bounds = kind in config.trace_append, config.trace_bounds
        stem = f"{config.trace_stem}_{kind}" if config.trace_stem else ""
        if kind == "messages":
            _close(self._messages)
            self._messages = MessageLog(path, append=append, bounds=bounds, ring_stem=stem) if path else None
        elif kind == "shortmessages":
            _close(self._short)
            self._short = None
            if path is not None:
                self._short = ShortMessageLog(
                    path, append=append, bounds=bounds, ring_stem=stem, rfc3339=config.rfc3339
                )
        elif kind == "logs":
            _close(self._logs)
            self._logs = ActionLog(path, append=append, bounds=bounds, ring_stem=stem) if path else None
        elif kind == "calldebug":
            log = CallDebugLog(path, append=append, bounds=bounds, ring_stem=stem) if path else None
            self._history = CallHistory(log, self._transport, rfc3339=config.rfc3339) if log is not None else None
        elif kind == "errors":
            self.errors.close()
            self.errors = ErrorLog(path, append=append, bounds=bounds, ring_stem=stem, rfc3339=config.rfc3339)

    def sending(self, send: Send) -> Send:
        """`send`, or one that writes every message as well."""
        if self._record is not None:
            send = self._record.sending(send)
        if self._call is not None:
            send = self._call.sending(send)
        if self._history is not None:
            send = self._history.sending(send)
        log, short, transport = self._messages, self._short, self._transport
        if log is None and short is None:
            return send

        def traced(data: bytes, address: Address) -> object:
            try:
                done = send(data, address)
            except OSError as error:
                if log is not None:
                    log.remark(f"Error sending {transport} message: {error.strerror}", data)
                raise
            wall = time.time()
            if log is not None:
                log.sent(data, wall, transport)
            if short is not None:
                short.line(data, _call_id(data), header(data, b"CSeq"), wall, sent=True)
            return done

        return traced

    def receiving(self, receive: Receive, *, quiet: bool = False) -> Receive:
        """`receive`, or one that writes every message first. `quiet`: it is not told where messages come from."""
        if self._record is not None:
            receive = self._record.receiving(receive, quiet=quiet)
        if self._call is not None:
            receive = self._call.receiving(receive)
        if self._history is not None:
            receive = self._history.receiving(receive)
        log, short, transport = self._messages, self._short, self._transport
        if log is None and short is None:
            return receive

        def traced(data: bytes, address: Address | None, now: float) -> None:
            call_id = _call_id(data)
            if call_id:
                wall = time.time()
                if log is not None:
                    log.received(data, wall, transport)
                if short is not None:
                    short.line(data, call_id, header(data, b"CSeq"), wall, sent=False)
            receive(data, address, now)

        return traced

    def command(self, text: bytes, *, sent: bool) -> None:
        """A command of third party call control."""
        if self._messages is not None:
            note = self._messages.sent if sent else self._messages.received
            note(text, time.time(), "TCP control")

    def attach(self, engine: Engine, *, main: bool = True) -> None:
        """Listen to an engine. `main`: its response times count."""
        times, log, history = self._times, self._messages, self._history
        engine.on_warning = self.warning
        engine.on_rtd = None
        if times is not None and main:
            engine.on_rtd = lambda name, ms, now: times.record((now - engine.started) * 1000.0, ms, name)
        engine.on_log = self._logs.write if self._logs is not None else None
        engine.on_remark = log.remark if log is not None else None
        engine.on_end = None
        if history is not None:
            history.follow(engine)
            engine.on_end = history.ended

    def warning(self, text: str) -> None:
        """A warning or an error, now."""
        try:
            self.errors.write(text, time.time())
        except OSError as error:
            # The first warning creates the file, and a run does not end because it cannot.
            self.errors = ErrorLog(None)
            self.errors.write(f"the error log cannot be written: {error.strerror}", time.time())

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        if self._times is not None:
            self._times.flush()
        for log in (self._messages, self._short, self._logs):
            if log is not None:
                log.file.flush()

    @property
    def oversized(self) -> bool:
        """Whether a log ended because the system allows no larger file."""
        return any(
            file.failure is not None and file.failure.errno == errno.EFBIG
            for file in (log.file for log in (self._messages, self._short, self._logs) if log is not None)
        )

    def close(self) -> None:
        """Write what is buffered."""
        with contextlib.suppress(OSError):  # A full disk: the run is over all the same.
            self._stack.close()
        for log in (self._messages, self._short, self._logs, self.errors):
            _close(log)
        if self._history is not None:
            self._history.close()


def _close(log: MessageLog | ShortMessageLog | ActionLog | ErrorLog | None) -> None:
    if log is not None:
        log.close()


def _call_id(data: bytes) -> bytes:
    """The Call-ID of a message, without a prefix that SIPp's `///` sets off."""
    call_id = header(data, b"Call-ID")
    return call_id.partition(b"///")[2] if b"///" in call_id else call_id
