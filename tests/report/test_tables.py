from __future__ import annotations

from sipreplay.report.lines import plain_text
from sipreplay.report.tables import Heading, table_lines

HEADINGS = (Heading("name", least=8), Heading("count", right=True, keep=True), Heading("note", drop=1))
ROWS = [[("a rather long name of something", ""), ("12,345", ""), ("remark", "")], [("short", ""), ("7", ""), ("", "")]]


def test_a_wide_table_is_aligned() -> None:
    assert plain_text(table_lines(HEADINGS, ROWS, 100)) == (
        "  name                              count  note\n"
        "  a rather long name of something  12,345  remark\n"
        "  short                                 7\n"
    )


def test_texts_give_way_first_then_columns_never_numbers() -> None:
    assert plain_text(table_lines(HEADINGS, ROWS, 40)).splitlines()[1] == "  a rather long name of…  12,345  remark"
    narrow = plain_text(table_lines(HEADINGS, ROWS, 20))
    assert "12,345" in narrow
    assert "note" not in narrow


def test_lines_fit_when_they_can() -> None:
    for width in range(20, 60):
        assert all(len(line) <= width for line in plain_text(table_lines(HEADINGS, ROWS, width)).splitlines())
