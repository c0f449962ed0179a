"""What every learned file ends with: answers to requests that may come at any time, and the end of the call.

A request during a SIPp pause ends the call unless the label `_unexp.main` is there; from it the scenario goes back to
where it was, and the pause keeps its end.
"""

from __future__ import annotations

from functools import lru_cache

from sipreplay.learn.draft import Draft, Step
from sipreplay.learn.text import Line, Literal, Live, MessageText
from sipreplay.scenario.model import Action, Assign, Jump, Nop, Pause, PauseRestore, Recv, Send

END = "end"
MAIN = "_unexp.main"
BACK = "_unexp.back"
ANSWERED = ("OPTIONS", "UPDATE", "INFO", "NOTIFY", "MESSAGE")
NOT_ANSWERED = frozenset((*ANSWERED, "INVITE", "ACK", "BYE"))


@lru_cache(maxsize=256)
def _ok(more: tuple[Line, ...] = (), body: tuple[Line, ...] = ()) -> MessageText:
    length = Live("[len]") if body else Literal("0")
    head: tuple[Line, ...] = (
        (Literal("SIP/2.0 200 OK"),),
        (Live("[last_Via:]"),),
        (Live("[last_From:]"),),
        (Live("[last_To:]"),),
        (Live("[last_Call-ID:]"),),
        (Live("[last_CSeq:]"),),
    )
    return MessageText((*head, *more, (Literal("Content-Length: "), length)), body)


def add_handler(
    draft: Draft, *, invite: bool, session: MessageText | None, late: tuple[str, ...], acks: bool, methods: set[str]
) -> None:
    """Append the handler.

    `invite`: the scenario holds an INVITE dialog. `session`: the last own message with SDP, for a re-INVITE.
    `late`: responses that may come late, too. `acks`: so may an ACK, when a final response was repeated.
    `methods`: what else this side receives, and may receive again.
    """
    steps = draft.steps

    def label(name: str) -> None:
        draft.labels.append((name, len(steps)))

    label(MAIN)
    first = len(steps)
    steps += [Step(Recv(response=code, optional="true", next=BACK), extra=True) for code in late]
    if invite:
        steps.append(Step(Recv(request="BYE", optional="true", next="_unexp.bye"), extra=True))
        if session is not None:
            steps.append(Step(Recv(request="INVITE", optional="true", next="_unexp.invite"), extra=True))
    if acks:
        steps.append(Step(Recv(request="ACK", optional="true", next=BACK), extra=True))
    known = "|".join([*ANSWERED, *sorted(m for m in methods if m.isalpha() and m not in NOT_ANSWERED)])
    steps.append(Step(Recv(request=known, regexp_match=True, timeout_ms=32000), extra=True))
    steps[first].element.comment = "Requests that the capture does not hold are answered, whenever they come."
    # The way back is an action of the send, not of a nop behind it: the next request may be there before SIPp gets on.
    steps.append(Step(Send(text="", actions=_go_back()), _ok(), extra=True))
    if late or acks or (invite and session is not None):
        label(BACK)
        steps.append(Step(Nop(actions=_go_back()), extra=True))
    if invite:
        label("_unexp.bye")
        steps.append(Step(Send(text="", next=END), _ok(), extra=True))
    if invite and session is not None:
        label("_unexp.invite")
        contact: Line = (Literal("Contact: <sip:"), Live("[local_ip]:[local_port];transport=[transport]"), Literal(">"))
        kind: Line = (Literal("Content-Type: application/sdp"),)
        steps.append(Step(Send(text="", retrans_ms=500), _ok((contact, kind), session.body), extra=True))
        steps.append(Step(Recv(request="ACK", timeout_ms=32000, next=BACK), extra=True))


def _go_back() -> list[Action]:
    return [
        PauseRestore(variable="_unexp.pausedaddr"),
        Assign("assign", "unexp_back", variable="_unexp.retaddr"),
        Assign("assign", "_unexp.retaddr", value=0.0),
        Jump(variable="unexp_back"),
    ]


def add_end(draft: Draft, timewait_ms: float) -> None:
    """Append the label and the time in which retransmissions are still answered."""
    draft.labels.append((END, len(draft.steps)))
    draft.steps.append(Step(Pause(timewait=True, milliseconds=max(1, round(timewait_ms))), extra=True))
