"""The ladder of a call as one self-contained SVG: colours by class of message, RTP as bars, the message text on hover.

Follows the reader's light or dark setting. Captured text is data: it is escaped, and control characters are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from sipreplay.report import style
from sipreplay.report.ladder import Column, Ladder, Row
from sipreplay.report.words import clip, duration_s, plural, utc

GUTTER = 178
TOP = 64
ROW = 34
DETAIL = 13
MEDIA = 40
GAP = 18
LONG_GAP_S = 1.0
CHARACTER = 6.3
"""Average width of a character at 11 px, for deciding where text fits."""
MAX_TITLE = 4000

_LIGHT = {
    "paper": style.PAPER,
    "ink": style.INK,
    "muted": style.MUTED,
    "rail": "#cbd5e1",
    "request": style.BLUE,
    "provisional": style.TEAL,
    "success": style.GREEN,
    "redirect": style.PINK,
    "failure": style.RED,
    "media": style.VIOLET,
    "warn": style.AMBER,
    "head": "#f1f5f9",
}
_DARK = {
    **{name: style.DARK.get(colour, colour) for name, colour in _LIGHT.items()},
    "rail": "#3b4a63",
    "head": "#1b2740",
}


def _css() -> str:
    """Colours are written out: not every viewer knows custom properties."""
    light, dark = _rules(_LIGHT), _rules(_DARK)
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}@media print{{{light}}}"


def _rules(colour: Mapping[str, str]) -> str:
    classes = "".join(
        f".sl .{name} .a{{stroke:{colour[name]}}}.sl .{name} .h,.sl .{name} .n{{fill:{colour[name]}}}"
        for name in ("request", "provisional", "success", "redirect", "failure", "media")
    )
    return (
        ".sl{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;font-size:11px}"
        f".sl .bg{{fill:{colour['paper']}}}.sl .rail{{stroke:{colour['rail']};stroke-width:1.5}}"
        f".sl .gap{{stroke:{colour['paper']};stroke-width:3;stroke-dasharray:3 4}}"
        f".sl text{{fill:{colour['ink']}}}.sl .dim,.sl .t{{fill:{colour['muted']}}}.sl .t{{font-size:10.5px}}"
        ".sl .t,.sl .k{font-variant-numeric:tabular-nums}"
        f".sl .box{{fill:{colour['head']};stroke:{colour['rail']}}}.sl .who{{font-weight:600;font-size:11.5px}}"
        ".sl .a{stroke-width:1.7;fill:none}.sl .n{font-weight:600;font-size:12px}.sl .d{font-size:10.5px}"
        f".sl .n,.sl .d,.sl .c{{paint-order:stroke;stroke:{colour['paper']};stroke-width:4px;stroke-linejoin:round}}"
        f".sl .n .c{{fill:{colour['muted']};font-weight:400;font-size:10.5px}}"
        f".sl .n .w{{fill:{colour['warn']};font-size:11px}}"
        f".sl .m:hover .a{{stroke-width:3}}.sl .m:hover .d{{fill:{colour['ink']}}}.sl .d{{fill:{colour['muted']}}}"
        ".sl .old{opacity:.5}.sl .old .a{stroke-dasharray:5 3}"
        f".sl .bar{{fill:{colour['media']};opacity:.16}}.sl .media .n,.sl .media .d{{stroke:none}}"
        f".sl .media .d{{fill:{colour['ink']}}}" + classes
    )


def ladder_svg(ladder: Ladder, *, raw: bool = True) -> str:
    """The ladder as an SVG document. `raw`: with each message's text as its tooltip."""
    spacing = _spacing(ladder)
    count = max(len(ladder.columns), 1)
    places = [GUTTER + spacing // 2 + index * spacing for index in range(count)]
    width = GUTTER + spacing * count
    parts, y = _rows(ladder, places, width, raw)
    bottom = y + 14
    rails = "".join(f'<line class="rail" x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{bottom - 8}"/>' for x in places)
    heads = "".join(_head(column, x, spacing) for column, x in zip(ladder.columns, places, strict=False))
    if ladder.left_out:
        parts.append(
            f'<text class="dim" x="12" y="{bottom}">{plural(ladder.left_out, "message")} more, not shown</text>'
        )
        bottom += 14
    if not ladder.rows:
        parts.append(f'<text class="dim" x="12" y="{TOP}">no message</text>')
    label = quoteattr(f"Ladder of {ladder.title}: {len(ladder.rows)} messages and streams")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sl" role="img" aria-label={label} '
        f'viewBox="0 0 {width} {bottom}" width="{width}" height="{bottom}">'
        f'<style>{_css()}</style><rect class="bg" width="{width}" height="{bottom}" rx="8"/>'
        f"{rails}{heads}{_stamp_head(ladder)}{''.join(parts)}</svg>\n"
    )


