"""Digest AKA: the password for a nonce that is made of a test set of 3GPP TS 35.208, and what is wrong with others."""

from __future__ import annotations

import base64

import pytest

from sipreplay.sip.aka import is_aka, password
from sipreplay.sip.syntax import SipSyntaxError

KEY = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPERATOR = bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318")
MANAGEMENT = bytes.fromhex("b9b9")
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
HIDDEN_SEQUENCE = bytes(
    a ^ b for a, b in zip(bytes.fromhex("ff9bb4d0b607"), bytes.fromhex("aa689c648370"), strict=True)
)
CODE = bytes.fromhex("4a9ffac354dfafb3")
RESPONSE = bytes.fromhex("a54211d5e3ba50bf")
NONCE = base64.b64encode(RAND + HIDDEN_SEQUENCE + MANAGEMENT + CODE).decode()


def test_the_password_is_res() -> None:
    assert password(NONCE, KEY, OPERATOR) == RESPONSE
    assert password(NONCE, KEY, OPERATOR, MANAGEMENT) == RESPONSE
    own_data = base64.b64encode(base64.b64decode(NONCE) + b"the server's").decode()
    assert password(own_data, KEY + b"more", OPERATOR) == RESPONSE


@pytest.mark.parametrize(
    ("nonce", "operator", "management", "words"),
    [
        ("no base64!", OPERATOR, b"", "must be base64"),
        ("YWJj", OPERATOR, b"", "must hold 32 bytes, not 3"),
        (NONCE, b"", b"", "MAC of the AKA challenge does not fit: look at aka_K, aka_OP and aka_AMF"),
        (NONCE, OPERATOR, b"\0\0", "MAC of the AKA challenge"),
    ],
)
def test_a_challenge_that_is_not_for_these_keys(nonce: str, operator: bytes, management: bytes, words: str) -> None:
    with pytest.raises(SipSyntaxError, match=words):
        password(nonce, KEY, operator, management)


def test_which_algorithms_are_aka() -> None:
    assert is_aka("AKAv1-MD5")
    assert not is_aka("MD5")
