"""What tshark reads in a capture: run once a file, with the options that every comparison uses.

Owns the options, in one place, and the parsing of tshark's text. Never reads a capture itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

OPTIONS = (
    "-n",  # addresses stay numbers
    "-o",
    "ip.defragment:TRUE",
    "-o",
    "tcp.desegment_tcp_streams:TRUE",
    "-o",
    "tcp.reassemble_out_of_order:TRUE",
    "--enable-heuristic",
    "rtp_udp",  # RTP without SDP is RTP here too
)
_FIELDS = ("frame.number", "sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.resend")
_STREAM = re.compile(
    r"\s*[\d.-]+\s+[\d.-]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-F]{8})\s+(?:.*?)\s+(\d+)\s+(-?\d+) \([\d.-]+%\)"
    r"\s+[\d.-]+\s+([\d.-]+)\s+([\d.-]+)\s+[\d.-]+\s+([\d.-]+)\s+([\d.-]+)"
)
Key = tuple[str, int, str, int, int]
"""Source, destination and SSRC of a stream."""


class Figures(NamedTuple):
    """Of one stream; times in ms."""

    packets: int
    lost: int
    mean_delta: float
    max_delta: float
    mean_jitter: float
    max_jitter: float


class Reading(NamedTuple):
    """Of one capture."""

    requests: Counter[str]
    responses: Counter[str]
    call_ids: set[str]
    resent: set[int]
    """Packets that tshark calls repeats of a request or response."""
    streams: dict[Key, Figures]

    @property
    def messages(self) -> int:
        """How many SIP messages there are."""
        return self.requests.total() + self.responses.total()


@cache
def tshark_reading(path: Path, *options: str) -> Reading:
    """What tshark says of a capture. `options` come besides OPTIONS (such as -d)."""
    chosen = [word for name in _FIELDS for word in ("-e", name)]
    fields = ["-Y", "sip", "-T", "fields", "-E", "occurrence=a", "-E", "separator=\t", *chosen]
    result = subprocess.run(
        ["tshark", *OPTIONS, *options, "-r", str(path), *fields, "-z", "rtp,streams"],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    lines = result.stdout.splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == len(_FIELDS) - 1]

    def values(column: int) -> list[str]:
        return [value for row in rows for value in row[column].split(",") if value]

    found: dict[Key, Figures] = {}
    for line in lines:
        if match := _STREAM.match(line):
            source, port, destination, other, ssrc, packets, lost, *times = match.groups()
            key = (source, int(port), destination, int(other), int(ssrc, 16))
            found[key] = Figures(int(packets), int(lost), *map(float, times))
    resent = {int(row[0]) for row in rows if row[4] in ("1", "True")}
    return Reading(Counter(values(1)), Counter(values(2)), set(values(3)), resent, found)
