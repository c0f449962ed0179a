"""The files that an engine's configuration names: scenarios, injection files, and what `[file]` may read.

Opens and reads; what is in them, `scenario` knows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.failure import FatalError
from sipreplay.errors import ScenarioError
from sipreplay.scenario.builtin import builtin
from sipreplay.scenario.checks import wanted_by
from sipreplay.scenario.injection import InjectionFile, read_injection
from sipreplay.scenario.model import Scenario
from sipreplay.scenario.reader import read_scenario


def load_scenario(config: EngineConfig) -> Scenario:
    """The scenario that a configuration names. Raises ScenarioError or UsageError."""
    return _load(config, config.scenario, named=config.builtin)


def load_companion(config: EngineConfig, which: str) -> Scenario | None:
    """The scenario for requests out of call, or for calls that come in, if there is one. Raises ScenarioError."""
    if which == "terminating":
        return None if config.terminating is None else _load(config, config.terminating, named=False)
    if config.out_of_call is None:
        return None
    return _load(config, config.out_of_call, named=config.out_of_call_builtin)


def _load(config: EngineConfig, scenario: Path | str, *, named: bool) -> Scenario:
    if named:
        return read_scenario(builtin(str(scenario)), "", config.keys)
    path = Path(scenario)
    try:
        return read_scenario(path.read_bytes(), str(path), config.keys)
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", str(path)) from None


def load_injections(config: EngineConfig, scenario: Scenario | None = None) -> list[InjectionFile]:
    """The injection files of a configuration, in order. Raises ScenarioError, which says where `scenario` wants it."""
    out = []
    for path in config.injection:
        try:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            wanted = wanted_by(scenario, path.name, default=path == config.injection[0]) if scenario else ""
            raise ScenarioError(f"cannot be read: {error.strerror}{wanted}", str(path)) from None
        out.append(read_injection(text, str(path)))
    return out


def file_reader(config: EngineConfig) -> Callable[[str], bytes]:
    """What [file name=...] reads with: files below the scenario's folder or the working one; any with --allow-exec."""
    beside = Path.cwd() if config.builtin else Path(config.scenario).resolve().parent
    roots = (beside, Path.cwd().resolve())

    def read(name: str) -> bytes:
        path = Path(name).resolve()
        if not config.allow_exec and not any(path.is_relative_to(root) for root in roots):
            raise FatalError(f"[file name={name}]: outside of the scenario's folder and the working directory")
        try:
            return path.read_bytes()
        except OSError as error:
            raise FatalError(f"[file name={name}]: {error.strerror}") from None

    return read
