from __future__ import annotations

from random import Random

import pytest

from sipreplay.scenario.distributions import KINDS, LONGEST_MS, percentile_99, problem, sample
from sipreplay.scenario.model import Distribution

EXAMPLES = {
    "fixed": (250.0,),
    "uniform": (100.0, 900.0),
    "normal": (1000.0, 100.0),
    "lognormal": (6.0, 0.5),
    "exponential": (400.0,),
    "weibull": (500.0, 1.5),
    "pareto": (3.0, 200.0),
    "gpareto": (0.2, 300.0, 50.0),
    "gamma": (4.0, 150.0),
}


def distribution(name: str, values: tuple[float, ...]) -> Distribution:
    return Distribution(name, tuple(zip(KINDS[name].parameters, values, strict=True)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_sample_in_a_hundred_exceeds_the_percentile(name: str) -> None:
    wanted = distribution(name, EXAMPLES[name])
    random = Random(7)
    samples = [sample(wanted, random) for _ in range(20_000)]
    beyond = sum(value > percentile_99(wanted) + 1e-6 for value in samples) / len(samples)
    assert beyond <= 0.015
    assert beyond >= 0.005 or name == "fixed"


def test_means() -> None:
    random = Random(3)
    for name, values, mean in (
        ("uniform", (100.0, 900.0), 500),
        ("normal", (1000.0, 100.0), 1000),
        ("exponential", (400.0,), 400),
        ("gamma", (4.0, 150.0), 600),
        ("negbin", (50.0, 0.25), 150),
        ("pareto", (3.0, 200.0), 300),
    ):
        wanted = distribution(name, values)
        assert sum(sample(wanted, random) for _ in range(20_000)) / 20_000 == pytest.approx(mean, rel=0.05)


def test_samples_stay_within_what_a_pause_can_last() -> None:
    random = Random(1)
    assert sample(distribution("normal", (0.0, 0.1)), random) == 0.0
    assert sample(distribution("lognormal", (5000.0, 1.0)), random) == LONGEST_MS
    assert percentile_99(distribution("lognormal", (5000.0, 1.0))) > LONGEST_MS


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pareto", (0.0, 1.0)),
        ("weibull", (1.0, 0.0)),
        ("gamma", (-1.0, 1.0)),
        ("negbin", (1.0, 2.0)),
        ("uniform", (2.0, 1.0)),
    ],
)
def test_parameters_without_meaning_are_named(name: str, values: tuple[float, ...]) -> None:
    assert problem(distribution(name, values))
