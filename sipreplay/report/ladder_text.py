"""The ladder of a call for a terminal: a lifeline a host, absolute and delta time, SIP and RTP in one picture.

Fits 80 to 200 columns; with more lifelines than fit, lines grow past the width rather than lose a message.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipreplay.report.ladder import Column, Ladder, Row
from sipreplay.report.lines import Line, plain_text
from sipreplay.report.words import clip, duration_s, plural, utc

LEAST_SPACING = 13
MOST_SPACING = 56
LONG_PAUSE_S = 5.0
"""A longer time in which nothing happens gets a row of its own."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What lines are drawn with."""

    lifeline: str
    line: str
    right: str
    left: str
    media: str
    media_right: str
    media_left: str
    start: str
    loop: str
    pause: str


UNICODE = Glyphs("│", "─", "▶", "◀", "═", "▶", "◀", "├", "⟲", "⋮")
ASCII = Glyphs("|", "-", ">", "<", "=", ">", "<", "|", "@", ":")


def ladder_text(ladder: Ladder, width: int = 120, *, ascii_only: bool = False) -> str:
    """The ladder as plain text."""
    return plain_text(ladder_lines(ladder, width, ascii_only=ascii_only))


def ladder_lines(ladder: Ladder, width: int = 120, *, ascii_only: bool = False) -> list[Line]:
    """The ladder as styled lines: participants, header, one or two lines a row."""
    glyphs = ASCII if ascii_only else UNICODE
    if not ladder.rows:
        return [[(f"{ladder.title}: no message", "dim")]]
    grid = _Grid(ladder, width, glyphs)
    lines: list[Line] = [_title(ladder)]
    lines += _participants(ladder.columns)
    lines.append([])
    lines += grid.header()
    previous = ladder.start
    for row in ladder.rows:
        if row.time - previous >= LONG_PAUSE_S:
            lines.append(grid.pause(row.time - previous))
        lines += grid.row(row, previous)
        previous = max(row.time, previous)
    lines.append([(grid.blank(), "dim")])
    if ladder.left_out:
        lines.append([(f"{plural(ladder.left_out, 'message')} more, not shown: --all shows them", "warn")])
    if ascii_only:
        lines = [[(to_ascii(text), style) for text, style in line] for line in lines]
    return lines


def to_ascii(text: str) -> str:
    """The text with ASCII characters only."""
    for wide, narrow in ((" · ", ", "), ("…", "~"), ("×", "x"), ("→", ">"), ("⋮", ":")):
        text = text.replace(wide, narrow)
    return text.encode("ascii", "replace").decode()


def _title(ladder: Ladder) -> Line:
    when = utc(ladder.start).strftime("%Y-%m-%d %H:%M:%S UTC")
    end = max(
        max(row.time, row.last_retransmission, row.stream.last if row.stream else row.time) for row in ladder.rows
    )
    return [(ladder.title, "bold"), (f"  from {when}, {duration_s(max(end - ladder.start, 0.0))}", "dim")]


