"""Checks of what one hop-dialog agreed on: offers and answers, codecs, holds, session timers, and the addresses that it
names across a NAT.

Each check is a function from a case to findings, listed in `CHECKS` or `ODD_CHECKS`. What media really did is not
looked at, but for when it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sipreplay.analysis.b2bua import media_addresses
from sipreplay.analysis.case import Case, printable, scope
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import CapturedMessage, Stream
from sipreplay.analysis.offer_answer import ANSWER, OFFER, Exchanged
from sipreplay.analysis.rows import usual_hosts
from sipreplay.sip.sdp import MediaDescription

LONG_HOLD_S = 30.0
SILENT_S = 9.5
"""A BYE this long after the last media may be a timeout's."""
_ROUND_S = (10, 15, 20, 30, 40, 60, 90, 120, 180, 240, 300, 600)
"""What media timeouts are set to."""
_MEDIA_TIMEOUT = re.compile(
    r"(?:rtp|media|no audio)[^;,]{0,40}(?:time.?out|inactiv|lost)|(?:time.?out)[^;,]{0,20}(?:rtp|media)", re.IGNORECASE
)
_SENT_BY = re.compile(r"SIP\s*/\s*2\.0\s*/\s*\w+\s+(\[[^\]]*\]|[^:;\s]+)", re.IGNORECASE)
_CONTACT_HOST = re.compile(
    rb"\n(?:contact|m)[ \t]*:[^\r\n]{0,400}?\bsips?:(?:[^@>;,\s]{0,200}@)?(\[[^\]\s]{0,64}\]|[^:;>,?\s]{1,255})",
    re.IGNORECASE,
)
_RECORDED = re.compile(rb"\nrecord-route[ \t]*:", re.IGNORECASE)
REFUSED = frozenset({415, 488, 606})


def violations(case: Case) -> Iterator[Finding]:
    """What breaks the rules of offer and answer."""
    if case.simple_session or case.half_seen or (case.hop.messages and case.hop.messages[0].message.method != "INVITE"):
        return  # what was not captured would look like a violation
    for item in case.media.violations:
        repeats = item.what.startswith("another SDP")
        yield case.finding(
            Severity.NOTE if repeats else Severity.WARNING,
            "offer-answer",
            f"{item.captured.source} broke the rules of offer and answer",
            f"packet {item.captured.packet}: {item.what}",
            "peers may ignore that SDP or refuse the session: see what each side takes as agreed",
            item.captured,
        )


def refused_offer(case: Case) -> Iterator[Finding]:
    """488, 606, 415: the answering side could not use the offer."""
    for transaction in case.dialog.transactions:
        final = transaction.final
        if final is None or final.message.status not in REFUSED:
            continue
        offers = [e for e in case.media.exchanged if e.captured.time <= final.time and e.role == OFFER]
        codecs = _codecs(offers[-1]) if offers else ""
        warnings = "; ".join(printable(v) for v in final.message.get_all("warning")[:3])
        yield case.finding(
            Severity.WARNING,
            "offer-refused",
            f"{final.source} refused an offer: {final.message.status} {printable(final.message.reason)}".rstrip(),
            (f"offered: {codecs}" if codecs else f"packet {final.packet}") + (f"; {warnings}" if warnings else ""),
            "compare the codecs, SRTP profile and ptime that each side is set up for",
            transaction.request,
            final,
        )


def _codecs(exchanged: Exchanged) -> str:
    return ", ".join(
        f"{m.kind} {m.proto} {'/'.join(_names(m)) or ' '.join(m.formats)}" for m in exchanged.description.media
    )


def _names(media: MediaDescription) -> list[str]:
    found = []
    for payload_type in media.payload_types:
        codec = media.codec(payload_type)
        found.append(printable(codec[0]).upper() if codec else str(payload_type))
    return found


_NO_VOICE = frozenset({"TELEPHONE-EVENT", "CN", "RED"})


