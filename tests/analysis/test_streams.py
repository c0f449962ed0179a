"""RTP streams from packets: what is one, what is another, what is none."""

from __future__ import annotations

import pytest

from sipreplay.analysis.streams import StreamBook
from sipreplay.capture.columns import Pairs
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.sieve import Sieve
from tests.capture.frames import BEGAN, ethernet, pcap, rtp, udp
from tests.capture.test_sieve import Taken

PORTS = (4000, 4002)
SENDER, RECEIVER = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
EVENT = {101: ("telephone-event", 8000)}


def talk(count, first=0, ssrc=0xABCD, payload_type=0, start=0.0, every=0.02, ident=1, **more):
    """(time, packet) of steady media."""
    return [
        (
            BEGAN + start + every * n,
            udp(rtp(first + n, 160 * (first + n), ssrc, payload_type, **more), ports=PORTS, ident=ident + n),
        )
        for n in range(count)
    ]


def read(book, path, number, packets):
    path.write_bytes(pcap([ethernet(data) for _, data in packets], times=[time for time, _ in packets]))
    reader = CaptureReader(path)
    pairs = Pairs()
    sieve = Sieve(reader.note, pairs)
    book.open_capture(number, pairs)
    for batch in reader.batches():
        batch.capture = number
        for columns in sieve.sift(batch, Taken()):
            book.add(columns)


@pytest.fixture
def streams(tmp_path):
    def run(packets, *further, announced=(), calls=()):
        book = StreamBook()
        for address in announced:
            book.announced.announce((0, 0), *address, EVENT, "call")
        for packet, call in calls:
            place = packet if isinstance(packet, tuple) else (0, packet)
            book.announced.announce(place, *RECEIVER, EVENT, call)
        for number, part in enumerate((packets, *further)):
            read(book, tmp_path / f"{number}.pcap", number, sorted(part, key=lambda item: item[0]))
        run.book = book
        return book.finish()

    return run


def test_a_steady_stream_counts_without_any_sdp(streams):
    (found,) = streams(talk(50))
    assert (found.candidate.source, found.candidate.destination) == (SENDER, RECEIVER)
    assert (found.quality.packets, found.quality.lost, found.codec) == (50, 0, "PCMU")
    assert (found.first, found.last) == (pytest.approx(BEGAN), pytest.approx(BEGAN + 0.98))


def test_few_packets_count_only_where_sdp_announced_them(streams):
    assert streams(talk(3)) == []
    assert len(streams(talk(3), announced=[RECEIVER])) == 1
    assert len(streams(talk(3), announced=[SENDER])) == 1
    assert streams(talk(3), announced=[("192.0.2.9", 4002)]) == []


def test_noise_with_version_2_is_no_stream(streams):
    noise = [(BEGAN + n, udp(rtp(n * 7919, n, 0xABCD), ports=PORTS)) for n in range(100)]
    same = [(BEGAN + n, udp(rtp(5, n, 0xABCE), ports=PORTS, ident=n)) for n in range(100)]
    odd = talk(100, ssrc=0xABCF, payload_type=70)
    assert streams(noise + same + odd) == []


def test_two_ssrcs_are_two_streams(streams):
    assert len(streams(talk(20) + talk(20, ssrc=5, start=0.01))) == 2


def test_copies_are_dropped_before_anything_is_counted(streams):
    packets = talk(50)
    mirrored = packets + [(time + 0.001, data) for time, data in packets]
    (plain,), (found,) = streams(packets), streams(mirrored)
    assert found.quality == plain.quality
    assert streams.book.copies == 50


def test_copies_that_arrive_later_than_the_next_packets(streams):
    packets = talk(50)
    (found,) = streams(packets + [(time + 0.045, data) for time, data in packets])
    assert (found.quality.packets, found.quality.duplicates) == (50, 0)


def test_repeats_that_are_no_copies_are_counted(streams):
    packets = talk(50)
    sent_again = [(time + 0.001, data[:4] + b"\x77\x77" + data[6:]) for time, data in packets[:10]]
    much_later = [(packets[20][0] + 0.3, packets[20][1])]
    (found,) = streams(packets + sent_again + much_later)
    assert (found.quality.packets, found.quality.duplicates, found.quality.lost) == (61, 11, -11)


