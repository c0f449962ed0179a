"""Whose address or name a captured text is: own, the other side's, a column of the injection file.

One `Names` per unit and side. Captured addresses never come out of it: an address becomes a keyword, or the
documentation address 192.0.2.1 where SIPp has no keyword for it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sipreplay.learn.text import Column, Line, Literal, Live, compact, injectable
from sipreplay.learn.unit import CALLEE, CALLER, Unit
from sipreplay.sip.address import NameAddr, parse_name_addr
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import Message
from sipreplay.sip.sdp import parse_sdp
from sipreplay.sip.syntax import SipSyntaxError, end_of_quoted, parse_parameters, render_parameters, split_list
from sipreplay.sip.uri import Uri, parse_uri
from sipreplay.sip.via import parse_via

NOBODY = "192.0.2.1"
"""RFC 5737: an address that belongs to nobody."""
UNSPECIFIED = ("0.0.0.0", "::")
"""In SDP: hold (RFC 2543). They mean what they say and stay."""

_QUAD = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_V6 = re.compile(r"\[?(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}(?![0-9A-Za-z:])\]?")

UAC, UAS = "uac", "uas"

uri_of = lru_cache(maxsize=8192)(parse_uri)
"""A call says the same few URIs in every message."""


SAYS_HOSTS = ("contact", "route", "record-route", "from", "to", "p-asserted-identity", "remote-party-id", "path")
"""Headers whose addresses tell whose host is whose."""


@lru_cache(maxsize=4096)
def ip_literal(host: str) -> str:
    """The address in one form, or "" if the host is a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        return ""


@dataclass(slots=True)
class Parties:
    """Who is who in a unit: hosts by side, and the values that become columns. Shared by both sides' `Names`."""

    hosts: dict[str, set[str]] = field(default_factory=dict)
    """Address to the sides that use it: CALLER, CALLEE, or neither."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column name to this unit's value, in the order of the injection file."""
    caller_user: str = ""
    callee_user: str = ""

    def column_of(self, value: str, *names: str) -> Column | None:
        """The column that holds this value, looked for by those names in turn."""
        for name in names:
            if value and self.columns.get(name) == value:
                return Column(name, value)
        return None


def find_parties(unit: Unit) -> Parties:
    """Read the parties off a unit."""
    parties = Parties()
    for event in unit.events:
        other = CALLEE if event.sender == CALLER else CALLER
        _see(parties, event.captured.source.host, event.sender)
        _see(parties, event.captured.destination.host, other)
        for host, own in _hosts_said(event.captured.message):
            _see(parties, host, event.sender if own else "")
    first = unit.events[0].captured.message
    _name_columns(parties, first)
    return parties


def _see(parties: Parties, host: str, side: str) -> None:
    address = ip_literal(host)
    if address:
        sides = parties.hosts.setdefault(address, set())
        if side:
            sides.add(side)


def _hosts_said(message: Message) -> Iterator[tuple[str, bool]]:
    """(host, whether it is the sender's own) of all places of a message that hold addresses."""
    for number, value in enumerate(message.get_all("via")):
        try:
            via = parse_via(value)
        except SipSyntaxError:
            continue
        yield via.host, number == 0 and message.is_request
        received = via.parameters.get("received")
        if received:
            yield received, False
    for name in SAYS_HOSTS:
        for value in message.get_all(name):
            for element in split_list(value):
                with contextlib.suppress(SipSyntaxError):
                    yield uri_of(cut_address(element).uri).host, name == "contact"
    with contextlib.suppress(SipSyntaxError):
        yield uri_of(message.request_uri).host, False
    sdp = sdp_body(message)
    if sdp:
        try:
            session = parse_sdp(sdp)
        except SipSyntaxError:
            return
        for line in session.lines:
            if line.letter in ("c", "o"):
                for word in line.value.split():
                    yield word.partition("/")[0], True
            elif line.letter == "a" and line.value.startswith(("rtcp:", "candidate:", "alt:")):
                for word in line.value.split():
                    yield word, False


