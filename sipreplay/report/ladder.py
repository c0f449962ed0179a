"""What a ladder shows, before it is drawn: columns (hosts or addresses) and rows (messages, streams) of one call.

Retransmissions and copies fold into the message they repeat. The terminal and the SVG draw the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sipreplay.analysis.graph import Actors
from sipreplay.analysis.ladder import ladder_of
from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, HopDialog, Stream
from sipreplay.report.message_text import codec_text, notes_of, raw_text, sdp_text, stream_numbers, style_of
from sipreplay.report.words import clip, printable

MAX_ROWS = 2000
"""Rows of one ladder; a call that never ends must not fill the memory of whoever looks at it."""
MAX_COLUMNS = 24


@dataclass(slots=True)
class Column:
    """A lifeline."""

    addresses: list[Address]
    role: str = ""
    agent: str = ""
    """User-Agent or Server it named."""
    shares_host: bool = False
    """Another lifeline stands for the same host."""

    @property
    def label(self) -> str:
        """The first address, or the host when it used several ports and has it alone."""
        if len(self.addresses) == 1 or self.shares_host:
            return str(self.addresses[0])
        return " ".join(sorted({address.host for address in self.addresses}))


@dataclass(slots=True)
class Row:
    """A message or a stream from one column to another."""

    time: float
    source: int
    destination: int
    label: str
    """Method, or status and reason; of a stream its codec."""
    style: str
    """request, provisional, success, redirect, failure, media."""
    packet: int = 0
    capture: int = 0
    cseq: str = ""
    sdp: str = ""
    notes: list[str] = field(default_factory=list)
    raw: str = ""
    retransmissions: int = 0
    last_retransmission: float = 0.0
    copies: int = 0
    orphan: bool = False
    """A retransmission whose first sending the capture does not hold."""
    dialog: int = 0
    stream: Stream | None = None
    ports: tuple[int, int] = (0, 0)
    index: int = 0
    """Of the message in its capture order, to look it up."""

    @property
    def detail(self) -> str:
        """What stands under the arrow: SDP and notes."""
        return " · ".join(part for part in (self.sdp, *self.notes) if part)


@dataclass(slots=True)
class Ladder:
    """One call's ladder."""

    title: str
    columns: list[Column]
    rows: list[Row]
    start: float
    left_out: int = 0
    """Messages past MAX_ROWS, or between addresses past MAX_COLUMNS."""


def call_ladder(
    analysis: Analysis, call: Call, *, limit: int | None = MAX_ROWS, own: Sequence[Stream] | None = None
) -> Ladder:
    """The ladder of a call: all its dialogs and the streams tied to them, in causal order; at most `limit` rows.

    `own`: the streams tied to its dialogs, from a caller who knows them.
    """
    found = ladder_of(analysis, call, own=own)
    dialogs = [analysis.dialog(ident) for ident in call.dialogs]
    by_id = {dialog.id: dialog for dialog in dialogs}
    columns, place = _columns(dialogs, found.columns)
    start = min((row.time for row in found.rows), default=0.0)
    ladder = Ladder(f"Call {call.id}", columns, [], start)
    first: dict[tuple[object, ...], Row] = {}
    for index, entry in enumerate(found.rows):
        if entry.captured is not None and _fold(entry.captured, first):
            continue
        row = None
        if limit is None or len(ladder.rows) < limit:
            if entry.stream is not None:
                row = _stream_row(entry.stream, by_id, columns, place)
            elif entry.captured is not None:
                row = _message_row(entry.captured, place)
        if row is None:
            ladder.left_out += 1
            continue
        row.dialog, row.index = entry.dialog, index
        ladder.rows.append(row)
        if entry.captured is not None:
            first[_identity(entry.captured)] = row
    _name_columns(columns, dialogs, place)
    return ladder


def messages_ladder(title: str, messages: Sequence[CapturedMessage], streams: Sequence[Stream] = ()) -> Ladder:
    """The ladder of one call's messages that no analysis has seen, such as those of a call that a run recorded.

    A message sent again unchanged counts as a retransmission.
    """
    if not messages:
        return Ladder(title, [], [], 0.0)
    seen: set[tuple[Address, Address, bytes]] = set()
    marked = []
    for message in messages:
        key = (message.source, message.destination, message.data)
        marked.append(message.marked(key in seen))
        seen.add(key)
    opening = marked[0]
    dialog = HopDialog(
        id=1,
        kind=(opening.message.method or opening.message.cseq_method).lower(),
        call_id=opening.message.call_id,
        from_tag=opening.message.from_tag,
        to_tag="",
        caller=opening.source,
        callee=opening.destination,
        transport=opening.transport,
        messages=marked,
        call=1,
    )
    ladder = call_ladder(Analysis([], marked, 0, [dialog], [Call(1, [1])], list(streams)), Call(1, [1]))
    ladder.title = title
    return ladder


