"""Connections by the thousand: bounded, counted, and named where they cannot be read."""

from __future__ import annotations

import pytest

from sipreplay.capture import layers
from sipreplay.capture.layers import Origin, StreamLayers
from sipreplay.capture.tcp import Piece
from tests.capture.tls_talk import CLIENT, contexts, talk

UNFINISHED = b"MESSAGE sip:x SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 1000000\r\n\r\n" + bytes(20_000)


class Kept:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.lost = 0
        self.notes: list[str] = []

    def message(self, origin, data, transport):
        self.messages.append(data)

    def broken(self, origin):
        self.lost += 1

    def note(self, packet, what, capture=0):
        self.notes.append(what)


def way(number: int, back: bool = False) -> tuple[bytes, bytes, int]:
    client, server = b"\x0a\x00" + number.to_bytes(2, "big"), b"\xc0\x00\x02\x01"
    return (server, client, 5061 << 16 | 40000) if back else (client, server, 40000 << 16 | 5061)


def origin(number: int, back: bool = False) -> Origin:
    ends = (f"10.0.0.{number}", 40000, "192.0.2.1", 5061)
    return Origin(number, 1.0, *(ends[2:] + ends[:2] if back else ends))


def test_unfinished_messages_of_all_connections_share_one_cap(monkeypatch):
    monkeypatch.setattr(layers, "MAX_HELD", 1_000_000)
    kept = Kept()
    all_of_them = StreamLayers(kept.note)
    for number in range(200):
        all_of_them.take(way(number), origin(number), [Piece(UNFINISHED, 0, True)], kept)
        assert all_of_them.held <= 1_000_000
    assert all_of_them.dropped >= 200 * 20_000 - 1_000_000
    whole = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
    all_of_them.take(way(201), origin(201), [Piece(whole, 0, True)], kept)
    assert kept.messages == [whole]
    all_of_them.finish(lambda direction: origin(1), kept)
    assert f"{all_of_them.dropped} bytes of unfinished messages in TCP streams were dropped" in kept.notes[-1]
    assert all_of_them.held == 0


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(layers, "MAX_DIRECTIONS", 100)
    kept = Kept()
    all_of_them = StreamLayers(kept.note)
    for number in range(1000):
        all_of_them.take(way(number), origin(number), [Piece(UNFINISHED[:100], 0, True)], kept)
    assert len(all_of_them._connections) <= 101
    assert all_of_them.held <= 51 * 100


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return talk(contexts(tmp_path_factory.mktemp("tls"), "1.2"), [(CLIENT, b"x")])[0]


def feed(all_of_them, number, flights, kept):
    wanted = []
    for at, (who, data) in enumerate(flights):
        back = who != CLIENT
        piece = Piece(data, 0, at < 2)
        wanted.append(all_of_them.take(way(number, back), origin(number, back), [piece], kept))
    return wanted


def test_tls_without_keys_is_counted_by_server_and_left_alone(held):
    kept = Kept()
    all_of_them = StreamLayers(kept.note)
    for number in range(1, 20):
        wanted = feed(all_of_them, number, held.flights, kept)
        assert wanted[-1] is None
        assert all_of_them.held == 0
    all_of_them.finish(lambda direction: origin(1), kept)
    assert [(each.client, each.server, each.decrypted) for each in all_of_them.tls][:2] == [
        ("10.0.0.1", "192.0.2.1", False),
        ("10.0.0.2", "192.0.2.1", False),
    ]
    (note,) = kept.notes
    assert note.startswith("19 TLS connections could not be read, as there is no key log: to 192.0.2.1:5061 (19)")


def test_listed_tls_connections_are_bounded(held, monkeypatch):
    monkeypatch.setattr(layers, "MAX_SESSIONS", 5)
    kept = Kept()
    all_of_them = StreamLayers(kept.note)
    for number in range(1, 10):
        feed(all_of_them, number, held.flights[:3], kept)
    all_of_them.finish(lambda direction: origin(1), kept)
    assert (len(all_of_them.tls), all_of_them.tls_unlisted) == (5, 4)
    assert kept.notes[-1] == "4 more TLS connections are not listed"


def test_a_port_used_again_is_another_connection(held):
    kept = Kept()
    all_of_them = StreamLayers(kept.note)
    feed(all_of_them, 1, held.flights, kept)
    feed(all_of_them, 1, held.flights, kept)
    all_of_them.finish(lambda direction: origin(1), kept)
    assert len(all_of_them.tls) == 2
