"""URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import Uri, parse_uri


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sip:bob@example.com", Uri("sip", "bob", None, "example.com", None)),
        ("SIPS:bob:pw@[2001:db8::1]:5061;lr", Uri("sips", "bob", "pw", "2001:db8::1", 5061, {"lr": None})),
        ("sip:192.0.2.1:5070;transport=TCP", Uri("sip", None, None, "192.0.2.1", 5070, {"transport": "TCP"})),
        ("sip:+1;phone-context=x@h;user=phone", Uri("sip", "+1;phone-context=x", None, "h", None, {"user": "phone"})),
        ("sip:h?Replaces=a@b%3Bto-tag", Uri("sip", None, None, "h", None, {}, "Replaces=a@b%3Bto-tag")),
        ("sip:u?x@h", Uri("sip", "u?x", None, "h", None)),
        ("tel:+1-201;ext=2", Uri("tel", "+1-201", None, "", None, {"ext": "2"})),
        ("urn:service:sos", Uri("urn", None, None, "", None, opaque="service:sos")),
    ],
)
def test_uris(text: str, wanted: Uri) -> None:
    found = parse_uri(text)
    assert found == wanted
    assert parse_uri(str(found)) == found


@pytest.mark.parametrize("text", ["", "bob@example.com", "sip:h:port", "sip:h:99999", "sip:[::1", "1x:y"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_uri(text)


@given(st.text(max_size=80))
def test_only_syntax_errors_are_raised(text: str) -> None:
    for candidate in (text, "sip:" + text):
        try:
            str(parse_uri(candidate))
        except SipSyntaxError:
            continue