def _columns(dialogs: Sequence[HopDialog], addresses: Iterable[Address]) -> tuple[list[Column], dict[Address, int]]:
    """Lifelines in the order of the hops. A host is one, unless it talks to itself (loopback): then an actor is."""
    used: dict[Address, None] = {}
    for dialog in sorted(dialogs, key=lambda d: (d.hop, d.first, d.id)):
        used.setdefault(dialog.caller)
        used.setdefault(dialog.callee)
    media = {address for address in addresses if address not in used}
    for dialog in dialogs:
        for message in dialog.messages:
            for address in (message.source, message.destination):
                used.setdefault(address)
                media.discard(address)
    alone = {
        message.source.host
        for dialog in dialogs
        for message in dialog.messages
        if message.source.host == message.destination.host
    }
    actors = Actors(dialogs)
    columns: list[Column] = []
    place: dict[Address, int] = {}
    owners: dict[str, int] = {}
    for address in used:
        owner = actors.of(address) if address.host in alone else address.host
        if owner in owners:
            place[address] = owners[owner]
            columns[place[address]].addresses.append(address)
        elif len(columns) < MAX_COLUMNS:
            place[address] = owners[owner] = len(columns)
            columns.append(Column([address], shares_host=address.host in alone))
    return columns, place


def _name_columns(columns: list[Column], dialogs: Sequence[HopDialog], place: dict[Address, int]) -> None:
    calls: dict[int, set[str]] = {}
    for dialog in dialogs:
        for address, side in ((dialog.caller, "caller"), (dialog.callee, "callee")):
            column = place.get(address)
            if column is None:
                continue
            calls.setdefault(column, set()).add("registrar" if side == "callee" and dialog.kind == "register" else side)
    relays = {index for index, sides in calls.items() if {"caller", "callee"} <= sides}
    for dialog in dialogs:
        for captured in dialog.messages:
            column = place.get(captured.source)
            if column is not None and not columns[column].agent and _speaks_for_itself(captured, column in relays):
                agent = captured.message.get("User-Agent") or captured.message.get("Server") or ""
                columns[column].agent = clip(printable(agent.strip()), 60)
    for index, sides in calls.items():
        between = {"caller", "callee"} <= sides
        columns[index].role = "between" if between else "/".join(sorted(sides))


def _speaks_for_itself(captured: CapturedMessage, relay: bool) -> bool:
    """Whether User-Agent or Server name the sender: what a proxy passes on names an endpoint."""
    if not relay:
        return True
    message = captured.message
    return len(message.get_all("Via")) == 1 if message.is_request else message.status == 100


def _identity(captured: CapturedMessage) -> tuple[object, ...]:
    """Equal for a message, its retransmissions and its copies."""
    message = captured.message
    return (
        captured.source,
        captured.destination,
        message.method,
        message.status,
        message.cseq_number,
        message.cseq_method,
        message.branch,
        message.to_tag,
    )


def _fold(captured: CapturedMessage, first: dict[tuple[object, ...], Row]) -> bool:
    """Count a repeated message at the row of its first sending; False if it has none."""
    if not (captured.retransmission or captured.copy):
        return False
    original = first.get(_identity(captured))
    if original is None:
        return False
    if captured.copy:
        original.copies += 1
    else:
        original.retransmissions += 1
        original.last_retransmission = captured.time
    return True


def _message_row(captured: CapturedMessage, place: dict[Address, int]) -> Row | None:
    source, destination = place.get(captured.source), place.get(captured.destination)
    if source is None or destination is None:
        return None
    message = captured.message
    label = message.method if message.is_request else f"{message.status} {message.reason}".strip()
    return Row(
        time=captured.time,
        source=source,
        destination=destination,
        label=clip(printable(label), 60),
        style=style_of(message),
        packet=captured.packet,
        capture=captured.capture,
        cseq=f"{message.cseq_number} {printable(message.cseq_method)}",
        sdp=sdp_text(message),
        notes=notes_of(message),
        raw=raw_text(captured.data),
        ports=(captured.source.port, captured.destination.port),
        orphan=captured.retransmission,
    )


def _stream_row(
    stream: Stream, dialogs: dict[int, HopDialog], columns: list[Column], place: dict[Address, int]
) -> Row | None:
    dialog = dialogs.get(stream.dialog) if stream.dialog is not None else None
    sides: tuple[Address | None, Address | None] = (None, None)
    if dialog is not None and stream.from_caller is not None:
        sides = (dialog.caller, dialog.callee) if stream.from_caller else (dialog.callee, dialog.caller)
    source = _media_column(stream.source, sides[0], columns, place)
    destination = _media_column(stream.destination, sides[1], columns, place)
    if source is None or destination is None:
        return None
    return Row(
        time=stream.first,
        source=source,
        destination=destination,
        label=codec_text(stream),
        style="media",
        notes=stream_numbers(stream),
        stream=stream,
        dialog=stream.dialog or 0,
        ports=(stream.source.port, stream.destination.port),
    )


def _media_column(
    address: Address, side: Address | None, columns: list[Column], place: dict[Address, int]
) -> int | None:
    """The lifeline of a media address: the dialog's side on that host, any on that host, or a new one (a relay)."""
    if address in place:
        return place[address]
    if side is not None and side in place and side.host == address.host:
        return place[side]
    for index, column in enumerate(columns):
        if any(known.host == address.host for known in column.addresses):
            return index
    if len(columns) >= MAX_COLUMNS:
        return None
    place[address] = len(columns)
    columns.append(Column([address], role="media"))
    return place[address]
