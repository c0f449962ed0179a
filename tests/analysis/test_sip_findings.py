"""Findings about signalling: each rule by a flow that shows it, and flows that must show nothing."""

from __future__ import annotations

import pytest

from sipreplay.analysis.findings import Finding, Severity, findings
from sipreplay.analysis.model import Address, CaptureFile, Problem
from sipreplay.analysis.sip_findings import found
from sipreplay.capture.layers import TlsSession
from tests.analysis.flow import A, B, Flow, P, call, sdp

INSIDE = Address("10.1.2.3", 5060)


def _found(flow: Flow, end: float | None = None) -> dict[str, Finding]:
    """By rule; `end`: when the capture ends, in seconds after the last message."""
    analysis = flow.analysis()
    if end is not None:
        analysis.captures.append(CaptureFile("x", "pcap", [], 1, 1000.0, flow.time + end))
    return {f.rule: f for f in found(analysis)}


def _registered(flow: Flow, expires: int) -> None:
    contact = f"Contact: <sip:u@192.0.2.1>;expires={expires}"
    flow.say(A, B, "REGISTER", "1 REGISTER", via="r1", headers=contact)
    flow.say(B, A, "200 OK", "1 REGISTER", via="r1", tags=("a", "b"), headers=contact)


def test_a_sound_call_has_no_finding() -> None:
    flow = Flow()
    call(flow)
    assert _found(flow, 100) == {}


def test_a_call_through_a_proxy_has_no_finding() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, A, "100 Trying", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(B, P, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"))
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, P, "ACK", "1 ACK", via="k", tags=("a", "b"))
    flow.say(P, B, "ACK", "1 ACK", via="pk,k", tags=("a", "b"))
    flow.say(A, P, "BYE", "2 BYE", via="y", tags=("a", "b"))
    flow.say(P, B, "BYE", "2 BYE", via="py,y", tags=("a", "b"))
    flow.say(B, P, "200 OK", "2 BYE", via="py,y", tags=("a", "b"))
    flow.say(P, A, "200 OK", "2 BYE", via="y", tags=("a", "b"))
    assert _found(flow, 100) == {}


@pytest.mark.parametrize("status", ["486 Busy Here", "603 Decline", "600 Busy Everywhere"])
def test_what_users_bring_about_is_no_finding(status: str) -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, status, "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", tags=("a", "b"))
    assert _found(flow, 100) == {}


def test_a_failure_is_named_at_the_hop_where_it_arose() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(
        B, P, "503 Service Unavailable", "1 INVITE", via="p1,b1", tags=("a", "b"), headers="Reason: Q.850;cause=34"
    )
    flow.say(P, A, "503 Service Unavailable", "1 INVITE", tags=("a", "b"))
    (only,) = _found(flow).values()
    assert (only.rule, only.severity, only.dialogs) == ("invite-failed-503", Severity.ERROR, (2,))
    assert "Q.850;cause=34" in only.why
    assert only.packets == ((0, 2), (0, 3))


def test_a_loop() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="Max-Forwards: 3")
    flow.say(B, A, "483 Too Many Hops", "1 INVITE", tags=("a", "b"))
    assert _found(flow)["loop"].severity == Severity.ERROR


def test_a_bye_that_the_peer_does_not_know() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    flow.say(A, B, "BYE", "2 BYE", via="y", tags=("a", "b"))
    flow.say(B, A, "481 Call/Transaction Does Not Exist", "2 BYE", via="y", tags=("a", "b"))
    assert _found(flow)["in-dialog-failed-481"].packets == ((0, 4), (0, 5))


def test_a_dead_peer_and_when_its_client_gave_up() -> None:
    flow = Flow()
    for time in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
        flow.say(A, B, "INVITE", "1 INVITE", at=1000 + time)
    dead = _found(flow, 10)["no-answer"]
    assert dead.severity == Severity.ERROR
    assert "sent 7 times in 31.5 s, as timer A has it (T1 0.50 s)" in dead.why


def test_a_request_at_the_end_of_the_capture_is_not_dead() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    assert "no-answer" not in _found(flow, 2)


