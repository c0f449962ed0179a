"""The runner's handle on a media process: start it, give engines their ports, read its figures, stop it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import sipreplay
from sipreplay.errors import TransportError
from sipreplay.media.client import ClientDescription
from sipreplay.media.impairment import Impairment
from sipreplay.media.results import MediaSummary, QualityLimits

FIRST_PORT = 10000
LAST_PORT = 65535
_START_S = 20.0
_CODE = "import sys; from sipreplay.media.server import main; main(int(sys.argv[1]), int(sys.argv[2]))"


def port_ranges(first_port: int = FIRST_PORT) -> list[tuple[int, int]]:
    """Where media ports are looked for, from `first_port` on: the ports that the kernel gives to others come last."""
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return [(first_port, LAST_PORT)]
    ranges = [(first_port, low - 1), (max(first_port, high + 1), LAST_PORT), (max(first_port, low), high)]
    return [(first, last) for first, last in ranges if first < last]


class MediaProcess:
    """One media process, for one or more engines and up to about 4,000 streams. A context manager that stops it."""

    def __init__(
        self,
        *,
        scheduling: str = "auto",
        records: Path | None = None,
        seed: int | None = None,
        limits: QualityLimits | None = None,
        impairment: Impairment | None = None,
        rtcp: bool = False,
        record: Path | None = None,
        record_received: bool = True,
    ) -> None:
        """`scheduling`: the best class to ask for (auto, fifo, nice, normal). `records`: CSV of every call's media.

        `limits`: what is counted as too bad in the summary. `impairment`: what is done to all that is sent.
        `rtcp`: send reports of our own for every call that plays.

        `record`: part of the run's recording (`capture.recording`), with what is sent, and what is received if wanted.
        """
        self._settings = {
            "name": f"sipreplay-media-{secrets.token_hex(16)}",
            "scheduling": scheduling,
            "records": str(records.absolute()) if records else None,
            "seed": seed,
            "limits": asdict(limits or QualityLimits()),
            "rtcp": rtcp,
            "impairment": asdict(impairment or Impairment()),
            "record": str(record.absolute()) if record else None,
            "record_received": record_received,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._pending = b""
        self._asked = 0
        self._clients: list[ClientDescription] = []

    def start(self) -> MediaProcess:
        """Start it and wait until it listens (about 0.2 s). Raises TransportError."""
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        root = str(Path(sipreplay.__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
        # One thread: numpy's library would start one a core, and they wake for nothing.
        environment["OPENBLAS_NUM_THREADS"] = "1"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self._control = ours
        try:
            ours.sendall(json.dumps(self._settings).encode() + b"\n")
            self._answer(_START_S)
        except (OSError, TransportError):
            self.stop()
            raise
        return self

    @property
    def pid(self) -> int:
        """Of the process; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def add_client(
        self,
        host: str,
        *,
        calls: int,
        least: int | None = None,
        media: int = 2,
        first_port: int | None = None,
        last_port: int | None = None,
        rewrite: bool = True,
        buffer: int = 0,
        tolerance: tuple[float, float] = (1.0, 1.0),
        random_ssrc: bool = False,
        echo: tuple[int, int, int] | None = None,
    ) -> ClientDescription:
        """Open ports for one engine at `host`: blocks of four for `calls` calls at a time.

        `calls` 0: only ports named later (`MediaClient.shared`). `least`: be content with so few blocks (default: all).
        `media`: how many RTP ports (with their RTCP ports) of each block are opened now; the others are opened when
        they are played from. Without a range: from 10000 on, the kernel's ephemeral ports last. `rewrite`: each stream
        gets its own SSRC, sequence and timestamp; else all go out as they are in the file (SIPp). `buffer`: bytes
        asked of the kernel for each socket, 0 for our own choice. `tolerance`: part of an audio and a video pattern
        that must be missing in its echo to fail. `random_ssrc`: streams that are made, but not rewritten, are numbered
        from a random SSRC. `echo`: (first port, last port, most bytes): two ports more, the first free even ones, send
        back what arrives (SIPp's -rtp_echo). Raises TransportError if there are too few free ports or file descriptors.
        """
        first = first_port if first_port is not None else FIRST_PORT
        request = {
            "do": "add_client",
            "host": host.strip("[]"),
            "calls": calls,
            "media": max(1, min(media, 2)),
            "least": min(calls, least) if least is not None else calls,
            "ranges": port_ranges(first) if last_port is None else [(first, last_port)],
            "rewrite": rewrite,
            "buffer": buffer,
            "tolerance": tolerance,
            "random_ssrc": random_ssrc,
            "echo": echo,
        }
        answer = self._ask(request, _START_S)
        name = str(self._settings["name"])
        ports = tuple(answer["ports"])
        description = ClientDescription(name, answer["index"], host.strip("[]"), ports, rewrite, tuple(answer["echo"]))
        self._clients.append(description)
        return description

    def client_description(self, index: int) -> ClientDescription:
        """What `add_client` returned, in order of the calls."""
        return self._clients[index]

    def snapshot(self, timeout: float = 2.0) -> MediaSummary:
        """Totals so far, for a live view: open calls count with their packets; loss and jitter come at their end."""
        return MediaSummary.from_dict(self._ask({"do": "snapshot"}, timeout))

    def summary(self, timeout: float = 10.0) -> MediaSummary:
        """Final totals: commands that wait are obeyed, calls that are still open are ended as if released."""
        return MediaSummary.from_dict(self._ask({"do": "summary"}, timeout))

    def stop(self, timeout: float = 5.0) -> None:
        """End the process. Safe to call twice, and when it is gone."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> MediaProcess:
        return self if self._process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ask(self, request: dict[str, Any], timeout: float) -> Any:
        if self._control is None:
            raise TransportError("the media process is not running")
        self._asked += 1
        try:
            self._control.sendall(json.dumps(request | {"id": self._asked}).encode() + b"\n")
        except OSError as error:
            raise TransportError(f"the media process has ended: {error.strerror}") from error
        return self._answer(timeout)

    def _answer(self, timeout: float) -> Any:
        """The answer to the last request. One that came too late for its own is passed over."""
        assert self._control is not None
        end = time.monotonic() + timeout
        try:
            while True:
                while b"\n" not in self._pending:
                    self._control.settimeout(max(end - time.monotonic(), 0.001))
                    data = self._control.recv(1 << 20)
                    if not data:
                        raise TransportError("the media process has ended")
                    self._pending += data
                line, self._pending = self._pending.split(b"\n", 1)
                answer = json.loads(line)
                if answer.get("fatal") or answer["id"] == self._asked:
                    break
        except TimeoutError as error:
            raise TransportError(f"the media process did not answer within {timeout:g} s") from error
        except OSError as error:
            raise TransportError(f"the media process has ended: {error.strerror}") from error
        if "error" in answer:
            raise TransportError(f"media: {answer['error']}")
        return answer["answer"]
