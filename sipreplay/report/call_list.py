"""The list of calls and the list of streams that `inspect` shows, as values and as text tables.

Huge captures are capped with a note; the JSON has everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sipreplay.analysis.filter_fields import final_status
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, Call, HopDialog, Stream
from sipreplay.analysis.outline import outline
from sipreplay.report.lines import Line, Span
from sipreplay.report.message_text import codec_text
from sipreplay.report.tables import Heading, table_lines
from sipreplay.report.words import clip, count, duration_ms, duration_s, percent, plural, printable, utc
from sipreplay.sip.address import parse_name_addr
from sipreplay.sip.syntax import SipSyntaxError

MAX_CALLS = 500
MAX_STREAMS = 200
POOR_MOS = 3.6
"""Below it many users are dissatisfied (G.107 Annex B)."""

_STATE_STYLES = {
    "completed": "good",
    "established": "good",
    "rejected": "bad",
    "unanswered": "bad",
    "cancelled": "warn",
    "challenged": "warn",
    "redirected": "warn",
}


@dataclass(slots=True)
class CallRow:
    """One call, summed over its hops."""

    id: int
    method: str
    from_user: str
    to_user: str
    caller: str
    callee: str
    hops: int
    messages: int
    retransmissions: int
    state: str
    final: str
    """Last final status of the first dialog's initial request, e.g. "486"; "" when there was none."""
    start: float
    duration_s: float
    pdd_ms: float | None
    setup_ms: float | None
    dialogs: int = 1
    """Of all hops and legs."""
    streams: list[Stream] = field(default_factory=list)
    findings: tuple[int, int, int] = (0, 0, 0)
    """Errors, warnings and notes that name the call."""

    @property
    def codecs(self) -> str:
        """Codecs of the streams, each once."""
        return "/".join(dict.fromkeys(codec_text(s) for s in self._media()))

    @property
    def lost(self) -> int:
        """Lost RTP packets of all streams but those of digits, whose sequence numbers jump in the pauses."""
        return sum(s.lost for s in self._media())

    def towards(self, from_caller: bool) -> list[Stream]:
        """Its streams in one direction, of all legs."""
        return [s for s in self._media() if s.from_caller is from_caller]

    @property
    def lost_text(self) -> str:
        """Lost packets: from the caller / from the callee where both are known, else the sum."""
        return self._by_direction(lambda streams: count(sum(s.lost for s in streams)), count(self.lost))

    @property
    def mos_text(self) -> str:
        """The worst MOS: from the caller / from the callee where both are known."""
        return self._by_direction(_worst_mos, _worst_mos(self.streams))

    def _by_direction(self, text: Callable[[Sequence[Stream]], str], whole: str) -> str:
        sides = [self.towards(True), self.towards(False)]
        if not all(sides) or whole == "-":
            return whole if self.streams else "-"
        return "/".join(text(side) for side in sides)

    def _media(self) -> list[Stream]:
        return [s for s in self.streams if s.codec or not s.dtmf]

    @property
    def jitter_ms(self) -> float | None:
        """The worst stream's mean jitter."""
        return max((s.mean_jitter_ms for s in self.streams), default=None)

    @property
    def mos(self) -> float | None:
        """The worst stream's MOS."""
        return min((s.mos for s in self.streams if s.mos is not None), default=None)


def _worst_mos(streams: Sequence[Stream]) -> str:
    worst = min((s.mos for s in streams if s.mos is not None), default=None)
    return "-" if worst is None else f"{worst:.2f}"


def party(value: str | None) -> str:
    """Who a From or To names: "user@host", or the host alone; what cannot be parsed is shown as it is."""
    if not value:
        return ""
    try:
        uri = parse_name_addr(value).uri
    except SipSyntaxError:
        return clip(printable(value.strip()), 40)
    uri_text = str(uri)
    text = uri_text.partition(";")[0].partition("?")[0]
    for scheme in ("sip:", "sips:", "tel:"):
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
    return printable(text)


