from __future__ import annotations

from lxml import etree

from sipreplay.analysis.model import Analysis
from sipreplay.report.ladder import Ladder, call_ladder
from sipreplay.report.ladder_svg import ladder_svg

SVG = "{http://www.w3.org/2000/svg}"


def _tree(svg: str) -> etree._Element:
    return etree.fromstring(svg.encode(), etree.XMLParser(resolve_entities=False, no_network=True))


def test_each_message_and_stream_is_drawn_with_its_class(analysis: Analysis) -> None:
    tree = _tree(ladder_svg(call_ladder(analysis, analysis.calls[0])))
    groups = [g.get("class") for g in tree.iter(SVG + "g") if (g.get("class") or "").startswith("m ")]
    assert groups.count("m media") == 2
    assert groups.count("m request") == 6
    assert groups.count("m success") == 4
    assert groups.count("m provisional") == 3


def test_the_message_is_its_tooltip_and_stays_text(analysis: Analysis) -> None:
    svg = ladder_svg(call_ladder(analysis, analysis.calls[0]))
    tree = _tree(svg)
    titles = [title.text or "" for title in tree.iter(SVG + "title")]
    assert any("<script>alert(1)</script>" in title for title in titles)
    assert "<script" not in svg
    assert not list(tree.iter(SVG + "script"))


def test_tooltips_can_be_left_out(analysis: Analysis) -> None:
    assert "Via:" not in ladder_svg(call_ladder(analysis, analysis.calls[0]), raw=False)


def test_nothing_is_fetched(analysis: Analysis) -> None:
    svg = ladder_svg(call_ladder(analysis, analysis.calls[0]))
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_all_is_inside_the_picture(analysis: Analysis) -> None:
    tree = _tree(ladder_svg(call_ladder(analysis, analysis.calls[0])))
    width, height = float(tree.get("width", 0)), float(tree.get("height", 0))
    for text in tree.iter(SVG + "text"):
        assert 0 <= float(text.get("x", 0)) <= width
        assert 0 <= float(text.get("y", 0)) <= height


def test_an_empty_ladder_is_a_picture_too() -> None:
    assert "no message" in ladder_svg(Ladder("Call 1", [], [], 0.0))
