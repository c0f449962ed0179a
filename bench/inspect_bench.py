"""`sipreplay inspect` against `tshark -q -z rtp,streams`: 1 M RTP packets in 1,000 calls with SDP, both in one run."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.media_capture import generate

ROUNDS = 3
_LINE = re.compile(r"\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-F]{8})\s+.*?\s(\d+)\s+-?\d+ \(")

Streams = dict[tuple[str, str, int], int]
"""(source, destination, SSRC) to packets."""


def main() -> None:
    if shutil.which("tshark") is None:
        print("tshark is not installed: nothing to compare with (apt-get install tshark)")
        return
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "calls.pcap"
        packets = generate(capture)
        size = capture.stat().st_size
        print(f"{packets:,} RTP packets in 1,000 calls, {size / 1e6:.0f} MB")
        compare(capture, packets)


def compare(capture: Path, packets: int) -> None:
    ours: list[float] = []
    theirs: list[float] = []
    memory = 0
    for _ in range(ROUNDS):
        text, took, peak = timed([sys.executable, "-m", "sipreplay", "inspect", str(capture), "--json", "-"])
        ours.append(took)
        memory = max(memory, peak)
        listed, took, other = timed(["tshark", "-n", "-r", str(capture), "-q", "-z", "rtp,streams"])
        theirs.append(took)
        mine, tshark = our_streams(text), tshark_streams(listed)
        if mine != tshark:
            missing = len(tshark.keys() - mine.keys()), len(mine.keys() - tshark.keys())
            sys.exit(f"the tools disagree: {missing[0]} streams only in tshark, {missing[1]} only in sipreplay")
    median, reference = statistics.median(ours), statistics.median(theirs)
    print(f"both count {len(mine):,} streams with {sum(mine.values()):,} packets")
    print(f"sipreplay inspect: {median:.2f} s, {median / packets * 1e6:.2f} us a packet, peak {memory / 1024:.0f} MB")
    print(
        f"tshark:            {reference:.2f} s, {reference / packets * 1e6:.2f} us a packet, peak {other / 1024:.0f} MB"
    )
    print(f"ratio: {reference / median:.1f} times as fast (wanted: 2), memory wanted: under 300 MB")


def timed(command: list[str]) -> tuple[str, float, int]:
    """(output, wall seconds, peak resident KiB) of a command."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
        output.seek(0)
        return output.read().decode(), took, usage.ru_maxrss


def our_streams(text: str) -> Streams:
    return {(s["source"], s["destination"], s["ssrc"]): s["packets"] for s in json.loads(text)["streams"]}


def tshark_streams(text: str) -> Streams:
    found = (match.groups() for line in text.splitlines() if (match := _LINE.match(line)))
    return {(f"{a}:{b}", f"{c}:{d}", int(ssrc, 16)): int(count) for a, b, c, d, ssrc, count in found}


if __name__ == "__main__":
    main()
