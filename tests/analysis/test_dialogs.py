"""Which message belongs to which hop-dialog."""

from __future__ import annotations

import random

import pytest

from sipreplay.analysis.dialogs import build_dialogs, sent_by_caller
from sipreplay.analysis.ladder import ladder_lines
from sipreplay.analysis.model import Address, HopDialog
from tests.analysis.flow import A, B, Flow, P, call, sdp


def test_a_plain_call_is_one_dialog() -> None:
    flow = Flow()
    call(flow)
    (dialog,) = flow.dialogs()
    assert (dialog.id, dialog.kind, dialog.state, dialog.hop) == (1, "invite", "completed", 0)
    assert (dialog.caller, dialog.callee) == (A, B)
    assert (dialog.from_tag, dialog.to_tag) == ("a", "b")
    assert [t.method for t in dialog.transactions] == ["INVITE", "BYE"]
    invite = dialog.transactions[0]
    assert invite.ack is not None
    assert [r.message.status for r in invite.responses] == [100, 180, 200]
    assert dialog.pdd_ms == pytest.approx(20)
    assert dialog.setup_ms == pytest.approx(30)


def test_requests_of_the_callee() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    flow.say(B, A, "INVITE", "1 INVITE", via="c1", tags=("b", "a"))
    flow.say(A, B, "200 OK", "1 INVITE", via="c1", tags=("b", "a"))
    flow.say(B, A, "ACK", "1 ACK", via="c2", tags=("b", "a"))
    flow.say(B, A, "BYE", "2 BYE", via="c3", tags=("b", "a"))
    flow.say(A, B, "200 OK", "2 BYE", via="c3", tags=("b", "a"))
    (dialog,) = flow.dialogs()
    assert ladder_lines(dialog) == ["> INVITE", "< 200", "> ACK", "< INVITE", "> 200", "< ACK", "< BYE", "> 200"]
    assert [(t.method, t.from_caller, t.ack is not None) for t in dialog.transactions] == [
        ("INVITE", True, True),
        ("INVITE", False, True),
        ("BYE", False, False),
    ]
    assert dialog.state == "completed"


def test_digest_rounds_are_one_dialog() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "407 Proxy Authentication Required", "1 INVITE", tags=("a", "x"))
    flow.say(A, B, "ACK", "1 ACK", tags=("a", "x"))
    flow.say(A, B, "INVITE", "2 INVITE", via="b9")
    flow.say(B, A, "200 OK", "2 INVITE", via="b9", tags=("a", "b"))
    flow.say(A, B, "ACK", "2 ACK", via="b10", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert (dialog.state, dialog.to_tag, dialog.fork_tags) == ("established", "b", [])
    assert dialog.setup_ms == pytest.approx(40)
    assert dialog.pdd_ms == pytest.approx(40), "the challenge is not the answer"
    assert all(t.ack is not None for t in dialog.transactions)


def test_a_new_attempt_after_a_refusal_is_another_dialog_of_the_same_call() -> None:
    flow = Flow()
    for number in (1, 2):
        flow.say(A, B, "INVITE", f"{number} INVITE", via=f"n{number}")
        flow.say(B, A, "486 Busy Here", f"{number} INVITE", via=f"n{number}", tags=("a", f"t{number}"))
        flow.say(A, B, "ACK", f"{number} ACK", via=f"n{number}", tags=("a", f"t{number}"))
    dialogs = flow.dialogs()
    assert [d.state for d in dialogs] == ["rejected", "rejected"]
    assert [len(d.messages) for d in dialogs] == [3, 3]
    assert len(flow.analysis().calls) == 1


def test_registration_rounds_are_one_dialog_though_the_tag_changes() -> None:
    flow = Flow()
    for number, tag in enumerate(("t1", "t1", "t2"), 1):
        flow.say(A, B, "REGISTER", f"{number} REGISTER", via=f"r{number}", tags=(tag, ""))
        flow.say(B, A, "401 No" if number == 1 else "200 OK", f"{number} REGISTER", via=f"r{number}", tags=(tag, "s"))
    (dialog,) = flow.dialogs()
    assert (dialog.kind, dialog.state, len(dialog.transactions), dialog.fork_tags) == ("register", "completed", 3, [])
    assert all(t.from_caller for t in dialog.transactions)


def two_hops(flow: Flow, via_p: str = "p1,b1") -> None:
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via=via_p)
    flow.say(P, A, "100 Trying", "1 INVITE")
    flow.say(B, P, "200 OK", "1 INVITE", via=via_p, tags=("a", "b"))
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"))


