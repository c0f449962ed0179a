"""SIP values by the letter of RFC 3261 section 25: what a server may answer 400 for.

Each function says what is wrong, or "" where nothing is. The tolerant readers of this room are for all else. The
expressions never go back (possessive repeats), so that time is linear.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from sipreplay.sip.syntax import end_of_quoted, split_list

_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
TOKEN = re.compile(_TOKEN + r"\Z")
_TOKENS = re.compile(rf"(?:{_TOKEN}+[ \t]*+)*+\Z")
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*(?:=[ \t]*(.*))?\Z", re.DOTALL)
_VALUE = re.compile(rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*+"|\[?[0-9A-Fa-f:.]+\]?)\Z', re.DOTALL)
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%:]+\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9\-]++(?:\.[A-Za-z0-9\-]++)*+\.?\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_EXTRA_COLON = re.compile(r":::(?=\d{1,3}\.)")
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d:\d\d GMT\Z"
)
_VIA = re.compile(rf"({_TOKEN})\s*/\s*({_TOKEN})\s*/\s*({_TOKEN})\s+([^;\s]+)\s*\Z")


def scheme_of(uri: str) -> str:
    """The scheme of a URI in lower case, "" without one."""
    scheme, colon, _ = uri.partition(":")
    return scheme.lower() if colon and _SCHEME.match(scheme) else ""


def host_fault(host: str) -> str:
    """Of a host without its port (IPv6 in brackets)."""
    if host.startswith("["):
        if not host.endswith("]"):
            return "an IPv6 reference has no ]"
        try:
            # RFC 3261's grammar asked for one colon too many before an IPv4 part (RFC 5118 4.10, RFC 5954).
            IPv6Address(_EXTRA_COLON.sub("::", host[1:-1]))
        except AddressValueError:
            return f"{host[:60]} is no IPv6 reference"
        return ""
    if host.count(":") > 1:
        return "an IPv6 address is not in brackets"
    return "" if _HOST_NAME.match(host) else f"{host[:60]!r} is no host"


def host_port_fault(text: str) -> str:
    """Of host or host:port."""
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text.partition("]")
        host += closed
        if port and not port.startswith(":"):
            return "something other than a port follows an IPv6 reference"
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    fault = host_fault(host.strip())
    if fault:
        return fault
    port = port.strip()
    numeric = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536
    return "" if numeric or not port else f"{port[:20]!r} is no port"


def has_extra_colon(text: str) -> bool:
    """Whether an IPv6 reference has the colon too many that RFC 3261's grammar asked for."""
    return _EXTRA_COLON.search(text) is not None


def uri_fault(uri: str, request: bool = False) -> str:
    """Of a URI; `request`: as a Request-URI, which has no headers (RFC 3261 19.1.1)."""
    if uri.startswith("<") or uri.endswith(">"):
        return "it is enclosed in <>"
    if any(character.isspace() for character in uri):
        return "it holds white space"
    scheme = scheme_of(uri)
    if not scheme:
        return "it has no scheme"
    if scheme not in ("sip", "sips"):
        return ""
    rest = uri.partition(":")[2]
    if rest.count("@") > 1:
        return "it holds an @ that is not escaped"
    user, at, rest = rest.rpartition("@")
    if at and not _USER.match(user):
        return "its user part holds what has to be escaped"
    rest, question, _ = rest.partition("?")
    if question and request:
        return "it holds headers"
    if _ESCAPES.search(user) or _ESCAPES.search(rest):
        return "a % is no escape"
    host_port, semicolon, tail = rest.partition(";")
    fault = host_port_fault(host_port)
    if not fault and semicolon and not all(tail.split(";")):
        fault = "a parameter is empty"
    return fault


def parameters_fault(tail: str) -> str:
    """Of `;name=value;flag`, as it follows an address or a Via."""
    tail = tail.strip()
    if not tail:
        return ""
    if not tail.startswith(";"):
        return f"{tail[:20]!r} follows where a parameter could"
    for part in _split(tail[1:], ";"):
        match = _PARAMETER.match(part.strip())
        if match is None:
            return "a parameter is empty" if not part.strip() else f"{part.strip()[:40]!r} is no parameter"
        value = match.group(2)
        if value is not None and not _VALUE.match(value.strip()) and not _is_host(value.strip()):
            return f"{match.group(1)} has no proper value"
    return ""


def _is_host(text: str) -> bool:
    return not host_port_fault(text)


def _split(text: str, separator: str) -> list[str]:
    """At separators outside quotes; empty parts are kept."""
    parts = []
    start = at = 0
    while at < len(text):
        if text[at] == '"':
            at = end_of_quoted(text, at)
            continue
        if text[at] == separator:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def address_fault(value: str) -> str:
    """Of one name-addr or addr-spec with its parameters (RFC 3261 20.10, 25.1)."""
    value = value.strip()
    start = 0
    if value.startswith('"'):
        start = end_of_quoted(value, 0)
        if start >= len(value) or not value[start:].lstrip().startswith("<"):
            return "a quoted string does not end before the URI"
    opening = value.find("<", start)
    if opening < 0:
        uri, semicolon, tail = value.partition(";")
        if "?" in uri or "," in uri:
            return "a URI with a question mark or comma is not enclosed in <>"
        return uri_fault(uri.strip()) or parameters_fault(semicolon + tail)
    if not start and not _TOKENS.match(value[:opening]):
        return "the display name holds what has to be quoted"
    closing = value.find(">", opening)
    if closing < 0:
        return "there is no >"
    return uri_fault(value[opening + 1 : closing]) or parameters_fault(value[closing + 1 :])


def addresses_fault(value: str) -> str:
    """Of a list of them."""
    if value.strip() == "*":
        return ""
    return next((fault for part in split_list(value) if (fault := address_fault(part))), "")


def via_fault(value: str) -> str:
    """Of a Via with all its values (RFC 3261 20.42)."""
    for part in _split(value, ","):
        head, semicolon, tail = part.strip().partition(";")
        match = _VIA.match(head)
        if match is None:
            return "it is empty" if not head else f"{head[:40]!r} is no protocol and sent-by"
        fault = host_port_fault(match.group(4)) or parameters_fault(semicolon + tail)
        if fault:
            return fault
    return ""


def date_fault(value: str) -> str:
    """Of Date: RFC 1123's form, in GMT alone (RFC 3261 20.17)."""
    return "" if _DATE.match(value.strip()) else f"{value[:40]!r} is no date in GMT"
