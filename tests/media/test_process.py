"""The media process as a runner and its engines use it, with real sockets on loopback."""

from __future__ import annotations

import csv
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from media_files import SSRC, frame, rtp, write_g711, write_pcap

from sipreplay.errors import ScenarioError, TransportError
from sipreplay.media import sockets
from sipreplay.media.client import ClientDescription, MediaClient
from sipreplay.media.process import MediaProcess, port_ranges
from sipreplay.rtp.packet import parse_rtp
from sipreplay.rtp.rtcp import build_receiver_report

HOST = "127.0.0.77"
PEER = "127.0.0.78"


@contextmanager
def engine(media: MediaProcess, host: str = HOST, calls: int = 4, *, rewrite: bool = True) -> Iterator[MediaClient]:
    client = MediaClient(media.add_client(host, calls=calls, rewrite=rewrite))
    try:
        yield client
    finally:
        client.close()


@contextmanager
def phone(host: str = PEER) -> Iterator[socket.socket]:
    """A plain socket: the far end of a call."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        opened.bind((host, 0))
        opened.settimeout(5)
        yield opened


def received(opened: socket.socket, count: int) -> list[tuple[float, bytes, tuple[str, int]]]:
    out = []
    for _ in range(count):
        data, address = opened.recvfrom(4096)
        out.append((time.monotonic(), data, address[:2]))
    return out


def silent(opened: socket.socket, seconds: float = 0.15) -> bool:
    """Whether nothing comes any more, after what is on its way."""
    opened.settimeout(seconds)
    try:
        opened.recv(4096)
    except TimeoutError:
        return True
    return False


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_each_call_gets_the_whole_stream_on_its_clock(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 25)
    with engine(media, calls=8) as client, phone() as peer:
        source = client.register(str(path), "audio")
        ports = {number: client.allocate(number) for number in range(1, 9)}
        assert all(port % 2 == 0 and port for port in ports.values())
        for number, port in ports.items():
            assert client.play(number, port, source, *peer.getsockname())
        came = received(peer, 8 * 25)
        assert silent(peer)
    by_port: dict[int, list[tuple[float, bytes]]] = {}
    for when, data, (host, port) in came:
        assert host == HOST
        by_port.setdefault(port, []).append((when, data))
    assert sorted(by_port) == sorted(ports.values())
    identities = set()
    for packets in by_port.values():
        parsed = [parse_rtp(data) for _, data in packets]
        assert [p.payload for p in parsed] == [rtp(n)[12:] for n in range(25)]
        assert [p.marker for p in parsed] == [True] + [False] * 24
        assert {p.payload_type for p in parsed} == {8}
        assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(parsed)} == {160}
        assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(parsed)} == {1}
        assert 0.3 < packets[-1][0] - packets[0][0] < 2.0, "25 packets at 20 ms take 0.48 s"
        identities.add((parsed[0].ssrc, parsed[0].sequence, parsed[0].timestamp))
        assert len({p.ssrc for p in parsed}) == 1
    assert len({ssrc for ssrc, _, _ in identities}) == 8
    assert len({timestamp for _, _, timestamp in identities}) == 8


def test_sipp_mode_sends_every_flow_unchanged_from_its_own_port(media: MediaProcess, tmp_path: Path) -> None:
    report = build_receiver_report(7)
    frames = [(0, frame(rtp(0), 6000)), (3, frame(report, 6001)), (9, frame(rtp(1), 6000))]
    path = write_pcap(tmp_path / "a.pcap", frames)
    with engine(media, rewrite=False) as client, phone() as peer, phone() as beside:
        host, remote = peer.getsockname()
        beside.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                control.bind((host, remote + 1))
            except OSError:
                pytest.skip("the port beside is in use")
            control.settimeout(5)
            port = client.allocate(1)
            client.play(1, port, client.register(str(path), "audio"), host, remote)
            assert [data for _, data, _ in received(peer, 2)] == [rtp(0), rtp(1)]
            ((_, data, address),) = received(control, 1)
            assert (data, address) == (report, (HOST, port + 1))


def test_what_arrives_is_counted_exactly(media: MediaProcess) -> None:
    order = [n for n in range(200) if n not in (20, 21, 22, 150)]
    order.insert(order.index(50) + 1, 50)
    order.insert(order.index(90), order.pop(order.index(91)))
    with engine(media) as client, phone() as peer:
        port = client.allocate(5)
        for number in order:
            peer.sendto(rtp(number, payload_type=101 if number > 190 else 0), (HOST, port))
        peer.sendto(build_receiver_report(1), (HOST, port + 1))
        peer.sendto(b"not media", (HOST, port))
        time.sleep(0.3)
        client.release(5, port)
        assert eventually(lambda: media.snapshot().calls == 1)
    summary = media.summary()
    assert summary.received_packets == 197
    assert summary.received_bytes == 197 * 172
    assert (summary.lost, summary.duplicates, summary.reordered) == (4, 1, 1)
    assert (summary.rtcp_packets, summary.other_datagrams, summary.dropped) == (1, 1, 0)
    assert summary.payload_types == {0: 1, 101: 1}
    assert (summary.calls, summary.calls_receiving, summary.one_way_calls) == (1, 1, 0)
    assert summary.worst is not None
    assert (summary.worst.call_number, summary.worst.port, summary.worst.ssrcs) == (5, port, (SSRC,))
    assert summary.worst.loss == pytest.approx(4 / 200)


def test_sequence_numbers_that_wrap_or_start_over_are_no_loss(media: MediaProcess) -> None:
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        for number in [*range(64400, 64700), *range(9000, 9020)]:
            peer.sendto(rtp(number), (HOST, port))
        time.sleep(0.3)
        client.release(1, port)
    summary = media.summary()
    assert (summary.received_packets, summary.lost, summary.duplicates) == (320, 0, 0)


def test_streams_of_two_sources_on_one_port_are_told_apart(media: MediaProcess) -> None:
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        for number in range(50):
            peer.sendto(rtp(number, ssrc=1), (HOST, port))
            peer.sendto(rtp(3 * number, ssrc=2), (HOST, port))
        time.sleep(0.3)
        client.release(1, port)
    summary = media.summary()
    assert summary.worst is not None
    assert set(summary.worst.ssrcs) == {1, 2}
    assert (summary.received_packets, summary.lost) == (100, 2 * 49)


def test_jitter_of_dynamic_types_needs_a_clock(media: MediaProcess, tmp_path: Path) -> None:
    frames = [(20 * n, frame(rtp(n, payload_type=111), 4000)) for n in range(30)]
    path = write_pcap(tmp_path / "dynamic.pcap", frames)
    with engine(media) as client, phone() as peer:
        for number, learned in ((1, False), (2, True)):
            if learned:
                client.register(str(path), "audio")
            port = client.allocate(number)
            for packet in range(20):
                peer.sendto(rtp(packet, payload_type=111), (HOST, port))
            time.sleep(0.05)
            client.release(number, port)
    summary = media.summary()
    assert summary.calls_receiving == summary.loss_ppm.count == 2
    assert summary.jitter_us.count == 1, "the second call knew the clock from the file it could play"
    assert summary.jitter_us.minimum > 0


def test_a_flood_of_sources_is_bounded_and_counted(media: MediaProcess) -> None:
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        for number in range(100):
            peer.sendto(rtp(0, ssrc=number), (HOST, port))
        time.sleep(0.3)
        client.release(1, port)
    summary = media.summary()
    assert (summary.received_packets, summary.other_datagrams) == (64, 36)


def test_both_sides_in_one_process_lose_nothing(media: MediaProcess, tmp_path: Path) -> None:
    path = str(write_g711(tmp_path / "a.pcap", 30, interval_ms=10))
    with engine(media, calls=20) as caller, engine(media, PEER, calls=20) as callee:
        sources = caller.register(path, "audio"), callee.register(path, "audio")
        assert sources[0] == sources[1], "a file is loaded once"
        calls = [(n, caller.allocate(n), callee.allocate(n)) for n in range(1, 21)]
        for number, mine, theirs in calls:
            caller.play(number, mine, sources[0], PEER, theirs)
            callee.play(number, theirs, sources[1], HOST, mine)
        assert eventually(lambda: media.snapshot().received_packets == 2 * 20 * 30)
        live = media.snapshot()
        assert (live.open_calls, live.calls, live.active_streams) == (40, 0, 0)
        for number, mine, theirs in calls:
            caller.release(number, mine)
            callee.release(number, theirs)
    summary = media.summary()
    assert (summary.sent_packets, summary.received_packets) == (1200, 1200)
    assert (summary.lost, summary.duplicates, summary.send_errors, summary.dropped) == (0, 0, 0, 0)
    assert (summary.calls, summary.calls_sending, summary.calls_receiving) == (40, 40, 40)
    assert summary.lateness_us.count == 1200
    assert (summary.jitter_us.count, summary.loss_ppm.maximum) == (40, 0)
    assert (summary.streams, summary.peak_streams) == (40, 40)
    assert summary.scheduling in ("nice", "normal")
    assert summary.receive_buffer > 0


def test_media_stops_when_the_call_is_released(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 2000, interval_ms=2)
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        client.play(1, port, client.register(str(path), "audio"), *peer.getsockname())
        received(peer, 20)
        client.release(1, port)
        assert eventually(lambda: media.snapshot().calls == 1)
        arrived = 20
        while not silent(peer, 0.1):
            arrived += 1
        assert silent(peer)
        assert media.summary().sent_packets == arrived < 2000


def test_a_second_play_replaces_the_first(media: MediaProcess, tmp_path: Path) -> None:
    long = write_g711(tmp_path / "long.pcap", 2000, interval_ms=2)
    other = write_pcap(tmp_path / "other.pcap", ((n, frame(rtp(n, payload_type=0), 4000)) for n in range(3)))
    with engine(media) as client, phone() as peer:
        first, second = client.register(str(long), "audio"), client.register(str(other), "audio")
        port = client.allocate(1)
        client.play(1, port, first, *peer.getsockname())
        received(peer, 5)
        client.play(1, port, second, *peer.getsockname())
        types = []
        while not silent(peer, 0.3):
            pass
        assert eventually(lambda: media.snapshot().active_streams == 0)
        client.play(1, port, second, *peer.getsockname())
        peer.settimeout(5)
        types = [data[1] & 0x7F for _, data, _ in received(peer, 3)]
        assert types == [0, 0, 0]
        assert silent(peer)


def test_audio_and_video_of_one_call_play_at_the_same_time(media: MediaProcess, tmp_path: Path) -> None:
    audio = write_g711(tmp_path / "a.pcap", 10)
    frames = (
        (33 * n + k / 10, frame(rtp(4 * n + k, payload_type=34, size=800), 4000)) for n in range(5) for k in range(4)
    )
    video = write_pcap(tmp_path / "v.pcap", frames)
    with engine(media) as client, phone() as one, phone() as two:
        port = client.allocate(1)
        client.play(1, port, client.register(str(audio), "audio"), *one.getsockname())
        client.play(1, port + 2, client.register(str(video), "video"), *two.getsockname())
        assert {address for _, _, address in received(one, 10)} == {(HOST, port)}
        assert {address for _, _, address in received(two, 20)} == {(HOST, port + 2)}
        two.sendto(rtp(0, payload_type=34), (HOST, port + 2))
        time.sleep(0.05)
        client.release(1, port)
    summary = media.summary()
    assert (summary.calls, summary.sent_packets, summary.received_packets) == (1, 30, 1)


def test_stop_hold_and_retarget(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 5000, interval_ms=2)
    with engine(media) as client, phone() as one, phone() as two:
        port = client.allocate(1)
        client.play(1, port, client.register(str(path), "audio"), *one.getsockname())
        received(one, 3)
        client.retarget(1, port, *two.getsockname())
        received(two, 3)
        while not silent(one):
            one.settimeout(5)
        client.hold(1, port, True)
        while not silent(two):
            two.settimeout(5)
        client.hold(1, port, False)
        two.settimeout(5)
        received(two, 3)
        client.stop(1, port)
        while not silent(two):
            two.settimeout(5)


@pytest.mark.parametrize(("host", "port"), [("0.0.0.0", 4000), (PEER, 0), ("example.org", 4000), ("::1", 4000)])
def test_without_a_usable_destination_nothing_is_sent(
    media: MediaProcess, tmp_path: Path, host: str, port: int
) -> None:
    path = write_g711(tmp_path / "a.pcap", 3)
    with engine(media) as client:
        mine = client.allocate(1)
        assert client.play(1, mine, client.register(str(path), "audio"), host, port)
        client.release(1, mine)
    summary = media.summary()
    assert (summary.no_destination, summary.sent_packets, summary.silent_calls) == (1, 0, 1)


def test_a_call_that_hears_nothing_is_one_way(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 3)
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        client.play(1, port, client.register(str(path), "audio"), *peer.getsockname())
        received(peer, 3)
        client.release(1, port)
    assert media.summary().one_way_calls == 1


def test_a_port_is_clean_for_its_next_call(media: MediaProcess) -> None:
    with engine(media, calls=1) as client, phone() as peer:
        port = client.allocate(1)
        assert client.allocate(2) == 0, "one block, one call"
        client.release(1, port)
        assert eventually(lambda: media.snapshot().calls == 1)
        for number in range(10):
            peer.sendto(rtp(number), (HOST, port))
        time.sleep(0.05)
        assert client.allocate(2) == port
        time.sleep(0.3)
        peer.sendto(rtp(500), (HOST, port))
        time.sleep(0.05)
        client.release(2, port)
    summary = media.summary()
    assert (summary.received_packets, summary.lost, summary.stray_datagrams) == (1, 0, 10)
    assert summary.calls == 2


def test_calls_on_a_shared_port_are_told_apart_by_their_peers(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 5)
    with phone(HOST) as probe:
        port = probe.getsockname()[1] & ~1
    records = tmp_path / "records.csv"
    with MediaProcess(scheduling="normal", records=records) as process:
        client = MediaClient(process.add_client(HOST, calls=0, rewrite=False))
        client.shared(port)
        source = client.register(str(path), "audio")
        with phone() as one, phone() as two, phone() as stranger:
            for number, peer in ((1, one), (2, two)):
                client.play(number, port, source, *peer.getsockname())
            for peer in (one, two):
                came = received(peer, 5)
                assert [data for _, data, _ in came] == [rtp(n, marker=n == 0) for n in range(5)]
                assert {address for _, _, address in came} == {(HOST, port)}
            one.sendto(rtp(0), (HOST, port))
            stranger.sendto(rtp(0, ssrc=99), (HOST, port))
            time.sleep(0.05)
            client.release(1, port)
            client.release(2, port)
            client.close()
            summary = process.summary()
        assert (summary.sent_packets, summary.received_packets) == (10, 2)
        assert (summary.calls, summary.one_way_calls, summary.calls_receiving) == (2, 1, 1)
    rows = list(csv.DictReader(records.read_text().splitlines()))
    assert [(r["call_number"], r["sent_packets"], r["received_packets"]) for r in rows] == [
        ("1", "5", "1"),
        ("2", "5", "0"),
        ("0", "0", "1"),
    ]


def test_a_shared_port_is_taken_from_the_blocks(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 3)
    with engine(media, calls=2, rewrite=False) as client, phone() as peer:
        port, other = client.description.ports
        client.shared(port)
        assert client.play(1, port, client.register(str(path), "audio"), *peer.getsockname())
        received(peer, 3)
        client.release(1, port)
        assert client.allocate(2) == other
        assert client.allocate(3) == 0
        client.release(2, other)
    assert media.summary().calls == 2


def test_a_shared_port_that_is_busy_is_an_error(media: MediaProcess) -> None:
    with engine(media, calls=0) as client, phone(HOST) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(TransportError, match=f"{HOST}:{port}.*in use"):
            client.shared(port)


def test_version_six(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 5)
    with engine(media, "::1") as client, phone("::1") as peer:
        port = client.allocate(1)
        client.play(1, port, client.register(str(path), "audio"), *peer.getsockname()[:2])
        assert {address for _, _, address in received(peer, 5)} == {("::1", port)}
        peer.sendto(rtp(0), ("::1", port))
        time.sleep(0.05)
        client.release(1, port)
    summary = media.summary()
    assert (summary.sent_packets, summary.received_packets) == (5, 1)


def test_records_hold_a_line_a_call(tmp_path: Path) -> None:
    records = tmp_path / "records.csv"
    with MediaProcess(scheduling="normal", records=records) as process, phone() as peer:
        client = MediaClient(process.add_client(HOST, calls=2))
        port = client.allocate(9)
        for number in (0, 1, 3):
            peer.sendto(rtp(number), (HOST, port))
        time.sleep(0.05)
        client.release(9, port)
        client.close()
        process.summary()
        (row,) = csv.DictReader(records.read_text().splitlines())
    assert (row["call_number"], row["port"], row["received_packets"], row["lost"]) == ("9", str(port), "3", "1")
    assert (row["payload_types"], row["ssrcs"]) == ("8", f"{SSRC:#010x}")
    assert float(row["first_s"]) == pytest.approx(time.time(), abs=60)


def test_a_full_queue_fails_the_call_and_is_counted(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 3)
    with engine(media) as client, phone() as peer:
        source = client.register(str(path), "audio")
        port = client.allocate(1)
        os.kill(media.pid, signal.SIGSTOP)
        try:
            given = 0
            while client.play(1, port, source, *peer.getsockname()) and given < 100_000:
                given += 1
            assert 100 < given < 100_000
            assert client.allocate(2) == 0
            client.release(1, port)
        finally:
            os.kill(media.pid, signal.SIGCONT)
        assert client.overflows == 3
        assert eventually(lambda: client.allocate(3) != 0)
        assert eventually(lambda: media.snapshot().calls == 1), "the release was kept, not lost"
    assert media.summary().queue_overflows >= 3


def test_an_engine_that_dies_frees_its_calls(media: MediaProcess, tmp_path: Path) -> None:
    path = write_g711(tmp_path / "a.pcap", 5000, interval_ms=2)
    description = media.add_client(HOST, calls=2)
    assert media.client_description(0) == description
    client = MediaClient(description)
    with phone() as peer:
        client.play(1, client.allocate(1), client.register(str(path), "audio"), *peer.getsockname())
        received(peer, 3)
        client._queue.close()
        assert eventually(lambda: media.snapshot().calls == 1)
        while not silent(peer):
            peer.settimeout(5)
        again = MediaClient(description)
        assert again.allocate(1)
        again.close()


def test_a_description_serves_one_engine_at_a_time(media: MediaProcess) -> None:
    with engine(media) as client, pytest.raises(TransportError, match="another engine"):
        MediaClient(client.description)
    with pytest.raises(TransportError, match="does not answer"):
        MediaClient(ClientDescription("sipreplay-media-nowhere", 0, HOST, (), True))


def test_files_that_cannot_be_played_name_themselves(media: MediaProcess, tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(b"")
    with engine(media) as client:
        with pytest.raises(ScenarioError, match=r"x\.pcap"):
            client.register(str(tmp_path / "x.pcap"), "audio")
        with pytest.raises(ScenarioError, match=r"none\.pcap: no such media file"):
            client.register(str(tmp_path / "none.pcap"), "audio")


def test_ports_in_use_are_passed_over_and_too_few_is_an_error(media: MediaProcess) -> None:
    first = 20_000 + 400 * random.randrange(20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind((HOST, first + 1))
        description = media.add_client(HOST, calls=2, first_port=first, last_port=first + 11)
        assert description.ports == (first + 4, first + 8)
        with pytest.raises(TransportError, match=r"3 calls need 12 media ports.*are 0 free blocks"):
            media.add_client(HOST, calls=3, first_port=first, last_port=first + 11)
        assert len(media.add_client(PEER, calls=3, least=1, first_port=first, last_port=first + 7).ports) == 2
    with pytest.raises(TransportError, match=r"192\.0\.2\.1: no media port can be opened"):
        media.add_client("192.0.2.1", calls=1)


def test_the_kernels_own_ports_come_last() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ranges = port_ranges()
    assert all(last < low or first > high for first, last in ranges[:-1])
    assert ranges[-1] == (low, high)
    assert port_ranges(high + 1) == [(high + 1, 65535)]


def test_too_few_descriptors_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))

    def refuse(_what: int, limits: tuple[int, int]) -> None:
        if limits[1] > 4096:
            raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    sockets.need_descriptors(3000)
    assert 3900 < sockets.free_descriptors(10_000) < 4096
    with pytest.raises(TransportError, match=r"needs 5\d\d\d open files and the system allows 4096.*ulimit -n"):
        sockets.need_descriptors(5000)


def test_an_answer_that_came_too_late_is_passed_over(media: MediaProcess) -> None:
    os.kill(media.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TransportError, match=r"did not answer within 0\.1 s"):
            media.snapshot(0.1)
    finally:
        os.kill(media.pid, signal.SIGCONT)
    assert media.add_client(HOST, calls=1).index == 0
    assert media.snapshot(5).calls == 0


def test_ctrl_c_is_the_runners_business(media: MediaProcess) -> None:
    os.kill(media.pid, signal.SIGINT)
    assert media.snapshot().calls == 0
    media.stop()
    media.stop()
    assert not media.alive
    with pytest.raises(TransportError, match="not running"):
        media.snapshot()


def test_the_process_dies_with_its_parent() -> None:
    code = (
        "import time\nfrom sipreplay.media.process import MediaProcess\n"
        "print(MediaProcess(scheduling='normal').start().pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: not _runs(pid))


def test_a_process_that_is_killed_is_a_clear_error(media: MediaProcess) -> None:
    with engine(media) as client:
        os.kill(media.pid, signal.SIGKILL)
        with pytest.raises(TransportError, match="has ended"):
            media.snapshot()
        assert not client.play(1, 2, 0, PEER, 4)
        assert client.allocate(1) == 0


def test_damaged_datagrams_do_no_harm(media: MediaProcess) -> None:
    numbers = random.Random(3)
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        for _ in range(300):
            peer.sendto(numbers.randbytes(numbers.randrange(90)), (HOST, port + numbers.randrange(4)))
        peer.sendto(struct.pack("!BB", 0x80, 200) + bytes(6), (HOST, port + 1))
        time.sleep(0.3)
        client.release(1, port)
    summary = media.summary()
    assert summary.received_packets + summary.rtcp_packets + summary.other_datagrams == 301
    assert summary.calls == 1


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False
