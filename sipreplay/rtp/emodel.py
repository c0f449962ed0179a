"""A mean opinion score from codec, loss and delay: the E-model, narrowband (ITU-T G.107) and wideband (G.107.1), with
the codec figures of G.113.

Echo is taken as absent. Where the delay is not known it is taken as 0, so that the score is an upper bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_R_CLEAN = 93.2
"""R of a narrowband connection with default parameters and no impairment."""
_R_CLEAN_WIDE = 129.0
"""The same of a wideband one (G.107.1 section 7.2)."""
_DEFAULT_BPL = 4.3
"""G.107's and G.107.1's default for a codec without a published figure: no concealment, the low end of the range."""


class CodecFigures(NamedTuple):
    """What a codec costs."""

    impairment: float
    """Ie, or Ie,WB."""
    robustness: float
    """Bpl: the larger, the less a loss is heard."""
    wide: bool = False


_CODECS: dict[str, CodecFigures] = {
    "PCMU": CodecFigures(0.0, 25.1),
    "PCMA": CodecFigures(0.0, 25.1),
    "G729": CodecFigures(11.0, 19.0),
    "G723": CodecFigures(15.0, 16.1),
    "GSM": CodecFigures(20.0, 10.0),
    "GSM-EFR": CodecFigures(5.0, 10.0),
    "AMR": CodecFigures(5.0, 10.0),
    "G722": CodecFigures(13.0, _DEFAULT_BPL, wide=True),
}
"""Encoding name, upper case, to its figures. G.711 with packet loss concealment, G.723.1 at 6.3 kbit/s, AMR at
12.2 kbit/s (there it is GSM-EFR), G.722 at 64 kbit/s. G.113 gives GSM full rate no Bpl; it has that of GSM-EFR here."""


def figures_of(codec: str) -> CodecFigures | None:
    """The figures of an rtpmap name, or None: opus and iLBC have none in G.113; what AMR-WB costs depends on its mode,
    which changes from packet to packet."""
    return _CODECS.get(codec.upper())


def mos(codec: str, loss: float, burst: float = 1.0, delay_ms: float = 0.0) -> float | None:
    """The score, 1.0 to 4.5, of a stream in `codec` (rtpmap name) with `loss` (0.0 to 1.0) of its packets missing.

    `burst` is BurstR: mean length of loss runs over that of random loss, at least 1. `delay_ms` is from mouth to ear.
    Wideband codecs are scored on the scale of G.107.1, which compares among wideband connections. None for codecs
    without a published figure: a number from the wrong figures misleads.
    """
    figures = figures_of(codec)
    if figures is None:
        return None
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    impairment = figures.impairment
    impairment += (95.0 - impairment) * percent / (percent / max(burst, 1.0) + figures.robustness)
    rating = (_R_CLEAN_WIDE if figures.wide else _R_CLEAN) - impairment - delay_impairment(delay_ms)
    return opinion(rating / 1.29 if figures.wide else rating)


def delay_impairment(delay_ms: float) -> float:
    """Idd of G.107 (equation 7-27) for a one-way delay without echo: none up to 100 ms."""
    if delay_ms <= 100.0:
        return 0.0
    doublings = math.log2(delay_ms / 100.0)
    return float(25.0 * ((1 + doublings**6) ** (1 / 6) - 3 * (1 + (doublings / 3) ** 6) ** (1 / 6) + 2))


def opinion(rating: float) -> float:
    """G.107 annex B: R to MOS."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
