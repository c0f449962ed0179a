from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sipreplay.analysis.model import Analysis, Call, Problem
from sipreplay.analysis.reading import analyse
from sipreplay.capture.write import PcapWriter
from sipreplay.report.call_list import call_lines, call_rows, party, stream_lines
from sipreplay.report.inspect_text import list_lines
from sipreplay.report.lines import plain_text


def test_a_call_over_several_hops_is_one_row_from_end_to_end(analysis: Analysis) -> None:
    [row] = call_rows(analysis)
    assert (row.id, row.method, row.state, row.hops) == (1, "INVITE", "completed", 2)
    assert (row.from_user, row.to_user) == ("alice@example.com", "bob@example.com")
    assert (row.caller, row.callee) == ("10.0.0.1:5060", "10.0.0.77:49152")
    assert (row.messages, row.retransmissions) == (16, 2)
    assert (row.codecs, row.lost, row.jitter_ms, row.mos) == ("PCMA", 3, 0.41, 4.31)
    assert row.setup_ms == 4203.0


def test_the_list_shows_quality_and_times(analysis: Analysis) -> None:
    text = plain_text(call_lines(analysis, 200))
    for part in ("INVITE", "completed", "16 (2r)", "14:45:27.250", "1.60 s", "4.20 s", "PCMA", "0.4 ms", "4.31"):
        assert part in text


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_lists_fit_the_terminal(analysis: Analysis, width: int) -> None:
    lines = plain_text([*call_lines(analysis, width), *stream_lines(analysis, analysis.streams, width)]).splitlines()
    assert max(map(len, lines)) <= width


def test_a_huge_capture_is_capped_with_a_note(analysis: Analysis) -> None:
    analysis.calls = [Call(n, [1, 2]) for n in range(1, 40)]
    text = plain_text(call_lines(analysis, 160, limit=10))
    assert len(text.splitlines()) == 12
    assert "and 29 more calls" in text
    analysis.streams = [replace(analysis.streams[0], ssrc=n) for n in range(30)]
    assert "and 25 more streams" in plain_text(stream_lines(analysis, analysis.streams, 160, limit=5))


def test_what_could_not_be_read_is_told(analysis: Analysis) -> None:
    analysis.captures[0].problems = [Problem(7, "cut in the middle of a packet"), Problem(0, "holds no packets")]
    analysis.malformed = 2
    text = plain_text(list_lines(analysis, (), 160))
    assert "packet 7: cut in the middle of a packet" in text
    assert "file: holds no packets" in text
    assert "packet 0" not in text
    assert "2 malformed" in text
    assert "1,260 packets" in text


def test_nothing_found_is_said(analysis: Analysis) -> None:
    analysis.messages.clear()
    analysis.calls.clear()
    analysis.streams.clear()
    assert "no SIP message and no RTP stream found" in plain_text(list_lines(analysis, (), 100))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"A" <sip:alice@h:5070;transport=tcp>;tag=1', "alice@h:5070"),
        ("sip:bob@h;tag=2", "bob@h"),
        ("<tel:+4930123>", "+4930123"),
        ("<sip:gw.example.com>", "gw.example.com"),
        (None, ""),
        ("<<<not an address", "<<<not an address"),
    ],
)
def test_a_party_is_named_as_a_person_would(value: str | None, text: str) -> None:
    assert party(value) == text


def test_no_escape_sequence_reaches_the_terminal(analysis: Analysis) -> None:
    assert "\x1b" not in plain_text(list_lines(analysis, (), 160))


def test_a_stream_of_digits_alone_is_no_loss(analysis: Analysis) -> None:
    digits = replace(analysis.streams[0], codec="", payload_types=[101], lost=430, dtmf="14#")
    analysis.streams.append(digits)
    [row] = call_rows(analysis)
    assert (row.lost, row.codecs) == (3, "PCMA")
    assert "telephone-event" in plain_text(stream_lines(analysis, analysis.streams, 160))


def test_calls_of_several_days_have_their_dates(tmp_path: Path) -> None:
    def listed(*times: float) -> str:
        with PcapWriter(tmp_path / "in.pcap") as out:
            for number, time in enumerate(times):
                text = (
                    f"OPTIONS sip:a@h SIP/2.0\r\nCall-ID: {number}\r\nFrom: <sip:b@h>;tag=1\r\nCSeq: 1 OPTIONS\r\n\r\n"
                )
                out.udp(time, ("192.0.2.1", 5060), ("192.0.2.2", 5060), text.encode())
        return plain_text(call_lines(analyse([tmp_path / "in.pcap"]), 200))

    assert "  00:00:01.000" in listed(86_401, 86_402)
    text = listed(86_399, 86_401)
    assert "1970-01-01 23:59:59.000" in text
    assert "1970-01-02 00:00:01.000" in text
