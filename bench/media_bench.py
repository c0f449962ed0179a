"""RTP sending: CPU microseconds a packet, ours and sipp's play_pcap_audio, in alternated windows of one run.

Both play the same capture (G.711, 20 ms) on the same number of streams towards one unread socket, whose drop counter
says exactly how many packets came. CPU time is the sending process's own, read from /proc, while all streams play. The
floor is a bare loop of sendto over as many sockets: what the kernel takes, whoever asks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sipreplay.media.client import MediaClient
from sipreplay.media.process import MediaProcess
from sipreplay.media.results import MediaSummary
from sipreplay.media.sockets import dropped
from sipreplay.verify.verdict import Limits

SINK = "127.0.0.9"
SENDER = "127.0.0.8"
PTIME_MS = 20
PAYLOAD = 160
LIMIT_MS = Limits().media_lateness_ms

UAC = """<?xml version="1.0"?>
<scenario name="media">
  <send retrans="500"><![CDATA[
INVITE sip:bench@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]:[local_port]>;tag=[pid]-[call_number]
To: <sip:b@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:a@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
  <recv response="200" rtd="true"/>
  <send><![CDATA[
ACK sip:bench@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]:[local_port]>;tag=[pid]-[call_number]
To: <sip:b@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <nop><action><exec play_pcap_audio="{pcap}"/></action></nop>
  <pause milliseconds="600000"/>
</scenario>
"""

UAS = """<?xml version="1.0"?>
<scenario name="answer">
  <recv request="INVITE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]-[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio {port} RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
  <recv request="ACK"/>
  <pause milliseconds="600000"/>
</scenario>
"""


class Window(NamedTuple):
    """What one sender did in one window."""

    cpu_us: float
    """A packet."""
    packets: int
    wanted: int
    p99_us: int = 0
    p50_us: int = 0
    max_us: int = 0


def write_capture(path: Path, seconds: int) -> None:
    """A one-way G.711 stream over Ethernet in a pcap."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(seconds * 1000 // PTIME_MS):
            rtp = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160, 0x1234) + bytes([0xD5]) * PAYLOAD
            udp = struct.pack("!HHHH", 5004, 5004, 8 + len(rtp), 0) + rtp
            ip = (
                struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
                + udp
            )
            frame = bytes(12) + b"\x08\x00" + ip
            when = number * PTIME_MS
            out.write(struct.pack("<IIII", when // 1000, when % 1000 * 1000, len(frame), len(frame)) + frame)


def cpu_s(pid: int) -> float:
    """User and system time of a process, all threads."""
    text = Path(f"/proc/{pid}/stat").read_text()
    user, system = text.rsplit(") ", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def sink() -> socket.socket:
    """A socket that nobody reads: it takes a few packets, and counts the rest as dropped."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    opened.bind((SINK, 0))
    return opened


def watch(pid: int, target: socket.socket, streams: int, seconds: float) -> Window:
    """Measure a sender that is at full load."""
    before, packets, began = cpu_s(pid), dropped(target), time.monotonic()
    time.sleep(seconds)
    after, arrived, ended = cpu_s(pid), dropped(target), time.monotonic()
    count = arrived - packets
    wanted = round(streams * (ended - began) * 1000 / PTIME_MS)
    return Window((after - before) * 1e6 / max(count, 1), count, wanted)


def floor_us(streams: int) -> float:
    """CPU microseconds a packet of a loop that does nothing but send, a socket a stream."""
    view = memoryview(bytes(12 + PAYLOAD))
    opened = []
    try:
        for _ in range(streams):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.append(one)
            one.bind((SENDER, 0))
        with sink() as target:
            address = target.getsockname()
            before, rounds = time.process_time(), max(1, 50_000 // streams)
            for _ in range(rounds):
                for one in opened:
                    one.sendto(view, address)
            return (time.process_time() - before) * 1e6 / (rounds * streams)
    finally:
        for one in opened:
            one.close()


def ours(capture: Path, streams: int, seconds: float, scheduling: str) -> tuple[Window, MediaSummary]:
    """One window of the media process."""
    with sink() as target, MediaProcess(scheduling=scheduling) as media:
        client = MediaClient(media.add_client(SENDER, calls=streams, media=1))
        source = client.register(str(capture), "audio")
        host, port = target.getsockname()
        begin = time.monotonic()
        for number in range(1, streams + 1):
            while time.monotonic() < begin + 2.0 * number / streams:
                time.sleep(0.001)
            client.play(number, client.allocate(number), source, host, port)
        time.sleep(0.5)
        window = watch(media.pid, target, streams, seconds)
        client.close()
        summary = media.summary()
    late = summary.lateness_us
    return window._replace(p99_us=late.percentile(99), p50_us=late.percentile(50), max_us=late.maximum), summary


def sipp(capture: Path, folder: Path, streams: int, seconds: float) -> Window:
    """One window of sipp's play_pcap_audio against a sipp that answers."""
    with sink() as target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((SINK, 0))
        host, port = target.getsockname()
        answer_port = probe.getsockname()[1]
        probe.close()
        (folder / "uac.xml").write_text(UAC.replace("{pcap}", str(capture)))
        (folder / "uas.xml").write_text(UAS.replace("{host}", host).replace("{port}", str(port)))
        common = ["-nostdin", "-nr", "-timeout", f"{int(seconds) + 30}s"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        uas = subprocess.Popen(
            ["sipp", "-sf", "uas.xml", "-i", SINK, "-p", str(answer_port), "-l", str(streams), *common],
            **quiet,  # type: ignore[call-overload]
        )
        time.sleep(0.5)
        command = ["sipp", f"{SINK}:{answer_port}", "-sf", "uac.xml", "-i", SENDER, "-mi", SENDER]
        command += ["-r", str(max(1, streams // 2)), "-l", str(streams), "-m", str(streams), *common]
        uac = subprocess.Popen(command, **quiet)  # type: ignore[call-overload]
        try:
            time.sleep(3.0)
            return watch(uac.pid, target, streams, seconds)
        finally:
            for process in (uac, uas):
                process.kill()
                process.wait()


def load(capture: Path, streams: int, seconds: float, scheduling: str) -> MediaSummary:
    """So many streams at a time, for so long, towards one unread socket."""
    return ours(capture, streams, seconds, scheduling)[1]


def honest(capture: Path, streams: int, seconds: float, scheduling: str) -> bool:
    """Whether the number of streams that a run names, which was too much, is one: 0.9 times as many are in time, 1.3
    times are not."""
    first = load(capture, streams, seconds, scheduling).streams_held
    # A little load makes a packet dear: what counts is the number that a run names which was too much.
    over = load(capture, 2 * first, seconds, scheduling)
    held, late_ms = over.streams_held, over.lateness_us.percentile(99) / 1000
    print(f"honest clock: a run is valid if 99 % leave within {LIMIT_MS:g} ms")
    print(f"  {2 * first}: p99 {late_ms:.2f} ms, names N = {held}")
    good = True
    for factor, valid in ((0.9, True), (1.3, False)):
        summary = load(capture, round(held * factor), seconds, scheduling)
        p99_ms = summary.lateness_us.percentile(99) / 1000
        good &= (p99_ms <= LIMIT_MS) == valid
        print(f"  {factor} N = {round(held * factor)}: p99 {p99_ms:.2f} ms, names N = {summary.streams_held}")
    print(f"  {'N is honest' if good else 'N is NOT honest'} (scheduling {scheduling})")
    return good


def main(arguments: Sequence[str] = ()) -> None:
    """Print the figures side by side, and write them as JSON for `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scheduling", default="auto")
    parser.add_argument("--no-sipp", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--honest", action="store_true", help="check the number of streams that a run says it holds")
    options = parser.parse_args(arguments)
    if options.honest:
        with tempfile.TemporaryDirectory() as name:
            capture = Path(name) / "g711.pcap"
            write_capture(capture, int(options.seconds) + 20)
            raise SystemExit(0 if honest(capture, options.streams, options.seconds, options.scheduling) else 1)
    with_sipp = not options.no_sipp and shutil.which("sipp") is not None
    mine: list[Window] = []
    theirs: list[Window] = []
    floors: list[float] = []
    scheduling = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = folder / "g711.pcap"
        write_capture(capture, int(options.seconds) + 20)
        for _ in range(options.rounds):
            window, summary = ours(capture, options.streams, options.seconds, options.scheduling)
            scheduling = summary.scheduling
            floors.append(floor_us(options.streams))
            mine.append(window)
            if with_sipp:
                theirs.append(sipp(capture, folder, options.streams, options.seconds))
    own = statistics.median(window.cpu_us for window in mine)
    middle = sorted(mine, key=lambda window: window.p99_us)[len(mine) // 2]
    print(f"media: {options.streams} streams, {PAYLOAD + 12} bytes every {PTIME_MS} ms, scheduling {scheduling}")
    late = f"late p50 {middle.p50_us} us, p99 {middle.p99_us} us, max {middle.max_us} us"
    print(f"  sipreplay  {own:6.2f} us CPU a packet  sent {share(mine)}  {late}")
    floor = statistics.median(floors)
    print(f"  floor      {floor:6.2f} us CPU a packet  a bare loop of sendto; sipreplay / floor {own / floor:.2f}")
    result = {
        "floor_us": floor,
        "streams": options.streams,
        "ours_us": own,
        "late_p99_us": middle.p99_us,
        "scheduling": scheduling,
    }
    if theirs:
        other = statistics.median(window.cpu_us for window in theirs)
        print(f"  sipp       {other:6.2f} us CPU a packet  sent {share(theirs)}")
        print(f"  ratio      {own / other:6.3f}  (wanted: at most 0.2)")
        result |= {"sipp_us": other, "ratio": own / other}
    if options.json:
        options.json.write_text(json.dumps(result))


def share(windows: list[Window]) -> str:
    """Packets that came, against those that should have."""
    return f"{100 * sum(w.packets for w in windows) / max(1, sum(w.wanted for w in windows)):.1f} %"


if __name__ == "__main__":
    main(sys.argv[1:])
