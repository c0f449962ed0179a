"""Where in-dialog requests go when no proxy recorded its route: straight to the Contact, as RFC 3261 12.2.1.1 says.

SIPp sends where the first request went, whatever a Contact says. Where the capture shows messages that go past that
address to the other side's Contact, `ereg` reads the live Contact and `setdest` makes it the call's peer.
"""

from __future__ import annotations

from sipreplay.learn import variables
from sipreplay.learn.draft import Draft
from sipreplay.learn.names import cut_address, ip_literal, uri_of
from sipreplay.learn.unit import CALLER, Event, Unit
from sipreplay.scenario.model import Recv
from sipreplay.sip.syntax import SipSyntaxError, split_list

DEFAULT_PORT = 5060
MAKES_DIALOG = ("INVITE", "SUBSCRIBE", "REFER")


def follow_contact(unit: Unit, side: str, draft: Draft, places: dict[int, int]) -> None:
    """Give a side the actions that it needs to send past its neighbour, if the capture shows that it did.

    `places`: `id` of a `CapturedMessage` that a mandatory step receives, to that step. Notes what cannot be said.
    """
    events = unit.events
    first = events[0].captured
    home = first.destination if side == CALLER else first.source
    own = [number for number, event in enumerate(events) if event.sender == side]
    past = [n for n in own if events[n].captured.message.to_tag and events[n].captured.destination != home]
    if not past or any(event.captured.message.get("record-route") for event in events):
        return
    turn = past[0]
    target = events[turn].captured.destination
    giver = next((n for n in range(turn - 1, -1, -1) if _tells(events[n], side, target.host, target.port)), -1)
    if giver < 0:
        draft.notes.append("in-dialog messages went where no Contact says; they go where the first request went")
        return
    last_home = max((n for n in own if n < turn), default=-1)
    received = range(max(giver, last_home), turn)
    turning = next((n for n in received if _is_mandatory(events[n], side, draft, places)), -1)
    if unit.transport != "UDP":
        draft.notes.append("messages that went past the proxy go the way of the first: a connection cannot be changed")
    elif any(events[n].captured.destination != target for n in own if n > turn):
        draft.notes.append("in-dialog messages went several ways; they all go where the first request went")
    elif turning < 0 or not _is_mandatory(events[giver], side, draft, places):
        draft.notes.append("messages that went past the proxy go where the first went: no step tells when to turn")
    else:
        draft.steps[places[id(events[giver].captured)]].element.actions += variables.contact_address()
        draft.steps[places[id(events[turning].captured)]].element.actions.append(variables.to_contact())
        draft.notes.append("in-dialog messages go to the live Contact, past the proxy, as captured (setdest)")


def _is_mandatory(event: Event, side: str, draft: Draft, places: dict[int, int]) -> bool:
    """Whether the side has a step that surely receives this message."""
    place = places.get(id(event.captured))
    if event.sender == side or place is None:
        return False
    element = draft.steps[place].element
    return isinstance(element, Recv) and element.optional == "false"


def _tells(event: Event, side: str, host: str, port: int) -> bool:
    """Whether a message of the other side makes or answers a dialog, with a Contact of that address."""
    message = event.captured.message
    makes = message.is_request or 100 < event.status < 300
    if event.sender == side or event.method not in MAKES_DIALOG or not makes or message.method == "ACK":
        return False
    for value in split_list(message.get("contact") or ""):
        try:
            uri = uri_of(cut_address(value).uri)
        except SipSyntaxError:
            continue
        if uri.host and ip_literal(uri.host) == ip_literal(host) and (uri.port or DEFAULT_PORT) == port:
            return True
    return False