def codec_mismatch(case: Case) -> Iterator[Finding]:
    """Answers that have nothing in common with their offers."""
    offer: Exchanged | None = None
    for item in () if case.simple_session else case.media.exchanged:
        if item.role == OFFER:
            offer = item
        elif item.role == ANSWER and offer is not None:
            pairs = zip(offer.description.media, item.description.media, strict=False)
            live = [(o, a) for o, a in pairs if o.port and a.port and "RTP/" in o.proto.upper()]
            for offered, answered in live:
                ours, theirs = set(_names(offered)) - _NO_VOICE, set(_names(answered)) - _NO_VOICE
                if ours and theirs and not ours & theirs:
                    yield case.finding(
                        Severity.ERROR,
                        "no-common-codec",
                        f"{item.captured.source} answered with {offered.kind} codecs that were not offered",
                        f"offered {', '.join(sorted(ours))}, answered {', '.join(sorted(theirs))}",
                        "the answer has to take from the offer (RFC 3264 6.1): see the codec lists of both sides",
                        offer.captured,
                        item.captured,
                    )
            offers_media = any(m.port for m in offer.description.media)
            if offers_media and item.description.media and not any(m.port for m in item.description.media):
                yield case.finding(
                    Severity.WARNING,
                    "all-media-refused",
                    f"{item.captured.source} accepted a call and refused all its media",
                    f"packet {item.captured.packet} answers every m= line with port 0",
                    "compare codecs and profiles (AVP, SAVP) of both sides",
                    offer.captured,
                    item.captured,
                )


def holds(case: Case) -> Iterator[Finding]:
    """Calls that ended while they were held."""
    ended = case.bye
    for hold in () if case.simple_session else case.media.holds:
        if hold.end is not None:
            continue
        until = ended.time if ended else case.dialog.last
        held_s = until - hold.begin.time
        if held_s < LONG_HOLD_S:
            continue
        side = case.dialog.caller if hold.by_caller else case.dialog.callee
        yield case.finding(
            Severity.NOTE,
            "hold-not-resumed",
            f"{side} put the other side on hold and never took it back",
            f"{hold.how} in packet {hold.begin.packet}, {held_s:.0f} s before the {'BYE' if ended else 'last message'}",
            "see whether whoever held meant to (park, transfer), or a resume was lost",
            hold.begin,
            ended,
        )


def session_timers(case: Case) -> Iterator[Finding]:
    """Session timers that ran out."""
    timer = case.timer
    if timer is None:
        return
    after_s = (timer.ended.time if timer.ended else case.dialog.last) - timer.established.time
    agreed = (
        f"{timer.interval_s} s agreed, refresher {timer.refresher or 'not named'}, {len(timer.refreshes)} refreshes"
    )
    if timer.ended_by_timer and timer.ended is not None:
        yield case.finding(
            Severity.WARNING,
            "session-expired",
            f"{timer.ended.source} ended a call when its session timer ran out",
            f"{agreed}; BYE {timer.ended.time - timer.expires:+.0f} s from the expiry, {after_s:.0f} s into the call",
            "the refresh (re-INVITE or UPDATE) at half the interval did not come through: see whether it was sent",
            timer.established,
            timer.ended,
        )
    elif timer.expired:
        yield case.finding(
            Severity.NOTE,
            "session-not-refreshed",
            f"a session between {case.dialog.caller} and {case.dialog.callee} went on although its timer ran out",
            f"{agreed}; it ran out {timer.expires - timer.established.time:.0f} s into the call of {after_s:.0f} s",
            "proxies on the way may drop the dialog then (RFC 4028 8.2): see who has to refresh",
            timer.established,
        )
    if timer.too_small:
        yield case.finding(
            Severity.NOTE,
            "session-interval-too-small",
            f"{case.dialog.callee} asked for a longer session interval (422)",
            f"{timer.too_small} times; {agreed}",
            "set Session-Expires of the caller to at least the other side's Min-SE, and save a round trip a call",
            timer.established,
        )


def media_timeout(case: Case, streams: Mapping[int, list[tuple[int, Stream]]]) -> Iterator[Finding]:
    """BYEs that say, or look like, that media stopped."""
    bye = case.bye
    if bye is None or case.hop.upstream is not None:
        return
    named = b"\nreason" in bye.data.lower()
    reasons = [printable(v) for v in bye.message.get_all("reason")[:4]] if named else []
    said = next((r for r in reasons if _MEDIA_TIMEOUT.search(r)), "")
    own = streams.get(case.hop.id, [])
    silence_s = bye.time - max((s.last for _, s in own), default=bye.time)
    likely = silence_s > SILENT_S and any(abs(silence_s - limit) <= 1.0 for limit in _ROUND_S)
    if not said and (not likely or any(hold.end is None for hold in case.media.holds)):
        return
    why = f"Reason: {said}" if said else f"the last RTP packet came {silence_s:.1f} s before the BYE"
    yield case.finding(
        Severity.WARNING,
        "media-timeout",
        f"{bye.source} ended a call for want of media",
        f"{why} (packet {bye.packet})",
        "see which side stopped to send, and whether NAT or a firewall dropped its packets",
        bye,
        streams=tuple(number for number, _ in own),
    )


