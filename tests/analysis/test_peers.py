"""The table of peers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.model import CaptureFile
from sipreplay.analysis.peers import FROM, TO, Peer, peers, percentile
from tests.analysis.flow import A, B, Flow, P


def _rows(flow: Flow, end: float = 100.0) -> dict[tuple[str, str], Peer]:
    analysis = flow.analysis()
    analysis.captures.append(CaptureFile("x", "pcap", [], 1, 1000.0, flow.time + end))
    return {(row.label, row.direction): row for row in peers(analysis)}


def _attempt(flow: Flow, n: int, status: str, *, ring_s: float = 0.5, talk_s: float = 0.0) -> None:
    name = f"c{n}"
    flow.say(A, B, "INVITE", "1 INVITE", via=f"v{n}", call_id=name)
    if ring_s:
        flow.say(B, A, "180 Ringing", "1 INVITE", via=f"v{n}", tags=("a", "b"), call_id=name, at=flow.time + ring_s)
    if status:
        flow.say(B, A, status, "1 INVITE", via=f"v{n}", tags=("a", "b"), call_id=name)
    if talk_s:
        flow.say(A, B, "BYE", "2 BYE", via=f"y{n}", tags=("a", "b"), call_id=name, at=flow.time + talk_s)
        flow.say(B, A, "200 OK", "2 BYE", via=f"y{n}", tags=("a", "b"), call_id=name)


def test_attempts_answers_rates_and_durations() -> None:
    flow = Flow()
    _attempt(flow, 1, "200 OK", ring_s=1.0, talk_s=10)
    _attempt(flow, 2, "200 OK", ring_s=2.0, talk_s=20)
    _attempt(flow, 3, "486 Busy Here", ring_s=0)
    _attempt(flow, 4, "503 Service Unavailable", ring_s=0)
    row = _rows(flow)[str(B), TO]
    assert (row.attempts, row.answered, row.failures) == (4, 2, {"486": 1, "503": 1})
    assert (row.asr, row.ner) == (0.5, 0.75)
    assert row.acd_s == pytest.approx(15)
    assert row.pdd_p95_ms == pytest.approx(2000)
    other = _rows(flow)[str(A), FROM]
    assert (other.attempts, other.answered, other.asr) == (4, 2, 0.5)
    assert set(_rows(flow)) == {(str(B), TO), (str(A), FROM)}


def test_what_still_rings_when_the_capture_ends_is_in_no_rate() -> None:
    flow = Flow()
    _attempt(flow, 1, "200 OK", talk_s=1)
    _attempt(flow, 2, "")
    row = _rows(flow, end=5)[str(B), TO]
    assert (row.attempts, row.unfinished, row.asr, row.failures) == (2, 1, 1.0, {})
    row = _rows(flow, end=50)[str(B), TO]
    assert (row.unfinished, row.asr, row.failures) == (0, 0.5, {"none": 1})


def test_a_challenge_that_was_met_is_no_attempt_of_its_own() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, A, "407 Proxy Authentication Required", "1 INVITE", tags=("a", "p"))
    flow.say(A, P, "INVITE", "2 INVITE", via="b2")
    flow.say(P, A, "200 OK", "2 INVITE", via="b2", tags=("a", "b"))
    row = _rows(flow)[str(P), TO]
    assert (row.attempts, row.answered, row.failures) == (1, 1, {})


def test_a_proxy_has_a_row_for_each_direction_and_others_are_counted() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(A, P, "INVITE", "1 INVITE", at=1001)
    flow.say(A, P, "OPTIONS", "1 OPTIONS", via="o", call_id="ping")
    found = _rows(flow)
    assert found[str(P), TO].retransmissions == 1
    assert found[str(P), TO].others == {"options": 1}
    assert found[str(A), FROM].retransmissions == 1
    assert (found[str(P), FROM].attempts, found[str(P), FROM].retransmissions) == (1, 0)


def test_without_calls_there_are_no_rates() -> None:
    flow = Flow()
    flow.say(A, B, "OPTIONS", "1 OPTIONS")
    row = _rows(flow)[str(B), TO]
    assert (row.asr, row.ner, row.acd_s, row.pdd_median_ms) == (None, None, None, None)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_exceeds_enough_of_them(values: list[float], part: float) -> None:
    values.sort()
    found = percentile(values, part)
    assert found in values
    assert sum(v <= found for v in values) >= part * len(values) - 1e-9  # type: ignore[operator]
