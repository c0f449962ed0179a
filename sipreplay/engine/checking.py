"""Whether a scenario file can be played: everything that is wrong with it at once, as `run` would find it one by one.

Reads the scenario and its injection files, compiles it, and opens no socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import endpoint_of
from sipreplay.engine.files import load_injections
from sipreplay.engine.program import compile_program
from sipreplay.errors import ScenarioError
from sipreplay.media.made import Made
from sipreplay.media.port import NoMedia
from sipreplay.scenario.checks import injection_problems, short_line_problems
from sipreplay.scenario.injection import InjectionFile
from sipreplay.scenario.reader import Examination, examine_scenario


@dataclass(slots=True)
class Findings:
    """What was found in one file; lists in the order of lines."""

    summary: str = ""
    """What the scenario is; "" if it cannot be played."""
    errors: list[ScenarioError] = field(default_factory=list)
    warnings: list[ScenarioError] = field(default_factory=list)
    notes: list[ScenarioError] = field(default_factory=list)
    examined: Examination | None = None


class _Files(NoMedia):
    """Looks whether media files are there."""

    def register(self, path: str, kind: str) -> int:
        """Raises ScenarioError for a file that is not."""
        if not Path(path).is_file():
            raise ScenarioError(
                f"<exec play_pcap_{kind}>: the media file {path} does not exist; "
                "it is looked for beside the scenario and in the working directory"
            )
        return super().register(path, kind)

    def make(self, made: Made) -> int:
        """Raises ScenarioError for a file that is not there."""
        if made.kind == "file" and not Path(made.text).is_file():
            raise ScenarioError(f"the media file {made.text} does not exist")
        return super().make(made)


def check_file(path: Path, injection: list[Path], keys: dict[str, str] | None = None) -> Findings:
    """Check a scenario with the injection files that go with it. Never raises ScenarioError."""
    found = Findings()
    config = EngineConfig(path, injection=injection, keys=keys or {}, allow_exec=True)
    try:
        data = path.read_bytes()
    except OSError as error:
        found.errors.append(ScenarioError(f"cannot be read: {error.strerror}", str(path)))
        return found
    injections: list[InjectionFile] = []
    try:
        examined = found.examined = examine_scenario(data, str(path), config.keys)
        found.errors += examined.errors
        injections = load_injections(config, examined.scenario)
    except ScenarioError as error:
        found.errors.append(error)
    if found.examined is not None:
        found.warnings, found.notes = found.examined.warnings, found.examined.notes
    if found.examined is not None and not found.errors:
        scenario = found.examined.scenario
        found.errors += injection_problems(scenario, injections, config.keys)
        found.errors += short_line_problems(scenario, injections, config.keys)
        if not found.errors:
            try:
                endpoint = endpoint_of(config, 5060)
                compile_program(
                    scenario, config, endpoint, media=_Files(), injections=injections, problems=found.errors
                )
            except ScenarioError as error:
                found.errors.append(error)
        found.summary = f"{'uac' if scenario.is_client else 'uas'}, {len(scenario.elements)} steps"
    for problems in (found.errors, found.warnings, found.notes):
        problems.sort(key=lambda problem: (problem.file != str(path), problem.line))
    return found
