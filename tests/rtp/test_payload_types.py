"""The table of static types."""

from __future__ import annotations

from sipreplay.rtp.payload_types import COMFORT_NOISE, STATIC, timing_clock


def test_the_types_that_everyone_uses():
    assert (STATIC[0], STATIC[8], STATIC[9], STATIC[18]) == (
        ("PCMU", 8000),
        ("PCMA", 8000),
        ("G722", 8000),
        ("G729", 8000),
    )
    assert all(STATIC[kind][0] == "CN" for kind in COMFORT_NOISE)


def test_telephone_events_have_no_timing():
    assert timing_clock("telephone-event", 8000) == timing_clock("Telephone-Event", 48000) == 0
    assert timing_clock("opus", 48000) == 48000
