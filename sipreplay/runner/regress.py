"""`sipreplay regress`: a bundle played once against a target, recorded, and compared call by call with its capture."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from sipreplay.analysis.model import HopDialog
from sipreplay.analysis.reading import analyse
from sipreplay.bundle.folder import TABLES, read_bundle
from sipreplay.bundle.model import Expect
from sipreplay.bundle.tables import bundle_text
from sipreplay.errors import BundleError, ExitCode, UsageError
from sipreplay.learn.expectation import expectation
from sipreplay.learn.learner import learn
from sipreplay.learn.media import StreamTable
from sipreplay.learn.options import LearnOptions
from sipreplay.learn.unit import Unit, make_units
from sipreplay.report.model import INTERRUPTED, INVALID, RunSummary
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import Plan, make_plan
from sipreplay.runner.run import play
from sipreplay.runner.session import Outcome
from sipreplay.verify.compare import compare
from sipreplay.verify.difference import AHEAD, CallVerdict, Tolerance

TIME, ONE_BY_ONE = "time", "one-by-one"


@dataclass(slots=True)
class RegressOptions:
    """What a user asked for."""

    run: RunOptions
    tolerance: Tolerance = field(default_factory=Tolerance)
    order: str = TIME
    """TIME: calls start as captured; ONE_BY_ONE: each when the one before has ended."""
    update: bool = False


@dataclass(slots=True)
class Judged:
    """One call with both of its ladders."""

    verdict: CallVerdict
    expected: Expect
    run: Expect | None


@dataclass(slots=True)
class Regression:
    """The outcome for one bundle."""

    name: str
    calls: list[Judged]
    summary: RunSummary
    reasons: list[str]
    """Why the whole is no pass, besides what its calls say."""
    extra: list[str] = field(default_factory=list)
    """Call-IDs in the run that no captured call stands for."""
    updated: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The verdict of all."""
        if self.summary.verdict in (INVALID, INTERRUPTED):
            return ExitCode(self.summary.exit_code)
        good = self.updated or not (self.failed or self.reasons or self.extra)
        return ExitCode.PASSED if good else ExitCode.FAILED

    @property
    def failed(self) -> list[Judged]:
        """Calls that differ."""
        return [one for one in self.calls if not one.verdict.passed]


def bundles_in(path: Path) -> list[Path]:
    """A bundle, or the bundles in a folder of them, by name. Raises BundleError."""
    if (path / TABLES).exists():
        return [path]
    found = sorted(each.parent for each in path.glob(f"*/{TABLES}"))
    if not found:
        raise BundleError(f"{path}: holds no {TABLES} and no folder with one: neither a bundle nor a suite of bundles")
    return found


def regress_captures(captures: list[Path], options: RegressOptions, learning: LearnOptions) -> Regression:
    """Learn captures and play them. Raises what `learn` and `regress_bundle` raise."""
    if options.update:
        raise UsageError("--update: wants a bundle whose expectations it can write; learn the capture first")
    with tempfile.TemporaryDirectory(prefix="sipreplay-regress-") as folder:
        bundle = Path(folder) / "bundle"
        learn(captures, bundle, learning)
        return regress_bundle(bundle, options, " ".join(map(str, captures)))


def regress_bundle(folder: Path, options: RegressOptions, name: str = "") -> Regression:
    """Play a bundle once and judge it. `name`: what it is told as, if not the folder.

    Raises BundleError, UsageError, TransportError, ...
    """
    bundle = read_bundle(folder)
    if not bundle.expect:
        raise BundleError(f"{folder / TABLES}: has no [[expect]], so there is nothing to compare with; learn it again")
    with tempfile.TemporaryDirectory(prefix="sipreplay-regress-") as temporary:
        record = options.run.record or Path(temporary) / "run.pcap"
        run = replace(options.run, sources=[folder], record=record, callers_only=True)
        plan = make_plan(run)
        played = _scheduled(plan, bundle.expect, options)
        if not any(line.startswith(AHEAD) for one in played for line in one.lines):
            raise BundleError(
                f"{name or folder}: no call in it has an answer from the callee's side, so there is "
                "nothing to compare with; "
                "capture where both directions pass, and until calls are over"
            )
        summary, outcome = play(plan, run, quiet=True)
        shown, extra = _shown(record, outcome, played)
    calls = []
    for wanted in played:
        seen = shown.get((wanted.scenario, wanted.number))
        calls.append(Judged(compare(wanted, seen, options.tolerance), wanted, seen))
    found = Regression(name or str(folder), calls, summary, [], extra)
    if summary.verdict == "failed" and not found.failed:
        # The scenario itself checks what no comparison sees.
        found.reasons = list(summary.reasons)
    if options.update and summary.verdict not in (INVALID, INTERRUPTED):
        _update(folder, found)
    return found


