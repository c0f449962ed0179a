"""rtp_stream, play_dtmf, rtp_echo and the comparison of patterns, with real sockets on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_process import HOST, PEER, engine, eventually, phone, received, silent

from sipreplay.errors import ScenarioError
from sipreplay.media.client import MediaClient
from sipreplay.media.made import Made
from sipreplay.media.process import MediaProcess
from sipreplay.media.results import MediaSummary
from sipreplay.rtp.packet import parse_rtp

PATTERN = Made("pattern", "", 0, pattern=0xAA)


@contextmanager
def echoing(media: MediaProcess, **options: object) -> Iterator[tuple[MediaClient, int, MediaClient, int]]:
    """A call of a client, and one of another client whose port echoes: (client, port, echoing client, port)."""
    one = MediaClient(media.add_client(HOST, calls=1, rewrite=False, **options))  # type: ignore[arg-type]
    two = MediaClient(media.add_client(PEER, calls=1, rewrite=False))
    try:
        yield one, one.allocate(1), two, two.allocate(1)
    finally:
        one.close()
        two.close()


def closed(media: MediaProcess, *calls: tuple[MediaClient, int]) -> MediaSummary:
    for client, port in calls:
        client.release(1, port)
    return media.summary()


def test_a_file_is_played_in_laps_without_a_seam(media: MediaProcess, tmp_path: Path) -> None:
    path = tmp_path / "three.ulaw"
    path.write_bytes(b"".join(bytes([n]) * 160 for n in range(3)))
    with engine(media, rewrite=False) as client, phone() as peer:
        source = client.make(Made("file", str(path), 0))
        port = client.allocate(1)
        assert client.play(1, port, source, *peer.getsockname(), laps=4, stream=True)
        came = received(peer, 12)
        assert silent(peer)
    packets = [parse_rtp(data) for _, data, _ in came]
    assert [p.payload[0] for p in packets] == [0, 1, 2] * 4
    assert [p.sequence for p in packets] == list(range(12))
    assert [p.timestamp - packets[0].timestamp for p in packets] == [160 * n for n in range(12)]
    assert 0.18 < came[-1][0] - came[0][0] < 1.0, "12 packets at 20 ms take 0.22 s"
    assert {p.ssrc for p in packets} == {0xCA110000}


def test_a_pattern_goes_on_until_it_is_paused_and_goes_on_again(media: MediaProcess) -> None:
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        assert client.play(1, port, client.make(PATTERN), *peer.getsockname(), laps=-1, stream=True)
        before = received(peer, 5)
        client.hold(1, port, True, stream=True)
        while not silent(peer):
            before += received(peer, 0)
        client.hold(1, port, False, stream=True)
        peer.settimeout(5)
        after = received(peer, 5)
        client.stop(1, port)
    first, last = parse_rtp(before[0][1]), parse_rtp(after[-1][1])
    assert last.ssrc == first.ssrc
    assert (last.sequence - first.sequence) & 0xFFFF < 60
    assert (last.timestamp - first.timestamp) & 0xFFFFFFFF > 160 * ((last.sequence - first.sequence) & 0xFFFF)


def test_digits_and_a_stream_of_one_port_go_side_by_side(media: MediaProcess) -> None:
    with engine(media, rewrite=False) as client, phone() as peer:
        port = client.allocate(1)
        client.play(1, port, client.make(PATTERN), *peer.getsockname(), laps=-1, stream=True)
        client.play(1, port, client.define(Made("dtmf", "7", 101, tone_ms=60)), *peer.getsockname())
        came = [parse_rtp(data) for _, data, _ in received(peer, 20)]
    assert sum(p.payload_type == 101 for p in came) == 6
    assert sum(p.payload_type == 0 for p in came) == 14
    assert len({p.ssrc for p in came}) == 2


def test_an_echo_sends_all_back_and_the_pattern_is_recognised(media: MediaProcess) -> None:
    with echoing(media) as (one, port, two, other):
        two.echo(1, other, True)
        one.play(1, port, one.make(PATTERN), PEER, other, laps=-1, stream=True)
        assert eventually(lambda: media.snapshot().received_packets >= 40)
        one.stop(1, port)
        time.sleep(0.05)
        summary = closed(media, (one, port), (two, other))
    assert summary.echoed_packets == summary.sent_packets >= 20
    assert summary.received_packets == 2 * summary.sent_packets
    assert (summary.lost, summary.checked_streams, summary.failed_checks) == (0, 1, 0)


@pytest.mark.parametrize(("tolerance", "failed"), [(1.0, 0), (0.25, 1)])
def test_a_pattern_that_comes_back_in_part_is_judged_by_the_tolerance(
    media: MediaProcess, tolerance: float, failed: int
) -> None:
    with echoing(media, tolerance=(tolerance, 1.0)) as (one, port, two, other):
        two.echo(1, other, True)
        one.play(1, port, one.make(PATTERN), PEER, other, laps=-1, stream=True)
        assert eventually(lambda: media.snapshot().echoed_packets >= 5)
        two.echo(1, other, False)
        assert eventually(lambda: media.snapshot().sent_packets >= 25)
        summary = closed(media, (one, port), (two, other))
    assert 5 <= summary.echoed_packets < 15
    assert (summary.checked_streams, summary.failed_checks) == (1, failed)


def test_another_answer_than_the_pattern_is_no_echo(media: MediaProcess) -> None:
    with engine(media) as client, phone() as peer:
        port = client.allocate(1)
        client.play(1, port, client.make(PATTERN), *peer.getsockname(), laps=-1, stream=True)
        for _, data, address in received(peer, 5):
            peer.sendto(data[:-1] + b"\0" * 1, address)
            peer.sendto(data[:20] + b"\xbb" + data[21:], address)
            peer.sendto(data[:-1], address)
        client.release(1, port)
        summary = media.summary()
    # What is beyond the bytes that are kept of a packet is not looked at.
    assert summary.failed_checks == 0
    with engine(media, calls=1) as client, phone() as peer:
        port = client.allocate(1)
        client.play(1, port, client.make(PATTERN), *peer.getsockname(), laps=-1, stream=True)
        for _, data, address in received(peer, 5):
            peer.sendto(data[:20] + b"\xbb" + data[21:], address)
        client.release(1, port)
        assert media.summary().failed_checks == 1


def test_the_ports_of_all_calls_echo_and_can_be_silenced(media: MediaProcess) -> None:
    description = media.add_client(HOST, calls=0, rewrite=False, echo=(41000, 42000, 100))
    first, second = description.echo
    assert second > first >= 41000
    client = MediaClient(description)
    with phone() as peer:
        for port in (first, second):
            peer.sendto(bytes(500), (HOST, port))
            assert peer.recv(4096) == bytes(100), "no more than was allowed comes back"
        client.switch_echo(False)
        time.sleep(0.1)
        peer.sendto(b"x", (HOST, first))
        assert silent(peer)
        client.switch_echo(True)
        time.sleep(0.1)
        peer.settimeout(5)
        peer.sendto(b"y", (HOST, first))
        assert peer.recv(4096) == b"y"
    client.close()
    assert media.summary().other_datagrams == 4


def test_a_file_that_is_named_too_late_is_counted_and_one_at_load_is_an_error(
    media: MediaProcess, tmp_path: Path
) -> None:
    with engine(media) as client, phone() as peer:
        with pytest.raises(ScenarioError, match="no such media file"):
            client.make(Made("file", str(tmp_path / "none"), 0))
        port = client.allocate(1)
        source = client.define(Made("file", str(tmp_path / "gone"), 0))
        client.play(1, port, source, *peer.getsockname(), stream=True)
        assert silent(peer)
        client.release(1, port)
        assert media.summary().unplayable == 1


def test_reports_go_both_ways_and_tell_the_round_trip() -> None:
    with MediaProcess(scheduling="nice", seed=7, rtcp=True) as media:
        clients = [MediaClient(media.add_client(host, calls=1)) for host in (HOST, PEER)]
        ports = [client.allocate(1) for client in clients]
        for client, own, host, port in zip(clients, ports, (PEER, HOST), ports[::-1], strict=True):
            client.play(1, own, client.make(PATTERN), host, port, laps=-1, stream=True)
        assert eventually(lambda: media.snapshot().sent_reports >= 3, 20)
        time.sleep(0.5)
        for client, port in zip(clients, ports, strict=True):
            client.release(1, port)
            client.close()
        summary = media.summary()
    assert summary.rtcp_packets == summary.sent_reports >= 3
    assert summary.round_trip_us.count >= 1
    assert summary.round_trip_us.minimum < 2_000_000
    assert (summary.lost, summary.other_datagrams) == (0, 0)
