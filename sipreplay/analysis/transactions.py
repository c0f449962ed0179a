"""Messages of one Call-ID to transactions: by branch, CSeq and address pair (RFC 3261 17.1.3, 17.2.3).

An `Exchange` is a transaction with everything the capture shows of it: copies, retransmissions, its CANCEL and the
ACK to a failure, which share its branch. Never decides which dialog it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sipreplay.analysis.model import Address, CapturedMessage, Transaction

_NEAR = 16
"""How many exchanges of one branch are looked at for an address pair that fits loosely."""


class Exchange:
    """One transaction between two neighbours. `request` is None when the capture holds only answers."""

    __slots__ = ("branch", "cseq", "destination", "from_tag", "messages", "method", "request", "source", "to_tag")

    def __init__(
        self, branch: str, cseq: int, method: str, source: Address, destination: Address, from_tag: str
    ) -> None:
        self.branch = branch
        self.cseq = cseq
        self.method = method
        self.source = source
        """Where the request comes from."""
        self.destination = destination
        self.from_tag = from_tag
        """The From tag, which request and responses share."""
        self.to_tag = ""
        """The To tag of the request: "" says that it is outside a dialog (or was not captured)."""
        self.request: CapturedMessage | None = None
        self.messages: list[CapturedMessage] = []

    def responses(self) -> Iterator[CapturedMessage]:
        """Responses to the request itself (not to its CANCEL), first sights only."""
        for captured in self.messages:
            message = captured.message
            first_sight = not (captured.copy or captured.retransmission)
            if first_sight and message.status and message.cseq_method == self.method:
                yield captured

    def final(self) -> CapturedMessage | None:
        """The first final response, or None."""
        return next((r for r in self.responses() if r.message.status >= 200), None)


def _host_pair(source: Address, destination: Address) -> tuple[str, str]:
    return source.host, destination.host


def group_exchanges(messages: Iterable[CapturedMessage]) -> list[Exchange]:
    """The exchanges of one Call-ID's messages, in order of first sight.

    The same branch between other addresses (NAT) is another exchange. A response goes to the exchange whose request
    came the other way; else between the same hosts, for clients that listen on another port than they send from; else
    to the first.
    """
    exchanges: list[Exchange] = []
    exact: dict[tuple[object, ...], Exchange] = {}
    loose: dict[tuple[str, int, str], list[Exchange]] = {}
    for captured in messages:
        message = captured.message
        branch, cseq = message.branch, message.cseq_number
        is_request = message.is_request
        method = message.method if is_request else message.cseq_method
        here = (captured.source, captured.destination) if is_request else (captured.destination, captured.source)
        # Without a branch (RFC 2543) the From-tag and the pair of addresses have to do.
        name = branch or f"{message.from_tag} {'|'.join(sorted(map(str, here)))}"
        joined = method in ("ACK", "CANCEL") and (name, cseq, "INVITE") in loose
        key = (name, cseq, "INVITE" if joined else method)
        place = (*key, *here)
        exchange = exact.get(place)
        if exchange is None:
            known = loose.setdefault(key, [])
            if known and (joined or not is_request):
                hosts = _host_pair(*here)
                near = known[-_NEAR:]
                exchange = next((x for x in near if _host_pair(x.source, x.destination) == hosts), near[0])
            else:
                exchange = Exchange(branch, cseq, key[2], *here, message.from_tag)
                exchanges.append(exchange)
                known.append(exchange)
            exact[place] = exchange
        exchange.messages.append(captured)
        if is_request and exchange.request is None and message.method == exchange.method:
            exchange.request = captured
            exchange.to_tag = message.to_tag
    return exchanges


def in_order(exchanges: Iterable[Exchange]) -> bool:
    """Whether no response came before its request and no ACK before its answer: then time is order enough."""
    answered: dict[tuple[int, str], float] = {}
    acks: list[tuple[int, str, float]] = []
    for exchange in exchanges:
        first = exchange.messages[0]
        if exchange.request is not None and first.message.status:
            return False
        if exchange.method == "INVITE":
            for captured in exchange.messages:
                if captured.message.status >= 200 and captured.message.cseq_method == "INVITE":
                    answered.setdefault((exchange.cseq, captured.message.to_tag), captured.time)
        elif exchange.method == "ACK":
            acks.append((exchange.cseq, exchange.to_tag, first.time))
    return all(answered.get((cseq, tag), time) <= time for cseq, tag, time in acks)


def _transactions_of(exchange: Exchange, from_caller: bool) -> Iterator[Transaction]:
    if exchange.request is not None:
        main = Transaction(exchange.method, exchange.cseq, exchange.request, from_caller)
        main.responses = list(exchange.responses())
        cancel: Transaction | None = None
        for captured in exchange.messages:
            message = captured.message
            if captured.copy or captured.retransmission:
                continue
            if message.method == "ACK" and main.ack is None and exchange.method != "ACK":
                main.ack = captured
            elif message.method == "CANCEL" and cancel is None and exchange.method != "CANCEL":
                cancel = Transaction("CANCEL", exchange.cseq, captured, from_caller)
            elif message.status and message.cseq_method == "CANCEL" and cancel is not None:
                cancel.responses.append(captured)
        yield main
        if cancel is not None:
            yield cancel


def build_transactions(exchanges: Iterable[Exchange], from_caller: Iterable[bool]) -> list[Transaction]:
    """The transactions of one hop-dialog in order of their requests, without copies and retransmissions.

    The ACK to a 2xx, a transaction of its own on the wire, is tied to its INVITE by CSeq (RFC 3261 13.2.2.4).
    """
    found = [t for x, forward in zip(exchanges, from_caller, strict=True) for t in _transactions_of(x, forward)]
    found.sort(key=lambda t: (t.request.time, t.request.packet))
    invites = {(t.cseq, t.from_caller): t for t in found if t.method == "INVITE"}
    kept = []
    for transaction in found:
        if transaction.method == "ACK":
            invite = invites.get((transaction.cseq, transaction.from_caller))
            if invite is not None:
                invite.ack = invite.ack or transaction.request
                continue
        kept.append(transaction)
    return kept
