"""a=crypto lines, and packets opened with each suite: with the right key among wrong ones, over a wrap, with an MKI."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from sipreplay.rtp import srtp
from sipreplay.rtp.packet import RtpPacket, build_rtp, parse_rtp
from sipreplay.rtp.srtp import SUITES, CryptoKey, Decryptor, parse_crypto

MASTER = bytes(range(1, 47))


def crypto(suite: str, more: str = "", tag: int = 1, seed: int = 0) -> str:
    master = bytes(byte ^ seed for byte in MASTER[: SUITES[suite].key_bytes + SUITES[suite].salt_bytes])
    return f"{tag} {suite} inline:{base64.b64encode(master).decode()}{more}"


def protected(suite: str, packets: list[bytes], seed: int = 0) -> list[bytes]:
    (key,) = parse_crypto(crypto(suite, seed=seed))
    profile = SUITES[suite].profile
    if profile is not None:
        session = Session(Policy(key=key.master, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        return [session.protect(packet) for packet in packets]
    size = SUITES[suite].tag_bytes
    cipher, auth = (srtp._derived(key.master[:32], key.master[32:], label, n) for label, n in ((0, 32), (1, 20)))
    salt = int.from_bytes(srtp._derived(key.master[:32], key.master[32:], 2, 14), "big")
    out = []
    for number, packet in enumerate(packets):
        index = parse_rtp(packets[0]).sequence + number
        counter = (salt << 16) ^ (parse_rtp(packet).ssrc << 64) ^ (index << 16)
        body = packet[:12] + srtp._stream(cipher, counter, packet[12:])
        out.append(body + hmac.new(auth, body + (index >> 16).to_bytes(4, "big"), hashlib.sha1).digest()[:size])
    return out


def rtp(first: int, count: int) -> list[bytes]:
    return [
        build_rtp(RtpPacket(0, False, n & 0xFFFF, 160 * n & 0xFFFFFFFF, 7, bytes([n & 0xFF] * 20)))
        for n in range(first, first + count)
    ]


@pytest.mark.parametrize("suite", SUITES)
def test_the_key_that_fits_is_found_and_holds_over_a_wrap(suite: str) -> None:
    packets = rtp(65500, 100)
    keys = [key for seed in (3, 0, 5) for key in parse_crypto(crypto(suite, seed=seed))]
    decryptor = Decryptor(keys)
    assert [decryptor.open(packet) for packet in protected(suite, packets)] == packets
    assert decryptor.opened == 100


@pytest.mark.parametrize("suite", SUITES)
def test_a_part_of_the_packets_is_enough(suite: str) -> None:
    packets = rtp(65000, 1000)
    decryptor = Decryptor(parse_crypto(crypto(suite)))
    assert [decryptor.open(packet) for packet in protected(suite, packets)[::32]] == packets[::32]


@pytest.mark.parametrize("suite", SUITES)
def test_a_wrong_key_or_damage_opens_nothing(suite: str) -> None:
    packets = protected(suite, rtp(1, 5))
    assert all(Decryptor(parse_crypto(crypto(suite, seed=9))).open(packet) is None for packet in packets)
    decryptor = Decryptor(parse_crypto(crypto(suite)))
    assert decryptor.open(packets[0][:-1] + bytes([packets[0][-1] ^ 1])) is None
    assert decryptor.open(packets[0][:11]) is None


def test_a_new_key_in_the_middle() -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    decryptor = Decryptor([*parse_crypto(crypto(suite)), *parse_crypto(crypto(suite, seed=1))])
    packets = rtp(1, 20)
    sealed = protected(suite, packets[:10]) + protected(suite, packets[10:], seed=1)
    assert [decryptor.open(packet) for packet in sealed] == packets


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"])
def test_a_key_identifier_in_each_packet(suite: str) -> None:
    packets, size = rtp(1, 3), SUITES[suite].tag_bytes
    sealed = protected(suite, packets)
    if suite.startswith("AEAD"):
        sealed = [packet + b"\0\0\0\1" for packet in sealed]
    else:
        sealed = [packet[:-size] + b"\0\0\0\1" + packet[-size:] for packet in sealed]
    decryptor = Decryptor(parse_crypto(crypto(suite, "|2^20|1:4")))
    assert [decryptor.open(packet) for packet in sealed] == packets


def test_what_a_line_says() -> None:
    (key,) = parse_crypto(crypto("AES_CM_128_HMAC_SHA1_80", "|2^20|1:4", tag=3))
    assert key == CryptoKey(3, "AES_CM_128_HMAC_SHA1_80", MASTER[:30], 1 << 20, 4)
    line = crypto("AES_CM_128_HMAC_SHA1_80")
    assert len(parse_crypto(line + ";" + line.split()[2])) == 2
    for wrong in ("", "1", "x y z", line + " UNENCRYPTED_SRTP", line[:-8], "1 F8_128_HMAC_SHA1_80 inline:AAAA"):
        assert parse_crypto(wrong) == []


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused(text: str) -> None:
    for value in (text, f"1 AES_CM_128_HMAC_SHA1_80 inline:{text}", crypto("AEAD_AES_128_GCM", f"|{text}")):
        assert isinstance(parse_crypto(value), list)


def test_key_derivation_of_rfc_6188() -> None:
    key = bytes.fromhex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6")
    salt = bytes.fromhex("3b04803de51ee7c96423ab5b78d2")
    assert srtp._derived(key, salt, 0, 32).hex() == "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"
    assert srtp._derived(key, salt, 2, 14).hex() == "fa31791685ca444a9e07c6c64e93"
    assert srtp._derived(key, salt, 1, 20).hex() == "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"


@given(st.sampled_from(sorted(SUITES)), st.binary(max_size=80), st.sampled_from([0, 1500, 9000]))
def test_any_packet_is_opened_or_refused(suite: str, data: bytes, more: int) -> None:
    for mki in ("", "|1:4"):
        assert Decryptor(parse_crypto(crypto(suite, mki))).open(data + bytes(more)) is None
