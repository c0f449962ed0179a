"""What `learn` prints: what was found, the scenarios it wrote, what it generalised, what it left out and why."""

from __future__ import annotations

from sipreplay.learn.options import LearnReport, ScenarioRow
from sipreplay.report.lines import Line, Span
from sipreplay.report.tables import Heading, table_lines
from sipreplay.report.words import count, duration_ms, plural, printable

MAX_SCENARIOS = 60
MAX_REMARKS = 30

_HEADINGS = (
    Heading("scenario", least=16),
    Heading("calls", right=True, keep=True),
    Heading("messages", right=True, keep=True, drop=3),
    Heading("length", right=True, keep=True, drop=4),
    Heading("over", keep=True, drop=2),
    Heading("media", least=12),
    Heading("injection columns", least=12, drop=1),
)


def learn_lines(report: LearnReport, width: int = 120) -> list[Line]:
    """The lines of the outcome; nothing but the scenario table is cut to the width."""
    lines: list[Line] = [
        [("  learned  ", "head"), *_share(report.learned_calls, report.calls, "call")],
        [("           ", ""), *_share(report.learned_dialogs, report.dialogs, "dialog")],
        [("           ", ""), *_share(report.learned_streams, report.streams, "RTP stream")],
        [],
    ]
    if report.scenarios:
        shown = report.scenarios[:MAX_SCENARIOS]
        lines += table_lines(_HEADINGS, [_cells(row) for row in shown], width)
        if len(report.scenarios) > len(shown):
            lines.append(
                [(f"  and {plural(len(report.scenarios) - len(shown), 'more scenario')}, in bundle.toml", "dim")]
            )
    else:
        lines.append([("  no scenario was written", "warn")])
    lines += _remarks("under test", report.under_test, "")
    lines += _remarks("generalised", report.generalised, "")
    lines += _remarks("left out", [f"{entry.what}: {entry.why}" for entry in report.left_out], "warn")
    lines += _remarks("not seen", report.blind_spots, "warn")
    lines += [[], [("  wrote ", ""), (printable(str(report.output)), "bold"), (f"  {_next(report)}", "dim")]]
    return lines


def _next(report: LearnReport) -> str:
    return f"play it: sipreplay run {printable(str(report.output))}" if report.scenarios else ""


def _share(part: int, whole: int, noun: str) -> list[Span]:
    style = "good" if part == whole and whole else "warn" if part else "dim"
    return [(f"{count(part)} of {plural(whole, noun)}", style)]


def _cells(row: ScenarioRow) -> list[Span]:
    return [
        (printable(row.name), "bold"),
        (count(row.calls), ""),
        (count(row.messages), ""),
        (duration_ms(row.duration_ms), ""),
        (row.transport, ""),
        (printable(", ".join(row.media)) or "-", "media"),
        (printable(", ".join(row.columns)) or "-", "dim"),
    ]


def _remarks(title: str, texts: list[str], style: str) -> list[Line]:
    if not texts:
        return []
    lines: list[Line] = [[], [(f"  {title}", "head")]]
    lines += [[(f"    {printable(text)}", style)] for text in texts[:MAX_REMARKS]]
    if len(texts) > MAX_REMARKS:
        lines.append([(f"    and {plural(len(texts) - MAX_REMARKS, 'more')}", "dim")])
    return lines
