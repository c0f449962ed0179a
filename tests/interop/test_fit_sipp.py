"""Real sipp plays pauses of every distribution that the learner chooses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from sipreplay.learn.options import LearnOptions
from sipreplay.scenario.distributions import KINDS
from tests.learn.flows import ANSWER, SDP, Talk, learned

pytestmark = pytest.mark.interop("sipp")
CALLS = 40


@pytest.mark.parametrize(
    ("name", "parameters"), [("normal", (600.0, 170.0)), ("lognormal", (5.7, 0.5)), ("exponential", (250.0,))]
)
def test_sipp_plays_the_distribution_that_was_found(
    tmp_path: Path, loopback: Callable[[], str], name: str, parameters: tuple[float, ...]
) -> None:
    random = Random(5)
    talks = []
    for number in range(CALLS):
        hold = 0.021 + KINDS[name].sample(parameters, random) / 1000
        talk = Talk(call_id=f"c{number}", start=1000.0 + 100 * number)
        talk.request(0.0, "INVITE", 1, body=SDP)
        talk.response(0.001, 200, 1, "INVITE", body=ANSWER)
        talk.request(0.002, "ACK", 1)
        talk.request(0.002 + hold, "BYE", 2)
        talk.response(0.003 + hold, 200, 2, "BYE")
        talks.append(talk)
    folder = learned(tmp_path, talks, LearnOptions(timewait_ms=100)).folder
    assert f'<pause distribution="{name}"' in (folder / "invite-bye-uac.xml").read_text()
    places = {"UAC_IP": loopback(), "UAS_IP": loopback(), "RATE": "40"}
    done = subprocess.run(
        ["sh", folder / "sipp.sh"], env=os.environ | places, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
