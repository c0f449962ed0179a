"""Draws the pictures of the documentation from captures and dumps of this repository: `python docs/images/make.py`."""

from __future__ import annotations

from pathlib import Path

from sipreplay.analysis.graph import call_graph
from sipreplay.analysis.reading import analyse
from sipreplay.report.callgraph_svg import graph_svg
from sipreplay.report.ladder import call_ladder
from sipreplay.report.ladder_svg import ladder_svg
from sipreplay.report.plots import plot_dumps

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def main() -> None:
    """Write ladder.svg, callgraph.svg and dumps.png beside this file."""
    analysis = analyse([ROOT / "captures" / "kamailio-auth-record-route.pcap"])
    call = max(analysis.calls, key=lambda one: len(one.dialogs))
    (HERE / "ladder.svg").write_text(ladder_svg(call_ladder(analysis, call), raw=False))
    (HERE / "callgraph.svg").write_text(graph_svg(call_graph(analysis)))
    data = ROOT / "tests" / "report" / "data"
    plot_dumps([data / "sipp361_rtt.csv", data / "sipp361_stat.csv"], HERE / "dumps.png")


if __name__ == "__main__":
    main()
