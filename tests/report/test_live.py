from __future__ import annotations

import io
import re

from sipreplay.report.live import LiveNumbers, LiveView, live_line


def _numbers(elapsed_s: float, created: int, **more: object) -> LiveNumbers:
    return LiveNumbers(elapsed_s, created, 3, created - 3, 0, wanted_calls=100, **more)  # type: ignore[arg-type]


def test_a_pipe_gets_a_plain_line_every_few_seconds() -> None:
    stream = io.StringIO()
    with LiveView(stream) as view:
        for quarter in range(1, 49):
            view.update(_numbers(quarter / 4, quarter * 5))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("5.00 s · calls 100/100 · 20/s")
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_one_line_that_is_gone_at_the_end() -> None:
    stream = io.StringIO()
    with LiveView(stream, terminal=True) as view:
        view.update(_numbers(1.0, 20, not_started=2, rtp_sent=1000, rtp_received=900, rtp_lost=100))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "passed 17" in text
    assert "1.00 s · calls 20/100" in text


def test_the_line_tells_of_trouble_only_when_there_is_some() -> None:
    assert "late" not in live_line(_numbers(1.0, 20), 20)
    line = live_line(_numbers(1.0, 20, lateness_ms=12.5, not_started=4, retransmissions=2, stopping=True), 20)
    for part in ("late 12.5 ms", "not started 4", "retransmissions 2", "ending open calls"):
        assert part in line


def test_what_is_done_comes_from_calls_or_time() -> None:
    assert _numbers(1.0, 53).done == 0.5
    assert LiveNumbers(5.0, 1, 1, 0, 0, wanted_s=20.0).done == 0.25
    assert LiveNumbers(5.0, 1, 1, 0, 0).done is None