def call_row(
    analysis: Analysis, call: Call, streams: Sequence[Stream], marks: tuple[int, int, int] = (0, 0, 0)
) -> CallRow:
    """The row of a call; `streams` are those tied to its dialogs, `marks` as `CallRow.findings`."""
    dialogs = sorted((analysis.dialog(ident) for ident in call.dialogs), key=lambda d: (d.first, d.hop, d.id))
    first = dialogs[0]
    chain = [d for d in dialogs if d.call_id == first.call_id and d.kind == first.kind]
    request = next((m.message for m in first.messages if m.message.is_request), first.messages[0].message)
    fallback = first.messages[0].message
    return CallRow(
        id=call.id,
        method=first.kind.upper(),
        from_user=party(request.get("From") or fallback.get("From")),
        to_user=party(request.get("To") or fallback.get("To")),
        caller=str(first.caller),
        callee=str(max(chain, key=lambda d: (d.hop, -d.id)).callee),
        hops=len(chain),
        messages=sum(len(d.messages) for d in dialogs),
        retransmissions=sum(outline(d).retransmissions for d in dialogs),
        state=_state(dialogs),
        final=_final(first),
        start=first.first,
        duration_s=max(d.last for d in dialogs) - first.first,
        pdd_ms=first.pdd_ms,
        setup_ms=first.setup_ms,
        dialogs=len(dialogs),
        streams=list(streams),
        findings=marks,
    )


def _state(dialogs: Iterable[HopDialog]) -> str:
    """The first dialog's state: what the caller saw."""
    return next(iter(dialogs)).state or "unknown"


def _final(dialog: HopDialog) -> str:
    return str(final_status(dialog) or "")


def call_rows(analysis: Analysis, limit: int | None = None, found: Iterable[Finding] = ()) -> list[CallRow]:
    """The rows of the first `limit` calls, in order of their start."""
    marks: dict[int, list[int]] = {}
    for finding in found:
        for ident in finding.calls:
            marks.setdefault(ident, [0, 0, 0])[Severity.ERROR - finding.severity] += 1
    by_dialog: dict[int, list[Stream]] = {}
    for stream in analysis.streams:
        if stream.dialog is not None:
            by_dialog.setdefault(stream.dialog, []).append(stream)
    calls = [call for call in analysis.calls if call.dialogs][:limit]
    rows = []
    for call in calls:
        errors, warnings, notes = marks.get(call.id, (0, 0, 0))
        streams = [s for ident in call.dialogs for s in by_dialog.get(ident, ())]
        rows.append(call_row(analysis, call, streams, (errors, warnings, notes)))
    return rows


_CALL_HEADINGS = (
    Heading("call", right=True, keep=True),
    Heading("!", keep=True, drop=11),
    Heading("method", keep=True),
    Heading("from", least=10),
    Heading("to", least=10),
    Heading("caller", least=15, drop=10),
    Heading("callee", least=15, drop=9),
    Heading("legs", right=True, keep=True, drop=3),
    Heading("msgs", right=True, keep=True),
    Heading("state", keep=True),
    Heading("start (UTC)", keep=True, drop=7),
    Heading("length", right=True, keep=True),
    Heading("pdd", right=True, keep=True, drop=5),
    Heading("setup", right=True, keep=True, drop=6),
    Heading("codec", drop=8, least=8),
    Heading("lost", right=True, keep=True, drop=4),
    Heading("jitter", right=True, keep=True, drop=2),
    Heading("MOS", right=True, keep=True, drop=1),
)


def _call_cells(row: CallRow, dated: bool) -> list[Span]:
    clock = utc(row.start).strftime("%Y-%m-%d %H:%M:%S.%f" if dated else "%H:%M:%S.%f")[:-3]
    state = (
        f"{row.state} {row.final}" if row.final and row.state in ("rejected", "redirected", "challenged") else row.state
    )
    again = f" ({row.retransmissions}r)" if row.retransmissions else ""
    poor = row.mos is not None and row.mos < POOR_MOS
    return [
        (str(row.id), "bold"),
        finding_mark(row.findings),
        (row.method, ""),
        (row.from_user, ""),
        (row.to_user, ""),
        (row.caller, "dim"),
        (row.callee, "dim"),
        (str(row.dialogs), "dim"),
        (f"{row.messages}{again}", ""),
        (state, _STATE_STYLES.get(row.state, "")),
        (clock, "dim"),
        (duration_s(row.duration_s), ""),
        ("-" if row.pdd_ms is None else duration_ms(row.pdd_ms), ""),
        ("-" if row.setup_ms is None else duration_ms(row.setup_ms), ""),
        (row.codecs or "-", "media"),
        (row.lost_text, "bad" if row.lost > 0 else ""),
        (f"{row.jitter_ms:.1f} ms" if row.jitter_ms is not None else "-", ""),
        (row.mos_text, "warn" if poor else ""),
    ]


