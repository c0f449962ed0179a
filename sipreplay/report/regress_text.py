"""The verdict of a regression for a terminal and a page: calls, causes, and both ladders where they part."""

from __future__ import annotations

import html
from collections.abc import Sequence

from sipreplay.bundle.model import Expect
from sipreplay.report.words import plural, printable
from sipreplay.verify.difference import CallVerdict, Difference

WIDTH = 34
MOST_LADDERS = 5
MOST_DIFFERENCES = 12


def call_text(verdict: CallVerdict, expected: Expect, run: Expect | None, *, ladder: bool) -> list[str]:
    """One call in lines."""
    state = "passed" if verdict.passed else "FAILED"
    ids = printable(verdict.call_id) + (f" -> {printable(verdict.run_call_id)}" if verdict.run_call_id else "")
    lines = [f"  {state}  {verdict.scenario} call {verdict.number + 1}  {ids}"]
    if verdict.passed:
        return lines
    for place, difference in enumerate(verdict.differences[:MOST_DIFFERENCES]):
        where = f" at {difference.message}" if difference.message else ""
        lines.append(
            f"    {'first: ' if not place else 'then:  '}[{difference.kind}]{where}: {printable(difference.what)}"
        )
    if len(verdict.differences) > MOST_DIFFERENCES:
        lines.append(f"    and {plural(len(verdict.differences) - MOST_DIFFERENCES, 'more difference')}")
    if ladder and run is not None:
        lines += ["", *(f"    {line}" for line in ladder_lines(verdict, expected, run)), ""]
    return lines


def ladder_lines(verdict: CallVerdict, expected: Expect, run: Expect) -> list[str]:
    """Both ladders side by side; a line where they differ is marked and says how."""
    marks = _marks(verdict.differences)
    lines = [f"{'capture':<{WIDTH}}   {'run':<{WIDTH}}"]
    for row in verdict.rows:
        left, right = _cell(expected, row.expected_at), _cell(run, row.run_at)
        said = marks.get((row.expected_at, row.run_at)) or []
        if not said:
            said = [d for key, ds in marks.items() for d in ds if _meets(key, row.expected_at, row.run_at)]
        differs = bool(said) or left[12:] != right[12:]
        note = "; ".join(dict.fromkeys(printable(d.what) for d in said))
        lines.append(f"{left:<{WIDTH}} {'#' if differs else ' '} {right:<{WIDTH}} {note}".rstrip())
    return lines


def regress_page(title: str, verdict: str, calls: Sequence[tuple[CallVerdict, Expect, Expect | None]]) -> str:
    """A self-contained page."""
    parts = [
        "<!doctype html><meta charset=utf-8>",
        f"<title>{html.escape(printable(title))}</title>",
        "<style>body{font:14px sans-serif;margin:2em;max-width:110em}pre{background:#f6f6f6;padding:1em;overflow:auto}"
        ".failed{color:#a00}.passed{color:#070}</style>",
        f"<h1>{html.escape(printable(title))}</h1><p><b>{html.escape(verdict)}</b></p>",
    ]
    for call, expected, run in calls:
        state = "passed" if call.passed else "failed"
        name = html.escape(f"{call.scenario} call {call.number + 1}")
        parts.append(f"<h2 class={state}>{name}: {state}</h2>")
        text = "\n".join(call_text(call, expected, run, ladder=True))
        parts.append(f"<pre>{html.escape(text)}</pre>")
    return "\n".join(parts) + "\n"


def _marks(differences: Sequence[Difference]) -> dict[tuple[int, int], list[Difference]]:
    found: dict[tuple[int, int], list[Difference]] = {}
    for one in differences:
        found.setdefault((one.expected_at, one.run_at), []).append(one)
    return found


def _meets(key: tuple[int, int], expected_at: int, run_at: int) -> bool:
    """Whether a difference belongs to a line that only one side has."""
    if run_at < 0:
        return key[0] == expected_at
    return expected_at < 0 and key[1] == run_at


def _cell(call: Expect, place: int) -> str:
    if place < 0:
        return ""
    line = call.lines[place]
    when = f"+{call.message[place].at_ms:.0f} ms" if call.message else ""
    return f"{when:>11} {line}"
