"""All that `inspect` prints: what was read, calls, findings, actors, peers, streams; or the ladders of chosen calls.

Lists are capped with a line that says what is not shown and how to see it. Never computes what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, Call
from sipreplay.analysis.part import Part
from sipreplay.analysis.peers import peers
from sipreplay.analysis.roles import describe_actors
from sipreplay.analysis.store import MessageStore
from sipreplay.report.call_list import MAX_CALLS, MAX_STREAMS, call_lines, stream_lines
from sipreplay.report.ladder import call_ladder
from sipreplay.report.ladder_text import ladder_lines, to_ascii
from sipreplay.report.lines import Line
from sipreplay.report.nothing_text import nothing_lines
from sipreplay.report.peer_tables import MAX_ACTORS, MAX_PEERS, actor_lines, peer_lines
from sipreplay.report.words import clip, count, duration_s, plural, printable, utc

MAX_FILES = 20
MAX_PROBLEMS = 5
MAX_FINDINGS = 20
MAX_LADDERS = 50

SEVERITY_STYLES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.NOTE: "dim"}


def list_lines(
    analysis: Analysis, found: Sequence[Finding], width: int, *, everything: bool = False, ascii_only: bool = False
) -> Iterator[Line]:
    """What `inspect` prints without --call."""
    lines = _lists(analysis, found, width, everything)
    return map(_plain, lines) if ascii_only else lines


def _plain(line: Line) -> Line:
    return [(to_ascii(text), style) for text, style in line]


def _lists(analysis: Analysis, found: Sequence[Finding], width: int, everything: bool) -> Iterator[Line]:
    yield from capture_lines(analysis, everything=everything)
    yield []
    if isinstance(analysis, Part) and not analysis.calls:
        yield [(f"  none of {plural(len(analysis.whole.calls), 'call')} is chosen by --filter", "warn")]
        return
    if not (analysis.calls or analysis.streams):
        yield from nothing_lines(analysis)
        return
    yield from call_lines(analysis, width, None if everything else MAX_CALLS, found)
    if found:
        yield []
        yield from finding_lines(found, width, None if everything else MAX_FINDINGS)
    actors = Actors(analysis.dialogs)
    described = describe_actors(analysis, actors)
    if len(described) > 2 or any(actor.sut_likely for actor in described):
        yield []
        yield from actor_lines(described, width, None if everything else MAX_ACTORS)
    table = peers(analysis, actors)
    if sum(peer.attempts for peer in table) > 2:
        yield []
        yield from peer_lines(table, width, None if everything else MAX_PEERS)
    if analysis.streams:
        yield []
        yield from stream_lines(analysis, analysis.streams, width, None if everything else MAX_STREAMS)


def call_view_lines(
    analysis: Analysis,
    calls: Sequence[Call],
    found: Sequence[Finding],
    width: int,
    *,
    everything: bool = False,
    ascii_only: bool = False,
) -> Iterator[Line]:
    """Each call with its legs, why they are one call, its findings, and its ladder."""
    shown = calls if everything else calls[:MAX_LADDERS]
    for call in shown:
        head = _call_head(analysis, call, [one for one in found if call.id in one.calls], width)
        ladder = call_ladder(analysis, call, limit=None) if everything else call_ladder(analysis, call)
        drawn = ladder_lines(ladder, width, ascii_only=ascii_only)
        yield drawn[0]
        yield from map(_plain, head) if ascii_only else head
        yield from drawn[1:]
        yield []
    if len(shown) < len(calls):
        more = plural(len(calls) - len(shown), "more ladder")
        yield [(f"and {more}: --all shows them, --filter or --call narrows them", "warn")]


def _call_head(analysis: Analysis, call: Call, found: Sequence[Finding], width: int) -> Iterator[Line]:
    if len(call.dialogs) > 1:
        for dialog in (analysis.dialog(ident) for ident in call.dialogs[:12]):
            way = f"{dialog.caller} → {dialog.callee}"
            text = f"  {way}  {dialog.kind.upper()} {dialog.state}  {printable(dialog.call_id)}"
            yield [(clip(text, width), "dim")]
        if len(call.dialogs) > 12:
            yield [(f"  and {plural(len(call.dialogs) - 12, 'more leg')}", "dim")]
        for rule, confidence in dict.fromkeys((e.rule, e.confidence) for e in call.evidence):
            sure = "" if confidence >= 1 else f", confidence {confidence:.2f}"
            yield [(clip(f"  one call by {printable(rule)}{sure}", width), "dim")]
    for finding in found:
        yield from _finding(finding, width)


def finding_lines(found: Sequence[Finding], width: int, limit: int | None = MAX_FINDINGS) -> list[Line]:
    """The findings, the worst first, each with its evidence and what to do. Past `limit` a line counts the rest."""
    lines: list[Line] = [[("  findings", "head")]]
    for finding in found[:limit]:
        lines += _finding(finding, width)
    if limit is not None and len(found) > limit:
        more = plural(len(found) - limit, "more finding")
        lines.append([(f"  and {more}: --all shows them, --filter narrows them", "warn")])
    return lines


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    style = SEVERITY_STYLES[finding.severity]
    calls = _calls(finding.calls)
    yield [
        (f"  {finding.severity.name.lower():<7} ", style),
        (printable(finding.title), "bold"),
        (f"  [{finding.rule}]{calls}", "dim"),
    ]
    for text, mark in ((finding.why, "   "), (finding.remedy, " → ")):
        for number, part in enumerate(_folded(printable(text), max(width - 13, 40))):
            yield [(" " * 9 + (mark if number == 0 else "   ") + part, "" if mark == "   " else "dim")]


def _calls(calls: Sequence[int]) -> str:
    if not calls:
        return ""
    shown = ", ".join(map(str, calls[:6]))
    return f"  call{'s' if len(calls) > 1 else ''} {shown}" + (
        f" and {count(len(calls) - 6)} more" if len(calls) > 6 else ""
    )


def _folded(text: str, width: int) -> Iterable[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]


def capture_lines(analysis: Analysis, *, everything: bool = False) -> list[Line]:
    """What was read: files with their packets, what was found, and what could not be used."""
    lines: list[Line] = []
    files = analysis.captures if everything else analysis.captures[:MAX_FILES]
    most = None if everything else MAX_PROBLEMS
    for capture in files:
        span = ""
        if capture.first is not None and capture.last is not None:
            when = utc(capture.first).strftime("%Y-%m-%d %H:%M:%S UTC")
            span = f", {duration_s(capture.last - capture.first)} from {when}"
        kind = (
            f"{capture.format}, {'/'.join(capture.link_types)}" if capture.link_types else capture.format or "not read"
        )
        lines.append(
            [(printable(capture.path), "bold"), (f"  {kind}, {plural(capture.packets, 'packet')}{span}", "dim")]
        )
        for problem in capture.problems[:most]:
            place = f"packet {problem.packet}" if problem.packet else "file"
            lines.append([(f"  {place}: {printable(problem.what)}", "warn")])
        hidden = 0 if most is None else len(capture.problems) - most
        if hidden > 0:
            lines.append([(f"  and {plural(hidden, 'more problem')}: --all shows them", "warn")])
    if len(analysis.captures) > len(files):
        lines.append([(f"and {plural(len(analysis.captures) - len(files), 'more file')}: --all shows them", "dim")])
    messages = analysis.messages
    again = messages.counts()[2] if isinstance(messages, MessageStore) else sum(m.retransmission for m in messages)
    found = [
        plural(len(analysis.messages), "SIP message"),
        plural(len(analysis.dialogs), "dialog"),
        plural(len(analysis.calls), "call"),
        plural(len(analysis.streams), "RTP stream"),
    ]
    extra = [plural(again, "retransmission")] if again else []
    if analysis.malformed:
        extra.append(f"{count(analysis.malformed)} malformed")
    lines.append([("  " + ", ".join(found), ""), ("  " + ", ".join(extra) if extra else "", "warn")])
    return lines
