"""`sipreplay inspect --streams` against `tshark -q -z rtp,streams`: generated calls, both in one run on one core.

`python -m bench inspect` measures 1 M packets and 1 M SIP messages; with SIPREPLAY_BENCH_LARGE=1 also 10 M packets
(2.4 GB on the disk while it runs). SIPREPLAY_BENCH_DIR names another folder for the captures.
"""

from __future__ import annotations

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
SIP_CALLS = 20_000
_THEIRS = re.compile(r"\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-F]{8})\s+.*?\s(\d+)\s+-?\d+ \(")
_OURS = re.compile(r"\s*[\d.]+\s+[\d.]+\s+(\S+):(\d+)\s+(\S+):(\d+)\s+0x([0-9A-F]{8})\s+\S+\s+(\d+)\s")

Streams = dict[tuple[str, str, int], int]
"""(source, destination, SSRC) to packets."""


def main() -> None:
    if shutil.which("tshark") is None:
        print("tshark is not installed: nothing to compare with (apt-get install tshark)")
        return
    sizes = [(1000, ROUNDS, 150)]
    if os.environ.get("SIPREPLAY_BENCH_LARGE"):
        sizes.append((10_000, 1, 250))
    with tempfile.TemporaryDirectory(dir=os.environ.get("SIPREPLAY_BENCH_DIR")) as folder:
        for calls, rounds, memory in sizes:
            capture = Path(folder) / f"{calls}.pcap"
            packets = sum(generate(capture, calls))
            print(f"{packets:,} packets, 95 % RTP, {calls:,} calls, {capture.stat().st_size / 1e6:,.0f} MB")
            compare(capture, packets, rounds, memory)
            capture.unlink()
        capture = Path(folder) / "sip.pcap"
        signalling(capture, generate(capture, SIP_CALLS, media=False)[1])


def compare(capture: Path, packets: int, rounds: int, wanted_mb: int) -> None:
    """Both tools in turn, each pinned to one core; they have to list the same streams."""
    ours: list[float] = []
    theirs: list[float] = []
    memory = 0
    for _ in range(rounds):
        text, took, peak = timed([*sipreplay(), "--streams", str(capture)])
        ours.append(took)
        memory = max(memory, peak)
        listed, took, other = timed(["tshark", "-q", "-z", "rtp,streams", "-r", str(capture)])
        theirs.append(took)
        mine, tshark = streams_in(text, _OURS), streams_in(listed, _THEIRS)
        if mine != tshark or not mine:
            missing = len(tshark.keys() - mine.keys()), len(mine.keys() - tshark.keys())
            sys.exit(f"the tools disagree: {missing[0]} streams only in tshark, {missing[1]} only in sipreplay")
    median, reference = statistics.median(ours), statistics.median(theirs)
    print(f"both count {len(mine):,} streams with {sum(mine.values()):,} packets")
    print(f"sipreplay inspect: {median:.2f} s, {median / packets * 1e6:.2f} us a packet, peak {memory / 1024:.0f} MB")
    print(
        f"tshark:            {reference:.2f} s, {reference / packets * 1e6:.2f} us a packet, peak {other / 1024:.0f} MB"
    )
    print(
        f"ratio: {reference / median:.1f} times as fast (wanted: 8), "
        f"memory: {memory / 1024:.0f} MB (wanted: under {wanted_mb})"
    )


def signalling(capture: Path, messages: int) -> None:
    """SIP only, on one core and on all."""
    print(f"{messages:,} SIP messages, {SIP_CALLS:,} calls")
    _, one, _ = timed([*sipreplay(), "--streams", str(capture)])
    print(f"one core:  {one:.2f} s, {messages / one:,.0f} messages a second to dialogs (wanted: 150,000)")
    count = len(os.sched_getaffinity(0))
    _, several, _ = timed([*sipreplay(), "--streams", "--processes", str(count), str(capture)], pinned=False)
    times = one / several
    print(f"{count} cores:   {several:.2f} s, {messages / several:,.0f} messages a second, {times:.2f} times one core")


def sipreplay() -> list[str]:
    return [sys.executable, "-m", "sipreplay", "inspect"]


def timed(command: list[str], *, pinned: bool = True) -> tuple[str, float, int]:
    """(output, wall seconds of the whole command, peak resident KiB); pinned to the last core this process may use.

    Modules are compiled before and not in it, as they are once a program has been installed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    core = max(os.sched_getaffinity(0))
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env=environment,
            preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if pinned else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
        output.seek(0)
        return output.read().decode(), took, usage.ru_maxrss


def streams_in(text: str, line: re.Pattern[str]) -> Streams:
    found = (match.groups() for each in text.splitlines() if (match := line.match(each)))
    return {(f"{a}:{b}", f"{c}:{d}", int(ssrc, 16)): int(count) for a, b, c, d, ssrc, count in found}


if __name__ == "__main__":
    main()
