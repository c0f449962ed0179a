"""An engine in a process of its own, and the parent's handle on it.

Over one socket pair: the parent sends what to play and then lines (`go`, `stop`, `abort`, `rate N`); the child sends
pickled events. Snapshots are cumulative, so one that finds the pipe full is dropped. The child ends with its parent: at
end of file it releases its calls, and PR_SET_PDEATHSIG tells it even if somebody else holds the pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sipreplay.engine.config import EngineConfig
from sipreplay.errors import ScenarioError, SipReplayError, TransportError, UsageError

if TYPE_CHECKING:
    from sipreplay.engine.legs import LegsConfig
    from sipreplay.engine.loop import EngineResult
    from sipreplay.media.client import ClientDescription
    from sipreplay.stats.calls import CallStatistics

_PR_SET_PDEATHSIG: Final = 1
_LENGTH = struct.Struct("=I")
_DELIVERY_S = 10.0
_TAKE = 1 << 18
_ERRORS: dict[str, type[SipReplayError]] = {
    "ScenarioError": ScenarioError,
    "UsageError": UsageError,
    "TransportError": TransportError,
}


class EngineProcess:
    """One engine process. Start it from a thread that lives as long as the run: the child ends with that thread.

    `media` describes the media process's client for it; None plays no media. With `hold`, the engine listens, says that
    it is ready, and waits for `go()` before its first call.
    """

    def __init__(
        self,
        config: EngineConfig | LegsConfig,
        media: ClientDescription | list[ClientDescription | None] | None = None,
        *,
        hold: bool = False,
        snapshot_interval_s: float = 1.0,
        name: str = "",
    ) -> None:
        self.name = name or str(getattr(config, "scenario", "both legs"))
        self.address: tuple[str, int] | None = None
        """Where it listens, once ready."""
        self.statistics: CallStatistics | None = None
        """The latest snapshot, or the final statistics."""
        self._result: EngineResult | None = None
        self._error: SipReplayError | None = None
        self._buffer = bytearray()
        self._events: list[tuple[str, Any]] = []
        self._ended = False
        self._socket, child = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sipreplay.engine.process", str(child.fileno())],
                pass_fds=(child.fileno(),),
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as error:
            self._socket.close()
            raise TransportError(f"cannot start an engine process: {error.strerror}") from None
        finally:
            child.close()
        self._send(_frame((config, media, hold, snapshot_interval_s)))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def fileno(self) -> int:
        """For select: readable when `poll` has something."""
        return self._socket.fileno()

    def wait_ready(self, timeout_s: float = 10.0) -> tuple[str, int]:
        """The address it listens on. Raises what the engine raised, or TransportError if it does not get ready."""
        deadline = time.monotonic() + timeout_s
        while self.address is None:
            if self._error is not None:
                raise self._error
            if self._ended or time.monotonic() >= deadline:
                raise TransportError(f"the engine of {self.name} did not get ready{self._how_it_ended()}")
            self._read(min(0.2, max(0.0, deadline - time.monotonic())))
        return self.address

    def poll(self) -> list[tuple[str, Any]]:
        """What happened since the last time, without waiting.

        ("ready", address), ("snapshot", CallStatistics), ("legs", LegsState), ("result", EngineResult),
        ("error", SipReplayError), ("died", exit code).
        """
        self._read(0.0)
        events, self._events = self._events, []
        return events

    def go(self) -> None:
        """Let a held engine start."""
        self._send(b"go\n")

    def stop(self) -> None:
        """No new calls; open ones go on to their end."""
        self._send(b"stop\n")

    def abort(self) -> None:
        """No new calls; open ones are released by BYE, CANCEL or ACK."""
        self._send(b"abort\n")

    def set_rate(self, rate_cps: float) -> None:
        """Another rate from now on."""
        self._send(b"rate %f\n" % rate_cps)

    def tell(self, line: str) -> None:
        """A command of another kind of engine."""
        self._send(line.encode() + b"\n")

    @property
    def running(self) -> bool:
        """Whether a result can still come."""
        return not self._ended

    def result(self, timeout_s: float | None = None) -> EngineResult:
        """The final result.

        Raises what the engine raised, TransportError if it died or takes longer than `timeout_s`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._result is None:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise TransportError(f"the engine of {self.name} ended without a result{self._how_it_ended()}")
            left = 0.5 if deadline is None else deadline - time.monotonic()
            if left <= 0.0:
                raise TransportError(f"the engine of {self.name} has no result after {timeout_s} s")
            self._read(min(0.5, left))
        self.close()
        return self._result

    def close(self, grace_s: float = 5.0) -> None:
        """Hang up, wait for the process, kill it if it does not end by itself."""
        self._socket.close()
        self._ended = True
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _how_it_ended(self) -> str:
        code = self._process.poll()
        return "" if code is None else f" (exit code {code})"

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # It has ended: reading says how.
            self._socket.sendall(data)

    def _read(self, timeout_s: float) -> None:
        """Take what the child sent."""
        if self._ended:
            return
        self._socket.settimeout(timeout_s)
        while True:
            try:
                data = self._socket.recv(_TAKE)
            except (BlockingIOError, TimeoutError):
                break
            except OSError:
                data = b""
            if not data:
                self._end()
                break
            self._buffer += data
            self._socket.settimeout(0.0)
        self._socket.settimeout(_DELIVERY_S)
        for kind, value in _frames(self._buffer):
            self._event(kind, value)

    def _event(self, kind: str, value: Any) -> None:
        if kind == "error":
            name, arguments = value
            self._error = _ERRORS.get(name, SipReplayError)(*arguments)
            value = self._error
        elif kind == "ready":
            self.address = value
        elif kind == "snapshot":
            self.statistics = value
        elif kind == "result":
            self._result = value
            self.statistics = value.statistics
        self._events.append((kind, value))

    def _end(self) -> None:
        """The pipe is closed: nothing more comes."""
        for kind, value in _frames(self._buffer):
            self._event(kind, value)
        self._ended = True
        if self._result is None and self._error is None:
            try:
                code = self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                code = None
            self._events.append(("died", code))


