"""The table of SIPp's features is what the tests say, and each of its rows names tests that there are."""

from __future__ import annotations

from pathlib import Path

from sipreplay.compat.option_table import NOT_YET, OPTIONS
from sipreplay.scenario.actions import _READERS
from tests.interop.differential.features import not_built, rows, used
from tests.interop.differential.groups.all import PAIRS
from tests.interop.differential.proofs import ALSO, DIFFERS, LATER
from tests.interop.differential.table import EQUAL, PAGE, UNCOMPARED, page

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_the_one_that_the_tests_make() -> None:
    assert PAGE.read_text() == page(), "run make docs"


def test_every_test_that_is_named_is_there() -> None:
    for tests in ALSO.values():
        for test in tests:
            file, _, function = test.partition("::")
            assert f"def {function}(" in (ROOT / file).read_text(), test


def test_what_is_said_of_rows_is_said_of_rows_that_there_are() -> None:
    assert {*ALSO, *DIFFERS, *LATER} <= set(rows())


def test_every_action_and_option_has_a_row() -> None:
    names = {name for _, name in rows()}
    assert {f"<{action}>" for action in _READERS} <= names
    assert {f"-{option}" for option in (*OPTIONS, *NOT_YET)} <= names


def test_most_of_the_table_is_shown_by_pairs() -> None:
    """Elements, their attributes, keywords and actions of 3.6.1 that are built are played four ways, but for a few."""
    assert len(PAIRS) >= 40
    text = page()
    assert text.count(f"| {EQUAL} |") > 250
    assert text.count(f"| {UNCOMPARED} |") < 40
    missing = set(rows()) - set(used()) - set(not_built()) - set(ALSO) - LATER - set(DIFFERS)
    assert {section for section, _ in missing} <= {
        "element",
        "action",
        "option",
        "keyword",
        "distribution",
        "default message",
    }
