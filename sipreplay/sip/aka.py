"""Digest AKA (RFC 3310): the password that a USIM with K and OP gives for the nonce of a challenge.

The MAC of the nonce is checked, its sequence number is not: there is no resynchronisation.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from sipreplay.sip.syntax import SipSyntaxError

ALGORITHM = "akav1-md5"
_NONCE_BYTES = 32
"""RAND, SQN hidden by AK, AMF, MAC; what follows is the server's own."""


def is_aka(algorithm: str) -> bool:
    """Whether a challenge with this algorithm is answered with `password`."""
    return algorithm.strip().lower().startswith(ALGORITHM)


def password(nonce: str, key: bytes, operator: bytes, management: bytes = b"") -> bytes:
    """RES, 8 bytes, for the nonce of a challenge (RFC 3310 section 3).

    `key` is K and `operator` OP, cut or filled with zeros to 16 bytes; `management` is AMF, that of the nonce if it is
    empty. Raises SipSyntaxError for a nonce that is none, and if its MAC is not made with these keys.
    """
    # Few need it, and what it needs takes long to load.
    from sipreplay.sip import milenage

    try:
        token = base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError):
        raise SipSyntaxError(f"the nonce of an AKA challenge must be base64, not {nonce[:40]!r}") from None
    if len(token) < _NONCE_BYTES:
        raise SipSyntaxError(f"the nonce of an AKA challenge must hold 32 bytes, not {len(token)}")
    challenge, hidden, told, code = token[:16], token[16:22], token[22:24], token[24:32]
    key = _sized(key, 16)
    variant = milenage.operator_variant(key, _sized(operator, 16))
    answer = milenage.answer(key, variant, challenge)
    sequence = bytes(a ^ b for a, b in zip(hidden, answer.anonymity_key, strict=True))
    management = _sized(management, 2) if management else told
    expected = milenage.authentication_code(key, variant, challenge, sequence, management)
    if not hmac.compare_digest(expected, code):
        raise SipSyntaxError("the MAC of the AKA challenge does not fit: look at aka_K, aka_OP and aka_AMF")
    return answer.response


def _sized(text: bytes, size: int) -> bytes:
    return text[:size].ljust(size, b"\0")
