"""Captures to an Analysis: the one entry point.

Drives the capture readers, hands signalling to the collector and media to the stream book, and joins what they found.
Owns no rules of its own.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sipreplay.analysis.announced import Announcements, Place
from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.correlate import parse_all
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.fax import MAX_FAX_ADDRESSES, FaxBook
from sipreplay.analysis.found_stream import FoundStream
from sipreplay.analysis.garbage import without_collection
from sipreplay.analysis.media_join import join
from sipreplay.analysis.media_map import MediaMap
from sipreplay.analysis.messages import MAX_CALL_IDS, MAX_MALFORMED, MAX_MESSAGES, SipCollector
from sipreplay.analysis.model import Address, Analysis, CaptureFile, Problem, Stream
from sipreplay.analysis.parallel import PackedStore, join_stores, on_cores
from sipreplay.analysis.places import Places
from sipreplay.analysis.rtcp_book import RtcpBook
from sipreplay.analysis.sdp_media import Facts, facts_in, short_codecs
from sipreplay.analysis.share import ALL, Share
from sipreplay.analysis.store import MessageStore
from sipreplay.analysis.streams import MAX_STREAMS, StreamBook
from sipreplay.capture.columns import Pairs
from sipreplay.capture.merge import CaptureSet, open_captures
from sipreplay.capture.reader import CaptureReader
from sipreplay.capture.sieve import DatagramRun, Origin, Sieve, TlsSession, host_text
from sipreplay.capture.tls_keys import KEY_LOG, KeyLog, read_key_log
from sipreplay.rtp.packet import is_rtcp

_MAX_PAIRS = 1 << 16


def analyse(
    paths: Sequence[Path | str],
    *,
    progress: Callable[[int, int], None] | None = None,
    correlate: Sequence[str] = (),
    keylog: Path | str | None = None,
    processes: int = 1,
) -> Analysis:
    """All that is in these captures. `progress` is told bytes read and bytes in all, about every 4 MB; `correlate`
    names further headers that tie dialogs to calls (see `calls.build_calls`); `keylog` is a file of TLS secrets
    (SSLKEYLOGFILE), those that captures hold themselves are used anyway; the result is the same for any number of
    `processes`.

    Files are merged by time, in whatever order they are given; folders stand for the captures in them.
    Raises CaptureError if no file can be used at all; one that cannot, and damage, are in the problems of its
    CaptureFile.
    Raises CaptureError for a key log that cannot be read or holds no secrets.
    Raises UsageError for a `correlate` that names no header or has an expression that could run for long.
    """
    parse_all(correlate)  # before hours of reading
    keys = read_key_log(keylog) if keylog is not None else KeyLog()

    def read(share: Share, spool: IO[bytes] | None, tell: Callable[[int, int], None] | None) -> _Reading:
        return _read(open_captures(paths), tell, keys, share, spool)

    def make() -> Analysis:
        reading = read(ALL, None, progress) if processes < 2 else _read_on_cores(paths, read, processes, progress)
        return _understood(reading, correlate)

    return without_collection(make)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(slots=True)
class _Reading:
    """What reading found, all or the share of one process."""

    messages: MessageStore | PackedStore
    facts: dict[int, Facts | None]
    """By the index of the message."""
    found: list[FoundStream]
    rtcp: RtcpBook
    faxes: list[Stream]
    tls: list[TlsSession]
    files: list[CaptureFile]
    malformed: int
    malformed_at: list[tuple[int, int, int]]
    dropped: int
    unfollowed: bool
    cut: int


def _read_on_cores(
    paths: Sequence[Path | str],
    read: Callable[[Share, IO[bytes] | None, Callable[[int, int], None] | None], _Reading],
    processes: int,
    progress: Callable[[int, int], None] | None,
) -> _Reading:
    """What several processes find; one of them for what can be read only once."""
    once = next((path for path in paths if _is_pipe(path)), None)
    if once is not None:
        reading = read(ALL, None, progress)
        what = f"{once} can be read only once: one process read it, not {processes}"
        reading.files[-1].problems.append(Problem(0, what))
        return reading
    parts, spools = on_cores(read, processes, progress)
    packed = [part.messages for part in parts if isinstance(part.messages, PackedStore)]
    store, where = join_stores(packed, spools)
    first = parts[0]
    for capture, file in enumerate(first.files):
        store.places.add_file(capture, file.path)
    found = [stream for part in parts for stream in part.found]
    return _Reading(
        messages=store,
        facts={
            int(place[index]): facts
            for part, place in zip(parts, where, strict=True)
            for index, facts in part.facts.items()
        },
        found=sorted(found, key=lambda s: (s.first, s.candidate.source, s.candidate.destination)),
        rtcp=first.rtcp,
        faxes=first.faxes,
        tls=first.tls,
        files=first.files,
        malformed=sum(part.malformed for part in parts),
        malformed_at=sorted(place for part in parts for place in part.malformed_at)[:MAX_MALFORMED],
        dropped=sum(part.dropped for part in parts),
        unfollowed=any(part.unfollowed for part in parts),
        cut=first.cut,
    )


def _is_pipe(path: Path | str) -> bool:
    reader = CaptureReader(path)
    return not reader.can_be_read_again


def _read(
    captures: CaptureSet,
    progress: Callable[[int, int], None] | None,
    keys: KeyLog,
    share: Share,
    spool: IO[bytes] | None,
) -> _Reading:
    """Read captures, and take a share of what they hold; in another process than the caller's if there is a spool."""
    book = StreamBook(share)
    taker = _Taker(book.announced, captures, share, Places(spool))
    collector = taker.collector
    sieve: Sieve | None = None
    group = -1
    tls: list[TlsSession] = []
    secrets = _Embedded(captures, keys)
    for batch in captures.batches(progress):
        secrets.collect()
        if sieve is None or batch.group != group:
            if sieve is not None:
                sieve.finish(taker)
                tls += sieve.tls
            group = batch.group
            sieve = Sieve(captures.note, Pairs(), taker.aside if share.leads else None, keys)
            sieve.watched = taker.watched
            taker.open_group(group)
        book.follow(batch, sieve.pairs, captures.open)
        for rtp in sieve.sift(batch, taker):
            book.add(rtp)
    if sieve is not None:
        sieve.finish(taker)
        tls += sieve.tls
    found = book.finish()
    messages, malformed = collector.finish()
    if keys.damaged and captures.readers:
        lines = "1 line of the key log is" if keys.damaged == 1 else f"{keys.damaged:,} lines of the key log are"
        captures.readers[-1].note(0, f"{lines} damaged; the others are used")
    return _Reading(
        messages=messages if spool is None else PackedStore(messages, collector.order),
        facts=taker.facts,
        found=found,
        rtcp=taker.rtcp,
        faxes=taker.faxes.streams(),
        tls=tls,
        files=[_file(reader) for reader in captures.readers],
        malformed=malformed,
        malformed_at=collector.malformed_at,
        dropped=collector.dropped,
        unfollowed=book.unfollowed,
        cut=book.cut,
    )


