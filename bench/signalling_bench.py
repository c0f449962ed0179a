"""CPU microseconds a call beside sipp's, for the same command line: ours and sipp's, alternated, medians.

    python bench/signalling_bench.py [--rate 5000] [--calls 25000] [--rounds 3] [uac] [uas] [ereg]

`uac` and `uas` are the built-in scenarios; `ereg` is a caller with an injection file and 20 regular expressions on each
answer. The measured program is pinned to one core and the sipp that it plays with to another. A process's CPU time is
the kernel's account of it; what each spends before its first call is measured by a run of one call and subtracted, from
both alike.
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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {"ours": [sys.executable, "-m", "sipreplay", "sipp"], "sipp": ["sipp"]}
ATTEMPTS = 4
COMMON = ["-i", "127.0.0.1", "-nostdin", "-buff_size", "4000000"]
"""With sipp's own default of buffers both sides lose datagrams at this rate, and calls with them."""

PATTERNS = (
    *("[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}", "o=([[:alnum:]]*) ([0-9]*)", "m=audio ([0-9]+)"),
    *("^SIP/2.0 (2..)", "CSeq: ([0-9]+) ([A-Z]+)", "branch=([^;[:space:]]*)", "tag=([^;[:space:]]+)"),
    *("Call-ID: ([^@]+)@", "Contact: &lt;(sip:[^&gt;]*)&gt;", "a=rtpmap:([0-9]+) ([A-Za-z0-9]+)/([0-9]+)"),
)
HEADERS = ("Via:", "From:", "To:", "CSeq:", "Contact:", "Call-ID:", "Content-Type:", "Content-Length:", "To:", "From:")


def ereg_scenario() -> str:
    """OPTIONS with three fields of a file, and twenty searches in the answer."""
    searches = [f'<ereg regexp="{p}" search_in="msg" assign_to="m{n},s{n}"/>' for n, p in enumerate(PATTERNS)]
    searches += [
        f'<ereg regexp="([a-zA-Z]+).*" search_in="hdr" header="{h}" assign_to="h{n}"/>' for n, h in enumerate(HEADERS)
    ]
    names = [f"m{n},s{n}" for n in range(len(PATTERNS))] + [f"h{n}" for n in range(len(HEADERS))]
    return f"""<?xml version="1.0"?><scenario name="ereg">
<send retrans="500"><![CDATA[
    OPTIONS sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: [field1] <sip:[field0]@[local_ip]>;tag=[call_number]
    To: <sip:[field2]@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 OPTIONS
    Contact: <sip:[field0]@[local_ip]:[local_port]>
    Content-Length: 0
]]></send>
<recv response="200"><action>{"".join(searches)}</action></recv>
<Reference variables="{",".join(names)}"/>
</scenario>
"""


ANSWERING = """<?xml version="1.0"?><scenario name="answering">
<recv request="OPTIONS"/>
<send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:];tag=[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:[local_ip]:[local_port]>
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=user1 53655765 2353687637 IN IP4 [local_ip]
    s=-
    c=IN IP4 [local_ip]
    t=0 0
    m=audio 6000 RTP/AVP 0
    a=rtpmap:0 PCMU/8000
]]></send>
</scenario>
"""
USERS = "SEQUENTIAL\n" + "".join(f"user{n};User {n};peer{n}\n" for n in range(1000))


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured: a side, and how both are started."""

    caller: tuple[str, ...]
    called: tuple[str, ...]
    measured: str
    target: float


MEASURES = {
    "uac": Measure(("-sn", "uac"), ("-sn", "uas"), "caller", 1.45),
    "uas": Measure(("-sn", "uac"), ("-sn", "uas"), "called", 1.45),
    "ereg": Measure(("-sf", "ereg.xml", "-inf", "users.csv"), ("-sf", "answering.xml"), "caller", 1.6),
}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> tuple[int, int]:
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def pinned(command: list[str], core: int, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_bound(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60.0
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        if time.monotonic() > deadline or process.poll() is not None:
            raise SystemExit("the called side did not start")
        time.sleep(0.02)


def cpu_of(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a process that is waited for here, to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process.wait(30.0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def once(measure: Measure, who: str, rate: int, calls: int) -> float:
    """CPU seconds of the measured side of a run. A run in which a call was lost is done again."""
    measured_core, other_core = cores()
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("ereg.xml", ereg_scenario()), ("answering.xml", ANSWERING), ("users.csv", USERS)):
                Path(folder, name).write_text(text)
            port, words = free_port(), [*COMMON, "-m", str(calls)]
            sides = {}
            for side in ("caller", "called"):
                program = PROGRAMS[who if side == measure.measured else "sipp"]
                core = measured_core if side == measure.measured else other_core
                if side == "caller":
                    more = [*measure.caller, "-p", str(free_port()), "-r", str(rate), "-l", "15000"]
                    sides[side] = ([*program, *more, *words, f"127.0.0.1:{port}"], core)
                else:
                    sides[side] = ([*program, *measure.called, "-p", str(port), *words], core)
            called = pinned(*sides["called"], folder)
            wait_bound(called, port)
            caller = pinned(*sides["caller"], folder)
            # The one that is measured ends last here: its usage is what the waiting for it adds.
            first, last = (called, caller) if measure.measured == "caller" else (caller, called)
            try:
                first.wait(15.0 + 3.0 * calls / rate)
                seconds = cpu_of(last)
            except subprocess.TimeoutExpired:
                seconds = 0.0
            finally:
                for process in (called, caller):
                    process.kill()
                    process.wait()
        if called.returncode == caller.returncode == 0 and seconds:
            return seconds
        print(f"  {who}: a call failed, again (exit codes {caller.returncode}, {called.returncode})", file=sys.stderr)
    raise SystemExit(f"{who}: no run without a failed call in {ATTEMPTS} attempts")


def compare(name: str, rate: int, calls: int, rounds: int) -> None:
    measure = MEASURES[name]
    start = {who: once(measure, who, rate, 1) for who in PROGRAMS}
    figures: dict[str, list[float]] = {who: [] for who in PROGRAMS}
    for _ in range(rounds):
        for who, values in figures.items():
            values.append((once(measure, who, rate, calls) - start[who]) / calls * 1e6)
    ours, sipp = statistics.median(figures["ours"]), statistics.median(figures["sipp"])
    print(f"{name} at {rate} calls/s: ours {ours:.1f} us a call, sipp {sipp:.1f} us a call")
    print(f"  ours {[round(v, 1) for v in figures['ours']]}, sipp {[round(v, 1) for v in figures['sipp']]}")
    print(f"  start: ours {start['ours']:.2f} s, sipp {start['sipp']:.2f} s of CPU")
    print(f"  ratio {ours / sipp:.2f} (target: at most {measure.target})", flush=True)


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=5000)
    options.add_argument("--calls", type=int, default=25000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("names", nargs="*", metavar="NAME", help="uac, uas or ereg; all without")
    chosen = options.parse_args(arguments or [])
    for name in chosen.names or MEASURES:
        if name not in MEASURES:
            options.error(f"no measurement named {name}; there are {', '.join(MEASURES)}")
        compare(name, chosen.rate, chosen.calls, chosen.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
