from __future__ import annotations

from collections.abc import Callable

from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, Digit, HopDialog
from sipreplay.report.ladder import call_ladder, messages_ladder


def test_hosts_stand_in_the_order_of_the_hops_with_role_and_software(analysis: Analysis) -> None:
    ladder = call_ladder(analysis, analysis.calls[0])
    assert [(c.label, c.role, c.agent) for c in ladder.columns] == [
        ("10.0.0.1:5060", "UAC", "Linphone/4.1"),
        ("192.168.100.20:5060", "between", "kamailio"),
        ("10.0.0.77:49152", "callee", ""),
    ]


def test_retransmissions_and_copies_fold_into_the_first_sending(analysis: Analysis) -> None:
    ladder = call_ladder(analysis, analysis.calls[0])
    invites = [row for row in ladder.rows if row.label == "INVITE"]
    assert [(row.source, row.destination, row.retransmissions, row.copies) for row in invites] == [
        (0, 1, 0, 0),
        (1, 2, 2, 1),
    ]


def test_a_retransmission_whose_first_sending_was_not_captured_is_shown_as_one(analysis: Analysis) -> None:
    hop = analysis.dialogs[1]
    hop.messages = [m for m in hop.messages if m.message.method != "INVITE" or m.retransmission]
    ladder = call_ladder(analysis, analysis.calls[0])
    row = next(r for r in ladder.rows if r.label == "INVITE" and r.source == 1)
    assert row.orphan
    assert row.retransmissions == 1


def test_sdp_and_reasons_are_told_in_a_line(analysis: Analysis) -> None:
    ladder = call_ladder(analysis, analysis.calls[0])
    assert ladder.rows[0].detail == "PCMU/PCMA 10.0.0.1:4000"
    bye = next(row for row in ladder.rows if row.label == "BYE")
    assert bye.detail == 'Reason: Q.850;cause=16;text="bye"'


def test_streams_stand_between_the_hosts_they_join_after_the_answer(analysis: Analysis) -> None:
    rows = call_ladder(analysis, analysis.calls[0]).rows
    streams = [row for row in rows if row.stream]
    assert [(row.source, row.destination, row.label) for row in streams] == [(2, 0, "PCMA"), (0, 2, "PCMA")]
    assert "598 packets · 3 lost · jitter 0.4 ms" in streams[1].detail
    assert "DTMF 123#" in streams[1].detail
    assert rows.index(streams[0]) > next(i for i, row in enumerate(rows) if row.label == "ACK")


def test_on_loopback_each_address_is_a_lifeline(analysis: Analysis) -> None:
    ports = {"10.0.0.1": 5060, "192.168.100.20": 5070, "10.0.0.77": 5080}

    def moved(address: Address) -> Address:
        return Address("127.0.0.1", ports[address.host])

    for hop in analysis.dialogs:
        hop.caller, hop.callee = moved(hop.caller), moved(hop.callee)
        for message in hop.messages:
            message.source, message.destination = moved(message.source), moved(message.destination)
    analysis.streams.clear()
    ladder = call_ladder(analysis, analysis.calls[0])
    assert [column.label for column in ladder.columns] == ["127.0.0.1:5060", "127.0.0.1:5070", "127.0.0.1:5080"]


def test_media_from_elsewhere_gets_a_lifeline_of_its_own(analysis: Analysis) -> None:
    analysis.streams[0].destination = Address("172.16.9.9", 40000)
    ladder = call_ladder(analysis, analysis.calls[0])
    assert [(c.label, c.role) for c in ladder.columns][-1] == ("172.16.9.9:40000", "media")


def test_a_call_of_many_messages_is_cut_and_says_so(
    analysis: Analysis, message: Callable[..., CapturedMessage]
) -> None:
    hop = analysis.dialogs[0]
    hop.messages += [
        message(100 + n, 20.0 + n, hop.caller, hop.callee, "OPTIONS sip:b SIP/2.0", f"{n + 10} OPTIONS", branch=f"o{n}")
        for n in range(2100)
    ]
    ladder = call_ladder(analysis, Call(1, [1]))
    assert len(ladder.rows) == 2000
    assert ladder.left_out > 0


def test_recorded_messages_make_a_ladder_without_an_analysis(analysis: Analysis) -> None:
    recorded = list(analysis.dialogs[0].messages)
    ladder = messages_ladder("first call", [*recorded, recorded[0]])
    assert ladder.title == "first call"
    assert ladder.rows[0].retransmissions == 1
    assert len(ladder.rows) == len(recorded)
    assert messages_ladder("none", []).rows == []


def test_raw_text_holds_no_control_characters(analysis: Analysis) -> None:
    raw = call_ladder(analysis, analysis.calls[0]).rows[0].raw
    assert "\\x1b[31m" in raw
    assert "\x1b" not in raw
    assert "a=rtpmap:101" in raw


def test_digits_stand_at_their_time(analysis: Analysis) -> None:
    first = analysis.streams[0].first
    analysis.streams[0].digits = [Digit("5", first + 2, 160.0, True), Digit("#", first + 3, 40.0, False)]
    ladder = call_ladder(analysis, analysis.calls[0])
    labels = [row.media_label if row.stream else row.label for row in ladder.rows]
    order = [labels.index(label) for label in ("RTP PCMA", "DTMF 5, 160 ms", "DTMF #, 40 ms or more", "BYE")]
    assert order == sorted(order)


def test_an_actor_with_two_hosts_is_one_lifeline(message: Callable[..., CapturedMessage]) -> None:
    phone, inside, outside = Address("10.0.0.1", 5060), Address("10.0.0.9", 5060), Address("192.0.2.9", 5080)
    opening = message(1, 0.0, phone, inside, "OPTIONS sip:a SIP/2.0", "1 OPTIONS")
    answer = message(2, 0.1, outside, phone, "SIP/2.0 200 OK", "1 OPTIONS")
    dialog = HopDialog(
        1, "options", "abc", "1", "b", phone, inside, "UDP", messages=[opening, answer], call=1,
        callee_addresses=frozenset({outside}),
    )  # fmt: skip
    ladder = call_ladder(Analysis([], dialog.messages, 0, [dialog], [Call(1, [1])], []), Call(1, [1]))
    assert [column.addresses for column in ladder.columns] == [[phone], [inside, outside]]
