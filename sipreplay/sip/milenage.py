"""The Milenage functions of 3GPP TS 35.206, with which a USIM answers an AKA challenge (RFC 3310). Bytes in, bytes out.

Never keeps a sequence number and never resynchronises.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class Answer(NamedTuple):
    """What f2 to f5 make of a challenge."""

    response: bytes
    """RES, 8 bytes."""
    cipher_key: bytes
    integrity_key: bytes
    anonymity_key: bytes
    """AK, 6 bytes, which hides the sequence number."""


def operator_variant(key: bytes, operator: bytes) -> bytes:
    """OPc of K and OP, each 16 bytes."""
    return _xor(_encrypt(key, operator), operator)


def answer(key: bytes, variant: bytes, challenge: bytes) -> Answer:
    """RES, CK, IK and AK for a 16-byte RAND; `variant` is OPc."""
    start = _encrypt(key, _xor(challenge, variant))
    second = _block(key, variant, start, 0, 1)
    return Answer(second[8:], _block(key, variant, start, 4, 2), _block(key, variant, start, 8, 4), second[:6])


def authentication_code(key: bytes, variant: bytes, challenge: bytes, sequence: bytes, management: bytes) -> bytes:
    """MAC-A (f1, 8 bytes) for RAND, a 6-byte SQN and a 2-byte AMF."""
    start = _encrypt(key, _xor(challenge, variant))
    told = _xor((sequence + management) * 2, variant)
    # f1 turns by 64 bits, and its constant is 0.
    return _xor(_encrypt(key, _xor(start, told[8:] + told[:8])), variant)[:8]


def _block(key: bytes, variant: bytes, start: bytes, turned: int, constant: int) -> bytes:
    """OUT2 to OUT4: rotated by so many bytes, with that last byte of the constant."""
    text = _xor(start, variant)
    text = text[turned:] + text[:turned]
    return _xor(_encrypt(key, text[:15] + bytes((text[15] ^ constant,))), variant)


def _encrypt(key: bytes, block: bytes) -> bytes:
    # The kernel function of Milenage is one AES block, so there is no mode to speak of.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
