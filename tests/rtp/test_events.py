"""Telephone events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.events import DIGITS, TelephoneEvent, decode, digits, encode, event_packets


@given(st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF))
def test_an_event_reads_back(event: int, end: bool, volume: int, duration: int) -> None:
    value = TelephoneEvent(event, end, volume, duration)
    assert decode(encode(value)) == value


def test_a_short_payload_is_no_event() -> None:
    assert decode(b"\x01\x0a\x00") is None


@given(st.text(alphabet=DIGITS, max_size=12), st.integers(0, 0xFFFFFFFF))
def test_dialled_digits_are_read_back(dialled: str, timestamp: int) -> None:
    packets = [p for _, p in event_packets(dialled, payload_type=101, ssrc=1, timestamp=timestamp)]
    assert digits((p.timestamp, p.payload) for p in packets) == dialled


def test_packets_of_a_digit_follow_the_rfc() -> None:
    timed = list(event_packets("5", payload_type=101, ssrc=1, sequence=0xFFFF, tone_ms=100))
    assert [offset for offset, _ in timed] == [20, 40, 60, 80, 100, 100, 100]
    packets = [p for _, p in timed]
    assert [p.marker for p in packets] == [True] + [False] * 6
    assert {p.timestamp for p in packets} == {0}
    events = [decode(p.payload) for p in packets]
    assert [e.duration for e in events if e] == [160, 320, 480, 640, 800, 800, 800]
    assert [e.end for e in events if e] == [False] * 4 + [True] * 3
    assert [p.sequence for p in packets][:2] == [0xFFFF, 0]


def test_lost_starts_repeats_and_late_packets_do_not_change_the_digits() -> None:
    end_of_one = encode(TelephoneEvent(1, True, 10, 800))
    start_of_one = encode(TelephoneEvent(1, False, 10, 160))
    two = encode(TelephoneEvent(2, True, 10, 800))
    arrived = [(0, end_of_one), (0, end_of_one), (1600, two), (0, start_of_one), (1600, two), (3200, end_of_one)]
    assert digits(arrived) == "121"


def test_a_long_digit_in_segments_is_one_digit() -> None:
    segment = encode(TelephoneEvent(9, False, 10, 0xFFFF))
    last = encode(TelephoneEvent(9, True, 10, 400))
    assert digits([(100, segment), (100 + 0xFFFF, last), (100 + 0xFFFF, last)]) == "9"
    assert digits([(100, last), (100 + 0xFFFF, last)]) == "99"


def test_a_flash_and_unknown_events() -> None:
    assert digits([(0, b"\x10\x8a\x00\x50"), (800, b"\x46\x8a\x00\x50"), (1600, b"\x01")]) == "!"
