"""What happened in one hop-dialog besides its offers and timers: branches of a fork, digest rounds, redirects, reliable
responses, transfers, subscriptions, publications, registrations, digits by INFO.

Each kind has a value of its own; `dialog_facts` gathers them for one dialog when asked for. Never judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sipreplay.analysis.model import CapturedMessage, HopDialog, Transaction
from sipreplay.analysis.outline import outline
from sipreplay.analysis.states import initial_transactions
from sipreplay.sip.address import parse_address_list, parse_name_addr
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import SipSyntaxError, parse_parameters, split_list

_SIPFRAG = re.compile(rb"\A\s*SIP/2\.0[ \t]+(\d{3})[ \t]*([^\r\n]{0,80})", re.IGNORECASE)
_SIGNAL = re.compile(rb"(?:\A|\n)[ \t]*Signal[ \t]*=[ \t]*([0-9A-D*#]{1,2})", re.IGNORECASE)
_DURATION = re.compile(rb"(?:\A|\n)[ \t]*Duration[ \t]*=[ \t]*(\d{1,6})", re.IGNORECASE)
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
"""Signals that some senders write by event number (RFC 4733 3.2)."""
_DTMF = b"application/dtmf"
MOST_ITEMS = 1000
"""Digits, notifications and the like of one dialog that are kept."""


class Branch(NamedTuple):
    """An early dialog: one To-tag among the answers to an INVITE (RFC 3261 12.1)."""

    to_tag: str
    statuses: tuple[int, ...]
    """Of its responses, in order."""
    ended: str
    """answered, failed, or early (another branch answered, or the capture ends)."""
    contact: str


class Challenge(NamedTuple):
    """A 401 or 407 and what came of it."""

    captured: CapturedMessage
    realm: str
    stale: bool
    answered: bool
    """Whether the next request carried credentials."""
    again: bool
    """Whether the request that was challenged had an answer to the last challenge, and the new nonce is not for
    staleness: the answer was wrong."""


class Redirect(NamedTuple):
    """A 3xx and where it points."""

    captured: CapturedMessage
    targets: tuple[str, ...]
    tried: bool
    """Whether the caller sent the request again to one of them, in this dialog."""


class Notification(NamedTuple):
    """One NOTIFY."""

    captured: CapturedMessage
    state: str
    """Of Subscription-State: active, pending, terminated."""
    reason: str
    expires_s: int | None
    sipfrag: int
    """The status that a message/sipfrag body reports (RFC 3515 2.4.5), 0 without one."""


class Transfer(NamedTuple):
    """A REFER and its progress."""

    captured: CapturedMessage
    target: str
    accepted: int
    """Status of its answer, 0 without one."""
    progress: tuple[int, ...]
    """Statuses that its NOTIFYs report, in order."""


class Publication(NamedTuple):
    """One PUBLISH (RFC 3903)."""

    captured: CapturedMessage
    status: int
    if_match: str
    """SIP-If-Match: what is refreshed, "" for an initial one."""
    etag: str
    """SIP-ETag of its answer."""
    expires_s: int | None


class Registration(NamedTuple):
    """One REGISTER round that was answered for good."""

    captured: CapturedMessage
    contacts: tuple[str, ...]
    """As asked for; `*` is every contact."""
    expires_s: int | None
    """As granted to this contact; 0 removes."""
    status: int
    kind: str
    """register, refresh, de-register or query."""


class Digit(NamedTuple):
    """A digit by INFO."""

    captured: CapturedMessage
    from_caller: bool
    digit: str
    duration_ms: int | None


@dataclass(slots=True)
class DialogFacts:
    """Everything above, of one dialog."""

    branches: list[Branch] = field(default_factory=list)
    challenges: list[Challenge] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    reliable: int = 0
    """Provisional responses that asked for PRACK."""
    pracked: int = 0
    """Of those, how many a PRACK followed."""
    reinvites: list[Transaction] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    digits: list[Digit] = field(default_factory=list)


def dialog_facts(dialog: HopDialog, *, forks_only: bool = False) -> DialogFacts:
    """The facts of a dialog; `forks_only`: branches only if there are several."""
    facts = DialogFacts()
    by_method: dict[str, list[Transaction]] = {}
    for transaction in dialog.transactions:
        by_method.setdefault(transaction.method, []).append(transaction)
    initial = initial_transactions(dialog)
    if dialog.kind == "invite":
        if not forks_only or outline(dialog).branches > 1:
            facts.branches = _branches(initial)
        opened = {id(t) for t in initial}
        facts.reinvites = [t for t in by_method.get("INVITE", []) if t.request.message.to_tag and id(t) not in opened]
        _prack(dialog, by_method, facts)
    facts.challenges = list(_challenges(dialog.transactions))
    facts.redirects = list(_redirects(initial))
    facts.notifications = [_notification(t.request) for t in by_method.get("NOTIFY", [])[:MOST_ITEMS]]
    facts.transfers = [_transfer(t, facts.notifications) for t in by_method.get("REFER", [])[:MOST_ITEMS]]
    facts.publications = [_publication(t) for t in by_method.get("PUBLISH", [])[:MOST_ITEMS]]
    facts.registrations = list(_registrations(by_method.get("REGISTER", [])[:MOST_ITEMS]))
    facts.digits = _digits_in(by_method.get("INFO", []))
    return facts


def info_digits(dialog: HopDialog) -> list[Digit]:
    """`DialogFacts.digits`, without the other facts."""
    return _digits_in([t for t in dialog.transactions if t.method == "INFO"])


def _digits_in(asked: Sequence[Transaction]) -> list[Digit]:
    return [d for t in asked[:MOST_ITEMS] if _DTMF in t.request.data.lower() for d in _digits(t)]


def _branches(initial: list[Transaction]) -> list[Branch]:
    found: dict[str, list[CapturedMessage]] = {}
    for response in initial[-1].responses if initial else ():
        if response.message.status > 100:
            found.setdefault(response.message.to_tag, []).append(response)
    return [_branch(tag, responses) for tag, responses in found.items()]


def _branch(tag: str, responses: list[CapturedMessage]) -> Branch:
    statuses = tuple(r.message.status for r in responses)
    last = statuses[-1]
    contact = next((c for r in responses if (c := r.message.get("contact"))), "")
    return Branch(tag, statuses, "early" if last < 200 else "answered" if last < 300 else "failed", contact)


def _prack(dialog: HopDialog, by_method: dict[str, list[Transaction]], facts: DialogFacts) -> None:
    acked = {" ".join((t.request.message.get("rack") or "").split()[:2]) for t in by_method.get("PRACK", [])}
    for transaction in by_method.get("INVITE", []):
        for response in transaction.responses:
            if response.message.status >= 200 or b"rseq" not in response.data.lower():
                continue
            rseq = (response.message.get("rseq") or "").strip()
            if rseq:
                facts.reliable += 1
                facts.pracked += f"{rseq} {transaction.cseq}" in acked


def _credentials(message: Message) -> bool:
    return bool(message.get_all("authorization") or message.get_all("proxy-authorization"))


def _challenges(transactions: Sequence[Transaction]) -> Iterator[Challenge]:
    nonces: dict[tuple[str, str], str] = {}
    """The last one of each header and realm."""
    for number, transaction in enumerate(transactions):
        final = transaction.final
        if final is None or final.message.status not in (401, 407):
            continue
        name = "www-authenticate" if final.message.status == 401 else "proxy-authenticate"
        realm, nonce, stale = _challenge_of((final.message.get(name) or "")[:2000])
        after = next((t for t in transactions[number + 1 : number + 9] if t.method == transaction.method), None)
        header = "authorization" if final.message.status == 401 else "proxy-authorization"
        proofs = [_challenge_of(value[:2000])[:2] for value in transaction.request.message.get_all(header)[:8]]
        had = (name, realm) in nonces and (realm, nonces[name, realm]) in proofs
        nonces[name, realm] = nonce
        yield Challenge(
            final, realm, stale, after is not None and _credentials(after.request.message), had and not stale
        )


def _challenge_of(value: str) -> tuple[str, str, bool]:
    """(realm, nonce, whether the last nonce was stale) of a challenge, or of the answer to one."""
    parameters = parse_parameters(value.partition(" ")[2].replace(",", ";")) if value else {}
    realm, nonce = ((parameters.get(name) or "").strip('"') for name in ("realm", "nonce"))
    return realm, nonce, (parameters.get("stale") or "").strip('"').lower() == "true"


def _redirects(initial: list[Transaction]) -> Iterator[Redirect]:
    for number, transaction in enumerate(initial):
        final = transaction.final
        if final is None or not 300 <= final.message.status < 400:
            continue
        try:
            uris = [a.uri for a in parse_address_list(final.message.get_all("contact"))[:16]]
        except SipSyntaxError:
            uris = []
        wanted = {(u.user, u.host) for u in uris}
        tried = False
        for later in initial[number + 1 : number + 9]:
            try:
                uri = parse_name_addr(f"<{later.request.message.request_uri}>").uri
            except SipSyntaxError:
                continue
            tried = tried or (uri.user, uri.host) in wanted
        yield Redirect(final, tuple(str(u) for u in uris), tried)


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else None


def _notification(captured: CapturedMessage) -> Notification:
    message = captured.message
    state, _, tail = (message.get("subscription-state") or "").partition(";")
    parameters = parse_parameters(tail)
    kind = (message.get("content-type") or "").partition(";")[0].strip().lower()
    match = _SIPFRAG.match(message.body) if kind == "message/sipfrag" else None
    return Notification(
        captured,
        state.strip().lower(),
        (parameters.get("reason") or "").lower(),
        _seconds(parameters.get("expires")),
        int(match.group(1)) if match else 0,
    )


def _transfer(transaction: Transaction, notifications: list[Notification]) -> Transfer:
    message = transaction.request.message
    final = transaction.final
    number = str(transaction.cseq)
    progress = []
    for notification in notifications:
        event = parse_parameters((notification.captured.message.get("event") or "").partition(";")[2])
        late_enough = notification.captured.time >= transaction.request.time
        if notification.sipfrag and late_enough and event.get("id") in (None, number):
            progress.append(notification.sipfrag)
    return Transfer(
        transaction.request,
        message.get("refer-to") or "",
        final.message.status if final else 0,
        tuple(progress),
    )


def _publication(transaction: Transaction) -> Publication:
    message = transaction.request.message
    final = transaction.final
    return Publication(
        transaction.request,
        final.message.status if final else 0,
        (message.get("sip-if-match") or "").strip(),
        (final.message.get("sip-etag") or "").strip() if final else "",
        _seconds((final.message if final else message).get("expires")),
    )


def _registrations(transactions: list[Transaction]) -> Iterator[Registration]:
    bound: set[str] = set()
    for transaction in transactions:
        final = transaction.final
        if final is None or final.message.status in (401, 407, 423):
            continue
        message = transaction.request.message
        values = [part for value in message.get_all("contact") for part in split_list(value)][:16]
        contacts = tuple(_contact_uri(value) for value in values)
        asked = _expiry(message, values[0] if values else "")
        granted = next(
            (
                _expiry(final.message, v)
                for v in _contacts(final.message)
                if contacts and _contact_uri(v) == contacts[0]
            ),
            asked,
        )
        if not contacts:
            kind = "query"
        elif asked == 0:
            kind = "de-register"
            bound.difference_update(contacts if contacts != ("*",) else tuple(bound))
        else:
            kind = "refresh" if set(contacts) <= bound else "register"
            if final.message.status < 300:
                bound.update(contacts)
        yield Registration(transaction.request, contacts, 0 if asked == 0 else granted, final.message.status, kind)


def _contacts(message: Message) -> list[str]:
    return [part for value in message.get_all("contact")[:64] for part in split_list(value)][:256]


def _contact_uri(value: str) -> str:
    try:
        return value if value == "*" else str(parse_name_addr(value).uri)
    except SipSyntaxError:
        return value


def _expiry(message: Message, contact: str) -> int | None:
    """The expires parameter of a contact, else the Expires header (RFC 3261 10.2.1.1)."""
    try:
        parameters = parse_name_addr(contact).parameters if contact and contact != "*" else {}
    except SipSyntaxError:
        parameters = {}
    own = _seconds(parameters.get("expires"))
    return own if own is not None else _seconds(message.get("expires"))


def _digits(transaction: Transaction) -> Iterator[Digit]:
    message = transaction.request.message
    kind = (message.get("content-type") or "").partition(";")[0].strip().lower()
    body = message.body[:4096]
    if kind == "application/dtmf-relay":
        signal, duration = _SIGNAL.search(body), _DURATION.search(body)
        if signal:
            text = signal.group(1).decode().upper()
            if len(text) == 1 or text in _NUMBERED:
                lasted = int(duration.group(1)) if duration else None
                yield Digit(transaction.request, transaction.from_caller, _NUMBERED.get(text, text), lasted)
    elif kind == "application/dtmf":
        text = body.strip().decode("ascii", "replace").upper()
        text = _NUMBERED.get(text, text)
        for character in text[:32]:
            if character in "0123456789ABCD*#":
                yield Digit(transaction.request, transaction.from_caller, character, None)
