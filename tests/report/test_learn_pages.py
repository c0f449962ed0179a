from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree, html

from sipreplay.analysis.model import Analysis
from sipreplay.bundle.model import Bundle
from sipreplay.learn.options import LearnReport, LeftOut, ScenarioRow
from sipreplay.report.learn_pages import add_pages
from sipreplay.report.learn_text import learn_lines
from sipreplay.report.lines import plain_text


@pytest.fixture
def report(analysis: Analysis, tmp_path: Path) -> LearnReport:
    row = ScenarioRow(
        "invite-bye", ["invite-bye-uac.xml", "invite-bye-uas.xml", "invite-bye.csv"], 1, [1], 6, "UDP",
        ["caller PCMA 598 packets"], ["caller", "callee"], 16_410.0,
    )  # fmt: skip
    return LearnReport(
        tmp_path, Bundle("0.1.0"), analysis, 2, 3, 2, 1, 2, 2, [row], ["caller: differs between calls"],
        [LeftOut("dialog 3 <b>", "ends after the capture \x1b[31m")], ["TLS without keys"],
    )  # fmt: skip


def test_the_table_says_what_was_learned_generalised_and_left_out(report: LearnReport) -> None:
    text = plain_text(learn_lines(report, 140))
    for part in ("1 of 2 calls", "2 of 3 dialogs", "invite-bye", "caller PCMA 598 packets", "caller, callee", "16.4 s",
                 "caller: differs between calls", "dialog 3 <b>: ends after the capture",
                 "TLS without keys"):  # fmt: skip
        assert part in text
    assert "\x1b" not in text


def test_nothing_learned_is_said(report: LearnReport) -> None:
    report.scenarios.clear()
    assert "no scenario was written" in plain_text(learn_lines(report, 100))


def test_the_bundle_gets_a_page_and_a_picture(report: LearnReport) -> None:
    add_pages(report)
    assert etree.fromstring((report.output / "callgraph.svg").read_bytes()).tag.endswith("svg")
    page = (report.output / "report.html").read_text()
    tree = html.fromstring(page)
    assert "invite-bye-uac.xml" in tree.xpath("//td/a/@href")
    text = tree.text_content()
    assert "dialog 3 <b>" in text
    assert "Call 1, learned as invite-bye" in text
    assert "<script" not in page
    assert "\x1b" not in page
