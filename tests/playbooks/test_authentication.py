"""[authentication] and verifyauth: every algorithm, the header's bytes, nonce counts, several challenges, AKA."""

from __future__ import annotations

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.sip.digest import authorization, parse_challenge, parse_credentials, verify
from sipreplay.testing import Playbook
from tests.playbooks.test_scenarios import answer, request, scenario
from tests.sip.test_aka import KEY, NONCE, OPERATOR, RESPONSE

BODY = "Content-Type: text/plain\nContent-Length: [len]\n\nsecret words"


def challenged(keyword: str, challenge: str, header: str = "WWW-Authenticate", **settings: object) -> Playbook:
    """A REGISTER that was answered with this challenge; its second one is due."""
    play = Playbook(
        scenario(
            request("REGISTER"),
            f'<recv response="{"401" if header.startswith("W") else "407"}" auth="true"/>',
            request("REGISTER", keyword).replace("Content-Length: 0", BODY),
        ),
        **settings,
    )
    play.expects("REGISTER")
    play.replies("401 Unauthorized" if header.startswith("W") else "407 Wait", headers={header: challenge})
    return play


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["", "auth", "auth-int", "auth,auth-int"])
def test_every_algorithm_and_protection(algorithm: str, qop: str) -> None:
    protection = f',qop="{qop}"' if qop else ""
    challenge = f'Digest realm="here",nonce="abc"{protection},algorithm={algorithm},opaque="x"'
    second = challenged("[authentication username=joe password=secret]", challenge).expects("REGISTER")
    value = second.header("Authorization")
    given = parse_credentials(value)
    assert verify(given, username="joe", password="secret", method="REGISTER", body=b"secret words\r\n")
    assert given.qop == ("auth-int" if "auth-int" in qop else qop)
    assert given.nonce_count == ("00000001" if qop else "")
    # The layout is SIPp's, byte for byte.
    expected = authorization(
        parse_challenge(challenge),
        username="joe",
        password="secret",
        method="REGISTER",
        uri="sip:127.0.0.1:5070",
        cnonce=given.cnonce,
        body=b"secret words\r\n",
    )
    assert value == expected
    assert second.header("Content-Length").strip() == "14"


def test_aka_answers_with_res_of_its_keys() -> None:
    challenge = f'Digest realm="ims",nonce="{NONCE}",algorithm=AKAv1-MD5,qop="auth-int"'
    hexadecimal = f"[authentication username=joe aka_K=0x{KEY.hex()} aka_OP=0x{OPERATOR.hex()} aka_AMF=0xb9b9]"
    value = challenged(hexadecimal, challenge).expects("REGISTER").header("Authorization")
    given = parse_credentials(value)
    assert verify(given, username="joe", password=RESPONSE, method="REGISTER", body=b"secret words\r\n")
    assert given.algorithm == "AKAv1-MD5"


def test_a_key_of_aka_can_come_from_a_field_or_be_the_password() -> None:
    challenge = f'Digest realm="ims",nonce="{NONCE}",algorithm=AKAv1-MD5'
    line = f"[authentication username=joe password=0x{KEY.hex()} aka_OP=0x{OPERATOR.hex()}]"
    play = challenged("[field0]", challenge, injections={"u.csv": f"SEQUENTIAL\n{line}\n"})
    given = parse_credentials(play.expects("REGISTER").header("Authorization"))
    assert verify(given, username="joe", password=RESPONSE, method="REGISTER")


def test_a_challenge_of_aka_that_was_made_with_other_keys_fails_the_call() -> None:
    play = challenged("[authentication username=joe]", f'Digest realm="ims",nonce="{NONCE}",algorithm=AKAv1-MD5')
    play.expects("BYE")
    statistics = play.ended(failed=1)
    assert "MAC of the AKA challenge does not fit" in next(iter(statistics.examples.values())).got


def test_of_several_challenges_the_first_known_one_is_answered() -> None:
    play = Playbook(
        scenario(request("REGISTER"), '<recv response="401" auth="true"/>', request("REGISTER", "[authentication]"))
    )
    play.expects("REGISTER")
    play.replies(
        "401 Unauthorized",
        headers={
            "WWW-Authenticate": 'Digest realm="a",nonce="1",algorithm=NEW\r\n'
            'WWW-Authenticate: Digest realm="b",nonce="2",algorithm=SHA-256\r\n'
            'WWW-Authenticate: Digest realm="c",nonce="3",algorithm=MD5'
        },
    )
    given = parse_credentials(play.expects("REGISTER").header("Authorization"))
    assert (given.realm, given.nonce, given.algorithm) == ("b", "2", "SHA-256")


def test_uses_of_a_challenge_are_counted_and_a_new_one_starts_again() -> None:
    again = request("REGISTER", "[authentication]")
    play = Playbook(
        scenario(
            request("REGISTER"),
            '<recv response="401" auth="true"/>',
            again,
            '<recv response="200"/>',
            again,
            '<recv response="401" auth="true"/>',
            again,
        )
    )
    counts = []
    play.expects("REGISTER")
    for status, nonce in (("401 No", "1"), ("200 OK", ""), ("401 No", "2")):
        play.replies(
            status, headers={"WWW-Authenticate": f'Digest realm="r",nonce="{nonce}",qop="auth"'} if nonce else {}
        )
        given = parse_credentials(play.expects("REGISTER").header("Authorization"))
        counts.append((given.nonce, given.nonce_count))
    assert counts == [("1", "00000001"), ("1", "00000002"), ("2", "00000001")]


def test_a_407_is_answered_with_proxy_authorization_and_defaults() -> None:
    play = challenged("[authentication]", 'Digest realm="r",nonce="n"', "Proxy-Authenticate", service="desk")
    second = play.expects("REGISTER")
    assert second.header("Authorization") == ""
    given = parse_credentials(second.header("Proxy-Authorization"))
    assert given.username == "desk"
    assert verify(given, username="desk", password="password", method="REGISTER")


@pytest.mark.parametrize(
    ("algorithm", "password", "given", "holds"),
    [
        ("MD5", "secret", "secret", "true"),
        ("SHA-256", "secret", "secret", "true"),
        ("SHA-512-256-sess", "secret", "secret", "true"),
        ("AKAv1-MD5", RESPONSE, "".join(f"\\x{byte:02X}" for byte in RESPONSE), "true"),
        ("MD5", "secret", "other", "false"),
    ],
)
def test_verifyauth(algorithm: str, password: str | bytes, given: str, holds: str) -> None:
    play = Playbook(
        scenario(
            '<recv request="REGISTER"><action>'
            f'<verifyauth assign_to="ok" username="joe" password="{given}"/></action></recv>',
            answer("200 OK", "X: [$ok]"),
        )
    )
    challenge = parse_challenge(f'Digest realm="r",nonce="n",algorithm={algorithm},qop="auth"')
    other = authorization(challenge, username="eve", password="x", method="REGISTER", uri="sip:h", cnonce="c")
    value = authorization(challenge, username="joe", password=password, method="REGISTER", uri="sip:h", cnonce="c")
    play.sends(
        b"REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:a@h>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n"
        + f"Authorization: {other}\r\nAuthorization: {value}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert play.expects(200).header("X") == holds


def test_the_keyword_belongs_into_the_headers() -> None:
    with pytest.raises(ScenarioError, match=r"scenario.xml:6: <send>: \[authentication\] writes a header"):
        Playbook(scenario("<send><![CDATA[\nMESSAGE a SIP/2.0\nCall-ID: [call_id]\n\n[authentication]\n]]></send>"))
