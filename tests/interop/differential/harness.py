"""Plays a pair of scenarios four ways on addresses of the loopback net, and gathers what each run left.

Ours runs in a process forked from one that has loaded it already: same command line, same process of its own, without
the start. Nothing is compared here.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.interop.differential.pair import Pair, scenario
from tests.interop.process import is_bound, wait_until

SIPP, OURS = "sipp", "ours"
WAYS = tuple(itertools.product((SIPP, OURS), repeat=2))
"""Caller and called."""
PATIENCE_S = 40.0
AT_A_TIME = 6

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["sipreplay.cli", "sipreplay.compat.main", "sipreplay.engine.loop", "numpy"])


def _run_ours(words: list[str], folder: str, name: str) -> None:
    """The child of the fork: becomes `sipreplay sipp`."""
    os.chdir(folder)
    os.setsid()
    for number, suffix in ((1, "out"), (2, "err")):
        handle = os.open(f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.environ.update(TERM="xterm", LC_ALL="C")
    sys.argv = ["sipreplay", "sipp", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from sipreplay.cli import main

    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    # The server that forked it loses a code now and then.
    Path(f"{name}.code").write_text(str(code))
    sys.exit(code)


class Side:
    """One running program, Debian's sipp or ours."""

    def __init__(self, who: str, words: Sequence[str], folder: Path, name: str) -> None:
        self.words = [who, *words]
        self.folder = folder
        self.name = name
        self._sipp: subprocess.Popen[bytes] | None = None
        if who == SIPP:
            with (folder / f"{name}.out").open("wb") as out, (folder / f"{name}.err").open("wb") as err:
                self._sipp = subprocess.Popen(
                    ["sipp", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    cwd=folder,
                    env={**os.environ, "TERM": "xterm", "LC_ALL": "C"},
                    start_new_session=True,
                )
            self.pid = self._sipp.pid
        else:
            self._ours = _forks.Process(target=_run_ours, args=(list(words), str(folder), name), daemon=True)
            self._ours.start()
            self.pid = self._ours.pid or 0

    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        if self._sipp is not None:
            return self._sipp.poll()
        if self._ours.exitcode is None:
            return None
        told = self.folder / f"{self.name}.code"
        return int(told.read_text()) if told.exists() else self._ours.exitcode

    def wait(self, until: float) -> int:
        """Its exit code; killed and -9 if it has not ended at the monotonic time `until`."""
        left = max(until - time.monotonic(), 0.1)
        try:
            if self._sipp is not None:
                self._sipp.wait(left)
            else:
                self._ours.join(left)
        except subprocess.TimeoutExpired:
            pass
        if self.code() is None:
            self.kill()
        code = self.code()
        return -9 if code is None else code

    def kill(self) -> None:
        if self._sipp is not None:
            self._sipp.kill()
            self._sipp.wait()
        elif self._ours.is_alive():
            self._ours.kill()
            self._ours.join()

    def explain(self) -> str:
        """Command and what it wrote, for an assertion's message."""
        texts = [f"{' '.join(self.words)}   (in {self.folder})"]
        for suffix in ("err", "err.log"):
            path = self.folder / f"{self.name}.{suffix}"
            if path.exists():
                texts.append(path.read_text(errors="replace")[-1500:])
        return "\n".join(texts)


@dataclass(frozen=True, slots=True)
class Run:
    """What is left of one way of a pair."""

    way: tuple[str, str]
    ip: str
    ports: tuple[int, int]
    folder: Path
    codes: tuple[int, int]
    pids: tuple[int, int]
    explained: str


class Addresses:
    """Addresses of one length, so that lengths of messages do not depend on them, and ports for all runs."""

    def __init__(self) -> None:
        self.net = f"127.{random.randrange(100, 250)}"
        self._hosts = (f"{self.net}.{a}.{b}" for a in range(100, 250) for b in range(100, 250))
        base = random.randrange(20000, 28000, 2)
        self.ports = (base, base + 2, base + 10, base + 20)
        """Caller, called and their media."""

    def __iter__(self) -> Iterator[str]:
        return self._hosts


FILES = (
    "-trace_msg -message_file {name}.msg -trace_stat -stf {name}.csv -trace_err -error_file {name}.err.log "
    "-trace_logs -log_file {name}.log -trace_counts -trace_rtt -rtt_freq 1 -trace_error_codes -fd 60 -nostdin"
)


def words(pair: Pair, side: str, ip: str, port: int, media: int, remote_port: int) -> list[str]:
    """The command line of one side, without the remote host."""
    more = pair.caller_words if side == "caller" else pair.called_words
    rate = "" if side == "called" or " -r " in f" {more} " or "-users" in more else "-r 50"
    common = f"-sf {side}.xml -i {ip} -p {port} -mi {ip} -mp {media} -t {pair.transport} {rate}"
    if " -m " not in f" {more} ":
        common += f" -m {pair.calls}"
    more = more.replace("{remote}", f"{ip}:{remote_port}")
    return [*common.split(), *FILES.format(name=side).split(), *_split(more)]


def _split(more: str) -> list[str]:
    """Words, of which `''` is an empty one and `~` a blank inside of one."""
    return ["" if word == "''" else word.replace("~", " ") for word in more.split()]


def play(pair: Pair, way: tuple[str, str], ip: str, ports: tuple[int, int, int, int], folder: Path) -> Run:
    """Play one way of a pair to its end."""
    folder.mkdir(parents=True)
    for side, elements in (("caller", pair.caller), ("called", pair.called)):
        (folder / f"{side}.xml").write_text(scenario(elements, pair.name))
    for name, text in pair.files.items():
        (folder / name).write_text(text)
    until = time.monotonic() + PATIENCE_S
    called = Side(way[1], words(pair, "called", ip, ports[1], ports[3], ports[0]), folder, "called")
    kind = "tcp" if pair.transport.startswith("t") else "udp"
    caller = None
    try:
        wait_until(lambda: called.code() is not None or is_bound(ip, ports[1], kind), 30.0, called.explain)
        remote = f"{ip}:{ports[1]}"
        caller = Side(way[0], [*words(pair, "caller", ip, ports[0], ports[2], ports[1]), remote], folder, "caller")
        codes = (caller.wait(until), called.wait(until))
        return Run(
            way,
            ip,
            (ports[0], ports[1]),
            folder,
            codes,
            (caller.pid, called.pid),
            "\n".join((caller.explain(), called.explain())),
        )
    finally:
        called.kill()
        if caller is not None:
            caller.kill()


def play_all(
    pairs: Sequence[Pair], hosts: Iterator[str], ports: tuple[int, int, int, int], folder: Path
) -> dict[str, list[Run]]:
    """All ways of all pairs, several at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        jobs = {
            pair.name: [
                pool.submit(play, pair, way, next(hosts), ports, folder / pair.name / "-".join(way)) for way in WAYS
            ]
            for pair in pairs
        }
        return {name: [job.result() for job in started] for name, started in jobs.items()}
