from __future__ import annotations

import io

from sipreplay.report.lines import plain_text, write_lines
from sipreplay.report.model import Artefact, RunSummary, ScenarioResult
from sipreplay.report.summary import print_summary, summary_lines, summary_text


def test_says_what_was_made_passed_and_failed_and_why(summary: RunSummary) -> None:
    text = summary_text(summary)
    assert "200 made" in text
    assert "186 passed (93 %)" in text
    assert "14 failed" in text
    assert "6 not started (limit 60)" in text
    assert "12 × unexpected message" in text
    assert "11 at step 4: expected 200, got SIP/2.0 486 Busy Here" in text
    assert "packet 17 of trace.pcap · Call-ID 17@h" in text
    assert "19.98 calls/s achieved" in text


def test_failures_without_a_column_are_told_too(summary: RunSummary) -> None:
    assert "2 × ended without a counted cause" in summary_text(summary)


def test_media_loss_jitter_and_silence_are_told(summary: RunSummary) -> None:
    text = summary_text(summary)
    assert "101,231 packets in 400 streams" in text
    assert "131 lost (0.1 %)" in text
    assert "2 of 400 calls that expect RTP received none" in text
    assert "SCHED_FIFO" in text


def test_the_verdict_stands_last_with_its_exit_code(summary: RunSummary) -> None:
    lines = summary_text(summary).rstrip().split("\n")
    assert lines[-2].strip() == "FAILED  14 of 200 calls failed  (exit code 1)"
    assert lines[-1].strip() == "2 calls received no RTP"


def test_a_peer_cannot_send_escape_sequences_to_the_terminal(summary: RunSummary) -> None:
    assert "\x1b" not in summary_text(summary)


def test_a_pipe_gets_no_colours_and_a_terminal_does(summary: RunSummary) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    piped, terminal = io.StringIO(), Terminal()
    print_summary(summary, piped)
    write_lines(summary_lines(summary), terminal)
    assert "\x1b" not in piped.getvalue()
    assert piped.getvalue() == summary_text(summary)
    assert plain_text(summary_lines(summary)).split()[0] in terminal.getvalue()


def test_a_bundle_lists_its_scenarios_and_names_where_calls_failed(summary: RunSummary) -> None:
    assert summary.uas is not None
    summary.scenarios = [
        ScenarioResult("register", "uac", summary.uas),
        ScenarioResult("invite", "uac", summary.uac),
        ScenarioResult("invite", "uas", summary.uas),
    ]
    text = summary_text(summary)
    assert "register" in text
    assert "Failed, uac invite" in text


def test_a_run_without_anything_measured_still_has_a_summary(summary: RunSummary) -> None:
    empty = RunSummary("x", type(summary.uac)())
    assert "0 made · 0 passed (-)" in summary_text(empty)


def test_many_files_are_counted_not_listed(summary: RunSummary) -> None:
    summary.artefacts = [Artefact(f"s{n}_stat.csv", "") for n in range(30)] + [Artefact("report.html", "page")]
    text = summary_text(summary)
    assert "report.html" in text
    assert "and 30 more files" in text
    assert "s7_stat.csv" not in text


def test_rows_fit_the_width_and_go_on_under_their_first_part(summary: RunSummary) -> None:
    for width in (80, 100, 120):
        lines = summary_text(summary, width).splitlines()
        assert max(map(len, lines)) <= width
    lines = summary_text(summary, 80).splitlines()
    row = next(index for index, line in enumerate(lines) if line.startswith("  RTP received"))
    assert lines[row + 1].startswith(" " * 15)
    assert "jitter p50" in lines[row + 1]


def test_users_are_told_instead_of_a_rate(summary: RunSummary) -> None:
    summary.users = 50
    assert "50 users kept calling" in summary_text(summary)


def test_why_a_call_failed_is_never_cut(summary: RunSummary) -> None:
    for example in next(iter(summary.sides())).statistics.examples.values():
        example.got = "no answer after 5 retransmissions: nothing listens on 192.0.2.7:5060 (port unreachable)"
    text = " ".join(summary_text(summary, 80).split())
    assert "nothing listens on 192.0.2.7:5060 (port unreachable)" in text
