"""The torture messages of RFC 4475 and RFC 5118, one by one: taken or rejected as the RFC says, for its reason."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from sipreplay.sip.address import parse_address_list
from sipreplay.sip.body import parts_of, sdp_body
from sipreplay.sip.framing import split_stream
from sipreplay.sip.message import Message, SipSyntaxError, parse_message
from sipreplay.sip.scan import scan
from sipreplay.sip.sdp import parse_sdp
from sipreplay.sip.uri import parse_uri
from sipreplay.sip.validate import ACCEPT, DISCARD, Problem, problems_in
from sipreplay.sip.via import parse_vias

ROOT = Path(os.environ.get("SIPREPLAY_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "torture"
FILES = {path.stem: path for path in sorted(ROOT.glob("*/*.dat"))} if ROOT.is_dir() else {}

pytestmark = pytest.mark.skipif(not FILES, reason="no torture messages here")


class Row(NamedTuple):
    """What the RFC says of one message."""

    name: str
    section: str
    """Of RFC 4475, or of RFC 5118 for the second table."""
    reason: str
    """In the RFC's sense, shortened."""
    rejected: bool = False
    """Whether it is no valid message."""
    rule: str = ""
    """The validator's word for the reason; "" where there is nothing to say."""
    answer: int = ACCEPT
    read: bool = True
    """Whether the tolerant reader makes a message of it all the same."""


