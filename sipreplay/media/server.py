"""The media process: one loop that drains commands, runs the wheel and sweeps the sockets, until its parent says stop.

Owns the command queues and the control connection; what commands mean is `calls`' business. Answers JSON requests of
the runner (control) and of engines (before the run); a 64-byte command is never answered.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sipreplay.errors import SipReplayError, TransportError
from sipreplay.media.calls import CallTable, Client
from sipreplay.media.commands import FINISH, SIZE, unpack
from sipreplay.media.echo import Echo
from sipreplay.media.generate import make_source
from sipreplay.media.impairer import Impairer
from sipreplay.media.impairment import Impairment
from sipreplay.media.made import Made
from sipreplay.media.receiver import Receiver
from sipreplay.media.record import MediaRecord
from sipreplay.media.reports import Reporter
from sipreplay.media.results import CallMedia, QualityLimits
from sipreplay.media.scheduling import die_with, quiet_collector, take_class
from sipreplay.media.sender import TICK_US, Sender
from sipreplay.media.sockets import RECEIVE_BUFFER, need_descriptors
from sipreplay.media.sources import Datagram, MediaSource, build_source, load_source
from sipreplay.rtp.packet import RtpPacket, build_rtp
from sipreplay.rtp.quality import QualityState

SETTLE_US = 100_000
IDLE_US = 100_000
MAX_SOURCES = 4096
_MAX_MESSAGE = 65536
_DRAIN = 512
_ECHO_TRIES = 100


def clock_us() -> int:
    """CLOCK_MONOTONIC in microseconds."""
    return time.monotonic_ns() // 1000


class _Connection:
    """One engine's command queue."""

    __slots__ = ("client", "queue")

    def __init__(self, queue: socket.socket) -> None:
        self.queue = queue
        self.client: Client | None = None


