"""Records captures of a test's traffic with tcpdump, complete to the last packet.

A packet that has reached the wire before the recording is asked to end is in the file: a marker datagram is sent
last, waited for in the file, and taken out again.
"""

from __future__ import annotations

import signal
import socket
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.interop.process import Program, in_namespace, wait_until

MARKER_ADDRESS = "127.255.255.254"
DISCARD_PORT = 9


@contextmanager
def recording(
    path: Path,
    *,
    hosts: Sequence[str] = (),
    ports: Sequence[int] = (),
    nets: Sequence[str] = (),
    interface: str = "lo",
    namespace: str = "",
    marker_address: str = MARKER_ADDRESS,
) -> Iterator[Path]:
    """Record UDP and TCP of the given hosts, ports and nets (any is enough; none given: everything) into `path`.

    Yields the path at once; the file is complete when the block has ended.
    """
    wanted = " or ".join(
        [*(f"host {host}" for host in hosts), *(f"port {port}" for port in ports), *(f"net {net}" for net in nets)]
    )
    traffic = f"(udp or tcp) and ({wanted})" if wanted else "udp or tcp"
    expression = f"({traffic}) or (udp and dst host {marker_address} and dst port {DISCARD_PORT})"
    argv = [
        "tcpdump",
        "-i",
        interface,
        "-n",
        "-U",
        "--immediate-mode",
        "-Z",
        "root",
        "-B",
        "16384",
        "-w",
        path,
        expression,
    ]
    with Program(argv, path.parent, f"{path.stem}.tcpdump", namespace=namespace) as tcpdump:
        tcpdump.wait_output("listening on")
        try:
            yield path
        finally:
            marker = uuid.uuid4().bytes
            in_namespace(namespace, lambda: _send(marker, marker_address))
            wait_until(lambda: marker in _tail(path), 10.0, tcpdump.describe)
            tcpdump.stop(signal.SIGINT)
            drop_packets(path, marker)


def _send(payload: bytes, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(payload, (address, DISCARD_PORT))


def _tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as capture:
        capture.seek(max(0, path.stat().st_size - 65536))
        return capture.read()


def drop_packets(path: Path, containing: bytes) -> None:
    """Rewrite a pcap of this machine's byte order without the packets that hold `containing`."""
    data = path.read_bytes()
    kept, offset = [data[:24]], 24
    while offset + 16 <= len(data):
        length = struct.unpack_from("=I", data, offset + 8)[0]
        record = data[offset : offset + 16 + length]
        if containing not in record:
            kept.append(record)
        offset += 16 + length
    path.write_bytes(b"".join(kept))


def first_packets(source: Path, target: Path, count: int) -> None:
    """Copy the first `count` packets of a pcap of this machine's byte order."""
    data = source.read_bytes()
    offset = 24
    for _ in range(count):
        if offset + 16 > len(data):
            break
        offset += 16 + struct.unpack_from("=I", data, offset + 8)[0]
    target.write_bytes(data[:offset])
