"""What is wrong with a message, in words: single rules, and that nothing makes the checks raise or run on."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import SipSyntaxError, parse_message
from sipreplay.sip.validate import DISCARD, Abilities, problems_in

HEAD = [
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
    b'From: "A" <sip:a@example.com>;tag=1',
    b"To: <sip:b@example.com>",
    b"Call-ID: 1@x",
    b"CSeq: 1 INVITE",
    b"Max-Forwards: 70",
    b"Contact: <sip:a@192.0.2.1:5060;transport=tcp>;expires=60",
]


def message(*changed: bytes, line: bytes = b"INVITE sip:b@example.com SIP/2.0", body: bytes = b"") -> bytes:
    """The usual headers, of which those with the same names are replaced."""
    names = {header.partition(b":")[0].lower() for header in changed}
    kept = [header for header in HEAD if header.partition(b":")[0].lower() not in names]
    return b"\r\n".join([line, *kept, *[header for header in changed if not header.endswith(b":-")], b"", body])


def rules(data: bytes, **options: object) -> list[tuple[str, int, bool]]:
    return [(each.rule, each.answer, each.fatal) for each in problems_in(data, **options)]


def test_a_usual_message_is_all_right() -> None:
    assert rules(message()) == []
    assert rules(message(line=b"SIP/2.0 200 OK")) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (message(b"To:-"), ("missing", 400, True)),
        (message(b"CSeq: x INVITE"), ("cseq", 400, True)),
        (message(b"CSeq: 2147483648 INVITE"), ("cseq", 400, True)),
        (message(b"CSeq: 1 BYE"), ("method", 400, True)),
        (message(b"Max-Forwards: many"), ("number", 400, False)),
        (message(b"Via: SIP/2.0/UDP [2001:db8::1;branch=z9hG4bK1"), ("via", 400, True)),
        (message(b"Via: SIP/2.0/UDP host:99999;branch=z9hG4bK1"), ("via", 400, True)),
        (message(b"From: Bob, Jr. <sip:b@x>;tag=1"), ("address", 400, True)),
        (message(b"To: <sip:b@x"), ("address", 400, True)),
        (message(b"To: <sip:b@x>;=1"), ("address", 400, True)),
        (message(b"To: <sip:b%zz@x>"), ("address", 400, True)),
        (message(b"To: <sip:a@b@c>"), ("address", 400, True)),
        (message(b"Contact: <sip:b@x>, , <sip:c@2001:db8::1>"), ("address", 400, True)),
        (message(b"Content-Length: 10", body=b"abc"), ("content-length", 400, True)),
        (message(b"Content-Length: 1", body=b"abc"), ("surplus", 200, False)),
        (message(line=b"INVITE sip:b@example.com SIP/3.0"), ("version", 505, True)),
        (message(line=b"INVITE  sip:b@example.com SIP/2.0"), ("start-line", 400, True)),
        (message(line=b"IN(VITE sip:b@example.com SIP/2.0"), ("start-line", 400, True)),
        (message(line=b"INVITE b@example.com SIP/2.0"), ("request-uri", 400, True)),
        (message(line=b"SIP/2.0 700 Odd"), ("status-code", DISCARD, True)),
        (message(line=b"SIP/2.0 OK"), ("start-line", DISCARD, True)),
        (b"", ("start-line", 400, True)),
    ],
)
def test_one_thing_wrong(data: bytes, expected: tuple[str, int, bool]) -> None:
    assert rules(data)[0] == expected


def test_a_response_is_never_answered() -> None:
    found = problems_in(message(b"CSeq: x INVITE", line=b"SIP/2.0 200 OK"))
    assert {problem.answer for problem in found} == {DISCARD}


def test_a_star_contact_and_a_tel_uri_are_fine() -> None:
    assert rules(message(b"Contact: *")) == []
    assert rules(message(b"To: <tel:+4930123;phone-context=x>", line=b"INVITE tel:+4930123 SIP/2.0")) == []


def test_a_stream_needs_content_length_and_has_no_surplus() -> None:
    assert rules(message(), stream=True) == [("content-length", 400, True)]
    assert rules(message(b"Content-Length: 0") + b"INVITE ", stream=True) == []


def test_what_can_be_done_is_the_callers_to_say() -> None:
    data = message(b"Require: foo", b"CSeq: 1 FOO", line=b"FOO sip:b@example.com SIP/2.0")
    assert [rule for rule, *_ in rules(data)] == ["unknown-method", "extension"]
    able = Abilities(methods=frozenset(("FOO",)), extensions=frozenset(("foo",)))
    assert rules(data, able=able) == []


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n ",
        b":",
        b";",
        b",",
        b'"',
        b"\\",
        b"<",
        b">",
        b"@",
        b"%",
        b"[",
        b"]",
        b"=",
        b" ",
        b"\xff",
        b"\0",
        b"SIP/2.0",
    ]
)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), PIECES), max_size=12))
def test_any_edit_is_survived(edits: list[tuple[int, int, bytes]]) -> None:
    data = message(b"Content-Type: application/sdp", body=b"v=0\r\n")
    for at, size, piece in edits:
        data = data[:at] + piece + data[at + size :]
    for problem in problems_in(data):
        assert problem.rule
        assert problem.what
        assert problem.section


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), PIECES), max_size=12))
def test_what_is_read_can_be_written_back(edits: list[tuple[int, int, bytes]]) -> None:
    """Start line, headers and body that were read make a message that reads the same."""
    data = message(b"Content-Type: application/sdp", body=b"v=0\r\n")
    for at, size, piece in edits:
        data = data[:at] + piece + data[at + size :]
    try:
        found = parse_message(data)
    except SipSyntaxError:
        return
    lines = [found.start_line, *(f"{name}: {value}" for name, value in found.headers), "", ""]
    again = parse_message("\r\n".join(lines).encode("utf-8", "surrogateescape") + found.body)
    assert again.headers == found.headers
    assert again.start_line == found.start_line
    assert (again.method, again.status, again.call_id) == (found.method, found.status, found.call_id)
    if found.missing == 0:
        assert again.body == found.body
    sdp_body(again)


HOSTILE = """
from sipreplay.sip.validate import problems_in
from sipreplay.sip.message import parse_message, SipSyntaxError
from sipreplay.sip.body import sdp_body
from sipreplay.sip.scan import scan
SIZE = 1 << 17
for unit in (b" ", b"\\t", b";", b",", b'"', b"\\\\", b"<", b">", b"a", b"a ", b"a.", b"-.", b"%", b":", b"\\n ",
             b"\\r\\n ", b"\\r", b"[", b"@", b"a=", b"= ", b";a=\\"", b"tag", b"; tag", b";branch ", b"SIP/",
             b"\\n", b"a:\\n"):
    long = unit * (SIZE // len(unit))
    for data in (
        b"INVITE sip:" + long + b" SIP/2.0\\r\\nCall-ID: 1\\r\\n\\r\\n",
        b"INVITE " + long,
        b"SIP/2.0 200" + long + b"\\r\\nCall-ID: 1\\r\\n\\r\\n",
        *(b"INVITE sip:x SIP/2.0\\r\\nCall-ID: 1\\r\\n" + name + b": " + long + b"\\x01\\r\\n\\r\\n"
          for name in (b"Via", b"From", b"t", b"Contact", b"CSeq", b"Date", b"Content-Length", b"Accept")),
        b"INVITE sip:x SIP/2.0\\r\\nc: multipart/mixed;boundary=" + long[:60] + b"\\r\\n\\r\\n" + long,
    ):
        problems_in(data)
        scan(data)
        try:
            found = parse_message(data)
        except SipSyntaxError:
            continue
        found.from_tag, found.to_tag, found.branch, found.body, found.via_values
        sdp_body(found)
print("done")
"""


def test_long_hostile_input_comes_to_an_end() -> None:
    """Each input is twice as long as any datagram: what is not linear in it would take minutes each, and is stopped."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    done = subprocess.run(
        [sys.executable, "-c", HOSTILE],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        timeout=900,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
