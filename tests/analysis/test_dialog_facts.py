"""What happened in a dialog: forks, digest rounds, transfers, registrations, digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.dialog_facts import DialogFacts, dialog_facts
from sipreplay.analysis.session_timer import SessionTimer, session_timer
from tests.analysis.flow import A, B, Flow, call


def _facts(flow: Flow) -> DialogFacts:
    return dialog_facts(flow.dialogs()[0])


def test_branches_of_a_fork() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "100 Trying", "1 INVITE", tags=("a", "hundred"))
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b1"))
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b2"), headers="Contact: <sip:x@192.0.2.7>")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b2"))
    first, second = _facts(flow).branches
    assert (first.to_tag, first.statuses, first.ended) == ("b1", (180,), "early")
    assert (second.to_tag, second.statuses, second.ended) == ("b2", (180, 200), "answered")
    assert second.contact == "<sip:x@192.0.2.7>"


_CHALLENGE = 'WWW-Authenticate: Digest realm="home", nonce="{}"{}'
_PROOF = 'Authorization: Digest username="u", realm="home", nonce="{}", uri="sip:h", response="x"'


def test_digest_rounds_wrong_password_and_stale_nonce() -> None:
    flow = Flow()
    flow.say(A, B, "REGISTER", "1 REGISTER", via="r1")
    flow.say(B, A, "401 Unauthorized", "1 REGISTER", via="r1", headers=_CHALLENGE.format("n1", ""))
    flow.say(A, B, "REGISTER", "2 REGISTER", via="r2", headers=_PROOF.format("n1"))
    flow.say(B, A, "401 Unauthorized", "2 REGISTER", via="r2", headers=_CHALLENGE.format("n2", ", stale=TRUE"))
    flow.say(A, B, "REGISTER", "3 REGISTER", via="r3", headers=_PROOF.format("n2"))
    flow.say(B, A, "401 Unauthorized", "3 REGISTER", via="r3", headers=_CHALLENGE.format("n3", ""))
    first, stale, wrong = _facts(flow).challenges
    assert (first.realm, first.answered, first.again, first.stale) == ("home", True, False, False)
    assert (stale.answered, stale.again, stale.stale) == (True, False, True)
    assert (wrong.answered, wrong.again, wrong.stale) == (False, True, False)


@pytest.mark.parametrize(("contact", "tried"), [("sip:bob@example.com", True), ("sip:carol@192.0.2.3", False)])
def test_a_redirect_and_whether_its_target_was_tried(contact: str, tried: bool) -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "302 Moved Temporarily", "1 INVITE", tags=("a", "b"), headers=f"Contact: <{contact}>")
    flow.say(A, B, "INVITE", "2 INVITE", via="i2")
    (redirect,) = _facts(flow).redirects
    assert (redirect.targets, redirect.tried) == ((contact,), tried)


def test_reliable_responses_and_their_pracks() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "183 Session Progress", "1 INVITE", tags=("a", "b"), headers="Require: 100rel|RSeq: 5")
    flow.say(A, B, "PRACK", "2 PRACK", via="p", tags=("a", "b"), headers="RAck: 5 1 INVITE")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"), headers="Require: 100rel|RSeq: 6")
    found = _facts(flow)
    assert (found.reliable, found.pracked) == (2, 1)


def _frag(flow: Flow, cseq: int, state: str, text: str) -> None:
    flow.say(
        B,
        A,
        "NOTIFY",
        f"{cseq} NOTIFY",
        via=f"n{cseq}",
        tags=("b", "a"),
        headers=f"Event: refer|Subscription-State: {state}|Content-Type: message/sipfrag;version=2.0",
        body=text,
    )


def test_a_transfer_and_its_progress() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "REFER", "5 REFER", via="r", tags=("a", "b"), headers="Refer-To: <sip:carol@example.com>")
    flow.say(B, A, "202 Accepted", "5 REFER", via="r", tags=("a", "b"))
    _frag(flow, 1, "active;expires=60", "SIP/2.0 100 Trying\r\n")
    _frag(flow, 2, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
    found = _facts(flow)
    (transfer,) = found.transfers
    assert (transfer.target, transfer.accepted, transfer.progress) == ("<sip:carol@example.com>", 202, (100, 200))
    assert [(n.state, n.reason, n.expires_s) for n in found.notifications] == [
        ("active", "", 60),
        ("terminated", "noresource", None),
    ]


def test_a_registration_from_first_to_last() -> None:
    flow = Flow()
    contact = "Contact: <sip:u@192.0.2.1:5060>"
    for cseq, extra, granted in ((1, ";expires=600", 300), (2, ";expires=600", 300), (3, ";expires=0", 0)):
        flow.say(A, B, "REGISTER", f"{cseq} REGISTER", via=f"r{cseq}", headers=contact + extra)
        flow.say(
            B, A, "200 OK", f"{cseq} REGISTER", via=f"r{cseq}", tags=("a", "b"), headers=f"{contact};expires={granted}"
        )
    flow.say(A, B, "REGISTER", "4 REGISTER", via="r4")
    flow.say(B, A, "200 OK", "4 REGISTER", via="r4", tags=("a", "b"))
    assert [(r.kind, r.expires_s, r.status) for r in _facts(flow).registrations] == [
        ("register", 300, 200),
        ("refresh", 300, 200),
        ("de-register", 0, 200),
        ("query", None, 200),
    ]


def test_a_publication_and_its_etags() -> None:
    flow = Flow()
    flow.say(A, B, "PUBLISH", "1 PUBLISH", via="p1", headers="Expires: 3600")
    flow.say(B, A, "200 OK", "1 PUBLISH", via="p1", headers="SIP-ETag: one|Expires: 1800")
    flow.say(A, B, "PUBLISH", "2 PUBLISH", via="p2", headers="SIP-If-Match: one|Expires: 3600")
    flow.say(B, A, "412 Conditional Request Failed", "2 PUBLISH", via="p2")
    assert [(p.status, p.if_match, p.etag, p.expires_s) for p in _facts(flow).publications] == [
        (200, "", "one", 1800),
        (412, "one", "", None),
    ]


def test_digits_by_info() -> None:
    flow = Flow()
    call(flow)
    bodies = (
        ("application/dtmf-relay", "Signal= 5\r\nDuration= 160\r\n"),
        ("application/dtmf-relay", "Signal=11\r\n"),
        ("application/dtmf", "7"),
        ("application/dtmf-relay", "Signal=flash\r\n"),
        ("text/plain", "Signal=1\r\n"),
    )
    for cseq, (kind, body) in enumerate(bodies, 10):
        flow.say(
            A, B, "INFO", f"{cseq} INFO", via=f"i{cseq}", tags=("a", "b"), headers=f"Content-Type: {kind}", body=body
        )
    found = _facts(flow).digits
    assert [(d.digit, d.duration_ms, d.from_caller) for d in found] == [
        ("5", 160, True),
        ("#", None, True),
        ("7", None, True),
    ]


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_header_or_body_raises(header: str, body: str) -> None:
    flow = Flow()
    line = header.encode("utf-8", "replace").decode().replace("\r", "").replace("\n", "").replace("|", "")
    names = (
        "Contact",
        "Refer-To",
        "Subscription-State",
        "WWW-Authenticate",
        "Authorization",
        "SIP-ETag",
        "RAck",
        "RSeq",
    )
    headers = "|".join(f"{name}: {line}" for name in names)
    text = body.encode("utf-8", "replace").decode()
    for cseq, method in enumerate(("REGISTER", "REFER", "NOTIFY", "INFO", "PUBLISH", "INVITE"), 1):
        flow.say(A, B, method, f"{cseq} {method}", via=f"v{cseq}", headers=headers, body=text)
        flow.say(B, A, "401 Unauthorized", f"{cseq} {method}", via=f"v{cseq}", headers=headers)
        flow.say(B, A, "302 Moved", f"{cseq} {method}", via=f"v{cseq}", headers=headers)
    for dialog in flow.dialogs():
        dialog_facts(dialog)
        session_timer(dialog)


def _timer(flow: Flow) -> SessionTimer:
    found = session_timer(flow.dialogs()[0])
    assert found is not None
    return found


def test_a_session_timer_with_a_refresh_and_an_expiry() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="Session-Expires: 1800;refresher=uac")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Session-Expires: 300;refresher=uac")
    established = flow.time
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    flow.say(B, A, "UPDATE", "9 UPDATE", via="u", tags=("b", "a"), headers="x: 300;refresher=uas", at=established + 150)
    flow.say(A, B, "200 OK", "9 UPDATE", via="u", tags=("b", "a"), headers="x: 300;refresher=uas")
    refreshed = flow.time
    flow.say(B, A, "BYE", "10 BYE", via="y", tags=("b", "a"), at=refreshed + 268)
    timer = _timer(flow)
    assert (timer.interval_s, timer.refresher, len(timer.refreshes)) == (300, "caller", 1)
    assert timer.expires == pytest.approx(refreshed + 300)
    assert timer.ended_by_timer
    assert not timer.expired


def test_a_call_that_ends_long_before_its_timer() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Session-Expires: 300;refresher=uas")
    flow.say(A, B, "BYE", "2 BYE", via="y", tags=("a", "b"), at=flow.time + 10)
    timer = _timer(flow)
    assert (timer.refresher, timer.ended_by_timer, timer.expired) == ("callee", False, False)


def test_without_session_expires_there_is_no_timer() -> None:
    flow = Flow()
    call(flow)
    assert session_timer(flow.dialogs()[0]) is None
