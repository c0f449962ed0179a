"""SIP, SIPS and TEL URIs as values (RFC 3261 19.1, RFC 3966). Other schemes are carried whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sipreplay.sip.syntax import SipSyntaxError, parse_parameters, render_parameters

_HOST_PART = re.compile(r"[A-Za-z0-9.\-_\[\]:]+(?:;.*)?\Z", re.DOTALL)
"""What may stand before a question mark where there is no user part."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI. `str()` writes it back."""

    scheme: str
    """Lower case."""
    user: str | None
    """As written, escapes kept; for tel: the number."""
    password: str | None
    host: str
    """Lower case kept as written; IPv6 without brackets; empty for tel: and other schemes."""
    port: int | None
    parameters: dict[str, str | None] = field(default_factory=dict)
    """Names in lower case; None for a flag such as lr."""
    headers: str = ""
    """What follows the question mark."""
    opaque: str = ""
    """All after the colon, for a scheme other than sip, sips and tel."""

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        if self.scheme == "tel":
            return f"tel:{self.user or ''}{render_parameters(self.parameters)}"
        user = ""
        if self.user is not None:
            user = self.user + (f":{self.password}" if self.password is not None else "") + "@"
        tail = render_parameters(self.parameters) + (f"?{self.headers}" if self.headers else "")
        return f"{self.scheme}:{user}{join_host_port(self.host, self.port)}{tail}"


def join_host_port(host: str, port: int | None) -> str:
    """host, host:port or [v6]:port."""
    written = f"[{host}]" if ":" in host else host
    return written if port is None else f"{written}:{port}"


def split_host_port(text: str) -> tuple[str, int | None]:
    """The reverse of `join_host_port`; white space around the colon is allowed (RFC 3261 20.42).

    Raises SipSyntaxError when the port is not a number from 0 to 65535.
    """
    text = text.strip()
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed:
            raise SipSyntaxError(f"no ] after the IPv6 address in {text[:80]!r}")
        rest = rest.strip()
        port_text = rest[1:].strip() if rest.startswith(":") else ""
    elif text.count(":") > 1:
        return text, None  # an IPv6 address without its brackets
    else:
        host, _, port_text = text.partition(":")
        host, port_text = host.strip(), port_text.strip()
    if not port_text:
        return host, None
    if not (port_text.isascii() and port_text.isdigit()) or len(port_text) > 5 or int(port_text) > 65535:
        raise SipSyntaxError(f"{port_text[:20]!r} is not a port")
    return host, int(port_text)


def parse_uri(text: str) -> Uri:
    """Read a URI (without angle brackets). Raises SipSyntaxError."""
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme):
        raise SipSyntaxError(f"no scheme in URI {text[:80]!r}")
    scheme = scheme.lower()
    if scheme == "tel":
        number, _, tail = rest.partition(";")
        return Uri(scheme, number.strip(), None, "", None, parse_parameters(tail))
    if scheme not in ("sip", "sips"):
        return Uri(scheme, None, None, "", None, opaque=rest)
    user: str | None = None
    password: str | None = None
    at = rest.find("@")
    question = rest.find("?")
    if at >= 0 and not (0 <= question < at and "=" in rest[question:at] and _HOST_PART.match(rest[:question])):
        # An @ after "host?name=" belongs to a header such as Replaces, which phones write unescaped.
        user, _, secret = rest[:at].partition(":")
        password = secret if ":" in rest[:at] else None
        rest = rest[at + 1 :]
    rest, _, headers = rest.partition("?")
    host_port, _, tail = rest.partition(";")
    host, port = split_host_port(host_port)
    return Uri(scheme, user, password, host, port, parse_parameters(tail), headers)