def finding_mark(findings: tuple[int, int, int]) -> Span:
    """How many errors, else warnings, else notes there are: "2E", "1W", "3n"."""
    for number, letter, style in zip(findings, "EWn", ("bad", "warn", "dim"), strict=True):
        if number:
            return f"{number}{letter}", style
    return "", ""


def call_lines(
    analysis: Analysis, width: int = 160, limit: int | None = MAX_CALLS, found: Iterable[Finding] = ()
) -> list[Line]:
    """The call list. Past `limit` calls a line says how many more there are."""
    rows = call_rows(analysis, limit, found)
    if not rows:
        return [[("  no SIP call or transaction found", "warn")]]
    dated = len({utc(row.start).date() for row in rows}) > 1
    lines = table_lines(_CALL_HEADINGS, [_call_cells(row, dated) for row in rows], width)
    return lines + _more(len(analysis.calls) - len(rows), "call")


def _more(hidden: int, noun: str) -> list[Line]:
    if hidden <= 0:
        return []
    return [
        [(f"  and {plural(hidden, f'more {noun}', f'more {noun}s')}: --all shows them, --filter narrows them", "warn")]
    ]


_STREAM_HEADINGS = (
    Heading("call", right=True, keep=True),
    Heading("source", least=15),
    Heading("destination", least=15),
    Heading("ssrc", keep=True, drop=2),
    Heading("pt", keep=True, drop=3),
    Heading("codec"),
    Heading("packets", right=True, keep=True),
    Heading("lost", right=True, keep=True),
    Heading("order", right=True, keep=True, drop=1),
    Heading("max delta", right=True, keep=True, drop=4),
    Heading("jitter", right=True, keep=True),
    Heading("max jitter", right=True, keep=True, drop=5),
    Heading("MOS", right=True, keep=True),
    Heading("digits", drop=6),
)


def stream_lines(
    analysis: Analysis, streams: Sequence[Stream], width: int = 160, limit: int | None = MAX_STREAMS
) -> list[Line]:
    """The stream table: loss, delta and jitter by Wireshark's rules. Past `limit` a line counts the rest."""
    if not streams:
        return [[("  no RTP stream found", "dim")]]
    cells = [_stream_cells(analysis, stream) for stream in streams[:limit]]
    return table_lines(_STREAM_HEADINGS, cells, width) + _more(len(streams) - len(cells), "stream")


def _stream_cells(analysis: Analysis, stream: Stream) -> list[Span]:
    call = analysis.dialog(stream.dialog).call if stream.dialog is not None else -1
    expected = stream.packets + stream.lost
    share = f" ({percent(stream.lost, expected)})" if stream.lost > 0 else ""
    return [
        (str(call) if call >= 0 else "-", "bold"),
        (str(stream.source), ""),
        (str(stream.destination), ""),
        (f"0x{stream.ssrc:08x}", "dim"),
        (",".join(map(str, stream.payload_types)), ""),
        (codec_text(stream), "media"),
        (count(stream.packets), ""),
        (f"{count(stream.lost)}{share}", "bad" if stream.lost > 0 else ""),
        (count(stream.reordered), "warn" if stream.reordered else ""),
        (f"{stream.max_delta_ms:.1f} ms", ""),
        (f"{stream.mean_jitter_ms:.2f} ms", ""),
        (f"{stream.max_jitter_ms:.2f} ms", ""),
        (f"{stream.mos:.2f}" if stream.mos is not None else "-", "warn" if (stream.mos or 5) < POOR_MOS else ""),
        (printable(stream.dtmf), ""),
    ]
