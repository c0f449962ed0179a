"""A run's verdict as JUnit XML: a test case a scenario, and one for the run itself. What CI servers read.

Everything that comes from a capture or the network is data here: lxml escapes it, and what XML cannot hold
is shown as \\xHH.
"""

from __future__ import annotations

from sipreplay.report.failures import cause_text, failure_counts, failure_examples
from sipreplay.report.model import FAILED, INTERRUPTED, INVALID, RunSummary, ScenarioResult
from sipreplay.report.summary import summary_text
from sipreplay.report.words import plural, printable

MAX_EXAMPLES = 20


def junit_xml(summary: RunSummary) -> bytes:
    """The XML document, UTF-8. A failed scenario is a failure; an invalid or interrupted run is an error."""
    from lxml import etree

    sides = list(summary.sides())
    failures = sum(1 for side in sides if side.statistics.failed)
    run_failed = summary.verdict == FAILED and not failures
    errors = int(summary.verdict in (INVALID, INTERRUPTED))
    suite = etree.Element(
        "testsuite",
        name=printable(summary.name),
        tests=str(len(sides) + 1),
        failures=str(failures + run_failed),
        errors=str(errors),
        skipped="0",
        time=f"{summary.wall_s:.3f}",
    )
    for side in sides:
        _scenario_case(etree.SubElement(suite, "testcase"), side, summary)
    case = etree.SubElement(
        suite, "testcase", classname=printable(summary.name), name="run", time=f"{summary.wall_s:.3f}"
    )
    text = "\n".join(printable(reason) for reason in summary.reasons)
    if errors:
        etree.SubElement(case, "error", type=summary.verdict, message=_first(summary)).text = text
    elif run_failed:
        etree.SubElement(case, "failure", type=summary.verdict, message=_first(summary)).text = text
    etree.SubElement(suite, "system-out").text = _allowed(summary_text(summary))
    root = etree.Element("testsuites")
    root.append(suite)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _first(summary: RunSummary) -> str:
    return printable(summary.reasons[0]) if summary.reasons else summary.verdict


def _allowed(text: str) -> str:
    """Line ends kept, everything else printable."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _scenario_case(case: object, side: ScenarioResult, summary: RunSummary) -> None:
    from lxml import etree

    statistics = side.statistics
    attributes = case.attrib  # type: ignore[attr-defined]
    attributes["classname"] = printable(summary.name)
    attributes["name"] = printable(f"{side.name} {side.role}")
    attributes["time"] = f"{summary.wall_s:.3f}"
    if not statistics.failed:
        return
    counts = failure_counts(statistics)
    message = ", ".join(f"{number} × {cause_text(reason)}" for reason, number in counts)
    failure = etree.SubElement(case, "failure", type=counts[0][0] or "Failed", message=message)
    lines = [f"{plural(statistics.failed, 'call')} of {statistics.created} failed: {message}"]
    for example in failure_examples(statistics)[:MAX_EXAMPLES]:
        got = printable(example.got) or "nothing"
        note = f" ({printable(example.note)})" if example.note else ""
        lines.append(
            f"{example.count} × step {example.step}{note}: expected {printable(example.expected)}, got {got}, "
            f"Call-ID {printable(example.call_id)}"
        )
    failure.text = "\n".join(lines)
