"""The verdict of a regression as JSON (schema `sipreplay/regress/1`) and JUnit XML: a suite a bundle, a case a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sipreplay.bundle.model import Expect
from sipreplay.report.regress_text import call_text
from sipreplay.report.words import printable
from sipreplay.verify.difference import CallVerdict

SCHEMA = "sipreplay/regress/1"


@dataclass(slots=True)
class Suite:
    """One bundle's verdict, as files tell it."""

    name: str
    target: str
    verdict: str
    """passed, failed, invalid or interrupted."""
    exit_code: int
    wall_s: float
    reasons: list[str] = field(default_factory=list)
    calls: list[tuple[CallVerdict, Expect, Expect | None]] = field(default_factory=list)


def regress_json(suites: Sequence[Suite], exit_code: int) -> dict[str, Any]:
    """Plain values."""
    return {
        "schema": SCHEMA,
        "exit_code": exit_code,
        "bundles": [
            {
                "name": suite.name,
                "target": suite.target,
                "verdict": suite.verdict,
                "exit_code": suite.exit_code,
                "reasons": suite.reasons,
                "calls": [
                    {
                        "scenario": call.scenario,
                        "number": call.number,
                        "call_id": call.call_id,
                        "run_call_id": call.run_call_id or None,
                        "verdict": "passed" if call.passed else "failed",
                        "differences": [asdict(one) for one in call.differences],
                        "expected": expected.lines,
                        "run": run.lines if run is not None else None,
                    }
                    for call, expected, run in suite.calls
                ],
            }
            for suite in suites
        ],
    }


def regress_junit(suites: Sequence[Suite]) -> bytes:
    """UTF-8. A call that differs is a failure; an invalid or interrupted run is an error."""
    from lxml import etree

    root = etree.Element("testsuites")
    for suite in suites:
        failed = sum(not call.passed for call, _, _ in suite.calls)
        broken = suite.verdict in ("invalid", "interrupted")
        also = int(suite.verdict == "failed" and bool(suite.reasons))
        element = etree.SubElement(
            root,
            "testsuite",
            name=printable(suite.name),
            tests=str(len(suite.calls) + 1),
            failures=str(failed + also),
            errors=str(int(broken)),
            skipped="0",
            time=f"{suite.wall_s:.3f}",
        )
        for call, expected, run in suite.calls:
            name = f"{call.scenario} call {call.number + 1}"
            case = etree.SubElement(element, "testcase", classname=printable(suite.name), name=printable(name))
            if not call.passed:
                first = call.differences[0]
                failure = etree.SubElement(case, "failure", type=first.kind, message=printable(first.what))
                failure.text = "\n".join(map(printable, call_text(call, expected, run, ladder=True)))
        case = etree.SubElement(element, "testcase", classname=printable(suite.name), name="run")
        if broken or also:
            kind = "error" if broken else "failure"
            message = printable(suite.reasons[0]) if suite.reasons else suite.verdict
            etree.SubElement(case, kind, type=suite.verdict, message=message)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
