import re

import pytest

from sipreplay.errors import ExitCode
from sipreplay.media.results import CallMedia, MediaSummary, QualityLimits
from sipreplay.stats.calls import CallStatistics
from sipreplay.stats.histogram import Histogram
from sipreplay.stats.legs import ANSWERING_FAILED, NOT_FORWARDED, LegTotals
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


def heard(*records: CallMedia, limits: QualityLimits) -> MediaSummary:
    media = MediaSummary()
    for record in records:
        media.count_port(record, limits)
        media.count_call(record.sent_packets, record.received_packets)
    return media


def stream(lost: int = 0, jitter_ms: float = 1.0, mos: float = 4.4, *, sent: int = 100) -> CallMedia:
    return CallMedia(
        0, 1, 10000, sent, received_packets=100 - lost, lost=lost, jitter_measured=jitter_ms > 0,
        mean_jitter_ms=jitter_ms, mos=mos,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quality", "good", "bad", "words"),
    [
        (QualityLimits(min_mos=4.0), stream(mos=4.0), stream(mos=3.9), "MOS below 4 .*lowest is 3.90"),
        (QualityLimits(min_mos=4.0), stream(), stream(mos=0.0), "1 of 2 received streams have no MOS"),
        (QualityLimits(max_loss=0.03), stream(lost=3), stream(lost=4), "more than 3.00%.*worst lost 4.00%"),
        (QualityLimits(max_jitter_ms=20), stream(jitter_ms=20), stream(jitter_ms=20.5), "more than 20 ms.*20.5 ms"),
        (QualityLimits(max_jitter_ms=20), stream(), stream(jitter_ms=0.0), "have no jitter"),
    ],
)
def test_a_stream_beyond_a_threshold_fails_the_run_and_one_on_it_does_not(
    quality: QualityLimits, good: CallMedia, bad: CallMedia, words: str
) -> None:
    limits = Limits(quality=quality)
    assert judge(Observed(calls(), media=heard(good, good, limits=quality)), limits).exit_code == ExitCode.PASSED
    verdict = judge(Observed(calls(), media=heard(good, bad, limits=quality)), limits)
    assert verdict.exit_code == ExitCode.FAILED
    assert re.search(words, verdict.reasons[0]), verdict.reasons
    assert judge(Observed(calls(), media=MediaSummary()), limits).exit_code == ExitCode.FAILED, "nothing was shown"
    assert judge(Observed(calls(), media=heard(bad, limits=QualityLimits())), Limits()).exit_code == ExitCode.PASSED


def test_media_both_ways_is_asked_of_every_good_call() -> None:
    media = heard(stream(), stream(), stream(sent=0), limits=QualityLimits())
    both = Limits(require_media="both")
    assert judge(Observed(calls(), media=media, media_calls=2), both).exit_code == ExitCode.PASSED
    verdict = judge(Observed(calls(), media=media, media_calls=3), both)
    assert verdict.reasons == ("1 of 3 good calls had no RTP both ways (--require-media)",)
    assert judge(Observed(calls(), media=media, media_calls=3), Limits(require_media="received")).exit_code == 0
    assert "no good call uses media" in judge(Observed(calls(), media=MediaSummary()), both).reasons[0]


def test_a_run_that_was_too_much_says_how_many_streams_the_machine_holds() -> None:
    lateness = Histogram()
    lateness.record(40_000, 2000)
    # 500,000 packets of streams that send 50 a second took 4 s of CPU, and 1 s of waiting for it.
    media = MediaSummary(streams=3000, rates=150_000, peak_streams=3000, sent_packets=500_000, run_s=4, wait_s=1)
    media.processes = 1
    verdict = judge(Observed(calls(), media_lateness=lateness, media=media), Limits())
    assert verdict.exit_code == ExitCode.INVALID_RUN
    assert "hold about 1700 such streams, and 3000 were sent" in verdict.reasons[0]
    media.peak_streams = 100
    assert (
        "other work held it up" in judge(Observed(calls(), media_lateness=lateness, media=media), Limits()).reasons[0]
    )


def test_causes_of_calls_with_two_legs_are_told_apart_with_what_to_do() -> None:
    totals = LegTotals(calls=4, ended=4, passed=1)
    for cause in (NOT_FORWARDED, NOT_FORWARDED, ANSWERING_FAILED):
        totals.fail(cause, "a call")
    verdict = judge(Observed(calls(4), legs=totals), Limits())
    assert verdict.exit_code == ExitCode.FAILED
    assert verdict.reasons == (
        "the answering leg failed in 1 of 4 calls",
        "the system under test did not forward in 2 of 4 calls; "
        "tell it where to, or say --callers-only if others answer behind it",
    )


def test_a_call_of_nobody_at_the_answering_side_fails_the_run() -> None:
    verdict = judge(Observed(calls(4), legs=LegTotals(calls=4, ended=4, passed=4, unlinked=1)), Limits())
    assert verdict.reasons == ("1 calls arrived at the answering side and belong to no call of this run",)
