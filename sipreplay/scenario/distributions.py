"""The distributions that a pause can have: their parameters, samples and 99th percentiles, all in milliseconds.

A table of SIPp's names. Randomness comes from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from sipreplay.scenario.attributes import Attributes
from sipreplay.scenario.model import Distribution

LONGEST_MS = 2**31 - 1
"""A longer sample is clipped; a longer 99th percentile is refused unless `sanity_check="false"`."""

_Z99 = 2.3263478740408408


class Kind(NamedTuple):
    """One distribution: SIPp's attribute names, a sample of (parameters, random), the 99th percentile."""

    parameters: tuple[str, ...]
    sample: Callable[[tuple[float, ...], Random], float]
    percentile_99: Callable[[tuple[float, ...]], float]


def _upper(random: Random) -> float:
    """A number of (0, 1], for logarithms and negative powers."""
    return 1.0 - random.random()


def _gpareto(parameters: tuple[float, ...], upper: float) -> float:
    shape, scale, location = parameters
    if shape == 0:
        return location - scale * math.log(upper)
    return location + scale * (math.pow(upper, -shape) - 1) / shape


def _gamma_99(parameters: tuple[float, ...]) -> float:
    """Wilson and Hilferty's approximation, good to a few percent for k above 0.3."""
    k, theta = parameters
    return k * theta * max(1 - 1 / (9 * k) + _Z99 / (3 * math.sqrt(k)), 0.0) ** 3


def _negative_binomial(parameters: tuple[float, ...], random: Random) -> float:
    """Failures before `n` successes: a Poisson number whose mean has a gamma distribution."""
    n, p = parameters
    if p >= 1:
        return 0.0
    mean = random.gammavariate(n, (1 - p) / p)
    if mean > 1000:
        return max(0.0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit and count < 100_000:
        product *= random.random()
        count += 1
    return float(count)


KINDS: Mapping[str, Kind] = {
    "fixed": Kind(("value",), lambda p, r: p[0], lambda p: p[0]),
    "uniform": Kind(
        ("min", "max"), lambda p, r: p[0] + r.random() * (p[1] - p[0]), lambda p: p[0] + 0.99 * (p[1] - p[0])
    ),
    "normal": Kind(("mean", "stdev"), lambda p, r: r.gauss(p[0], p[1]), lambda p: p[0] + _Z99 * p[1]),
    "lognormal": Kind(
        ("mean", "stdev"), lambda p, r: math.exp(r.gauss(p[0], p[1])), lambda p: math.exp(p[0] + _Z99 * p[1])
    ),
    "exponential": Kind(("mean",), lambda p, r: -p[0] * math.log(_upper(r)), lambda p: p[0] * math.log(100)),
    "weibull": Kind(
        ("lambda", "k"),
        lambda p, r: p[0] * (-math.log(_upper(r))) ** (1 / p[1]),
        lambda p: p[0] * math.log(100) ** (1 / p[1]),
    ),
    "pareto": Kind(
        ("k", "x_m"), lambda p, r: p[1] * _upper(r) ** (-1 / p[0]), lambda p: p[1] * math.pow(0.01, -1 / p[0])
    ),
    "gpareto": Kind(("shape", "scale", "location"), lambda p, r: _gpareto(p, _upper(r)), lambda p: _gpareto(p, 0.01)),
    "gamma": Kind(("k", "theta"), lambda p, r: r.gammavariate(p[0], p[1]), _gamma_99),
    "negbin": Kind(("n", "p"), _negative_binomial, lambda p: 0.0),
}
"""SIPp's names in its own spelling."""

_POSITIVE = {"weibull": ("lambda", "k"), "pareto": ("k", "x_m"), "gamma": ("k", "theta"), "negbin": ("n", "p")}


_OLD_STYLE = ("normal", "exponential", "lognormal", "weibull", "pareto", "gamma")


def read_distribution(a: Attributes) -> Distribution | None:
    """The `distribution` attribute, or on a pause the older way (its name as an attribute, or min and max), or None.

    Raises ScenarioError for an unknown name, and for parameters that are missing or impossible.
    """
    if "distribution" in a:
        name = a.raw("distribution")
    elif a.tag == "pause" and any(old in a for old in _OLD_STYLE):
        name = next(old for old in _OLD_STYLE if old in a)
    elif a.tag == "pause" and ("min" in a or "max" in a):
        name = "uniform"
    else:
        return None
    kind = KINDS.get(name)
    if kind is None:
        raise a.error(f'distribution="{name}" must be one of {", ".join(KINDS)}')
    built = Distribution(name, tuple((parameter, a.number(parameter)) for parameter in kind.parameters))
    wrong = problem(built)
    if wrong:
        raise a.error(wrong)
    return built


def problem(distribution: Distribution) -> str:
    """What is wrong with the parameters; "" if nothing is."""
    values = dict(distribution.parameters)
    for name in _POSITIVE.get(distribution.name, ()):
        if values[name] <= 0:
            return f"{name} must be greater than 0"
    if distribution.name == "negbin" and values["p"] > 1:
        return "p must be at most 1"
    if distribution.name == "uniform" and values["max"] < values["min"]:
        return "max must not be less than min"
    return ""


def draw(distribution: Distribution, random: Random) -> float:
    """One number as the distribution gives it; one too large for a double becomes `LONGEST_MS`."""
    try:
        return KINDS[distribution.name].sample(tuple(value for _, value in distribution.parameters), random)
    except OverflowError:
        return float(LONGEST_MS)


def sample(distribution: Distribution, random: Random) -> float:
    """One duration in milliseconds: less than 1 becomes 0, more than `LONGEST_MS` is clipped."""
    value = draw(distribution, random)
    return 0.0 if value < 1 else min(value, float(LONGEST_MS))


def percentile_99(distribution: Distribution) -> float:
    """The duration in milliseconds that 99 % of the samples do not exceed (SIPp's measure of a scenario's length)."""
    try:
        return KINDS[distribution.name].percentile_99(tuple(value for _, value in distribution.parameters))
    except OverflowError:
        return math.inf
