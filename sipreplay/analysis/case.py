"""One hop-dialog under examination: its facts, read once each, and what its capture says about where it was cut.

Gives the checks (`signalling_checks`, `service_checks`, `session_checks`) one way to name a finding. Never judges.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate

import numpy as np

from sipreplay.analysis.dialog_facts import DialogFacts, dialog_facts
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Address, Analysis, CapturedMessage, HopDialog, Transaction
from sipreplay.analysis.offer_answer import OfferAnswer, offer_answer
from sipreplay.analysis.outline import outline
from sipreplay.analysis.session_timer import SessionTimer, session_timer
from sipreplay.analysis.states import initial_transactions
from sipreplay.analysis.store import MessageStore
from sipreplay.analysis.stored import data_of
from sipreplay.analysis.transaction_facts import DialogTransactions, transaction_facts

_LONGEST_TEXT = 200
_UNUSUAL = re.compile(
    rb"\n(?:rseq[ \t]*:|a=(?:sendonly|inactive)|c=IN IP[46] (?:0\.0\.0\.0|::)\s|content-type[ \t]*:[ \t]*multipart)",
    re.IGNORECASE,
)
"""What asks for a closer look at a session: reliable responses, holds, bodies of several parts."""
_MEDIA_LINES = re.compile(rb"\nm=(\S+) (\d{1,5})(?:/\d+)? \S+([^\r\n]*)")
_NETWORKS = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
_PRIVATE = tuple(ipaddress.ip_network(text) for text in _NETWORKS.split())
"""RFC 1918, 6598, 3927, 4193, 4291: what is routed in one network only."""


class View:
    """What times the captures show."""

    def __init__(self, analysis: Analysis) -> None:
        messages = analysis.messages
        times = messages.rows["time"].tolist() if isinstance(messages, MessageStore) else [m.time for m in messages]
        self._times: list[float] = sorted(times)
        spans = sorted((s.first, s.last) for s in analysis.streams)
        self._begins = [first for first, _ in spans]
        self._latest = list(accumulate((last for _, last in spans), max))
        """The latest end of all streams that began no later."""
        last = self._times[-1] if self._times else 0.0
        self.end = max([c.last for c in analysis.captures if c.last is not None], default=last)
        """When they end."""

        ways = _ways(analysis)
        self._ways = {*ways, *((a.host, b.host) for a, b in ways if a.host != b.host)}

    def shows(self, source: Address, destination: Address) -> bool:
        """Whether anything from the one to the other was captured."""
        return (source, destination) in self._ways or (source.host, destination.host) in self._ways

    def covers(self, begin: float, end: float) -> bool:
        """Whether anything was captured between these times: files that were put together have gaps."""
        at = bisect_left(self._times, begin)
        if at < len(self._times) and self._times[at] <= end:
            return True
        begun = bisect_left(self._begins, end)
        return begun > 0 and self._latest[begun - 1] >= begin


def _ways(analysis: Analysis) -> set[tuple[Address, Address]]:
    """(source, destination) of all messages."""
    messages = analysis.messages
    if isinstance(messages, MessageStore):
        return {messages.pairs[number] for number in np.unique(messages.rows["pair"]).tolist()}
    return {(m.source, m.destination) for m in messages}


def _takes_from(offer: tuple[bytes, bytes, bytes], answer: tuple[bytes, bytes, bytes]) -> bool:
    """Whether an answer's m= line (kind, port, formats) has formats of the offer's only, one of them a static type."""
    formats = answer[2].split()
    static = any(f.isdigit() and int(f) < 96 for f in formats)
    return answer[0] == offer[0] and int(answer[1]) > 0 and static and set(formats) <= set(offer[2].split())


class Case:
    """A dialog in its analysis."""

    def __init__(self, analysis: Analysis, dialog: HopDialog, view: View, downstream: list[HopDialog]) -> None:
        self.analysis = analysis
        self.methods = dialog.methods
        """Of its requests."""
        self.hop = dialog
        """The dialog, whose messages are made when they are looked at."""
        self.outline = outline(dialog)
        self.view = view
        self.downstream = downstream
        """The next hops of the same request."""

    @property
    def end(self) -> float:
        """When the captures end (seconds since the epoch)."""
        return self.view.end

    @cached_property
    def dialog(self) -> HopDialog:
        """The dialog with lists: for checks that look at each message and transaction many times."""
        return replace(self.hop, messages=list(self.hop.messages), transactions=list(self.hop.transactions))

    def forget(self) -> None:
        """Let go of headers that were read: those of all messages would take most of the memory."""
        for name in ("dialog", "final", "bye"):
            read = self.__dict__.get(name)
            for captured in read.messages if isinstance(read, HopDialog) else (read,):
                if captured is not None:
                    captured.forget()

    @cached_property
    def initial(self) -> list[Transaction]:
        """The rounds of the request that made the dialog."""
        return initial_transactions(self.dialog)

    @cached_property
    def final(self) -> CapturedMessage | None:
        """The final answer to the last of them."""
        return self._at(self.outline.final)

    @cached_property
    def transactions(self) -> DialogTransactions:
        """What its transactions show that are not as usual."""
        return transaction_facts(self.hop, odd=True)

    @cached_property
    def facts(self) -> DialogFacts:
        """What happened in it."""
        return dialog_facts(self.dialog)

    @cached_property
    def media(self) -> OfferAnswer:
        """Its offers and answers."""
        return offer_answer(self.hop)

    @cached_property
    def timer(self) -> SessionTimer | None:
        """Its session timer."""
        return session_timer(self.hop)

    @cached_property
    def bye(self) -> CapturedMessage | None:
        """Its first BYE."""
        return self._at(self.outline.bye)

    def _at(self, place: int) -> CapturedMessage | None:
        return None if place < 0 else self.hop.messages[place]

    @property
    def plain(self) -> bool:
        """`Outline.plain`: then there is nothing for most checks to find."""
        return self.outline.plain

    @cached_property
    def simple_session(self) -> bool:
        """Whether one offer in INVITE got one answer in 2xx that takes from it, and nothing changed later. Seen in the
        bytes, as most calls are like that."""
        invite = self.outline.only_invite
        if not self.plain or invite is None or self.methods & {"PRACK", "UPDATE"}:
            return False
        messages = self.hop.messages
        request, *answers = (data_of(messages, at) for at in (invite.request, *invite.responses))
        if any(_UNUSUAL.search(data) for data in (request, *answers)):
            return False
        if invite.final < 0 or (invite.ack >= 0 and _MEDIA_LINES.search(data_of(messages, invite.ack))):
            return False
        offered = _MEDIA_LINES.findall(request)
        answered = _MEDIA_LINES.findall(data_of(messages, invite.final))
        if not offered or len(offered) != len(answered):
            return False
        return all(_takes_from(offer, answer) for offer, answer in zip(offered, answered, strict=True))

    @cached_property
    def half_seen(self) -> str:
        """Which direction of it is missing although its peer was there; "" when none is.

        Requests alone prove it when they know the peer's tag, responses alone always do.
        """
        if self.plain:
            return ""
        messages = self.dialog.messages
        hosts = {m.source for m in messages}
        if len(hosts) > 1 or len(messages) < 1:
            return ""
        first = messages[0]
        if self.view.shows(first.destination, first.source):
            return ""  # the other way is captured: what is missing came before the capture, or got lost
        if all(m.message.status for m in messages):
            return f"only responses from {first.source}, no requests to it"
        learned = not first.message.to_tag and any(m.message.to_tag for m in messages if m.message.is_request)
        if learned:
            return f"only requests from {first.source}, no responses to it"
        return ""

    def finding(
        self,
        severity: Severity,
        rule: str,
        title: str,
        why: str,
        remedy: str,
        *messages: CapturedMessage | None,
        streams: tuple[int, ...] = (),
    ) -> Finding:
        """A finding about this dialog."""
        return Finding(
            severity=severity,
            rule=rule,
            title=title,
            why=why,
            remedy=remedy,
            calls=(self.hop.call,),
            dialogs=(self.hop.id,),
            streams=streams,
            packets=places(*messages),
        )


def places(*messages: CapturedMessage | None) -> tuple[tuple[int, int], ...]:
    """(capture, packet) of each message that is there."""
    return tuple((m.capture, m.packet) for m in messages if m is not None)


def printable(value: str) -> str:
    """Text of a message as a finding shows it: bytes that were no UTF-8 become U+FFFD, and it is not long."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()[:_LONGEST_TEXT]


def packets_in_words(*messages: CapturedMessage) -> str:
    """ "packet 3", "packets 3 and 5", "packets 3, 4 and 5"."""
    numbers = [str(m.packet) for m in messages]
    if len(numbers) == 1:
        return f"packet {numbers[0]}"
    return f"packets {', '.join(numbers[:-1])} and {numbers[-1]}"


@lru_cache(maxsize=4096)
def scope(host: str) -> str:
    """private, public, loopback, none (0.0.0.0), or "" for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_unspecified:
        return "none"
    if address.is_loopback:
        return "loopback"
    return (
        "private" if any(address in network for network in _PRIVATE if network.version == address.version) else "public"
    )
