"""What SDP in a dialog says about media: the facts of each m= section, and offers and answers.

Owns what is remembered of SDP, so that it is read once. Never ties media to dialogs (`media_map` does).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from sipreplay.analysis.dialogs import sent_by_caller
from sipreplay.analysis.model import Address, CapturedMessage, HopDialog
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import parse_message
from sipreplay.sip.sdp import MediaDescription, Origin, SessionDescription, parse_sdp
from sipreplay.sip.syntax import SipSyntaxError

MAX_CANDIDATES = 32
MAX_CRYPTO = 16
Codec = tuple[str, int, int]


class MediaFact(NamedTuple):
    """What one m= section says of where its sender receives: little enough to keep for every message."""

    kind: str
    address: Address | None
    """None where nothing can be sent to: a name, 0.0.0.0 (RFC 2543 hold), port 0."""
    rtcp: Address | None
    port_count: int
    proto: str
    direction: str
    codecs: dict[int, Codec]
    candidates: tuple[Address, ...] = ()
    """Where ICE may let it be sent instead (RFC 8839, component 1)."""
    ptime: int | None = None
    """In ms, as its sender wants to receive."""
    crypto: tuple[str, ...] = ()
    """Values of a=crypto (RFC 4568)."""
    fingerprint: bool = False
    """Whether DTLS is announced (RFC 8122)."""
    types: tuple[int, ...] = ()
    """Payload types of the m= line, those too whose codec is not known."""
    bundled: bool = False
    """Whether it may share the first bundled section's address (RFC 9143)."""

    @property
    def security(self) -> str:
        """How its media is protected: "" (not), "sdes", "dtls", or "unknown": a secure profile without either."""
        if self.crypto:
            return "sdes"
        if self.fingerprint:
            return "dtls"
        return "unknown" if "SAVP" in self.proto.upper() else ""


Facts = tuple[MediaFact, ...]
KnownFacts = Mapping[int, Facts | None]
"""What was read of messages already, by their index."""


class SdpSight(NamedTuple):
    """One SDP body of a dialog."""

    captured: CapturedMessage
    from_caller: bool
    role: str
    """offer, answer, or repeat: an answer (or an offer) said again in a later response to the same request."""
    media: tuple[MediaFact, ...]

    @property
    def description(self) -> SessionDescription:
        """All of it."""
        description = sdp_of(self.captured)
        assert description is not None, "a sight is of a body that was read"
        return description


def _sdp_bytes(captured: CapturedMessage) -> bytes | None:
    return sdp_body(captured.message)


def sdp_of(captured: CapturedMessage) -> SessionDescription | None:
    """The SDP in a message, or None when it carries none that can be read."""
    found = _sdp_bytes(captured)
    return None if found is None else _parsed(found)


def sdp_in(data: bytes) -> SessionDescription | None:
    """As `sdp_of`, from a message's bytes."""
    end = data.find(b"\r\n\r\nv=0\r\n")
    if end >= 0 and _usual_head(data, end):
        return _usual_description(data[end + 4 :])
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return None
    found = sdp_body(message)
    return None if found is None else _parsed(found)


def _usual_head(data: bytes, end: int) -> bool:
    """Whether the headers say in the usual way that all that follows them is SDP, with no encoding."""
    kind = data.find(b"\nContent-Type: ", 0, end)
    if kind < 0 or not data.startswith(_SDP_TYPE, kind - 1) or data[kind + 32 : kind + 33] in (b" ", b"\t"):
        return False
    length = data.find(b"\nContent-Length: ", 0, end)
    stop = data.find(b"\r\n", length + 17)
    if length < 0 or data[length + 17 : stop] != b"%d" % (len(data) - end - 4) or data[stop + 2 : stop + 3] in b" \t":
        return False
    return data.find(b"\n\n", 0, end) < 0 and not _ENCODED_OR_ENDED.search(data, 0, end)


_ENCODED_OR_ENDED = re.compile(rb"\n(?:[cC][oO][nN][tT][eE][nN][tT]-[eE]|[eE][ \t]*:|\r\n)")
_descriptions: dict[tuple[bytes, bytes, bytes], SessionDescription] = {}
_media_at: dict[tuple[int, bytes, bytes], tuple[SessionDescription, MediaDescription]] = {}


