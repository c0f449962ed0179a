"""The route set and remote target that `rrs="true"` records from a message (RFC 3261, 12.1; SIPp's order of things)."""

from __future__ import annotations

from sipreplay.engine.headers import header, header_values, uri_of


def split_addresses(value: bytes) -> list[bytes]:
    """Comma-separated name-addrs; a comma within `<>` or quotes separates nothing."""
    out: list[bytes] = []
    start = 0
    depth = quoted = False
    for position, byte in enumerate(value):
        if byte == 0x22:
            quoted = not quoted
        elif quoted:
            continue
        elif byte == 0x3C:
            depth = True
        elif byte == 0x3E:
            depth = False
        elif byte == 0x2C and not depth:
            out.append(value[start:position].strip())
            start = position + 1
    out.append(value[start:].strip())
    return [address for address in out if address]


def route_set(message: bytes, *, response: bool) -> tuple[bytes, bytes] | None:
    """(`Route: ...` line or b"", target), or None when the message has no Contact.

    A request's Record-Route is kept in order, a response's reversed. A first hop without `;lr` is a strict router: it
    becomes the target, and the Contact goes to the end of the set.
    """
    contact = header(message, b"Contact")
    if not contact:
        return None
    contact = split_addresses(contact)[0]
    target = uri_of(contact) or contact
    hops = [hop for value in header_values(message, b"Record-Route") for hop in split_addresses(value)]
    if response:
        hops.reverse()
    if hops and b";lr" not in hops[0].lower():
        strict = 0
        while strict + 1 < len(hops) and b";lr" not in hops[strict + 1].lower():
            strict += 1
        hops = [*hops[strict:], b"<" + target + b">"]
        target = uri_of(hops[0]) or hops[0]
        hops = hops[1:]
    return (b"Route: " + b", ".join(hops) if hops else b""), target
