"""The parts of `inspect --json` that say what signalling means: facts of a dialog, findings, actors, peers.

Plain values only. Lists of a dialog's facts that would be empty are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipreplay.analysis.dialog_facts import dialog_facts
from sipreplay.analysis.findings import Finding
from sipreplay.analysis.model import CapturedMessage, HopDialog
from sipreplay.analysis.offer_answer import Exchanged, offer_answer
from sipreplay.analysis.peers import Peer
from sipreplay.analysis.roles import Actor
from sipreplay.analysis.session_timer import session_timer
from sipreplay.analysis.transaction_facts import DialogTransactions, Repeats, transaction_facts
from sipreplay.sip.sdp import MediaDescription


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _place(captured: CapturedMessage) -> dict[str, Any]:
    return {"capture": captured.capture, "packet": captured.packet}


def facts_json(dialog: HopDialog) -> dict[str, Any]:
    """What is known of a dialog beyond its messages."""
    exchanges = transaction_facts(dialog, odd=True)
    facts: dict[str, Any] = {
        "transactions": _transactions(exchanges),
        "unasked_responses": [_place(captured) for captured in exchanges.orphans],
        "overlaps": [
            {"first": _place(first.request), "second": _place(second.request)} for first, second in exchanges.overlaps
        ],
    }
    media = offer_answer(dialog)
    facts["offer_answer"] = [_exchanged(item) for item in media.exchanged]
    facts["violations"] = [{"what": v.what, **_place(v.captured)} for v in media.violations]
    facts["holds"] = [
        {
            "by": "caller" if hold.by_caller else "callee",
            "how": hold.how,
            "begin": _place(hold.begin),
            "end": _place(hold.end) if hold.end else None,
        }
        for hold in media.holds
    ]
    facts["late_offer"] = media.late_offer
    timer = session_timer(dialog)
    if timer is not None:
        facts["session_timer"] = {
            "interval_s": timer.interval_s,
            "refresher": timer.refresher,
            "refreshes": [_place(r.captured) for r in timer.refreshes],
            "expires": timer.expires,
            "expired": timer.expired,
            "ended_by_timer": timer.ended_by_timer,
        }
    facts.update(_happened(dialog))
    return {name: value for name, value in facts.items() if value or isinstance(value, dict)}


def _happened(dialog: HopDialog) -> dict[str, Any]:
    found = dialog_facts(dialog, forks_only=True)
    return {
        "forks": [
            {"to_tag": _text(b.to_tag), "statuses": list(b.statuses), "ended": b.ended, "contact": _text(b.contact)}
            for b in found.branches
            if len(found.branches) > 1
        ],
        "challenges": [
            {
                **_place(c.captured),
                "status": c.captured.message.status,
                "realm": _text(c.realm),
                "stale": c.stale,
                "answered": c.answered,
                "refused": c.again,
            }
            for c in found.challenges
        ],
        "redirects": [
            {**_place(r.captured), "targets": [_text(t) for t in r.targets], "tried": r.tried} for r in found.redirects
        ],
        "reliable": {"responses": found.reliable, "pracked": found.pracked} if found.reliable else None,
        "reinvites": [_place(t.request) for t in found.reinvites],
        "transfers": [
            {**_place(t.captured), "target": _text(t.target), "accepted": t.accepted, "progress": list(t.progress)}
            for t in found.transfers
        ],
        "notifications": [
            {
                **_place(n.captured),
                "state": _text(n.state),
                "reason": _text(n.reason),
                "expires_s": n.expires_s,
                "sipfrag": n.sipfrag or None,
            }
            for n in found.notifications
        ],
        "publications": [
            {
                **_place(p.captured),
                "status": p.status,
                "if_match": _text(p.if_match),
                "etag": _text(p.etag),
                "expires_s": p.expires_s,
            }
            for p in found.publications
        ],
        "registrations": [
            {
                **_place(r.captured),
                "kind": r.kind,
                "status": r.status,
                "contacts": [_text(c) for c in r.contacts],
                "expires_s": r.expires_s,
            }
            for r in found.registrations
        ],
        "info_digits": "".join(digit.digit for digit in found.digits),
    }


def _exchanged(item: Exchanged) -> dict[str, Any]:
    return {
        **_place(item.captured),
        "from": "caller" if item.from_caller else "callee",
        "in": item.kind,
        "role": item.role,
        "media": [_media(media) for media in item.description.media],
    }


def _media(media: MediaDescription) -> dict[str, Any]:
    codecs = [media.codec(payload_type) for payload_type in media.payload_types]
    return {
        "kind": _text(media.kind),
        "host": _text(media.connection.host) if media.connection else "",
        "port": media.port,
        "proto": _text(media.proto),
        "codecs": [_text(codec[0]) if codec else "" for codec in codecs],
        "direction": media.direction,
    }


def _transactions(exchanges: DialogTransactions) -> list[dict[str, Any]]:
    """Only those with something to tell beyond request and answer."""
    found = []
    for facts in exchanges.facts:
        told: dict[str, Any] = {}
        if facts.request.count:
            told["request_repeats"] = _repeats(facts.request)
        repeats = [
            {"status": final.messages[0].message.status, **_repeats(final)} for final in facts.finals if final.count
        ]
        if repeats:
            told["answer_repeats"] = repeats
        if facts.outcome != "answered" and facts.transaction.method != "ACK":
            told["outcome"] = facts.outcome
            told["gave_up_s"] = None if facts.gave_up_s is None else round(facts.gave_up_s, 3)
        for name, value in (
            ("lost_ack", facts.lost_ack),
            ("cancel_race", facts.cancel_race),
            ("glare", facts.glare),
            ("further_2xx", [_place(m) for m in facts.extra_finals]),
        ):
            if value:
                told[name] = value
        if told:
            transaction = facts.transaction
            head = {"method": _text(transaction.method), "cseq": transaction.cseq, **_place(transaction.request)}
            found.append({**head, **told})
    return found


def _repeats(repeats: Repeats) -> dict[str, Any]:
    return {"count": repeats.count, "timer": repeats.timer, "fits": repeats.fits}


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "severity": finding.severity.name.lower(),
        "rule": _text(finding.rule),
        "title": _text(finding.title),
        "why": _text(finding.why),
        "remedy": _text(finding.remedy),
        "calls": list(finding.calls),
        "dialogs": list(finding.dialogs),
        "streams": list(finding.streams),
        "packets": [{"capture": capture, "packet": packet} for capture, packet in finding.packets],
        "count": finding.count,
    }


def actor_json(actor: Actor) -> dict[str, Any]:
    """One actor."""
    return {
        "id": actor.id,
        "addresses": [str(address) for address in actor.addresses],
        "roles": list(actor.roles),
        "agent": _text(actor.agent),
        "sut_likely": actor.sut_likely,
        "why": actor.why,
    }


def peers_json(rows: Iterable[Peer]) -> list[dict[str, Any]]:
    """The table of peers."""

    def rounded(value: float | None, digits: int) -> float | None:
        return None if value is None else round(value, digits)

    return [
        {
            "actor": row.actor,
            "label": row.label,
            "direction": row.direction,
            "attempts": row.attempts,
            "answered": row.answered,
            "unfinished": row.unfinished,
            "asr": rounded(row.asr, 4),
            "ner": rounded(row.ner, 4),
            "acd_s": rounded(row.acd_s, 3),
            "pdd_median_ms": rounded(row.pdd_median_ms, 3),
            "pdd_p95_ms": rounded(row.pdd_p95_ms, 3),
            "failures": dict(row.failures),
            "retransmissions": row.retransmissions,
            "others": {_text(kind): count for kind, count in row.others.items()},
        }
        for row in rows
    ]
