"""The torture messages of RFC 4475 and RFC 5118: nothing but a syntax error is ever raised, and valid ones are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipreplay.sip.address import parse_address_list
from sipreplay.sip.body import find_sdp
from sipreplay.sip.message import Message, SipSyntaxError, parse_message, split_stream
from sipreplay.sip.scan import scan
from sipreplay.sip.sdp import parse_sdp
from sipreplay.sip.uri import parse_uri
from sipreplay.sip.via import parse_vias

ROOT = Path(os.environ.get("SIPREPLAY_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "torture"
FILES = sorted(ROOT.glob("*/*.dat")) if ROOT.is_dir() else []

pytestmark = pytest.mark.skipif(not FILES, reason="no torture messages here")


def read_everything(found: Message) -> None:
    for call in (
        lambda: parse_uri(found.request_uri),
        lambda: parse_vias(found.via_values),
        lambda: parse_address_list(found.get_all("contact")),
        lambda: parse_address_list(found.get_all("route")),
        lambda: parse_address_list(found.get_all("to")),
        lambda: parse_sdp(find_sdp(found.body, found.get("content-type")) or b""),
    ):
        try:
            call()
        except SipSyntaxError:
            continue


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_syntax_errors_are_raised(path: Path) -> None:
    data = path.read_bytes()
    scanned = scan(data)
    split_stream(data)
    for cut in (len(data), len(data) // 2, 20):
        try:
            found = parse_message(data[:cut])
        except SipSyntaxError:
            continue
        read_everything(found)
        if cut == len(data) and scanned is not None:
            assert found.call_id == scanned.call_id.decode("utf-8", "surrogateescape")
            assert found.branch == scanned.branch.decode("utf-8", "surrogateescape")


def torture(name: str) -> Message:
    path = next((p for p in FILES if p.stem == name), None)
    if path is None:
        pytest.skip(f"{name} is not here")
    return parse_message(path.read_bytes())


def test_wsinv_a_short_tortuous_invite() -> None:
    found = torture("wsinv")
    assert found.method == "INVITE"
    assert found.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert (found.cseq_number, found.cseq_method) == (9, "INVITE")
    assert len(parse_vias(found.via_values)) == 3
    assert found.from_tag == "98asjd8"
    assert find_sdp(found.body, found.get("content-type")) is not None


def test_intmeth_an_unusual_method_and_quoting() -> None:
    found = torture("intmeth")
    assert found.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert found.cseq_method == found.method


def test_dblreq_two_requests_in_one_datagram() -> None:
    found = torture("dblreq")
    assert found.method == "REGISTER"
    assert found.surplus.lstrip().startswith(b"INVITE ")


def test_mpart01_keeps_a_body_of_bytes() -> None:
    assert torture("mpart01").body.startswith(b"--")
