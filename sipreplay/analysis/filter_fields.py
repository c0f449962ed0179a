"""What a filter may ask of a call: the table of fields, and where each reads its values.

A field has any number of values (every method of a call, the MOS of each of its streams). Reads messages only for the
fields that need them, a dialog at a time. Never parses expressions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sipreplay.analysis.model import Address, Analysis, Call, HopDialog, Stream
from sipreplay.analysis.outline import outline
from sipreplay.sip.address import parse_name_addr
from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import parse_uri

TEXT, NUMBER, STATUS, ADDRESS, TIME = "text", "number", "status", "address", "time"
"""How the values of a field are compared."""

STATES = (
    "setup",
    "ringing",
    "established",
    "completed",
    "cancelled",
    "rejected",
    "redirected",
    "challenged",
    "unanswered",
)
SEVERITIES = ("note", "warning", "error")

Value = str | float | Address


class FindingLike(Protocol):
    """What the fields read of a finding."""

    @property
    def rule(self) -> str: ...
    @property
    def severity(self) -> object: ...
    @property
    def calls(self) -> Sequence[int]: ...


class Subject:
    """A call, as the fields see it."""

    __slots__ = ("call", "dialogs", "findings", "streams")

    def __init__(
        self, call: Call, dialogs: Sequence[HopDialog], streams: Sequence[Stream], findings: Sequence[FindingLike]
    ) -> None:
        self.call = call
        self.dialogs = sorted(dialogs, key=lambda d: (d.first, d.hop, d.id))
        """The first is what the caller saw."""
        self.streams = streams
        self.findings = findings


def subjects(analysis: Analysis, findings: Iterable[FindingLike] = ()) -> Iterator[Subject]:
    """Every call of an analysis, with the streams and findings that are its own."""
    streams: dict[int, list[Stream]] = defaultdict(list)
    for stream in analysis.streams:
        if stream.dialog is not None:
            streams[stream.dialog].append(stream)
    found: dict[int, list[FindingLike]] = defaultdict(list)
    for finding in findings:
        for call in finding.calls:
            found[call].append(finding)
    for one in analysis.calls:
        dialogs = [analysis.dialog(ident) for ident in one.dialogs]
        if dialogs:
            media = [stream for dialog in dialogs for stream in streams.get(dialog.id, ())]
            yield Subject(one, dialogs, media, found.get(one.id, ()))


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a filter may use."""

    name: str
    kind: str
    what: str
    """For the documentation and `--help`."""
    values: Callable[[Subject], Iterable[Value]]
    unit: str = ""
    """Of a number without one: "ms", "s" or "%"; values are in it."""
    known: tuple[str, ...] = ()
    """All values there can be, where that is known."""


