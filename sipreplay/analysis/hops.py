"""The messages of one Call-ID to hop-dialogs: (Call-ID, tags, pair of actors), as docs/dialogs.md describes.

Works on rows of names (`rows`): what it finds is a shape, which all Call-IDs share whose rows agree. Owns which
transaction belongs to which hop-dialog (digest rounds, registration rounds, requests from the callee, requests that go
past a proxy), how hops chain, and what addresses each side uses. Never groups messages into transactions
(`transactions`) and never judges an outcome (`states`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from sipreplay.analysis.causality import causal_order, via_branches
from sipreplay.analysis.model import Address, CapturedMessage, HopDialog
from sipreplay.analysis.rows import Row
from sipreplay.analysis.states import dialog_state, post_dial_delay, setup
from sipreplay.analysis.transactions import Exchange, build_transactions, group_exchanges, in_order

_NEAR = 64
"""How many hop-dialogs that could match are looked at, the latest first: keeps hostile captures linear."""
_RETRIED = frozenset({401, 407, 412, 413, 414, 415, 416, 420, 421, 422, 423, 424, 428, 494})
"""Answers after which the caller tries again as part of the same attempt (RFC 3261 8.1.3.5 and later codes)."""


class _Hop:
    """A hop-dialog while it is being built."""

    __slots__ = ("callee", "caller", "exchanges", "first", "from_tag", "method", "to_tags", "upstream")

    def __init__(self, exchange: Exchange) -> None:
        self.first = exchange
        self.method = exchange.method
        self.from_tag = exchange.from_tag
        self.to_tags: dict[str, None] = {}
        self.caller: set[Address] = {exchange.source}
        self.callee: set[Address] = {exchange.destination}
        self.exchanges: list[Exchange] = []
        self.upstream: _Hop | None = None

    @property
    def last_initial(self) -> Exchange:
        """The latest round of the request that made the dialog."""
        return next((x for x in reversed(self.exchanges) if x.method == self.method and not x.to_tag), self.first)

    def sends(self, exchange: Exchange) -> bool:
        """Whether the caller sent this request: by tags; without tags by address."""
        tag = exchange.from_tag
        if tag == self.from_tag and tag not in self.to_tags:
            return True
        if tag in self.to_tags and tag != self.from_tag:
            return False
        if exchange.to_tag and exchange.to_tag == self.from_tag:
            return False
        return exchange.source in self.caller or exchange.source not in self.callee

    def add(self, exchange: Exchange) -> None:
        """Take an exchange, and learn addresses and To-tags from it."""
        forward = self.sends(exchange)
        self.exchanges.append(exchange)
        ours, theirs = (self.caller, self.callee) if forward else (self.callee, self.caller)
        if not exchange.to_tag or exchange is self.first:
            # Only what opens the dialog says who the neighbours are: a later request may go past a proxy.
            ours.add(exchange.source)
            theirs.add(exchange.destination)
            for captured in exchange.messages:
                if captured.message.status:
                    ours.add(captured.destination)
                    theirs.add(captured.source)
            if exchange.request is not None:
                ours.update(_listens(exchange.request))
            final = exchange.final()
            if final is not None and final.message.status < 300:
                theirs.update(_listens(final))
        if forward:
            if exchange.to_tag:
                self.to_tags.setdefault(exchange.to_tag)
            for captured in exchange.messages:
                # A To-tag on 100 makes no dialog (RFC 3261 8.2.6.2 lets a server add one).
                if captured.message.status > 100 and captured.message.cseq_method == exchange.method:
                    tag = captured.message.to_tag
                    if tag:
                        self.to_tags.setdefault(tag)


def _listens(captured: CapturedMessage) -> list[Address]:
    return cast(Row, captured).listens


class _Builder:
    """Deals the exchanges of one Call-ID out to hop-dialogs."""

    def __init__(self) -> None:
        self.hops: list[_Hop] = []
        self._initial: dict[tuple[object, ...], list[_Hop]] = {}
        self._by_tag: dict[str, list[_Hop]] = {}

    def take(self, exchange: Exchange) -> None:
        """Put one exchange where it belongs; opens a hop-dialog when none fits."""
        hops = self._in_dialog(exchange) if exchange.to_tag and exchange.method != "REGISTER" else []
        if not hops:
            hop = self._same_attempt(exchange)
            hops = [hop] if hop else [self._open(exchange)]
        for hop in hops:
            hop.add(exchange)
            for tag in hop.to_tags:
                known = self._by_tag.setdefault(tag, [])
                if hop not in known[-_NEAR:]:
                    known.append(hop)

    def _open(self, exchange: Exchange) -> _Hop:
        hop = _Hop(exchange)
        self.hops.append(hop)
        self._initial.setdefault(_initial_key(exchange), []).append(hop)
        if hop.from_tag:
            self._by_tag.setdefault(hop.from_tag, []).append(hop)
        return hop

    def _same_attempt(self, exchange: Exchange) -> _Hop | None:
        """The hop-dialog that this request outside a dialog is another round of: after a challenge, or a refresh."""
        if exchange.to_tag and exchange.method != "REGISTER":
            return None
        if exchange.method in ("ACK", "CANCEL"):  # with a branch of its own, against the rules
            invites = self._initial.get(("INVITE", exchange.from_tag), [])[-_NEAR:]
            return next((h for h in invites if exchange.source in h.caller and exchange.destination in h.callee), None)
        near = [h for h in self._initial.get(_initial_key(exchange), [])[-_NEAR:] if _may_follow(h, exchange)]
        for hop in reversed(near):
            if exchange.source in hop.caller and exchange.destination in hop.callee:
                return hop
        hosts = [
            hop
            for hop in near
            if exchange.cseq > hop.last_initial.cseq
            and exchange.source.host in {a.host for a in hop.caller}
            and exchange.destination in hop.callee
        ]
        return hosts[-1] if len(hosts) == 1 else None

    def _in_dialog(self, exchange: Exchange) -> list[_Hop]:
        """The hop-dialogs that a request with a To-tag belongs to: one; two when it goes past a proxy between them."""
        near = self._by_tag.get(exchange.from_tag, [])[-_NEAR:] + self._by_tag.get(exchange.to_tag, [])[-_NEAR:]
        candidates = [hop for hop in dict.fromkeys(near) if _tags_fit(hop, exchange)]
        if not candidates:
            return []
        senders = []
        receivers = []
        by_host = []
        for hop in candidates:
            here, there = (hop.caller, hop.callee) if hop.sends(exchange) else (hop.callee, hop.caller)
            sends, receives = exchange.source in here, exchange.destination in there
            if sends and receives:
                return [hop]
            if sends:
                senders.append(hop)
            if receives:
                receivers.append(hop)
            if exchange.source.host in {a.host for a in here} and exchange.destination.host in {a.host for a in there}:
                by_host.append(hop)
        if senders and receivers:
            return list(dict.fromkeys((senders[0], receivers[0])))
        lower = set(via_branches(exchange.messages[0])[1:])
        if lower:  # what a hop passed on is not that hop's own
            passed_on = {id(h) for h in candidates if any(x.branch in lower for x in h.exchanges[-_NEAR:])}
            candidates, by_host, senders, receivers = (
                [h for h in found if id(h) not in passed_on] for found in (candidates, by_host, senders, receivers)
            )
        close = [hop for hop in by_host if hop in senders or hop in receivers] or by_host or senders or receivers
        return close[:1] if close else candidates[:1] if len(candidates) == 1 else []


def _initial_key(exchange: Exchange) -> tuple[object, ...]:
    """What tries of one request share. A registration's From-tag may change between rounds."""
    return (exchange.method, exchange.from_tag if exchange.method == "INVITE" else "")