def test_a_proxy_makes_two_hops_of_one_dialog() -> None:
    flow = Flow()
    two_hops(flow)
    flow.say(A, P, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    flow.say(P, B, "ACK", "1 ACK", via="p2,b2", tags=("a", "b"))
    flow.say(B, P, "BYE", "1 BYE", via="c1", tags=("b", "a"))
    flow.say(P, A, "BYE", "1 BYE", via="p3,c1", tags=("b", "a"))
    flow.say(A, P, "200 OK", "1 BYE", via="p3,c1", tags=("b", "a"))
    flow.say(P, B, "200 OK", "1 BYE", via="c1", tags=("b", "a"))
    first, second = flow.dialogs()
    assert [(d.hop, d.upstream, d.caller, d.callee, d.state) for d in (first, second)] == [
        (0, None, A, P, "completed"),
        (1, 1, P, B, "completed"),
    ]
    assert ladder_lines(first) == ["> INVITE", "< 200", "> ACK", "< BYE", "> 200"]
    assert ladder_lines(second) == ladder_lines(first)


def test_hops_on_one_host_are_told_apart_by_port() -> None:
    a, p, b = (Address("127.0.0.1", port) for port in (5061, 5060, 5062))
    flow = Flow()
    flow.say(a, p, "INVITE", "1 INVITE", via="b1@127.0.0.1:5061", headers="Contact: <sip:127.0.0.1:5061>")
    flow.say(p, b, "INVITE", "1 INVITE", via="p1@127.0.0.1,b1@127.0.0.1:5061", headers="Contact: <sip:127.0.0.1:5061>")
    flow.say(b, p, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"))
    flow.say(p, a, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(b, p, "BYE", "9 BYE", via="c1", tags=("b", "a"))
    flow.say(p, a, "BYE", "9 BYE", via="p2,c1", tags=("b", "a"))
    first, second = flow.dialogs()
    assert [ladder_lines(d) for d in (first, second)] == [["> INVITE", "< 200", "< BYE"]] * 2
    assert a not in second.caller_addresses


def test_a_request_past_the_proxy_belongs_to_both_of_its_ends() -> None:
    flow = Flow()
    two_hops(flow)
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    flow.say(B, A, "BYE", "2 BYE", via="c1", tags=("b", "a"))
    flow.say(A, B, "200 OK", "2 BYE", via="c1", tags=("b", "a"))
    first, second = flow.dialogs()
    assert ladder_lines(first) == ladder_lines(second) == ["> INVITE", "< 200", "> ACK", "< BYE", "> 200"]
    assert first.state == second.state == "completed"


def test_a_client_that_listens_on_another_port_than_it_sends_from() -> None:
    sending = Address(A.host, 40000)
    flow = Flow()
    flow.say(sending, B, "INVITE", "1 INVITE", via=f"b1@{A.host}:5060", headers=f"Contact: <sip:a@{A.host}:5060>")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(sending, B, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    flow.say(B, A, "BYE", "7 BYE", via="c1", tags=("b", "a"))
    flow.say(sending, B, "200 OK", "7 BYE", via="c1", tags=("b", "a"))
    (dialog,) = flow.dialogs()
    assert dialog.caller_addresses == {sending, A}
    assert ladder_lines(dialog) == ["> INVITE", "< 200", "> ACK", "< BYE", "> 200"]


def test_a_nat_alias_is_named_and_not_taken_for_a_hop() -> None:
    outside = Address("198.51.100.1", 31000)
    flow = Flow()
    for source in (A, outside):
        flow.say(source, B, "INVITE", "1 INVITE")
    for destination in (outside, A):
        flow.say(B, destination, "200 OK", "1 INVITE", tags=("a", "b"))
    first, second = flow.dialogs()
    assert (first.alias_of, second.alias_of, second.hop) == (None, 1, 0)
    assert [len(d.messages) for d in (first, second)] == [2, 2]


def test_parallel_forks() -> None:
    c = Address("192.0.2.3", 5060)
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(P, c, "INVITE", "1 INVITE", via="p2,b1")
    flow.say(B, P, "180 Ringing", "1 INVITE", via="p1,b1", tags=("a", "tb"))
    flow.say(P, A, "180 Ringing", "1 INVITE", tags=("a", "tb"))
    flow.say(c, P, "180 Ringing", "1 INVITE", via="p2,b1", tags=("a", "tc"))
    flow.say(P, A, "180 Ringing", "1 INVITE", tags=("a", "tc"))
    flow.say(c, P, "200 OK", "1 INVITE", via="p2,b1", tags=("a", "tc"))
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "tc"))
    flow.say(P, B, "CANCEL", "1 CANCEL", via="p1")
    flow.say(B, P, "200 OK", "1 CANCEL", via="p1", tags=("a", "tb"))
    flow.say(B, P, "487 Request Terminated", "1 INVITE", via="p1,b1", tags=("a", "tb"))
    flow.say(P, B, "ACK", "1 ACK", via="p1", tags=("a", "tb"))
    top, loser, winner = flow.dialogs()
    assert (top.to_tag, top.fork_tags, top.state) == ("tc", ["tb"], "established")
    assert (loser.state, loser.upstream, loser.hop) == ("cancelled", 1, 1)
    assert (winner.state, winner.upstream, winner.callee) == ("established", 1, c)


def test_two_branches_to_one_address_are_two_dialogs() -> None:
    flow = Flow()
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(P, B, "INVITE", "1 INVITE", via="p2,b1")
    flow.say(B, P, "180 Ringing", "1 INVITE", via="p2,b1", tags=("a", "t2"))
    flow.say(B, P, "180 Ringing", "1 INVITE", via="p1,b1", tags=("a", "t1"))
    assert [d.to_tag for d in flow.dialogs()] == ["t1", "t2"]


def test_a_tag_on_100_makes_no_dialog() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "100 Trying", "1 INVITE", tags=("a", "trying"))
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert (dialog.to_tag, dialog.fork_tags) == ("b", [])


def test_a_notify_before_the_answer_to_its_subscribe() -> None:
    flow = Flow()
    flow.say(A, B, "SUBSCRIBE", "1 SUBSCRIBE")
    flow.say(B, A, "NOTIFY", "1 NOTIFY", via="n1", tags=("b", "a"))
    flow.say(A, B, "200 OK", "1 NOTIFY", via="n1", tags=("b", "a"))
    flow.say(B, A, "200 OK", "1 SUBSCRIBE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert ladder_lines(dialog) == ["> SUBSCRIBE", "< NOTIFY", "> 200", "< 200"]
    assert [t.from_caller for t in dialog.transactions] == [True, False]


def test_a_capture_that_starts_in_mid_call() -> None:
    flow = Flow()
    flow.say(B, A, "BYE", "8 BYE", via="c1", tags=("b", "a"))
    flow.say(A, B, "200 OK", "8 BYE", via="c1", tags=("b", "a"))
    (dialog,) = flow.dialogs()
    assert (dialog.kind, dialog.state, dialog.caller) == ("bye", "completed", B)


def test_answers_without_their_request() -> None:
    flow = Flow()
    flow.say(B, A, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert (dialog.kind, dialog.caller, dialog.callee, dialog.state) == ("invite", A, B, "established")
    assert dialog.transactions == []
    assert ladder_lines(dialog) == ["< 180", "< 200"]


def test_copies_and_retransmissions_stay_in_messages_only() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", at=1000)
    flow.say(A, B, "INVITE", "1 INVITE", at=1000.001)
    flow.say(A, B, "INVITE", "1 INVITE", at=1000.5)
    flow.say(B, A, "486 Busy Here", "1 INVITE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert len(dialog.messages) == 4
    assert ladder_lines(dialog) == ["> INVITE", "< 486"]
    assert len(dialog.transactions) == 1


def test_answers_captured_before_their_request_are_put_after_it() -> None:
    flow = Flow()
    flow.say(B, A, "100 Trying", "1 INVITE", at=999.96)
    flow.say(A, B, "INVITE", "1 INVITE", at=1000.0)
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"), at=1000.1)
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), at=1000.14)
    (dialog,) = flow.dialogs()
    assert ladder_lines(dialog) == ["> INVITE", "< 200", "> ACK"]
    assert dialog.setup_ms == pytest.approx(140)


def test_a_spiral_is_a_dialog_of_an_actor_with_itself() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, P, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(P, B, "INVITE", "1 INVITE", via="p2,p1,b1")
    assert [(d.hop, d.caller, d.callee) for d in flow.dialogs()] == [(0, A, P), (1, P, P), (2, P, B)]


def test_requests_without_branch_or_tags() -> None:
    collector = Flow().collector
    for number, (source, destination, line) in enumerate(
        [(A, B, "INVITE sip:b SIP/2.0"), (B, A, "SIP/2.0 200 OK"), (A, B, "ACK sip:b SIP/2.0")]
    ):
        method = "ACK" if line.startswith("ACK") else "INVITE"
        data = f"{line}\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a\r\nTo: sip:b\r\nCall-ID: old\r\nCSeq: 1 {method}\r\n\r\n"
        collector.datagram(0, number, float(number), source, destination, "UDP", data.encode())
    (dialog,) = build_dialogs(collector.messages)
    assert ladder_lines(dialog) == ["> INVITE", "< 200", "> ACK"]
    assert dialog.state == "established"


def test_messages_without_a_call_id_make_no_dialog() -> None:
    collector = Flow().collector
    collector.datagram(0, 1, 1.0, A, B, "UDP", b"SIP/2.0 200 OK\r\nSeq: 0\r\n\r\n")
    assert len(collector.messages) == 1
    assert build_dialogs(collector.messages) == []


def test_hostile_chains_end() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", via="x,y")
    flow.say(B, A, "INVITE", "1 INVITE", via="y,x")
    assert sorted(d.hop for d in flow.dialogs()) == [1, 1]


def membership(dialogs: list[HopDialog]) -> set[frozenset[int]]:
    return {frozenset(m.packet for m in d.messages) for d in dialogs}


def test_interleaved_calls_do_not_mix() -> None:
    flows = [Flow(f"call-{n}") for n in range(5)]
    for flow in flows:
        call(flow)
    packets = [(m, n) for n, flow in enumerate(flows) for m in flow.messages]
    mixed = Flow()
    random.Random(7).shuffle(packets)
    packets.sort(key=lambda item: item[0].packet)
    for number, (message, _) in enumerate(packets, 1):
        mixed.collector.datagram(0, number, message.time, message.source, message.destination, "UDP", message.data)
    dialogs = mixed.dialogs()
    assert [(d.state, len(d.messages)) for d in dialogs] == [("completed", 7)] * 5
    assert len({d.call_id for d in dialogs}) == 5


def test_every_message_with_a_call_id_is_in_a_dialog() -> None:
    flow = Flow()
    chooser = random.Random(5)
    addresses = [A, B, P]
    for number in range(300):
        source, destination = chooser.sample(addresses, 2)
        method = chooser.choice(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "NOTIFY", "REGISTER"])
        code = chooser.choice([None, None, 100, 180, 200, 401, 487])
        flow.say(
            source,
            destination,
            method if code is None else f"{code} X",
            f"{chooser.randint(1, 4)} {method}",
            via=f"v{chooser.randint(1, 6)}",
            tags=(chooser.choice("ab"), chooser.choice(["", "a", "b"])),
            call_id=f"c{chooser.randint(1, 3)}",
            headers=f"X: {number}",
        )
    held = {m for d in flow.dialogs() for m in d.messages}
    assert held == set(flow.messages)


def test_who_sent_a_message_when_tags_are_missing() -> None:
    flow = Flow()
    flow.say(A, B, "OPTIONS", "1 OPTIONS", tags=("", ""))
    flow.say(B, A, "200 OK", "1 OPTIONS", tags=("", ""))
    (dialog,) = flow.dialogs()
    assert [sent_by_caller(dialog, m) for m in dialog.messages] == [True, False]


def test_tcp_callee_that_opens_its_own_connection() -> None:
    flow = Flow()
    client, server = Address(A.host, 41000), Address(B.host, 42000)
    flow.say(
        client, B, "INVITE", "1 INVITE", transport="TCP", headers=f"Contact: <sip:{A.host}:5060>", body=sdp("h", 1)
    )
    flow.say(B, client, "200 OK", "1 INVITE", transport="TCP", tags=("a", "b"))
    flow.say(server, A, "BYE", "1 BYE", transport="TCP", via="c1", tags=("b", "a"))
    flow.say(A, server, "200 OK", "1 BYE", transport="TCP", via="c1", tags=("b", "a"))
    (dialog,) = flow.dialogs()
    assert dialog.transport == "TCP"
    assert ladder_lines(dialog) == ["> INVITE", "< 200", "< BYE", "> 200"]


def test_a_cancel_with_a_branch_of_its_own_stays_with_its_invite() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(A, B, "CANCEL", "1 CANCEL", via="other")
    flow.say(B, A, "487 Request Terminated", "1 INVITE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert (dialog.state, ladder_lines(dialog)) == ("cancelled", ["> INVITE", "> CANCEL", "< 487"])


def test_hops_of_a_call_whose_beginning_was_not_captured() -> None:
    flow = Flow()
    flow.say(A, P, "BYE", "2 BYE", via="b1", tags=("a", "b"))
    flow.say(P, B, "BYE", "2 BYE", via="p1,b1", tags=("a", "b"))
    flow.say(B, P, "200 OK", "2 BYE", via="p1,b1", tags=("a", "b"))
    flow.say(P, A, "200 OK", "2 BYE", via="b1", tags=("a", "b"))
    assert [(d.kind, d.hop, d.state) for d in flow.dialogs()] == [("bye", 0, "completed"), ("bye", 1, "completed")]
