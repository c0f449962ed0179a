"""The media process against tshark, on a recording of what it sent: its measurements, and what is on the wire."""

from __future__ import annotations

import csv
import random
import socket
import struct
import time
from pathlib import Path

import pytest

from sipreplay.analysis.reading import analyse
from sipreplay.media.client import MediaClient
from sipreplay.media.process import MediaProcess
from sipreplay.rtp.events import event_packets
from sipreplay.rtp.packet import RtpPacket, build_rtp
from tests.interop.recorder import recording
from tests.interop.test_streams_tshark import tshark_figures

pytestmark = pytest.mark.interop("tshark", "tcpdump")

SENDER = "127.0.0.57"
RECEIVER = "127.0.0.58"
CALLS = 8
PACKETS = 150
RTP = ("--enable-heuristic", "rtp_udp")


def write_media(path: Path, packets: list[tuple[float, RtpPacket]]) -> Path:
    """A pcap of (ms, packet), raw IP from one address to another."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for when_ms, packet in packets:
            data = build_rtp(packet)
            datagram = struct.pack("!HHHH", 4000, 4000, 8 + len(data), 0) + data
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0)
            ip = head + socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2") + datagram
            out.write(
                struct.pack("<IIII", int(when_ms // 1000), int(when_ms * 1000) % 1_000_000, len(ip), len(ip)) + ip
            )
    return path


def impaired_stream() -> list[tuple[float, RtpPacket]]:
    """G.711 with packets missing and times that waver."""
    numbers = random.Random(11)
    packets = []
    for number in range(PACKETS):
        if numbers.random() < 0.05 and 0 < number < PACKETS - 1:
            continue
        when_ms = 20 * number + numbers.uniform(0, 9)
        packets.append((when_ms, RtpPacket(0, number == 0, number, 160 * number, 77, bytes([number & 0xFF]) * 160)))
    return packets


def test_figures_of_a_run_equal_tsharks(tmp_path: Path) -> None:
    """Planted loss and jitter: the receiving side measured what tshark finds in a recording of the same packets."""
    media = write_media(tmp_path / "media.pcap", impaired_stream())
    sent = len(impaired_stream())
    with MediaProcess(records=tmp_path / "records.csv") as process:
        caller = MediaClient(process.add_client(SENDER, calls=CALLS))
        callee = MediaClient(process.add_client(RECEIVER, calls=CALLS))
        source = caller.register(str(media), "audio")
        with recording(tmp_path / "wire.pcap", hosts=[RECEIVER]):
            ports = [(number, caller.allocate(number), callee.allocate(number)) for number in range(1, CALLS + 1)]
            for number, mine, theirs in ports:
                caller.play(number, mine, source, RECEIVER, theirs)
                time.sleep(0.013)
            end = time.monotonic() + 30
            while process.snapshot().received_packets < CALLS * sent and time.monotonic() < end:
                time.sleep(0.1)
        for number, mine, theirs in ports:
            caller.release(number, mine)
            callee.release(number, theirs)
        caller.close()
        callee.close()
        summary = process.summary()
    assert (summary.sent_packets, summary.received_packets) == (CALLS * sent, CALLS * sent)
    found = tshark_figures(tmp_path / "wire.pcap", *RTP)
    assert len(found) == CALLS
    lines = csv.DictReader((tmp_path / "records.csv").read_text().splitlines())
    rows = {int(row["port"]): row for row in lines if row["client"] == str(callee.description.index)}
    for (_, _, _, port, ssrc), figures in found.items():
        row = rows[port]
        assert (int(row["received_packets"]), int(row["lost"])) == (figures.packets, figures.lost)
        assert row["ssrcs"] == f"{ssrc:#010x}"
        assert float(row["mean_jitter_ms"]) == pytest.approx(figures.mean_jitter, abs=0.2)
        assert float(row["max_jitter_ms"]) == pytest.approx(figures.max_jitter, abs=0.2)
    lost = PACKETS - sent
    assert summary.lost == CALLS * lost > 0


def test_digits_and_markers_are_on_the_wire_as_captured(tmp_path: Path) -> None:
    dialled = [(500 + t, p) for t, p in event_packets("42#", payload_type=101, ssrc=77, sequence=25, timestamp=4000)]
    voice = [(20.0 * n, RtpPacket(0, n == 0, n, 160 * n, 77, bytes(160))) for n in range(25)]
    media = write_media(tmp_path / "media.pcap", [*voice, *dialled])
    with MediaProcess() as process:
        client = MediaClient(process.add_client(SENDER, calls=1))
        port = client.allocate(1)
        with recording(tmp_path / "wire.pcap", hosts=[RECEIVER]):
            client.play(1, port, client.register(str(media), "audio"), RECEIVER, 40000)
            end = time.monotonic() + 30
            while process.snapshot().sent_packets < len(voice) + len(dialled) and time.monotonic() < end:
                time.sleep(0.1)
        client.close()
    (stream,) = analyse([tmp_path / "wire.pcap"]).streams
    assert (stream.packets, stream.lost, stream.payload_types) == (len(voice) + len(dialled), 0, [0, 101])
