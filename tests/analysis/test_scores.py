"""What goes into a stream's MOS: loss, what comes too late, delay; and what has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sipreplay.analysis.model import Address, Stream
from sipreplay.analysis.scores import delay_of, score, windows_of
from sipreplay.rtp.emodel import mos
from sipreplay.rtp.windows import RECORD

A, B = Address("192.0.2.1", 4000), Address("192.0.2.2", 4000)
PLAIN = Stream(A, B, 9, [0], "PCMU", 1000, 0, 0, 0, 20, 21, 0.5, 1, None, "", 1000, 1020, 1, "audio", ptime_ms=20)
WORST = np.array([(1, 1, 400, 100, 5, 50, 1.5, 3.5)], RECORD)


def scored(**changes: object) -> Stream:
    stream = replace(PLAIN, **changes)  # type: ignore[arg-type]
    score(stream, WORST[0])
    return stream


def test_what_comes_too_late_is_lost_to_the_listener() -> None:
    assert scored(discarded=50).mos == scored(packets=950, lost=50, missing=50).mos == mos("PCMU", 0.05)


def test_a_turn_of_the_numbers_is_no_loss() -> None:
    assert scored(lost=65536, missing=0).mos == scored().mos


def test_delay_is_half_the_round_trip_a_packet_and_the_buffer() -> None:
    assert delay_of(scored(round_trip_ms=300)) == 230
    assert scored(round_trip_ms=300).mos == mos("PCMU", 0.0, delay_ms=230)
    assert delay_of(scored()) == 0


def test_the_worst_ten_seconds() -> None:
    stream = scored()
    assert stream.mos_worst == pytest.approx(mos("PCMU", 0.3, burst=20 * 0.8))
    assert stream.mos_worst_at == 1010


@pytest.mark.parametrize("changes", [{"media": "video"}, {"codec": "opus"}, {"codec": ""}])
def test_no_score(changes: dict[str, str]) -> None:
    stream = scored(**changes)
    assert (stream.mos, stream.mos_worst, stream.mos_worst_at) == (None, None, None)


def test_windows_have_times_and_scores() -> None:
    (window,) = windows_of(replace(PLAIN, windows=WORST))
    assert window[:6] == (1010, 400, 100, 50, 1.5, 3.5)
    assert window.mos == scored().mos_worst
    assert windows_of(PLAIN) == []
    (dark,) = windows_of(replace(PLAIN, windows=WORST, media="video"))
    assert (dark.discarded, dark.mos) == (0, None)
