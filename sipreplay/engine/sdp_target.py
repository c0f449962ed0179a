"""Where the peer wants its media: the addresses that an SDP body announces, by medium.

Lenient, because the body is whatever a peer sent; a medium without a usable address is left out.
"""

from __future__ import annotations

import ipaddress
import re

from sipreplay.engine.headers import body_of

_LINE = re.compile(rb"^(?:c=IN IP[46] ([0-9A-Fa-f.:]+)|m=([a-z]+) ([0-9]{1,5}))", re.MULTILINE)
_EVENTS = re.compile(rb"^a=rtpmap:([0-9]{1,3}) +telephone-event/8000\b", re.MULTILINE | re.IGNORECASE)
KINDS = frozenset(("audio", "video", "image"))


def media_targets(message: bytes) -> dict[str, tuple[str, int]]:
    """Medium (audio, video, image) to address, the first m= line of each with a port; empty without SDP."""
    body = body_of(message)
    if not body:
        return {}
    session = ""
    found: list[tuple[str, str, int]] = []
    for match in _LINE.finditer(body):
        address, kind, port = match.groups()
        if kind is not None:
            found.append((kind.decode(), "", int(port)))
        elif not found:
            session = address.decode()
        elif not found[-1][1]:
            found[-1] = (found[-1][0], address.decode(), found[-1][2])
    out: dict[str, tuple[str, int]] = {}
    for kind, own, port in found:
        address = own or session
        if kind in KINDS and kind not in out and 0 < port < 65536 and _usable(address):
            out[kind] = (address, port)
    return out


def event_type(message: bytes) -> int:
    """Payload type under which the peer takes telephone events (RFC 4733, 8000 Hz); 0 if its SDP names none."""
    match = _EVENTS.search(body_of(message))
    number = int(match.group(1)) if match else 0
    return number if number < 128 else 0


def _usable(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not parsed.is_unspecified and not parsed.is_multicast
