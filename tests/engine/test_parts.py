"""The small parts of an engine: headers, routes, SDP, wheel, rate, counters, reach, variables."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.engine.call import Call
from sipreplay.engine.counters import Samples
from sipreplay.engine.headers import cseq_of, header, header_values, tag_of, top_branch
from sipreplay.engine.rate import Rate
from sipreplay.engine.reach import allowed_networks, may_reach
from sipreplay.engine.route_set import route_set, split_addresses
from sipreplay.engine.sdp_target import media_targets
from sipreplay.engine.variables import is_set, parse_double, printed
from sipreplay.engine.wheel import Wheel
from sipreplay.errors import UsageError
from sipreplay.stats.histogram import Histogram, Repartition

MESSAGE = (
    b"SIP/2.0 200 OK\r\n"
    b"via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
    b"v: SIP/2.0/UDP b\r\n ;branch=z9hG4bK2\r\n"
    b'To: "a;tag=no" <sip:x@y;tag=no>;x=1;tag=yes\r\n'
    b"f: <sip:a@b>;tag=me\r\n"
    b"CSEQ:  7   INVITE\r\n"
    b"\r\n"
    b"To: body\r\n"
)


def test_headers_are_found_in_any_spelling_of_the_head_only() -> None:
    assert header_values(MESSAGE, b"Via") == [b"SIP/2.0/UDP a;branch=z9hG4bK1", b"SIP/2.0/UDP b ;branch=z9hG4bK2"]
    assert len(header_values(MESSAGE, b"To")) == 1
    assert header(MESSAGE, b"From") == b"<sip:a@b>;tag=me"
    assert header(MESSAGE, b"Route") == b""
    assert tag_of(MESSAGE, b"To") == b"yes"
    assert tag_of(MESSAGE, b"From") == b"me"
    assert top_branch(MESSAGE) == b"z9hG4bK1"
    assert cseq_of(MESSAGE) == (7, b"INVITE")


@given(st.binary(max_size=300))
def test_headers_of_noise_do_no_harm(data: bytes) -> None:
    for message in (data, b"INVITE sip:a SIP/2.0\r\nTo: " + data, b"X\r\nv:" + data + b"\r\n\r\n"):
        header_values(message, b"To")
        tag_of(message, b"To")
        top_branch(message)
        cseq_of(message)
        media_targets(message)
        route_set(message, response=True)


def test_route_sets() -> None:
    routes = b"Record-Route: <sip:a;lr>,<sip:b,x;lr>\r\nRecord-Route: <sip:c;lr>\r\n"
    head = b"SIP/2.0 200 OK\r\n" + routes + b'Contact: "A, B" <sip:d>\r\n\r\n'
    assert route_set(head, response=True) == (b"Route: <sip:c;lr>, <sip:b,x;lr>, <sip:a;lr>", b"sip:d")
    assert route_set(head, response=False) == (b"Route: <sip:a;lr>, <sip:b,x;lr>, <sip:c;lr>", b"sip:d")
    assert route_set(b"SIP/2.0 200 OK\r\n\r\n", response=True) is None
    strict = b"INVITE a SIP/2.0\r\nRecord-Route: <sip:strict>, <sip:loose;lr>\r\nContact: <sip:d>\r\n\r\n"
    assert route_set(strict, response=False) == (b"Route: <sip:loose;lr>, <sip:d>", b"sip:strict")
    assert split_addresses(b'"a,b" <x,y> , c') == [b'"a,b" <x,y>', b"c"]


def test_media_targets_of_an_answer() -> None:
    sdp = (
        b"SIP/2.0 200 OK\r\n\r\nv=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4100 RTP/AVP 0\r\n"
        b"m=video 5000 RTP/AVP 96\r\nc=IN IP4 10.0.0.2\r\nm=image 0 udptl t38\r\n"
    )
    assert media_targets(sdp) == {"audio": ("10.0.0.1", 4000), "video": ("10.0.0.2", 5000)}
    assert media_targets(b"SIP/2.0 200 OK\r\n\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n") == {}
    assert media_targets(b"SIP/2.0 200 OK\r\n\r\nc=IN IP6 fe80::1\r\nm=audio 4000 RTP/AVP 0\r\n") == {
        "audio": ("fe80::1", 4000)
    }


def test_the_wheel_wakes_after_the_time_and_keeps_one_entry_a_call() -> None:
    wheel = Wheel()
    call = Call(b"x", 1, None, 0.0)
    wheel.schedule(call, 1.5)
    wheel.schedule(call, 2.0)
    assert wheel.keys == [1501]
    wheel.schedule(call, 1.0)
    assert wheel.keys[0] == 1001
    assert wheel.pop() == [call]
    assert wheel.pop() == []


def test_due_times_do_not_drift_and_the_first_is_one_interval_away() -> None:
    rate = Rate(3.0, 100.0)
    due = []
    for _ in range(9):
        due.append(rate.next_due)
        rate.taken()
    assert due == pytest.approx([100 + n / 3 for n in range(1, 10)])
    rate.change(0.0, 200.0)
    assert rate.next_due == float("inf")


@given(st.lists(st.integers(-5, 10**10), min_size=1, max_size=300))
def test_samples_in_batches_are_the_histogram_of_each(values: list[int]) -> None:
    one, bins = Histogram(), Repartition([10, 200, 50])
    samples = Samples(Histogram(), Repartition([10, 200, 50]))
    for value in values:
        one.record(value)
        bins.record(value // 1000)
        samples.add(value)
    samples.flush()
    assert samples.histogram.to_dict() == one.to_dict()
    assert samples.bins is not None
    assert samples.bins.counts == bins.counts


def test_reach_is_loopback_and_the_remote_host_unless_told() -> None:
    default = allowed_networks([], "192.0.2.1")
    assert may_reach(default, ipaddress.ip_address("127.5.5.5"))
    assert may_reach(default, ipaddress.ip_address("::1"))
    assert may_reach(default, ipaddress.ip_address("192.0.2.1"))
    assert not may_reach(default, ipaddress.ip_address("192.0.2.2"))
    assert not may_reach(allowed_networks(["10.0.0.0/8"], ""), ipaddress.ip_address("127.0.0.1"))
    with pytest.raises(UsageError, match="nonsense"):
        allowed_networks(["nonsense"], "")


def test_values_are_set_and_printed_as_sipp_does() -> None:
    assert [is_set(value) for value in (None, b"", 0.0, 2.0, False, True)] == [False, True, False, True, False, True]
    assert [printed(value) for value in (None, b"x", 3.0, False)] == [b"", b"x", b"3.000000", b"false"]
    assert [parse_double(text) for text in (b" 1.5", b"2e3", b"0x10", b"1x", b"", b"1 ")] == [
        1.5,
        2000.0,
        16.0,
        None,
        None,
        None,
    ]
