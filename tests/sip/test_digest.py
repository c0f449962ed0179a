"""Digest authentication, against the RFCs' own examples and SIPp's layout."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.digest import Challenge, authorization, parse_challenge, parse_credentials, response, verify
from sipreplay.sip.syntax import SipSyntaxError

RFC_7616 = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "password": "Circle of Life",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "method": "GET",
    "uri": "/dir/index.html",
    "qop": "auth",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
}


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, wanted: str) -> None:
    assert response(algorithm=algorithm, **RFC_7616) == wanted


def test_rfc_2617_section_3_5() -> None:
    found = response(
        algorithm="",
        username="Mufasa",
        realm="testrealm@host.com",
        password="Circle Of Life",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET",
        uri="/dir/index.html",
        qop="auth",
        cnonce="0a4f113b",
    )
    assert found == "6629fae49393a05397450978507c4ef1"


def test_a_challenge() -> None:
    found = parse_challenge(
        'Digest realm="a, \\"b\\"",\r\n nonce="n",opaque="",stale=TRUE,algorithm=SHA-256, qop="auth, Auth-Int"'
    )
    assert found == Challenge('a, "b"', "n", "", "SHA-256", ("auth", "auth-int"), stale=True)
    assert found.protection == "auth-int"


def test_of_several_challenges_the_first_of_each_parameter_counts() -> None:
    found = parse_challenge('Digest realm="one",nonce="1", Digest realm="two",nonce="2",algorithm=SHA-256')
    assert (found.realm, found.nonce) == ("one", "1")


def test_the_layout_is_sipp_s() -> None:
    found = authorization(
        Challenge("r", "n", "o", "", ("auth",)),
        username="u",
        password="p",
        method="INVITE",
        uri="sip:192.0.2.1:5060",
        cnonce="ab",
        nonce_count=2,
    )
    digest = found.partition('response="')[2][:32]
    assert found == (
        'Digest username="u",realm="r",cnonce="ab",nc=00000002,qop=auth,uri="sip:192.0.2.1:5060",'
        f'nonce="n",response="{digest}",algorithm=MD5,opaque="o"'
    )


def test_without_qop_there_is_neither_cnonce_nor_count() -> None:
    found = authorization(Challenge("r", "n"), username="u", password="p", method="REGISTER", uri="sip:h", cnonce="ab")
    assert "cnonce" not in found
    assert "nc=" not in found
    assert "opaque" not in found


@pytest.mark.parametrize("value", ["", "Basic abc", 'Digest realm="r"', "Digest", 'Basic realm="x"'])
def test_what_is_no_digest_challenge(value: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_challenge(value)


def test_an_unknown_algorithm_is_named() -> None:
    with pytest.raises(SipSyntaxError, match="'MD4' is not supported: MD5, SHA-256, SHA-512-256 and AKAv1-MD5 are"):
        authorization(Challenge("r", "n", None, "MD4"), username="u", password="p", method="M", uri="u")


@given(
    algorithm=st.sampled_from(
        ["", "MD5", "md5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess", "AKAv1-MD5"]
    ),
    qop=st.sampled_from([(), ("auth",), ("auth-int",), ("auth", "auth-int")]),
    username=st.text(min_size=1, max_size=20),
    password=st.text(max_size=20),
    body=st.binary(max_size=40),
)
def test_what_a_client_answers_the_server_accepts(
    algorithm: str, qop: tuple[str, ...], username: str, password: str, body: bytes
) -> None:
    value = authorization(
        Challenge("r", "n", None, algorithm, qop),
        username=username,
        password=password,
        method="INVITE",
        uri="sip:h",
        cnonce="c",
        body=body,
    )
    found = parse_credentials(value)
    assert verify(found, username=username, password=password, method="INVITE", body=body)
    assert not verify(found, username=username, password=password + "x", method="INVITE", body=body)
    assert not verify(found, username=username, password=password, method="BYE", body=body)
    if "auth-int" in qop:
        assert not verify(found, username=username, password=password, method="INVITE", body=body + b"x")


@given(st.text(max_size=80))
def test_only_syntax_errors_are_raised(text: str) -> None:
    for candidate in (text, "Digest nonce=" + text):
        with contextlib.suppress(SipSyntaxError):
            parse_challenge(candidate)
        with contextlib.suppress(SipSyntaxError):
            verify(parse_credentials(candidate), username="u", password="p", method="M")
