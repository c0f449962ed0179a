"""Builds an engine for a test from a scenario's text or a built-in's name: no sockets, no files, a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.engine import Engine, Send
from sipreplay.engine.program import compile_program
from sipreplay.media.port import MediaPort
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.injection import InjectionFile, read_injection
from sipreplay.scenario.model import Scenario
from sipreplay.scenario.reader import read_scenario
from sipreplay.testing.clock import VirtualClock

PID = 1
"""The process id that texts print, so that what a test sees does not change from run to run."""


def scenario_of(scenario: Scenario | str, keys: dict[str, str]) -> Scenario:
    """A scenario as a value, from XML text or the name of a built-in; `keys` are the values of `[key]`."""
    if isinstance(scenario, Scenario):
        return scenario
    if scenario.lstrip().startswith("<"):
        return read_scenario(scenario, "scenario.xml", keys)
    return read_scenario(builtin(scenario), "")


def build_engine(
    scenario: Scenario | str,
    send: Send,
    clock: VirtualClock,
    *,
    media: MediaPort | None = None,
    injections: dict[str, str] | Sequence[InjectionFile] = (),
    read_file: Callable[[str], bytes] | None = None,
    **settings: Any,
) -> Engine:
    """An engine that has not been started.

    `scenario` is a value, XML text, or the name of a built-in; `injections` are files or texts by name; `settings` are
    fields of `EngineConfig`. One call at 1 call/s unless they say otherwise.
    """
    config = EngineConfig(scenario="test", **{"pid": PID, "local_port": 5060, **settings})
    files = (
        [read_injection(text, name) for name, text in injections.items()]
        if isinstance(injections, dict)
        else list(injections)
    )
    endpoint = endpoint_of(config, config.local_port or 5060, config.remote[0] if config.remote is not None else "")
    program = compile_program(scenario_of(scenario, config.keys), config, endpoint, media=media, injections=files)
    seed = config.random_seed if config.random_seed is not None else 1
    return Engine(
        program,
        config,
        endpoint,
        send,
        Random(seed),
        media=media,
        injections=files,
        now=clock.now(),
        wall=clock.wall(),
        read_file=read_file,
    )
