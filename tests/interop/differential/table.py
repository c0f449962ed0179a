"""Writes docs/sipp-compatibility.md from the tests: `python -m tests.interop.differential.table`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.interop.differential.features import not_built, rows, used
from tests.interop.differential.proofs import ALSO, DIFFERS, LATER

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "sipp-compatibility.md"
SHOWN_TESTS = 3
EQUAL = "equal four ways"
BESIDE = "equal beside sipp"
REFERENCE = "by the reference, not against a peer"
UNCOMPARED = "built, not compared with a peer"

_HEAD = f"""# What of SIPp is here, row by row

This page is generated from the tests: `make docs`. A test fails if it is not what they say.

| status | means |
|---|---|
| {EQUAL} | in each of the named pairs of scenarios, Debian's sipp 3.6.1 and `sipreplay sipp` have played caller and \
called in all four combinations, with equal messages, packets on the wire, exit codes, final statistics, \
counters of messages, response times, error codes and logs |
| {BESIDE} | the named tests compare it with Debian's sipp in another way |
| {REFERENCE} | later than 3.6.1, so that there is no peer here; the named tests say what it does |
| {UNCOMPARED} | the named tests use it, if there are any |
| differs on purpose | why; more in [sipp.md](sipp.md) |
| not built | asking for it is an error that says this |

`four_ways[NAME]` is a pair of `tests/interop/differential/test_four_ways.py`.
"""


def page() -> str:
    """The whole page."""
    pairs, refused = used(), not_built()
    out = [_HEAD]
    for section, group in groupby(rows(), key=lambda row: row[0]):
        out.append(f"\n## {section.capitalize()}s\n\n| {section} | status | tests |\n|---|---|---|")
        for row in group:
            status, tests = _judged(row, pairs.get(row, []), refused.get(row, ""))
            out.append(f"| `{row[1]}` | {status.replace('|', chr(92) + '|')} | {_shown(tests)} |")
    return "\n".join(out) + "\n"


def _judged(row: tuple[str, str], pairs: list[str], refusal: str) -> tuple[str, list[str]]:
    """Status and the tests that show it."""
    also = list(ALSO.get(row, ()))
    tests = [*(f"four_ways[{name}]" for name in pairs), *also]
    if refusal:
        return f"not built: {refusal}", also
    if row in DIFFERS:
        return f"differs on purpose: {DIFFERS[row]}", tests
    if pairs and row not in LATER:
        return EQUAL, tests
    if row in LATER:
        return REFERENCE if also else UNCOMPARED, also
    if any("interop" in test for test in also):
        return BESIDE, tests
    return UNCOMPARED, tests


def _shown(tests: Iterable[str]) -> str:
    names = [re.sub(r"^tests/", "", name) for name in tests]
    more = f", {len(names) - SHOWN_TESTS} more" if len(names) > SHOWN_TESTS else ""
    return ", ".join(f"`{name}`" for name in names[:SHOWN_TESTS]) + more


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
