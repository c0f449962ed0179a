"""The session timer of a hop-dialog (RFC 4028): what was agreed, who refreshes, which refreshes came, when it ran out.

Never judges; times are those of the capture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sipreplay.analysis.dialogs import sent_by_caller
from sipreplay.analysis.model import CapturedMessage, HopDialog
from sipreplay.analysis.outline import outline
from sipreplay.analysis.stored import DialogMessages
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import parse_parameters

SHORTEST_S = 90
"""The least interval that RFC 4028 5 allows."""
GRACE_S = 32.0
NEAR_S = 2.0
"""How exactly a BYE keeps a moment that the timer gives."""


_NAMED = re.compile(rb"\n(?:session-expires|x)[ \t]*:", re.IGNORECASE)


class Refresh(NamedTuple):
    """An INVITE or UPDATE whose 2xx agreed on an interval."""

    captured: CapturedMessage
    """The 2xx."""
    by_caller: bool
    interval_s: int
    """0: the timer was switched off."""
    refresher: str
    """caller, callee, or "" when nobody said."""


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """One dialog's timer."""

    interval_s: int
    """As agreed last."""
    refresher: str
    refreshes: tuple[Refresh, ...]
    """Without the one that set the timer up."""
    established: CapturedMessage
    expires: float
    """When the session runs out unless it is refreshed (seconds since the epoch)."""
    expired: bool
    """Whether the dialog went on, or was ended, after that."""
    too_small: int
    """422 responses (RFC 4028 6)."""
    ended: CapturedMessage | None
    """The BYE."""

    @property
    def ended_by_timer(self) -> bool:
        """Whether the BYE came at one of the two moments that the timer gives for it: when the session runs out, or
        min(32 s, a third of the interval) before (RFC 4028 10)."""
        if self.ended is None:
            return False
        early = self.expires - min(GRACE_S, self.interval_s / 3)
        return min(abs(self.ended.time - self.expires), abs(self.ended.time - early)) <= NEAR_S


def _interval(message: Message) -> tuple[int, str]:
    """(seconds, refresher parameter) of Session-Expires; (0, "") without one."""
    value, _, tail = (message.get("session-expires") or "").partition(";")
    text = value.strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    return seconds, (parse_parameters(tail).get("refresher") or "").lower()


def _names_one(dialog: HopDialog) -> bool:
    """Whether any 2xx that could agree on a timer has the header: seen in the bytes, as most have not."""
    messages = dialog.messages
    if isinstance(messages, DialogMessages):
        return any(_NAMED.search(messages.data(at)) for at in outline(dialog).agreed)
    return True


def session_timer(dialog: HopDialog) -> SessionTimer | None:
    """The timer of an INVITE dialog; None when none was agreed on."""
    if dialog.kind != "invite" or not _names_one(dialog):
        return None
    agreed: list[Refresh] = []
    too_small = 0
    for transaction in dialog.transactions:
        if transaction.method not in ("INVITE", "UPDATE"):
            continue
        final = transaction.final
        if final is None:
            continue
        too_small += final.message.status == 422
        if not 200 <= final.message.status < 300:
            continue
        if not agreed and not _NAMED.search(final.data):
            continue
        seconds, refresher = _interval(final.message)
        by_caller = sent_by_caller(dialog, transaction.request)
        if seconds or agreed:
            client, server = ("caller", "callee") if by_caller else ("callee", "caller")
            side = client if refresher == "uac" else server if refresher == "uas" else ""
            agreed.append(Refresh(final, by_caller, seconds, side))
    if not agreed:
        return None
    last = agreed[-1]
    if not last.interval_s:
        return None
    bye = next((t.request for t in dialog.transactions if t.method == "BYE"), None)
    expires = last.captured.time + last.interval_s
    return SessionTimer(
        interval_s=last.interval_s,
        refresher=last.refresher,
        refreshes=tuple(agreed[1:]),
        established=agreed[0].captured,
        expires=expires,
        expired=(bye.time if bye else dialog.last) > expires,
        too_small=too_small,
        ended=bye,
    )
