"""The page of `inspect --html`: what it carries, and that nothing of a capture can be markup or script on it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Address, Analysis, Call, Evidence, HopDialog, Problem
from sipreplay.report.inspect_data import CALL_FIELDS, ROW_FIELDS, STREAM_FIELDS
from sipreplay.report.inspect_page import inspect_page, write_inspect_page
from sipreplay.report.packing import unpacked


def block(page: str, name: str) -> Any:
    [text] = html.fromstring(page).xpath(f"//script[@id='data-{name}']/text()")
    return unpacked(text)


def named(fields: tuple[str, ...], row: list[Any]) -> dict[str, Any]:
    return dict(zip(fields, row, strict=True))


def test_the_page_carries_calls_streams_and_findings(analysis: Analysis) -> None:
    finding = Finding(Severity.WARNING, "loss", "3 lost", "of 601", "look at the link", (1,), (1,), (1,), ((0, 9),))
    page = inspect_page(analysis, [finding])
    index = block(page, "index")
    [call] = index["calls"]
    got = named(CALL_FIELDS, call)
    assert (got["id"], got["from"], got["to"]) == (1, "alice@example.com", "bob@example.com")
    assert (got["state"], got["mos_text"], got["lost_text"], got["retransmissions"]) == (
        "completed",
        "4.31/4.41",
        "3/0",
        2,
    )
    assert (got["errors"], got["warnings"], got["notes"]) == (0, 1, 0)
    assert got["streams"] == [0, 1]
    first = named(STREAM_FIELDS, index["streams"][0])
    assert (first["call"], first["ssrc"], first["dtmf"], first["lost"]) == (1, "0xdeadbeef", "123#", 3)
    assert index["findings"][0]["calls"] == [1]
    assert index["findings"][0]["streams"] == [0]
    assert index["fields"] == {"call": list(CALL_FIELDS), "stream": list(STREAM_FIELDS), "row": list(ROW_FIELDS)}


def test_a_ladder_has_its_columns_rows_and_message_texts(analysis: Analysis) -> None:
    page = inspect_page(analysis, [])
    ladder = block(page, "ladders0")["1"]
    assert [column[0] for column in ladder["columns"]] == [
        "10.0.0.1:5060",
        "192.168.100.20:5060",
        "10.0.0.77:49152",
    ]
    rows = [named(ROW_FIELDS, row) for row in ladder["rows"]]
    assert [row["label"] for row in rows if row["style"] == "request"] == [
        "INVITE",
        "INVITE",
        "ACK",
        "ACK",
        "BYE",
        "BYE",
    ]
    assert rows[0]["raw"].startswith("INVITE sip:bob@h SIP/2.0\n")
    assert [row["again"] for row in rows if row["again"]] == [2]
    assert sorted(row["stream"] for row in rows if row["style"] == "media") == [0, 1]
    assert ladder["evidence"] == [["Call-ID", 1.0]]


def test_the_frame_has_a_place_for_every_view(analysis: Analysis) -> None:
    tree = html.fromstring(inspect_page(analysis, []))
    for name in ("calls", "streams", "findings", "graph"):
        assert tree.xpath(f"//button[@id='tab-{name}'][@aria-controls='{name}']")
        assert tree.xpath(f"//section[@id='{name}']")
    assert "3 actors" in tree.xpath("//section[@id='graph']")[0].text_content()


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched(analysis: Analysis) -> None:
    tree = html.fromstring(inspect_page(analysis, []))
    [script] = tree.xpath("//script[not(@type)]/text()")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    assert not tree.xpath("//link | //img | //iframe | //script[@src] | //*[starts-with(name(@*), 'on')]")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066\u200f",
    "\x1b[31m\x00\x07",
    "{{ 7*7 }}<!--",
    "\udcff\udcfe",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_capture_says_is_never_markup(analysis: Analysis, message: Any, text: str) -> None:
    caller, callee = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060)
    hostile = message(
        1, 0.0, caller, callee, f"INVITE sip:{text} SIP/2.0", "1 INVITE", extra=f"User-Agent: {text}\nReason: {text}\n"
    )
    dialog = HopDialog(1, "invite", text, "1", "", caller, callee, "UDP", messages=[hostile], state="setup", call=1)
    analysis.dialogs[:] = [dialog]
    analysis.calls[:] = [Call(1, [1], [Evidence((1,), text, 1.0)])]
    analysis.streams[:] = [replace(analysis.streams[0], codec=text, dtmf=text, dialog=1)]
    analysis.captures[0].path = f"/tmp/{text.replace('/', '_')}"
    analysis.captures[0].problems = [Problem(1, text)]
    finding = Finding(Severity.ERROR, "rule", text, text, text, (1,))
    page = inspect_page(analysis, [finding])
    tree = html.fromstring(page)
    assert len(tree.xpath("//script[not(@type)]")) == 1
    assert not tree.xpath("//img | //*[@onload] | //*[@onerror]")
    assert all(set(data) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") for data in
               tree.xpath("//script[@type='application/gzip']/text()"))  # fmt: skip
    for name in ("index", "ladders0"):
        shown = json.dumps(block(page, name), ensure_ascii=False) + page
        assert not set(shown) & set("\u202e\u2066\u200f\x1b\x00\x07\udcff")


def test_thousands_of_calls_make_a_page_that_can_be_opened(analysis: Analysis, tmp_path: Path) -> None:
    dialog = analysis.dialogs[0]
    analysis.dialogs = [replace(dialog, id=n, call=n, alias_of=None) for n in range(1, 2_001)]
    analysis.calls = [Call(n, [n]) for n in range(1, 2_001)]
    analysis.streams = [replace(analysis.streams[0], dialog=n) for n in range(1, 2_001)]
    said = write_inspect_page(analysis, tmp_path / "page.html", [])
    assert "2,000 calls" in said
    page = (tmp_path / "page.html").read_text()
    assert len(page) < 2_000_000
    index = block(page, "index")
    chunks = [named(CALL_FIELDS, call)["chunk"] for call in index["calls"]]
    assert chunks == sorted(chunks)
    assert chunks[0] == 0
    assert "2000" in block(page, f"ladders{chunks[-1]}")
    nodes = html.fromstring(page).xpath("count(//*)")
    assert nodes < 1000, "rows are made when they are looked at"


def test_what_is_not_on_the_page_is_told(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipreplay.report.inspect_page.MAX_CALLS", 5)
    monkeypatch.setattr("sipreplay.report.inspect_page.MAX_LADDER_BYTES", 1)
    monkeypatch.setattr("sipreplay.report.packing.CHUNK_BYTES", 1)
    analysis.calls = [Call(n, [1]) for n in range(1, 8)]
    page = inspect_page(analysis, [])
    text = html.fromstring(page).text_content()
    assert "Not on this page: 2 more calls: choose with --filter" in text
    assert "the ladders of 4 calls: sipreplay inspect --call N" in text
    assert [named(CALL_FIELDS, call)["chunk"] for call in block(page, "index")["calls"]] == [0, -1, -1, -1, -1]


def test_a_problem_of_the_whole_file_has_no_packet_number(analysis: Analysis) -> None:
    analysis.captures[0].problems = [Problem(0, "holds no packets"), Problem(7, "cut")]
    text = html.fromstring(inspect_page(analysis, [])).text_content()
    assert "file: holds no packets" in text
    assert "packet 7: cut" in text
    assert "packet 0" not in text


def test_an_empty_capture_has_a_page(analysis: Analysis) -> None:
    page = inspect_page(Analysis(analysis.captures, [], 0, [], [], []), [])
    assert block(page, "index")["calls"] == []
    assert block(page, "windows") == []