def letter(index: int) -> str:
    """A, B, ... of a lifeline."""
    return chr(ord("A") + index % 26) + (str(index // 26) if index >= 26 else "")


def _participants(columns: list[Column]) -> list[Line]:
    widest = max(len(column.label) for column in columns)
    lines: list[Line] = []
    for index, column in enumerate(columns):
        ports = sorted({address.port for address in column.addresses})
        listed = ", ".join(map(str, ports[:4])) + (", ..." if len(ports) > 4 else "")
        words = [column.role, f"ports {listed}" if len(ports) > 1 else "", column.agent]
        text = ", ".join(word for word in words if word)
        lines.append([(f"  {letter(index)} ", "head"), (f"{column.label:<{widest}}", ""), (f"  {text}", "dim")])
    return lines


class _Grid:
    """Where lifelines stand, and how a row is laid over them."""

    def __init__(self, ladder: Ladder, width: int, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.start = ladder.start
        number = max(len(ladder.columns), 2)
        self.columns = ladder.columns
        self.numbered = width >= 100
        self.gutter = 31 if self.numbered else 22
        longest = max(len(column.label) for column in ladder.columns)
        margin = min(longest // 2 + 1, 9)
        room = width - self.gutter - 2 * margin - 1
        self.spacing = max(min(room // (number - 1), MOST_SPACING), LEAST_SPACING)
        self.left = self.gutter + margin
        self.places = [self.left + index * self.spacing for index in range(len(ladder.columns))]
        self.right_edge = max(width, self.places[-1] + margin + 1)

    def blank(self) -> str:
        """Lifelines alone."""
        cells = [" "] * (self.places[-1] + 1)
        for place in self.places:
            cells[place] = self.glyphs.lifeline
        return "".join(cells)

    def pause(self, seconds: float) -> Line:
        """Lifelines broken by a time in which nothing happens."""
        cells = list(self.blank())
        for place in self.places:
            cells[place] = self.glyphs.pause
        text = f"{duration_s(seconds):>{self.gutter - 2}}"
        return [(text[: self.gutter] + "".join(cells)[len(text) :], "dim")]

    def header(self) -> list[Line]:
        """The names over the lifelines: the address where all fit, else the letter."""
        fits = all(len(column.label) <= self.spacing - 2 for column in self.columns)
        names = [column.label if fits else letter(index) for index, column in enumerate(self.columns)]
        cells = [" "] * (self.right_edge + 40)
        for name, place in zip(names, self.places, strict=True):
            begin = max(place - len(name) // 2, 0)
            cells[begin : begin + len(name)] = list(name)
        title = " packet  time (UTC)     delta" if self.numbered else "time (UTC)     delta"
        cells[: len(title)] = list(title)
        return [[("".join(cells).rstrip(), "head")], [(self.blank(), "dim")]]

    def row(self, row: Row, previous: float) -> list[Line]:
        """An arrow with its label, and the detail under it."""
        when = utc(row.time)
        clock = when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03d}"
        delta = row.time - previous
        gap = f"+{delta:.3f}" if 0 <= delta < 1000 else f"{delta:+.0f}"
        stamp = f"{clock} {gap:>8}"
        if self.numbered:
            stamp = f"{row.packet or '':>7} {stamp}"
        lines = [self._arrow(row, stamp)]
        if row.detail:
            lines.append(self._detail(row))
        return lines

    def _labels(self, row: Row) -> list[str]:
        """The label, from its fullest form to its shortest."""
        folded = ""
        if row.retransmissions:
            until = row.last_retransmission - self.start
            folded += f" ×{row.retransmissions + 1} until +{until:.1f}s"
        if row.orphan:
            folded += " (retransmission)"
        if row.copies:
            folded += f" ({plural(row.copies, 'copy', 'copies')})"
        base = row.label
        short = base.split(" ", 1)[0]
        again = f" ×{row.retransmissions + 1}" if row.retransmissions else " (r)" if row.orphan else ""
        if row.stream is not None:
            return [row.media_label, base]
        return [
            f"{base}  {row.cseq}{folded}",
            f"{base}{folded}",
            f"{short}  {row.cseq}{again}",
            f"{base}{again}",
            f"{short}{again}",
            short,
        ]

    def _arrow(self, row: Row, stamp: str) -> Line:
        glyphs = self.glyphs
        if row.source == row.destination:
            place = self.places[row.source]
            before = self.blank()[: place + 1]
            before = f"{stamp:<{self.gutter}}" + before[self.gutter :]
            text = clip(f"{glyphs.loop} {self._labels(row)[0]}", max(self.right_edge - place - 2, 20))
            rest = self.blank()[place + 2 + len(text) :]
            return [
                (before[: self.gutter], "dim"),
                (before[self.gutter :], "dim"),
                (f" {text}", row.style),
                (rest, "dim"),
            ]
        low, high = sorted((self.places[row.source], self.places[row.destination]))
        rightward = row.destination > row.source
        inner = high - low - 1
        media = row.stream is not None
        dash = glyphs.media if media else glyphs.line
        room = inner - 5
        label = next((text for text in self._labels(row) if len(text) <= room), clip(self._labels(row)[-1], room))
        body = f" {label} ".center(inner - 1, "\0").replace("\0", dash)
        if rightward:
            shaft = body + (glyphs.media_right if media else glyphs.right)
        else:
            shaft = (glyphs.media_left if media else glyphs.left) + body
        blank = f"{self.blank():<{high + 1}}"
        head = f"{stamp:<{self.gutter}}"
        return [
            (head, "dim"),
            (blank[self.gutter : low + 1], "dim"),
            (shaft, row.style),
            (blank[high:], "dim"),
        ]

    def _detail(self, row: Row) -> Line:
        """Under the arrow, centred; where it is wider it runs over the lifelines, never past the edge."""
        low, high = sorted((self.places[row.source], self.places[row.destination]))
        inner = max(high - low - 1, 0)
        text = clip(row.detail, self.right_edge - self.gutter - 1)
        if len(text) <= inner:
            begin = low + 1 + (inner - len(text)) // 2
        else:
            begin = min(low + 2, self.right_edge - len(text))
            begin = max(begin, self.gutter)
        blank = f"{self.blank():<{begin + len(text)}}"
        return [
            (blank[:begin], "dim"),
            (text, "dim" if row.stream is None else row.style),
            (blank[begin + len(text) :], "dim"),
        ]