def _may_follow(hop: _Hop, exchange: Exchange) -> bool:
    """Whether a request outside a dialog may be another round of that hop-dialog's first one."""
    last = hop.last_initial
    if exchange.cseq == last.cseq and exchange.branch != last.branch and exchange.request and last.request:
        return False  # the fork or the next hop of the same request
    if exchange.method != "INVITE":
        return True
    final = last.final()
    return final is None or 300 <= final.message.status < 400 or final.message.status in _RETRIED


def _tags_fit(hop: _Hop, exchange: Exchange) -> bool:
    """Whether a request's tags are this dialog's, either way round.

    A NOTIFY may come before the answer that tells the To-tag (RFC 6665 4.4.1), and answers may not have been captured.
    """
    source, target = exchange.from_tag, exchange.to_tag
    if source == hop.from_tag and (target in hop.to_tags or not hop.to_tags):
        return True
    return target == hop.from_tag and (source in hop.to_tags or not hop.to_tags or exchange.method == "NOTIFY")


def _chain(hops: Sequence[_Hop]) -> None:
    """Find each hop's upstream: the hop whose top branch stands below this one's in Via."""
    by_branch: dict[str, _Hop] = {}
    opening = [[x for x in hop.exchanges if not x.to_tag or x is hop.first] for hop in hops]
    for hop, exchanges in zip(hops, opening, strict=True):
        for exchange in exchanges:
            if exchange.branch:
                by_branch.setdefault(exchange.branch, hop)
    for hop, exchanges in zip(hops, opening, strict=True):
        for exchange in exchanges[:4]:
            lower = via_branches(exchange.messages[0])[1:]
            upstream = next((by_branch[b] for b in lower if b in by_branch and by_branch[b] is not hop), None)
            if upstream is not None:
                hop.upstream = upstream
                break


def _depth(hop: _Hop) -> int:
    """Place in the chain; a loop in it (hostile branches) ends the count."""
    seen = {id(hop)}
    depth = 0
    while hop.upstream is not None and id(hop.upstream) not in seen:
        hop = hop.upstream
        seen.add(id(hop))
        depth += 1
    return depth


