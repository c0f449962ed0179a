from __future__ import annotations

from pathlib import Path

import networkx
import pytest

from sipreplay.analysis.model import Analysis
from sipreplay.errors import TransportError, UsageError
from sipreplay.report.graph_file import write_graph


def test_graphml_can_be_read_back(analysis: Analysis, tmp_path: Path) -> None:
    write_graph(analysis, tmp_path / "graph.graphml")
    graph = networkx.read_graphml(tmp_path / "graph.graphml")
    assert graph.number_of_nodes() == 3
    assert graph.number_of_edges() == 4


def test_svg_is_written(analysis: Analysis, tmp_path: Path) -> None:
    write_graph(analysis, tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")


def test_another_extension_is_refused(analysis: Analysis, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"graph\.dot: the name ends in \.svg, \.graphml or \.json"):
        write_graph(analysis, tmp_path / "graph.dot")


def test_a_folder_that_is_not_there_is_told(analysis: Analysis, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"g\.svg: cannot be written: No such file"):
        write_graph(analysis, tmp_path / "none" / "g.svg")
