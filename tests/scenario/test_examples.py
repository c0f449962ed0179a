from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.scenario.checks import check_injection
from sipreplay.scenario.injection import read_injection
from sipreplay.scenario.reader import read_scenario

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.xml")), ids=lambda path: path.name)
def test_examples_are_read_with_their_injection_file(path: Path) -> None:
    users = read_injection((FOLDER / "users.csv").read_text(), "users.csv")
    scenario = read_scenario(path.read_bytes(), str(path))
    check_injection(scenario, [users])
    assert scenario.elements


def test_each_example_is_listed() -> None:
    listed = (FOLDER / "README.md").read_text()
    for path in FOLDER.iterdir():
        if path.suffix in (".xml", ".csv", ".py"):
            assert f"`{path.name}`" in listed
