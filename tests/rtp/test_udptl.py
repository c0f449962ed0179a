"""UDPTL: what is built reads back, long lengths, and any bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.udptl import build_udptl, parse_udptl


@given(st.integers(0, 65535), st.binary(min_size=1, max_size=127), st.lists(st.binary(max_size=127), max_size=8))
def test_round_trip(sequence: int, primary: bytes, earlier: list[bytes]) -> None:
    assert parse_udptl(build_udptl(sequence, primary, tuple(earlier))) == (sequence, primary, len(earlier), False)


def test_a_length_of_two_bytes_and_parity() -> None:
    assert parse_udptl(b"\0\7\x81\x00" + bytes(256) + b"\x80\1\1") == (7, bytes(256), 0, True)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    packet = parse_udptl(data)
    assert packet is None or packet.primary in data
