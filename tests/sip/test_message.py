"""Whole messages as they are found in the wild, and messages cut out of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.message import MAX_HEADERS, MAX_STREAM_HEAD, SipSyntaxError, parse_message, split_stream
from sipreplay.sip.scan import scan

BODY = b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n"


def message(*headers: bytes, body: bytes = b"", line: bytes = b"INVITE sip:bob@example.com SIP/2.0") -> bytes:
    return b"\r\n".join([line, *headers, b"", body])


USUAL = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1",
    b"From: sip:alice@example.com;tag=a1",
    b'To: "B; <tag=no>" <sip:bob@example.com;tag=uri>;x=y;tag=b1',
    b"Call-ID: c1",
    b"CSeq: 12 INVITE",
)


def test_a_request() -> None:
    found = parse_message(message(*USUAL, b"Content-Length: %d" % len(BODY), body=BODY))
    assert (found.is_request, found.method, found.request_uri) == (True, "INVITE", "sip:bob@example.com")
    assert (found.status, found.call_id, found.cseq_number, found.cseq_method) == (0, "c1", 12, "INVITE")
    assert (found.branch, found.from_tag, found.to_tag) == ("z9hG4bK-1", "a1", "b1")
    assert found.body == BODY
    assert found.headers[3] == ("Call-ID", "c1")
    assert found.get("l") == found.get("CONTENT-LENGTH") == str(len(BODY))


def test_a_response_with_and_without_reason() -> None:
    found = parse_message(message(*USUAL, line=b"SIP/2.0 486 Busy Here"))
    assert (found.is_request, found.status, found.reason, found.method) == (False, 486, "Busy Here", "")
    assert parse_message(message(*USUAL, line=b"SIP/2.0 100")).status == 100


def test_fields_taken_from_a_scan_equal_those_read() -> None:
    data = message(*USUAL)
    scanned = parse_message(data, scan(data))
    read = parse_message(data)
    for name in ("call_id", "branch", "cseq_number", "cseq_method", "from_tag", "to_tag"):
        assert getattr(scanned, name) == getattr(read, name)


def test_compact_folded_and_repeated_headers() -> None:
    found = parse_message(
        message(
            b"v: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK-2,\r\n SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1",
            b"V : SIP/2.0/UDP 192.0.2.0;branch=z9hG4bK-0",
            b"Subject: one\r\n\ttwo\r\n  three",
            b"no colon here",
            b"t: <sip:x>;tag=9",
        )
    )
    assert [v.rpartition("=")[2] for v in found.via_values] == ["z9hG4bK-2", "z9hG4bK-1", "z9hG4bK-0"]
    assert found.get("s") == "one two three"
    assert found.to_tag == "9"
    assert len(found.get_all("Via")) == 2


def test_the_top_via_is_the_same_before_and_after_all_headers_were_read() -> None:
    found = parse_message(message(b"v: SIP/2.0/UDP a;branch=top", b"Via: SIP/2.0/UDP b;branch=low"))
    before = list(found.via_values)
    assert found.branch == "top"
    assert found.headers
    assert found.via_values == before == ["SIP/2.0/UDP a;branch=top", "SIP/2.0/UDP b;branch=low"]


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_bare_line_feeds_and_line_ends_before_the_start_line(newline: bytes) -> None:
    found = parse_message(b"\r\n\r\n" + message(*USUAL, body=b"hello").replace(b"\r\n", newline))
    assert found.call_id == "c1"
    assert found.body == b"hello"


@pytest.mark.parametrize(
    ("length", "body"),
    [(b"Content-Length: 4", b"abcd"), (b"l: 99", b"abcdef"), (b"Content-Length: bad", b"abcdef"), (b"X: 1", b"abcdef")],
)
def test_a_datagram_s_body_is_what_content_length_says_and_what_there_is(length: bytes, body: bytes) -> None:
    found = parse_message(message(length, body=b"abcdef"))
    assert found.body == body
    assert found.surplus == (b"ef" if body == b"abcd" else b"")


def test_what_was_read_can_be_forgotten_and_read_again() -> None:
    found = parse_message(message(b"Via: SIP/2.0/UDP a;branch=z9hG4bK1", b"Via: SIP/2.0/UDP b", b"f: <sip:a@b>;tag=9"))
    before = found.headers, found.get_all("via"), found.from_tag, found.branch
    found.forget()
    assert (found.headers, found.get_all("via"), found.from_tag, found.branch) == before


def test_bytes_that_are_no_text_survive() -> None:
    found = parse_message(message(b"Subject: \xff\xfe\xc3\xa9"))
    subject = found.get("subject")
    assert subject is not None
    assert subject.encode("utf-8", "surrogateescape") == b"\xff\xfe\xc3\xa9"


def test_a_message_without_headers_or_without_an_end() -> None:
    assert parse_message(b"OPTIONS sip:x SIP/2.0\r\n\r\nbody").body == b"body"
    assert parse_message(b"OPTIONS sip:x SIP/2.0").headers == []
    assert parse_message(b"OPTIONS sip:x SIP/2.0\r\nTo: <sip:y>;tag=1").to_tag == "1"


def test_headers_are_bounded() -> None:
    assert len(parse_message(message(*[b"X: 1"] * (MAX_HEADERS * 3))).headers) <= MAX_HEADERS


@pytest.mark.parametrize(
    "line", [b"", b"hello", b"INVITE sip:x SIP/7.0", b"SIP/2.0 20 OK", b"SIP/2.0 OK", b"IN(VITE sip:x SIP/2.0"]
)
def test_what_is_no_start_line_is_refused(line: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_message(message(*USUAL, line=line))


@given(st.binary(max_size=600))
def test_only_syntax_errors_are_raised(data: bytes) -> None:
    for candidate in (data, message(*USUAL)[:60] + data):
        try:
            found = parse_message(candidate)
        except SipSyntaxError:
            continue
        for name in (
            "headers",
            "body",
            "surplus",
            "call_id",
            "from_tag",
            "to_tag",
            "branch",
            "via_values",
            "cseq_number",
        ):
            getattr(found, name)


def stream_message(number: int, body: bytes = b"") -> bytes:
    return message(b"Call-ID: %d" % number, b"Content-Length: %d" % len(body), body=body)


def test_a_stream_is_cut_by_content_length() -> None:
    first, second = stream_message(1, b"abc"), stream_message(2)
    messages, rest = split_stream(b"\r\n\r\n" + first + b"\r\n" + second + first[:30])
    assert messages == [first, second]
    assert rest == first[:30]
    assert split_stream(first[:-1]) == ([], first[:-1])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.data())
def test_a_stream_in_any_pieces_gives_the_same_messages(bodies: list[bytes], data: st.DataObject) -> None:
    wanted = [stream_message(n, body) for n, body in enumerate(bodies)]
    stream = b"\r\n\r\n".join(wanted)
    found: list[bytes] = []
    rest = b""
    while stream:
        size = data.draw(st.integers(1, 200))
        messages, rest = split_stream(rest + stream[:size])
        stream = stream[size:]
        found.extend(messages)
    assert found == wanted
    assert rest.strip(b"\r\n") == b""


def test_a_stream_recovers_after_garbage() -> None:
    good = stream_message(1, b"abc")
    messages, rest = split_stream(b"\x16\x03\x01garbage\r\nmore" + b"\r\n" + good)
    assert (messages, rest) == ([good], b"")


def test_garbage_in_a_stream_is_not_kept_for_ever() -> None:
    assert split_stream(b"x" * (MAX_STREAM_HEAD + 1)) == ([], b"")
    endless = b"INVITE sip:x SIP/2.0\r\nX: " + b"y" * MAX_STREAM_HEAD
    assert split_stream(endless) == ([], b"")


def test_without_content_length_a_stream_message_has_no_body() -> None:
    bare = message(b"Call-ID: 1")
    assert split_stream(bare + bare)[0] == [bare, bare]
