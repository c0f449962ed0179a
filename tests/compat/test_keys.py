"""Keys on a terminal, the control socket and signals, each with the real program."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipreplay.dumps.stat_reader import read_stat

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys; from sipreplay.compat.main import main; sys.exit(main(sys.argv[1:]))"


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def free_port() -> int:
    with udp() as sock:
        return int(sock.getsockname()[1])


def started(folder: Path, words: str, **how: object) -> subprocess.Popen[bytes]:
    """`sipreplay sipp` in a folder, with a control port of its own."""
    argv = [sys.executable, "-c", CODE, *words.split(), "-i", "127.0.0.1", "-p", str(free_port())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    return subprocess.Popen(argv, cwd=folder, env=environment, **how)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A peer that never answers."""
    with udp() as sock:
        yield f"127.0.0.1:{sock.getsockname()[1]}"


class Terminal:
    """The program on a pseudo terminal."""

    def __init__(self, folder: Path, words: str) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = started(
            folder, words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, preexec_fn=self._own_terminal
        )
        self.seen = ""

    def _own_terminal(self) -> None:
        import fcntl

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def until(self, pattern: str, timeout_s: float = 20.0) -> str:
        """Read until the last screen matches; that screen."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            screen = self.seen.rpartition("\x1b[2J\x1b[H")[2].replace("\r\n", "\n")
            if re.search(pattern, screen):
                return screen
            if select.select([self.ours], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.ours, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        raise AssertionError(f"never saw {pattern!r}: {self.seen[-3000:]}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with silent() as peer:
        shown = Terminal(tmp_path, f"-sn uac {peer} -r 20 -d 60s -f 100ms -cp {free_port()}")
        yield shown
        shown.close()


def test_keys_steer_a_run_and_the_terminal_is_given_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until(r"  20\.0\(60000 ms\)/1\.000s ")
    terminal.press("+")
    terminal.until(r"  21\.0\(")
    terminal.press("*")
    terminal.until(r"  31\.0\(")
    terminal.press("/-")
    terminal.until(r"  20\.0\(")
    terminal.press("cset rate 5\n")
    terminal.until(r"  5\.0\(")
    for key, title in (("2", "Statistics"), ("3", "Repartition"), ("4", "Variables"), ("1", "Scenario")):
        terminal.press(key)
        terminal.until(rf"-- {title} Screen --")
    terminal.press("cfly away\n")
    terminal.until("Last Error: Unrecognized command: 'fly away'")
    terminal.press("p")
    terminal.until("Traffic Paused")
    terminal.press("s")
    assert not termios.tcgetattr(terminal.theirs)[3] & termios.ICANON
    terminal.press("q")
    terminal.until("Waiting for active calls to end")
    terminal.press("q")
    terminal.until("Test Terminated")
    assert terminal.process.wait(20) == 1
    assert termios.tcgetattr(terminal.theirs) == terminal.before
    (screens,) = tmp_path.glob("uac_*_screen.log")
    assert "Statistics Screen" in screens.read_text()


def test_a_killed_run_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.until("Scenario Screen")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.until("Test Terminated")
    terminal.process.wait(20)
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_the_control_socket_takes_keys_and_commands(tmp_path: Path) -> None:
    port = free_port()
    with silent() as peer, udp() as control:
        words = f"-sn uac {peer} -r 20 -d 60s -fd 100ms -nostdin -cp {port} -trace_stat -stf s.csv -trace_err "
        process = started(tmp_path, words + "-error_file e.log -message_file m.log", stdout=subprocess.DEVNULL)

        def row(name: str, wanted: float) -> None:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                if (tmp_path / "s.csv").exists() and (tmp_path / "s.csv").read_text().count("\n") > 2:
                    values = read_stat(tmp_path / "s.csv").columns[name]
                    if values and values[-1] == wanted:
                        return
                time.sleep(0.05)
            raise AssertionError(f"{name} never became {wanted}")

        row("TargetRate", 20)
        for text, rate in (
            (b"+", 21),
            (b"cset rate 3", 3),
            (b"cset rate-scale 2", 3),
            (b"*", 23),
            (b"cset rate x", 23),
        ):
            control.sendto(text, ("127.0.0.1", port))
            row("TargetRate", rate)
        for text in (b"ctrace messages on", b"cdump tasks", b"cset display ooc", b"creset stats", b"cset limit 1"):
            control.sendto(text, ("127.0.0.1", port))
        control.sendto(b"Q", ("127.0.0.1", port))
        assert process.wait(20) == 1
    errors = (tmp_path / "e.log").read_text()
    assert "set rate x: wants a number" in errors
    assert "Active calls: " in errors
    assert "Unknown display scenario: 'ooc'; this run has main" in errors
    assert (tmp_path / "m.log").exists()


def test_a_control_port_that_is_taken_is_254(tmp_path: Path) -> None:
    with silent() as peer, udp() as taken:
        port = taken.getsockname()[1]
        process = started(tmp_path, f"-sn uac {peer} -ci 127.0.0.1 -cp {port} -m 1 -nostdin", stderr=subprocess.PIPE)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 254
    assert b"control socket" in error


def test_in_the_background_the_printed_process_id_is_the_one_of_all_files(tmp_path: Path) -> None:
    with silent() as peer:
        words = f"-sn uac {peer} -m 1 -r 100 -bg -trace_stat -trace_msg -trace_screen -recv_timeout 200"
        process = started(tmp_path, words, stdout=subprocess.PIPE)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 99
    match = re.search(rb"Background mode - PID=\[([0-9]+)\]", output)
    assert match is not None
    pid = match.group(1).decode()
    deadline = time.monotonic() + 20
    while not (tmp_path / f"uac_{pid}_screen.log").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert f"Call-ID: 1-{pid}@127.0.0.1" in (tmp_path / f"uac_{pid}_messages.log").read_text()
    assert (tmp_path / f"uac_{pid}_.csv").exists()


def test_signals_dump_the_screens_and_end_softly(tmp_path: Path) -> None:
    with silent() as peer:
        process = started(
            tmp_path,
            f"-sn uac {peer} -r 20 -users 2 -nostdin -cp {free_port()} -trace_msg -message_file m.log "
            "-screen_file screens.log",
            stdout=subprocess.PIPE,
        )
        deadline = time.monotonic() + 20
        while not (tmp_path / "screens.log").exists():
            assert time.monotonic() < deadline
            if (tmp_path / "m.log").exists():
                process.send_signal(signal.SIGUSR2)
            time.sleep(0.2)
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "  2 (0 ms)   " in (tmp_path / "screens.log").read_text()
    assert b"Test Terminated" in output


def test_a_limit_on_file_sizes_ends_the_files_and_not_the_run(tmp_path: Path) -> None:
    import resource

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    with silent() as peer:
        process = started(
            tmp_path,
            f"-sn uac {peer} -m 20 -r 100 -recv_timeout 400 -nostdin -cp {free_port()} -trace_msg -trace_stat "
            "-fd 100ms",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=limited,
        )
        _, error = process.communicate(timeout=20)
    assert process.returncode == 1, error
    assert b"Traceback" not in error
    assert list(tmp_path.glob("uac_*_traces_oversized.log"))
