"""Captures to an Analysis: the one entry point.

Drives the capture readers, hands signalling to the collector and media to the stream book, and joins what they found.
Owns no rules of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from sipreplay.analysis.announced import Announcements, Place
from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.correlate import parse_all
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.garbage import without_collection
from sipreplay.analysis.media_join import join
from sipreplay.analysis.messages import SipCollector
from sipreplay.analysis.model import Address, Analysis, CapturedMessage, CaptureFile, Problem
from sipreplay.analysis.rtcp_book import RtcpBook
from sipreplay.analysis.sdp_media import Facts, MediaMap, facts_of
from sipreplay.analysis.streams import MAX_STREAMS, StreamBook
from sipreplay.capture.columns import Pairs
from sipreplay.capture.merge import CaptureSet, open_captures
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.sieve import Origin, Sieve


def analyse(
    paths: Sequence[Path | str],
    *,
    progress: Callable[[int, int], None] | None = None,
    correlate: Sequence[str] = (),
) -> Analysis:
    """All that is in these captures. `progress` is told bytes read and bytes in all, about every 4 MB; `correlate`
    names further headers that tie dialogs to calls (see `calls.build_calls`).

    Files are merged by time, in whatever order they are given; folders stand for the captures in them.
    Raises CaptureError if no file can be used at all; one that cannot, and damage, are in the problems of its
    CaptureFile.
    Raises UsageError for a `correlate` that names no header or has an expression that could run for long.
    """
    parse_all(correlate)  # before hours of reading
    return without_collection(lambda: _analyse(open_captures(paths), progress, correlate))


def _analyse(captures: CaptureSet, progress: Callable[[int, int], None] | None, correlate: Sequence[str]) -> Analysis:
    collector = SipCollector()
    book = StreamBook()
    taker = _Taker(collector, book.announced, captures)
    sieve: Sieve | None = None
    group = -1
    for batch in captures.batches(progress):
        if sieve is None or batch.group != group:
            if sieve is not None:
                sieve.finish(taker)
            group, sieve = batch.group, Sieve(captures.note, Pairs(), taker.aside)
            taker.open_group(group)
        book.follow(batch, sieve.pairs, captures.open)
        for rtp in sieve.sift(batch, taker):
            book.add(rtp)
    if sieve is not None:
        sieve.finish(taker)
    found = book.finish()
    messages, malformed = collector.finish()
    dialogs = build_dialogs(messages)
    calls = build_calls(dialogs, correlate)
    media = MediaMap(dialogs, taker.facts)
    streams = join(found, media, taker.rtcp)
    _note_streams(captures.readers, book)
    return Analysis([_file(reader) for reader in captures.readers], messages, malformed, dialogs, calls, streams)


class _Taker:
    """Gives the collector what the sieve finds, and the announcements what SDP the collector finds."""

    def __init__(self, collector: SipCollector, announced: Announcements, captures: CaptureSet) -> None:
        self._collector = collector
        self._announced = announced
        self._captures = captures
        self._group = 0
        self._seen = 0
        self.rtcp = RtcpBook()
        self.facts: dict[int, Facts | None] = {}
        """What SDP says, by the identity of its Message: it is read once, and asked for again when all is known."""

    def open_group(self, group: int) -> None:
        """What follows was captured later."""
        self._group = group

    def datagram(self, origin: Origin, payload: bytes, ip_id: int, cut: bool) -> None:
        packet, time, source, source_port, destination, destination_port, correlation, transport, capture, place = (
            origin
        )
        taken = self._collector.datagram(
            capture,
            packet,
            time,
            _address(source, source_port),
            _address(destination, destination_port),
            transport,
            payload,
            ip_id,
            correlation,
        )
        if taken:
            if cut:
                self._captures.note(
                    packet, "the SIP message is cut: capture with a larger snapshot length (tcpdump -s 0)", capture
                )
            self._announce(place)

    def message(self, origin: Origin, data: bytes, transport: str) -> None:
        packet, time, source, source_port, destination, destination_port = origin[:6]
        sender, receiver = _address(source, source_port), _address(destination, destination_port)
        self._collector.message(origin.capture, packet, time, sender, receiver, transport, data)
        self._announce(origin.place)

    def aside(self, origin: Origin, payload: bytes) -> None:
        """A datagram of RTCP, or from or to a watched port."""
        _, time, source, source_port, destination, destination_port = origin[:6]
        sender, receiver = _address(source, source_port), _address(destination, destination_port)
        self.rtcp.add(sender, receiver, time, payload)

    def broken(self, origin: Origin) -> None:
        self._collector.malformed += 1

    def _announce(self, place: int) -> None:
        """Note the media addresses of new messages, which came at this place."""
        messages = self._collector.messages
        for at in range(self._seen, len(messages)):
            captured = messages[at]
            if b"\nm=" in captured.data and not captured.copy:
                facts = self.facts[id(captured.message)] = facts_of(captured)
                captured.message.forget()
                if facts:
                    announce(self._announced, (self._group, place), captured, facts)
        self._seen = len(messages)


def announce(announced: Announcements, place: Place, captured: CapturedMessage, facts: Facts) -> None:
    """Tell `announced` of the media addresses in a message's SDP."""
    for media in facts:
        if media.address is not None and "RTP/" in media.proto.upper():
            codecs = {kind: codec[:2] for kind, codec in media.codecs.items()}
            announced.announce(place, *media.address, codecs, captured.message.call_id)


@lru_cache(maxsize=16384)
def _address(host: str, port: int) -> Address:
    """One object for all messages from or to an address."""
    return Address(host, port)


def _note_streams(readers: Sequence[CaptureReader], book: StreamBook) -> None:
    """Put what the stream book could not use among the problems."""
    if not readers:
        return
    if book.cut:
        readers[-1].note(
            0, f"{book.cut} RTP packets are cut: their media cannot be replayed (capture with tcpdump -s 0)"
        )
    if book.unfollowed:
        readers[-1].note(0, f"more than {MAX_STREAMS:,} flows at a time resemble RTP: the others were not followed")


def _file(reader: CaptureReader) -> CaptureFile:
    return CaptureFile(
        path=reader.path,
        format=reader.format,
        link_types=reader.link_types,
        packets=reader.packets,
        first=None if reader.first_ns is None else reader.first_ns / 1e9,
        last=None if reader.last_ns is None else reader.last_ns / 1e9,
        problems=[Problem(*note) for note in reader.notes],
    )