class AddressText(NamedTuple):
    """An address value cut into parts that give it back when joined: nothing is written anew."""

    lead: str
    """What stands before the display name: an opening quote, or nothing."""
    display: str
    """As written, quoted pairs kept."""
    middle: str
    """What stands between display name and URI."""
    uri: str
    tail: str
    """The closing bracket and the header's own parameters."""


def cut_address(value: str) -> AddressText:
    """The parts of one From, To or Contact value."""
    quoted = end_of_quoted(value, 0) if value.startswith('"') else 0
    opening = value.find("<", quoted)
    closing = value.find(">", opening)
    if opening < 0 or closing < 0:
        uri, semicolon, tail = value[quoted:].partition(";")
        return AddressText("", "", value[:quoted], uri, semicolon + tail)
    if quoted > 1:
        lead, display, middle = '"', value[1 : quoted - 1], value[quoted - 1 : opening + 1]
    else:
        display = value[:opening].rstrip()
        lead, middle = "", value[len(display) : opening + 1]
    return AddressText(lead, display, middle, value[opening + 1 : closing], value[closing:])


def address_of(value: str | None) -> NameAddr | None:
    """A From, To or Contact value read, or None."""
    try:
        return parse_name_addr(value) if value else None
    except SipSyntaxError:
        return None


def _name_columns(parties: Parties, first: Message) -> None:
    """Which values of the first request are columns: users, domains, display names."""

    def put(name: str, value: str | None) -> None:
        # A number as short as one digit is a number all the same; an empty text is none.
        if value and injectable(value) and value not in (parties.columns.get(n) for n in ("caller", "callee")):
            parties.columns[name] = value

    caller, callee = address_of(first.get("from")), address_of(first.get("to"))
    try:
        target: Uri | None = uri_of(first.request_uri)
    except SipSyntaxError:
        target = None
    parties.caller_user = (caller.uri.user or "") if caller else ""
    parties.callee_user = (target.user if target and target.user else callee.uri.user if callee else "") or ""
    put("caller", parties.caller_user)
    put("callee", parties.callee_user)
    if callee and callee.uri.user != parties.callee_user:
        put("to_user", callee.uri.user)
    for name, uri in (("domain", target), ("from_domain", caller and caller.uri), ("to_domain", callee and callee.uri)):
        if uri and uri.host and not ip_literal(uri.host) and uri.host not in parties.columns.values():
            put(name, uri.host)
    caller_name = cut_address(first.get("from") or "").display
    callee_name = cut_address(first.get("to") or "").display
    put("caller_name", caller_name)
    if callee_name != caller_name:
        put("callee_name", callee_name)


USERS = ("caller", "callee", "to_user")
DOMAINS = ("domain", "from_domain", "to_domain")
DISPLAYS = ("caller_name", "callee_name")