def _understood(reading: _Reading, correlate: Sequence[str]) -> Analysis:
    """Dialogs, calls and streams out of what was read."""
    messages = reading.messages
    assert isinstance(messages, MessageStore)
    dialogs = build_dialogs(messages)
    calls = build_calls(dialogs, correlate)
    media = MediaMap(dialogs, reading.facts)
    reading.facts.clear()
    streams = join(reading.found, reading.faxes, media, reading.rtcp)
    reading.found.clear()
    if reading.files:
        reading.files[-1].problems.extend(_left_out(reading))
    analysis = Analysis(reading.files, messages, reading.malformed, dialogs, calls, streams, reading.tls)
    analysis.malformed_packets = tuple((capture, packet) for _, capture, packet in reading.malformed_at)
    # The views that are kept hold their store: without this both would wait for the collector.
    weakref.finalize(analysis, messages.forget).atexit = False
    return analysis


def _left_out(reading: _Reading) -> Iterator[Problem]:
    """What could not be used for want of room."""
    if reading.dropped:
        what = f"at most {MAX_CALL_IDS:,} Call-IDs and {MAX_MESSAGES:,} messages are followed; split the capture"
        yield Problem(0, f"{reading.dropped:,} SIP messages were dropped: {what}")
    if reading.cut:
        what = "their media cannot be replayed (capture with tcpdump -s 0)"
        yield Problem(0, f"{reading.cut} RTP packets are cut: {what}")
    if reading.unfollowed:
        yield Problem(0, f"more than {MAX_STREAMS:,} flows at a time resemble RTP: the others were not followed")


class _Embedded:
    """Takes TLS secrets out of captures that hold some, as they are read."""

    def __init__(self, captures: CaptureSet, keys: KeyLog) -> None:
        self._readers = captures.readers
        self._keys = keys
        self._taken = [0] * len(captures.readers)

    def collect(self) -> None:
        """Take what was not taken yet."""
        for index, reader in enumerate(self._readers):
            secrets = reader.secrets
            for kind, text in secrets[self._taken[index] :]:
                if kind == KEY_LOG:
                    self._keys.add(text)
            self._taken[index] = len(secrets)


