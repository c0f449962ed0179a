"""Programs run beside a test: started, waited for until they listen, stopped, their output kept.

Owns child processes and their log files. It knows nothing of SIP, and ends only what it started.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
LISTEN_STATES = {"udp": {"07", "01"}, "tcp": {"0A"}}


@dataclass(frozen=True, slots=True)
class Finished:
    """What is left of a program that ended."""

    argv: list[str]
    exit_code: int
    stdout: str
    stderr: str

    def explain(self) -> str:
        """The command, its exit code and the ends of its output, for an assertion's message."""
        return f"{' '.join(self.argv)}\nexit {self.exit_code}\n{self.stdout[-3000:]}\n{self.stderr[-3000:]}"


class Program:
    """One child process in its own session, with stdout and stderr in files of `log_dir`."""

    def __init__(
        self, argv: Sequence[str | Path], log_dir: Path, name: str, *, namespace: str = "", cwd: Path | None = None
    ) -> None:
        self.argv = [str(word) for word in argv]
        if namespace:
            self.argv = ["ip", "netns", "exec", namespace, *self.argv]
        self.namespace = namespace
        log_dir.mkdir(parents=True, exist_ok=True)
        self.stdout_path = log_dir / f"{name}.out"
        self.stderr_path = log_dir / f"{name}.err"
        with self.stdout_path.open("wb") as out, self.stderr_path.open("wb") as err:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd or log_dir,
                env={**os.environ, "TERM": "xterm", "LC_ALL": "C"},
                start_new_session=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """What it has written so far, both streams."""
        return self.stdout_path.read_text(errors="replace") + self.stderr_path.read_text(errors="replace")

    def wait(self, timeout_s: float = 60.0) -> Finished:
        """Wait for its own end. One that does not end is killed, and that is an AssertionError with its output."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"still running after {timeout_s} s: {self._finished().explain()}") from None
        return self._finished()

    def stop(self, with_signal: int = signal.SIGTERM, grace_s: float = 3.0) -> Finished:
        """End it, politely first; harmless when it has ended already."""
        for number, patience_s in ((with_signal, grace_s), (signal.SIGKILL, 5.0)):
            if not self.running:
                break
            try:
                os.killpg(self.pid, number)
                self._process.wait(patience_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._process.wait()
        return self._finished()

    def wait_listening(self, ip: str, port: int, transport: str = "udp", timeout_s: float = 15.0) -> None:
        """Wait until a socket of its network namespace is bound to ip:port (listening, for TCP)."""
        wait_until(
            lambda: not self.running or is_bound(ip, port, transport, self.pid), timeout_s, lambda: self.describe()
        )
        if not self.running:
            raise AssertionError("ended before it listened: " + self._finished().explain())

    def wait_output(self, text: str, timeout_s: float = 15.0, *, count: int = 1) -> None:
        """Wait until it has written `text` (`count` times) to stdout or stderr."""
        wait_until(lambda: not self.running or self.output().count(text) >= count, timeout_s, lambda: self.describe())
        if self.output().count(text) < count:
            raise AssertionError(f"ended without writing {text!r}: {self._finished().explain()}")

    def describe(self) -> str:
        return f"{' '.join(self.argv)}\n{self.output()[-4000:]}"

    def _finished(self) -> Finished:
        code = self._process.returncode
        return Finished(
            self.argv,
            code if code is not None else -1,
            self.stdout_path.read_text(errors="replace"),
            self.stderr_path.read_text(errors="replace"),
        )


def wait_until(condition: Callable[[], bool], timeout_s: float, describe: Callable[[], str]) -> None:
    """Poll `condition` until it holds; AssertionError with `describe()` when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not reached within {timeout_s} s: {describe()}")
        time.sleep(0.02)


def is_bound(ip: str, port: int, transport: str, pid: int | str = "self") -> bool:
    """True when the kernel lists a bound (TCP: listening) IPv4 socket, as seen by the namespace of `pid`."""
    wanted = {f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}" for host in (ip, "0.0.0.0")}
    try:
        lines = Path(f"/proc/{pid}/net/{transport}").read_text().splitlines()[1:]
    except OSError:
        return False
    fields = (line.split() for line in lines)
    return any(field[1] in wanted and field[3] in LISTEN_STATES[transport] for field in fields)


def free_port(ip: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port of `ip` that nothing is bound to now, outside the range that the kernel gives to clients."""
    for _ in range(200):
        port = random.randrange(12000, 32000, 2)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((ip, port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no free port on {ip}")


def loopback_addresses() -> Iterator[str]:
    """Addresses of 127.0.0.0/8, random in their upper part so that tests that run side by side do not meet."""
    prefix = f"127.{random.randrange(16, 250)}.{random.randrange(1, 254)}"
    yield from (f"{prefix}.{host}" for host in range(10, 250))


def in_namespace(namespace: str, work: Callable[[], T]) -> T:
    """Call `work` on a thread that has entered the named network namespace ("" stays here).

    A socket that it makes belongs to that namespace for good.
    """
    if not namespace:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with Path(f"/run/netns/{namespace}").open("rb") as handle:
                if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