RFC4475 = [
    Row("wsinv", "3.1.1.1", "well formed, with folding, white space and odd spellings everywhere"),
    Row(
        "intmeth",
        "3.1.1.2",
        "every character that is allowed; the method is not known",
        rule="unknown-method",
        answer=501,
    ),
    Row("esc01", "3.1.1.3", "escapes in URIs"),
    Row("escnull", "3.1.1.4", "escaped null octets in URIs"),
    Row("esc02", "3.1.1.5", "a % in the method is no escape: another method", rule="unknown-method", answer=501),
    Row("lwsdisp", "3.1.1.6", "no white space between display name and <"),
    Row("longreq", "3.1.1.7", "long values, 34 Vias in every spelling"),
    Row("dblreq", "3.1.1.8", "octets after Content-Length are ignored in a datagram", rule="surplus"),
    Row("semiuri", "3.1.1.9", "a semicolon in the user part"),
    Row("transports", "3.1.1.10", "known and unknown transports in Via"),
    Row("mpart01", "3.1.1.11", "a multipart body with a binary part"),
    Row("unreason", "3.1.1.12", "a reason phrase beyond ASCII"),
    Row("noreason", "3.1.1.13", "an empty reason phrase"),
    Row("badinv01", "3.1.2.1", "extra semicolons and commas after Via and Contact", True, "via", 400),
    Row("clerr", "3.1.2.2", "Content-Length is larger than the body", True, "content-length", 400),
    Row("ncl", "3.1.2.3", "Content-Length is negative", True, "content-length", 400),
    Row("scalar02", "3.1.2.4", "CSeq (and others) too large for their type", True, "cseq", 400),
    Row("scalarlg", "3.1.2.5", "the same in a response: it is dropped", True, "cseq", DISCARD),
    Row("quotbal", "3.1.2.6", "a quoted display name does not end", True, "address", 400),
    Row("ltgtruri", "3.1.2.7", "the Request-URI is enclosed in <>", True, "request-uri", 400),
    Row("lwsruri", "3.1.2.8", "white space within the Request-URI", True, "request-uri", 400),
    Row("lwsstart", "3.1.2.9", "several spaces in the request line", True, "start-line", 400),
    Row("trws", "3.1.2.10", "spaces at the end of the request line", True, "start-line", 400),
    Row("escruri", "3.1.2.11", "headers in the Request-URI", True, "request-uri", 400),
    Row("baddate", "3.1.2.12", "a Date in another zone than GMT", True, "date", 400),
    Row("regbadct", "3.1.2.13", "a URI with headers is not enclosed in <>", True, "address", 400),
    Row("badaspec", "3.1.2.14", "spaces within the brackets of an address", True, "address", 400),
    Row("baddn", "3.1.2.15", "a comma in a display name without quotes", True, "address", 400),
    Row("badvers", "3.1.2.16", "an unknown version", True, "version", 505, read=False),
    Row("mismatch01", "3.1.2.17", "CSeq names another method", True, "method", 400),
    Row("mismatch02", "3.1.2.18", "CSeq names another method than the unknown one", True, "method", 400),
    Row(
        "bigcode", "3.1.2.19", "a status code past all classes: it is dropped", True, "status-code", DISCARD, read=False
    ),
    Row("badbranch", "3.2.1", "a branch without identifier: refused, or taken as RFC 2543", rule="branch", answer=400),
    Row("insuf", "3.3.1", "Call-ID, From and To are missing", True, "missing", 400),
    Row("unkscm", "3.3.2", "the Request-URI's scheme is unknown", rule="scheme", answer=416),
    Row("novelsc", "3.3.3", "the Request-URI's scheme is known but not for SIP", rule="scheme", answer=416),
    Row("unksm2", "3.3.4", "To of a REGISTER is no SIP URI", rule="address-of-record", answer=400),
    Row("bext01", "3.3.5", "unknown extensions are required", rule="extension", answer=420),
    Row("invut", "3.3.6", "a body of an unknown type", rule="content-type", answer=415),
    Row("regaut01", "3.3.7", "credentials of an unknown scheme count as none", rule="credentials", answer=401),
    Row("multi01", "3.3.8", "several values where one is allowed", True, "repeated", 400),
    Row("mcl01", "3.3.9", "two different Content-Lengths", True, "repeated", 400),
    Row("bcast", "3.3.10", "a response with a second Via: not for whoever gets it", rule="via", answer=DISCARD),
    Row("zeromf", "3.3.11", "Max-Forwards is zero: proxies refuse, a server answers", rule="hops", answer=483),
    Row("cparam01", "3.3.12", "an unknown parameter of Contact"),
    Row("cparam02", "3.3.13", "an unknown parameter of Contact's URI"),
    Row("regescrt", "3.3.14", "a header within Contact's URI"),
    Row("sdp01", "3.3.15", "no session description is accepted in the answer", rule="accept", answer=406),
    Row("inv2543", "3.4.1", "an INVITE of RFC 2543: no branch, no tag, no Content-Length, no Max-Forwards"),
]
RFC5118 = [
    Row("ipv6-good", "4.1", "IPv6 in the Request-URI, in brackets"),
    Row("ipv6-bad", "4.2", "IPv6 in the Request-URI without brackets", True, "request-uri", 400),
    Row("port-ambiguous", "4.3", "what may be meant for a port is the address's last part"),
    Row("port-unambiguous", "4.4", "a port after the bracket"),
    Row("via-received-param-no-delim", "4.5", "received without brackets"),
    Row("via-received-param-with-delim", "4.5", "received with brackets, taken too", rule="received"),
    Row("ipv6-in-sdp", "4.6", "IPv6 in SDP"),
    Row("mult-ip-in-header", "4.7", "both families in Via"),
    Row("mult-ip-in-sdp", "4.8", "both families in SDP"),
    Row("ipv4-mapped-ipv6", "4.9", "IPv4 mapped into IPv6"),
    Row("ipv6-bug-abnf-3-colons", "4.10", "the colon too many of RFC 3261's grammar, taken too", rule="colons"),
    Row("ipv6-correct-abnf-2-colons", "4.10", "the right form"),
]
TABLE = RFC4475 + RFC5118
WRONG_LENGTH = {"ipv6-in-sdp", "mult-ip-in-sdp"}
"""Files whose Content-Length is not that of their body as it was taken out of the RFC's text; it is put right first."""


def content(name: str) -> bytes:
    data = FILES[name].read_bytes()
    if name in WRONG_LENGTH:
        body = data.partition(b"\n\n")[2] or data.partition(b"\r\n\r\n")[2]
        data = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), data)
    return data


