"""A capture of one call with SDP of the test's choice, and of the media that the test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from sipreplay.capture.write import PcapWriter
from sipreplay.rtp.packet import RtpPacket, build_rtp

A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
A_MEDIA, B_MEDIA = ("192.0.2.1", 4000), ("192.0.2.2", 6000)
ANSWERED = 0.5
"""Seconds from the INVITE to its 200."""
Packet = tuple[float, tuple[str, int], tuple[str, int], bytes]


def audio(port: int, types: str = "0 101", *attributes: str, proto: str = "RTP/AVP") -> str:
    """An m= section of audio."""
    return f"m=audio {port} {proto} {types}\r\n" + "".join(f"a={attribute}\r\n" for attribute in attributes)


def sdp(host: str, sections: str, session: str = "") -> str:
    """A description; `session` are further lines before the sections."""
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{session}{sections}"


def message(start: str, cseq: str, tag: str = "", body: str = "") -> bytes:
    """A SIP message of the call."""
    line = f"SIP/2.0 {start}" if start[0].isdigit() else f"{start} sip:b@example.com SIP/2.0"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    branch = cseq.replace(" ", "")
    return (
        f"{line}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}\r\nFrom: <sip:a@example.com>;tag=a\r\n"
        f"To: <sip:b@example.com>{';tag=b' if tag else ''}\r\nCall-ID: call@test\r\nCSeq: {cseq}\r\n{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def loud(number: int) -> bytes:
    """20 ms of PCMU that is not silent."""
    return bytes((number * 7 + 3 * at) % 100 for at in range(160))


def rtp(
    source: tuple[str, int],
    destination: tuple[str, int],
    *,
    start: float = 0.6,
    count: int = 300,
    kind: int = 0,
    ssrc: int = 77,
    payload: bytes | None = None,
    step: int = 160,
    first: int = 0,
) -> Iterator[Packet]:
    """A stream of a packet each 20 ms."""
    for number in range(first, first + count):
        data = loud(number) if payload is None else payload
        time = start + 0.02 * (number - first)
        yield time, source, destination, build_rtp(RtpPacket(kind, False, number, step * number, ssrc, data))


def both(**options: object) -> Iterator[Packet]:
    """Both ways between the usual addresses."""
    yield from rtp(A_MEDIA, B_MEDIA, ssrc=77, **options)  # type: ignore[arg-type]
    yield from rtp(B_MEDIA, A_MEDIA, ssrc=88, **options)  # type: ignore[arg-type]


def analysed(
    path: Path,
    media: Iterable[Packet],
    *,
    offer: str = "",
    answer: str = "",
    bye: float | None = 7.0,
    more: Iterable[Packet] = (),
) -> Analysis:
    """Write the call and read it again."""
    offer = offer or sdp("192.0.2.1", audio(4000))
    answer = answer or sdp("192.0.2.2", audio(6000))
    packets = [
        (0.0, A, B, message("INVITE", "1 INVITE", body=offer)),
        (ANSWERED, B, A, message("200 OK", "1 INVITE", "b", answer)),
        (ANSWERED + 0.01, A, B, message("ACK", "1 ACK", "b")),
        *media,
        *more,
    ]
    if bye is not None:
        packets += [(bye, A, B, message("BYE", "2 BYE", "b")), (bye + 0.01, B, A, message("200 OK", "2 BYE", "b"))]
    with PcapWriter(path, nanoseconds=True) as writer:
        for time, source, destination, data in sorted(packets, key=lambda packet: packet[0]):
            writer.udp(1_700_000_000 + time, source, destination, data)
    return analyse([path])
