"""Impairment on purpose, found again by our own measurements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sipreplay.errors import UsageError
from sipreplay.media.impairer import Impairer
from sipreplay.media.impairment import Impairment, parse_jitter
from sipreplay.rtp.quality import QualityState, StreamQuality

STREAMS, PACKETS = 20, 1000


def found(impairment: Impairment) -> StreamQuality:
    """What a receiver of G.711 streams measures, all together; packets come in windows of 40 ms as the sender plans."""
    impairer = Impairer(impairment)
    offset_us = np.arange(PACKETS, dtype=np.int64) * 20_000
    came = []
    for start in range(0, PACKETS, 2):
        packets = np.repeat(np.arange(start, start + 2), STREAMS)
        streams = np.tile(np.arange(STREAMS), 2)
        came.append(impairer.apply(streams, packets, offset_us[packets], offset_us))
    streams, packets, due_us = (np.concatenate(column) for column in zip(*came, strict=True))
    order = np.lexsort((due_us, streams))
    streams, packets, due_us = streams[order], packets[order], due_us[order]
    state = QualityState(STREAMS)
    nothing = np.zeros(len(streams), np.int64)
    state.update(streams, packets, packets * 160, due_us * 1000, nothing, nothing, nothing + 8000)
    results = [state.result(row) for row in range(STREAMS)]
    return replace(
        results[0],
        packets=sum(r.packets for r in results),
        reordered=sum(r.reordered for r in results),
        missing=sum(r.missing for r in results),
        mean_jitter_ms=sum(r.mean_jitter_ms for r in results) / STREAMS,
    )


def test_three_per_cent_of_loss_are_found_within_a_tenth() -> None:
    quality = found(Impairment(loss=0.03))
    assert quality.packets + quality.missing == pytest.approx(STREAMS * PACKETS, abs=STREAMS)
    assert quality.missing / (STREAMS * PACKETS) == pytest.approx(0.03, rel=0.1)
    assert quality.mean_jitter_ms == 0


@pytest.mark.parametrize("distribution", ["normal", "uniform", "exponential"])
@pytest.mark.parametrize("jitter_ms", [5.0, 20.0])
def test_jitter_of_a_distribution_is_found_within_a_tenth(distribution: str, jitter_ms: float) -> None:
    quality = found(Impairment(jitter_ms=jitter_ms, distribution=distribution))
    assert quality.mean_jitter_ms == pytest.approx(jitter_ms, rel=0.1)
    assert quality.missing == 0


def test_packets_out_of_order_are_found_within_a_tenth() -> None:
    quality = found(Impairment(reorder=0.02))
    assert quality.reordered / (STREAMS * PACKETS) == pytest.approx(0.02, rel=0.1)
    assert quality.missing == 0


def test_a_seed_decides() -> None:
    first, again, other = (found(Impairment(loss=0.03, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_command_line_names_distribution_and_milliseconds() -> None:
    assert parse_jitter("20") == ("normal", 20.0)
    assert parse_jitter("uniform:2.5") == ("uniform", 2.5)
    for text in ("pareto:20", "uniform:", "-1", "normal:x", "501", "nan"):
        with pytest.raises(UsageError, match="--media-jitter"):
            parse_jitter(text)
