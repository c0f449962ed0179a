"""Plain directions: SIP and WebSocket found by content, messages whole, everything else left alone."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.capture.channel import Channel
from sipreplay.capture.websocket import MAX_MESSAGE, WebSession, read_upgrade
from tests.capture.web_frames import ANSWER, CLOSE, DEFLATE, PING, REQUEST, Deflating, frame

MASK = b"\x12\x34\x56\x78"


def message(number: int, size: int = 0, length: bool = True) -> bytes:
    lines = [b"MESSAGE sip:bob@example.com SIP/2.0", b"Via: SIP/2.0/WS x.invalid", b"Call-ID: %d" % number]
    lines += [b"Content-Length: %d" % size] if length else []
    return b"\r\n".join([*lines, b"", b"y" * size])


def taken(channel: Channel, *pieces: bytes, begins: bool = True) -> list[bytes]:
    return [text for at, piece in enumerate(pieces) for text in channel.feed(piece, 0, begins and at == 0).messages]


def opened(web: WebSession | None = None, extensions: bool = False) -> tuple[Channel, Channel]:
    web = web or WebSession()
    client, server = Channel(web), Channel(web)
    assert client.feed(REQUEST, 0, True).useful
    assert server.feed(ANSWER[:-2] + DEFLATE if extensions else ANSWER, 0, True).useful
    return client, server


def test_messages_both_ways_masked_and_not() -> None:
    client, server = opened()
    found = client.feed(frame(message(1), mask=MASK) + frame(message(2), mask=MASK), 0, False)
    assert (found.messages, found.web) == ([message(1), message(2)], True)
    assert taken(server, frame(message(3)), begins=False) == [message(3)]


@pytest.mark.parametrize("size", [10, 200, 70_000])
def test_every_form_of_length_with_and_without_content_length(size: int) -> None:
    client, _ = opened()
    wanted = [message(1, size), message(2, size, length=False)]
    stream = b"".join(frame(text, mask=MASK) for text in wanted)
    pieces = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]
    assert taken(client, *pieces, begins=False) == wanted


def test_fragments_with_control_frames_between_them() -> None:
    client, _ = opened()
    whole = message(1, 300)
    stream = frame(whole[:50], final=False, mask=MASK) + frame(b"ping", PING, MASK)
    stream += frame(whole[50:90], 0, MASK, final=False) + frame(whole[90:], 0, MASK) + frame(b"\x03\xe8", CLOSE, MASK)
    assert taken(client, stream, begins=False) == [whole]


def test_the_handshake_and_a_frame_in_one_byte_pieces() -> None:
    stream = REQUEST + frame(b"\r\n\r\n", mask=MASK) + frame(message(1), mask=MASK)
    assert taken(Channel(WebSession()), *(bytes([value]) for value in stream)) == [message(1)]


@pytest.mark.parametrize("takeover", [True, False])
def test_compressed_messages(takeover: bool) -> None:
    client, server = opened(extensions=True)
    for channel, mask in ((client, MASK), (server, b"")):
        deflating = Deflating(takeover)
        stream = b"".join(deflating.frame(message(number), mask) for number in range(3))
        assert taken(channel, stream, begins=False) == [message(number) for number in range(3)]


def test_compressed_messages_after_a_loss() -> None:
    """With context takeover they refer to what is lost, which is said once; without they are read."""
    _, server = opened(extensions=True)
    deflating = Deflating()
    frames = [deflating.frame(message(number)) for number in range(6)]
    assert taken(server, frames[0], begins=False) == [message(0)]
    found = [server.feed(frames[number], len(frames[1]) if number == 2 else 0, False) for number in range(2, 6)]
    assert [each.problem != "" for each in found].count(True) == 1
    assert "cannot be read" in found[0].problem
    _, server = opened(extensions=True)
    frames = [Deflating(False).frame(message(number)) for number in range(6)]
    found = [server.feed(frames[number], 99 if number == 2 else 0, False) for number in (0, 2, 3)]
    assert [text for each in found for text in each.messages] == [message(0), message(2), message(3)]


def test_a_compressed_bomb_is_bounded() -> None:
    client, _ = opened(extensions=True)
    bomb = Deflating().frame(bytes(50 * MAX_MESSAGE), MASK)
    found = client.feed(bomb, 0, False)
    assert (found.messages, found.problem != "") == ([], True)


def test_a_frame_larger_than_any_message_is_not_waited_for() -> None:
    client, _ = opened()
    found = client.feed(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + MASK + bytes(5000), 0, False)
    assert "larger than 1 MiB" in found.problem
    assert client.held == 0
    assert taken(client, frame(message(1), mask=MASK), begins=False) == [message(1)]


def test_fragments_without_end_are_bounded() -> None:
    client, _ = opened()
    client.feed(frame(b"x" * 60_000, final=False, mask=MASK), 0, False)
    for _ in range(40):
        client.feed(frame(b"x" * 60_000, 0, MASK, final=False), 0, False)
        assert client.held <= MAX_MESSAGE + 70_000
    assert taken(client, frame(message(1), mask=MASK), begins=False) == [message(1)]


@pytest.mark.parametrize("mask", [b"", MASK])
def test_a_connection_that_was_joined_in_the_middle(mask: bytes) -> None:
    channel = Channel(WebSession())
    assert not channel.feed(os.urandom(50).replace(b"\x81", b"\x01"), 0, False).messages
    assert taken(channel, frame(message(1), mask=mask), frame(message(2), mask=mask), begins=False) == [
        message(1),
        message(2),
    ]


def test_a_loss_costs_the_message_that_it_hits() -> None:
    _, server = opened()
    first = frame(message(1, 3000))
    server.feed(first[:1000], 0, False)
    found = server.feed(first[2000:], 1000, False)
    assert (found.messages, found.broken[:7]) == ([], b"MESSAGE")
    assert taken(server, frame(message(2)), begins=False) == [message(2)]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n",
        REQUEST.replace(b"Protocol: sip", b"Protocol: xmpp"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"GET /" + b"x" * 20_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_other_protocols_are_of_no_use(head: bytes) -> None:
    assert not Channel(WebSession()).feed(head, 0, True).useful


def test_a_websocket_that_never_carries_sip_is_given_up() -> None:
    client, _ = opened()
    assert not client.feed(frame(b"{}", mask=MASK) * 100, 0, False).useful


def test_several_protocols_in_odd_spelling() -> None:
    head = REQUEST.replace(
        b"Sec-WebSocket-Protocol: sip", b"sec-websocket-protocol : msrp\r\nSEC-WEBSOCKET-PROTOCOL:SIP"
    )
    upgrade = read_upgrade(head)
    assert upgrade is not None
    assert upgrade.protocols == ("msrp", "sip")


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3), st.booleans()), max_size=10), st.booleans())
def test_any_bytes_are_survived(pieces: list[tuple[bytes, int, bool]], begins: bool) -> None:
    for channel in (Channel(WebSession()), *opened()):
        for at, (data, missing, framed) in enumerate(pieces):
            piece = frame(data, mask=MASK, reserved=missing << 5 & 0x40) if framed else data or b"x"
            channel.feed(piece, missing, begins and at == 0)
        channel.finish()
