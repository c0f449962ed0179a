"""docs/dialogs.md shows the tables that the code has, and names every finding."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sipreplay.analysis import capture_checks, service_checks, session_checks, signalling_checks
from sipreplay.analysis.b2bua import MARKS
from sipreplay.analysis.correlation import TIE_RULES
from sipreplay.analysis.offer_answer import MISSING, TRANSITIONS, VIOLATIONS
from sipreplay.analysis.roles import ROLES
from sipreplay.analysis.transaction_facts import TIMERS

PAGE = (Path(__file__).parents[2] / "docs" / "dialogs.md").read_text().splitlines()

ROWS = [
    *[(t.name, t.source, t.repeats) for t in TIMERS.values()],
    *[(r.name, f"{r.confidence:g}", r.meaning) for r in TIE_RULES],
    *[(m.name, f"{m.weight:g}") for m in MARKS],
    *[(state, kind, step.role, step.state) for (state, kind), step in TRANSITIONS.items()],
    *[(state, kind, what) for (state, kind), what in VIOLATIONS.items()],
    *[(state, f"{kind} without SDP", what) for (state, kind), what in MISSING.items()],
    *ROLES.items(),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:2]))
def test_every_row_of_a_table_is_on_the_page(row: tuple[str, ...]) -> None:
    assert f"| {' | '.join(row)} |" in PAGE


def _rules(module: object) -> set[str]:
    """The slugs of findings that a module makes; those that end in a status are named without it."""
    tree = ast.parse(Path(str(module.__file__)).read_text())  # type: ignore[attr-defined]
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in ("finding", "Finding"):
            continue
        given = next((k.value for k in node.keywords if k.arg == "rule"), node.args[1] if len(node.args) > 1 else None)
        if given is None:
            continue
        for part in ast.walk(given):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and "-" in part.value:
                found.add(part.value)
    return found


@pytest.mark.parametrize("module", [signalling_checks, service_checks, session_checks, capture_checks])
def test_every_finding_is_on_the_page(module: object) -> None:
    page = "\n".join(PAGE)
    rules = _rules(module)
    assert len(rules) > 3
    assert [rule for rule in sorted(rules) if f"`{rule}" not in page] == []
