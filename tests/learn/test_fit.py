"""Pauses of many calls become the distribution that they came from."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import pytest

from sipreplay.learn.fit import LEAST_SAMPLES, best_fit
from sipreplay.scenario.distributions import KINDS
from tests.learn.flows import ANSWER, SDP, Talk, learned

SOURCES = {
    "uniform": (1000.0, 9000.0),
    "normal": (5000.0, 600.0),
    "lognormal": (math.log(4000.0), 0.8),
    "exponential": (3000.0,),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_distribution_that_pauses_came_from_is_found_with_its_parameters(name: str) -> None:
    random = Random(7)
    fit = best_fit([KINDS[name].sample(SOURCES[name], random) for _ in range(400)])
    assert fit.distribution.name == name
    assert fit.good
    assert dict(fit.distribution.parameters).keys() == set(KINDS[name].parameters)
    for (_, found), true in zip(fit.distribution.parameters, SOURCES[name], strict=True):
        assert found == pytest.approx(true, rel=0.12)


def test_few_pauses_are_a_uniform_spread() -> None:
    fit = best_fit([math.exp(n / 3) * 100 for n in range(LEAST_SAMPLES - 1)])
    assert (fit.distribution.name, fit.says()) == ("uniform", "uniform")


def test_what_fits_nothing_well_is_said() -> None:
    fit = best_fit([100.0] * 50 + [9000.0] * 50)
    assert not fit.good
    assert "which is poor" in fit.says()


def test_a_normal_distribution_never_gives_negative_pauses() -> None:
    assert best_fit([abs(Random(n).gauss(0, 1000)) for n in range(200)]).distribution.name != "normal"


def test_zero_and_equal_pauses_are_no_trouble() -> None:
    assert best_fit([0.0] * 30 + [1000.0] * 30).distribution.name
    assert best_fit([500.0] * 40).distribution.parameters == (("min", 500.0), ("max", 500.0))


def test_a_bundle_has_the_fit_in_scenario_and_outcome(tmp_path: Path) -> None:
    random = Random(3)
    talks = []
    for n in range(60):
        hold = 0.3 + random.expovariate(0.5)
        talk = Talk(call_id=f"c{n}", start=1000.0 + 100 * n)
        talk.request(0.0, "INVITE", 1, body=SDP)
        talk.response(0.001, 200, 1, "INVITE", body=ANSWER)
        talk.request(0.002, "ACK", 1)
        talk.request(0.002 + hold, "BYE", 2)
        talk.response(0.003 + hold, 200, 2, "BYE")
        talks.append(talk)
    made = learned(tmp_path, talks)
    pauses = [line for line in made.text("invite-bye-uac.xml").splitlines() if "<pause distribution" in line]
    assert pauses
    (said,) = [text for text in made.report.generalised if "pause" in text]
    assert "distance 0." in said
    assert all(name in said for name in ("uniform", "lognormal", "exponential"))
