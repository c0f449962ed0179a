"""The document of `inspect --json` for the project's captures is what it was when somebody last looked at it."""

from __future__ import annotations

import pytest

from tests.analysis.golden import golden_path, golden_text, names


@pytest.mark.parametrize("name", names())
def test_the_document_is_as_it_was(name: str) -> None:
    assert golden_text(name) == golden_path(name).read_text(), (
        "if that is meant: python -m tests.analysis.golden, and review the diff"
    )


def test_each_golden_file_has_a_capture() -> None:
    assert {path.stem for path in golden_path("x").parent.glob("*.json")} == {
        name.rpartition(".")[0] for name in names()
    }
