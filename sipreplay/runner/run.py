"""One run from start to verdict: processes, live view, dumps, summary, report."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sipreplay.report.live import LiveNumbers, LiveView
from sipreplay.report.model import Artefact, RunSummary
from sipreplay.report.summary import print_summary
from sipreplay.report.words import plural
from sipreplay.runner.dumps import Dumps
from sipreplay.runner.legs import Legs
from sipreplay.runner.options import RunOptions
from sipreplay.runner.overrides import settled_injection
from sipreplay.runner.plan import Plan, printed
from sipreplay.runner.recording import Recording
from sipreplay.runner.result import summarise
from sipreplay.runner.session import Outcome, Session

LIVE_MEDIA_TURNS = 10
"""Media totals are asked for every so many turns of the session."""


def run_plan(plan: Plan, options: RunOptions) -> RunSummary:
    """Play, print the summary, write the report. Raises SipReplayError for what prevents the start."""
    return play(plan, options)[0]


def play(plan: Plan, options: RunOptions, *, quiet: bool = False) -> tuple[RunSummary, Outcome]:
    """The same, with what the processes left. `quiet`: prints no summary."""
    with (
        settled_injection(plan, options.settings, options.auth),
        Dumps(plan, options) as dumps,
        Recording(plan, options.record) as recording,
    ):
        with Session(plan, options, dumps.media_records, recording) as session:
            _tell(plan, session)
            outcome = _play(session, plan, options, dumps)
        plan.notes += recording.finish()
        summary = summarise(plan, options, outcome)
        if recording.path is not None:
            what = f"what was sent and received, {plural(recording.packets, 'packet')}"
            summary.artefacts.append(Artefact(str(recording.path), what))
        dumps.finish(summary, outcome)
    if not quiet:
        print_summary(summary, sys.stdout)
    return summary, outcome


def describe(plan: Plan) -> str:
    """What a run would do, in lines."""
    lines = [f"{plan.name}: {len(plan.pairs)} pair{'s' if len(plan.pairs) != 1 else ''}"]
    for pair in plan.pairs:
        for side in pair.sides:
            config = side.config
            what = f"  {side.role} {side.name} ({config.scenario}) over {config.transport} from {config.local_ip}"
            if side.role == "uac":
                to = "its own answering side" if pair.uas else printed(plan.target)
                calls = "no end" if config.calls is None else f"{config.calls} calls"
                how = f"{config.users} users" if config.users else f"{config.rate_cps:g} calls/s"
                what += f" to {to}: {how}, {calls}, stage {pair.stage}"
            lines.append(what)
    if plan.legs is not None:
        lines += [f"  {line}" for line in plan.legs.lines(_answers_at(plan.legs))]
    return "\n".join(lines + [f"  note: {note}" for note in plan.notes])


def _answers_at(legs: Legs) -> str:
    """Where calls will be answered, as far as that is known before."""
    config = next(leg.config for leg in legs.config.legs if leg.shared)
    if config.local_port is None:
        return f"the first free port of {config.local_ip or 'this host'} from 5060"
    if not config.local_port:
        return f"a free port of {config.local_ip or 'this host'} (--listen chooses one)"
    return printed((config.local_ip, config.local_port))


def _tell(plan: Plan, session: Session) -> None:
    """What the system under test must be told, before anything is sent."""
    if plan.legs is not None and session.answers_at is not None:
        for line in plan.legs.lines(printed(session.answers_at)):
            print(line, flush=True)


def _play(session: Session, plan: Plan, options: RunOptions, dumps: Dumps) -> Outcome:
    turns = 0
    media = None
    with _interrupts(session), LiveView(sys.stderr if not sys.stdout.isatty() else sys.stdout) as view:

        def turn(elapsed_s: float, stopping: bool) -> None:
            nonlocal turns, media
            turns += 1
            if turns % LIVE_MEDIA_TURNS == 0:
                media = session.media_so_far()
            dumps.row(session)
            uac, uas = session.totals()
            shown = uac if session.outcome.callers else uas
            view.update(
                LiveNumbers(
                    elapsed_s=elapsed_s,
                    created=shown.created,
                    current=shown.current,
                    successful=shown.successful,
                    failed=shown.failed,
                    not_started=shown.not_started,
                    retransmissions=shown.retransmissions,
                    wanted_calls=plan.wanted_calls,
                    wanted_s=options.duration_s,
                    wanted_rate_cps=plan.wanted_rate_cps,
                    rtp_sent=media.sent_packets if media else 0,
                    rtp_received=media.received_packets if media else 0,
                    rtp_lost=media.lost if media else 0,
                    lateness_ms=shown.start_lateness.percentile(99) / 1000,
                    stopping=stopping,
                )
            )

        return session.run(turn)


@contextmanager
def _interrupts(session: Session) -> Iterator[None]:
    """Ctrl-C and SIGTERM end a run gracefully; the second one at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        session.interrupt()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
