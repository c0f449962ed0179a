"""TLS connections of OpenSSL, read with their key logs: whole, in pieces, with losses, resumed, and without keys."""

from __future__ import annotations

import re
import ssl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipreplay.capture.tls import (
    CUT_HANDSHAKE,
    MAX_WAITING_BYTES,
    NO_HANDSHAKE,
    NO_LOG,
    NOT_IN_LOG,
    Secrets,
    TlsConnection,
)
from sipreplay.capture.tls_keys import KeyLog
from tests.capture.tls_talk import CLIENT, SERVER, Talk, contexts, talk, talk_configured

SAID = [(CLIENT, b"one" * 100), (SERVER, b"two" * 9000), (CLIENT, b"three"), (SERVER, b"four"), (CLIENT, b"five")]
RSA_SUITES = [
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "AES128-GCM-SHA256",
    "AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "AES256-SHA256",
    "ECDHE-RSA-AES256-SHA384",
]
EC_SUITES = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES256-CCM"]
SUITES_13 = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


def connection(keylog: bytes = b"") -> TlsConnection:
    keys = KeyLog()
    keys.add(keylog)
    return TlsConnection(Secrets(keys))


def read(held: Talk, keylog: bytes | None = None, lost: tuple[int, ...] = (), into=None) -> tuple[TlsConnection, list]:
    """The connection and its plain bytes, when the flights of these numbers are missing from the capture."""
    found = into or connection(held.keylog if keylog is None else keylog)
    plain, missing = [], [0, 0]
    for number, (who, data) in enumerate(held.flights):
        if number in lost:
            missing[who] += len(data)
        else:
            plain += found.feed(who, data, missing[who], number < 2)
            missing[who] = 0
    return found, plain


def said_by(plain: list, who: int) -> bytes:
    return b"".join(piece.payload for piece in plain if piece.half == who)


def all_of(who: int) -> bytes:
    return b"".join(text for sender, text in SAID if sender == who)


def check(held: Talk, version: str) -> None:
    found, plain = read(held)
    assert [said_by(plain, who) for who in (CLIENT, SERVER)] == [all_of(CLIENT), all_of(SERVER)]
    assert (found.version, found.client_half, found.server_name) == (version, CLIENT, "sip.example.com")
    assert (found.failed, found.incomplete) == (0, "")
    assert not any(piece.lost for piece in plain)


@pytest.mark.parametrize(
    ("suite", "etm"),
    [(suite, True) for suite in RSA_SUITES] + [(suite, False) for suite in RSA_SUITES if suite[-6:-3] != "GCM"],
)
def test_tls_12(folder, suite, etm):
    held, _ = talk(contexts(folder, "1.2", suite, etm), SAID)
    assert held.cipher == suite
    check(held, "TLS 1.2")


@pytest.mark.parametrize("suite", EC_SUITES)
def test_tls_12_with_an_elliptic_certificate(folder, suite):
    held, _ = talk(contexts(folder, "1.2", suite, kind="ec"), SAID)
    check(held, "TLS 1.2")


@pytest.mark.parametrize(("version", "name"), [("1.0", "TLS 1.0"), ("1.1", "TLS 1.1")])
def test_older_versions(folder, version, name):
    check(talk(contexts(folder, version, "AES128-SHA"), SAID)[0], name)


@pytest.mark.parametrize("suite", SUITES_13)
def test_tls_13(folder, suite):
    held = talk_configured(folder, suite, SAID)
    assert held.cipher == suite
    check(held, "TLS 1.3")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("size", [1, 7, 1400])
def test_records_span_segments_and_share_them(folder, version, size):
    held, _ = talk(contexts(folder, version), SAID)
    pieces = [(who, data[at : at + size]) for who, data in held.flights for at in range(0, len(data), size)]
    check(Talk(pieces, held.keylog), f"TLS {version}")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_that_is_resumed(folder, version):
    pair = contexts(folder, version)
    _, session = talk(pair, SAID)
    second, _ = talk(pair, SAID, session)
    assert second.resumed
    check(second, f"TLS {version}")


