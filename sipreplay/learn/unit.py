"""What one scenario pair replays: the messages of one Call-ID between two neighbours, in order, each with its sender.

SIPp knows calls by their Call-ID alone, so hop-dialogs that share one (forks, binding rounds of a REGISTER) are one
unit. Copies and retransmissions are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sipreplay.analysis.dialogs import sent_by_caller
from sipreplay.analysis.model import Analysis, CapturedMessage, HopDialog
from sipreplay.learn.options import LeftOut

MAX_EVENTS = 2000
"""A unit of more messages than this is no call that a scenario could show."""

CALLER, CALLEE = "caller", "callee"


@dataclass(slots=True)
class Event:
    """One message of a unit."""

    captured: CapturedMessage
    sender: str
    """CALLER or CALLEE."""
    transaction: int
    """Index into `Unit.exchanges`."""

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return self.captured.message.is_request

    @property
    def method(self) -> str:
        """Of the request, or of the request that the response answers."""
        return self.captured.message.method or self.captured.message.cseq_method

    @property
    def status(self) -> int:
        """Of the response; 0 for a request."""
        return self.captured.message.status

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        return self.captured.time


@dataclass(slots=True)
class Exchange:
    """A request as sent, with what came back."""

    method: str
    sender: str
    request: Event
    responses: list[Event] = field(default_factory=list)
    ack: Event | None = None
    retransmitted: int = 0

    @property
    def final(self) -> Event | None:
        """The first final response."""
        return next((r for r in self.responses if r.status >= 200), None)


@dataclass(slots=True)
class Unit:
    """One call of one hop as a scenario pair sees it."""

    dialogs: list[HopDialog]
    events: list[Event]
    exchanges: list[Exchange]
    end: float
    """When the capture ends for it: the last packet of the captures."""
    notes: list[str] = field(default_factory=list)

    @property
    def dialog(self) -> HopDialog:
        """The first hop-dialog."""
        return self.dialogs[0]

    @property
    def transport(self) -> str:
        """Of the first message: UDP, TCP, TLS, WS or WSS."""
        return self.events[0].captured.transport

    @property
    def replayed_over(self) -> str:
        """UDP or TCP: what was captured over TLS or WebSocket is replayed over TCP."""
        return "UDP" if self.transport == "UDP" else "TCP"

    @property
    def kind(self) -> str:
        """Lower-case method of the first request."""
        return self.events[0].method.lower()


def make_units(analysis: Analysis, chosen: list[HopDialog]) -> tuple[list[Unit], list[LeftOut]]:
    """Units of the chosen dialogs in order of their first message, and what could not be one."""
    groups: dict[tuple[str, int, frozenset[object]], list[HopDialog]] = {}
    left_out = []
    for dialog in chosen:
        if dialog.caller == dialog.callee:
            left_out.append(LeftOut(f"dialog {dialog.id}", "an actor talks to itself (a spiral): shown, not learned"))
            continue
        if dialog.alias_of is not None:
            why = f"the other side of a NAT: the same messages as dialog {dialog.alias_of}"
            left_out.append(LeftOut(f"dialog {dialog.id}", why))
            continue
        pair = frozenset((dialog.caller, dialog.callee))
        groups.setdefault((dialog.call_id, dialog.conversation, pair), []).append(dialog)
    end = max((c.last for c in analysis.captures if c.last is not None), default=0.0)
    units = []
    for dialogs in groups.values():
        unit, why = _unit(dialogs, end)
        if unit is None:
            names = ", ".join(str(d.id) for d in dialogs)
            left_out.append(LeftOut(f"dialog {names} ({dialogs[0].kind})", why))
        else:
            units.append(unit)
    units.sort(key=lambda u: u.events[0].time)
    return units, left_out


def _unit(dialogs: list[HopDialog], end: float) -> tuple[Unit | None, str]:
    """The unit of these dialogs, or why there is none."""
    seen: set[CapturedMessage] = set()
    messages: list[tuple[CapturedMessage, bool]] = []
    repeats: list[CapturedMessage] = []
    first = dialogs[0]
    for dialog in dialogs:
        # The caller of a later dialog of the same Call-ID may be the callee of the first.
        turned = dialog.caller != first.caller
        for captured in dialog.messages:
            if captured in seen or captured.copy:
                continue
            seen.add(captured)
            if not captured.message.is_request and not 100 <= captured.message.status <= 699:
                continue
            if captured.retransmission:
                repeats.append(captured)
                continue
            messages.append((captured, sent_by_caller(dialog, captured) != turned))
    if len(dialogs) > 1:
        messages.sort(key=lambda m: m[0].time)
    if len(messages) > MAX_EVENTS:
        return None, f"{len(messages)} messages under one Call-ID, more than {MAX_EVENTS}"
    return _ordered(dialogs, messages, repeats, end)


def _ordered(
    dialogs: list[HopDialog], messages: list[tuple[CapturedMessage, bool]], repeats: list[CapturedMessage], end: float
) -> tuple[Unit | None, str]:
    """Events and exchanges. What answers a request that was not captured is left out."""
    events: list[Event] = []
    exchanges: list[Exchange] = []
    waiting: list[tuple[CapturedMessage, bool]] = []
    notes = []
    lost = 0
    for captured, from_caller in messages:
        message = captured.message
        sender = CALLER if from_caller else CALLEE
        if message.is_request and message.method != "ACK":
            event = Event(captured, sender, len(exchanges))
            events.append(event)
            exchanges.append(Exchange(message.method, sender, event))
            for early, early_sender in waiting:
                lost += not _attach(events, exchanges, early, CALLER if early_sender else CALLEE)
            waiting = []
        elif not _attach(events, exchanges, captured, sender):
            # Clocks of capture ports differ: a response may stand shortly before its request.
            waiting.append((captured, from_caller))
            if len(waiting) > 10:
                waiting.pop(0)
                lost += 1
    lost += len(waiting)
    if not exchanges:
        return None, "no request of it is in the capture, only responses or ACK"
    if lost:
        notes.append(f"{lost} responses or ACKs without their request in the capture are left out")
    for exchange in exchanges:
        key = exchange.request.captured.message
        exchange.retransmitted = sum(
            r.message.method == exchange.method and r.message.cseq_number == key.cseq_number for r in repeats
        )
    if exchanges[0].sender == CALLEE:
        # What is learned begins with a request of the other side: that side is the caller of what is left.
        for event in events:
            event.sender = CALLER if event.sender == CALLEE else CALLEE
        for exchange in exchanges:
            exchange.sender = CALLER if exchange.sender == CALLEE else CALLEE
        notes.append("its beginning is not in the capture; the side of the first captured request is the caller")
    return Unit(dialogs, events, exchanges, end, notes), ""


def _attach(events: list[Event], exchanges: list[Exchange], captured: CapturedMessage, sender: str) -> bool:
    """Give a response or an ACK to its exchange; False if there is none."""
    message = captured.message
    method = "INVITE" if message.method == "ACK" else message.cseq_method
    requester = sender if message.method == "ACK" else (CALLEE if sender == CALLER else CALLER)
    for index in range(len(exchanges) - 1, -1, -1):
        exchange = exchanges[index]
        key = exchange.request.captured.message
        if exchange.method != method or exchange.sender != requester or key.cseq_number != message.cseq_number:
            continue
        if not message.is_request and key.branch and message.branch and key.branch != message.branch:
            continue
        event = Event(captured, sender, index)
        if message.method == "ACK":
            if exchange.ack is not None and exchange.ack.captured.message.to_tag == message.to_tag:
                return True
            exchange.ack = exchange.ack or event
        else:
            exchange.responses.append(event)
        events.append(event)
        return True
    return False
