"""The rows of a call's ladder, and a dialog's ladder as the few lines that runs are compared by.

Owns order and labels, and says of each row what it is; who draws it decides what to show. Never draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sipreplay.analysis.causality import causal_order
from sipreplay.analysis.dialogs import sent_by_caller
from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, HopDialog, Stream
from sipreplay.analysis.sdp_media import sdp_of


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One arrow."""

    time: float
    """Seconds since the epoch."""
    source: Address
    destination: Address
    label: str
    """Method, or status and reason; of a stream the codec and packets."""
    cseq: str = ""
    """ "1 INVITE"."""
    sdp: str = ""
    """Media lines of the body, e.g. "audio 6000 PCMU sendrecv"; "" without SDP."""
    retransmission: bool = False
    copy: bool = False
    dialog: int = 0
    """Id of the hop-dialog; 0 for a stream of none."""
    packet: int = 0
    captured: CapturedMessage | None = None
    stream: Stream | None = None


@dataclass(slots=True)
class Ladder:
    """A call: `columns` in order of first appearance, `rows` in causal order."""

    call: int
    columns: list[Address] = field(default_factory=list)
    rows: list[LadderRow] = field(default_factory=list)


def sdp_summary(captured: CapturedMessage) -> str:
    """The media of a message's SDP in one line: kind, port, codecs, direction; "" without SDP."""
    description = sdp_of(captured)
    if description is None:
        return ""
    parts = []
    for media in description.media:
        names = [codec[0] for p in media.payload_types if (codec := media.codec(p))] or list(media.formats)
        parts.append(f"{media.kind} {media.port} {'/'.join(names[:4])} {media.direction}")
    return ", ".join(parts)


def _row(captured: CapturedMessage, dialog: int) -> LadderRow:
    message = captured.message
    return LadderRow(
        time=captured.time,
        source=captured.source,
        destination=captured.destination,
        label=message.method or f"{message.status} {message.reason}".strip(),
        cseq=f"{message.cseq_number} {message.cseq_method}",
        sdp=sdp_summary(captured),
        retransmission=captured.retransmission,
        copy=captured.copy,
        dialog=dialog,
        packet=captured.packet,
        captured=captured,
    )


def ladder_of(analysis: Analysis, call: Call, *, streams: bool = True, own: Sequence[Stream] | None = None) -> Ladder:
    """The ladder of a call: every message of its dialogs once, and a row at the first packet of each of their
    streams. `own`: those streams, from a caller who knows them; else they are looked for among all.
    """
    owners: dict[CapturedMessage, int] = {}
    messages: list[CapturedMessage] = []
    for ident in call.dialogs:
        for captured in analysis.dialog(ident).messages:
            if captured not in owners:
                owners[captured] = ident
                messages.append(captured)
    if len(call.dialogs) > 1:  # each alone is in order already
        messages.sort(key=lambda m: (m.time, m.capture, m.packet))
        messages = causal_order(messages)
    rows = [_row(captured, owners[captured]) for captured in messages]
    if streams:
        members = set(call.dialogs)
        rows = _with_streams(rows, [s for s in (analysis.streams if own is None else own) if s.dialog in members])
    columns = list(dict.fromkeys(address for row in rows for address in (row.source, row.destination)))
    return Ladder(call.id, columns, rows)


def _with_streams(rows: list[LadderRow], streams: Sequence[Stream]) -> list[LadderRow]:
    """The rows with a row for each stream before the first message that is later."""
    waiting = sorted(streams, key=lambda s: s.first, reverse=True)
    merged: list[LadderRow] = []
    for row in rows:
        while waiting and waiting[-1].first < row.time:
            merged.append(_stream_row(waiting.pop()))
        merged.append(row)
    while waiting:
        merged.append(_stream_row(waiting.pop()))
    return merged


def _stream_row(stream: Stream) -> LadderRow:
    return LadderRow(
        time=stream.first,
        source=stream.source,
        destination=stream.destination,
        label=f"RTP {stream.codec or '?'} {stream.packets}",
        dialog=stream.dialog or 0,
        stream=stream,
    )


def ladder_lines(dialog: HopDialog) -> list[str]:
    """Start lines as "> INVITE" and "< 200" seen from the caller, without copies, retransmissions and 100."""
    lines = []
    for captured in dialog.messages:
        message = captured.message
        if captured.copy or captured.retransmission or message.status == 100:
            continue
        arrow = ">" if sent_by_caller(dialog, captured) else "<"
        lines.append(f"{arrow} {message.method or message.status}")
    return lines