@dataclass(slots=True)
class Names:
    """The parties as one side of a unit writes them."""

    parties: Parties
    role: str
    """UAC or UAS."""
    wants_callee: bool = False
    """Set when `[$callee]` was written: the UAS then reads it off the Request-URI."""

    @property
    def side(self) -> str:
        """CALLER or CALLEE."""
        return CALLER if self.role == UAC else CALLEE

    def user(self, value: str | None) -> Line:
        """A user part: a column (UAC), the live one (UAS), else as captured."""
        if not value:
            return ()
        if self.role == UAC:
            column = self.parties.column_of(value, *USERS)
            return (column,) if column else (Literal(value, fixed=not injectable(value)),)
        if value == self.parties.callee_user:
            self.wants_callee = True
            return (Live("[$callee]"),)
        return (Literal(value, fixed=not injectable(value)),)

    def display(self, value: str) -> Line:
        """The inside of a quoted display name."""
        column = self.parties.column_of(value, *DISPLAYS) if self.role == UAC else None
        return (column,) if column else (Literal(value, fixed=not injectable(value)),)

    def whose(self, host: str, context: str) -> str:
        """CALLER, CALLEE or "": whose address it is; where both use it, `context` decides."""
        address = ip_literal(host)
        sides = self.parties.hosts.get(address, set())
        if len(sides) == 1:
            return next(iter(sides))
        return context

    def host(self, host: str, port: int | None, context: str) -> Line:
        """A host and port: keywords for an address, a column for a name. `context`: whose it is if that is open."""
        if not ip_literal(host):
            column = self.parties.column_of(host, *DOMAINS) if self.role == UAC else None
            name: Line = (column,) if column else (Literal(host, fixed=not injectable(host)),)
            return name if port is None else (*name, Literal(f":{port}"))
        if self.whose(host, context) == self.side:
            return (Live("[local_ip]" if port is None else "[local_ip]:[local_port]"),)
        if self.role == UAC:
            return (Live("[remote_ip]" if port is None else "[remote_ip]:[remote_port]"),)
        return (Literal(NOBODY if port is None else f"{NOBODY}:5060"),)

    def uri(self, uri: Uri, context: str, *, drop: tuple[str, ...] = ()) -> Line:
        """A whole URI. `drop`: parameters to leave out."""
        if uri.opaque:
            return self.swept(f"{uri.scheme}:{uri.opaque}")
        pieces: list[Literal | Live | Column] = [Literal(f"{uri.scheme}:")]
        if uri.scheme == "tel":
            return compact((*pieces, *self.user(uri.user), *self._parameters(uri, drop)))
        line: Line = tuple(pieces)
        if uri.user is not None:
            line += self.user(uri.user)
            line += (Literal((":" + uri.password if uri.password is not None else "") + "@"),)
        line += self.host(uri.host, uri.port, context) + self._parameters(uri, drop)
        if uri.headers:
            line += (Literal("?"), *self.swept(uri.headers))
        return compact(line)

    def address(self, value: str, context: str, tail: Line | None = None) -> Line:
        """A name-addr or addr-spec. `tail`: what follows instead of the captured parameters."""
        parts = cut_address(value)
        line: Line = (Literal(parts.lead), *self.display(parts.display), Literal(parts.middle))
        try:
            line += self.uri(uri_of(parts.uri), context)
        except SipSyntaxError:
            line += self.swept(parts.uri)
        closing = parts.tail[:1] if parts.tail.startswith(">") else ""
        rest = tail if tail is not None else self.swept(parts.tail.removeprefix(">"))
        return compact((*line, Literal(closing), *rest))

    def tail(self, value: str, *drop: str) -> Line:
        """The header's own parameters of an address value, without those named."""
        parameters = parse_parameters(cut_address(value).tail.removeprefix(">"))
        return self.swept(render_parameters({k: v for k, v in parameters.items() if k not in drop}))

    def _parameters(self, uri: Uri, drop: tuple[str, ...]) -> Line:
        line: Line = ()
        for name, value in uri.parameters.items():
            if name in drop or name in ("received", "maddr"):
                continue
            if name == "transport":
                line += (Literal(";transport="), Live("[transport]"))
            elif value is None:
                line += (Literal(f";{name}"),)
            else:
                line += (Literal(f";{name}="), *self.swept(value))
        return line

    def swept(self, text: str, fixed: bool = True, noise: bool = False) -> Line:
        """Captured text with every address of the unit taken out of it."""
        line: Line = ()
        position = 0
        for match in self._addresses(text):
            start, stop = match
            line += (Literal(text[position:start], fixed, noise),)
            if self.whose(text[start:stop], "") == self.side:
                line += (Live("[local_ip]"),)
            elif self.role == UAC and self.whose(text[start:stop], "") == CALLEE:
                line += (Live("[remote_ip]"),)
            else:
                line += (Literal(NOBODY),)
            position = stop
        return compact((*line, Literal(text[position:], fixed, noise)))

    def _addresses(self, text: str) -> list[tuple[int, int]]:
        """Spans of the unit's own addresses; a dotted version number that no packet came from is none."""
        spans = []
        for pattern in (_QUAD, _V6) if text.count(":") > 1 else (_QUAD,):
            for match in pattern.finditer(text):
                address = ip_literal(match.group())
                if address in self.parties.hosts and address not in UNSPECIFIED:
                    spans.append(match.span())
        spans.sort()
        return [s for n, s in enumerate(spans) if n == 0 or s[0] >= spans[n - 1][1]]