def _requests(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """From, To and Request-URI of the first request of each dialog."""
    for dialog in subject.dialogs:
        first = next((m.message for m in dialog.messages if m.message.is_request), dialog.messages[0].message)
        yield first.get("From") or "", first.get("To") or "", first.request_uri if first.is_request else ""


def _party(value: str) -> Iterator[str]:
    """What a From or To may be asked for: user, user@host, display name; as it stands if it cannot be read."""
    if not value:
        return
    try:
        name = parse_name_addr(value)
    except SipSyntaxError:
        yield value.strip()
        return
    if name.uri.user:
        yield name.uri.user
        yield f"{name.uri.user}@{name.uri.host}"
    elif name.uri.host:
        yield name.uri.host
    if name.display:
        yield name.display


def _user_and_host(value: str, *, bare: bool = False) -> tuple[str, str]:
    try:
        uri = parse_uri(value) if bare else parse_name_addr(value).uri
    except SipSyntaxError:
        return "", ""
    return uri.user or "", uri.host or ""


def _from(subject: Subject) -> Iterator[str]:
    for sender, _, _ in _requests(subject):
        yield from _party(sender)


def _to(subject: Subject) -> Iterator[str]:
    for _, receiver, _ in _requests(subject):
        yield from _party(receiver)


def _target(subject: Subject) -> Iterator[str]:
    for _, _, uri in _requests(subject):
        yield _user_and_host(uri, bare=True)[0]


def _parts(subject: Subject, which: int) -> Iterator[str]:
    for sender, receiver, uri in _requests(subject):
        yield _user_and_host(sender)[which]
        yield _user_and_host(receiver)[which]
        yield _user_and_host(uri, bare=True)[which]


def _hosts(subject: Subject) -> Iterator[str]:
    yield from (host for host in _parts(subject, 1) if host)
    for dialog in subject.dialogs:
        for address in (dialog.caller, dialog.callee):
            yield address.host
            yield str(address)


def _addresses(subject: Subject) -> Iterator[Address]:
    for dialog in subject.dialogs:
        yield dialog.caller
        yield dialog.callee
        yield from dialog.caller_addresses
        yield from dialog.callee_addresses
    for stream in subject.streams:
        yield stream.source
        yield stream.destination


def _methods(subject: Subject) -> Iterator[str]:
    return (m.message.method for d in subject.dialogs for m in d.messages if m.message.is_request)


def _statuses(subject: Subject) -> Iterator[float]:
    return (m.message.status for d in subject.dialogs for m in d.messages if m.message.status)


def _reasons(subject: Subject) -> Iterator[str]:
    return (m.message.reason for d in subject.dialogs for m in d.messages if m.message.status)


def final_status(dialog: HopDialog) -> int | None:
    """Last final status of a dialog's initial request, or None."""
    return outline(dialog).last_status or None


def _final(subject: Subject) -> Iterator[float]:
    final = final_status(subject.dialogs[0])
    if final is not None:
        yield final


def _agents(subject: Subject) -> Iterator[str]:
    for dialog in subject.dialogs:
        for captured in dialog.messages:
            for header in ("User-Agent", "Server"):
                value = captured.message.get(header)
                if value:
                    yield value


def _lines(subject: Subject) -> Iterator[str]:
    for dialog in subject.dialogs:
        for captured in dialog.messages:
            yield from captured.data.decode("utf-8", "replace").splitlines()


def _given(value_ms: float | None) -> Iterable[float]:
    """Times in whole microseconds, as captures have them: 600 ms shall not be 599.9999."""
    return () if value_ms is None else (round(value_ms, 3),)


def loss_percent(stream: Stream) -> float:
    """Lost packets of those expected, in percent; 0 where duplicates make it negative."""
    expected = stream.packets + stream.lost
    return max(100.0 * stream.lost / expected, 0.0) if expected > 0 else 0.0


def _severity(finding: FindingLike) -> str:
    return str(getattr(finding.severity, "name", finding.severity)).lower()


_ALL = (
    Field("call", NUMBER, "number in the list", lambda s: (s.call.id,)),
    Field("method", TEXT, "methods of its requests", _methods),
    Field("status", STATUS, "status codes of its responses; 4xx stands for 400 to 499", _statuses),
    Field("final", STATUS, "last final status of its first dialog's first request", _final),
    Field("reason", TEXT, "reason phrases of its responses", _reasons),
    Field("state", TEXT, "state of its first dialog, as listed", lambda s: (s.dialogs[0].state,), known=STATES),
    Field("leg_state", TEXT, "state of any of its dialogs", lambda s: (d.state for d in s.dialogs), known=STATES),
    Field(
        "kind", TEXT, "method that made any of its dialogs: invite, register ...", lambda s: (d.kind for d in s.dialogs)
    ),
    Field("call_id", TEXT, "Call-IDs", lambda s: (d.call_id for d in s.dialogs)),
    Field("from", TEXT, "From: user, user@host, display name", _from),
    Field("to", TEXT, "To: user, user@host, display name", _to),
    Field("target", TEXT, "user of the Request-URI", _target),
    Field("user", TEXT, "users of From, To and Request-URI", lambda s: (u for u in _parts(s, 0) if u)),
    Field("host", TEXT, "hosts of From, To and Request-URI; signalling addresses", _hosts),
    Field("source", ADDRESS, "who calls, at any hop: IP, IP:port or network", lambda s: (d.caller for d in s.dialogs)),
    Field("destination", ADDRESS, "who is called, at any hop", lambda s: (d.callee for d in s.dialogs)),
    Field("ip", ADDRESS, "any address, signalling or media: IP, IP:port or network", _addresses),
    Field("port", NUMBER, "any port, signalling or media", lambda s: (a.port for a in _addresses(s))),
    Field("transport", TEXT, "UDP, TCP, TLS ...", lambda s: (d.transport for d in s.dialogs)),
    Field("ua", TEXT, "User-Agent and Server", _agents),
    Field("text", TEXT, "any line of any message", _lines),
    Field("hop", NUMBER, "places of its dialogs in their chain of hops, from 0", lambda s: (d.hop for d in s.dialogs)),
    Field("dialogs", NUMBER, "how many dialogs", lambda s: (len(s.dialogs),)),
    Field("messages", NUMBER, "how many messages", lambda s: (sum(len(d.messages) for d in s.dialogs),)),
    Field(
        "retransmissions",
        NUMBER,
        "how many messages were sent again",
        lambda s: (sum(m.retransmission for d in s.dialogs for m in d.messages),),
    ),
    Field("start", TIME, "when it starts, UTC: date, time of day, or both", lambda s: (s.dialogs[0].first,)),
    Field(
        "duration",
        NUMBER,
        "first to last message",
        lambda s: (round(max(d.last for d in s.dialogs) - s.dialogs[0].first, 6),),
        unit="s",
    ),
    Field("pdd", NUMBER, "post-dial delay", lambda s: _given(s.dialogs[0].pdd_ms), unit="ms"),
    Field("setup", NUMBER, "INVITE to 2xx", lambda s: _given(s.dialogs[0].setup_ms), unit="ms"),
    Field("streams", NUMBER, "how many RTP streams", lambda s: (len(s.streams),)),
    Field("codec", TEXT, "codecs of its streams", lambda s: (t.codec for t in s.streams if t.codec)),
    Field("ssrc", NUMBER, "SSRCs of its streams, 0x... or decimal", lambda s: (t.ssrc for t in s.streams)),
    Field("packets", NUMBER, "RTP packets of each stream", lambda s: (t.packets for t in s.streams)),
    Field("mos", NUMBER, "MOS of each stream", lambda s: (t.mos for t in s.streams if t.mos is not None)),
    Field("loss", NUMBER, "lost packets of each stream", lambda s: map(loss_percent, s.streams), unit="%"),
    Field("lost", NUMBER, "lost packets of each stream, counted", lambda s: (t.lost for t in s.streams)),
    Field("jitter", NUMBER, "mean jitter of each stream", lambda s: (t.mean_jitter_ms for t in s.streams), unit="ms"),
    Field("dtmf", TEXT, "RFC 4733 digits of each stream", lambda s: (t.dtmf for t in s.streams if t.dtmf)),
    Field("finding", TEXT, "rules of its findings", lambda s: (f.rule for f in s.findings)),
    Field(
        "severity", TEXT, "severities of its findings", lambda s: (_severity(f) for f in s.findings), known=SEVERITIES
    ),
)

FIELDS = {field.name: field for field in _ALL}
"""By name, in the order of the documentation."""

ALIASES = {
    "callid": "call_id",
    "code": "status",
    "caller": "source",
    "src": "source",
    "callee": "destination",
    "dst": "destination",
    "user_agent": "ua",
    "useragent": "ua",
    "agent": "ua",
    "address": "ip",
    "rule": "finding",
    "id": "call",
    "time": "start",
    "start_time": "start",
}
"""Other names of fields."""