def _environment() -> dict[str, str]:
    """The parent's, with this package's place first on the path."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _frame(value: object) -> bytes:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


def _frames(buffer: bytearray) -> list[tuple[str, Any]]:
    """Take the complete frames out of a buffer."""
    out: list[tuple[str, Any]] = []
    while len(buffer) >= 4:
        (length,) = _LENGTH.unpack_from(buffer)
        if len(buffer) < 4 + length:
            break
        out.append(pickle.loads(bytes(buffer[4 : 4 + length])))
        del buffer[: 4 + length]
    return out


class _Reports:
    """The child's side of the pipe."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._pending = b""

    def offer(self, kind: str, value: object) -> None:
        """Send if there is room; otherwise a later snapshot will tell all of it."""
        if not self._pending:
            self._pending = _frame((kind, value))
        self._flush()

    def deliver(self, kind: str, value: object) -> None:
        """Send, and wait until it is sent."""
        self._pipe.settimeout(_DELIVERY_S)
        with contextlib.suppress(OSError):  # The parent is gone.
            self._pipe.sendall(self._pending + _frame((kind, value)))
        self._pending = b""

    def _flush(self) -> None:
        try:
            sent = self._pipe.send(self._pending, socket.MSG_DONTWAIT)
        except OSError:
            return
        self._pending = self._pending[sent:]


def _receive_first(pipe: socket.socket) -> Any:
    """What the parent wants played."""
    buffer = bytearray()
    while len(buffer) < 4 or len(buffer) < 4 + _LENGTH.unpack_from(buffer)[0]:
        # Not a byte more than the frame: what follows are commands, for the loop.
        wanted = 4 - len(buffer) if len(buffer) < 4 else 4 + _LENGTH.unpack_from(buffer)[0] - len(buffer)
        data = pipe.recv(wanted)
        if not data:
            return None
        buffer += data
    return pickle.loads(bytes(buffer[4:]))


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent gets the terminal's Ctrl-C and says what to do.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _child(pipe: socket.socket) -> int:
    """Play what the parent sends; the exit code."""
    reports = _Reports(pipe)
    first = _receive_first(pipe)
    if first is None:
        return 0
    from sipreplay.engine.loop import run_engine
    from sipreplay.media.client import MediaClient
    from sipreplay.media.port import MediaPort, NoMedia

    config, description, hold, interval_s = first
    if not isinstance(config, EngineConfig):
        return _play_legs(config, description, pipe, reports, interval_s)
    client: MediaClient | None = None
    try:
        media: MediaPort = NoMedia(config.media_port)
        if description is not None:
            media = client = MediaClient(description)
        result = run_engine(
            config,
            media,
            on_ready=lambda address: reports.deliver("ready", address),
            control=pipe,
            hold=hold,
            on_snapshot=lambda statistics: reports.offer("snapshot", statistics),
            snapshot_interval_s=interval_s,
        )
    except SipReplayError as error:
        return _refused(reports, error)
    finally:
        if client is not None:
            client.close()
    reports.deliver("result", result)
    return 0


def _refused(reports: _Reports, error: SipReplayError) -> int:
    arguments = (error.message, error.file, error.line) if isinstance(error, ScenarioError) else (str(error),)
    reports.deliver("error", (type(error).__name__, arguments))
    return int(error.exit_code)


def _play_legs(
    config: LegsConfig,
    descriptions: list[ClientDescription | None],
    pipe: socket.socket,
    reports: _Reports,
    interval_s: float,
) -> int:
    """Play both sides of a system under test; the exit code."""
    from sipreplay.engine.legs import LegsLoop
    from sipreplay.media.client import MediaClient

    try:
        with contextlib.ExitStack() as stack:
            media = [stack.enter_context(contextlib.closing(MediaClient(d))) if d else None for d in descriptions]
            loop = LegsLoop(config, media, pipe, stack)
            result = loop.run(
                lambda address: reports.deliver("ready", address),
                lambda state: reports.offer("legs", state),
                interval_s,
            )
    except SipReplayError as error:
        return _refused(reports, error)
    reports.deliver("result", result)
    return 0


def main() -> int:
    """`python -m sipreplay.engine.process FD`."""
    _die_with_parent()
    with socket.socket(fileno=int(sys.argv[1])) as pipe:
        return _child(pipe)


if __name__ == "__main__":
    sys.exit(main())
