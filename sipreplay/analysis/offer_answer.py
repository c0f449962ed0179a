"""The offer/answer state of a hop-dialog, message by message (RFC 3264, 3261 13.2.1, RFC 6337 2).

The machine is the table `TRANSITIONS`: in each state, what an SDP in each kind of message is, and where it leads.
What the table does not allow is a violation, named. Also the holds that follow from it (RFC 3264 8.4). Never looks at
streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sipreplay.analysis.model import CapturedMessage, HopDialog
from sipreplay.analysis.outline import outline
from sipreplay.analysis.sdp_media import sdp_in
from sipreplay.analysis.stored import data_of
from sipreplay.sip.sdp import MediaDescription, SessionDescription

STABLE, INVITED, ANSWERED, PROVISIONAL, SUCCESS, PRACKED, UPDATED = (
    "stable",
    "offered in INVITE",
    "answered in 1xx",
    "offered in 1xx",
    "offered in 2xx",
    "offered in PRACK",
    "offered in UPDATE",
)
STATES = (STABLE, INVITED, ANSWERED, PROVISIONAL, SUCCESS, PRACKED, UPDATED)
"""`answered in 1xx`: something was answered while an INVITE may still wait for its final response, whose SDP then is no
offer."""

OFFER, ANSWER, PREVIEW, REPEAT = "offer", "answer", "preview", "repeat"
"""`preview`: the answer to come, in a 1xx that is not reliable; `repeat`: said already, to be ignored."""

KINDS = ("INVITE", "1xx", "reliable 1xx", "2xx", "ACK", "PRACK", "2xx to PRACK", "UPDATE", "2xx to UPDATE")


class Step(NamedTuple):
    """What an SDP is, and the state after it."""

    role: str
    state: str


TRANSITIONS: dict[tuple[str, str], Step] = {
    (STABLE, "INVITE"): Step(OFFER, INVITED),
    (STABLE, "reliable 1xx"): Step(OFFER, PROVISIONAL),
    (STABLE, "2xx"): Step(OFFER, SUCCESS),
    (STABLE, "PRACK"): Step(OFFER, PRACKED),
    (STABLE, "UPDATE"): Step(OFFER, UPDATED),
    (INVITED, "1xx"): Step(PREVIEW, INVITED),
    (INVITED, "reliable 1xx"): Step(ANSWER, ANSWERED),
    (INVITED, "2xx"): Step(ANSWER, STABLE),
    (ANSWERED, "1xx"): Step(REPEAT, ANSWERED),
    (ANSWERED, "reliable 1xx"): Step(REPEAT, ANSWERED),
    (ANSWERED, "2xx"): Step(REPEAT, STABLE),
    (ANSWERED, "INVITE"): Step(OFFER, INVITED),
    (ANSWERED, "PRACK"): Step(OFFER, PRACKED),
    (ANSWERED, "UPDATE"): Step(OFFER, UPDATED),
    (PROVISIONAL, "PRACK"): Step(ANSWER, ANSWERED),
    (SUCCESS, "ACK"): Step(ANSWER, STABLE),
    (PRACKED, "2xx to PRACK"): Step(ANSWER, ANSWERED),
    (UPDATED, "2xx to UPDATE"): Step(ANSWER, ANSWERED),
}

VIOLATIONS: dict[tuple[str, str], str] = {
    (STABLE, "1xx"): "an offer in a 1xx that is not reliable (RFC 6337 2.2)",
    (INVITED, "INVITE"): "a new offer while the last one waits for its answer (RFC 3264 4)",
    (INVITED, "PRACK"): "an offer in PRACK while the INVITE's waits for its answer (RFC 6337 2.2)",
    (INVITED, "UPDATE"): "an offer in UPDATE while the INVITE's waits for its answer (RFC 3311 5.1)",
    (INVITED, "ACK"): "an SDP in ACK although the INVITE had the offer (RFC 3261 13.2.2.4)",
    (STABLE, "ACK"): "an SDP in ACK that answers no offer (RFC 3261 13.2.2.4)",
    (STABLE, "2xx to PRACK"): "an SDP in 2xx to PRACK that answers no offer (RFC 3262 5)",
    (STABLE, "2xx to UPDATE"): "an SDP in 2xx to UPDATE that answers no offer (RFC 3311 5.2)",
    (PROVISIONAL, "2xx"): "an offer in a 1xx that PRACK did not answer (RFC 3262 5)",
    (SUCCESS, "INVITE"): "the offer in a 2xx that ACK did not answer (RFC 3261 13.2.2.4)",
    (UPDATED, "INVITE"): "a new offer while UPDATE's waits for its answer (RFC 3264 4)",
    (UPDATED, "UPDATE"): "a new offer while UPDATE's waits for its answer (RFC 3311 5.1)",
}
"""What each forbidden pair of state and message breaks; another pair is named by `UNEXPECTED`."""
MISSING: dict[tuple[str, str], str] = {
    (PROVISIONAL, "PRACK"): "a PRACK without the answer to the offer in the 1xx (RFC 3262 5)",
    (SUCCESS, "ACK"): "an ACK without the answer to the offer in the 2xx (RFC 3261 13.2.2.4)",
}
"""Where a message without an SDP breaks a rule."""
UNEXPECTED = "an SDP that is neither an offer nor an answer here (RFC 6337 2)"


class Exchanged(NamedTuple):
    """One SDP of a dialog."""

    captured: CapturedMessage
    from_caller: bool
    kind: str
    """One of KINDS."""
    role: str
    """offer, answer, preview or repeat; "" for a violation."""
    description: SessionDescription


class Violation(NamedTuple):
    """A rule that was broken."""

    what: str
    captured: CapturedMessage


@dataclass(slots=True)
class Hold:
    """A time for which one side put the other on hold."""

    by_caller: bool
    how: str
    """sendonly, inactive or 0.0.0.0."""
    begin: CapturedMessage
    end: CapturedMessage | None = None
    """The SDP that took it back; None when none did."""


@dataclass(slots=True)
class OfferAnswer:
    """All of a dialog."""

    exchanged: list[Exchanged] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    late_offer: bool = False
    """The first offer came from the callee (the INVITE had none)."""
    state: str = STABLE
    """At the end of the capture."""
    rejected: list[CapturedMessage] = field(default_factory=list)
    """Failure responses that ended an offer; what was agreed before goes on."""


def offer_answer(dialog: HopDialog) -> OfferAnswer:
    """Walk a dialog through the table. Each early dialog (To-tag) has a state of its own."""
    found = OfferAnswer()
    branches: dict[int, str] = {}
    common = STABLE
    """The state before a To-tag is known: an INVITE's offer is every branch's."""
    held: dict[bool, Hold] = {}
    invited = False
    messages = dialog.messages
    for item in outline(dialog).exchanges:
        kind, from_caller = item.kind, item.from_caller
        state = branches.get(item.branch, common)
        if not kind:
            if state != STABLE:
                if item.status not in (401, 407):
                    found.rejected.append(messages[item.place])
                if item.update:
                    branches[item.branch] = ANSWERED
                else:
                    branches.clear()
                    common = STABLE
            continue
        data = data_of(messages, item.place)
        if kind == "1xx" and b"\nrseq" in data.lower():
            kind = "reliable 1xx"
        invited = invited or kind == "INVITE"
        description = sdp_in(data) if b"\nm=" in data or b"\nv=0" in data else None
        if description is None:
            if (state, kind) in MISSING:
                found.violations.append(Violation(MISSING[state, kind], messages[item.place]))
            branches[item.branch] = _without_sdp(state, kind)
            if item.opens:
                common, branches = STABLE, {}
            continue
        captured = messages[item.place]
        step = TRANSITIONS.get((state, kind))
        role = step.role if step else ""
        if step is None:
            found.violations.append(Violation(VIOLATIONS.get((state, kind), UNEXPECTED), captured))
            step = _recovery(kind)
        elif kind == "2xx" and role == REPEAT and not _same(found.exchanged, from_caller, description):
            found.violations.append(
                Violation("another SDP in the 2xx than the reliable 1xx had answered with (RFC 6337 2.2)", captured)
            )
        if item.opens:
            common, branches = step.state, {}
        else:
            branches[item.branch] = step.state
        if role == OFFER and not found.late_offer and not found.exchanged:
            found.late_offer = invited and not from_caller
        found.exchanged.append(Exchanged(captured, from_caller, kind, role, description))
        if role in (OFFER, ANSWER):
            _note_hold(found, held, captured, from_caller, description)
    found.state = branches.get(0, common)
    return found


def _without_sdp(state: str, kind: str) -> str:
    """The state after a message that could have carried an SDP and did not."""
    if kind == "2xx" and state in (INVITED, ANSWERED):
        return STABLE  # a violation only if no 1xx had a preview; peers are forgiving
    if kind == "ACK" and state == SUCCESS:
        return STABLE
    return STABLE if kind == "INVITE" else state


def _recovery(kind: str) -> Step:
    """The state to go on from after a violation: that of the message taken as an offer, or none."""
    return TRANSITIONS.get((STABLE, kind), Step("", STABLE))


def _same(exchanged: Sequence[Exchanged], from_caller: bool, description: SessionDescription) -> bool:
    """Whether a description says what its side's last one said."""
    last = next((e for e in reversed(exchanged) if e.from_caller == from_caller), None)
    return last is None or _essence(last.description) == _essence(description)


