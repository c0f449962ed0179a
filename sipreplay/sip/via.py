"""Via values (RFC 3261 20.42, RFC 3581): where a request came from and where its responses go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sipreplay.sip.syntax import SipSyntaxError, parse_parameters, split_list
from sipreplay.sip.uri import split_host_port

_VIA = re.compile(r"\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s+([^;]*)(.*)", re.DOTALL)
_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value."""

    transport: str
    """As written: UDP, TCP, TLS, ..."""
    host: str
    """sent-by; IPv6 without brackets."""
    port: int | None
    parameters: dict[str, str | None] = field(default_factory=dict)

    @property
    def branch(self) -> str:
        """The branch, or ""."""
        return self.parameters.get("branch") or ""

    @property
    def received(self) -> str:
        """The received parameter without brackets, or ""."""
        return (self.parameters.get("received") or "").strip("[]")

    @property
    def rport(self) -> int | None:
        """The rport value, or None when absent or without a value."""
        text = self.parameters.get("rport") or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def parse_via(text: str) -> Via:
    """Read one Via value. Raises SipSyntaxError."""
    match = _VIA.match(text)
    if match is None:
        raise SipSyntaxError(f"not a Via: {text[:80]!r}")
    host, port = split_host_port(match.group(4))
    return Via(match.group(3), host, port, parse_parameters(match.group(5)))


def parse_vias(values: list[str]) -> list[Via]:
    """All Vias of a message, top first, from its header values. Raises SipSyntaxError."""
    return [parse_via(part) for value in values for part in split_list(value)]


def branch_of(value: str) -> str:
    """The branch of the first Via in a header value, or ""; never raises."""
    match = _BRANCH.search(value.partition(",")[0])
    return match.group(1) if match else ""
