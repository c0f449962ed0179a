"""What became of a hop-dialog, and how long it took, read off its transactions. Never looks at raw messages."""

from __future__ import annotations

from collections.abc import Sequence

from sipreplay.analysis.model import CapturedMessage, HopDialog, Transaction

CHALLENGES = (401, 407)


def initial_transactions(dialog: HopDialog) -> list[Transaction]:
    """The rounds of the request that made the dialog: from the caller, of the dialog's method, without a To-tag."""
    method = dialog.kind.upper()
    found = [t for t in dialog.transactions if t.from_caller and t.method == method and not t.request.message.to_tag]
    return found or [t for t in dialog.transactions if t.method == method][:1]


def dialog_state(dialog: HopDialog) -> str:
    """The state, in the words of `HopDialog.state`."""
    rounds = initial_transactions(dialog)
    if not rounds:
        return _state_of_answers(dialog)
    last = rounds[-1]
    final = last.final
    status = final.message.status if final else 0
    if dialog.kind != "invite":
        if not status:
            return "unanswered"
        return "completed" if status < 300 else "challenged" if status in CHALLENGES else "rejected"
    if 200 <= status < 300:
        ended = any(t.method == "BYE" for t in dialog.transactions)
        return "completed" if ended else "established"
    cancelled = any(t.method == "CANCEL" for t in dialog.transactions)
    if status in CHALLENGES:
        return "challenged"
    if 300 <= status < 400:
        return "redirected"
    if cancelled and (not status or status == 487):
        return "cancelled"
    if status:
        return "rejected"
    provisional = [r.message.status for r in last.responses]
    return "unanswered" if not provisional else "ringing" if max(provisional) > 100 else "setup"


def _state_of_answers(dialog: HopDialog) -> str:
    """The state of a dialog of which the capture holds no request that could have made it."""
    statuses = [m.message.status for m in dialog.messages if m.message.status]
    last = statuses[-1] if statuses else 0
    if dialog.kind == "invite":
        if any(m.message.method == "BYE" or m.message.cseq_method == "BYE" for m in dialog.messages):
            return "completed"
        if 100 <= last < 200:
            return "ringing" if last > 100 else "setup"
        if 200 <= last < 300:
            return "established"
        if 300 <= last < 400:
            return "redirected"
    elif 200 <= last < 300:
        return "completed"
    if last in CHALLENGES:
        return "challenged"
    return "rejected" if last >= 300 else "unanswered"


def _answering(rounds: Sequence[Transaction]) -> list[Transaction]:
    """The rounds whose answer counts: a challenge that was met by another round is not the answer to the call."""
    return [
        t
        for number, t in enumerate(rounds)
        if number == len(rounds) - 1 or t.final is None or t.final.message.status not in CHALLENGES
    ]


def post_dial_delay(dialog: HopDialog) -> tuple[CapturedMessage, CapturedMessage] | None:
    """First INVITE, and the first 18x or final response: RFC 6076 4.3's session request delay lies between. Or None."""
    rounds = initial_transactions(dialog) if dialog.kind == "invite" else []
    for transaction in _answering(rounds):
        for response in transaction.responses:
            if response.message.status > 100:
                return rounds[0].request, response
    return None


def setup(dialog: HopDialog) -> tuple[CapturedMessage, CapturedMessage] | None:
    """First INVITE and its 2xx, or None."""
    rounds = initial_transactions(dialog) if dialog.kind == "invite" else []
    for transaction in rounds:
        for response in transaction.responses:
            if 200 <= response.message.status < 300:
                return rounds[0].request, response
    return None