def _usual_description(body: bytes) -> SessionDescription | None:
    """As `_parsed`; descriptions that differ only in origin, address and port are read once."""
    match = _USUAL_SDP(body)
    if match is None:
        return _parsed(body)
    before, host, middle, port_text, after = match.groups()
    port = int(port_text)
    if not 0 < port < 65536 or body.count(b"\n") >= MAX_USUAL_LINES:
        return _parsed(body)
    key = before, middle, after
    template = _descriptions.get(key)
    if template is None:
        template = _parsed(body)
        if template is None or len(template.media) != 1 or template.connection is None or template.origin is None:
            return template
        if len(_descriptions) >= MAX_TEMPLATES:
            _descriptions.clear()
        _descriptions[key] = template
        return template
    assert template.connection is not None
    raw = tuple(body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"))[: len(template.raw)]
    words = raw[1][2:].split()
    connection = template.connection._replace(host=host.decode())
    place = id(template), host, port_text
    known = _media_at.get(place)
    if known is None or known[0] is not template:
        if len(_media_at) >= MAX_TEMPLATES:
            _media_at.clear()
        known = _media_at[place] = template, replace(template.media[0], port=port, connection=connection)
    origin = Origin(words[0], words[1], words[2], words[3], words[4], words[5], 1)
    return SessionDescription(
        raw, template.newline, origin, template.name, connection, template.attributes, (known[1],)
    )


def facts_of(captured: CapturedMessage) -> Facts | None:
    """What the sections of the SDP in a message say, or None when it carries none that can be read."""
    found = _sdp_bytes(captured)
    return None if found is None else media_facts(found)


def facts_in(data: bytes) -> Facts | None:
    """As `facts_of`, from a message's bytes."""
    end = data.find(b"\r\n\r\nv=0\r\n")
    if end >= 0 and data.find(_SDP_TYPE, 0, end + 2) >= 0:
        length = data.find(b"\r\nContent-Length: ", 0, end)
        if length >= 0 and data[length + 18 : data.find(b"\r", length + 18)] == b"%d" % (len(data) - end - 4):
            return _usual_facts(data[end + 4 :])
    try:
        message = parse_message(data)
    except SipSyntaxError:
        return None
    found = sdp_body(message)
    return None if found is None else media_facts(found)


_USUAL_SDP = re.compile(
    rb"v=0\r\no=[^\s]++ \d{1,20}+ \d{1,20}+ IN IP[46] [^\s]++\r\n(s=[^\r\n]++\r\n(?:[^ocmtv\r\n]=[^\r\n]*+\r\n)*+)"
    rb"c=IN IP4 (\d[\d.]++)\r\n((?:[^ocmv\r\n]=[^\r\n]*+\r\n)*+m=[a-z]++ )(\d{1,5}+)"
    rb"( [^\r\n]++\r\n(?:[^ocmv\r\n]=[^\r\n]*+\r\n)*+)\Z"
).match
"""One section, with the connection before it: what differs from call to call is address and port."""
_templates: dict[tuple[bytes, bytes, bytes], MediaFact | None] = {}
_UNREAD = MediaFact("", None, None, 0, "", "", {})
_filled: dict[tuple[int, bytes, bytes], Facts] = {}
MAX_TEMPLATES = 4096
MAX_USUAL_LINES = 200


def _usual_facts(body: bytes) -> Facts | None:
    """As `media_facts`; descriptions that differ only in origin, address and port are read once."""
    match = _USUAL_SDP(body)
    if match is None:
        return media_facts(body)
    before, host, middle, port, after = match.groups()
    key = before, middle, after
    template = _templates.get(key, _UNREAD)
    if template is not None:
        known = _filled.get((id(template), host, port))
        if known is not None:
            return known
    address = _address(host.decode(), int(port))
    if address is None:
        return media_facts(body)
    if template is _UNREAD:
        if len(_templates) >= MAX_TEMPLATES:
            _templates.clear()
            _filled.clear()
        facts = media_facts(body)
        plain = facts is not None and len(facts) == 1 and facts[0].rtcp is None and not facts[0].candidates
        _templates[key] = facts[0] if plain and facts else None
        return facts
    if template is None:
        return media_facts(body)
    if len(_filled) >= MAX_TEMPLATES:
        _filled.clear()
    known = _filled[id(template), host, port] = (template._replace(address=address),)
    return known


_SDP_TYPE = b"\r\nContent-Type: application/sdp\r\n"
_short: dict[int, tuple[dict[int, Codec], dict[int, tuple[str, int]]]] = {}


def short_codecs(codecs: dict[int, Codec]) -> dict[int, tuple[str, int]]:
    """Payload type to (name, clock rate); one dict for all that are asked for with the same dict."""
    known = _short.get(id(codecs))
    if known is None or known[0] is not codecs:
        if len(_short) >= 1024:
            _short.clear()
        known = _short[id(codecs)] = codecs, {kind: codec[:2] for kind, codec in codecs.items()}
    return known[1]


@lru_cache(maxsize=1024)
def _parsed(body: bytes) -> SessionDescription | None:
    """Remembered, because every hop and every retransmission says the same again."""
    try:
        return parse_sdp(body)
    except SipSyntaxError:
        return None


@lru_cache(maxsize=1024)
def media_facts(body: bytes) -> Facts | None:
    """What the sections of an SDP body say, or None when it cannot be read."""
    description = _parsed(body)
    if description is None:
        return None
    fingerprint = any(attribute.name == "fingerprint" for attribute in description.attributes)
    groups = [attribute.value or "" for attribute in description.attributes if attribute.name == "group"]
    bundled = {mid for group in groups for mid in group.split()[1:] if group.startswith("BUNDLE")}
    return tuple(_fact(media, fingerprint, bundled) for media in description.media)


def _fact(media: MediaDescription, fingerprint: bool, bundled: set[str]) -> MediaFact:
    host = media.connection.host if media.connection else ""
    address = _address(host, media.port)
    rtcp: Address | None = None
    if media.rtcp is not None:
        rtcp = _address(media.rtcp.host or host, media.rtcp.port)
    elif media.rtcp_mux:
        rtcp = address
    codecs = tuple((p, c) for p in media.payload_types if (c := media.codec(p)) is not None)
    return MediaFact(
        media.kind,
        address,
        rtcp,
        min(media.port_count, 16),
        media.proto,
        media.direction,
        _codec_map(codecs),
        _candidates(media, address) if media.has_ice else (),
        media.ptime,
        tuple(media.crypto[:MAX_CRYPTO]),
        fingerprint or media.has("fingerprint"),
        tuple(media.payload_types),
        bool(bundled) and any(mid in bundled for mid in media.attribute_values("mid")),
    )


def _candidates(media: MediaDescription, address: Address | None) -> tuple[Address, ...]:
    """The UDP addresses of a=candidate, component 1, but the section's own."""
    found: dict[Address, None] = {}
    for value in media.attribute_values("candidate")[:MAX_CANDIDATES]:
        words = value.split()
        if len(words) < 6 or words[1] != "1" or words[2].upper() != "UDP" or not words[5].isascii():
            continue
        candidate = _address(words[4], int(words[5])) if words[5].isdigit() and len(words[5]) < 6 else None
        if candidate is not None and candidate != address:
            found[candidate] = None
    return tuple(found)


@lru_cache(maxsize=1024)
def _codec_map(codecs: tuple[tuple[int, Codec], ...]) -> dict[int, Codec]:
    """One dict for all sections that offer the same."""
    return dict(codecs)


def offers_answers(dialog: HopDialog, known: KnownFacts | None = None) -> list[SdpSight]:
    """Every SDP of a dialog in order, without copies and retransmissions, with its role (RFC 3264, RFC 6337 2).

    SDP of messages in `known` is not read again.
    """
    known = known or {}
    sights: list[SdpSight] = []
    offered: tuple[bool, int] | None = None
    """Side and CSeq of the offer that waits for its answer."""
    answered: tuple[bool, int] | None = None
    """Side and CSeq of the last answer."""
    for captured in dialog.messages:
        if captured.copy or captured.retransmission:
            continue
        message = captured.message
        cseq = message.cseq_number
        if message.status >= 300:
            if offered is not None and offered == (not sent_by_caller(dialog, captured), cseq):
                offered = None
            continue
        media = known[captured.index] if captured.index in known else facts_of(captured)
        if media is None:
            continue
        from_caller = sent_by_caller(dialog, captured)
        mine = (from_caller, cseq)
        if offered is not None and offered[0] != from_caller:
            role, offered, answered = "answer", None, mine
        elif message.status and mine in (offered, answered):
            role = "repeat"
        else:
            role, offered = "offer", mine
        sights.append(SdpSight(captured, from_caller, role, media))
    return sights


@lru_cache(maxsize=4096)
def _numeric(host: str) -> str:
    """The host as captured addresses are written; "" for names and 0.0.0.0 (RFC 2543 hold)."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return "" if ip.is_unspecified else str(ip)


def _address(host: str, port: int) -> Address | None:
    """An address to compare captured ones with, or None when nothing can be sent to it."""
    host = _numeric(host)
    return Address(host, port) if host and 0 < port < 65536 else None
