"""Rows of a ladder."""

from __future__ import annotations

from sipreplay.analysis.ladder import ladder_lines, ladder_of
from sipreplay.analysis.model import Address, Stream
from tests.analysis.flow import A, B, Flow, P, call, sdp


def test_a_call_s_rows_hold_what_a_ladder_shows() -> None:
    flow = Flow()
    call(flow)
    flow.say(B, A, "200 OK", "2 BYE", via="b3", tags=("a", "b"), at=1003)
    analysis = flow.analysis()
    source, destination = Address(A.host, 4000), Address(B.host, 6000)
    analysis.streams.append(
        Stream(
            source, destination, 1, [0], "PCMU", 50, 0, 0, 0, 20, 20, 0, 0, 4.4, "", 1000.045, 1001, 1, "audio", True
        )
    )
    ladder = ladder_of(analysis, analysis.calls[0])
    assert ladder.columns == [A, B, source, destination]
    assert [row.label for row in ladder.rows] == [
        "INVITE",
        "100 Trying",
        "180 Ringing",
        "200 OK",
        "RTP PCMU 50",
        "ACK",
        "BYE",
        "200 OK",
        "200 OK",
    ]
    assert ladder.rows[0].sdp == "audio 4000 PCMU sendrecv"
    assert ladder.rows[0].cseq == "1 INVITE"
    assert [row.retransmission for row in ladder.rows][-2:] == [False, True]
    assert len(ladder_of(analysis, analysis.calls[0], streams=False).rows) == 8


def test_a_message_in_two_dialogs_is_one_row() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(B, P, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"))
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"))
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"), body=sdp(A.host, 1))
    analysis = flow.analysis()
    assert sum("ACK" in ladder_lines(d)[-1] for d in analysis.dialogs) == 2
    (the_call,) = analysis.calls
    assert [row.label for row in ladder_of(analysis, the_call).rows].count("ACK") == 1


def test_lines_leave_out_100_copies_and_retransmissions() -> None:
    flow = Flow()
    call(flow)
    flow.say(A, B, "BYE", "2 BYE", via="b3", tags=("a", "b"), at=1002)
    (dialog,) = flow.dialogs()
    assert ladder_lines(dialog) == ["> INVITE", "< 180", "< 200", "> ACK", "> BYE", "< 200"]