@pytest.mark.parametrize("tickets", [True, False])
def test_a_resumed_session_of_which_only_the_first_secret_is_known(folder, tickets):
    pair = contexts(folder, "1.2")
    if not tickets:
        pair[SERVER].options |= ssl.OP_NO_TICKET
    first, session = talk(pair, SAID)
    second, _ = talk(pair, SAID, session)
    assert second.resumed
    earlier, _ = read(first)
    _, plain = read(second, into=TlsConnection(earlier._secrets))
    assert said_by(plain, CLIENT) == all_of(CLIENT)


SUITES_FOR_LOSS = [
    ("1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("1.2", "ECDHE-RSA-AES128-SHA256"),
    ("1.3", ""),
]


@pytest.mark.parametrize(("version", "suite"), SUITES_FOR_LOSS)
def test_after_lost_records_reading_goes_on(folder, version, suite):
    held, _ = talk(contexts(folder, version, suite), [(CLIENT, b"%03d" % number) for number in range(60)])
    spoken = [number for number, (who, _) in enumerate(held.flights) if who == CLIENT][-61:-1]
    _, plain = read(held, lost=tuple(spoken[10:45]))
    assert said_by(plain, CLIENT) == b"".join(b"%03d" % number for number in [*range(10), *range(45, 60)])
    assert [piece.payload for piece in plain if piece.lost] == [b"045"]


@pytest.mark.parametrize(("version", "suite"), SUITES_FOR_LOSS)
def test_a_loss_in_the_middle_of_records(folder, version, suite):
    held, _ = talk(contexts(folder, version, suite), [(SERVER, b"%04d" % number * 500) for number in range(20)])
    found = connection(held.keylog)
    head = [flight for flight in held.flights if flight[0] == CLIENT or len(flight[1]) < 1900]
    for who, data in held.flights:
        if (who, data) in head or len(data) > 2500:
            found.feed(who, data, 0, True)
    stream = b"".join(data for who, data in held.flights if who == SERVER and 1900 <= len(data) <= 2500)
    plain = found.feed(SERVER, stream[:5000], 0, False)
    plain += found.feed(SERVER, stream[9000:], 4000, False)
    numbers = sorted({int(word) for word in re.findall(rb"\d{4}", said_by(plain, SERVER))})
    assert numbers[:2] == [0, 1]
    assert numbers[-1] == 19
    assert len(numbers) >= 16


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_loss_within_the_servers_certificate(folder, version):
    held, _ = talk(contexts(folder, version), SAID)
    found = connection(held.keylog)
    plain = []
    for number, (who, data) in enumerate(held.flights):
        if number == 1:
            plain += found.feed(who, data[:200], 0, True)
            plain += found.feed(who, data[400:], 200, False)
        else:
            plain += found.feed(who, data, 0, number == 0)
    assert [said_by(plain, who) for who in (CLIENT, SERVER)] == [all_of(CLIENT), all_of(SERVER)]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_clients_answer_that_is_captured_before_the_servers_hello(folder, version):
    """As two capture points whose clocks differ show it."""
    held, _ = talk(contexts(folder, version), SAID)
    flights = held.flights
    swapped = Talk([flights[0], flights[2], flights[1], *flights[3:]], held.keylog)
    _, plain = read(swapped)
    assert said_by(plain, CLIENT) == all_of(CLIENT)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_without_keys_it_says_why(folder, version):
    held, _ = talk(contexts(folder, version), SAID)
    other, _ = talk(contexts(folder, version), SAID)
    for keylog, why in ((b"", NO_LOG), (other.keylog, NOT_IN_LOG)):
        found, plain = read(held, keylog)
        assert (plain, found.why, found.server_name, found.version) == ([], why, "sip.example.com", f"TLS {version}")
        assert found.held(CLIENT) == found.held(SERVER) == 0


def test_a_connection_that_was_joined_in_the_middle(folder):
    held, _ = talk(contexts(folder, "1.3"), SAID)
    found = connection(held.keylog)
    found.feed(CLIENT, held.flights[-4][1], 0, False)
    assert found.why == NO_HANDSHAKE


def test_a_handshake_of_which_one_side_is_missing(folder):
    held, _ = talk(contexts(folder, "1.2"), SAID)
    found = connection(held.keylog)
    for who, data in held.flights:
        if who == CLIENT:
            found.feed(who, data, 0, True)
    assert found.incomplete == CUT_HANDSHAKE
    for _ in range(2 * MAX_WAITING_BYTES // 10_000):
        found.feed(CLIENT, b"\x17\x03\x03\x27\x0b" + bytes(9995), 0, False)
        assert found.held(CLIENT) < MAX_WAITING_BYTES + 20_000
    assert found.why == CUT_HANDSHAKE


def test_a_cipher_suite_that_is_not_read_is_named(folder):
    held, _ = talk(contexts(folder, "1.2"), SAID)
    who, data = held.flights[1]
    at = 5 + 4 + 2 + 32
    at += 1 + data[at]
    held.flights[1] = (who, data[:at] + b"\x00\x0a" + data[at + 2 :])
    assert read(held)[0].why == "its cipher suite 0x000A is not supported"


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)


def test_a_key_update(folder):
    """Written by hand on top of a real connection, as Python's ssl cannot ask for one."""
    held, _ = talk(contexts(folder, "1.3"), SAID)
    lines = dict(line.split()[::2] for line in held.keylog.splitlines())
    secret = bytes.fromhex(lines[b"CLIENT_TRAFFIC_SECRET_0"].decode())
    mine = [number for number, (who, _) in enumerate(held.flights) if who == CLIENT]
    found, _ = read(Talk(held.flights[: mine[-1]], held.keylog))
    sequence = 3

    def sealed(kind: int, data: bytes) -> bytes:
        nonlocal sequence
        key, iv = _expand(secret, b"key", 32), int.from_bytes(_expand(secret, b"iv", 12), "big")
        head = b"\x17\x03\x03" + (len(data) + 17).to_bytes(2, "big")
        body = AESGCM(key).encrypt((iv ^ sequence).to_bytes(12, "big"), data + bytes([kind]), head)
        sequence += 1
        return head + body

    update = sealed(22, b"\x18\0\0\1\0")
    secret, sequence = _expand(secret, b"traffic upd", 48), 0
    after = found.feed(CLIENT, update + sealed(23, b"six"), 0, False)
    assert [piece.payload for piece in after] == [b"six"]
    assert found.failed == 0
    # and one whose KeyUpdate is lost
    sealed(22, b"\x18\0\0\1\0")
    secret, sequence = _expand(secret, b"traffic upd", 48), 0
    after = found.feed(CLIENT, sealed(23, b"seven"), 27, False)
    assert [(piece.payload, piece.lost) for piece in after] == [(b"seven", True)]


@pytest.fixture(scope="module")
def both(folder):
    return {version: talk(contexts(folder, version), SAID)[0] for version in ("1.2", "1.3")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["1.2", "1.3"]),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40_000), st.binary(max_size=4), st.booleans()), max_size=4),
)
def test_damage_is_survived(both, version, damage):
    held = both[version]
    flights = list(held.flights)
    for number, at, data, drop in damage:
        who, flight = flights[number % len(flights)]
        at %= len(flight)
        flights[number % len(flights)] = (who, flight[:at] + data + flight[at + (0 if drop else len(data)) :])
    found, plain = read(Talk(flights, held.keylog))
    for piece in plain:
        assert piece.payload in all_of(piece.half)
    found.incomplete  # noqa: B018 - must not raise


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80), st.integers(0, 40)), max_size=8))
def test_any_bytes_are_survived(pieces):
    found = connection(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"11" * 48)
    for who, data, missing in pieces:
        found.feed(who, b"\x16\x03\x03" + data, missing, False)
