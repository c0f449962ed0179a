"""Why calls failed: SIPp's reasons in words, counted and with their examples, most frequent first."""

from __future__ import annotations

from sipreplay.stats.calls import FAILURE_REASONS, CallStatistics, FailureExample

CAUSES = {
    "CannotSendMessage": "message could not be sent",
    "MaxUDPRetrans": "no answer to retransmissions",
    "TcpConnect": "TCP connection refused",
    "TcpClosed": "TCP connection closed",
    "UnexpectedMessage": "unexpected message",
    "CallRejected": "call rejected",
    "CmdNotSent": "command not sent",
    "RegexpDoesntMatch": "regular expression did not match",
    "RegexpShouldntMatch": "regular expression should not have matched",
    "RegexpHdrNotFound": "header to search was not there",
    "OutboundCongestion": "outbound congestion",
    "TimeoutOnRecv": "timeout while waiting for a message",
    "TimeoutOnSend": "timeout after sending",
    "TestDoesntMatch": "test not true",
    "TestShouldntMatch": "test should not have been true",
    "StrcmpDoesntMatch": "strings differ",
    "StrcmpShouldntMatch": "strings should have differed",
    "": "ended without a counted cause",
}
"""SIPp's failure reasons (stats.calls.FAILURE_REASONS), in words."""


def cause_text(cause: str) -> str:
    """A failure reason in words; unknown ones as they are."""
    return CAUSES.get(cause, cause)


def failure_counts(statistics: CallStatistics) -> list[tuple[str, int]]:
    """Reason and count, most frequent first; the rest without a reason under ""."""
    known = [(reason, n) for reason, n in statistics.failures.items() if n]
    rest = statistics.failed - sum(n for _, n in known)
    if rest > 0:
        known.append(("", rest))
    order = {reason: index for index, reason in enumerate(FAILURE_REASONS)}
    return sorted(known, key=lambda item: (-item[1], order.get(item[0], 99)))


def failure_examples(statistics: CallStatistics) -> list[FailureExample]:
    """The ways in which calls failed, most frequent first."""
    return sorted(statistics.examples.values(), key=lambda example: -example.count)
