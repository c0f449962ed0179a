"""One captured message as a scenario sends it: header by header, in captured order, live where it must be.

docs/learning.md has the table of what becomes what. Knows one message at a time; the steps around it are `dialogue`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sipreplay.learn.names import UAC, Names, cut_address, uri_of
from sipreplay.learn.session import SessionRules, body_lines, session_lines
from sipreplay.learn.text import Column, Line, Literal, Live, MessageText, Piece, compact, injectable
from sipreplay.learn.unit import CALLEE, CALLER
from sipreplay.sip.body import find_sdp
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import SipSyntaxError, canonical_name, parse_parameters, split_list
from sipreplay.sip.via import parse_via

ADDRESS_HEADERS = frozenset(
    (
        "p-asserted-identity",
        "p-preferred-identity",
        "remote-party-id",
        "referred-by",
        "refer-to",
        "diversion",
        "history-info",
        "path",
        "service-route",
        "p-associated-uri",
        "reply-to",
        "p-called-party-id",
        "p-served-user",
    )
)
NOISE = frozenset(("date", "timestamp", "content-length", "session-id", "p-charging-vector", "user-to-user"))
"""What differs from call to call and means nothing for the shape."""

LONGEST = 60_000
"""Bytes: SIPp 3.6.1 cannot load a scenario with a longer message."""

VIA = "SIP/2.0/[transport] [local_ip]:[local_port];branch="


@dataclass(slots=True)
class Sending:
    """What the steps know of a message that is to be sent."""

    message: Message
    names: Names
    own_tag: str = ""
    """The tag this side adds; "" adds none."""
    branch: Piece = field(default_factory=lambda: Live("[branch]"))
    cseq: str = "[cseq]"
    target: Line = ()
    """Request-URI of a request; empty: from the capture."""
    peer: Line = ()
    """To of a request of the answering side, From of the same in `me`; empty: from the capture."""
    me: Line = ()
    to_tag: bool = False
    """A request of the calling side inside a dialog."""
    routes: bool = False
    """Whether the route set goes in."""
    credentials: tuple[Column, Column] | None = None
    """User and password columns; None: Authorization is left out."""
    saved: str = ""
    """Prefix of the variables that hold the request's headers; "": the last received message is the request."""
    answered: Message | None = None
    """The captured request that a response answers."""
    values: dict[str, str] = field(default_factory=dict)
    """Header (lower case) to the live text that replaces its value: derived by data flow."""
    live_offer: bool = False
    """Whether the body answers an offer that arrives live."""


@dataclass(slots=True)
class Sent:
    """The message and what was noticed on the way."""

    text: MessageText
    notes: list[str] = field(default_factory=list)
    payload_variables: dict[str, tuple[int, str]] = field(default_factory=dict)
    rtcp_variables: dict[str, int] = field(default_factory=dict)
    has_sdp: bool = False


def rewrite(sending: Sending) -> Sent:
    """The message as the scenario sends it."""
    sent = Sent(MessageText(()))
    body = _body(sending, sent)
    message = sending.message
    head: list[Line] = [_start_line(sending)]
    done: set[str] = set()
    for written, value in message.headers:
        name = canonical_name(written)
        line = _header(written, name, value, sending, sent, done, bool(body))
        done.add(name)
        if line and line != (Live(""),):
            head.append(compact(line))
    _complete(head, done, sending, bool(body))
    sent.text = MessageText(tuple(head), body)
    if len(message.body) > LONGEST:
        sent.notes.append(f"a body of {len(message.body)} bytes is more than SIPp 3.6.1 can load; sipreplay run can")
    return sent


def _start_line(sending: Sending) -> Line:
    message = sending.message
    if not message.is_request:
        line: Line = (Literal(f"SIP/2.0 {message.status:03d} "), *sending.names.swept(message.reason, fixed=False))
        if sending.saved:
            line += (Live(f"[${sending.saved}_via]"),)
            if _keeps_routes(sending):
                line += (Live(f"[${sending.saved}_routes]"),)
        return compact(line)
    target = sending.target or request_target(message, sending.names)
    return compact((Literal(f"{message.method} "), *target, Literal(" SIP/2.0")))


def request_target(message: Message, names: Names) -> Line:
    """A captured Request-URI: its user and domain are columns, an address is the other side's."""
    try:
        uri = uri_of(message.request_uri)
    except SipSyntaxError:
        return names.swept(message.request_uri)
    return names.uri(uri, CALLEE if names.side == CALLER else CALLER)


def _keeps_routes(sending: Sending) -> bool:
    """Whether a response carries the request's Record-Route (RFC 3261 12.1.1)."""
    status, asked = sending.message.status, sending.answered
    makes_dialog = asked is not None and asked.method in ("INVITE", "SUBSCRIBE", "REFER") and not asked.to_tag
    return makes_dialog and 101 <= status < 300


