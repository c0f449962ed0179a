"""SDP as values that keep every line (RFC 8866, 3264, 4566): who receives which codec where.

Nothing is lost: `lines` holds the body as it was, and each value says which line it came from, so that a writer can
change one line and leave the rest. Never decides what an offer and its answer agree on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sipreplay.sip.syntax import SipSyntaxError

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
MAX_LINES = 5000

STATIC_PAYLOADS: dict[int, tuple[str, int, int]] = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1),
    13: ("CN", 8000, 1),
    14: ("MPA", 90000, 1),
    15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1),
    17: ("DVI4", 22050, 1),
    18: ("G729", 8000, 1),
    25: ("CelB", 90000, 1),
    26: ("JPEG", 90000, 1),
    28: ("nv", 90000, 1),
    31: ("H261", 90000, 1),
    32: ("MPV", 90000, 1),
    33: ("MP2T", 90000, 1),
    34: ("H263", 90000, 1),
}
"""(name, clock rate, channels) of the static payload types (RFC 3551 6)."""


class SdpLine(NamedTuple):
    """One line: `letter=value`. A line without an equals sign has an empty letter and is kept whole in `value`."""

    letter: str
    value: str

    def __str__(self) -> str:
        return f"{self.letter}={self.value}" if self.letter else self.value


class Origin(NamedTuple):
    """o="""

    username: str
    session_id: str
    session_version: str
    network: str
    family: str
    host: str
    line: int


class Connection(NamedTuple):
    """c=; `host` is without a multicast TTL."""

    network: str
    family: str
    host: str
    line: int


class Attribute(NamedTuple):
    """a=name or a=name:value."""

    name: str
    value: str | None
    line: int


class Rtcp(NamedTuple):
    """a=rtcp (RFC 3605); `host` is "" when it is the connection's."""

    port: int
    host: str
    line: int


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An m= section. Line numbers are indices into `SessionDescription.lines`."""

    kind: str
    """audio, video, image, message, ..."""
    port: int
    """0: refused or ended."""
    port_count: int
    proto: str
    formats: tuple[str, ...]
    line: int
    """Of m=."""
    end_line: int
    """One past the section's last line."""
    connection: Connection | None
    """The section's own, else the session's."""
    direction: str
    """The section's own, else the session's, else sendrecv."""
    attributes: tuple[Attribute, ...]
    rtpmap: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """Payload type to (name, clock rate, channels), only what a=rtpmap says; see `codec`."""
    fmtp: dict[int, str] = field(default_factory=dict)
    ptime: int | None = None
    rtcp: Rtcp | None = None

    @property
    def payload_types(self) -> list[int]:
        """The formats that are numbers from 0 to 127, in order (none for T.38 and the like)."""
        return [int(f) for f in self.formats if f.isascii() and f.isdigit() and len(f) < 4 and int(f) < 128]

    def codec(self, payload_type: int) -> tuple[str, int, int] | None:
        """(name, clock rate, channels) by a=rtpmap, else by RFC 3551's table, else None."""
        return self.rtpmap.get(payload_type) or STATIC_PAYLOADS.get(payload_type)

    def attribute_values(self, name: str) -> list[str]:
        """The values of all attributes of that name ("" for one without a value)."""
        return [a.value or "" for a in self.attributes if a.name == name]

    def has(self, name: str) -> bool:
        """Whether an attribute of that name is there."""
        return any(a.name == name for a in self.attributes)

    @property
    def crypto(self) -> list[str]:
        """The values of a=crypto (RFC 4568)."""
        return self.attribute_values("crypto")

    @property
    def has_ice(self) -> bool:
        """Whether it carries ICE candidates (RFC 8839)."""
        return self.has("candidate")

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTCP shares the port (RFC 5761)."""
        return self.has("rtcp-mux")


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. `render_sdp(self.lines)` gives the body back."""

    raw: tuple[str, ...]
    """The lines as text."""
    newline: str
    """The line ending that the body used."""
    origin: Origin | None
    name: str
    connection: Connection | None
    attributes: tuple[Attribute, ...]
    """Of the session level."""
    media: tuple[MediaDescription, ...]

    @property
    def lines(self) -> tuple[SdpLine, ...]:
        """All lines, in order."""
        return tuple(SdpLine(r[0], r[2:]) if r[1:2] == "=" else SdpLine("", r) for r in self.raw)

    def body(self) -> bytes:
        """The description as bytes."""
        return "".join(f"{line}{self.newline}" for line in self.raw).encode("utf-8", "surrogateescape")


def render_sdp(lines: tuple[SdpLine, ...] | list[SdpLine], newline: str = "\r\n") -> bytes:
    """Lines as a body, each ended by a line end."""
    return "".join(f"{line}{newline}" for line in lines).encode("utf-8", "surrogateescape")