def _scheduled(plan: Plan, expects: list[Expect], options: RegressOptions) -> list[Expect]:
    """Give every calling side of the plan its captured starts; returns what is expected of them, in captured order."""
    played: list[Expect] = []
    for stage in plan.stages:
        calling = [pair.uac for pair in stage if pair.uac is not None]
        wanted = [e for e in expects if e.scenario in {side.name for side in calling}]
        origin = min((e.start_s for e in wanted), default=0.0)
        for side in calling:
            mine = sorted((e for e in wanted if e.scenario == side.name), key=lambda e: e.number)
            if not mine:
                raise BundleError(f"{plan.name}: scenario {side.name} has no [[expect]]; learn the capture again")
            if [e.number for e in mine] != list(range(len(mine))):
                raise BundleError(f"{plan.name}: the [[expect]] of {side.name} are not numbered from 0 without a gap")
            config = side.config
            starts = sorted((e.start_s - origin) * options.run.time_scale for e in mine)
            config.calls, config.rate_cps = len(mine), 0.0
            if options.order == ONE_BY_ONE:
                config.users = 1
            else:
                config.starts_s, config.limit = tuple(starts), 0
            played += mine
    if options.order == ONE_BY_ONE:
        for number, pair in enumerate(sorted(plan.pairs, key=lambda pair: pair.stage)):
            pair.stage = number
    plan.wanted_calls = len(played)
    return sorted(played, key=lambda e: e.start_s)


def _shown(record: Path, outcome: Outcome, played: list[Expect]) -> tuple[dict[tuple[str, int], Expect], list[str]]:
    """What the recording shows of each call, by scenario and number; Call-IDs that belong to none."""
    analysis = analyse([record])
    units, _ = make_units(analysis, analysis.dialogs)
    streams = StreamTable(analysis)
    numbers = {name: sum(e.scenario == name for e in played) for name in {e.scenario for e in played}}
    found: dict[tuple[str, int], Expect] = {}
    extra: list[str] = []
    origin = min((unit.events[0].time for unit in units), default=0.0)
    for player in outcome.callers:
        name, address = player.side.name, player.result.address if player.result else player.process.address
        if address is None:
            continue
        mine = [unit for unit in units if address in _ends(unit.dialog)]
        for place, unit in enumerate(mine):
            number = _number(unit, place)
            one = expectation(unit, name, streams, origin=origin)
            one.number = number
            if number < numbers.get(name, 0) and (name, number) not in found:
                found[name, number] = one
            else:
                extra.append(unit.dialog.call_id)
    return found, extra


def _ends(dialog: HopDialog) -> set[tuple[str, int]]:
    """Where the caller sends from and listens."""
    return {(a.host, a.port) for a in (dialog.caller, *dialog.caller_addresses)}


def _number(unit: Unit, place: int) -> int:
    """Which call of its scenario it is: the engine's Call-IDs begin with the number, from 1."""
    text = unit.dialog.call_id.partition("-")[0]
    return int(text) - 1 if text.isascii() and text.isdigit() and 0 < len(text) < 9 and int(text) else place


def _update(folder: Path, found: Regression) -> None:
    """Write what the run showed as what is expected from now on, whole or not at all. Calls that were not seen stay."""
    bundle = read_bundle(folder)
    fresh = {(one.expected.scenario, one.expected.number): one for one in found.calls if one.run is not None}
    for place, old in enumerate(bundle.expect):
        judged = fresh.get((old.scenario, old.number))
        if judged is not None and judged.run is not None:
            bundle.expect[place] = replace(
                judged.run, number=old.number, start_s=old.start_s, dialog=old.dialog, call_id=old.call_id, cut=old.cut
            )
    beside = folder / f".{TABLES}.new"
    try:
        beside.write_text(bundle_text(bundle), encoding="utf-8")
        beside.replace(folder / TABLES)
    except OSError as error:
        raise BundleError(f"{folder / TABLES}: cannot be written: {error.strerror}") from error
    found.updated = True
