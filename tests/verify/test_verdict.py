from sipreplay.errors import ExitCode
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Histogram
from sipreplay.verify.verdict import Limits, Observed, judge


def calls(good: int = 100, bad: int = 0, late_us: int = 500) -> CallStatistics:
    statistics = CallStatistics(outgoing=good + bad, successful=good)
    for _ in range(bad):
        statistics.fail("UnexpectedMessage")
    statistics.start_lateness.record(late_us, good + bad)
    return statistics


def test_all_calls_good_is_passed() -> None:
    verdict = judge(Observed(calls(), wanted_rate_cps=20, achieved_rate_cps=19.9), Limits())
    assert (verdict.name, verdict.exit_code, verdict.reasons) == ("passed", ExitCode.PASSED, ())


def test_one_failed_call_fails_the_run_and_names_the_cause() -> None:
    verdict = judge(Observed(calls(99, 1)), Limits())
    assert verdict.exit_code == ExitCode.FAILED
    assert verdict.reasons == ("1 of 100 calls failed (UnexpectedMessage 1)",)


def test_a_failure_on_the_answering_side_fails_the_run() -> None:
    verdict = judge(Observed(calls(), uas=calls(99, 1)), Limits())
    assert verdict.exit_code == ExitCode.FAILED
    assert "answering side" in verdict.reasons[0]


def test_late_starts_make_the_run_invalid_even_if_calls_failed() -> None:
    verdict = judge(Observed(calls(90, 10, late_us=80_000)), Limits(lateness_ms=50))
    assert verdict.exit_code == ExitCode.INVALID_RUN
    assert "calls started late" in verdict.reasons[0]
    assert "10 of 100 calls failed" in verdict.reasons[1]


def test_the_rate_that_was_not_held_makes_the_run_invalid() -> None:
    verdict = judge(Observed(calls(), wanted_rate_cps=200, achieved_rate_cps=120), Limits())
    assert verdict.exit_code == ExitCode.INVALID_RUN
    assert "120.0 of 200 calls/s" in verdict.reasons[0]


def test_one_hiccup_among_few_calls_does_not_decide() -> None:
    assert judge(Observed(calls(5, late_us=80_000)), Limits()).exit_code == ExitCode.PASSED


def test_late_rtp_makes_the_run_invalid() -> None:
    lateness = Histogram()
    lateness.record(100, 900)
    lateness.record(40_000, 100)
    verdict = judge(Observed(calls(), media_lateness=lateness), Limits())
    assert verdict.exit_code == ExitCode.INVALID_RUN
    assert "RTP was sent late" in verdict.reasons[0]


def test_one_hiccup_among_few_packets_does_not_decide() -> None:
    lateness = Histogram()
    lateness.record(100, 90)
    lateness.record(40_000, 10)
    assert judge(Observed(calls(), media_lateness=lateness), Limits()).exit_code == ExitCode.PASSED


def test_silence_where_the_capture_has_media_fails_the_run() -> None:
    assert judge(Observed(calls(), calls_silent=3), Limits()).exit_code == ExitCode.FAILED


def test_a_run_without_calls_is_not_passed() -> None:
    verdict = judge(Observed(calls(0)), Limits())
    assert verdict.exit_code == ExitCode.FAILED
    assert verdict.reasons == ("no call was made",)


def test_an_interrupted_run_is_neither() -> None:
    verdict = judge(Observed(calls(3, 1), interrupted=True), Limits())
    assert verdict.exit_code == ExitCode.INTERRUPTED


def test_a_dead_process_makes_the_run_invalid() -> None:
    verdict = judge(Observed(calls(), broken=["the UAS process ended with code 9"]), Limits())
    assert verdict.exit_code == ExitCode.INVALID_RUN
