"""What a user finds in a bundle learned from hand-made conversations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sipreplay.bundle.folder import read_bundle
from sipreplay.errors import CaptureError, UsageError
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from sipreplay.scenario.model import Ereg, Recv, Send
from tests.learn.flows import ALICE, ANSWER, BOB, SDP, Talk, basic_call, learned, main_steps, said, sends


def test_a_call_becomes_a_pair_with_its_captured_pauses(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()])
    uac, uas = made.scenario("invite-bye-uac"), made.scenario("invite-bye-uas")
    assert said(uac) == ["> INVITE", "< 100?", "< 180?", "< 183?", "< 200", "> ACK", "wait 4000", "> BYE", "< 200"]
    assert said(uas) == ["< INVITE", "> 100", "wait 40", "> 180", "wait 2000", "> 200", "< ACK", "< BYE", "> 200"]
    assert uac.is_client
    assert not uas.is_client


def test_live_values_stand_where_the_captured_ones_were(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()])
    invite, ack, bye = sends(made.scenario("invite-bye-uac"))
    assert invite.startswith("INVITE sip:[field1]@[field2] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];")
    assert "branch=[branch];rport\n" in invite
    assert "From: <sip:[field0]@[field2]>;tag=uac[pid]-[call_number]\n" in invite
    assert "Contact: <sip:[field0]@[local_ip]:[local_port]>\n" in invite
    assert "o=alice 77 88 IN IP[local_ip_type] [local_ip]\n" in invite
    assert "c=IN IP[media_ip_type] [media_ip]\n" in invite
    assert "m=audio [auto_media_port] RTP/AVP 0 101\n" in invite
    assert "Content-Length: [len]\n" in invite
    assert ack.startswith("ACK [next_url] SIP/2.0")
    assert "\n[routes]\n" in bye
    assert "[peer_tag_param]" in bye
    assert "CSeq: [cseq] BYE" in bye


def test_the_route_set_comes_from_the_answer(tmp_path: Path) -> None:
    uac = learned(tmp_path, [basic_call()]).scenario("invite-bye-uac")
    assert [e.response for e in uac.elements if isinstance(e, Recv) and e.rrs] == ["200"]


def test_mandatory_receives_have_a_timeout_and_the_file_ends_in_a_timewait(tmp_path: Path) -> None:
    talk = basic_call()
    talk.packets[-2:] = []
    talk.request(30.0, "BYE", 2)
    talk.response(30.1, 200, 2, "BYE")
    made = learned(tmp_path, [talk])
    uas = made.scenario("invite-bye-uas")
    waits = {e.request or e.response: e.timeout_ms for e in main_steps(uas) if isinstance(e, Recv)}
    assert waits["INVITE"] == waits["ACK"] == 32000
    assert 83000 < waits["BYE"] < 85000
    for side in ("uac", "uas"):
        scenario = made.scenario(f"invite-bye-{side}")
        assert scenario.elements[-1].timewait  # type: ignore[attr-defined]
        assert scenario.labels["end"] == len(scenario.elements) - 1
        assert "_unexp.main" in scenario.labels


def test_every_step_cites_its_packet(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()])
    text = made.text("invite-bye-uas.xml")
    for packet in range(1, 8):
        assert f"<!-- packet {packet} -->" in text


def test_no_captured_address_is_outside_comments(tmp_path: Path) -> None:
    talk = basic_call()
    more = f"P-Asserted-Identity: <sip:alice@{ALICE[0]}>\r\nX-Note: from {ALICE[0]}:5066 to {BOB[0]} v1.2.3.4\r\n"
    talk.packets[:] = []
    talk.request(0.0, "INVITE", 1, body=SDP, more=more + f"Record-Route: <sip:{BOB[0]};lr>\r\n")
    talk.response(1.0, 200, 1, "INVITE", body=ANSWER, more=f'Server: x ({BOB[0]})\r\nWarning: 399 {ALICE[0]} "a"\r\n')
    talk.request(1.1, "ACK", 1, target=f"sip:bob@{BOB[0]}:5060")
    made = learned(tmp_path, [talk])
    for path in made.folder.rglob("*"):
        if path.suffix in (".xml", ".csv", ".sh"):
            text = re.sub(r"<!--.*?-->", "", path.read_text(), flags=re.DOTALL)
            assert ALICE[0] not in text
            assert BOB[0] not in text
    assert "v1.2.3.4" in made.text("invite-uac.xml")


def test_calls_of_one_shape_are_one_scenario_with_a_line_each(tmp_path: Path) -> None:
    talks = [
        basic_call(call_id=f"c{n}", caller=f"30{n}", callee=f"40{n}", start=1000.0 + 20 * n, from_tag=f"f{n}")
        for n in range(3)
    ]
    made = learned(tmp_path, talks)
    assert [row.calls for row in made.report.scenarios] == [3]
    assert made.text("invite-bye.csv") == (
        "SEQUENTIAL\n# columns: caller;callee;domain\n300;400;example.com\n301;401;example.com\n302;402;example.com\n"
    )
    bundle = read_bundle(made.folder)
    assert [s.calls for s in bundle.scenarios] == [3, 3]
    assert len(bundle.expect) == 3


def test_what_else_differs_becomes_a_column_too(tmp_path: Path) -> None:
    talks = []
    for n, agent in enumerate(("first", "second; odd")):
        talk = Talk(call_id=f"c{n}", caller=f"30{n}", callee=f"40{n}", start=1000.0 + 20 * n)
        talk.request(0.0, "OPTIONS", 1, more=f"X-Mood: mood-{n}\r\nUser-Agent: {agent}\r\n")
        talk.response(0.1, 200, 1, "OPTIONS", more=f"Server: box-{n}\r\n")
        talks.append(talk)
    made = learned(tmp_path, talks)
    # An agent with a semicolon cannot be carried, so these two are not one shape.
    assert len(made.report.scenarios) == 2
    talks[1].packets = [(t, a, b, d.replace(b"second; odd", b"second odd ")) for t, a, b, d in talks[1].packets]
    made = learned(tmp_path, talks)
    assert made.text("options.csv").splitlines()[1:] == [
        "# columns: caller;callee;domain;x_mood;user_agent;server",
        "300;400;example.com;mood-0;first;box-0",
        "301;401;example.com;mood-1;second odd;box-1",
    ]
    uas = made.text("options-uas.xml")
    assert 'Server: [field5 line="[$row]"]' in uas
    assert '<lookup assign_to="row" file="options.csv" key="[$callee]"/>' in uas
    bundle = read_bundle(made.folder)
    assert [s.injection_index for s in bundle.scenarios] == [-1, 1]


def test_pauses_that_differ_become_a_spread(tmp_path: Path) -> None:
    talks = []
    for n, hold in enumerate((1.0, 3.0, 8.0)):
        talk = Talk(call_id=f"c{n}", start=1000.0 + 20 * n)
        talk.request(0.0, "INVITE", 1, body=SDP)
        talk.response(0.001, 200, 1, "INVITE", body=ANSWER)
        talk.request(0.002, "ACK", 1)
        talk.request(0.002 + hold, "BYE", 2)
        talk.response(0.003 + hold, 200, 2, "BYE")
        talks.append(talk)
    assert '<pause distribution="uniform" min="1000" max="8000"/>' in learned(tmp_path, talks).text(
        "invite-bye-uac.xml"
    )


def test_time_scale_and_longest_pause(tmp_path: Path) -> None:
    fast = learned(tmp_path, [basic_call()], LearnOptions(force=True, time_scale=0.5))
    assert "wait 2000" in said(fast.scenario("invite-bye-uac"))
    short = learned(tmp_path, [basic_call()], LearnOptions(force=True, max_pause_s=0.25))
    assert "wait 250" in said(short.scenario("invite-bye-uac"))


def test_the_callee_hangs_up_with_the_live_names(tmp_path: Path) -> None:
    talk = basic_call()
    talk.packets[-2:] = []
    talk.request(6.0, "BYE", 77, up=True)
    talk.response(6.1, 200, 77, "BYE", up=False)
    made = learned(tmp_path, [talk])
    uas = made.scenario("invite-bye-callee-uas")
    bye = sends(uas)[-1]
    assert bye.startswith("BYE [next_url] SIP/2.0")
    assert "From: [$invite_to];tag=uas[pid]-[call_number]\n" in bye
    assert "To: [$invite_from]\n" in bye
    assert "\n[routes]\n" in bye
    assert uas.elements[0].rrs  # type: ignore[attr-defined]
    assert said(made.scenario("invite-bye-callee-uac"))[-3:] == ["< BYE", "wait 100", "> 200"]


def test_digest_rounds(tmp_path: Path) -> None:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    challenge = 'Proxy-Authenticate: Digest realm="r", nonce="abc", algorithm=MD5, qop="auth"\r\n'
    talk.response(0.01, 407, 1, "INVITE", more=challenge)
    talk.request(0.02, "ACK", 1, branch="z9hG4bK-call-1@198.51.100.7-INVITE-1-False")
    login = 'Proxy-Authorization: Digest username="al;ice", realm="r", nonce="abc", uri="sip:x", response="00"\r\n'
    talk.request(0.03, "INVITE", 2, body=SDP, more=login.replace(";", "-"))
    talk.response(0.04, 486, 2, "INVITE")
    talk.request(0.05, "ACK", 2, branch="z9hG4bK-call-1@198.51.100.7-INVITE-2-False")
    made = learned(tmp_path, [talk])
    uac = made.scenario("invite-auth-486-uac")
    assert [e.response for e in uac.elements if isinstance(e, Recv) and e.auth] == ["407"]
    assert '[authentication username="[field3]" password="[field4]"]\n' in sends(uac)[2]
    assert "response=" not in made.text("invite-auth-486-uac.xml").partition("-->")[2].replace("<recv response=", "")
    assert (
        "# columns: caller;callee;domain;auth_user;auth_password\nalice;bob;example.com;al-ice;password"
        in made.text("invite-auth-486.csv")
    )
    assert 'nonce="abc"' in made.text("invite-auth-486-uas.xml")
    # The second INVITE comes at once: it may overtake a lost ACK of the challenge, but not the ACK that ends the call.
    assert said(made.scenario("invite-auth-486-uas"))[:4] == ["< INVITE", "> 407", "< ACK?", "< INVITE"]
    assert said(made.scenario("invite-auth-486-uas"))[-1] == "< ACK"


def test_the_ack_of_a_rejection_has_the_branch_of_its_invite(tmp_path: Path) -> None:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    talk.response(0.01, 180, 1, "INVITE")
    talk.response(1.0, 603, 1, "INVITE")
    talk.request(1.01, "ACK", 1, branch="z9hG4bK-call-1@198.51.100.7-INVITE-1-False")
    uac = learned(tmp_path, [talk]).scenario("invite-603-uac")
    ack = next(n for n, e in enumerate(uac.elements) if isinstance(e, Send) and "ACK" in e.text[:20])
    assert f"branch=[branch-{ack}];rport" in uac.elements[ack].text  # type: ignore[attr-defined]
    assert "[next_url]" not in uac.elements[ack].text  # type: ignore[attr-defined]


def test_cancel_waits_for_a_provisional_response_of_any_code(tmp_path: Path) -> None:
    talk = Talk()
    branch = "z9hG4bK-same"
    talk.request(0.0, "INVITE", 1, body=SDP, branch=branch)
    talk.response(0.1, 180, 1, "INVITE")
    talk.request(3.1, "CANCEL", 1, branch=branch)
    talk.response(3.2, 200, 1, "CANCEL")
    talk.response(3.3, 487, 1, "INVITE")
    talk.request(3.4, "ACK", 1, branch=branch)
    made = learned(tmp_path, [talk])
    uac = said(made.scenario("invite-cancel-uac"))
    assert uac[:6] == ["> INVITE", "< 100?", "< 183?", "< 180", "wait 3000", "> CANCEL"]
    uas = sends(made.scenario("invite-cancel-uas"))
    assert uas[-1].startswith("SIP/2.0 487 Said[$invite_via]\n")
    assert "CSeq: [$invite_cseq]" in uas[-1]


def test_what_the_handler_answers_fits_the_call(tmp_path: Path) -> None:
    def answered(name: str) -> set[str]:
        scenario = made.scenario(name)
        handler = scenario.elements[scenario.labels["_unexp.main"] : scenario.labels["end"]]
        return {part for e in handler if isinstance(e, Recv) for part in (e.request or e.response).split("|")}

    made = learned(tmp_path, [basic_call()])
    common = {"OPTIONS", "UPDATE", "INFO", "NOTIFY", "MESSAGE"}
    assert answered("invite-bye-uac") == common | {"BYE", "INVITE", "ACK"}
    assert answered("invite-bye-uas") == common | {"BYE", "INVITE", "ACK"}
    talk = Talk()
    talk.request(0.0, "OPTIONS", 1)
    talk.response(0.1, 200, 1, "OPTIONS")
    made = learned(tmp_path, [talk])
    assert answered("options-uac") == common
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP, branch="z9hG4bK-same")
    talk.response(0.1, 180, 1, "INVITE")
    talk.request(3.1, "CANCEL", 1, branch="z9hG4bK-same")
    talk.response(3.2, 200, 1, "CANCEL")
    talk.response(3.3, 487, 1, "INVITE")
    talk.request(3.4, "ACK", 1, branch="z9hG4bK-same")
    made = learned(tmp_path, [talk])
    assert answered("invite-cancel-uac") == common | {"100", "180", "183", "200"}
    assert answered("invite-cancel-uas") == common | {"ACK", "CANCEL"}


def test_an_unanswered_request_is_learned_as_such(tmp_path: Path) -> None:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    talk.packets += [(t + d, a, b, x) for d in (0.5, 1.5, 3.5) for t, a, b, x in talk.packets[:1]]
    made = learned(tmp_path, [talk])
    uac = made.scenario("invite-unanswered-uac")
    assert said(uac) == ["> INVITE", "< NOTHING"]
    assert uac.elements[0].ontimeout == "end"
    assert uac.elements[0].retrans_ms == 500  # type: ignore[attr-defined]
    assert any("unanswered" in spot for spot in made.report.blind_spots)


def test_a_call_cut_at_its_beginning_is_learned_from_its_first_request(tmp_path: Path) -> None:
    talk = basic_call()
    talk.packets[:3] = []
    made = learned(tmp_path, [talk])
    assert said(made.scenario("bye-uac"))[-2:] == ["> BYE", "< 200"]
    assert any("without their request" in spot for spot in made.report.blind_spots)


def test_reliable_provisional_responses_carry_live_values(tmp_path: Path) -> None:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP, more="Supported: 100rel\r\n")
    talk.response(0.1, 183, 1, "INVITE", body=ANSWER, more="Require: 100rel\r\nRSeq: 555\r\n")
    talk.request(0.2, "PRACK", 2, more="RAck: 555 1 INVITE\r\n")
    talk.response(0.3, 200, 2, "PRACK")
    talk.response(1.3, 200, 1, "INVITE")
    talk.request(1.4, "ACK", 1)
    talk.request(2.4, "BYE", 3)
    talk.response(2.5, 200, 3, "BYE")
    made = learned(tmp_path, [talk])
    uac = made.scenario("invite-bye-uac")
    prack, ack = sends(uac)[1:3]
    assert "RAck: [$rseq] [$invite_cseq] INVITE\n" in prack
    assert "CSeq: [$invite_cseq] ACK\n" in ack
    reliable = next(e for e in uac.elements if isinstance(e, Recv) and e.response == "183" and e.optional == "false")
    assert reliable.rrs
    uas = sends(made.scenario("invite-bye-uas"))
    assert uas[2].startswith("SIP/2.0 200 Said[$invite_via][$invite_routes]")


def test_a_token_that_the_answer_gives_back_is_given_back_live(tmp_path: Path) -> None:
    talk = Talk()
    token = "X-Call-Token: 8f3e-99aa-1200\r\n"
    talk.request(0.0, "OPTIONS", 1, more=token + "X-Same: yes\r\n")
    talk.response(0.1, 200, 1, "OPTIONS", more=token + "X-Same: yes\r\n")
    (answer,) = sends(learned(tmp_path, [talk]).scenario("options-uas"))
    assert "\n[last_X-Call-Token:]\n" in answer
    assert "\nX-Same: yes\n" in answer


def test_dynamic_payload_types_of_the_answer_follow_the_live_offer(tmp_path: Path) -> None:
    uas = learned(tmp_path, [basic_call()]).scenario("invite-bye-uas")
    eregs = [a.regexp for a in uas.elements[0].actions if isinstance(a, Ereg)]
    assert any("telephone\\-event/8000" in regexp or "telephone-event/8000" in regexp for regexp in eregs)
    assert "m=audio [auto_media_port] RTP/AVP 0 [$pt101]" in sends(uas)[2]
    assert "a=rtpmap:[$pt101] telephone-event/8000" in sends(uas)[2]


def test_ice_and_dtls_are_taken_out_with_a_note(tmp_path: Path) -> None:
    ice = "a=ice-ufrag:x\r\na=ice-pwd:y\r\na=candidate:1 1 UDP 1 198.51.100.7 41000 typ host\r\n"
    ice += "a=fingerprint:sha-1 00\r\na=setup:actpass\r\na=ssrc:12345 cname:phone\r\n"
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP + ice)
    talk.response(0.1, 488, 1, "INVITE")
    made = learned(tmp_path, [talk])
    (invite,) = sends(made.scenario("invite-488-uac"))
    for name in ("a=ice", "candidate", "fingerprint", "setup", "ssrc"):
        assert name not in invite
    assert any("a=candidate" in note for note in made.report.generalised)


def test_options_and_message_and_register(tmp_path: Path) -> None:
    talks = []
    for n, method in enumerate(("OPTIONS", "MESSAGE", "REGISTER", "SUBSCRIBE")):
        talk = Talk(call_id=f"c{n}", start=1000.0 + n)
        more = "Content-Type: text/plain\r\n" if method == "MESSAGE" else "Expires: 60\r\n"
        talk.request(0.0, method, 1, more=more, body="hello there" if method == "MESSAGE" else "")
        talk.response(0.1, 200, 1, method)
        talks.append(talk)
    made = learned(tmp_path, talks)
    assert {row.name for row in made.report.scenarios} == {"options", "message", "register", "subscribe"}
    assert sends(made.scenario("message-uac"))[0].endswith("\n\nhello there")
    assert "[last_Contact:]" in sends(made.scenario("register-uas"))[0]
    bundle = read_bundle(made.folder)
    after = {s.id: s.after for s in bundle.scenarios if s.role == "uac"}
    assert after["subscribe-uac"] == ["register-uac"]
    assert after["options-uac"] == []


def test_refusals(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()])
    capture = tmp_path / "calls.pcap"
    with pytest.raises(UsageError, match=r"not empty.*--force"):
        learn([capture], made.folder)
    with pytest.raises(UsageError, match=r"--sut 10\.0\.0\.1: takes no part"):
        learn([capture], tmp_path / "x", LearnOptions(sut="10.0.0.1"))
    with pytest.raises(UsageError, match="--call 9"):
        learn([capture], tmp_path / "x", LearnOptions(calls=(9,)))
    with pytest.raises(UsageError, match="choose no dialog"):
        learn([capture], tmp_path / "x", LearnOptions(numbers=("999",)))
    with pytest.raises(UsageError, match="--time-scale"):
        learn([capture], tmp_path / "x", LearnOptions(time_scale=0))
    with pytest.raises(CaptureError, match="no SIP"):
        learned(tmp_path, [], extra=[(1.0, ALICE, BOB, b"hello")])
    talk = basic_call()
    talk.packets = talk.packets[3:4]
    with pytest.raises(CaptureError, match="no request"):
        learned(tmp_path, [talk])
    assert not (tmp_path / "x").exists()
