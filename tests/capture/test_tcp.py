"""TCP directions: the bytes come out as they were sent, whatever happened to the segments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture.tcp import MAX_DIRECTIONS, MAX_WAITING_BYTES, RST, SYN, TcpDirections

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
    assert [(piece.payload, piece.missing) for piece in pieces] == [(b"abc", 0), (b"def", 0)]


def test_a_port_used_again_is_a_new_connection():
    tcp = TcpDirections()
    pieces = feed(tcp, [(10, SYN, b""), (11, 0x18, b"one"), (900, SYN, b""), (901, 0x18, b"two")])
    assert [(piece.payload, piece.missing) for piece in pieces] == [(b"one", -1), (b"two", -1)]


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


def test_a_reset_forgets_the_connection():
    tcp = TcpDirections()
    feed(tcp, [(0, SYN, b""), (5, 0x18, b"late"), (1, RST, b"")])
    assert tcp.finish() == []


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
