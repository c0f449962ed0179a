"""Actors: sets of addresses that evidence joins (RFC 3261 8.1.1.7, 16.6, 18.2.2), never a host alone.

Evidence is one transaction, the own Via and Contact on the host that a packet came from, the own Record-Route of what
passes a request on, and the passing on itself: what received a request is what sent it on with one Via more. What an
actor is and does is in `roles`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sipreplay.analysis.model import Address, CapturedMessage, HopDialog

_ROUTE = re.compile(r"<\s*sips?:(?:[^@>;?]*@)?(\[[^\]\s]*\]|[^:;>?\s]+)(?::(\d{1,5}))?", re.IGNORECASE)


class Actors:
    """Which address belongs to which actor. Ids ("actor1", ...) in order of first appearance."""

    def __init__(self, dialogs: Sequence[HopDialog]) -> None:
        self._parent: dict[Address, Address] = {}
        by_id = {dialog.id: dialog for dialog in dialogs}
        for dialog in dialogs:
            self._join(dialog.caller, dialog.caller_addresses)
            self._join(dialog.callee, dialog.callee_addresses)
            upstream = by_id.get(dialog.upstream) if dialog.upstream is not None else None
            if upstream is not None and passed_on(upstream, dialog):
                self._join(upstream.callee, (dialog.caller, *_own_route(dialog)))
        self.addresses: dict[str, list[Address]] = {}
        """Actor id to its addresses."""
        self._ids: dict[Address, str] = {}
        self._by_host: dict[str, set[str]] = defaultdict(set)
        for address in self._parent:
            self._number(address)

    def _number(self, address: Address) -> str:
        root = self._root(address)
        ident = self._ids.setdefault(root, f"actor{len(self._ids) + 1}")
        self.addresses.setdefault(ident, []).append(address)
        self._by_host[address.host].add(ident)
        return ident

    def _root(self, address: Address) -> Address:
        while self._parent[address] != address:
            self._parent[address] = self._parent[self._parent[address]]
            address = self._parent[address]
        return address

    def _join(self, main: Address, others: Iterable[Address]) -> None:
        self._parent.setdefault(main, main)
        for other in sorted(others):
            self._parent.setdefault(other, other)
            self._parent[self._root(other)] = self._root(main)

    def of(self, address: Address) -> str:
        """The actor of an address; a new one for an address that no dialog uses."""
        if address not in self._parent:
            self._parent[address] = address
            return self._number(address)
        return self._ids[self._root(address)]

    def of_media(self, address: Address, fallback: str | None) -> str:
        """The actor that a media address is drawn with: the only one on its host, else `fallback`, else its own."""
        if address not in self._parent:
            here = self._by_host.get(address.host, set())
            if len(here) == 1:
                return next(iter(here))
            if fallback is not None:
                return fallback
        return self.of(address)


def passed_on(upstream: HopDialog, dialog: HopDialog) -> bool:
    """Whether a hop's request is the one before with exactly one Via more: nobody unseen stands between them."""
    first, second = upstream.messages[0], dialog.messages[0]
    if not (first.message.is_request and second.message.is_request):
        return False
    return via_count(second) == via_count(first) + 1


def via_count(captured: CapturedMessage) -> int:
    """How many Vias a message has."""
    count = len(captured.message.via_values)
    captured.message.forget()  # the headers of all requests would take most of the memory
    return count


def route_addresses(captured: CapturedMessage) -> list[Address]:
    """The numeric addresses in Record-Route, top first."""
    found = []
    for value in captured.message.get_all("record-route")[:16]:
        for match in _ROUTE.finditer(value[:2000]):
            host = match.group(1).strip("[]")
            port = int(match.group(2) or 5060)
            if 0 < port < 65536:
                found.append(Address(host, port))
    return found


def _own_route(dialog: HopDialog) -> list[Address]:
    """Where a proxy says it wants in-dialog requests: its own Record-Route, on the host that it sends from."""
    return [a for a in route_addresses(dialog.messages[0])[:2] if a.host == dialog.caller.host]
