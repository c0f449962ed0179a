"""Scores against the E-model's own formula and known points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.rtp.emodel import mos

CODECS = ("PCMU", "PCMA", "G729", "G723", "GSM", "AMR", "G722")


@pytest.mark.parametrize(
    ("codec", "expected"), [("PCMU", 4.41), ("G729", 4.10), ("GSM", 3.74), ("AMR", 4.30), ("G722", 4.34)]
)
def test_without_loss(codec, expected):
    assert mos(codec, 0.0) == pytest.approx(expected, abs=0.01)


def test_names_are_compared_without_case():
    assert mos("pcmu", 0.01) == mos("PCMU", 0.01)


@given(st.sampled_from(CODECS), st.floats(0, 1), st.floats(0, 1), st.floats(1, 20))
def test_more_loss_is_never_better_and_all_scores_are_scores(codec, one, other, burst):
    low, high = sorted((one, other))
    assert 1.0 <= mos(codec, high, burst) <= mos(codec, low, burst) <= 4.5


@pytest.mark.parametrize("codec", ["opus", "AMR-WB", "iLBC", "H264", ""])
def test_no_score_where_there_is_no_figure(codec):
    assert mos(codec, 0.0) is None


@pytest.mark.parametrize(("delay_ms", "expected"), [(0, 4.41), (100, 4.41), (200, 4.35), (400, 3.57)])
def test_delay_is_felt_past_a_tenth_of_a_second(delay_ms, expected):
    assert mos("PCMU", 0.0, delay_ms=delay_ms) == pytest.approx(expected, abs=0.03)
