from __future__ import annotations

import pytest

from sipreplay.learn.names import Names, Parties, cut_address, ip_literal
from sipreplay.learn.text import Column, Line, Literal, Live
from sipreplay.learn.unit import CALLEE, CALLER
from sipreplay.sip.uri import parse_uri


def parties() -> Parties:
    hosts = {
        "10.0.0.1": {CALLER},
        "10.0.0.2": {CALLEE},
        "10.0.0.3": set(),
        "127.0.0.1": {CALLER, CALLEE},
        "2001:db8::1": {CALLER},
    }
    columns = {"caller": "alice", "callee": "bob", "domain": "example.com", "caller_name": "Al"}
    return Parties(hosts, columns, "alice", "bob")


def shown(line: Line) -> str:
    """Literals as they are, columns in braces."""
    return "".join(
        p.text if isinstance(p, Literal | Live) else "{" + p.name + "}" if isinstance(p, Column) else "?" for p in line
    )


@pytest.mark.parametrize(
    ("role", "uri", "written"),
    [
        ("uac", "sip:bob@example.com", "sip:{callee}@{domain}"),
        ("uac", "sip:bob@10.0.0.2:5080;user=phone", "sip:{callee}@[remote_ip]:[remote_port];user=phone"),
        ("uac", "sip:carol@10.0.0.1", "sip:carol@[local_ip]"),
        ("uac", "sip:alice@10.0.0.3:5060", "sip:{caller}@[remote_ip]:[remote_port]"),
        ("uac", "sip:[2001:db8::1]:5060;transport=tcp;lr", "sip:[local_ip]:[local_port];transport=[transport];lr"),
        ("uac", "sip:bob:secret@example.com;maddr=10.0.0.9?X=10.0.0.1", "sip:{callee}:secret@{domain}?X=[local_ip]"),
        ("uac", "tel:+49301234;phone-context=example.com", "tel:+49301234;phone-context=example.com"),
        ("uac", "urn:service:sos", "urn:service:sos"),
        ("uas", "sip:bob@10.0.0.2:5060", "sip:[$callee]@[local_ip]:[local_port]"),
        ("uas", "sip:alice@10.0.0.1:5060", "sip:alice@192.0.2.1:5060"),
        ("uas", "sip:alice@example.com", "sip:alice@example.com"),
    ],
)
def test_uris(role: str, uri: str, written: str) -> None:
    assert shown(Names(parties(), role).uri(parse_uri(uri), "")) == written


def test_where_both_sides_have_one_address_the_place_decides() -> None:
    names = Names(parties(), "uac")
    assert shown(names.host("127.0.0.1", None, CALLER)) == "[local_ip]"
    assert shown(names.host("127.0.0.1", None, CALLEE)) == "[remote_ip]"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("from 10.0.0.1:5060 to 10.0.0.2", "from [local_ip]:5060 to [remote_ip]"),
        ("version 10.0.0.1.5 and 1.2.3.4", "version 10.0.0.1.5 and 1.2.3.4"),
        ("via 10.0.0.3, 2001:db8::1", "via 192.0.2.1, [local_ip]"),
        ("c=0.0.0.0", "c=0.0.0.0"),
    ],
)
def test_addresses_in_any_text(text: str, written: str) -> None:
    assert shown(Names(parties(), "uac").swept(text)) == written


@pytest.mark.parametrize(
    "value",
    [
        '"Al" <sip:a@b>;tag=1',
        '"a \\" <b" <sip:a@b>',
        "Al  <sip:a@b;x=1>;q=0.5",
        "sip:a@b;tag=1",
        "<sip:a@b>",
        '"unclosed <sip:a@b>',
        "<sip:a@b",
        "",
        '"',
        '""<sip:a>',
    ],
)
def test_an_address_value_cut_and_joined_is_itself(value: str) -> None:
    assert "".join(cut_address(value)) == value


def test_a_display_name_is_a_column_and_its_quotes_stay() -> None:
    assert shown(Names(parties(), "uac").address('"Al" <sip:alice@example.com>;tag=x', CALLER, ())) == (
        '"{caller_name}" <sip:{caller}@{domain}>'
    )


def test_address_literals() -> None:
    assert ip_literal("[2001:DB8::1]") == "2001:db8::1"
    assert ip_literal("010.0.0.1") == ""
    assert ip_literal("example.com") == ""
