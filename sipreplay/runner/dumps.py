"""The report folder of a run: SIPp-format dumps while it runs, summary, charts and page at its end."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from sipreplay.dumps.stat import StatWriter, stat_writer
from sipreplay.engine.files import load_scenario
from sipreplay.errors import UsageError
from sipreplay.report.model import Artefact, RunSummary
from sipreplay.report.run_json import summary_json
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import Plan, Side
from sipreplay.runner.session import Outcome, Player, Session
from sipreplay.stats.calls import CallStatistics

CALL_TRACE = "first-call.pcap"
PERIOD_S = 1.0
"""Between rows of the statistics files."""
SLACK_S = 0.2


class Dumps:
    """What a run writes. Without a report folder only the JSON summary, if that was asked for."""

    def __init__(self, plan: Plan, options: RunOptions) -> None:
        self.folder = options.report
        self.media_records: Path | None = None
        self._json = options.json_file
        self._plan = plan
        self._writers: dict[int, StatWriter] = {}
        self._rows_at: dict[int, float] = {}
        if self.folder is not None:
            _prepare(self.folder, options.force)
            if any(side.uses_media for side in plan.sides):
                self.media_records = self.folder / "media.csv"
            for side in plan.sides:
                side.config.trace_rtt = self.folder / f"{side.name}_rtt.csv"
                side.config.trace_errors = self.folder / f"{side.name}_errors.log"
            # Callers stand before callees in a pair: the call is seen from the side that places it, where there is one.
            plan.stages[-1][0].sides[0].config.trace_call = self.folder / CALL_TRACE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def row(self, session: Session) -> None:
        """A row for every side whose latest statistics are a period older than those of its last row."""
        for player in session.players if self.folder is not None else ():
            if player.seen_at - self._rows_at.get(id(player.side), session.outcome.started) >= PERIOD_S - SLACK_S:
                self._write(player, session.outcome.started, player.seen_at)

    def finish(self, summary: RunSummary, outcome: Outcome) -> None:
        """The last rows, the JSON summary, the charts and the page."""
        if self._json is not None:
            self._json.write_text(json.dumps(summary_json(summary), indent=1) + "\n")
        if self.folder is None:
            return
        for player in outcome.callees + outcome.callers:
            self._write(player, outcome.started, outcome.started + outcome.wall_s)
        for writer in self._writers.values():
            writer.close()
        for side in self._plan.sides:
            for suffix, what in (
                ("stat.csv", f"statistics of {side.name}, as SIPp's -trace_stat"),
                ("rtt.csv", f"response times of {side.name}, as SIPp's -trace_rtt"),
                ("errors.log", f"what {side.name} met that was not expected"),
            ):
                self._add(summary, f"{side.name}_{suffix}", what)
        self._add(summary, "media.csv", "RTP sent and received, a line for every call and port")
        self._add(summary, CALL_TRACE, "the first call's messages, for Wireshark")
        from sipreplay.runner.pages import write_pages

        callers = [p.side.name for p in outcome.callers or outcome.callees]
        write_pages(summary, self.folder, callers, self.folder / CALL_TRACE)

    def _add(self, summary: RunSummary, name: str, what: str) -> None:
        if self.folder is not None and (self.folder / name).exists():
            summary.artefacts.append(Artefact(name, what))

    def _write(self, player: Player, started: float, moment: float) -> None:
        """A row of one side. Its time is that of the statistics: rates are the calls', not the pipe's."""
        side = player.side
        writer = self._writers.get(id(side))
        if writer is None:
            assert self.folder is not None
            path = self.folder / f"{side.name}_stat.csv"
            writer = self._writers[id(side)] = stat_writer(path, load_scenario(side.config), started=started)
            writer.row(CallStatistics(), started, _wanted(side))
        writer.row(player.statistics, max(moment, started), _wanted(side))
        self._rows_at[id(side)] = moment


def _wanted(side: Side) -> float:
    return float(side.config.users or side.config.rate_cps)


def _prepare(folder: Path, force: bool) -> None:
    """Make the folder; one that is not empty is refused without force, and its files are left alone but for ours."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; --report wants a folder")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder}: the report folder is not empty; give another, or --force to write into it")
    folder.mkdir(parents=True, exist_ok=True)
