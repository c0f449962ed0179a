from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lxml import etree

from sipreplay.dumps.rtt import RttWriter
from sipreplay.errors import DumpError, TransportError, UsageError
from sipreplay.report.charts import plain_numbers
from sipreplay.report.plots import headline, load_dumps, plot_dumps, samples_svg, statistics_svg


def _svg_text(path: Path) -> str:
    return " ".join(etree.fromstring(path.read_bytes()).itertext())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("sipp361_rtt.csv", ".png"), ("sipp361_stat.csv", ".html"), ("sipp361_uas_stat.csv", ".svg")],
)
def test_sipps_own_dumps_are_drawn_in_every_form(data: Path, tmp_path: Path, name: str, suffix: str) -> None:
    output = tmp_path / f"chart{suffix}"
    plot_dumps([data / name], output)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".html": b"<!doctype html>"}[suffix]
    assert output.read_bytes().startswith(start)
    assert "pyplot" not in " ".join(module for module in sys.modules if module.startswith("matplotlib"))


def test_our_own_response_times_are_drawn(tmp_path: Path) -> None:
    with RttWriter(tmp_path / "a_rtt.csv") as writer:
        for number in range(100):
            writer.record(number * 20.0, 3.5 + number % 7, "1" if number % 2 else "ring")
    dumps = load_dumps([tmp_path / "a_rtt.csv"])
    assert [one.label for one in dumps.samples] == ["a ring", "a 1"]
    plot_dumps([tmp_path / "a_rtt.csv"], tmp_path / "a.png")


def test_the_page_says_what_was_measured(data: Path) -> None:
    title, detail = headline(load_dumps([data / "sipp361_stat.csv", data / "sipp361_rtt.csv"]))
    assert title == "Response times and statistics: sipp361"
    assert "395 response times" in detail
    assert "396 calls, 383 passed, 13 failed" in detail


def test_charts_in_a_page_have_their_labels_units_and_legend(data: Path) -> None:
    dumps = load_dumps([data / "sipp361_stat.csv", data / "sipp361_rtt.csv"])
    text = statistics_svg(dumps.statistics) + samples_svg(dumps.samples)
    for part in ("calls/s", "time since start (s)", "target", "achieved", "retransmissions", "MaxUDPRetrans",
                 "response time (ms)", "p95", "p99", "share of calls (%)"):  # fmt: skip
        assert part in text
    assert "10.66 calls/s over all" in text


def test_several_dumps_lie_over_each_other_with_names(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other_rtt.csv"
    other.write_bytes((data / "sipp361_rtt.csv").read_bytes())
    dumps = load_dumps([data / "sipp361_rtt.csv", other])
    svg = samples_svg(dumps.samples)
    assert "sipp361 p50" in svg
    assert "other p95" in svg


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_dumps_of_no_or_one_row_are_drawn(data: Path, tmp_path: Path, rows: int) -> None:
    for name in ("sipp361_rtt.csv", "sipp361_stat.csv"):
        lines = (data / name).read_text().split("\n")[: rows + 1]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    plot_dumps([tmp_path / "sipp361_rtt.csv", tmp_path / "sipp361_stat.csv"], tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text()
    assert ("The dumps have no rows" in text) == (rows == 0)
    plot_dumps([tmp_path / "sipp361_rtt.csv"], tmp_path / "x.svg")
    assert etree.fromstring((tmp_path / "x.svg").read_bytes()).tag.endswith("svg")


def test_a_cut_dump_is_drawn_and_the_cut_is_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cut_stat.csv").write_bytes((data / "sipp361_stat.csv").read_bytes()[:-100])
    dumps = load_dumps([tmp_path / "cut_stat.csv"])
    assert "1 damaged line left out" in headline(dumps)[1]


def test_times_below_the_resolution_are_not_called_missing(data: Path) -> None:
    dumps = load_dumps([data / "sipp361_uas_stat.csv"])
    assert "all below 1 ms, the dump's resolution" in statistics_svg(dumps.statistics)


def test_wrong_names_and_files_are_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"chart\.pdf: the name of a chart ends in \.png, \.svg, \.html"):
        plot_dumps([data / "sipp361_rtt.csv"], tmp_path / "chart.pdf")
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(DumpError, match=r"notes\.txt: neither a -trace_stat nor a -trace_rtt file"):
        plot_dumps([tmp_path / "notes.txt"], tmp_path / "chart.png")
    with pytest.raises(DumpError, match=r"none\.csv: cannot be read: No such file"):
        plot_dumps([tmp_path / "none.csv"], tmp_path / "chart.png")
    with pytest.raises(TransportError, match="cannot be written"):
        plot_dumps([data / "sipp361_rtt.csv"], tmp_path / "no" / "chart.png")
    assert not (tmp_path / "chart.png").exists()


def test_ids_of_several_charts_in_a_page_do_not_meet(data: Path) -> None:
    dumps = load_dumps([data / "sipp361_rtt.csv"])
    ids = [set(etree.fromstring(samples_svg(dumps.samples, ident).encode()).xpath("//@id")) for ident in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_absurd_numbers_in_a_dump_are_drawn_as_far_as_they_go(data: Path, tmp_path: Path) -> None:
    header, *rows = (data / "sipp361_stat.csv").read_text().splitlines()
    cells = [row.split(";") for row in rows[:4]]
    absurd = ("nan", "inf", "-5", "1e300")
    for row in cells:
        for column in (5, 6, 13, 17, 90):
            row[column] = absurd[column % 4]
    (tmp_path / "odd_stat.csv").write_text("\n".join([header, *(";".join(row) for row in cells)]) + "\n")
    samples = "".join(f"{cell};{cell};1\n" for cell in absurd)
    (tmp_path / "odd_rtt.csv").write_text(f"Date_ms;response_time_ms;rtd_no\n{samples}5;6;1\n")
    plot_dumps([tmp_path / "odd_stat.csv", tmp_path / "odd_rtt.csv"], tmp_path / "odd.svg")
    assert etree.fromstring((tmp_path / "odd.svg").read_bytes()).tag.endswith("svg")


def test_numbers_between_powers_of_ten_are_plain() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set_yscale("log")
    axes.set_ylim(0.4, 8)
    plain_numbers(axes.yaxis)
    axes.figure.draw_without_rendering()
    labels = {label.get_text() for label in axes.yaxis.get_minorticklabels()} - {""}
    assert "4" in labels
    assert all(float(label) > 0 for label in labels)