def test_what_follows_after_a_gap_says_nothing_about_a_request_before_it() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    call_later = Flow("later")
    call_later.collector, call_later.time = flow.collector, 90000.0
    call(call_later)
    assert "no-answer" not in _found(call_later)


def test_retransmissions_before_an_answer() -> None:
    flow = Flow()
    for time in (0, 0.5, 1.5, 3.5):
        flow.say(A, B, "INVITE", "1 INVITE", at=1000 + time)
    flow.say(B, A, "486 Busy Here", "1 INVITE", tags=("a", "b"))
    again = _found(flow)["retransmissions"]
    assert (again.severity, len(again.packets)) == (Severity.WARNING, 4)
    assert again.why.startswith("sent 4 times in 3.5 s")  # the first sending is among them


def test_a_lost_ack_that_ended_the_call() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    for time in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1001 + time)
    flow.say(B, A, "BYE", "1 BYE", via="y", tags=("b", "a"), at=1033)
    lost = _found(flow)["lost-ack"]
    assert lost.severity == Severity.ERROR
    assert "no ACK was seen" in lost.why
    assert "32.0 s after it (64*T1)" in lost.why


def test_a_cancel_that_crossed_the_answer() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(A, B, "CANCEL", "1 CANCEL")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    assert _found(flow, 10)["cancel-crossed-2xx"].severity == Severity.WARNING
    flow.say(A, B, "BYE", "2 BYE", via="y", tags=("a", "b"))
    assert _found(flow, 10)["cancel-crossed-2xx"].severity == Severity.NOTE


def test_a_cancel_that_nothing_came_of() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "CANCEL", "1 CANCEL")
    flow.say(B, A, "200 OK", "1 CANCEL", tags=("a", "b"))
    assert "cancel-without-487" in _found(flow, 30)
    assert "cancel-without-487" not in _found(flow, 1)


def test_glare_that_was_solved_and_glare_that_was_not() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "INVITE", "3 INVITE", via="x3", tags=("a", "b"))
    flow.say(B, A, "491 Request Pending", "3 INVITE", via="x3", tags=("a", "b"))
    flow.say(A, B, "ACK", "3 ACK", via="x3", tags=("a", "b"))
    assert _found(flow)["glare"].severity == Severity.WARNING
    flow.say(A, B, "INVITE", "4 INVITE", via="x4", tags=("a", "b"))
    flow.say(B, A, "200 OK", "4 INVITE", via="x4", tags=("a", "b"))
    assert _found(flow)["glare"].severity == Severity.NOTE


def test_a_second_branch_that_answers() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b1"))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b2"))
    flow.say(A, B, "ACK", "1 ACK", via="k1", tags=("a", "b1"))
    assert _found(flow)["second-2xx"].packets == ((0, 2), (0, 3))


_CHALLENGE = 'WWW-Authenticate: Digest realm="home", nonce="{}"{}'
_PROOF = 'Authorization: Digest username="u", realm="home", nonce="{}", uri="sip:h", response="x"'


def test_a_wrong_password_is_an_error_and_a_stale_nonce_is_nothing() -> None:
    for stale, wanted in (("", {"digest-refused"}), (", stale=true", set())):
        flow = Flow()
        flow.say(A, B, "REGISTER", "1 REGISTER", via="r1")
        flow.say(B, A, "401 Unauthorized", "1 REGISTER", via="r1", tags=("a", "b"), headers=_CHALLENGE.format("n1", ""))
        flow.say(A, B, "REGISTER", "2 REGISTER", via="r2", headers=_PROOF.format("n1"))
        flow.say(
            B, A, "401 Unauthorized", "2 REGISTER", via="r2", tags=("a", "b"), headers=_CHALLENGE.format("n2", stale)
        )
        assert set(_found(flow, 1)) == wanted


def test_a_registration_that_ran_out() -> None:
    flow = Flow()
    _registered(flow, 60)
    assert "registration-expired" in _found(flow, 70)
    assert "registration-expired" not in _found(flow, 50)


def test_a_long_way_to_the_first_ring() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", at=1000)
    flow.say(B, A, "100 Trying", "1 INVITE", at=1000.1)
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"), at=1009)
    assert "9.0 s" in _found(flow)["slow-setup"].why


