"""What ties dialogs of different Call-IDs to one call: the values that they name, rule by rule.

Owns which header says what, and how sure that is. Reads the request that opened a dialog, its REFERs and, for
Session-ID, its answer; nothing else, so that a pass over all dialogs stays cheap. Never joins anything (`calls` does),
and never guesses (`b2bua` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from sipreplay.analysis.correlate import Correlate
from sipreplay.analysis.model import CapturedMessage, HopDialog
from sipreplay.analysis.stored import DialogMessages
from sipreplay.sip.address import parse_name_addr
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import SipSyntaxError, parse_parameters

LONGEST_VALUE = 512
"""Values that are longer tie nothing."""


class TieRule(NamedTuple):
    """One kind of evidence that dialogs belong to one call."""

    name: str
    confidence: float
    """From 0 to 1."""
    meaning: str
    """What has to be seen, for the documentation."""


SAME_CALL_ID = TieRule("same Call-ID", 1.0, "the same Call-ID, in the same conversation")
REPLACES = TieRule("Replaces", 1.0, "an INVITE's Replaces names the other's Call-ID and tags (RFC 3891)")
JOIN = TieRule("Join", 1.0, "an INVITE's Join names the other's Call-ID and tags (RFC 3911)")
TARGET_DIALOG = TieRule("Target-Dialog", 1.0, "a request's Target-Dialog names the other (RFC 4538)")
REFER_REPLACES = TieRule("Refer-To with Replaces", 1.0, "a REFER's Refer-To holds a Replaces that names the other")
TAGS_DIFFER = TieRule("Call-ID named, other tags", 0.9, "one of the four above, but with tags that the other has not")
REFER_TARGET = TieRule(
    "REFER target", 0.9, "whoever took the REFER calls the user of its Refer-To within 32 s (RFC 3515)"
)
REFERRED_BY = TieRule(
    "Referred-By", 0.9, "an INVITE to the user of Refer-To names in Referred-By who sent the REFER (RFC 3892)"
)
SESSION_ID = TieRule("Session-ID", 0.95, "a half of Session-ID that is not nil (RFC 7989)")
ICID = TieRule("icid-value", 0.95, "the icid-value of P-Charging-Vector (RFC 7315 5.6), which only requests carry")
X_CALL_ID = TieRule("X-Call-ID", 0.9, "X-Call-ID or X-CID: the same value, or the other's Call-ID")
HEP = TieRule("HEP correlation id", 0.95, "the correlation id of HEP: the same, or the other's Call-ID")
NAMED = TieRule("--correlate", 0.9, "a header named by --correlate: the same key, or the other's Call-ID")

TIE_RULES = (
    SAME_CALL_ID,
    REPLACES,
    JOIN,
    TARGET_DIALOG,
    REFER_REPLACES,
    TAGS_DIFFER,
    REFER_TARGET,
    REFERRED_BY,
    SESSION_ID,
    ICID,
    X_CALL_ID,
    HEP,
    NAMED,
)

_HEADERS = re.compile(
    rb"\n(?:replaces|join|target-dialog|referred-by|b|session-id|p-charging-vector|x-call-id|x-cid)[ \t]*:",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{32}\Z")
_NIL = "0" * 32


class Shared(NamedTuple):
    """A value that dialogs share with whoever says the same."""

    rule: TieRule
    label: str
    """How evidence names the rule: the header, where the user named it."""
    key: str


class Named(NamedTuple):
    """A dialog that a message names."""

    rule: TieRule
    call_id: str
    tags: frozenset[str]
    value: str
    """The header's value, as evidence shows it."""


class Referral(NamedTuple):
    """A REFER, or an INVITE that may follow one."""

    captured: CapturedMessage
    target: str
    """User and host of Refer-To (REFER) or of the Request-URI (INVITE), as `user@host` or `host`."""
    by: str
    """Who refers: Referred-By, else From of the REFER."""


def opening(dialog: HopDialog) -> CapturedMessage:
    """The request that opened a dialog, as far as it was captured."""
    return dialog.messages[0]


def opening_bytes(dialog: HopDialog) -> tuple[bytes, str]:
    """The bytes of that request, and the correlation id that a capture agent gave it ("" without one)."""
    if isinstance(dialog.messages, DialogMessages):
        return dialog.messages.opening()
    return dialog.messages[0].data, dialog.messages[0].correlation


def may_tie(data: bytes) -> bool:
    """Whether a message has any header that this module knows; a quick look at its bytes."""
    return _HEADERS.search(data) is not None