def _number(text: str, limit: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= limit else None


def _connection(value: str, line: int) -> Connection | None:
    words = value.split()
    return Connection(words[0], words[1], words[2].partition("/")[0], line) if len(words) >= 3 else None


def _attribute(line: str, number: int) -> Attribute:
    name, colon, rest = line.partition(":")
    return Attribute(name[2:].strip(), rest.strip() if colon else None, number)


def _rtpmap(value: str) -> tuple[int, tuple[str, int, int]] | None:
    words = value.split(None, 1)
    parts = words[1].split("/") if len(words) == 2 else []
    payload_type = _number(words[0], 255) if words else None
    clock = _number(parts[1].strip(), 10**9) if len(parts) > 1 else None
    if payload_type is None or clock is None:
        return None
    channels = _number(parts[2].strip(), 255) if len(parts) > 2 else 1
    return payload_type, (parts[0].strip(), clock, channels or 1)


def _media(
    raw: list[str], start: int, stop: int, session: Connection | None, direction: str
) -> MediaDescription | None:
    """One section; None when its m= line holds no port."""
    words = raw[start][2:].split()
    if len(words) < 3:
        return None
    port_text, _, count_text = words[1].partition("/")
    port = _number(port_text, 65535)
    if port is None:
        return None
    connection = session
    attributes = []
    rtpmap: dict[int, tuple[str, int, int]] = {}
    fmtp: dict[int, str] = {}
    ptime: int | None = None
    rtcp: Rtcp | None = None
    own_connection = False
    for number in range(start + 1, stop):
        line = raw[number]
        letter = line[:2]
        if letter != "a=":
            if letter == "c=" and not own_connection:
                connection = _connection(line[2:], number) or connection
                own_connection = True
            continue
        attribute = _attribute(line, number)
        attributes.append(attribute)
        name, text = attribute.name, attribute.value or ""
        if name in DIRECTIONS:
            direction = name
        elif name == "rtpmap" and (mapped := _rtpmap(text)):
            rtpmap.setdefault(*mapped)
        elif name == "fmtp":
            payload, _, parameters = text.partition(" ")
            payload_type = _number(payload, 255)
            if payload_type is not None:
                fmtp.setdefault(payload_type, parameters.strip())
        elif name == "ptime":
            ptime = _number(text.partition(".")[0], 10000)
        elif name == "rtcp":
            parts = text.split()
            rtcp_port = _number(parts[0], 65535) if parts else None
            if rtcp_port is not None:
                rtcp = Rtcp(rtcp_port, parts[3] if len(parts) > 3 else "", number)
    return MediaDescription(
        kind=words[0],
        port=port,
        port_count=_number(count_text, 65535) or 1,
        proto=words[2],
        formats=tuple(words[3:]),
        line=start,
        end_line=stop,
        connection=connection,
        direction=direction,
        attributes=tuple(attributes),
        rtpmap=rtpmap,
        fmtp=fmtp,
        ptime=ptime,
        rtcp=rtcp,
    )


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a description. Raises SipSyntaxError when it is none (no v= first, or too many lines).

    A line that cannot be understood stays in `lines` and has no other effect.
    """
    text = body.decode("utf-8", "surrogateescape")
    newline = "\r\n" if "\r\n" in text else "\n"
    raw = text.replace("\r\n", "\n").split("\n")
    while raw and not raw[-1].strip("\0 \t"):
        raw.pop()
    if not raw or not raw[0].startswith("v="):
        raise SipSyntaxError("an SDP body starts with v=")
    if len(raw) > MAX_LINES:
        raise SipSyntaxError(f"an SDP body of {len(raw)} lines")
    starts = [number for number, line in enumerate(raw) if line.startswith("m=")]
    first = starts[0] if starts else len(raw)
    origin: Origin | None = None
    name = ""
    connection: Connection | None = None
    attributes = []
    direction = "sendrecv"
    for number in range(first):
        line = raw[number]
        letter = line[:2]
        if letter == "o=" and origin is None and len(words := line[2:].split()) >= 6:
            origin = Origin(words[0], words[1], words[2], words[3], words[4], words[5], number)
        elif letter == "s=":
            name = line[2:]
        elif letter == "c=" and connection is None:
            connection = _connection(line[2:], number)
        elif letter == "a=":
            attributes.append(_attribute(line, number))
            if attributes[-1].name in DIRECTIONS:
                direction = attributes[-1].name
    sections = [
        _media(raw, start, stop, connection, direction)
        for start, stop in zip(starts, [*starts, len(raw)][1:], strict=True)
    ]
    media = tuple(section for section in sections if section is not None)
    return SessionDescription(tuple(raw), newline, origin, name, connection, tuple(attributes), media)
