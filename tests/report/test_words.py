from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.report.words import clip, count, duration_ms, duration_s, percent, plural, printable, rate, size, utc


def test_numbers_read_as_people_write_them() -> None:
    assert count(1234567) == "1,234,567"
    assert plural(1, "call") == "1 call"
    assert plural(2, "copy", "copies") == "2 copies"
    assert [duration_ms(v) for v in (0.4, 38.14, 1840.0, 125_000.0)] == ["0.40 ms", "38.1 ms", "1.84 s", "2 min 05 s"]
    assert duration_s(3725) == "1 h 02 min"
    assert [rate(v) for v in (20.0, 19.98, 0.5, 1234.5)] == ["20", "19.98", "0.5", "1,234"]
    assert [size(v) for v in (512, 212_992, 4 << 20)] == ["512 B", "208 KiB", "4.0 MiB"]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0 %"), (5, 5, "100 %"), (1, 100_000, "0.001 %"), (99_999, 100_000, "99.999 %"), (1, 10**9, "<0.001 %"),
     (10**9 - 1, 10**9, ">99.999 %"), (1, 0, "-"), (186, 200, "93 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@given(st.text(), st.integers(0, 50))
def test_clipped_text_fits(text: str, width: int) -> None:
    assert len(clip(text, width)) <= width


@given(st.binary())
def test_captured_bytes_never_reach_a_terminal_as_control(data: bytes) -> None:
    shown = printable(data.decode("utf-8", "surrogateescape"))
    assert shown.isprintable()
    shown.encode("utf-8")


def test_escape_sequences_and_odd_bytes_are_shown() -> None:
    assert printable("a\x1b[31mb") == "a\\x1b[31mb"
    assert printable(b"\xff".decode("utf-8", "surrogateescape")) == "\\xff"
    assert printable("Zoë") == "Zoë"


def test_a_time_outside_the_calendar_is_no_error() -> None:
    assert utc(1e18).year == 9999
    assert utc(-5.0).year == 1970
