"""Captured SDP as a scenario sends it: own addresses and ports live, codecs as captured, ICE and DTLS taken out.

RFC 8866, 3264. Never decides what is negotiated; it only maps dynamic payload types of an answer to the live offer's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sipreplay.learn.names import UNSPECIFIED, Names
from sipreplay.learn.text import Line, Literal, Live, compact
from sipreplay.sip.sdp import MediaDescription, SdpLine, SessionDescription, parse_sdp
from sipreplay.sip.syntax import SipSyntaxError

ICE = frozenset(
    ("candidate", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite", "ice-mismatch", "ice-pacing", "remote-candidates")
)
DTLS = frozenset(("fingerprint", "tls-id", "connection", "dtls-id"))
SOURCES = frozenset(("ssrc", "ssrc-group"))
"""RFC 5576: every replayed stream has an SSRC of its own, which no captured line can announce."""
REMOVED = ICE | DTLS | SOURCES | {"end-of-candidates", "alt"}
"""Left literal they make the other side send to captured addresses, or wait for a key that never comes."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}\Z")

DYNAMIC = 96


@dataclass(slots=True)
class SessionRules:
    """How one description is written."""

    names: Names
    answer_to_live_offer: bool = False
    """Whether its dynamic payload types become variables that the live offer sets."""
    payload_variables: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Filled: variable to (captured payload type, "name/clock")."""
    rtcp_variables: dict[str, int] = field(default_factory=dict)
    """Filled: variable to the distance of an RTCP port from the call's first media port."""
    removed: set[str] = field(default_factory=set)
    """Filled: attribute names taken out."""
    keys: bool = False
    """Filled: whether it carries SRTP keys, which stay as captured."""


def session_lines(body: bytes, rules: SessionRules) -> tuple[Line, ...] | None:
    """The lines of an SDP body, the last one empty; None when the body is no SDP."""
    try:
        session = parse_sdp(body)
    except SipSyntaxError:
        return None
    dynamic = _dynamic(session, rules)
    section: dict[int, tuple[int, MediaDescription]] = {}
    for number, media in enumerate(session.media):
        for position in range(media.line, media.end_line):
            section[position] = (number, media)
    lines = []
    drop_setup = any(line.letter == "a" and line.value.startswith("fingerprint:") for line in session.lines)
    for number, line in enumerate(session.lines):
        name = line.value.partition(":")[0].strip() if line.letter == "a" else ""
        if name in REMOVED or (name == "setup" and drop_setup):
            rules.removed.add(name)
            continue
        rules.keys |= name == "crypto"
        place, media_here = section.get(number, (0, None))
        lines.append(compact(_line(line, place, media_here, dynamic, rules)))
    return (*lines, ())


def _line(
    line: SdpLine, place: int, media: MediaDescription | None, dynamic: dict[str, Line], rules: SessionRules
) -> Line:
    names = rules.names
    if line.letter == "o" and len(words := line.value.split()) >= 6:
        user, ident, version = (Literal(word, fixed=False, noise=True) for word in words[:3])
        space = Literal(" ")
        address = Live("[local_ip_type] [local_ip]")
        return (Literal("o="), user, space, ident, space, version, Literal(f" {words[3]} IP"), address)
    if line.letter == "s":
        return (Literal("s="), *names.swept(line.value, fixed=False, noise=True))
    if line.letter == "c" and len(words := line.value.split()) >= 3:
        if words[2].partition("/")[0] in UNSPECIFIED:
            return (Literal(f"c={line.value}"),)
        return (Literal(f"c={words[0]} IP"), Live("[media_ip_type] [media_ip]"))
    if line.letter == "m" and media is not None:
        return _media_line(place, media, dynamic)
    if line.letter == "a":
        return _attribute(line, place, media, dynamic, rules)
    return (Literal(f"{line.letter}=" if line.letter else ""), *names.swept(line.value))


def _port(place: int) -> Live:
    """The port of the media section in that place: SIPp's, which leaves four a call."""
    return Live(f"[auto_media_port+{2 * place}]" if place else "[auto_media_port]")


def _rtcp_port(place: int, port: int, media: MediaDescription | None, rules: SessionRules) -> Line:
    """The port of a=rtcp, a variable: SIPp takes its media port only on a line that says audio, video or image."""
    if port == 0:
        return (Literal("0"),)
    offset = 2 * place + (0 if media is not None and port == media.port else 1)
    variable = f"rtcp{offset}"
    rules.rtcp_variables[variable] = offset
    return (Live(f"[${variable}]"),)


def _media_line(place: int, media: MediaDescription, dynamic: dict[str, Line]) -> Line:
    line: Line = (Literal(f"m={media.kind} "),)
    line += (_port(place),) if media.port else (Literal("0"),)
    count = f"/{media.port_count}" if media.port_count > 1 else ""
    line += (Literal(f"{count} {media.proto}"),)
    for name in media.formats:
        line += (Literal(" "), *_payload(name, dynamic))
    return line


def _payload(name: str, dynamic: dict[str, Line]) -> Line:
    return dynamic.get(name, (Literal(name),))


def _attribute(
    line: SdpLine, place: int, media: MediaDescription | None, dynamic: dict[str, Line], rules: SessionRules
) -> Line:
    names = rules.names
    name, colon, value = line.value.partition(":")
    port = value.split()[:1]
    if name == "rtcp" and port and port[0].isascii() and port[0].isdigit() and len(port[0]) < 6:
        address: Line = (Literal(" IN IP"), Live("[media_ip_type] [media_ip]")) if len(value.split()) > 3 else ()
        return (Literal("a=rtcp:"), *_rtcp_port(place, int(port[0]), media, rules), *address)
    if name in ("rtpmap", "fmtp", "rtcp-fb") and dynamic:
        payload, space, rest = value.partition(" ")
        if payload in dynamic:
            return (Literal(f"a={name}:"), *dynamic[payload], *names.swept(space + rest))
    return (Literal(f"a={name}{colon}"), *names.swept(value))


def _dynamic(session: SessionDescription, rules: SessionRules) -> dict[str, Line]:
    """Format to the variable that holds the live offer's number, for dynamic types of an answer."""
    found: dict[str, Line] = {}
    if not rules.answer_to_live_offer:
        return found
    for media in session.media:
        for payload_type, (name, clock, _) in media.rtpmap.items():
            if payload_type < DYNAMIC or not media.port or not _NAME.match(name) or str(payload_type) in found:
                continue
            variable = f"pt{payload_type}"
            rules.payload_variables[variable] = (payload_type, f"{name}/{clock}")
            found[str(payload_type)] = (Live(f"[${variable}]"),)
    return found


def body_lines(body: bytes, swept: Callable[[str], Line]) -> tuple[Line, ...]:
    """Any other body, line by line (CRLF), the last one empty if it ends in a line end."""
    text = body.decode("utf-8", "surrogateescape")
    return tuple(swept(line) for line in text.split("\r\n"))
