"""Transaction rules of RFC 3261 section 17: timers, retransmission delays, keys, and what an ACK or a CANCEL belongs
to.

The state machines of figures 5 to 8 stand here as tables. Sans-IO and stateless: who keeps transactions keeps their
state.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from sipreplay.sip.message import Message

T1_S = 0.5
"""Round-trip estimate: first retransmission delay."""
T2_S = 4.0
"""Longest delay between retransmissions of a non-INVITE request and of an INVITE's 2xx."""
T4_S = 5.0
"""How long a message can stay in the network."""
TIMEOUT_S = 64 * T1_S
"""Timers B, F and H: when a transaction gives up."""
TIMER_D_S = 32.0
"""How long an INVITE client transaction absorbs repeated failures over UDP."""
MAGIC_COOKIE = "z9hG4bK"


class State(Enum):
    """States of figures 5 to 8 (the client's Calling and Trying are both CALLING)."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


INVITE_CLIENT: dict[tuple[State, str], State] = {
    (State.CALLING, "1xx"): State.PROCEEDING,
    (State.CALLING, "2xx"): State.TERMINATED,
    (State.CALLING, "300-699"): State.COMPLETED,
    (State.CALLING, "timer B"): State.TERMINATED,
    (State.PROCEEDING, "1xx"): State.PROCEEDING,
    (State.PROCEEDING, "2xx"): State.TERMINATED,
    (State.PROCEEDING, "300-699"): State.COMPLETED,
    (State.COMPLETED, "300-699"): State.COMPLETED,
    (State.COMPLETED, "timer D"): State.TERMINATED,
}
"""RFC 3261 figure 5."""

CLIENT: dict[tuple[State, str], State] = {
    (State.TRYING, "1xx"): State.PROCEEDING,
    (State.TRYING, "200-699"): State.COMPLETED,
    (State.TRYING, "timer F"): State.TERMINATED,
    (State.PROCEEDING, "1xx"): State.PROCEEDING,
    (State.PROCEEDING, "200-699"): State.COMPLETED,
    (State.PROCEEDING, "timer F"): State.TERMINATED,
    (State.COMPLETED, "timer K"): State.TERMINATED,
}
"""RFC 3261 figure 6."""

INVITE_SERVER: dict[tuple[State, str], State] = {
    (State.PROCEEDING, "send 1xx"): State.PROCEEDING,
    (State.PROCEEDING, "send 2xx"): State.TERMINATED,
    (State.PROCEEDING, "send 300-699"): State.COMPLETED,
    (State.COMPLETED, "INVITE"): State.COMPLETED,
    (State.COMPLETED, "ACK"): State.CONFIRMED,
    (State.COMPLETED, "timer H"): State.TERMINATED,
    (State.CONFIRMED, "timer I"): State.TERMINATED,
}
"""RFC 3261 figure 7."""

SERVER: dict[tuple[State, str], State] = {
    (State.TRYING, "send 1xx"): State.PROCEEDING,
    (State.TRYING, "send 200-699"): State.COMPLETED,
    (State.PROCEEDING, "send 1xx"): State.PROCEEDING,
    (State.PROCEEDING, "send 200-699"): State.COMPLETED,
    (State.COMPLETED, "request"): State.COMPLETED,
    (State.COMPLETED, "timer J"): State.TERMINATED,
}
"""RFC 3261 figure 8."""


class TransactionKey(NamedTuple):
    """What tells server transactions apart (RFC 3261 17.2.3); for a branch without the magic cookie, RFC 2543's
    fields.
    """

    branch: str
    sent_by: str
    method: str
    """INVITE for an ACK."""
    legacy: str = ""
    """Request-URI, tags, Call-ID and CSeq of a request from before RFC 3261."""


def retransmit_delays(invite: bool, t1_s: float = T1_S, t2_s: float = T2_S) -> Iterator[float]:
    """Seconds between sendings over UDP, until the transaction times out after 64*T1 (timers A and E).

    An INVITE doubles without limit: T1, 2*T1, ... 32*T1. Other requests stop doubling at T2. The last delay is to the
    time-out.
    """
    left = 64 * t1_s
    delay = t1_s
    while delay < left:
        yield delay
        left -= delay
        delay = 2 * delay if invite else min(2 * delay, t2_s)
    yield left


def transaction_key(request: Message) -> TransactionKey:
    """The server transaction that a request belongs to; an ACK to a failure has its INVITE's, a CANCEL one of its
    own.
    """
    method = "INVITE" if request.method == "ACK" else request.method
    via = request.get("via") or ""
    sent_by = via.partition(";")[0].partition(" ")[2].strip().lower()
    branch = request.branch
    if branch.startswith(MAGIC_COOKIE):
        return TransactionKey(branch, sent_by, method)
    to_tag = "" if request.method in ("INVITE", "ACK") else request.to_tag
    fields = (request.request_uri, to_tag, request.from_tag, request.call_id, str(request.cseq_number))
    return TransactionKey(branch, sent_by, method, "\n".join(fields))


def response_matches(request: Message, reply: Message) -> bool:
    """Whether a response answers a request: same top branch and CSeq method (RFC 3261 17.1.3)."""
    return reply.branch == request.branch and reply.cseq_method == request.method


def cancel_matches(cancel: Message, request: Message) -> bool:
    """Whether a CANCEL is for a request: same key but for the method (RFC 3261 9.2)."""
    ours, theirs = transaction_key(cancel), transaction_key(request)
    return request.method not in ("ACK", "CANCEL") and ours._replace(method="") == theirs._replace(method="")


def ack_matches(ack: Message, invite: Message, reply: Message) -> bool:
    """Whether an ACK acknowledges that final response to that INVITE.

    To a failure it has the INVITE's branch (RFC 3261 17.1.1.3); to a 2xx it is a transaction of its own in the same
    dialog with the INVITE's CSeq number (13.2.2.4).
    """
    if ack.method != "ACK" or ack.call_id != invite.call_id or ack.cseq_number != invite.cseq_number:
        return False
    if ack.from_tag != invite.from_tag or (ack.to_tag and ack.to_tag != reply.to_tag):
        return False
    return 200 <= reply.status < 300 or not ack.branch.startswith(MAGIC_COOKIE) or ack.branch == invite.branch
