"""CPU microseconds a call of the built-in UAC against `sipp -sn uas`: ours and sipp's, alternated, medians.

    python bench/signalling_bench.py [--rate 5000] [--calls 25000] [--rounds 3]

The generator is pinned to one core and the answering sipp to another. A process's CPU time is the kernel's account of
it; what each spends before its first call is measured by a run of one call and subtracted, from both alike.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = """
import sys
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.loop import run_engine
port, rate, calls = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
config = EngineConfig(scenario="uac", builtin=True, remote=("127.0.0.1", port), local_port=0, limit=0)
config.rate_cps, config.calls = rate, calls
result = run_engine(config)
print(result.statistics.successful, result.statistics.failed, result.statistics.retransmissions)
"""


ATTEMPTS = 4
BUFFERS = ["-buff_size", "4000000"]
"""Ours asks for as much; with sipp's own default both sides lose datagrams at this rate, and calls with them."""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> tuple[int, int]:
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def pinned(command: list[str], core: int, folder: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answering(folder: str, core: int) -> tuple[subprocess.Popen[str], int]:
    port = free_port()
    command = ["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin", *BUFFERS]
    peer = pinned(command, core, folder)
    deadline = time.monotonic() + 5.0
    wanted = f":{port:04X} "
    while wanted not in Path("/proc/net/udp").read_text():
        if time.monotonic() > deadline or peer.poll() is not None:
            raise SystemExit("sipp -sn uas did not start")
        time.sleep(0.02)
    return peer, port


def cpu_of(command: list[str], core: int, folder: str, limit_s: float) -> tuple[float, str, bool]:
    """(CPU seconds, output, whether all went well) of one run to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = pinned(command, core, folder)
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    good = process.returncode == 0
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, output + errors, good


def once(kind: str, rate: int, calls: int) -> float:
    """CPU seconds of a whole run of one generator. A run in which a call was lost is done again."""
    generator_core, peer_core = cores()
    output = ""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            peer, port = answering(folder, peer_core)
            try:
                if kind == "ours":
                    command = [sys.executable, "-c", OURS, str(port), str(rate), str(calls)]
                else:
                    command = [
                        "sipp",
                        "-sn",
                        "uac",
                        "-i",
                        "127.0.0.1",
                        "-r",
                        str(rate),
                        "-m",
                        str(calls),
                        "-l",
                        "15000",
                    ]
                    command += ["-p", str(free_port()), "-nostdin", *BUFFERS, f"127.0.0.1:{port}"]
                seconds, output, good = cpu_of(command, generator_core, folder, 15.0 + 2.0 * calls / rate)
            finally:
                peer.kill()
                peer.communicate()
        if good and (kind == "sipp" or output.split()[:2] == [str(calls), "0"]):
            return seconds
    raise SystemExit(f"{kind}: no run without a failed call in {ATTEMPTS} attempts\n{output[-2000:]}")


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=5000)
    options.add_argument("--calls", type=int, default=25000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args(arguments or [])
    start = {kind: once(kind, chosen.rate, 1) for kind in ("ours", "sipp")}
    figures: dict[str, list[float]] = {"ours": [], "sipp": []}
    for _ in range(chosen.rounds):
        for kind, values in figures.items():
            seconds = once(kind, chosen.rate, chosen.calls) - start[kind]
            values.append(seconds / chosen.calls * 1e6)
    ours, sipp = statistics.median(figures["ours"]), statistics.median(figures["sipp"])
    print(f"signalling, UAC at {chosen.rate} calls/s: ours {ours:.1f} us a call, sipp {sipp:.1f} us a call")
    print(f"  ours {[round(v, 1) for v in figures['ours']]}, sipp {[round(v, 1) for v in figures['sipp']]}")
    print(f"  start: ours {start['ours']:.2f} s, sipp {start['sipp']:.2f} s of CPU")
    print(f"  ratio {ours / sipp:.2f} (target: at most 1.5)")


if __name__ == "__main__":
    main(sys.argv[1:])
