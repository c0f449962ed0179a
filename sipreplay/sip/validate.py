"""Whether a message is what RFC 3261 asks for: what is wrong, by which section, and what a server would answer.

Stricter than the readers of this room, which take what is found in the wild. A problem is fatal where the message has
to be rejected (a request) or discarded (a response); the others are for whoever serves a message that is valid. Never
changes anything and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sipreplay.sip import strict
from sipreplay.sip.message import Message, SipSyntaxError, parse_message
from sipreplay.sip.syntax import canonical_name, split_list

DISCARD = 0
"""Instead of an answer: a response is dropped."""
ACCEPT = 200
_REQUEST = re.compile(rb"([^ ]+) ([^ ]+) SIP/(\d+\.\d+)\Z")
_VERSION = re.compile(rb"SIP/(\d+\.\d+)\Z", re.IGNORECASE)
_RESPONSE = re.compile(rb"SIP/(\d+\.\d+) (\d+)(?: ([^\r\n]*))?\Z", re.IGNORECASE)
_ONCE = frozenset(
    ("call-id", "cseq", "from", "to", "max-forwards", "content-length", "content-type", "date", "expires", "event")
)
_MANDATORY = ("via", "to", "from", "call-id", "cseq")
_ADDRESSES = ("from", "to", "contact", "route", "record-route", "refer-to", "referred-by", "reply-to")
_METHODS = frozenset(
    (
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "INFO",
        "PRACK",
        "UPDATE",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "MESSAGE",
        "REFER",
    )
)
_EXTENSIONS = frozenset(
    (
        "100rel",
        "timer",
        "replaces",
        "join",
        "path",
        "outbound",
        "gruu",
        "norefersub",
        "eventlist",
        "pref",
        "precondition",
        "histinfo",
        "tdialog",
    )
)
_CONTENT_TYPES = frozenset(
    (
        "application/sdp",
        "message/sipfrag",
        "text/plain",
        "application/pidf+xml",
        "application/dtmf-relay",
        "application/simple-message-summary",
        "application/dialog-info+xml",
        "application/media_control+xml",
    )
)


class Problem(NamedTuple):
    """One thing that is wrong with a message."""

    rule: str
    """A word for it: version, start-line, request-uri, missing, repeated, cseq, content-length, ..."""
    what: str
    """In words, with the value."""
    section: str
    """Of RFC 3261 unless it says otherwise."""
    answer: int
    """What a server answers on its account; DISCARD where the message is dropped, ACCEPT where it is taken all
    the same."""
    fatal: bool


@dataclass(frozen=True, slots=True)
class Abilities:
    """What whoever is asked can do; what is not in it is a problem that is not fatal."""

    methods: frozenset[str] = _METHODS
    schemes: frozenset[str] = frozenset(("sip", "sips", "tel"))
    extensions: frozenset[str] = _EXTENSIONS
    content_types: frozenset[str] = _CONTENT_TYPES
    """multipart/ is split and always taken."""
    credentials: frozenset[str] = frozenset(("digest", "bearer"))


USUAL = Abilities()


def problems_in(data: bytes, stream: bool = False, able: Abilities = USUAL) -> list[Problem]:
    """All that is wrong with a message as it came. `stream`: by TCP, where bytes after it are of the next one."""
    found = list(_start_line(data))
    try:
        message = parse_message(data)
    except SipSyntaxError as error:
        return found or [Problem("start-line", str(error), "7.1", 400, True)]
    return found + problems(message, stream, able)


def problems(message: Message, stream: bool = False, able: Abilities = USUAL) -> list[Problem]:
    """All that is wrong with a message after its start line; those that make it be rejected come first."""
    found = list(_syntax(message, stream))
    if message.is_request:
        found += _served(message, able)
    else:
        # RFC 4475: nobody answers a response; one that is wrong is dropped.
        found = [problem._replace(answer=DISCARD) for problem in found]
        if len(message.via_values) > 1:
            found.append(Problem("via", "a response for somebody else: it has several Vias", "8.1.3.3", DISCARD, False))
    return sorted(found, key=lambda problem: not problem.fatal)


def _start_line(data: bytes) -> Iterator[Problem]:
    line = data.lstrip(b"\r\n").partition(b"\n")[0].removesuffix(b"\r")
    if line[:4].upper() == b"SIP/":
        match = _RESPONSE.match(line)
        if match is None:
            yield Problem("start-line", "no status line", "7.2", DISCARD, True)
        elif match.group(1) != b"2.0":
            yield Problem("version", f"SIP version {match.group(1)[:20].decode()}", "7.1", DISCARD, True)
        elif len(match.group(2)) != 3 or not b"100" <= match.group(2) <= b"699":
            code = match.group(2)[:20].decode()
            yield Problem("status-code", f"{code} is no status code", "7.2", DISCARD, True)
        return
    method, _, rest = line.strip().partition(b" ")
    middle, _, last = rest.strip().rpartition(b" ")
    version = _VERSION.match(last)
    if version is None or not middle or not strict.TOKEN.match(method.decode("latin-1")):
        yield Problem("start-line", "no request line", "7.1", 400, True)
        return
    if version.group(1) != b"2.0":
        yield Problem("version", f"SIP version {version.group(1)[:20].decode()}", "21.5.6", 505, True)
    uri = middle.strip().decode("utf-8", "surrogateescape")
    if fault := strict.uri_fault(uri, request=True):
        yield Problem("request-uri", f"the Request-URI {uri[:80]!r}: {fault}", "19.1.1, 25.1", 400, True)
    elif _REQUEST.match(line) is None:
        yield Problem("start-line", "more than single spaces in the request line", "7.1", 400, True)


def _syntax(message: Message, stream: bool) -> Iterator[Problem]:
    """What a parser rejects."""
    counts: dict[str, int] = {}
    for written, _ in message.headers:
        name = canonical_name(written)
        counts[name] = counts.get(name, 0) + 1
    for name in _MANDATORY:
        if name not in counts:
            yield Problem("missing", f"no {_shown(name)}", "8.1.1", 400, True)
    for name in sorted(_ONCE):
        if counts.get(name, 0) > 1:
            yield Problem("repeated", f"{counts[name]} values of {_shown(name)}", "7.3.1", 400, True)
    yield from _numbers(message)
    yield from _length(message, stream)
    for value in message.get_all("via"):
        if fault := strict.via_fault(value):
            yield Problem("via", f"Via: {fault}", "20.42", 400, True)
    for name in _ADDRESSES:
        check = strict.address_fault if name in ("from", "to", "refer-to", "referred-by") else strict.addresses_fault
        for value in message.get_all(name):
            if fault := check(value):
                yield Problem("address", f"{_shown(name)}: {fault}", "20, 25.1", 400, True)
    for value in message.get_all("date"):
        if fault := strict.date_fault(value):
            yield Problem("date", f"Date: {fault}", "20.17", 400, True)
    yield from _remarks(message)


def _numbers(message: Message) -> Iterator[Problem]:
    words = (message.get("cseq") or "").split(None, 1)
    if words:
        number = _number(words[0])
        if number is None or number >= 1 << 31:
            yield Problem("cseq", f"CSeq: {words[0][:40]!r} is no number below 2^31", "8.1.1.5", 400, True)
        method = words[1].strip() if len(words) > 1 else ""
        if message.is_request and method != message.method:
            yield Problem("method", f"CSeq says {method[:40]!r}, not {message.method[:40]!r}", "8.1.1.5", 400, True)
    for name, most, section in (
        ("max-forwards", 255, "20.22"),
        ("expires", (1 << 32) - 1, "20.19"),
        ("min-expires", (1 << 32) - 1, "20.23"),
    ):
        value = message.get(name)
        if value is not None and ((number := _number(value)) is None or number > most):
            # RFC 4475 3.1.2.4: these may also be taken for their defaults.
            text = f"{_shown(name)}: {value[:40]!r} is no number up to {most}"
            yield Problem("number", text, section, 400, False)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 30 else None


def _length(message: Message, stream: bool) -> Iterator[Problem]:
    value = message.get("content-length")
    if value is None:
        if stream:
            yield Problem("content-length", "no Content-Length in a stream", "18.3", 400, True)
        return
    if _number(value) is None:
        yield Problem("content-length", f"Content-Length: {value[:40]!r} is no length", "20.14", 400, True)
    elif message.missing:
        text = f"{message.missing} bytes of the body that Content-Length promises are missing"
        yield Problem("content-length", text, "18.3", 400, True)
    elif message.surplus and not stream:
        text = f"{len(message.surplus)} bytes after the body that Content-Length ends are ignored"
        yield Problem("surplus", text, "18.3", ACCEPT, False)


def _remarks(message: Message) -> Iterator[Problem]:
    """What is odd and can be lived with."""
    vias = message.via_values
    if vias and message.branch == "z9hG4bK":
        yield Problem("branch", "a branch that identifies no transaction", "8.1.1.7", 400, False)
    for value in vias:
        if "received=[" in value.replace(" ", ""):
            yield Problem("received", "the address of received is in brackets", "RFC 5118 4.5", ACCEPT, False)
    written = [message.request_uri, *message.get_all("to"), *message.get_all("contact")]
    if any(strict.has_extra_colon(value) for value in written):
        yield Problem("colons", "an IPv6 reference with a colon too many", "RFC 5118 4.10", ACCEPT, False)


def _served(message: Message, able: Abilities) -> Iterator[Problem]:
    """What a server says about a request that is well formed."""
    method = message.method
    if method not in able.methods:
        yield Problem("unknown-method", f"{method[:40]} is not known", "8.2.1", 501, False)
    scheme = strict.scheme_of(message.request_uri)
    if scheme and scheme not in able.schemes:
        yield Problem("scheme", f"the scheme {scheme[:40]} of the Request-URI is not known", "8.2.2.1", 416, False)
    if method == "REGISTER":
        record = (message.get("to") or "").partition("<")[2].partition(">")[0] or message.get("to") or ""
        if strict.scheme_of(record.strip()) not in able.schemes:
            yield Problem("address-of-record", "To is no SIP or SIPS URI", "10.3", 400, False)
    if _number(message.get("max-forwards") or "") == 0:
        yield Problem("hops", "a proxy does not forward it: Max-Forwards is 0", "16.3", 483, False)
    for name in ("require", "proxy-require"):
        tags = [tag for value in message.get_all(name) for tag in split_list(value)]
        unknown = [tag for tag in tags if tag.lower() not in able.extensions]
        if unknown:
            yield Problem("extension", f"{_shown(name)}: {', '.join(unknown)[:80]}", "8.2.2.3", 420, False)
    for name in ("authorization", "proxy-authorization"):
        for value in message.get_all(name):
            scheme = value.split(None, 1)[0].lower() if value.strip() else ""
            if scheme not in able.credentials:
                yield Problem("credentials", f"{_shown(name)}: {scheme[:40]!r} is not known", "22.1", 401, False)
    kind = (message.get("content-type") or "").partition(";")[0].strip().lower()
    if message.body and kind and not kind.startswith("multipart/") and kind not in able.content_types:
        yield Problem("content-type", f"a body of {kind[:60]} is not understood", "8.2.3", 415, False)
    accepted = [
        part.partition(";")[0].strip().lower() for value in message.get_all("accept") for part in split_list(value)
    ]
    if method == "INVITE" and accepted and not {"application/sdp", "application/*", "*/*"} & set(accepted):
        yield Problem("accept", "no session description is accepted in the answer", "21.4.7", 406, False)


def _shown(name: str) -> str:
    """A header's name as it is written."""
    special = {"call-id": "Call-ID", "cseq": "CSeq"}
    return special.get(name) or "-".join(word.capitalize() for word in name.split("-"))
