from __future__ import annotations

from lxml import etree

from sipreplay.report.junit import junit_xml
from sipreplay.report.model import RunSummary


def test_each_side_is_a_case_and_a_failed_one_says_why(summary: RunSummary) -> None:
    suite = etree.fromstring(junit_xml(summary))[0]
    assert suite.get("tests") == "3"
    assert suite.get("failures") == "2"
    assert suite.get("errors") == "0"
    failure = suite.find("testcase[@name='out/bundle uac']/failure")
    assert failure is not None
    assert failure.get("type") == "UnexpectedMessage"
    assert "SIP/2.0 486 Busy Here" in failure.text


def test_an_invalid_run_is_an_error(summary: RunSummary) -> None:
    summary.verdict = "invalid"
    suite = etree.fromstring(junit_xml(summary))[0]
    assert suite.get("errors") == "1"
    error = suite.find("testcase[@name='run']/error")
    assert error is not None
    assert error.get("message") == "14 of 200 calls failed"


def test_a_run_that_failed_without_a_failed_call_is_a_failure(summary: RunSummary) -> None:
    summary.uac.failed = 0
    summary.uas = None
    suite = etree.fromstring(junit_xml(summary))[0]
    assert suite.get("failures") == "1"
    assert suite.find("testcase[@name='run']/failure") is not None
