"""Bodies in their parts, without their encodings, bounded; SDP found wherever it is."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.body import MAX_DECODED, MAX_DEPTH, MAX_PARTS, body_of, decoded, parts_of, sdp_body
from sipreplay.sip.message import Message, parse_message

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def message(body: bytes, *headers: bytes) -> Message:
    head = b"\r\n".join([b"INVITE sip:x SIP/2.0", b"Call-ID: 1", *headers, b"Content-Length: %d" % len(body)])
    return parse_message(head + b"\r\n\r\n" + body)


def mixed(boundary: bytes, *parts: bytes, newline: bytes = b"\r\n") -> bytes:
    lines = b"".join(b"--" + boundary + newline + part + newline for part in parts)
    return lines + b"--" + boundary + b"--" + newline


def part(kind: bytes, content: bytes, more: bytes = b"") -> bytes:
    return b"Content-Type: " + kind + b"\r\n" + more + b"\r\n" + content


def test_sdp_beside_other_parts_and_within_nested_ones() -> None:
    inner = mixed(b"in", part(b"text/plain", b"hello"), part(b"Application/SDP;x=y", SDP))
    body = mixed(b"out", part(b"application/isup", b"\1\0\2"), part(b"multipart/alternative; boundary=in", inner))
    found = message(body, b'c: multipart/mixed;boundary="out"')
    assert sdp_body(found) == SDP
    kinds = [each.kind for each in parts_of(body, "multipart/mixed;boundary=out")]
    assert kinds == ["application/isup", "text/plain", "application/sdp"]


def test_parts_keep_their_bytes_and_headers() -> None:
    raw = bytes(range(256)) + b"\r\n--outside\r\n"
    (only,) = parts_of(mixed(b"b", part(b"x/y", raw, b"Content-ID: <1>\r\n")), "multipart/related;boundary=b")
    assert only.content == raw
    assert only.headers == [("Content-Type", "x/y"), ("Content-ID", "<1>")]


def test_a_boundary_counts_at_the_beginning_of_a_line_only() -> None:
    body = mixed(b"b", part(b"text/plain", b"this is not --b\r\nthe end"), part(b"application/sdp", SDP))
    assert [each.content for each in parts_of(body, "multipart/mixed;boundary=b")] == [
        b"this is not --b\r\nthe end",
        SDP,
    ]


def test_bare_line_feeds_and_an_end_that_is_missing() -> None:
    body = b"\n--b\nContent-Type: application/sdp\n\n" + SDP
    assert sdp_body(message(body, b"Content-Type: multipart/mixed;boundary=b")) == SDP


def test_a_part_in_base64() -> None:
    coded = part(b"application/sdp", base64.encodebytes(SDP), b"Content-Transfer-Encoding: base64\r\n")
    assert sdp_body(message(mixed(b"b", coded), b"Content-Type: multipart/mixed;boundary=b")) == SDP


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Encoding: gzip", gzip.compress(SDP)),
        (b"e: x-gzip", gzip.compress(SDP)),
        (b"Content-Encoding: deflate", zlib.compress(SDP)),
        (b"Content-Encoding: deflate, gzip", gzip.compress(zlib.compress(SDP))),
        (b"Content-Encoding: identity", SDP),
    ],
)
def test_encoded_bodies(header: bytes, body: bytes) -> None:
    assert sdp_body(message(body, header, b"Content-Type: application/sdp")) == SDP


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(SDP)[:-12]),
        ("br", SDP),
        ("gzip", gzip.compress(bytes(MAX_DECODED + 1))),
        ("gzip,gzip", gzip.compress(gzip.compress(bytes(100 * MAX_DECODED)))),
    ],
)
def test_what_cannot_be_decoded_or_grows_too_large(encoding: str, body: bytes) -> None:
    assert decoded(body, encoding) is None
    found = message(body, b"Content-Encoding: " + encoding.encode(), b"Content-Type: application/sdp")
    assert body_of(found) is None
    assert sdp_body(found) is None
    assert found.body == body


def test_parts_and_nesting_are_bounded() -> None:
    many = mixed(b"b", *[part(b"text/plain", b"x")] * (5 * MAX_PARTS))
    assert len(parts_of(many, "multipart/mixed;boundary=b")) <= MAX_PARTS + 1
    deep = SDP
    for level in range(3 * MAX_DEPTH):
        deep = mixed(b"b%d" % level, part(b"multipart/mixed;boundary=b%d" % (level - 1), deep))
    (only,) = parts_of(deep, f"multipart/mixed;boundary=b{3 * MAX_DEPTH - 1}")
    assert only.kind == "multipart/mixed"


def test_without_a_boundary_the_body_is_one_part() -> None:
    assert [each.content for each in parts_of(b"--b\r\n", "multipart/mixed")] == [b"--b\r\n"]


@given(st.binary(max_size=200), st.text(max_size=30), st.text(max_size=20))
def test_any_body_is_survived(body: bytes, kind: str, encoding: str) -> None:
    for content_type in (kind, "multipart/mixed;boundary=b"):
        framed = b"--b\r\n" + body + b"\r\n--b"
        assert sum(len(each.content) for each in parts_of(framed, content_type)) <= len(framed)
    decoded(body, encoding)


@given(st.lists(st.binary(max_size=60).filter(lambda data: b"--b" not in data), min_size=1, max_size=5))
def test_parts_come_back_as_they_were_put_in(contents: list[bytes]) -> None:
    body = mixed(b"b", *[b"\r\n" + content for content in contents])
    found = parts_of(body, "multipart/mixed;boundary=b")
    assert [each.content for each in found] == contents