def _spacing(ladder: Ladder) -> int:
    """Wide enough for most labels and details between neighbours, within reason."""
    longest = max((len(column.label) * 7.3 + 34 for column in ladder.columns), default=0.0)
    for row in ladder.rows:
        hops = max(abs(row.source - row.destination), 1)
        text = max(len(row.detail) * 0.93, len(row.label) + len(row.cseq) + 4)
        longest = max(longest, text * CHARACTER / hops + 34)
    return int(min(max(longest, 210), 270 if len(ladder.columns) > 3 else 310))


def _stamp_head(ladder: Ladder) -> str:
    day = utc(ladder.start).strftime("%Y-%m-%d UTC")
    title = escape(clip(ladder.title, 26))
    return f'<text class="who" x="12" y="26">{title}</text><text class="t" x="12" y="42">{day}</text>'


def _head(column: Column, x: int, spacing: int) -> str:
    wide = spacing - 16
    room = int(wide / CHARACTER) - 2
    below = ", ".join(part for part in (column.role, column.agent) if part)
    tip = escape("\n".join([*map(str, column.addresses), column.role, column.agent]).strip())
    name = escape(clip(column.label, int((wide - 10) / 7.3)))
    y = 26 if below else 33
    second = f'<text class="t" x="{x}" y="42" text-anchor="middle">{escape(clip(below, room))}</text>' if below else ""
    return (
        f'<g><title>{tip}</title><rect class="box" x="{x - wide // 2}" y="10" width="{wide}" height="40" rx="6"/>'
        f'<text class="who" x="{x}" y="{y}" text-anchor="middle">{name}</text>{second}</g>'
    )


def _rows(ladder: Ladder, places: list[int], width: int, raw: bool) -> tuple[list[str], int]:
    parts = []
    y = TOP
    previous = ladder.start
    for row in ladder.rows:
        delta = row.time - previous
        if delta >= LONG_GAP_S:
            parts += [f'<line class="gap" x1="{x}" y1="{y + 2}" x2="{x}" y2="{y + GAP}"/>' for x in places]
            parts.append(f'<text class="t" x="92" y="{y + GAP - 3}">⋮ {duration_s(delta)}</text>')
            y += GAP
        if row.stream is not None:
            parts.append(_media(row, places, y, delta))
            y += MEDIA
        else:
            parts.append(_message(row, places, y, delta, width, raw))
            y += ROW + (DETAIL if row.detail else 0)
        previous = max(previous, row.time)
    return parts, y


def _stamp(row: Row, y: int, delta: float) -> str:
    when = utc(row.time)
    clock = when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03d}"
    number = f'<text class="t" x="172" y="{y}" text-anchor="end">#{row.packet}</text>' if row.packet else ""
    gap = f'<text class="t" x="92" y="{y}">{delta:+.3f}</text>' if abs(delta) < LONG_GAP_S else ""
    return f'<text class="k" x="12" y="{y}">{clock}</text>{gap}{number}'


