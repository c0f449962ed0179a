"""Address values of From, To, Contact, Route, Refer-To and the like (RFC 3261 20.10, 25.1: name-addr, addr-spec)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sipreplay.sip.syntax import SipSyntaxError, end_of_quoted, parse_parameters, quote, render_parameters, split_list
from sipreplay.sip.syntax import unquote as _unquote
from sipreplay.sip.uri import Uri, parse_uri

_TAG = re.compile(r";\s*tag\s*=\s*([^\s;,>]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A display name (unquoted, may be empty), a URI and the header's own parameters."""

    display: str
    uri: Uri
    parameters: dict[str, str | None] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The tag parameter, or ""."""
        return self.parameters.get("tag") or ""

    def __str__(self) -> str:
        name = quote(self.display) + " " if self.display else ""
        return f"{name}<{self.uri}>{render_parameters(self.parameters)}"


def _split(value: str) -> tuple[str, str, str]:
    """(display as written, URI text, parameter text) of a name-addr or addr-spec."""
    value = value.strip()
    start = end_of_quoted(value, 0) if value.startswith('"') else 0
    opening = value.find("<", start)
    if opening < 0:
        # Without brackets what follows the first semicolon belongs to the header, not to the URI (RFC 3261 20.10).
        uri, _, tail = value[start:].partition(";")
        return value[:start], uri, tail
    closing = value.find(">", opening)
    if closing < 0:
        raise SipSyntaxError(f"no > in {value[:80]!r}")
    return value[:opening], value[opening + 1 : closing], value[closing + 1 :]


def parse_name_addr(text: str) -> NameAddr:
    """Read one address value. Raises SipSyntaxError. `*` (Contact) is not an address."""
    display, uri, tail = _split(text)
    return NameAddr(_unquote(display), parse_uri(uri), parse_parameters(tail))


def parse_address_list(values: list[str]) -> list[NameAddr]:
    """All addresses of a header that may repeat and may hold lists (Contact, Route, Record-Route), in order.

    Raises SipSyntaxError. `*` is left out.
    """
    return [parse_name_addr(part) for value in values for part in split_list(value) if part != "*"]


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value, or ""; never raises."""
    start = end_of_quoted(value, 0) if value.startswith('"') else 0
    closing = value.find(">", start)
    match = _TAG.search(value, closing + 1 if closing >= 0 else start)
    return match.group(1) if match else ""
