"""TCP directions: the bytes come out as they were sent, whatever happened to the segments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture.tcp import (
    FIN,
    MAX_DIRECTIONS,
    MAX_WAITING_BYTES,
    MAX_WAITING_TOTAL,
    RST,
    SYN,
    Piece,
    TcpDirections,
)

WAY = (b"\1\1\1\1", b"\2\2\2\2", 5060 << 16 | 5061)


def feed(tcp, segments):
    return [piece for sequence, flags, payload in segments for piece in tcp.segment(WAY, sequence, flags, payload)]


def text(pieces):
    return b"".join(piece.payload for piece in pieces)


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.integers(1, 30), min_size=1, max_size=30),
    st.randoms(),
    st.sampled_from([0, 1000, 2**32 - 20]),
)
def test_disorder_repeats_and_overlaps(data, sizes, random, start):
    segments, at = [], 0
    for size in sizes * 200:
        if at >= len(data):
            break
        back = random.choice([0, 0, 0, 5])
        begin = max(0, at - back)
        segments.append(((start + 1 + begin) % 2**32, 0x18, data[begin : at + size]))
        at += size
    segments += random.choices(segments, k=3)
    shuffled = segments[:]
    random.shuffle(shuffled)
    tcp = TcpDirections()
    pieces = feed(tcp, [(start, SYN, b""), *shuffled])
    assert text(pieces) == data
    assert tcp.missing == 0
    assert tcp.finish() == []


def test_a_direction_joined_in_the_middle_starts_at_its_first_segment():
    pieces = feed(TcpDirections(), [(500, 0x18, b"abc"), (503, 0x18, b"def")])
    assert pieces == [Piece(b"abc", 0, False), Piece(b"def", 0, False)]


def test_a_port_used_again_is_a_new_connection():
    tcp = TcpDirections()
    pieces = feed(tcp, [(10, SYN, b""), (11, 0x18, b"one"), (900, SYN, b""), (901, 0x18, b"two")])
    assert pieces == [Piece(b"one", 0, True), Piece(b"two", 0, True)]


def test_a_repeated_syn_is_no_new_connection():
    pieces = feed(TcpDirections(), [(10, SYN, b""), (10, SYN, b""), (11, 0x18, b"one")])
    assert text(pieces) == b"one"


def test_bytes_that_never_come_are_given_up_in_bounded_memory():
    tcp = TcpDirections()
    feed(tcp, [(0, SYN, b"")])
    pieces, sent = [], 0
    for index in range(2 * MAX_WAITING_BYTES // 1000):
        pieces += tcp.segment(WAY, 101 + 1000 * index, 0x18, bytes(1000))
        sent += 1000
        if pieces:
            break
    assert sent <= MAX_WAITING_BYTES + 1000
    assert pieces[0].missing == 100
    assert len(text(pieces)) == sent
    assert tcp.missing == 100


def test_what_waits_at_the_end_is_handed_out():
    tcp = TcpDirections()
    feed(tcp, [(0, SYN, b""), (1, 0x18, b"a"), (5, 0x18, b"e"), (8, 0x18, b"h")])
    ((way, pieces),) = tcp.finish()
    assert way == WAY
    assert [(piece.payload, piece.missing) for piece in pieces] == [(b"e", 3), (b"h", 2)]


def test_a_reset_ends_the_connection_and_the_wait():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b""), (5, 0x18, b"late"), (1, RST, b"")])
    assert pieces == [Piece(b"late", 4, True)]
    assert tcp.finish() == []
    assert tcp.waiting_bytes == 0


def test_unwanted_directions():
    tcp = TcpDirections()
    assert feed(tcp, [(0, SYN, b""), (1, 0x18, b"x")])
    tcp.unwanted(WAY)
    assert feed(tcp, [(2, 0x18, b"y")]) == []
    assert text(feed(tcp, [(100, SYN, b""), (101, 0x18, b"z")])) == b"z"


def test_the_number_of_directions_is_bounded():
    tcp = TcpDirections()
    for number in range(MAX_DIRECTIONS + 100):
        tcp.segment((b"\1" * 4, number.to_bytes(4, "big"), 1), 5, 0x18, b"x")
    assert len(tcp._states) == MAX_DIRECTIONS


def test_of_two_contents_for_one_place_the_first_counts():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b""), (1, 0x18, b"abcd"), (3, 0x18, b"XXef"), (3, 0x18, b"cd")])
    assert text(pieces) == b"abcdef"
    assert (tcp.conflicting, tcp.retransmitted) == (1, 1)


def test_of_two_contents_that_wait_for_one_place_the_first_counts():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b""), (3, 0x18, b"cd"), (2, 0x18, b"bXXe"), (3, 0x18, b"cd"), (1, 0x18, b"a")])
    assert text(pieces) == b"abcde"
    assert (tcp.conflicting, tcp.retransmitted, tcp.missing) == (1, 1, 0)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=20), st.randoms())
def test_whoever_comes_first_wins_byte_by_byte(spans, random):
    """Against the rule written down byte by byte."""
    tcp = TcpDirections()
    feed(tcp, [(0, SYN, b"")])
    kept, out = {}, []
    for start, size in spans:
        payload = random.randbytes(size)
        for place, value in enumerate(payload, start):
            kept.setdefault(place, value)
        out += tcp.segment(WAY, 1 + start, 0x18, payload)
    out += [piece for _, pieces in tcp.finish() for piece in pieces]
    assert text(out) == bytes(kept[place] for place in sorted(kept))
    assert tcp.missing == max(kept) + 1 - len(kept)


def test_a_keep_alive_is_no_conflict():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b""), (1, 0x18, b"abcd"), (4, 0x10, b"\0"), (5, 0x18, b"ef")])
    assert text(pieces) == b"abcdef"
    assert (tcp.conflicting, tcp.retransmitted) == (0, 1)


def test_bytes_that_the_capture_cut_off_are_lost_at_once():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b"")])
    pieces += tcp.segment(WAY, 1, 0x18, b"abc", 7)
    pieces += tcp.segment(WAY, 11, 0x18, b"def", 0)
    assert pieces == [Piece(b"abc", 0, True), Piece(b"def", 7, False)]
    assert tcp.missing == 7


def test_a_port_used_again_with_the_same_first_number_after_a_close():
    tcp = TcpDirections()
    once = [(0, SYN, b""), (1, 0x18, b"one"), (4, FIN, b"")]
    pieces = feed(tcp, [*once, *once])
    assert pieces == [Piece(b"one", 0, True)] * 2


def test_a_syn_that_comes_late_again_is_no_new_connection():
    pieces = feed(TcpDirections(), [(10, SYN, b""), (11, 0x18, b"one"), (10, SYN, b""), (14, 0x18, b"two")])
    assert pieces == [Piece(b"one", 0, True), Piece(b"two", 0, False)]


def test_a_syn_that_comes_after_its_bytes():
    pieces = feed(TcpDirections(), [(11, 0x18, b"one"), (10, SYN, b""), (14, 0x18, b"two")])
    assert text(pieces) == b"onetwo"


def test_segments_before_a_fin_that_came_early():
    pieces = feed(TcpDirections(), [(0, SYN, b""), (7, FIN, b""), (4, 0x18, b"def"), (1, 0x18, b"abc")])
    assert text(pieces) == b"abcdef"


def test_numbers_that_leap_do_not_wait():
    tcp = TcpDirections()
    pieces = feed(tcp, [(0, SYN, b""), (1, 0x18, b"one"), (1 << 30, 0x18, b"two"), (3 << 30, 0x18, b"three")])
    assert text(pieces) == b"onetwothree"
    assert [piece.missing > 0 for piece in pieces] == [False, True, True]


def test_a_hole_and_a_gigabyte_behind_it():
    """The cap holds at every segment, all the bytes behind the hole come out, and what is lost is counted."""
    tcp = TcpDirections()
    feed(tcp, [(0, SYN, b"")])
    payload = bytes(64 * 1024)
    delivered = most = 0
    sequence = 1001
    for _ in range((1 << 30) // len(payload)):
        for piece in tcp.segment(WAY, sequence % 2**32, 0x18, payload):
            delivered += len(piece.payload)
        sequence += len(payload)
        most = max(most, tcp.waiting_bytes)
    assert delivered == 1 << 30
    assert most <= MAX_WAITING_BYTES + len(payload)
    assert (tcp.missing, tcp.waiting_bytes) == (1000, 0)


def test_holes_in_many_directions_share_one_cap():
    tcp = TcpDirections()
    payload = bytes(60 * 1024)
    most = 0
    for number in range(1000):
        way = (b"\1\1\1\1", number.to_bytes(4, "big"), 1)
        tcp.segment(way, 0, SYN, b"")
        for index in range(4):
            tcp.segment(way, 1001 + index * len(payload), 0x18, payload)
        most = max(most, tcp.waiting_bytes)
    assert most <= MAX_WAITING_TOTAL + len(payload)