def shared_values(dialog: HopDialog, correlate: Sequence[Correlate] = ()) -> Iterator[Shared]:
    """The values of a dialog that tie it to dialogs with the same."""
    first = opening(dialog)
    message = first.message
    if first.correlation:
        yield Shared(HEP, HEP.name, first.correlation)
    names = first.data.lower() if correlate else b""
    for wanted in correlate:
        if wanted.header.encode() not in names and len(wanted.header) > 1:
            continue
        for key in wanted.keys(message):
            if len(key) <= LONGEST_VALUE:
                yield Shared(NAMED, f"--correlate {wanted.header}", key)
    if not may_tie(first.data):
        return
    for uuid in _session_ids(dialog):
        yield Shared(SESSION_ID, SESSION_ID.name, uuid)
    if message.is_request:
        for value in message.get_all("p-charging-vector"):
            icid = (parse_parameters(value).get("icid-value") or "").strip('"')
            if 0 < len(icid) <= LONGEST_VALUE:
                yield Shared(ICID, ICID.name, icid)
    for header in ("x-call-id", "x-cid"):
        for value in message.get_all(header):
            if 0 < len(value) <= LONGEST_VALUE:
                yield Shared(X_CALL_ID, X_CALL_ID.name, value.strip())


def _session_ids(dialog: HopDialog) -> Iterator[str]:
    """The halves that the opening request and its first final answer name; nil (RFC 7989 4.2) says nothing."""
    seen: set[str] = set()
    for captured in dialog.messages[:8]:
        message = captured.message
        if message.status < 200 and captured != dialog.messages[0]:
            continue
        value = message.get("session-id")
        if value:
            local, _, tail = value.partition(";")
            remote = parse_parameters(tail).get("remote") or ""
            for half in (local.strip().lower(), remote.strip().lower()):
                if _UUID.match(half) and half != _NIL and half not in seen:
                    seen.add(half)
                    yield half
        if message.status:
            return


def named_dialogs(dialog: HopDialog, refers: Sequence[CapturedMessage]) -> Iterator[Named]:
    """The other dialogs that a dialog's opening request and its REFERs name."""
    first = opening(dialog)
    if first.message.is_request and may_tie(first.data):
        for rule, header in ((REPLACES, "replaces"), (JOIN, "join"), (TARGET_DIALOG, "target-dialog")):
            for value in first.message.get_all(header):
                yield from _named(rule, value)
    for captured in refers:
        for value in captured.message.get_all("refer-to")[:1]:
            try:
                headers = parse_name_addr(value).uri.headers
            except SipSyntaxError:
                continue
            for part in headers.split("&"):
                name, _, escaped = part.partition("=")
                if name.strip().lower() == "replaces":
                    yield from _named(REFER_REPLACES, unquote(escaped, errors="surrogateescape"))


def _named(rule: TieRule, value: str) -> Iterator[Named]:
    call_id, _, tail = value.partition(";")
    parameters = parse_parameters(tail)
    names = ("to-tag", "from-tag", "local-tag", "remote-tag")
    tags = frozenset(tag for name in names if (tag := parameters.get(name)))
    if call_id.strip() and len(value) <= LONGEST_VALUE:
        yield Named(rule, call_id.strip(), tags, value)


def refers_of(dialog: HopDialog) -> list[CapturedMessage]:
    """The REFERs in a dialog."""
    if "REFER" not in dialog.methods:
        return []
    return [m for m in dialog.messages if m.message.method == "REFER" and not (m.copy or m.retransmission)]


def referral_of(captured: CapturedMessage) -> Referral | None:
    """What a REFER, or an INVITE, says about who is to call whom; None when it cannot be read."""
    message = captured.message
    try:
        if message.method == "REFER":
            uri = parse_name_addr(message.get("refer-to") or "").uri
            target = f"{uri.user}@{uri.host}" if uri.user else uri.host
            by = message.get("referred-by") or message.get("from") or ""
        else:
            target = _target(message)
            by = message.get("referred-by") or ""
        who = _plain(by) if by else ""
    except SipSyntaxError:
        return None
    return Referral(captured, target.lower(), who) if target else None


def _target(message: Message) -> str:
    uri = parse_name_addr(f"<{message.request_uri}>").uri
    return f"{uri.user}@{uri.host}" if uri.user else uri.host


def _plain(value: str) -> str:
    uri = parse_name_addr(value).uri
    return f"{uri.user or ''}@{uri.host}".lower()