def _essence(description: SessionDescription) -> list[tuple[object, ...]]:
    return [
        (m.kind, m.port, m.proto, m.formats, m.direction, m.connection.host if m.connection else "")
        for m in description.media
    ]


def _note_hold(
    found: OfferAnswer,
    held: dict[bool, Hold],
    captured: CapturedMessage,
    from_caller: bool,
    description: SessionDescription,
) -> None:
    how = _held(description.media)
    last = held.get(from_caller)
    if how and last is None:
        other = held.get(not from_caller)
        answers = bool(found.exchanged) and found.exchanged[-1].role == ANSWER
        if answers and (other is not None or how == "inactive"):
            return  # an answer has to mirror the other side's hold
        if answers and how == "sendonly":
            return  # what an offer of recvonly is answered with
        held[from_caller] = Hold(from_caller, how, captured)
        found.holds.append(held[from_caller])
    elif not how and last is not None:
        last.end = captured
        del held[from_caller]


def _held(media: Sequence[MediaDescription]) -> str:
    """How a description puts on hold, "" if it does not: every live section stops what is received."""
    live = [m for m in media if m.port and m.kind in ("audio", "video")]
    if not live:
        return ""
    found = [_held_section(m) for m in live]
    return found[0] if all(found) else ""


def _held_section(media: MediaDescription) -> str:
    if media.connection is not None and media.connection.host in ("0.0.0.0", "::"):
        return "0.0.0.0"
    return media.direction if media.direction in ("sendonly", "inactive") else ""
