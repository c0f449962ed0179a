"""What `learn` prints: the counts, a table of the scenarios, what was generalised, what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipreplay.learn.options import LearnReport, ScenarioRow
from sipreplay.report.lines import Line
from sipreplay.report.words import clip, count, duration_ms, plural, printable

MAX_ROWS = 40
MAX_NOTES = 20


def learn_lines(report: LearnReport, width: int = 120) -> list[Line]:
    """All lines, most important first; long lists are cut, and say so."""
    lines: list[Line] = [[("Learned ", "bold"), (printable(str(report.output)), "bold")], []]
    lines.append(_counts("calls", report.learned_calls, report.calls))
    lines.append(_counts("dialogs", report.learned_dialogs, report.dialogs))
    lines.append(_counts("streams", report.learned_streams, report.streams))
    lines.append([("  scenarios  ", "head"), (count(sum(len(row.files) for row in report.scenarios)) + " written", "")])
    lines.append([])
    lines += _table(report.scenarios)
    lines += _section("Generalised", report.generalised, width)
    lines += _section("Left out", (f"{item.what}: {item.why}" for item in report.left_out), width, "warn")
    lines += _section("Blind spots", report.blind_spots, width, "warn")
    return lines


def _counts(name: str, learned: int, found: int) -> Line:
    style = "" if learned == found else "warn"
    return [(f"  {name:<11}", "head"), (f"{count(learned)} of {count(found)}", style)]


def _table(rows: Sequence[ScenarioRow]) -> list[Line]:
    if not rows:
        return [[("  no scenario: nothing could be learned", "bad")]]
    cells = [("scenario", "calls", "messages", "length", "over", "media", "varies")]
    for row in rows[:MAX_ROWS]:
        cells.append(
            (
                row.name,
                count(row.calls),
                count(row.messages),
                duration_ms(row.duration_ms),
                row.transport,
                clip(", ".join(row.media), 44) or "-",
                clip(", ".join(row.columns), 40) or "-",
            )
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    right = {1, 2, 3}
    lines: list[Line] = []
    for index, line in enumerate(cells):
        text = "  ".join(cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(line))
        lines.append([("  " + printable(text), "head" if index == 0 else "")])
    if len(rows) > MAX_ROWS:
        lines.append([(f"  and {plural(len(rows) - MAX_ROWS, 'more scenario')}: all are in bundle.toml", "dim")])
    return lines


def _section(title: str, items: Iterable[str], width: int, style: str = "") -> list[Line]:
    texts = list(items)
    if not texts:
        return []
    lines: list[Line] = [[], [(f"  {title}", "head")]]
    lines += [[("    " + clip(printable(text), max(width, 80) - 4), style)] for text in texts[:MAX_NOTES]]
    if len(texts) > MAX_NOTES:
        lines.append([(f"    and {count(len(texts) - MAX_NOTES)} more: all are in report.html", "dim")])
    return lines
