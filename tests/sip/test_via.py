"""Via values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.via import branch_of, parse_via, parse_vias


def test_a_via_as_a_server_returns_it() -> None:
    found = parse_via("SIP / 2.0 / UDP  192.0.2.1:5060 ;branch=z9hG4bK-1;received=[2001:db8::1];rport=40000")
    assert (found.transport, found.host, found.port) == ("UDP", "192.0.2.1", 5060)
    assert (found.branch, found.received, found.rport) == ("z9hG4bK-1", "2001:db8::1", 40000)


def test_ipv6_no_port_empty_rport() -> None:
    found = parse_via("SIP/2.0/TLS [2001:db8::9];rport;branch=b")
    assert (found.host, found.port, found.rport) == ("2001:db8::9", None, None)


def test_a_list_is_in_order() -> None:
    found = parse_vias(["SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2", "SIP/2.0/TCP c:1;branch=3"])
    assert [v.branch for v in found] == ["1", "2", "3"]


def test_no_via() -> None:
    with pytest.raises(SipSyntaxError):
        parse_via("UDP 192.0.2.1")
    assert branch_of("nonsense") == ""


@given(st.text(alphabet="SIP/2.0UDP :;=branch[],\t1", max_size=60))
def test_only_syntax_errors_are_raised(text: str) -> None:
    branch_of(text)
    try:
        parse_vias([text, "SIP/2.0/UDP " + text])
    except SipSyntaxError:
        return