class _Taker:
    """Gives the collector what the sieve finds, and the announcements what SDP the collector finds."""

    def __init__(self, announced: Announcements, captures: CaptureSet, share: Share, places: Places) -> None:
        self.collector = SipCollector(self._media, share, places)
        self._share = share
        self._announced = announced
        self._captures = captures
        self._group = 0
        self.rtcp = RtcpBook()
        self._pairs: dict[bytes, int] = {}
        """Number of a pair of addresses by its bytes in IP and UDP headers."""
        self.faxes = FaxBook()
        self.watched: NDArray[np.bool_] = np.zeros(65536, bool)
        """Ports that SDP announced for fax."""
        self.facts: dict[int, Facts | None] = {}
        """What SDP says, by the index of the message: it is read once, and asked for again when all is known."""

    def open_group(self, group: int) -> None:
        """What follows was captured later."""
        self._group = group

    def datagram(self, origin: Origin, payload: bytes, ip_id: int, cut: bool) -> None:
        taken = self.collector.datagram(
            origin.capture,
            origin.packet,
            origin.time,
            _address(origin.source, origin.source_port),
            _address(origin.destination, origin.destination_port),
            origin.transport,
            payload,
            ip_id,
            origin.correlation,
            origin.place,
        )
        if taken and cut and self._share.leads:
            what = "the SIP message is cut: capture with a larger snapshot length (tcpdump -s 0)"
            self._captures.note(origin.packet, what, origin.capture)

    def datagram_run(self, run: DatagramRun) -> None:
        """Many datagrams at once."""
        places = self.collector.messages.places
        for capture in set(run.captures):
            if not places.knows(capture):
                places.add_file(capture, self._captures.readers[capture].path)
        pairs = [self._pairs.get(ends) or self._pair(ends) for ends in run.ends]
        self.collector.run(run.captures, run.order, run.packets, run.times, pairs, run.payloads, run.ids, run.places)

    def _pair(self, ends: bytes) -> int:
        half = (len(ends) - 4) // 2
        source_port, destination_port = int.from_bytes(ends[-4:-2], "big"), int.from_bytes(ends[-2:], "big")
        source, destination = host_text(ends[:half]), host_text(ends[half : 2 * half])
        if len(self._pairs) >= _MAX_PAIRS:
            self._pairs.clear()
        number = self._pairs[ends] = self.collector.messages.pair(
            _address(source, source_port), _address(destination, destination_port)
        )
        return number

    def message(self, origin: Origin, data: bytes, transport: str) -> None:
        sender = _address(origin.source, origin.source_port)
        receiver = _address(origin.destination, origin.destination_port)
        self.collector.message(
            origin.capture, origin.packet, origin.time, sender, receiver, transport, data, origin.place
        )

    def aside(self, origin: Origin, payload: bytes) -> None:
        """A datagram of RTCP, or from or to a watched port."""
        _, time, source, source_port, destination, destination_port = origin[:6]
        sender, receiver = _address(source, source_port), _address(destination, destination_port)
        if is_rtcp(payload) and sender not in self.faxes.announced and receiver not in self.faxes.announced:
            self.rtcp.add(sender, receiver, time, payload)
        else:
            self.faxes.add(sender, receiver, time, payload)

    def _watch(self, facts: Facts) -> None:
        """Have what goes from or to a fax's port put aside."""
        for media in facts:
            if (
                media.address is not None
                and media.proto.upper() == "UDPTL"
                and len(self.faxes.announced) < MAX_FAX_ADDRESSES
            ):
                self.faxes.announced.add(media.address)
                self.watched[media.address.port] = True

    def broken(self, origin: Origin) -> None:
        if self._share.leads:
            self.collector.broken(origin.place, origin.capture, origin.packet)

    def _media(self, index: int, place: int, call_id: bytes, data: bytes) -> bool:
        """Note the media addresses of a new message, which came at this place."""
        facts = facts_in(data)
        if facts is None:
            return False
        if index >= 0:
            self.facts[index] = facts
        if facts:
            self._watch(facts)
            announce(self._announced, (self._group, place), call_id, facts)
        return True


def announce(announced: Announcements, place: Place, call_id: bytes, facts: Facts) -> None:
    """Tell `announced` of the media addresses in a message's SDP; sections that share one name its codecs together."""
    if len(facts) == 1 and not facts[0].candidates and not facts[0].crypto:
        # As nearly all SDP is.
        media = facts[0]
        if media.address is not None and ("RTP/" in media.proto or "RTP/" in media.proto.upper()):
            announced.announce(place, *media.address, short_codecs(media.codecs), call_id)
        return
    together: dict[Address, dict[int, tuple[str, int]]] = {}
    shared = next((media.address for media in facts if media.bundled and media.address), None)
    for media in facts:
        if media.address is None or "RTP/" not in media.proto.upper():
            continue
        codecs = short_codecs(media.codecs)
        where = (media.address, *media.candidates)
        for address in (shared, *where) if media.bundled and shared is not None else where:
            known = together.get(address)
            together[address] = codecs if known is None or known is codecs else {**known, **codecs}
    for address, codecs in together.items():
        announced.announce(place, *address, codecs, call_id)
    if any(media.crypto for media in facts):
        announced.name_keys(call_id, (line for media in facts for line in media.crypto), together)


@lru_cache(maxsize=16384)
def _address(host: str, port: int) -> Address:
    """One object for all messages from or to an address."""
    return Address(host, port)


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
