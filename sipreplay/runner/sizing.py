"""How many media ports a run needs: calls that can be open at once, from rate and scenario length."""

from __future__ import annotations

import math

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.files import load_scenario
from sipreplay.engine.program import scaled_pause
from sipreplay.scenario.distributions import percentile_99
from sipreplay.scenario.model import Pause, Recv

MOST_CALLS = 5000
"""Blocks of four ports that lie below the kernel's own range, about."""
SPARE = 1.5
RETRANSMITTED_TO_DEATH_S = 32.0
"""How long a call that nobody answers stays open (RFC 3261: 64 T1)."""


def scenario_seconds(config: EngineConfig) -> float:
    """The 99th percentile of a call's length by its own pauses, as played."""
    total = 0.0
    for element in load_scenario(config).elements:
        if not isinstance(element, Pause):
            continue
        if element.distribution is not None:
            pause_ms = percentile_99(element.distribution)
        else:
            pause_ms = element.milliseconds if element.milliseconds is not None else config.pause_ms
        total += scaled_pause(config, pause_ms / 1000)
    return total


def open_calls(caller: EngineConfig, callee: EngineConfig | None) -> int:
    """Calls of a pair that may be open at once: as many as start during the longer side, and some to spare."""
    if caller.users is not None:
        return min(caller.users * 2, MOST_CALLS)
    seconds = scenario_seconds(caller)
    if callee is not None:
        seconds = max(seconds, scenario_seconds(callee)) + seconds
    elif any(isinstance(e, Recv) for e in load_scenario(caller).elements):
        seconds += RETRANSMITTED_TO_DEATH_S
    wanted = math.ceil(caller.rate_cps * seconds * SPARE) + 20
    if caller.starts_s:
        wanted = len(caller.starts_s)
    if caller.limit:
        wanted = min(wanted, math.ceil(caller.limit * SPARE) + 20)
    if caller.calls is not None:
        wanted = min(wanted, caller.calls)
    return max(1, min(wanted, MOST_CALLS))