def _header(written: str, name: str, value: str, sending: Sending, sent: Sent, done: set[str], body: bool) -> Line:
    """One header line; empty: it is not sent."""
    names = sending.names
    start = Literal(f"{written}: ")
    if name in sending.values:
        live = sending.values[name]
        return (Live(live),) if live.startswith("[last_") else (start, Live(live))
    if name == "content-length":
        return () if name in done else (start, Live("[len]") if body else Literal("0"))
    if name == "call-id":
        return () if name in done else (start, Live("[call_id]"))
    special = _request_header if sending.message.is_request else _response_header
    line = special(written, name, value, sending, sent, done)
    if line is not None:
        return line
    if name == "contact":
        return _binding(value, sending, done) or (start, *_contact(value, sending))
    if name in ADDRESS_HEADERS:
        context = names.side if name != "refer-to" else ""
        elements = split_list(value)
        parts: Line = ()
        for number, element in enumerate(elements):
            parts += ((Literal(", "),) if number else ()) + names.address(element, context)
        return (start, *parts)
    return (start, *names.swept(value, fixed=not injectable(value), noise=name in NOISE))


def _request_header(written: str, name: str, value: str, sending: Sending, sent: Sent, done: set[str]) -> Line | None:
    names = sending.names
    start = Literal(f"{written}: ")
    if name == "via":
        if name in done:
            sent.notes.append("lower Vias of the captured request are not sent")
            return ()
        return (start, Live(VIA), sending.branch, Literal(_rport(value)), *_routes(sending))
    if name == "from":
        return (start, *(sending.me or names.address(value, names.side, _own_tail(value, sending))))
    if name == "to":
        if sending.peer:
            return (start, *sending.peer)
        other = CALLEE if names.side == CALLER else CALLER
        tail = (*names.tail(value, "tag"), *((Live("[peer_tag_param]"),) if sending.to_tag else ()))
        return (start, *names.address(value, other, tail))
    if name == "cseq":
        return (start, Live(sending.cseq), Literal(f" {sending.message.method}"))
    if name in ("authorization", "proxy-authorization"):
        if sending.credentials is None:
            sent.notes.append(f"captured {written} is not sent: no challenge came before it in this call")
            return ()
        if done & {"authorization", "proxy-authorization"}:
            return ()
        user, password = sending.credentials
        return (Live('[authentication username="'), user, Live('" password="'), password, Live('"]'))
    if name == "route":
        if not sending.routes and name not in done:
            sent.notes.append("captured Route is not sent: it names captured addresses")
        return ()
    if name == "record-route":
        if name not in done:
            sent.notes.append("captured Record-Route is not sent: the calling side stands for the proxies before it")
        return ()
    return None


def _response_header(written: str, name: str, value: str, sending: Sending, sent: Sent, done: set[str]) -> Line | None:
    start = Literal(f"{written}: ")
    saved = sending.saved
    if name == "via":
        return () if saved or name in done else (Live("[last_Via:]"), *_record_route(sending))
    if name == "from":
        return (start, Live(f"[${saved}_from]")) if saved else (Live("[last_From:]"),)
    if name == "to":
        tag = (Live(f";tag={sending.own_tag}"),) if sending.own_tag else ()
        return (start, Live(f"[${saved}_to]"), *tag) if saved else (Live("[last_To:]"), *tag)
    if name == "cseq":
        return (start, Live(f"[${saved}_cseq]")) if saved else (Live("[last_CSeq:]"),)
    if name == "record-route":
        return ()
    if name in ("www-authenticate", "proxy-authenticate"):
        return _challenge(written, value, sending, sent)
    return None


def _routes(sending: Sending) -> Line:
    """The route set on a line of its own: it vanishes with its line end when there is none."""
    return (Live("\n[routes]"),) if sending.routes else ()


def _record_route(sending: Sending) -> Line:
    return (Live("\n[last_Record-Route:]"),) if _keeps_routes(sending) else ()


def _rport(value: str) -> str:
    try:
        return ";rport" if "rport" in parse_via(value).parameters else ""
    except SipSyntaxError:
        return ""


def _own_tail(value: str, sending: Sending) -> Line:
    tail = sending.names.tail(value, "tag")
    return (*tail, Live(f";tag={sending.own_tag}")) if sending.own_tag else tail


def _binding(value: str, sending: Sending, done: set[str]) -> Line:
    """The Contact of a registrar's answer: the live binding. Others, which name captured addresses, are not sent."""
    asked = sending.answered
    if asked is None or asked.method != "REGISTER" or sending.message.status // 100 != 2:
        return ()
    if "contact" in done:
        return (Live(""),)
    first = split_list(value)[:1]
    expires = parse_parameters(cut_address(first[0]).tail.removeprefix(">")).get("expires") if first else None
    line: Line = (Live("[last_Contact:]"),)
    if expires and expires.isdigit() and "expires=" not in (asked.get("contact") or "").lower():
        line += (Literal(f";expires={expires}"),)
    return line


