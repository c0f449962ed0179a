from __future__ import annotations

from dataclasses import replace

import pytest

from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, Call, Evidence
from sipreplay.analysis.part import Part
from sipreplay.report.inspect_text import call_view_lines, finding_lines, list_lines
from sipreplay.report.lines import plain_text

LOSS = Finding(Severity.ERROR, "media-loss", "30 % of the RTP is lost", "180 of 600 packets", "look at the link", (1,))
NOTE = Finding(Severity.NOTE, "late-bye", "BYE is late", "by 3 s", "nothing", (1,))


def test_findings_say_what_is_wrong_where_and_what_to_do(analysis: Analysis) -> None:
    text = plain_text(list_lines(analysis, [LOSS, NOTE], 160))
    assert "error   30 % of the RTP is lost  [media-loss]  call 1" in text
    assert "180 of 600 packets" in text
    assert "→ look at the link" in text
    row = next(line for line in text.splitlines() if "INVITE" in line)
    assert row.split()[:3] == ["1", "1E", "INVITE"]


def test_past_the_cap_a_line_says_how_many_findings_there_are_and_how_to_see_them() -> None:
    found = [replace(NOTE, rule=f"rule-{n}") for n in range(30)]
    text = plain_text(finding_lines(found, 120))
    assert "and 10 more findings: --all" in text
    assert "more findings" not in plain_text(finding_lines(found, 120, None))


def test_loss_and_mos_are_told_for_each_direction(analysis: Analysis) -> None:
    row = next(line for line in plain_text(list_lines(analysis, (), 200)).splitlines() if "INVITE" in line)
    assert "3/0" in row
    assert row.endswith("4.31/4.41")


def test_a_ladder_tells_its_legs_and_why_they_are_one_call(analysis: Analysis) -> None:
    analysis.calls[0].evidence.append(Evidence((1, 2), "same numbers", 0.6))
    text = plain_text(call_view_lines(analysis, analysis.calls, [LOSS], 140))
    assert "10.0.0.1:5060 → 192.168.100.20:5060  INVITE completed  abc@h" in text
    assert "one call by Call-ID" in text
    assert "one call by same numbers, confidence 0.60" in text
    assert "[media-loss]" in text


def test_a_long_pause_is_marked(analysis: Analysis) -> None:
    text = plain_text(call_view_lines(analysis, analysis.calls, (), 140))
    [pause] = [line for line in text.splitlines() if "⋮" in line]
    assert pause.split()[0] == "12.2"


def test_many_ladders_are_capped_unless_all_are_asked_for(analysis: Analysis) -> None:
    calls = [Call(n, [1, 2]) for n in range(1, 61)]
    assert "and 10 more ladders: --all" in plain_text(call_view_lines(analysis, calls, (), 100))
    assert "more ladders" not in plain_text(call_view_lines(analysis, calls, (), 100, everything=True))


@pytest.mark.parametrize("width", [80, 120])
def test_ascii_is_ascii(analysis: Analysis, width: int) -> None:
    assert plain_text(list_lines(analysis, [LOSS], width, ascii_only=True)).isascii()
    assert plain_text(call_view_lines(analysis, analysis.calls, [LOSS], width, ascii_only=True)).isascii()


def test_a_filter_that_nothing_passes_is_told(analysis: Analysis) -> None:
    assert "none of 1 call is chosen" in plain_text(list_lines(Part(analysis, []), (), 100))