def _own_request(case: Case) -> CapturedMessage | None:
    """The opening request when nobody but its sender has touched it."""
    first = case.hop.messages[0]
    message = first.message
    if not message.is_request or case.hop.upstream is not None or len(message.via_values) != 1:
        return None
    return first


def _crosses_a_border(captured: CapturedMessage) -> bool:
    """Whether it goes to a public address, from a host that says where it is."""
    return scope(captured.destination.host) == "public" and scope(captured.source.host) in ("public", "private")


def nat(case: Case) -> Iterator[Finding]:
    """Private addresses that are named across a border, and names that differ from where packets come from."""
    first = _own_request(case) if _crosses_a_border(case.hop.messages[0]) else None
    senders = [first] if first else []
    final = case.final
    if final is not None and final.message.status < 300 and not case.downstream and _crosses_a_border(final):
        senders.append(final)
    for captured in senders:
        inside = scope(captured.source.host)
        named = _named_hosts(captured)
        wrong = {where: host for where, host in named.items() if scope(host) == "private"}
        if not wrong:
            continue
        listed = ", ".join(f"{where} {host}" for where, host in wrong.items())
        behind = inside == "public"
        yield case.finding(
            Severity.WARNING if behind and "SDP" in wrong else Severity.NOTE,
            "private-address",
            f"{captured.source} names a private address to {captured.destination.host}",
            f"packet {captured.packet} comes from {captured.source.host} and names {listed}"
            + ("" if behind else "; it was captured before the NAT, which may still change it"),
            "what is sent there gets lost, unless the peer sends to where packets come from (rport, latching)",
            captured,
        )


def _named_hosts(captured: CapturedMessage) -> dict[str, str]:
    found = {}
    contact = _contact_host(captured.data)
    if contact:
        found["Contact"] = contact
    media = media_addresses(captured.data)
    if media:
        found["SDP"] = min(media).host
    return found


def _contact_host(data: bytes) -> str:
    """The host that a Contact names; "" without one, and where a proxy stands between."""
    contact = _CONTACT_HOST.search(data)
    if contact is None or _RECORDED.search(data):
        return ""
    return contact.group(1).decode("ascii", "replace").strip("[]")


def mismatch(case: Case) -> Iterator[Finding]:
    """A Contact, or a Via without rport to mend it, that names another host than its packet comes from."""
    opening = case.hop.messages[0]
    usual = usual_hosts(opening.data)
    if usual is not None and usual == (opening.source.host, opening.source.host):
        return
    first = _own_request(case)
    if first is None:
        return
    contact = _contact_host(first.data)
    if scope(contact) == scope(first.source.host) and contact != first.source.host and _may_reach(contact):
        yield case.finding(
            Severity.NOTE,
            "contact-mismatch",
            f"{first.source} wants to be called at another host, {contact}",
            f"Contact in packet {first.packet}: {printable(first.message.get('contact') or '')}",
            "in-dialog requests go there: see whether it can be reached, and is the same machine",
            first,
        )
    via = first.message.via_values[0]
    sent_by = _SENT_BY.match(via.strip())
    host = sent_by.group(1).strip("[]") if sent_by else ""
    if scope(host) in ("", "none") or host == first.source.host or _rport(via):
        return
    yield case.finding(
        Severity.NOTE,
        "via-mismatch",
        f"{first.source} says in Via that it is {host}",
        f"packet {first.packet}: Via {printable(via)}; no rport",
        "answers go to the packet's host and Via's port (received, RFC 3261 18.2.1): a NAT needs rport (RFC 3581) too",
        first,
    )


def _may_reach(host: str) -> bool:
    """Whether a host is an address that a network routes."""
    return scope(host) in ("public", "private")


def _rport(via: str) -> bool:
    return ";rport" in via.replace(" ", "").lower()


ODD_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (refused_offer,)
"""What has nothing to find in a dialog that is `Case.plain`."""

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    violations,
    codec_mismatch,
    holds,
    session_timers,
    nat,
    mismatch,
)
