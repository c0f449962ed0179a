"""What `--help` imports and costs, and how soon an engine process listens."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("lxml", "numpy", "networkx", "matplotlib", "scapy", "dpkt", "rich", "jinja2")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
PROBE = """
import json, sys
from sipreplay.cli import run_command
import io, contextlib
with contextlib.redirect_stdout(io.StringIO()):
    run_command(["--help"])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def main() -> None:
    modules = json.loads(subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True).stdout)
    print("--help imports:", ", ".join(name for name in HEAVY if name in modules) or "none of " + ", ".join(HEAVY))
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sipreplay", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    print(f"--help: {statistics.median(times):.3f} s (median of {len(times)})")
    listening = [listen_seconds() for _ in range(5)]
    print(f"engine listens after {statistics.median(listening):.3f} s (median of {len(listening)}; wanted: 0.7)")
    for name, text in (("-sn uas", ""), ("a scenario of 1 MB", large_scenario())):
        taken = [sipp_listens(text) for _ in range(5)]
        wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"`sipreplay sipp` with {name} listens after {wall:.3f} s, {cpu:.3f} s of them CPU (wanted: 0.7)")


def large_scenario() -> str:
    """A server's scenario of nearly one million bytes: many messages, each with its own text."""
    step = (
        '<recv request="INFO"/><send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n'
        "[last_Call-ID:]\n[last_CSeq:]\nX-Number: {}\nContent-Length: [len]\n\n{}\n]]></send>\n"
    )
    body = "\n".join("x" * 70 for _ in range(10))
    count = 1_000_000 // (len(step) + len(body) + 10)
    return f'<scenario name="large">\n{"".join(step.format(n, body) for n in range(count))}</scenario>\n'


def sipp_listens(scenario: str) -> tuple[float, float]:
    """(wall, CPU) seconds from the start of `sipreplay sipp` to its bound socket."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-sn", "uas"]
        if scenario:
            path = Path(folder) / "large.xml"
            path.write_text(scenario)
            words = ["-sf", str(path)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        wanted = f"0100007F:{port:04X} "
        argv = [sys.executable, "-m", "sipreplay", "sipp", *words, "-i", "127.0.0.1", "-p", str(port), "-nostdin"]
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while wanted not in Path("/proc/net/udp").read_text():
                if process.poll() is not None or time.perf_counter() - began > 30:
                    raise SystemExit("sipreplay sipp did not listen")
                time.sleep(0.005)
            wall = time.perf_counter() - began
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return wall, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            process.kill()
            process.wait()


def listen_seconds() -> float:
    """From starting an engine process to its report that it listens."""
    from sipreplay.engine.config import EngineConfig
    from sipreplay.engine.process import EngineProcess

    config = EngineConfig("uas", builtin=True, local_port=0)
    began = time.perf_counter()
    process = EngineProcess(config)
    process.wait_ready(10)
    took = time.perf_counter() - began
    process.abort()
    process.result(10)
    return took


if __name__ == "__main__":
    main()
