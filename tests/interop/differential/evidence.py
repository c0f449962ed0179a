"""What a run left, without what differs from run to run: messages, wire, statistics, counters, logs."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import dpkt

from tests.interop.differential.harness import Run

TIMED = re.compile(
    r"^(StartTime|LastResetTime|CurrentTime|Elapsed|CallRate|ResponseTime.*\([PC]\)|CallLength(StDev)?\("
    r"|Watchdog|CallLengthStDev|.*Repartition|Warnings)"
)
"""Columns that time decides. Warnings: the two programs warn of different things besides those of the calls."""

_RANDOM = (
    (rb"(z9hG4bK-)[0-9]+-", rb"\1PID-"),
    (rb"\b([0-9]+)-[0-9]+@", rb"\1-PID@"),
    (rb"\b[0-9]+SIPpTag", b"PIDSIPpTag"),
    (rb"(?m)^(X-Pid: )[0-9]+", rb"\1PID"),
    (rb'cnonce="[0-9a-f]+"', b'cnonce="RANDOM"'),
    (rb'response="[0-9a-f]{32}"', b'response="RANDOM"'),
    (rb"(?m)^(X-Random: )[^\r\n]*", rb"\1RANDOM"),
    (rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", b"DATE"),
    (rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[\tT ][0-9:]{8}\.[0-9]{6}(\t[0-9]+\.[0-9]{6})?", b"STAMP"),
)
_CALL_ID = re.compile(rb"(?im)^(?:Call-ID|i) *: *(?:[^\r\n]*?///)?([^\r\n]*)")


def plain(data: bytes, run: Run) -> str:
    """A message or log without addresses and random values."""
    data = data.replace(run.ip.encode(), b"IP")
    for pattern, replacement in _RANDOM:
        data = re.sub(pattern, replacement, data)
    return data.decode("latin-1")


def message_log(run: Run, side: str) -> dict[str, list[str]]:
    """The messages of a message log in order, by call."""
    data = (run.folder / f"{side}.msg").read_bytes() if (run.folder / f"{side}.msg").exists() else b""
    # What is logged of messages without a call, or lost on purpose, says it in words of its own.
    data = re.sub(rb"UDP message voluntary lost \(while sending\)\.(?!\n)", b"", data)
    data = re.sub(rb"(?ms)^-{47}\n(?:Unexpected|Dead call|\w+ message voluntary lost) .*?(?=^-{47} |\Z)", b"", data)
    parts = re.split(rb"(?m)^-{47} [^\n]*\n(\w+ (?:control )?message (?:sent|received)) [^\n]*:\n\n", data)
    calls: dict[str, list[str]] = defaultdict(list)
    for way, message in zip(parts[1::2], parts[2::2], strict=True):
        text = plain(message.removesuffix(b"\n"), run)
        calls[_call(text)].append(f"{way.decode()}\n{text}")
    return dict(calls)


def _call(text: str) -> str:
    match = _CALL_ID.search(text.encode("latin-1"))
    return match.group(1).decode("latin-1").strip() if match else ""


def wire(capture: Path) -> dict[str, dict[tuple[int, int], list[bytes]]]:
    """SIP packets of a capture of the loopback net, by address and by ports: UDP payloads, a TCP stream as one."""
    out: dict[str, dict[tuple[int, int], list[bytes]]] = defaultdict(lambda: defaultdict(list))
    segments: set[tuple[bytes, int, int, int]] = set()
    with capture.open("rb") as handle:
        for _, frame in dpkt.pcap.Reader(handle):
            ip = dpkt.ethernet.Ethernet(frame).data
            part = ip.data
            payload = bytes(part.data)
            if not payload:
                continue
            packets = out[".".join(map(str, ip.dst))][part.sport, part.dport]
            if isinstance(part, dpkt.tcp.TCP):
                segment = (ip.dst, part.sport, part.dport, part.seq)
                if segment in segments:
                    continue  # The kernel sent it again.
                segments.add(segment)
                packets[:] = [b"".join(packets) + payload]  # Loopback keeps the order.
            elif b"SIP/2.0" in payload:
                packets.append(payload)
    return {ip: dict(flows) for ip, flows in out.items()}


def on_the_wire(run: Run, flows: dict[tuple[int, int], list[bytes]]) -> dict[str, list[str]]:
    """What went to and fro between the two, each way and each call in order."""
    caller, called = run.ports
    out: dict[str, list[str]] = defaultdict(list)
    for (source, destination), packets in sorted(flows.items()):
        # A TCP caller's connection has a port of its own.
        if called not in (source, destination):
            continue
        way = "to the caller" if source == called else "to the called"
        for message in (message for packet in packets for message in _framed(packet)):
            text = plain(message, run)
            if caller not in (source, destination):
                text = text.replace(f":{destination if source == called else source}", ":PORT")
            out[f"{way}, {_call(text)}"].append(text)
    return dict(out)


def _framed(data: bytes) -> list[bytes]:
    """The messages of a TCP stream, or a datagram, by their Content-Length."""
    out = []
    while data:
        head = data.find(b"\r\n\r\n") + 4
        length = re.search(rb"(?im)^(?:Content-Length|l): *([0-9]+)", data[:head]) if head > 3 else None
        end = head + int(length.group(1)) if length and data.find(b"SIP/2.0", head) >= 0 else len(data)
        out.append(data[:end])
        data = data[end:]
    return out


def final_row(path: Path) -> dict[str, str]:
    """The last row of a file of numbers by column."""
    lines = path.read_text().splitlines()
    names = lines[0].split(";")
    return {name: value for name, value in zip(names, lines[-1].split(";"), strict=True) if name}


def statistics(run: Run, side: str) -> dict[str, str]:
    """The last row of the statistics file, all columns."""
    return final_row(run.folder / f"{side}.csv")


def counted(row: dict[str, str], loose: tuple[str, ...]) -> dict[str, str]:
    """The columns that neither time nor chance decides."""
    kept = {name: value for name, value in row.items() if not TIMED.match(name) and not any(p in name for p in loose)}
    # 3.6.1 prints a rate as 10, later versions as 10.000.
    if "TargetRate" in kept:
        kept["TargetRate"] = f"{float(kept['TargetRate']):g}"
    return kept


def counts(run: Run, side: str, loose: tuple[str, ...]) -> dict[str, str]:
    """The last row of the counters of messages."""
    (path,) = run.folder.glob(f"{side}_*_counts.csv")
    row = final_row(path)
    return {n: v for n, v in row.items() if "Time" not in n.split("_")[0] and not any(p in n for p in loose)}


def response_times(run: Run, side: str) -> list[str]:
    """Which response times were measured, one entry each."""
    paths = list(run.folder.glob(f"{side}_*_rtt.csv"))
    return sorted(line.split(";")[2] for path in paths for line in path.read_text().splitlines()[1:])


def error_codes(run: Run, side: str) -> str:
    """The unexpected responses."""
    paths = list(run.folder.glob(f"{side}_*_error_codes.csv"))
    return "".join(line.rpartition(";")[2] for path in paths for line in path.read_text().splitlines())


def log_lines(run: Run, side: str) -> list[str]:
    """What `<log>` said. Calls may overlap: sorted."""
    path = run.folder / f"{side}.log"
    return sorted(plain(path.read_bytes(), run).splitlines()) if path.exists() else []