def _contact(value: str, sending: Sending) -> Line:
    """A Contact of this side: its address is the live one."""
    if value.strip() == "*":
        return (Literal("*"),)
    names = sending.names
    line: Line = ()
    for number, element in enumerate(split_list(value)):
        parts = cut_address(element)
        line += (Literal(", "),) if number else ()
        line += (Literal(parts.lead), *names.display(parts.display), Literal(parts.middle))
        try:
            uri = uri_of(parts.uri)
        except SipSyntaxError:
            line += names.swept(parts.uri)
        else:
            line += _own_uri(uri.scheme, uri.user, names) if uri.host else names.uri(uri, names.side)
            line += tuple(_kept_parameters(uri.parameters, names))
        line += (Literal(parts.tail[:1] if parts.tail.startswith(">") else ""),)
        line += names.swept(parts.tail.removeprefix(">"))
    return line


def _own_uri(scheme: str, user: str | None, names: Names) -> Line:
    line: Line = (Literal(f"{scheme}:"),)
    if user is not None:
        line += (*names.user(user), Literal("@"))
    return (*line, Live("[local_ip]:[local_port]"))


def _kept_parameters(parameters: dict[str, str | None], names: Names) -> list[Piece]:
    kept: list[Piece] = []
    for name, value in parameters.items():
        if name == "transport":
            kept += [Literal(";transport="), Live("[transport]")]
        elif name not in ("received", "maddr"):
            kept.append(Literal(f";{name}" if value is None else f";{name}="))
            kept += names.swept(value or "", fixed=False, noise=True)
    return kept


def _challenge(written: str, value: str, sending: Sending, sent: Sent) -> Line:
    """A challenge of the answering side, with the captured nonce. SIPp 3.6.1 answers MD5 only."""
    parameters = parse_parameters(value.partition(" ")[2].replace(",", ";")) if "algorithm" in value.lower() else {}
    algorithm = (parameters.get("algorithm") or "MD5").strip('"')
    start = Literal(f"{written}: ")
    if algorithm.upper() == "MD5":
        return (start, *sending.names.swept(value, fixed=not injectable(value), noise=True))
    if not algorithm or algorithm not in value:
        return (start, *sending.names.swept(value))
    others = sending.message.get_all(written)
    if any("md5" in other.lower() and algorithm not in other for other in others):
        sent.notes.append(f"the challenge by {algorithm[:20]!r} is left out, the one by MD5 stays")
        return ()
    sent.notes.append(f"the challenge by {algorithm[:20]!r} is made by MD5: SIPp answers no other without its keys")
    return (start, *sending.names.swept(value.replace(algorithm, "MD5", 1)))


def _complete(head: list[Line], done: set[str], sending: Sending, body: bool) -> None:
    """Add what a message cannot do without."""
    request = sending.message.is_request
    if "via" not in done:
        if request:
            head.insert(1, compact((Literal("Via: "), Live(VIA), sending.branch, *_routes(sending))))
        elif not sending.saved:
            head.insert(1, compact((Live("[last_Via:]"), *_record_route(sending))))
    if "call-id" not in done:
        head.append((Literal("Call-ID: "), Live("[call_id]")))
    if "cseq" not in done and request:
        head.append((Literal("CSeq: "), Live(sending.cseq), Literal(f" {sending.message.method}")))
    if "content-length" not in done and (body or sending.names.role != UAC):
        head.append((Literal("Content-Length: "), Live("[len]") if body else Literal("0")))


def _body(sending: Sending, sent: Sent) -> tuple[Line, ...]:
    body = sending.message.body
    if not body:
        return ()
    content_type = sending.message.get("content-type")
    if find_sdp(body, content_type) == body:
        rules = SessionRules(sending.names, sending.live_offer)
        lines = session_lines(body, rules)
        if lines is not None:
            sent.has_sdp = True
            sent.payload_variables = rules.payload_variables
            sent.rtcp_variables = rules.rtcp_variables
            if rules.removed:
                sent.notes.append(f"taken out of the SDP: {', '.join('a=' + n for n in sorted(rules.removed))}")
            if rules.keys:
                sent.notes.append("SRTP: media is played as captured, with the captured key line")
            return lines
    lines = body_lines(body, lambda text: sending.names.swept(text))
    one = len(lines) == 1 and len(lines[0]) == 1 and isinstance(lines[0][0], Literal)
    if one and injectable(body.decode("utf-8", "surrogateescape")):
        return ((Literal(body.decode("utf-8", "surrogateescape"), fixed=False),),)
    return lines