def test_digits_of_telephone_events(streams):
    packets = talk(20)
    for place, digit in enumerate((1, 11, 5)):
        for n, duration in enumerate((160, 320, 480, 480, 480)):
            payload = bytes([digit, 0x8A if n > 1 else 0x0A]) + duration.to_bytes(2, "big")
            when = BEGAN + 1 + place + n * 0.02
            sequence = 20 + place * 5 + n
            packets.append(
                (when, udp(rtp(sequence, 8000 * (place + 1), payload_type=101, payload=payload), ports=PORTS))
            )
    (found,) = streams(packets, announced=[RECEIVER])
    assert found.dtmf == "1#5"
    assert (found.codec, found.candidate.payload_types) == ("PCMU", (0, 101))
    (found,) = streams(packets)
    assert found.dtmf == "1#5", "payload type 101 is taken for events where no SDP says otherwise"


def test_codecs_of_dynamic_types_come_from_sdp(streams):
    book_codecs = {96: ("opus", 48000)}
    packets = [(BEGAN + 0.02 * n, udp(rtp(n, 960 * n, payload_type=96), ports=PORTS)) for n in range(30)]
    (unknown,) = streams(packets)
    assert (unknown.codec, unknown.quality.mean_jitter_ms) == ("", 0.0)
    book = StreamBook()
    book.announced.announce((0, 0), *RECEIVER, book_codecs, "call")
    assert book.tables.name(book.announced.of_stream(SENDER, RECEIVER)[0][1], 96) == "opus"


def test_a_codec_that_changes_its_number_on_the_way(tmp_path):
    book = StreamBook()
    book.announced.announce((0, 0), *RECEIVER, {96: ("opus", 48000)}, "call")
    book.announced.announce((0, 31), *RECEIVER, {96: ("AMR", 8000)}, "call")
    slow = [(BEGAN + 0.02 * n, udp(rtp(n, 960 * n, payload_type=96), ports=PORTS)) for n in range(30)]
    fast = [
        (BEGAN + 0.02 * n, udp(rtp(n, 960 * 29 + 160 * (n - 29), payload_type=96), ports=PORTS)) for n in range(30, 60)
    ]
    read(book, tmp_path / "c.pcap", 0, slow + fast)
    (found,) = book.finish()
    number = [number for _, number in found.candidate.codecs]
    assert [book.tables.name(each, 96) for each in number] == ["opus", "AMR"]


def test_another_call_with_the_same_addresses_and_ssrc_is_another_stream(streams):
    both = [*talk(40), (BEGAN + 4, udp(b"the INVITE of call two")), *talk(40, start=5)]
    assert len(streams(both, calls=[(0, "one")])) == 1
    first, second = streams(both, calls=[(0, "one"), (41, "two")])
    assert (first.quality.packets, second.quality.packets) == (40, 40)
    assert (first.quality.lost, second.quality.lost) == (0, 0)
    assert first.last < second.first


def test_a_stream_that_goes_on_while_another_leg_is_set_up_stays_one(streams):
    (found,) = streams(talk(80), calls=[(0, "one"), (40, "two")])
    assert found.quality.packets == 80


def test_a_stream_goes_on_in_the_next_file(streams):
    packets = talk(60)
    (found,) = streams(packets[:30], packets[30:])
    assert (found.quality.packets, found.quality.lost) == (60, 0)


def test_a_stream_that_two_files_saw_counts_once(streams):
    packets = talk(60)
    (found,) = streams(packets[:55], packets)
    assert (found.quality.packets, found.candidate.capture) == (60, 1)


def test_ipv6_streams(tmp_path):
    book = StreamBook()
    packets = [(BEGAN + 0.02 * n, udp(rtp(n, 160 * n), "2001:db8::1", "2001:db8::2", PORTS)) for n in range(20)]
    read(book, tmp_path / "six.pcap", 0, packets)
    (found,) = book.finish()
    assert found.candidate.source == ("2001:db8::1", 4000)


