"""The routing fields of a message, in every spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.message import SipSyntaxError, parse_message
from sipreplay.sip.scan import Scan, scan

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport\r\n"
    b"From: Alice <sip:alice@example.com>;tag=a\r\n"
    b"To: <sip:bob@example.com>\r\n"
    b"Call-ID: 1@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Content-Length: 0\r\n\r\n"
)
FOUND = Scan(b"INVITE", 0, b"1@192.0.2.1", 7, b"INVITE", b"z9hG4bK-1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b""),
        (b"Call-ID:", b"i:"),
        (b"Call-ID:", b"CALL-ID :"),
        (b"Call-ID: ", b"Call-ID:"),
        (b"Call-ID: ", b"Call-ID:\r\n\t"),
        (b"Via:", b"v:"),
        (b"Via: ", b"via:\t"),
        (b";branch=", b" ;Branch = "),
        (b";branch=z9hG4bK-1", b"\r\n ;branch=z9hG4bK-1"),
        (b";branch=z9hG4bK-1", b";branch=z9hG4bK-1,SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-0"),
        (b"Via:", b"v: SIP/2.0/TCP 192.0.2.5;branch=z9hG4bK-1\r\nVia:"),
        (b"CSeq: 7 INVITE", b"cseq:  7   INVITE"),
        (b"\r\n", b"\n"),
        (b"INVITE sip", b"\r\n\r\nINVITE sip"),
        (b"SIP/2.0\r\n", b"sip/2.0\r\n"),
    ],
)
def test_spellings(old: bytes, new: bytes) -> None:
    assert scan(INVITE.replace(old, new, -1 if old == b"\r\n" else 1)) == FOUND


def test_cseq_before_call_id_and_headers_before_via() -> None:
    lines = INVITE.split(b"\r\n")
    order = [lines[0], lines[5], lines[3], lines[1], lines[4], lines[2], *lines[6:]]
    assert scan(b"\r\n".join(order)) == FOUND


def test_a_response_has_a_code_and_no_method() -> None:
    data = INVITE.replace(b"INVITE sip:bob@example.com SIP/2.0", b"SIP/2.0 180 Ringing")
    assert scan(data) == FOUND._replace(method=b"", code=180)
    assert scan(data.replace(b" Ringing", b"")) == FOUND._replace(method=b"", code=180)


def test_header_names_in_the_body_do_not_count() -> None:
    head, _, _ = INVITE.replace(b"Call-ID: 1@192.0.2.1\r\n", b"").partition(b"\r\n\r\n")
    assert scan(head + b"\r\n\r\nx\r\nCall-ID: fragment\r\n") is None


def test_without_via_branch_or_cseq_what_is_there_is_found() -> None:
    assert scan(INVITE.replace(b";branch=z9hG4bK-1", b"")) == FOUND._replace(branch=b"")
    assert scan(INVITE.replace(b"CSeq: 7 INVITE\r\n", b"")) == FOUND._replace(cseq_number=0, cseq_method=b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x80\x00\x12\x34rtp",
        b"GET / HTTP/1.1\r\nCall-ID: x\r\n\r\n",
        b"SIP/2.0 4294967301 better not\r\nCall-ID: x\r\n\r\n",
        INVITE.replace(b"Call-ID", b"X-ID"),
        INVITE.replace(b"1@192.0.2.1", b""),
    ],
)
def test_what_is_not_sip_or_has_no_call_id_is_none(data: bytes) -> None:
    assert scan(data) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_taken(data: bytes) -> None:
    scan(data)
    scan(INVITE[:40] + data)


@given(st.data())
def test_scan_agrees_with_the_full_parser(data: st.DataObject) -> None:
    names = {"via": [b"Via", b"v", b"VIA"], "call-id": [b"Call-ID", b"i"], "cseq": [b"CSeq", b"CSEQ"]}
    colon = st.sampled_from([b": ", b":", b" : ", b":\r\n "])
    token = st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True).map(str.encode)
    lines = [
        data.draw(st.sampled_from(names["via"])) + data.draw(colon) + b"SIP/2.0/UDP h;branch=" + data.draw(token),
        data.draw(st.sampled_from(names["call-id"])) + data.draw(colon) + data.draw(token),
        data.draw(st.sampled_from(names["cseq"])) + data.draw(colon) + b"3 OPTIONS",
        b"Subject: " + data.draw(token),
    ]
    newline = data.draw(st.sampled_from([b"\r\n", b"\n"]))
    message = newline.join([b"OPTIONS sip:x SIP/2.0", *data.draw(st.permutations(lines)), b"", b""])
    try:
        full = parse_message(message)
    except SipSyntaxError:
        pytest.fail("a well-formed message")
    found = scan(message)
    assert found is not None
    assert found.call_id.decode() == full.call_id
    assert found.branch.decode() == full.branch
    assert (found.cseq_number, found.cseq_method.decode()) == (full.cseq_number, full.cseq_method) == (3, "OPTIONS")