class TransactionShape(NamedTuple):
    """A transaction: places of its messages among those of the Call-ID."""

    method: str
    request: int
    from_caller: bool
    responses: tuple[int, ...]
    ack: int
    """-1 without one."""


class HopShape(NamedTuple):
    """A hop-dialog in names: places of messages, numbers of addresses and tags."""

    kind: str
    from_tag: int
    to_tag: int
    caller: int
    callee: int
    hop: int
    state: str
    messages: tuple[int, ...]
    transactions: tuple[TransactionShape, ...]
    pdd: tuple[int, int] | None
    """The messages between which it lies."""
    setup: tuple[int, int] | None
    upstream: int
    """Place among the shapes of the Call-ID, -1 without one."""
    fork_tags: tuple[int, ...]
    caller_addresses: frozenset[int]
    callee_addresses: frozenset[int]
    media: tuple[tuple[int, bool], ...]
    """Messages whose SDP counts, each with whether the caller sent it."""
    methods: frozenset[str]
    """Methods of all requests in it."""


def _tag(name: str) -> int:
    return int(name) if name else 0


def _place(captured: CapturedMessage) -> int:
    return cast(Row, captured).place


def _finish(hop: _Hop, order: dict[CapturedMessage, int], hops: list[_Hop]) -> HopShape:
    """The finished shape. `order`: a row to its place in the order of the Call-ID's messages."""
    messages = list(dict.fromkeys(m for x in hop.exchanges for m in x.messages))
    messages.sort(key=order.__getitem__)
    final = hop.last_initial.final()
    answered = final.message.to_tag if final else ""
    tags = list(hop.to_tags)
    to_tag = answered or (tags[0] if tags else "")
    forks = (
        {r.message.to_tag for r in hop.last_initial.responses() if r.message.status > 100}
        if hop.method in ("INVITE", "SUBSCRIBE")
        else set()
    )
    dialog = HopDialog(
        id=0,
        kind=hop.method.lower(),
        call_id="",
        from_tag=hop.from_tag,
        to_tag=to_tag,
        caller=hop.first.source,
        callee=hop.first.destination,
        transport="",
        messages=messages,
        transactions=build_transactions(hop.exchanges, [hop.sends(x) for x in hop.exchanges]),
        caller_addresses=frozenset(hop.caller),
        callee_addresses=frozenset(hop.callee),
    )
    delays = [pair and (_place(pair[0]), _place(pair[1])) for pair in (post_dial_delay(dialog), setup(dialog))]
    sdp = [m for m in messages if cast(Row, m).media and not (m.copy or m.retransmission) and m.message.status < 300]
    return HopShape(
        kind=dialog.kind,
        from_tag=_tag(hop.from_tag),
        to_tag=_tag(to_tag),
        caller=dialog.caller.port,
        callee=dialog.callee.port,
        hop=_depth(hop),
        state=dialog_state(dialog),
        messages=tuple(_place(m) for m in messages),
        transactions=tuple(
            TransactionShape(
                t.method,
                _place(t.request),
                t.from_caller,
                tuple(_place(r) for r in t.responses),
                -1 if t.ack is None else _place(t.ack),
            )
            for t in dialog.transactions
        ),
        pdd=delays[0],
        setup=delays[1],
        upstream=-1 if hop.upstream is None else next(n for n, other in enumerate(hops) if other is hop.upstream),
        fork_tags=tuple(_tag(tag) for tag in tags if tag != to_tag and tag in forks),
        caller_addresses=frozenset(address.port for address in hop.caller),
        callee_addresses=frozenset(address.port for address in hop.callee),
        media=tuple((_place(m), sent_by_caller(dialog, m)) for m in sdp),
        methods=frozenset(m.message.method for m in messages if m.message.is_request),
    )


def hop_shapes(rows: Sequence[Row]) -> tuple[HopShape, ...]:
    """The hop-dialogs of one use of a Call-ID, from its messages in order of time."""
    group: Sequence[CapturedMessage] = rows
    exchanges = group_exchanges(group)
    if not in_order(exchanges):
        group = causal_order(group)
        exchanges = group_exchanges(group)
    builder = _Builder()
    for exchange in exchanges:
        builder.take(exchange)
    if len(builder.hops) > 1:
        _chain(builder.hops)
    order = {captured: number for number, captured in enumerate(group)}
    return tuple(_finish(hop, order, builder.hops) for hop in builder.hops)


def sent_by_caller(dialog: HopDialog, captured: CapturedMessage) -> bool:
    """Whether the dialog's caller sent a message of it: by tags (they hold through NAT), else by address."""
    message = captured.message
    tag = message.from_tag
    callers = tag == dialog.from_tag
    known = callers or tag == dialog.to_tag or message.to_tag == dialog.from_tag
    if dialog.from_tag and dialog.from_tag != dialog.to_tag and known:
        return callers == message.is_request
    if captured.source in dialog.caller_addresses:
        return captured.source not in dialog.callee_addresses or callers == message.is_request
    return captured.source not in dialog.callee_addresses and captured.destination in dialog.callee_addresses
