"""Which address receives what for whom."""

from __future__ import annotations

from sipreplay.analysis.media_map import MediaMap
from sipreplay.analysis.model import Address
from tests.analysis.flow import A, B, Flow, P, call, sdp

A_MEDIA, B_MEDIA = Address(A.host, 4000), Address(B.host, 6000)


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
