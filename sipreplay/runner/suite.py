"""One `regress` command: captures, a bundle or a folder of bundles, what is printed of each, the files it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipreplay.errors import ExitCode, UsageError
from sipreplay.learn.options import LearnOptions
from sipreplay.report.regress_files import Suite, regress_json, regress_junit
from sipreplay.report.regress_text import MOST_LADDERS, call_text, regress_page
from sipreplay.report.words import plural
from sipreplay.runner.plan import printed
from sipreplay.runner.regress import Regression, RegressOptions, bundles_in, regress_bundle, regress_captures

_WORST = (ExitCode.INTERRUPTED, ExitCode.INVALID_RUN, ExitCode.FAILED, ExitCode.PASSED)


def regress_all(
    paths: list[Path], options: RegressOptions, learning: LearnOptions, say: Callable[[str], object]
) -> tuple[list[Suite], ExitCode]:
    """Play all, telling of each as it ends; the verdicts and the exit code of the whole."""
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise UsageError(f"{folders[0]}: give one bundle or folder of bundles, or captures, not both")
    if folders and learning.filter:
        raise UsageError("--filter: chooses calls of a capture; a bundle holds those it was learned with")
    bundles = bundles_in(folders[0]) if folders else []
    if len(bundles) > 1 and options.run.record is not None:
        raise UsageError("--record: one file cannot hold the runs of several bundles; name one bundle")
    suites: list[Suite] = []
    codes: list[ExitCode] = []
    runs: list[Callable[[], Regression]] = [lambda folder=folder: regress_bundle(folder, options) for folder in bundles]  # type: ignore[misc]
    for run in runs or [lambda: regress_captures(paths, options, learning)]:
        found = run()
        suites.append(suite_of(found, printed(options.run.target)))
        codes.append(found.exit_code)
        for line in lines_of(found, suites[-1]):
            say(line)
        if found.exit_code == ExitCode.INTERRUPTED:
            break
    return suites, next(code for code in _WORST if code in codes)


def suite_of(found: Regression, target: str) -> Suite:
    """The verdict on one bundle, as files tell it."""
    code = found.exit_code
    names = {ExitCode.PASSED: "passed", ExitCode.FAILED: "failed", ExitCode.INVALID_RUN: "invalid"}
    reasons = list(found.summary.reasons) if code not in (ExitCode.PASSED, ExitCode.FAILED) else list(found.reasons)
    if found.extra:
        reasons.append(f"{plural(len(found.extra), 'call')} in the run that the capture does not have")
    calls = [(one.verdict, one.expected, one.run) for one in found.calls]
    return Suite(found.name, target, names.get(code, "interrupted"), int(code), found.summary.wall_s, reasons, calls)


def lines_of(found: Regression, suite: Suite) -> list[str]:
    """What is printed of one bundle."""
    lines = [f"{found.name} against {suite.target}: {plural(len(found.calls), 'call')}, {len(found.failed)} differ"]
    ladders = 0
    for one in found.calls:
        lines += call_text(one.verdict, one.expected, one.run, ladder=ladders < MOST_LADDERS)
        ladders += not one.verdict.passed
    lines += [f"  {reason}" for reason in suite.reasons]
    if found.updated:
        lines.append("  the bundle expects from now on what this run showed")
    lines.append(f"  {suite.verdict.upper()}  (exit code {suite.exit_code})")
    return lines


def write_outputs(
    suites: list[Suite],
    code: ExitCode,
    json_file: Path | None,
    junit: Path | None,
    page: Path | None,
    dumps: Callable[[Any], str],
) -> None:
    """The files that were asked for."""
    if json_file is not None:
        json_file.write_text(dumps(regress_json(suites, int(code))) + "\n")
    if junit is not None:
        junit.write_bytes(regress_junit(suites))
    if page is not None:
        texts = [regress_page(f"{s.name} against {s.target}", s.verdict, s.calls) for s in suites]
        page.write_text("\n".join(texts), encoding="utf-8", errors="replace")
