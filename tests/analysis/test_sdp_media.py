"""What SDP says about media."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.sdp_media import facts_in, media_facts, offers_answers
from tests.analysis.flow import A, B, Flow, sdp


def roles(flow: Flow) -> list[tuple[str, bool]]:
    (dialog,) = flow.dialogs()
    return [(s.role, s.from_caller) for s in offers_answers(dialog)]


def test_early_media_then_the_same_answer() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp(A.host, 4000))
    flow.say(B, A, "183 X", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000))
    assert roles(flow) == [("offer", True), ("answer", False), ("repeat", False)]


def test_an_offer_in_the_200_is_answered_in_the_ack() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000))
    flow.say(A, B, "ACK", "1 ACK", via="b2", tags=("a", "b"), body=sdp(A.host, 4000))
    assert roles(flow) == [("offer", False), ("answer", True)]


def test_a_challenged_offer_is_made_again_and_a_hold_comes_from_the_callee() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp(A.host, 4000))
    flow.say(B, A, "407 X", "1 INVITE", tags=("a", "c"))
    flow.say(A, B, "INVITE", "2 INVITE", via="b2", body=sdp(A.host, 4000))
    flow.say(B, A, "200 OK", "2 INVITE", via="b2", tags=("a", "b"), body=sdp(B.host, 6000))
    flow.say(B, A, "INVITE", "1 INVITE", via="c1", tags=("b", "a"), body=sdp(B.host, 6000, "sendonly"))
    flow.say(A, B, "200 OK", "1 INVITE", via="c1", tags=("b", "a"), body=sdp(A.host, 4000, "recvonly"))
    assert roles(flow) == [("offer", True), ("offer", True), ("answer", False), ("offer", False), ("answer", True)]


def test_broken_sdp_means_nothing() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body="not sdp\r\n")
    assert roles(flow) == []


SECTION = st.sampled_from(
    [
        "a=rtpmap:96 opus/48000/2\r\n",
        "a=rtcp:4001\r\n",
        "a=rtcp-mux\r\n",
        "a=candidate:1 1 UDP 1 192.0.2.7 4000 typ host\r\n",
        "a=sendonly\r\n",
        "b=AS:64\r\n",
        "c=IN IP4 192.0.2.8\r\n",
        "a=ptime:30\r\n",
        "m=video 5000 RTP/AVP 31\r\n",
        "k=clear:x\r\n",
        "junk\r\n",
    ]
)


@given(
    st.lists(SECTION, max_size=4),
    st.lists(SECTION, max_size=2),
    st.sampled_from(["- 1 1 IN IP4 h", "a b c", "- 99999999999999999999999 1 IN IP4 h"]),
    st.lists(
        st.tuples(st.sampled_from(["192.0.2.1", "0.0.0.0", "1.2.3", "host"]), st.sampled_from([0, 4000, 99999])),
        min_size=2,
        max_size=3,
    ),
)
def test_descriptions_that_differ_in_address_and_port_are_read_as_any_other(
    media: list[str], session: list[str], origin: str, places: list[tuple[str, int]]
) -> None:
    for host, port in places:
        body = (
            f"v=0\r\no={origin}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{''.join(session)}"
            f"m=audio {port} RTP/AVP 0 96\r\n{''.join(media)}"
        )
        head = "INVITE sip:b SIP/2.0\r\nCall-ID: c\r\nContent-Type: application/sdp\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        assert facts_in(data) == media_facts(body.encode())
