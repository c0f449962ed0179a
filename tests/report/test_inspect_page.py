from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

from lxml import html

from sipreplay.analysis.model import Analysis, Call, Problem
from sipreplay.report.inspect_page import inspect_page, write_inspect_page


def test_calls_streams_graph_and_ladders_are_on_the_page(analysis: Analysis) -> None:
    tree = html.fromstring(inspect_page(analysis))
    assert len(tree.xpath("//table[@id='calls']/tbody/tr")) == 1
    assert len(tree.xpath("//table[@id='streams']/tbody/tr")) == 2
    assert tree.xpath("//details[@id='call-1']")
    assert tree.xpath("//table[@id='calls']//a/@href") == ["#call-1"]
    text = tree.text_content()
    for part in ("alice@example.com", "10.0.0.77:49152", "completed", "123#", "0xdeadbeef", "3 actors"):
        assert part in text


def test_a_problem_of_the_whole_file_has_no_packet_number(analysis: Analysis) -> None:
    analysis.captures[0].problems = [Problem(0, "holds no packets"), Problem(7, "cut")]
    text = html.fromstring(inspect_page(analysis)).text_content()
    assert "file: holds no packets" in text
    assert "packet 7: cut" in text
    assert "packet 0" not in text


def test_only_the_pages_own_script_may_run(analysis: Analysis) -> None:
    page = inspect_page(analysis)
    tree = html.fromstring(page)
    [script] = tree.xpath("//script/text()")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "<script>alert" not in page
    assert "proxy<b>" not in page


def test_ten_thousand_calls_make_a_page_that_can_be_opened(analysis: Analysis, tmp_path: Path) -> None:
    dialog = analysis.dialogs[0]
    analysis.dialogs = [replace(dialog, id=n, call=n) for n in range(1, 12_001)]
    analysis.calls = [Call(n, [n]) for n in range(1, 12_001)]
    analysis.streams = []
    write_inspect_page(analysis, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert len(text) < 12_000_000
    assert "2000 more calls are not on this page" in text
    assert "Ladders of 11900 more calls" in text


def test_an_empty_capture_has_a_page(analysis: Analysis) -> None:
    empty = Analysis(analysis.captures, [], 0, [], [], [])
    assert "No SIP call or transaction was found." in inspect_page(empty)