def test_a_refused_offer_tells_its_codecs() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(B, A, "488 Not Acceptable Here", "1 INVITE", tags=("a", "b"), headers='Warning: 304 b "Media type"')
    refused = _found(flow)["offer-refused"]
    assert "audio RTP/AVP PCMU/101" in refused.why
    assert "304" in refused.why


def test_an_answer_with_other_codecs_than_offered() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    answer = sdp("192.0.2.2", 6000).replace("AVP 0 101", "AVP 8")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=answer)
    wrong = _found(flow)["no-common-codec"]
    assert (wrong.severity, wrong.packets) == (Severity.ERROR, ((0, 1), (0, 2)))
    assert wrong.why == "offered 101, PCMU, answered PCMA"


def test_an_answer_that_refuses_everything() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 0))
    assert "all-media-refused" in _found(flow)


def test_a_call_that_ends_on_hold() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("192.0.2.1", 4000))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 6000))
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    flow.say(A, B, "INVITE", "2 INVITE", via="h", tags=("a", "b"), body=sdp("192.0.2.1", 4000, "sendonly"))
    flow.say(B, A, "200 OK", "2 INVITE", via="h", tags=("a", "b"), body=sdp("192.0.2.2", 6000, "recvonly"))
    flow.say(A, B, "ACK", "2 ACK", via="k2", tags=("a", "b"))
    flow.say(B, A, "BYE", "9 BYE", via="y", tags=("b", "a"), at=flow.time + 40)
    flow.say(A, B, "200 OK", "9 BYE", via="y", tags=("b", "a"))
    held = _found(flow)
    assert list(held) == ["hold-not-resumed"]
    assert "sendonly in packet 4, 40 s before the BYE" in held["hold-not-resumed"].why


def test_a_session_that_its_timer_ended() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Session-Expires: 180;refresher=uac")
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    flow.say(B, A, "BYE", "9 BYE", via="y", tags=("b", "a"), at=flow.time + 148)
    flow.say(A, B, "200 OK", "9 BYE", via="y", tags=("b", "a"))
    assert "180 s agreed, refresher caller, 0 refreshes" in _found(flow)["session-expired"].why


def test_a_bye_that_says_media_timed_out() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    reason = 'Reason: SIP;cause=200;text="RTP timeout"'
    flow.say(B, A, "BYE", "9 BYE", via="y", tags=("b", "a"), headers=reason)
    flow.say(A, B, "200 OK", "9 BYE", via="y", tags=("b", "a"))
    assert "RTP timeout" in _found(flow)["media-timeout"].why


def test_a_private_address_that_crosses_a_border() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="Contact: <sip:a@10.1.2.3>", body=sdp("10.1.2.3", 4000))
    wrong = _found(flow)["private-address"]
    assert wrong.severity == Severity.WARNING
    assert "Contact 10.1.2.3, SDP 10.1.2.3" in wrong.why
    inside = Flow()
    inside.say(INSIDE, Address("10.1.2.4", 5060), "INVITE", "1 INVITE", body=sdp("10.1.2.3", 4000))
    assert "private-address" not in _found(inside)


def test_a_via_of_another_host() -> None:
    flow = Flow()
    flow.say(A, B, "OPTIONS", "1 OPTIONS", via="b1@198.51.100.1:5060")
    flow.say(B, A, "200 OK", "1 OPTIONS", via="b1@198.51.100.1:5060")
    assert list(_found(flow)) == ["via-mismatch"]


def test_one_direction_only() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"), at=1003)
    flow.say(A, B, "BYE", "2 BYE", via="y", tags=("a", "b"), at=1050)
    half = _found(flow, 100)
    assert list(half) == ["half-seen"]
    assert "only requests from 192.0.2.1:5060" in half["half-seen"].why


def test_calls_that_are_cut_at_either_end() -> None:
    flow = Flow()
    flow.say(A, B, "BYE", "2 BYE", via="y", tags=("a", "b"))
    flow.say(B, A, "200 OK", "2 BYE", via="y", tags=("a", "b"))
    assert list(_found(flow)) == ["cut-at-begin"]
    other = Flow()
    other.say(A, B, "INVITE", "1 INVITE")
    other.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    assert list(_found(other)) == ["cut-at-end"]