class MediaServer:
    """The loop. `control` is the runner's connection: lines of JSON, each answered by one."""

    def __init__(self, control: socket.socket, settings: dict[str, Any]) -> None:
        self._control = control
        self._pending = b""
        self._sender = Sender(clock_us)
        self._recording = _recording(settings)
        wanted = self._recording if settings.get("record_received") else None
        self._receiver = Receiver(wanted)
        self._table = CallTable(self._sender, self._receiver, settings.get("seed"), self._recording)
        self._table.limits = QualityLimits(**settings.get("limits", {}))
        if settings.get("rtcp"):
            self._table.reporter = Reporter(settings.get("seed"))
        impairment = Impairment(**settings.get("impairment", {}))
        if impairment:
            self._sender.impairer = Impairer(impairment)
        self._clients: list[Client] = []
        self._connections: dict[int, _Connection] = {}
        self._source_numbers: dict[tuple[str, str], int] = {}
        self._running = True
        self._records: TextIO | None = None
        if settings.get("records"):
            self._open_records(settings["records"])
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind("\0" + settings["name"])
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        for one in (control, self._listener):
            self._epoll.register(one.fileno(), select.EPOLLIN)
        self._table.echo = Echo(
            self._receiver,
            lambda fd: self._epoll.register(fd, select.EPOLLIN),
            self._epoll.unregister,
            self._recording,
            received=wanted is not None,
        )
        self._answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "add_client": self._add_client,
            "snapshot": lambda _request: self._table.live(self._clients).to_dict(),
            "summary": self._summary,
            "stop": self._stop,
        }
        self._table.summary.scheduling = take_class(settings.get("scheduling", "auto"))

    def run(self) -> None:
        """Serve until stopped, or until the control connection ends."""
        sender, receiver, clock_ns = self._sender, self._receiver, time.monotonic_ns
        warm_up()
        quiet_collector()
        sweep_us = settle_us = 0
        while self._running:
            sender.run(clock_ns() // 1000)
            now_us = clock_ns() // 1000
            if now_us >= sweep_us:
                sweep_us = min(receiver.sweep(now_us), now_us + IDLE_US)
            if now_us >= settle_us:
                self._table.settle()
                settle_us = now_us + SETTLE_US
            # A sweep waits for a tick that is near: every wake costs as much as ten packets.
            due_us = sender.next_us(min(sweep_us, settle_us) + TICK_US)
            self._wait(due_us - clock_ns() // 1000)
        if self._records is not None:
            self._records.close()
        if self._recording is not None:
            self._recording.close()

    def _wait(self, pause_us: int) -> None:
        """Obey commands until it is time to send. epoll counts whole milliseconds: the last part of one is slept."""
        ready = self._epoll.poll(pause_us // TICK_US / 1000 if pause_us >= TICK_US else 0)
        if ready:
            for descriptor, _ in ready:
                self._readable(descriptor)
            self._sender.begin()
        elif 0 < pause_us < TICK_US:
            time.sleep(pause_us / 1e6)

    def _readable(self, descriptor: int) -> None:
        connection = self._connections.get(descriptor)
        if connection is not None:
            self._drain(connection)
        elif descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._control.fileno():
            self._requested()
        elif self._table.echo is not None:
            self._table.echo.readable(descriptor)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            queue, _ = self._listener.accept()
            _, uid, _ = struct.unpack("3i", queue.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid not in (os.getuid(), 0):
                queue.close()
                return
            queue.setblocking(False)
            self._connections[queue.fileno()] = _Connection(queue)
            self._epoll.register(queue.fileno(), select.EPOLLIN)

    def _drain(self, connection: _Connection) -> None:
        """Obey what waits in one queue, but not so much that the wheel must wait for it."""
        receive, table = connection.queue.recv, self._table
        for _ in range(_DRAIN):
            try:
                data = receive(_MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._disconnected(connection)
                return
            client = connection.client
            if len(data) == SIZE and data[0] != 0x7B:
                command = unpack(data)
                if client is None:
                    continue
                if command.operation == FINISH:
                    client.overflows = max(client.overflows, command.overflows)
                else:
                    table.obey(client, command)
            else:
                self._answer_engine(connection, data)

    def _disconnected(self, connection: _Connection) -> None:
        self._epoll.unregister(connection.queue.fileno())
        del self._connections[connection.queue.fileno()]
        connection.queue.close()
        if connection.client is not None:
            self._table.close_all(connection.client)

    def _answer_engine(self, connection: _Connection, data: bytes) -> None:
        try:
            request = json.loads(data)
            if request["do"] == "define":
                self._define(connection, request)
                return
            answer = self._engine_request(connection, request)
        except SipReplayError as error:
            answer = {"error": getattr(error, "message", str(error))}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            answer = {"error": f"bad request: {error}"}
        with contextlib.suppress(OSError):
            connection.queue.send(json.dumps(answer).encode())

    def _engine_request(self, connection: _Connection, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "hello":
            client = self._clients[request["client"]]
            if any(other.client is client for other in self._connections.values()):
                raise TransportError("another engine uses these media ports")
            connection.client = client
            return {"ok": True}
        if connection.client is None:
            raise TransportError("no hello yet")
        client = connection.client
        if what == "register":
            number = self._register(request["path"], request["kind"])
            source = self._table.sources[number]
            self._learn_clocks(client, source.clock_rates)
            return {"source": number, "duration_ms": source.duration_ms, "packets": source.packets}
        if what == "make":
            return {"source": self._make(client, request["made"])}
        if what == "shared":
            try:
                self._table.share(client, int(request["port"]))
            except OSError as error:
                raise TransportError(
                    f"media port {client.host}:{request['port']} cannot be opened: {error.strerror}; give another"
                ) from error
            return {"ok": True}
        if what == "clocks":
            self._learn_clocks(client, {int(k): int(v) for k, v in request["rates"]})
            return {"ok": True}
        raise ValueError(what)

    def _define(self, connection: _Connection, request: dict[str, Any]) -> None:
        """A source that a running engine needs, under a number of its own choice. Not answered."""
        client = connection.client
        if client is None or len(client.aliases) >= MAX_SOURCES:
            return
        try:
            client.aliases[int(request["alias"])] = self._make(client, request["made"])
        except SipReplayError:
            client.aliases[int(request["alias"])] = -1

    def _make(self, client: Client, plain: list[Any]) -> int:
        """The number of a source that is made. Raises ScenarioError."""
        made = Made(*plain)
        key = ("made", repr(made))
        known = self._source_numbers.get(key)
        if known is None:
            known = self._source_numbers[key] = self._keep(make_source(made))
        self._learn_clocks(client, self._table.sources[known].clock_rates)
        return known

    def _learn_clocks(self, client: Client, rates: dict[int, int]) -> None:
        """Jitter of these payload types is measured in the client's calls from now on."""
        if not rates.items() <= client.rates.items():
            client.rates |= rates
            client.clocks = self._receiver.clock_table(client.rates)

    def _register(self, path: str, kind: str) -> int:
        known = self._source_numbers.get((path, kind))
        if known is not None:
            return known
        number = self._source_numbers[(path, kind)] = self._keep(load_source(path, kind))
        return number

    def _keep(self, source: MediaSource) -> int:
        if len(self._table.sources) >= MAX_SOURCES:
            raise TransportError(f"more than {MAX_SOURCES} media files in one run")
        for flow in (*source.flows, *source.rewritten):
            self._sender.add(flow)
        self._table.sources.append(source)
        return len(self._table.sources) - 1

    def _requested(self) -> None:
        """Answer the runner; at the end of its connection, stop."""
        try:
            data = self._control.recv(_MAX_MESSAGE)
        except OSError:
            data = b""
        if not data:
            self._running = False
            return
        self._pending += data
        while b"\n" in self._pending:
            line, self._pending = self._pending.split(b"\n", 1)
            request = json.loads(line)
            try:
                answer = {"id": request["id"], "answer": self._answers[request["do"]](request)}
            except SipReplayError as error:
                answer = {"id": request["id"], "error": str(error)}
            with contextlib.suppress(OSError):
                self._control.sendall(json.dumps(answer).encode() + b"\n")

    def _add_client(self, request: dict[str, Any]) -> dict[str, Any]:
        client = Client(len(self._clients), request["host"], request["rewrite"], request["media"])
        client.tolerance = (float(request["tolerance"][0]), float(request["tolerance"][1]))
        if request["random_ssrc"]:
            client.ssrc = random.getrandbits(32)
        self._table.blocks.buffer = int(request["buffer"]) or RECEIVE_BUFFER
        echo = self._open_echo(client, *request["echo"]) if request["echo"] else []
        limits = (request["calls"], request["least"], request["ranges"])
        ports = self._table.blocks.reserve(client.ports, client.host, client.media, *limits)
        self._clients.append(client)
        return {"index": client.index, "ports": ports, "echo": echo}

    def _open_echo(self, client: Client, first: int, last: int, largest: int) -> list[int]:
        """Echo on two ports: the first free even ones from `first` on. Raises TransportError."""
        assert self._table.echo is not None
        self._table.echo.largest = largest
        found: list[int] = []
        for number in range(first, min(first + 2 * _ECHO_TRIES, last) + 1, 2):
            if client.ports.get(number) is None:
                try:
                    self._table.blocks.bind(client.ports, client.host, number)
                except OSError:
                    continue
            self._table.share(client, number)
            self._table.echo.add(client.ports[number])
            found.append(number)
            if len(found) == 2:
                return found
        raise TransportError(f"{client.host}: no two free ports between {first} and {last} for the echo; give others")

    def _summary(self, _request: dict[str, Any]) -> dict[str, Any]:
        for connection in list(self._connections.values()):
            self._drain(connection)
        for client in self._clients:
            self._table.close_all(client)
        return self._table.live(self._clients).to_dict()

    def _stop(self, _request: dict[str, Any]) -> bool:
        self._running = False
        return True

    def _open_records(self, path: str) -> None:
        try:
            self._records = Path(path).open("w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        except OSError as error:
            raise TransportError(f"{path}: media records cannot be written: {error.strerror}") from error
        writer = csv.writer(self._records, lineterminator="\n")
        writer.writerow(CallMedia.__slots__)

        def write(record: CallMedia) -> None:
            writer.writerow(record.row())

        self._table.on_record = write


def _recording(settings: dict[str, Any]) -> MediaRecord | None:
    return MediaRecord(Path(settings["record"])) if settings.get("record") else None


def warm_up() -> None:
    """Play and measure a few packets in memory: numpy's first use takes milliseconds, and no stream waits yet."""
    now_us = 0
    sender = Sender(lambda: now_us)
    datagrams = [Datagram(number * 20_000, 0, build_rtp(RtpPacket(8, False, number, 0, 1, b""))) for number in range(9)]
    flow = build_source("", "audio", datagrams).flows[0]
    sender.add(flow)
    for address in (("", 0), ("", 1)):
        sender.start(flow, lambda view, _: len(view), address, now_us, (1, 1, 1))
        sender.begin()
    for now_us in range(0, 300_000, TICK_US):
        sender.run(now_us)
    sender.collect()
    quality = QualityState(1)
    for numbers in (np.arange(4), np.array([6, 5, 5, 9])):
        rows = np.zeros(4, np.int64)
        quality.update(rows, numbers, numbers * 160, numbers * 20_000_000, rows, rows + 8, rows + 8000)


def main(descriptor: int, parent: int) -> None:
    """Entry of the process: `descriptor` is the control connection, its first line the settings."""
    die_with(parent)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    control = socket.socket(fileno=descriptor)
    with contextlib.suppress(TransportError):
        need_descriptors(4096)
    try:
        settings = json.loads(control.makefile("rb", buffering=0).readline())
        server = MediaServer(control, settings)
        control.sendall(b'{"id": 0, "answer": true}\n')
        server.run()
    except Exception as error:  # the parent shows it: a traceback here would reach the user's terminal
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = (
            str(error)
            if isinstance(error, SipReplayError)
            else f"{error!r} at {Path(place.filename).name}:{place.lineno}"
        )
        with contextlib.suppress(OSError):
            control.sendall(json.dumps({"error": what, "fatal": True}).encode() + b"\n")
        sys.exit(1)
