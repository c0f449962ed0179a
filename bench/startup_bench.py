"""What `--help` imports and costs, and how soon an engine process listens."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

HEAVY = ("lxml", "numpy", "networkx", "matplotlib", "scapy", "dpkt", "rich", "jinja2")

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
