"""Pauses that differ between calls as the distribution of SIPp's that fits them best.

By the distance of Kolmogorov and Smirnov between the captured pauses and each candidate, whose parameters are those
of the pauses. Values only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sipreplay.scenario.model import Distribution

LEAST_SAMPLES = 20
"""With fewer pauses any distribution fits: then it is a uniform spread between the shortest and the longest."""
CRITICAL = 1.36
"""Over the square root of the number of pauses: the distance that chance exceeds in 5 % of all cases."""
_STEADY = 3.0
"""A normal distribution whose mean is nearer to zero, in standard deviations, would give negative pauses."""


class Fit(NamedTuple):
    """A distribution, in milliseconds, and how far it is from what was captured."""

    distribution: Distribution
    distance: float
    """0 to 1; 0.0 where there was nothing to choose."""
    others: tuple[tuple[str, float], ...] = ()
    """Names and distances of the candidates that fit less well."""
    good: bool = True

    def says(self) -> str:
        """The choice in words."""
        name = self.distribution.name
        if not self.others:
            return name
        rest = ", ".join(f"{other} {distance:.3f}" for other, distance in self.others)
        return f"{name}, distance {self.distance:.3f}{'' if self.good else ', which is poor'} ({rest})"


def best_fit(pauses_ms: Sequence[float]) -> Fit:
    """The best of uniform, normal, lognormal and exponential; uniform where the pauses are too few to tell."""
    ordered = sorted(pauses_ms)
    uniform = Distribution("uniform", (("min", float(round(ordered[0]))), ("max", float(round(ordered[-1])))))
    if len(ordered) < LEAST_SAMPLES or ordered[0] == ordered[-1]:
        return Fit(uniform, 0.0)
    candidates = [(uniform, _uniform(ordered[0], ordered[-1])), *_others(ordered)]
    judged = sorted(((_distance(ordered, cdf), made) for made, cdf in candidates), key=lambda item: item[0])
    distance, best = judged[0]
    others = tuple((made.name, away) for away, made in judged[1:])
    return Fit(best, distance, others, distance <= CRITICAL / math.sqrt(len(ordered)))


_Cdf = Callable[[float], float]


def _others(ordered: Sequence[float]) -> list[tuple[Distribution, _Cdf]]:
    mean, stdev = _moments(ordered)
    found: list[tuple[Distribution, _Cdf]] = []
    if mean > _STEADY * stdev:
        found.append((_two("normal", mean, stdev), lambda x: _normal(x, mean, stdev)))
    if ordered[0] > 0:
        log_mean, log_stdev = _moments([math.log(x) for x in ordered])
        found.append((_two("lognormal", log_mean, log_stdev), lambda x: _normal(math.log(x), log_mean, log_stdev)))
    if mean > 0:
        found.append((Distribution("exponential", (("mean", round(mean, 1)),)), lambda x: 1.0 - math.exp(-x / mean)))
    return found


def _two(name: str, mean: float, stdev: float) -> Distribution:
    return Distribution(name, (("mean", round(mean, 4)), ("stdev", round(stdev, 4))))


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))


def _uniform(least: float, most: float) -> _Cdf:
    return lambda x: (x - least) / (most - least)


def _normal(x: float, mean: float, stdev: float) -> float:
    return 0.5 * (1.0 + math.erf((x - mean) / (stdev * math.sqrt(2.0))))


def _distance(ordered: Sequence[float], cdf: _Cdf) -> float:
    """Of Kolmogorov and Smirnov: the widest gap between the steps of the sample and the curve."""
    count = len(ordered)
    return max(max((i + 1) / count - p, p - i / count) for i, p in enumerate(map(cdf, ordered)))
