"""The packets of chosen calls: which signalling, streams, endpoints and connections make a call up.

Says what `capture.slice` has to look for, and lets `capture.records` copy it. Media is taken where streams were found
and where SDP announced any (RTCP, T.38, STUN and what is too short to be a stream), while the call lasts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, HopDialog
from sipreplay.analysis.sdp_media import facts_of
from sipreplay.capture.reader import STDIN, CaptureReader
from sipreplay.capture.records import Copied, copy_packets
from sipreplay.capture.slice import Connection, Endpoint, Slicer, Span, Wanted, Window
from sipreplay.errors import CaptureError, UsageError

BEFORE_S = 0.5
"""Media may come before the message that announces it, by what capture clocks differ."""
AFTER_S = 5.0
"""Media goes on after the last message by what is on its way and what was not told yet."""
_HEAD = 2048
"""First bytes of a message, of which its first segment holds as many as fit."""
_WHOLE = frozenset({"TLS", "WS", "WSS"})
"""Transports of which a part is of no use: what opens the connection is needed to read the rest."""


def export_calls(analysis: Analysis, calls: Sequence[Call], output: Path) -> Copied:
    """Write the packets of `calls`, media included, from all captures of the analysis. Reads the captures again.

    Raises UsageError where that is not possible (standard input), CaptureError for what cannot be read or written.
    """
    captures = {index: capture for index, capture in enumerate(analysis.captures) if capture.packets}
    for capture in captures.values():
        if not CaptureReader(capture.path).can_be_read_again:
            what = "standard input" if capture.path == STDIN else capture.path
            raise UsageError(f"--export: {what} cannot be read twice; save the capture to a file, and name that")
    if not calls:
        raise UsageError("--export: no call is chosen; see --call and --filter")
    slicer = Slicer(wanted_of(analysis, calls))
    paths = {index: capture.path for index, capture in captures.items()}
    readers = {index: CaptureReader(path) for index, path in paths.items()}
    chosen = {index: slicer.packets(index, reader) for index, reader in readers.items()}
    if not any(len(numbers) for numbers in chosen.values()):
        raise CaptureError("--export: no packet of these calls was found again; were the captures changed meanwhile?")
    # What decrypts them goes along where the captures held it, but not with calls that need none.
    encrypted = any(analysis.dialog(ident).transport in ("TLS", "WSS") for call in calls for ident in call.dialogs)
    secrets = [secret for reader in readers.values() for secret in reader.secrets] if encrypted else []
    return copy_packets(paths, chosen, output, secrets)


def wanted_of(analysis: Analysis, calls: Sequence[Call]) -> Wanted:
    """What to look for."""
    wanted = Wanted()
    members = {ident for call in calls for ident in call.dialogs}
    for call in calls:
        dialogs = [analysis.dialog(ident) for ident in call.dialogs]
        if dialogs:
            window = Window(min(d.first for d in dialogs) - BEFORE_S, max(d.last for d in dialogs) + AFTER_S)
            _signalling(dialogs, window, wanted)
    for stream in analysis.streams:
        mine = stream.dialog is not None and stream.dialog in members
        span = Window(stream.first, stream.last)
        entry = (_endpoint(stream.source), _endpoint(stream.destination), stream.ssrc, span)
        (wanted.streams if mine else wanted.others).append(entry)
        if mine:
            # RTCP of a stream that comes from elsewhere than its SDP says.
            for address in (stream.source, stream.destination):
                wanted.endpoints.append(((address.host, address.port + 1), span))
    _connections(analysis, members, wanted)
    return wanted


def _signalling(dialogs: Sequence[HopDialog], window: Window, wanted: Wanted) -> None:
    endpoints: set[Endpoint] = set()
    for dialog in dialogs:
        for captured in dialog.messages:
            wanted.packets.setdefault(captured.capture, set()).add(captured.packet)
            if b"\nm=" not in captured.data or captured.copy:
                continue
            for media in facts_of(captured) or ():
                if media.address is None:
                    continue
                for step in range(max(min(media.port_count, 8), 1) * 2):
                    endpoints.add((media.address.host, media.address.port + step))
                if media.rtcp is not None:
                    endpoints.add((media.rtcp.host, media.rtcp.port))
            captured.message.forget()
    wanted.endpoints += [(end, window) for end in sorted(endpoints) if end[1] <= 65535]


def _is_stream(captured: CapturedMessage) -> bool:
    return captured.transport != "UDP"


def _connections(analysis: Analysis, members: Collection[int], wanted: Wanted) -> None:
    """TCP connections that carried a chosen message: whole if they carried nothing else, else the segments of it."""
    used = {
        _ends(captured) for ident in members for captured in analysis.dialog(ident).messages if _is_stream(captured)
    }
    if not used:
        return
    partly = {
        _ends(captured)
        for dialog in analysis.dialogs
        if dialog.id not in members
        for captured in dialog.messages
        if _is_stream(captured) and captured.transport not in _WHOLE and _ends(captured) in used
    }
    sights: dict[tuple[int, Endpoint, Endpoint], list[tuple[int, bytes | None]]] = defaultdict(list)
    for dialog in analysis.dialogs:
        for captured in dialog.messages:
            ends = _ends(captured) if _is_stream(captured) else None
            if ends not in used or ends is None:
                continue
            if ends in partly:
                mine = dialog.id in members
                direction = (captured.capture, _endpoint(captured.source), _endpoint(captured.destination))
                sights[direction].append((captured.packet, captured.data[:_HEAD] if mine else None))
    for capture in range(len(analysis.captures)):
        wanted.connections[capture] = {ends: Connection(whole=ends not in partly) for ends in used}
    for (capture, source, destination), found in sights.items():
        wanted.connections[capture][_sorted(source, destination)].spans[(source, destination)] = list(_spans(found))


def _spans(found: list[tuple[int, bytes | None]]) -> Iterator[Span]:
    """Packet and first bytes of a direction's messages (None for those of other calls) as spans of the wanted."""
    before = 0
    found.sort(key=lambda sight: sight[0])
    for packet, head in found:
        if head is not None:
            yield Span(before, packet, head)
        before = packet


def _endpoint(address: Address) -> Endpoint:
    return address.host, address.port


def _ends(captured: CapturedMessage) -> tuple[Endpoint, Endpoint]:
    return _sorted(_endpoint(captured.source), _endpoint(captured.destination))


def _sorted(one: Endpoint, other: Endpoint) -> tuple[Endpoint, Endpoint]:
    return (one, other) if one <= other else (other, one)