def _message(row: Row, places: list[int], y: int, delta: float, width: int, raw: bool) -> str:
    line = y + 22
    x1, x2 = places[row.source], places[row.destination]
    middle = (x1 + x2) / 2
    if row.source == row.destination:
        arrow = f'<path class="a" d="M{x1} {line - 8}h34v14h-28"/>'
        head = f'<path class="h" d="M{x1 + 1} {line + 6}l8 -4v8z"/>'
        middle = x1 + 60
    else:
        way = 1 if x2 > x1 else -1
        arrow = f'<line class="a" x1="{x1}" y1="{line}" x2="{x2 - way * 7}" y2="{line}"/>'
        head = f'<path class="h" d="M{x2 - way} {line}l{-way * 9} -4.5v9z"/>'
    folded = f' <tspan class="w">×{row.retransmissions + 1}</tspan>' if row.retransmissions else ""
    if row.copies:
        folded += f' <tspan class="c">+{plural(row.copies, "copy", "copies")}</tspan>'
    # The label stays on its own arrow: first the CSeq goes, then the end of the reason phrase.
    room = (max(abs(x2 - x1), 120) - 12) / (CHARACTER * 1.1) - (5 if row.retransmissions else 0)
    cseq = f' <tspan class="c">{escape(row.cseq)}</tspan>' if len(row.label) + len(row.cseq) < room else ""
    label = f"{escape(clip(row.label, int(room)))}{cseq}{folded}"
    detail = ""
    if row.detail:
        text = clip(row.detail, int((width - 24) / CHARACTER))
        half = len(text) * CHARACTER / 2 * 0.93
        at = min(max(middle, GUTTER + half), width - half - 6)
        detail = f'<text class="d" x="{at:.0f}" y="{line + 14}" text-anchor="middle">{escape(text)}</text>'
    old = " old" if row.orphan else ""
    return (
        f'<g class="m {row.style}{old}"><title>{escape(_tip(row, raw))}</title>'
        f"{_stamp(row, line + 3, delta)}{arrow}{head}"
        f'<text class="n" x="{middle:.0f}" y="{line - 6}" text-anchor="middle">{label}</text>{detail}</g>'
    )


def _tip(row: Row, raw: bool) -> str:
    first = f"packet {row.packet}, ports {row.ports[0]} to {row.ports[1]}"
    if row.retransmissions:
        first += f", sent {row.retransmissions + 1} times"
    if row.orphan:
        first += ", a retransmission"
    return first + ("\n\n" + clip(row.raw, MAX_TITLE) if raw and row.raw else "")


def _media(row: Row, places: list[int], y: int, delta: float) -> str:
    x1, x2 = places[row.source], places[row.destination]
    low, high = min(x1, x2), max(x1, x2)
    if low == high:
        high = low + 120
    way = 1 if x2 >= x1 else -1
    top, line = y + 5, y + 20
    tip = low + 1 if way < 0 else high - 1
    text = row.detail
    room = int((high - low - 24) / (CHARACTER * 0.93))
    assert row.stream is not None
    stream = row.stream
    title = (
        f"{stream.source} to {stream.destination}, SSRC 0x{stream.ssrc:08x}, payload types "
        f"{', '.join(map(str, stream.payload_types))}\n{duration_s(max(stream.last - stream.first, 0.0))}, {text}, "
        f"max jitter {stream.max_jitter_ms:.1f} ms, max delta {stream.max_delta_ms:.1f} ms"
    )
    middle = (low + high) / 2
    return (
        f'<g class="m media"><title>{escape(title)}</title>{_stamp(row, line + 3, delta)}'
        f'<rect class="bg" x="{low + 2}" y="{top}" width="{high - low - 4}" height="31"/>'
        f'<rect class="bar" x="{low + 2}" y="{top}" width="{high - low - 4}" height="31" rx="4"/>'
        f'<path class="h" d="M{tip} {line}l{-way * 10} -7v14z"/>'
        f'<text class="n" x="{middle:.0f}" y="{line - 2}" text-anchor="middle">{escape(row.media_label)}</text>'
        f'<text class="d" x="{middle:.0f}" y="{line + 11}" text-anchor="middle">{escape(clip(text, room))}</text></g>'
    )