def test_the_number_of_streams_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("sipreplay.analysis.streams.MAX_STREAMS", 10)
    book = StreamBook()
    flood = [(BEGAN + 1 + n / 1000, udp(rtp(1, 1, ssrc=1000 + n), ports=PORTS)) for n in range(100)]
    read(book, tmp_path / "flood.pcap", 0, talk(20) + flood)
    assert len(book.finish()) == 1
    assert book.unfollowed


def test_noise_gives_its_place_to_later_streams(tmp_path, monkeypatch):
    monkeypatch.setattr("sipreplay.analysis.streams.MAX_STREAMS", 60)
    monkeypatch.setattr("sipreplay.analysis.streams.SWEEP_EVERY", 20)
    monkeypatch.setattr("sipreplay.capture.reader.CHUNK", 4000)
    book = StreamBook()
    book.announced.announce((0, 0), "192.0.2.7", 7, EVENT, "call")
    noise = [(BEGAN + n, udp(rtp(1, 1, ssrc=1000 + n), ports=PORTS)) for n in range(300)]
    quiet = [(BEGAN + 0.5, udp(rtp(1, 1), "192.0.2.7", ports=(7, 4002)))]
    read(
        book,
        tmp_path / "n.pcap",
        0,
        sorted(noise + quiet + talk(20) + talk(20, ssrc=6, start=290.1), key=lambda item: item[0]),
    )
    assert not book.unfollowed
    assert [(found.quality.packets, found.candidate.ssrc) for found in book.finish()] == [
        (20, 0xABCD),
        (1, 0xABCD),
        (20, 6),
    ]


def test_figures_do_not_depend_on_how_the_file_was_cut(tmp_path, monkeypatch):
    packets = talk(3000, payload_type=0) + talk(3000, ssrc=5, start=0.003)
    results = []
    for chunk in (4 << 20, 3000):
        monkeypatch.setattr("sipreplay.capture.reader.CHUNK", chunk)
        book = StreamBook()
        read(book, tmp_path / f"{chunk}.pcap", 0, sorted(packets, key=lambda item: item[0]))
        results.append([(found.candidate.ssrc, found.quality) for found in book.finish()])
    for (one_ssrc, one), (other_ssrc, other) in zip(*results, strict=True):
        assert one_ssrc == other_ssrc
        assert one.packets == other.packets
        assert one.mean_jitter_ms == pytest.approx(other.mean_jitter_ms, rel=1e-9)
        assert one.max_jitter_ms == pytest.approx(other.max_jitter_ms, rel=1e-9)


def test_a_later_file_has_streams_of_its_own(streams):
    first, second = streams(talk(60), talk(60, start=3600))
    assert [each.quality.packets for each in (first, second)] == [60, 60]
    assert [each.quality.lost for each in (first, second)] == [0, 0]
    assert first.quality.max_delta_ms < 21 > second.quality.max_delta_ms
    first, second = streams(talk(60), talk(60, start=3600, payload_type=8))
    assert [each.codec for each in (first, second)] == ["PCMU", "PCMA"]


def test_a_stream_that_paused_between_files_goes_on_by_its_numbers(streams):
    (found,) = streams(talk(60), talk(60, first=60, start=3600))
    assert (found.quality.packets, found.quality.lost) == (120, 0)


def test_another_call_in_the_next_file_is_another_stream(streams):
    parts = talk(40), [(BEGAN + 2, udp(b"the INVITE of call two")), *talk(40, start=3)]
    (found,) = streams(*parts)
    assert found.quality.packets == 80
    first, second = streams(*parts, calls=[(0, "one"), ((1, 1), "two")])
    assert (first.quality.packets, second.quality.packets) == (40, 40)


def test_the_files_of_two_rotated_captures_count_once_in_any_order(streams):
    packets = talk(90)
    ours, theirs = (packets[:30], packets[30:]), (packets[:60], packets[60:])
    for order in ((*ours, *theirs), (ours[0], theirs[0], ours[1], theirs[1])):
        (found,) = streams(*order)
        assert (found.quality.packets, found.quality.lost) == (90, 0)
