"""What a ladder shows, before it is drawn: columns (hosts or addresses) and rows (messages, streams) of one call.

Retransmissions and copies fold into the message they repeat. The terminal and the SVG draw the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.ladder import ladder_of
from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, HopDialog, Stream
from sipreplay.analysis.part import Part
from sipreplay.analysis.roles import describe_actors
from sipreplay.report.message_text import codec_text, notes_of, raw_text, sdp_text, stream_numbers, style_of
from sipreplay.report.words import clip, printable

MAX_ROWS = 2000
"""Rows of one ladder; a call that never ends must not fill the memory of whoever looks at it."""
MAX_COLUMNS = 24
MAX_DIGITS = 40
"""A stream with more digits has them in its own row only."""


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
    digit: bool = False
    """One digit of `stream`."""
    ports: tuple[int, int] = (0, 0)
    index: int = 0
    """Of the message in its capture order, to look it up."""

    @property
    def media_label(self) -> str:
        """The label of a stream's or a digit's row."""
        return self.label if self.digit else f"RTP {self.label}"

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
    actors = Actors(dialogs)
    columns, place = _columns(dialogs, found.columns, actors)
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
    _add_digits(ladder)
    _name_columns(columns, Part(analysis, [call], own or ()), place, actors)
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


def _columns(
    dialogs: Sequence[HopDialog], addresses: Iterable[Address], actors: Actors
) -> tuple[list[Column], dict[Address, int]]:
    """Lifelines in the order of the hops, one an actor. Actors of a host share one, unless the host talks to itself."""
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
    columns: list[Column] = []
    place: dict[Address, int] = {}
    owners: dict[str, int] = {}
    for address in used:
        names = [actors.of(address)] + ([] if address.host in alone else [address.host])
        known = next((owners[name] for name in names if name in owners), None)
        if known is not None:
            columns[known].addresses.append(address)
        elif len(columns) < MAX_COLUMNS:
            known = len(columns)
            columns.append(Column([address], shares_host=address.host in alone))
        if known is not None:
            place[address] = known
            for name in names:
                owners.setdefault(name, known)
    return columns, place


def _name_columns(columns: list[Column], part: Analysis, place: dict[Address, int], actors: Actors) -> None:
    """Give each lifeline the role and the software of its actor in this call."""
    for actor in describe_actors(part, actors):
        found = {place[address] for address in actor.addresses if address in place}
        for index in found:
            column = columns[index]
            column.role = ", ".join(dict.fromkeys(part for part in (column.role, *actor.roles) if part))
            column.agent = column.agent or clip(printable(actor.agent), 60)
    _name_by_sides(columns, part.dialogs, place)


def _name_by_sides(columns: list[Column], dialogs: Sequence[HopDialog], place: dict[Address, int]) -> None:
    """What is said of actors that did too little to show a role: which sides of dialogs they are on, and software that
    only their provisional answers name."""
    sides: dict[int, set[str]] = {}
    for dialog in dialogs:
        for address, side in ((dialog.caller, "caller"), (dialog.callee, "callee")):
            if address in place:
                sides.setdefault(place[address], set()).add(side)
    for index, found in sides.items():
        column = columns[index]
        if {"caller", "callee"} <= found and column.role in ("", "UAC", "UAS", "UAC, UAS"):
            column.role = "between"
        column.role = column.role or "/".join(sorted(found))
    for dialog in dialogs:
        for captured in dialog.messages:
            index = place.get(captured.source, -1)
            if index >= 0 and not columns[index].agent and captured.message.status == 100:
                columns[index].agent = clip(printable((captured.message.get("Server") or "").strip()), 60)


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


def _add_digits(ladder: Ladder) -> None:
    """Rows for the RFC 4733 digits of the streams that have few enough, each at its time."""
    digits = [
        Row(
            time=digit.time,
            source=row.source,
            destination=row.destination,
            label=f"DTMF {printable(digit.digit)}, {digit.duration_ms:.0f} ms" + ("" if digit.ended else " or more"),
            style="media",
            stream=row.stream,
            dialog=row.dialog,
            ports=row.ports,
            digit=True,
        )
        for row in ladder.rows
        if row.stream is not None and len(row.stream.digits) <= MAX_DIGITS
        for digit in row.stream.digits
    ]
    if not digits:
        return
    waiting = sorted(digits, key=lambda row: -row.time)
    rows: list[Row] = []
    for row in ladder.rows:
        while waiting and waiting[-1].time < row.time:
            rows.append(waiting.pop())
        rows.append(row)
    ladder.rows[:] = rows + waiting[::-1]


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