def test_copies_and_clocks() -> None:
    flow = Flow()
    flow.say(A, B, "OPTIONS", "1 OPTIONS", at=1000.0, ip_id=7)
    flow.say(A, B, "OPTIONS", "1 OPTIONS", at=1000.001, ip_id=7)
    flow.say(B, A, "200 OK", "1 OPTIONS", at=999.95)
    noted = _found(flow)
    assert "1 of 3 messages are copies; the first is packet 2" in noted["copies"].why
    assert "50 ms before it" in noted["clocks-differ"].why


def test_a_storm() -> None:
    flow = Flow()
    for n in range(12):
        flow.say(A, B, "INVITE", "1 INVITE", via=f"v{n}", call_id=f"c{n}")
        flow.say(B, A, "503 Service Unavailable", "1 INVITE", via=f"v{n}", tags=("a", "b"), call_id=f"c{n}")
    storm = _found(flow)["storm-503"]
    assert (storm.severity, storm.count, len(storm.calls)) == (Severity.ERROR, 12, 12)


def test_what_could_not_be_read() -> None:
    flow = Flow()
    analysis = flow.analysis()
    analysis.malformed = 3
    analysis.captures.append(CaptureFile("x.pcap", "pcap", [], 9, 1.0, 2.0, [Problem(3, "the packet is cut")]))
    by_rule = {f.rule: f for f in findings(analysis)}
    assert by_rule["malformed"].count == 3
    assert by_rule["capture-problem"].packets == ((0, 3),)


def test_malformed_messages_are_named_by_their_packets() -> None:
    flow = Flow()
    call(flow)
    for packet in range(8, 33):
        flow.collector.datagram(0, packet, 1001.0 + packet, A, B, "UDP", b"SIP/2.0 xyz\r\nCall-ID: %d\r\n\r\n" % packet)
    assert flow.collector.malformed == 25
    analysis = flow.analysis()
    analysis.malformed = flow.collector.malformed
    analysis.malformed_packets = tuple(place[1:] for place in flow.collector.malformed_at)
    (finding,) = [f for f in findings(analysis) if f.rule == "malformed"]
    assert finding.packets == tuple((0, packet) for packet in range(8, 28))
    assert "packet 8" in finding.why


def test_what_tls_lacks_is_not_mended_by_larger_packets() -> None:
    analysis = Flow().analysis()
    problems = [
        Problem(0, "1 TLS connection could not be read, as no key log was given: to 192.0.2.2:443 (1)"),
        Problem(0, "3 lines of the key log are damaged; the others are used"),
        Problem(3, "the packet is cut"),
    ]
    analysis.captures.append(CaptureFile("x.pcap", "pcap", [], 9, 1.0, 2.0, problems))
    by_rule = {f.rule: f for f in findings(analysis)}
    assert (by_rule["tls-problem"].count, by_rule["capture-problem"].count) == (2, 1)
    assert "--keylog" in by_rule["tls-problem"].remedy
    assert "tcpdump" not in by_rule["tls-problem"].remedy
    assert "tcpdump -s 0" in by_rule["capture-problem"].remedy


@pytest.mark.parametrize(
    ("port", "protocols", "sip"),
    [
        (5061, (), True),
        (7443, ("http/1.1",), True),
        (8089, (), True),
        (443, ("sip/2",), True),
        (443, ("h2", "http/1.1"), False),
    ],
)
def test_tls_that_may_hide_sip(port: int, protocols: tuple[str, ...], sip: bool) -> None:
    analysis = Flow().analysis()
    session = TlsSession("192.0.2.1", 9, "192.0.2.2", port, 0, 4, 1.0, "TLS 1.3", "x", protocols, False, 0, 0, "no")
    analysis.tls.append(session)
    assert ("tls-unread" in {f.rule for f in findings(analysis)}) is sip


