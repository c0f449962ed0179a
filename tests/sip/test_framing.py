"""Messages out of streams: whole however the bytes come, and at a cost that grows with the bytes alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.framing import MAX_STREAM_HEAD, StreamFramer


def message(number: int, body: bytes = b"", extra: bytes = b"") -> bytes:
    head = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: %d\r\n%sContent-Length: %d\r\n\r\n" % (number, extra, len(body))
    return head + body


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.data())
def test_any_pieces_give_the_same_messages(bodies: list[bytes], data: st.DataObject) -> None:
    wanted = [message(number, body) for number, body in enumerate(bodies)]
    stream = b"\r\n\r\n".join(wanted)
    framer = StreamFramer()
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, 200))
        found += framer.feed(stream[:size])
        stream = stream[size:]
    assert found == wanted
    assert framer.rest.strip(b"\r\n") == b""


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_survived_and_messages_after_them_found(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    for piece in pieces:
        framer.feed(piece)
    framer.clear()
    assert framer.feed(b"\r\n" + message(1)) == [message(1)]


def test_one_byte_at_a_time() -> None:
    framer = StreamFramer()
    found = [whole for value in message(1, b"x" * 300) for whole in framer.feed(bytes([value]))]
    assert found == [message(1, b"x" * 300)]


def test_a_body_without_content_length_ends_at_the_next_start_line_or_with_what_has_come() -> None:
    bare = b"INVITE sip:x SIP/2.0\r\nCall-ID: 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
    framer = StreamFramer()
    assert framer.feed(bare + message(2) + bare) == [bare, message(2), bare]
    assert framer.held == 0


def test_a_length_past_the_limit_is_none() -> None:
    framer = StreamFramer()
    huge = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 999999999\r\n\r\n"
    assert framer.feed(huge + message(2)) == [huge, message(2)]


def test_small_pieces_cost_no_more_than_large_ones(monkeypatch) -> None:
    """Bytes that the searches may run over, for a head that never ends and comes in lines of two bytes."""

    def looked_at(size: int) -> int:
        seen = 0

        class Pattern:
            def __init__(self, pattern):
                self.pattern = pattern

            def search(self, buffer, at=0, end=None):
                nonlocal seen
                seen += (len(buffer) if end is None else end) - at
                return self.pattern.search(buffer, at, len(buffer) if end is None else end)

            def match(self, buffer, at=0):
                found = self.pattern.match(buffer, at)
                nonlocal seen
                seen += (found.end() - at) if found else 1
                return found

        from sipreplay.sip import framing

        with monkeypatch.context() as patch:
            for name in ("_HEAD_END", "_START", "_RESYNC", "_LENGTH", "_TYPE", "_LINE_ENDS"):
                patch.setattr(framing, name, Pattern(getattr(framing, name)))
            framer = StreamFramer()
            framer.feed(b"OPTIONS sip:x SIP/2.0\r\n")
            for _ in range(size // 2):
                framer.feed(b"x\n")
        return seen

    small, large = looked_at(5_000), looked_at(50_000)
    assert large < 12 * small


def test_garbage_is_bounded_and_counted() -> None:
    framer = StreamFramer()
    for _ in range(100):
        framer.feed(b"y" * 10_000)
        assert len(framer.rest) <= MAX_STREAM_HEAD
    assert framer.dropped >= 1_000_000 - MAX_STREAM_HEAD
