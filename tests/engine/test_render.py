"""What keywords print."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.testing import Playbook


def printed(line: str, **settings: Any) -> str:
    """What a header of a first request prints."""
    text = (
        '<scenario name="x"><send><![CDATA[\nOPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/UDP x;branch=[branch]\n'
        "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: [call_id]\nCSeq: [cseq] OPTIONS\n"
        f"X: {line}\nContent-Length: 0\n\n"
        ']]></send><pause milliseconds="1"/></scenario>'
    )
    play = Playbook(text, **settings)
    play.passes(1.5)
    return play.expects("OPTIONS", within_s=0).header("X")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[remote_ip] [remote_host] [remote_port] [remote_port+2]", "127.0.0.1 127.0.0.1 5070 5072"),
        ("[local_ip] [local_ip_type] [local_port] [server_ip] [transport]", "127.0.0.1 4 5060 127.0.0.1 UDP"),
        ("[media_ip] [media_ip_type] [media_port] [media_port+1] [auto_media_port]", "127.0.0.1 4 6000 6001 6000"),
        ("[call_number] [call_id] [pid] [service] [users] [userid] [msg_index]", "1 1-1@127.0.0.1 1 service -1 0 0"),
        ("[cseq] [cseq+3] [branch] [branch-1]", "1 4 z9hG4bK-1-1-0 z9hG4bK-1-1--1"),
        ("a[last_Via]b[routes]c[peer_tag_param]d[next_url]e[last_cseq_number]", "abcde0"),
        ("[dynamic_id] [dynamic_id]", "10000 10004"),
        (r"\x41\x5Bx\x5D", "A[x]"),
    ],
)
def test_keywords(text: str, expected: str) -> None:
    assert printed(text) == expected


def test_time_keywords() -> None:
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", printed("[date]"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\.\d{6}\t\d+\.\d{6}", printed("[timestamp]"))
    assert printed("[clock_tick]").isdigit()


def test_settings_that_texts_print() -> None:
    assert printed("[local_ip] [server_ip]", advertise_ip="192.0.2.1") == "192.0.2.1 127.0.0.1"
    assert printed("[service] [k]", service="bob", keys={"k": "v"}) == "bob v"
    assert printed("[media_ip] [media_port]", media_ip="192.0.2.2", media_port=7000) == "192.0.2.2 7000"
    assert printed("[cseq]", base_cseq=50) == "50"


def test_files_and_fields() -> None:
    assert printed("[file name=a.txt]", read_file=lambda name: name.upper().encode()) == "A.TXT"
    injections = {"a.csv": "SEQUENTIAL\none;two\nthree;four\n", "b.csv": "RANDOM\nfive\n"}
    assert (
        printed('[field1] [field0 line=1] [field0 file="b.csv"] [field0 line=9]!', injections=injections)
        == "two three five !"
    )


def test_a_field_that_a_line_does_not_have_is_found_before_the_run() -> None:
    with pytest.raises(ScenarioError, match="field1") as caught:
        printed("[field1]", injections={"a.csv": "SEQUENTIAL\none;two\nthree\n"})
    assert caught.value.line == 3


def test_users_have_numbers_and_lines() -> None:
    assert printed("[userid] [users] [field0]", users=1, injections={"u.csv": "USER\nann\nbob\n"}) == "1 1 ann"