def test_the_table_has_every_file() -> None:
    assert sorted(row.name for row in TABLE) == sorted(FILES)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_taken_or_rejected_as_the_rfc_says(row: Row) -> None:
    data = content(row.name)
    found = problems_in(data)
    assert any(problem.fatal for problem in found) == row.rejected, (row.section, row.reason, found)
    first: Problem | None = found[0] if found else None
    assert (first.rule if first else "") == row.rule, (row.reason, found)
    assert (first.answer if first else ACCEPT) == row.answer, (row.reason, found)
    if row.rejected:
        assert {problem.answer for problem in found if problem.fatal} == {row.answer}
    try:
        parse_message(data)
        read = True
    except SipSyntaxError:
        read = False
    assert read == row.read


def test_each_value_that_is_too_large_is_named() -> None:
    named = " ".join(problem.what for problem in problems_in(content("scalar02")))
    assert all(name in named for name in ("CSeq", "Max-Forwards", "Expires"))


def test_each_missing_and_each_repeated_header_is_named() -> None:
    missing = {problem.what for problem in problems_in(content("insuf")) if problem.rule == "missing"}
    assert missing == {"no Call-ID", "no From", "no To"}
    repeated = " ".join(problem.what for problem in problems_in(content("multi01")) if problem.fatal)
    assert all(name in repeated for name in ("Call-ID", "CSeq", "From", "To", "Max-Forwards"))


def read_everything(found: Message) -> None:
    for call in (
        lambda: parse_uri(found.request_uri),
        lambda: parse_vias(found.via_values),
        lambda: parse_address_list(found.get_all("contact")),
        lambda: parse_address_list(found.get_all("route")),
        lambda: parse_address_list(found.get_all("to")),
        lambda: parse_sdp(sdp_body(found) or b""),
    ):
        try:
            call()
        except SipSyntaxError:
            continue


@pytest.mark.parametrize("name", FILES)
def test_only_syntax_errors_are_raised(name: str) -> None:
    data = FILES[name].read_bytes()
    scanned = scan(data)
    split_stream(data)
    for cut in (len(data), len(data) // 2, 20):
        problems_in(data[:cut])
        try:
            found = parse_message(data[:cut])
        except SipSyntaxError:
            continue
        read_everything(found)
        if cut == len(data) and scanned is not None:
            assert found.call_id == scanned.call_id.decode("utf-8", "surrogateescape")
            assert found.branch == scanned.branch.decode("utf-8", "surrogateescape")


def torture(name: str) -> Message:
    return parse_message(FILES[name].read_bytes())


def test_wsinv_a_short_tortuous_invite() -> None:
    found = torture("wsinv")
    assert found.method == "INVITE"
    assert found.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert (found.cseq_number, found.cseq_method) == (9, "INVITE")
    assert len(parse_vias(found.via_values)) == 3
    assert found.from_tag == "98asjd8"
    assert sdp_body(found) is not None


def test_intmeth_an_unusual_method_and_quoting() -> None:
    found = torture("intmeth")
    assert found.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert found.cseq_method == found.method
    uri = parse_uri(found.request_uri)
    assert (uri.host, uri.user) == ("example.com", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")


def test_dblreq_two_requests_in_one_datagram() -> None:
    found = torture("dblreq")
    assert found.method == "REGISTER"
    assert found.surplus.lstrip().startswith(b"INVITE ")


def test_mpart01_keeps_a_body_of_bytes() -> None:
    found = torture("mpart01")
    text, binary = parts_of(found.body, found.get("content-type") or "")
    assert (text.kind, text.content) == ("text/plain", b"Hello")
    assert binary.kind == "application/octet-stream"
    assert binary.content.startswith(b"0\x82")
    assert int.from_bytes(binary.content[2:4], "big") == len(binary.content) - 4


def test_clerr_is_used_as_far_as_it_goes() -> None:
    found = torture("clerr")
    assert found.missing == 9999 - len(found.body) > 0
    assert sdp_body(found) == found.body
