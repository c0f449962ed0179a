from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import html

from sipreplay.analysis.model import Analysis
from sipreplay.report.ladder import call_ladder
from sipreplay.report.model import Artefact, RunSummary, ScenarioResult
from sipreplay.report.plots import load_dumps
from sipreplay.report.run_page import run_page


@pytest.fixture
def page(summary: RunSummary, analysis: Analysis) -> str:
    summary.artefacts = [Artefact("report & more.html", "page")]
    return run_page(summary, ladder=call_ladder(analysis, analysis.calls[0]))


def test_verdict_numbers_failures_charts_media_and_ladder_are_there(
    summary: RunSummary, analysis: Analysis, data: Path
) -> None:
    dumps = load_dumps([data / "sipp361_stat.csv", data / "sipp361_rtt.csv"])
    ladder = call_ladder(analysis, analysis.calls[0])
    page = run_page(summary, statistics=dumps.statistics, samples=dumps.samples, ladder=ladder)
    text = html.fromstring(page).text_content()
    for part in ("failed", "14 of 200 calls failed", "Calls passed", "186", "unexpected message",
                 "SIP/2.0 486 Busy Here",
                 "Call rate", "Setup and ring time", "131 (0.1 %)", "2 of 400 calls that expect RTP received none",
                 "180 Ringing", "sipreplay run out/bundle --rate 20", "416 KiB"):  # fmt: skip
        assert part in text, part


def test_the_page_fetches_nothing(page: str) -> None:
    tree = html.fromstring(page)
    assert not tree.xpath("//link|//img[not(starts-with(@src,'data:'))]|//script|//iframe|//object")
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'")
    assert "script-src 'none'" in policy
    assert not re.findall(r"url\((?!#)", page)


def test_what_a_peer_sent_is_text(page: str) -> None:
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert html.fromstring(page).xpath("//title")[0].text == "failed: out/bundle"


def test_links_to_files_are_quoted(page: str) -> None:
    assert html.fromstring(page).xpath("//a/@href") == ["report%20%26%20more.html"]


def test_a_passed_run_without_media_or_dumps_has_a_page(summary: RunSummary) -> None:
    summary.media = None
    summary.verdict = "passed"
    summary.reasons = []
    text = html.fromstring(run_page(summary)).text_content()
    assert "passed" in text
    assert "RTP lost" not in text


def test_scenarios_of_a_bundle_are_listed(summary: RunSummary) -> None:
    summary.scenarios = [ScenarioResult("invite-bye", "uac", summary.uac)]
    tree = html.fromstring(run_page(summary))
    assert tree.xpath("//td[text()='invite-bye']")
    assert tree.xpath("//td[text()='uac invite-bye']")
