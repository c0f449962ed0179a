"""What SDP says about media."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.analysis.media_map import MediaMap
from sipreplay.analysis.model import Address
from sipreplay.analysis.sdp_media import facts_in, media_facts, offers_answers
from tests.analysis.flow import A, B, Flow, P, call, sdp

A_MEDIA, B_MEDIA = Address(A.host, 4000), Address(B.host, 6000)


def roles(flow: Flow) -> list[tuple[str, bool]]:
    (dialog,) = flow.dialogs()
    return [(s.role, s.from_caller) for s in offers_answers(dialog)]


def test_streams_of_a_call_are_tied_to_it_with_direction_and_codecs() -> None:
    flow = Flow()
    call(flow)
    media = MediaMap(flow.dialogs())
    forward = media.find(A_MEDIA, B_MEDIA, 1000.1)
    backward = media.find(B_MEDIA, A_MEDIA, 1000.1)
    assert forward is not None
    assert backward is not None
    assert (forward.dialog, forward.from_caller, forward.kind) == (1, True, "audio")
    assert (backward.dialog, backward.from_caller) == (1, False)
    assert forward.codecs[0] == ("PCMU", 8000, 1)
    latched = media.find(A_MEDIA, Address("203.0.113.9", 9), 1000.1)
    assert latched is not None
    assert latched == forward._replace(by="source"), "a latching relay's stream"
    assert media.find(Address("203.0.113.9", 9), Address("203.0.113.9", 8), 1000.1) is None


def test_each_side_s_own_payload_numbers_are_known() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp(A.host, 4000, "rtpmap:101 opus/48000/2"))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000, "rtpmap:101 telephone-event/8000"))
    media = MediaMap(flow.dialogs())
    to_b, to_a = media.find(A_MEDIA, B_MEDIA, 1000.1), media.find(B_MEDIA, A_MEDIA, 1000.1)
    assert to_b is not None
    assert to_a is not None
    assert to_b.codecs[101][0] == "telephone-event"
    assert to_a.codecs[101][0] == "opus"


def test_a_reused_port_belongs_to_the_call_of_its_time() -> None:
    flow = Flow("first")
    call(flow)
    later = Flow("second")
    later.collector, later.time = flow.collector, 2000.0
    call(later)
    media = MediaMap(flow.dialogs())
    assert [found.dialog if (found := media.find(A_MEDIA, B_MEDIA, t)) else None for t in (1000.1, 1500, 2000.1)] == [
        1,
        None,
        2,
    ]


def test_of_the_hops_of_a_proxy_the_first_is_named() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE", body=sdp(A.host, 4000))
    flow.say(P, B, "INVITE", "1 INVITE", via="p1,b1", body=sdp(A.host, 4000))
    flow.say(B, P, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"), body=sdp(B.host, 6000))
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000))
    media = MediaMap(flow.dialogs())
    found = [media.find(A_MEDIA, B_MEDIA, 1000.1), media.find(B_MEDIA, A_MEDIA, 1000.1)]
    assert [(m.dialog, m.from_caller) for m in found if m] == [(1, True), (1, False)]


def test_rtcp_by_rule_by_attribute_and_by_mux() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp(A.host, 4000, "rtcp:4009 IN IP4 192.0.2.77"))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 6000, "rtcp-mux"))
    flow.say(A, B, "OPTIONS", "1 OPTIONS", call_id="x", body=sdp(A.host, 4100))
    media = MediaMap(flow.dialogs())
    assert set(media.rtcp) == {Address("192.0.2.77", 4009), B_MEDIA, Address(A.host, 4101)}


def test_held_refused_and_named_media_are_no_endpoints() -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE", body=sdp("0.0.0.0", 4000))
    flow.say(B, A, "183 X", "1 INVITE", tags=("a", "b"), body=sdp(B.host, 0))
    flow.say(B, A, "200 OK", "1 INVITE", tags=("a", "b"), body=sdp("media.example.com", 6000))
    assert MediaMap(flow.dialogs()).endpoints == {}


def test_ipv6_is_compared_by_value() -> None:
    flow = Flow()
    body = sdp("h", 4000).replace("IN IP4 h", "IN IP6 2001:DB8:0::1")
    flow.say(A, B, "INVITE", "1 INVITE", body=body)
    assert list(MediaMap(flow.dialogs()).endpoints) == [Address("2001:db8::1", 4000)]


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