@pytest.mark.parametrize("header", ["Content-Length", "l"])
def test_a_body_that_is_shorter_than_said(header: str) -> None:
    flow = Flow()
    call(flow)
    head = (
        "MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKm\r\nFrom: <sip:a>;tag=m\r\nTo: <sip:b>"
    )
    for packet, length in ((8, 5), (9, 4), (10, 500)):
        data = f"{head}\r\nCall-ID: m{packet}\r\nCSeq: 1 MESSAGE\r\n{header}: {length}\r\n\r\nhello"
        flow.collector.datagram(0, packet, 1002.0, A, B, "UDP", data.encode())
    analysis = flow.analysis()
    (finding,) = [f for f in findings(analysis) if f.rule == "body-shorter-than-said"]
    assert (finding.count, finding.packets) == (1, ((0, 10),))
    assert "495 bytes of 500 are missing" in finding.why
    analysis.captures.append(CaptureFile("x.pcap", "pcap", [], 9, 1.0, 2.0, [Problem(10, "cut by the capture")]))
    assert "body-shorter-than-said" not in {f.rule for f in findings(analysis)}


def test_a_transfer_that_failed() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "REFER", "5 REFER", via="r", tags=("a", "b"), headers="Refer-To: <sip:carol@example.com>")
    flow.say(B, A, "202 Accepted", "5 REFER", via="r", tags=("a", "b"))
    headers = "Event: refer|Subscription-State: terminated;reason=noresource|Content-Type: message/sipfrag"
    flow.say(B, A, "NOTIFY", "1 NOTIFY", via="n", tags=("b", "a"), headers=headers, body="SIP/2.0 404 Not Found\r\n")
    flow.say(A, B, "200 OK", "1 NOTIFY", via="n", tags=("b", "a"))
    assert "its target answered 404" in _found(flow)["transfer-failed"].why


def test_a_reliable_response_without_prack() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "183 Session Progress", "1 INVITE", tags=("a", "b"), headers="Require: 100rel|RSeq: 5")
    assert "missing-prack" in _found(flow, 20)


def test_a_redirect_that_was_not_followed() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "302 Moved Temporarily", "1 INVITE", tags=("a", "b"), headers="Contact: <sip:carol@192.0.2.3>")
    assert "sip:carol@192.0.2.3" in _found(flow, 20)["redirect-not-followed"].why


def test_legs_that_were_left_apart_are_noted() -> None:
    flow = Flow()
    for n in range(10):
        flow.say(A, B, "INVITE", "1 INVITE", via=f"v{n}", tags=(f"t{n}", ""), call_id=f"c{n}", headers="X-CID: always")
    assert "always" in _found(flow)["not-tied"].why


def test_a_violation_of_offer_and_answer() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("192.0.2.2", 6000))
    flow.say(A, B, "ACK", "1 ACK", via="k", tags=("a", "b"))
    assert "an ACK without the answer" in _found(flow)["offer-answer"].why


def test_a_contact_of_another_host() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", headers="Contact: <sip:a@198.51.100.77>")
    flow.say(B, A, "486 Busy Here", "1 INVITE", tags=("a", "b"))
    assert list(_found(flow)) == ["contact-mismatch"]


@pytest.mark.parametrize(("reason", "wanted"), [("rejected", ["subscription-ended"]), ("timeout", [])])
def test_a_subscription_that_was_ended(reason: str, wanted: list[str]) -> None:
    flow = Flow()
    flow.say(A, B, "SUBSCRIBE", "1 SUBSCRIBE", headers="Event: presence")
    flow.say(B, A, "200 OK", "1 SUBSCRIBE", tags=("a", "b"))
    headers = f"Event: presence|Subscription-State: terminated;reason={reason}"
    flow.say(B, A, "NOTIFY", "1 NOTIFY", via="n", tags=("b", "a"), headers=headers)
    flow.say(A, B, "200 OK", "1 NOTIFY", via="n", tags=("b", "a"))
    assert list(_found(flow)) == wanted


def test_answers_of_calls_that_began_before_the_capture_are_not_half_seen() -> None:
    flow = Flow("before")
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    assert list(_found(flow)) == ["half-seen"]
    later = Flow("later")
    later.collector = flow.collector
    call(later)
    assert "half-seen" not in _found(later)
    assert "cut-at-begin" in _found(later)
