"""A mean opinion score from codec and loss: the E-model (ITU-T G.107) with the codec figures of G.113 Appendix I.

Only what a one-sided capture can know goes in: delay and echo are taken as absent, so the score is an upper bound.
"""

from __future__ import annotations

_R_CLEAN = 93.2
"""R of a narrowband connection with default parameters and no impairment."""

_CODECS: dict[str, tuple[float, float]] = {
    "PCMU": (0.0, 25.1),
    "PCMA": (0.0, 25.1),
    "G729": (11.0, 19.0),
    "G723": (15.0, 16.1),
    "GSM": (20.0, 10.0),
    "GSM-EFR": (5.0, 10.0),
    "AMR": (5.0, 10.0),
}
"""Encoding name, upper case, to (Ie, Bpl): impairment of the codec itself and its robustness to loss. G.711 with packet
loss concealment, G.723.1 at 6.3 kbit/s, AMR at 12.2 kbit/s (there it is GSM-EFR). G.113 gives GSM full rate no Bpl; it
has that of GSM-EFR here."""


def mos(codec: str, loss: float, burst: float = 1.0) -> float | None:
    """The score, 1.0 to 4.5, of a stream in `codec` (rtpmap name) with `loss` (0.0 to 1.0) of its packets missing.

    `burst` is BurstR: mean length of loss runs over that of random loss, at least 1. None for codecs without a
    narrowband figure in G.113: wideband codecs have a scale of their own, and a number on the wrong scale misleads.
    """
    figures = _CODECS.get(codec.upper())
    if figures is None:
        return None
    impairment, robustness = figures
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    impairment += (95.0 - impairment) * percent / (percent / max(burst, 1.0) + robustness)
    return _opinion(_R_CLEAN - impairment)


def _opinion(rating: float) -> float:
    """G.107 annex B: R to MOS."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
