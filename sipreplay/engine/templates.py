"""Texts to templates: constant keywords become literals, the others slots.

A keyword the engine does not know is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sipreplay import __version__
from sipreplay.engine import steps
from sipreplay.engine.endpoint import Endpoint, bracketed
from sipreplay.engine.steps import Template
from sipreplay.engine.variables import Names
from sipreplay.errors import ScenarioError
from sipreplay.scenario.keywords import Keyword, Text

_DYNAMIC = {
    "call_number": steps.CALL_NUMBER,
    "call_id": steps.CALL_ID,
    "peer_tag_param": steps.PEER_TAG,
    "cseq": steps.CSEQ,
    "routes": steps.ROUTES,
    "next_url": steps.NEXT_URL,
    "last_Request_URI": steps.LAST_REQUEST_URI,
    "last_cseq_number": steps.LAST_CSEQ,
    "last_message": steps.LAST_MESSAGE,
    "auto_media_port": steps.AUTO_MEDIA_PORT,
    "dynamic_id": steps.DYNAMIC_ID,
    "clock_tick": steps.CLOCK_TICK,
    "timestamp": steps.TIMESTAMP,
    "date": steps.DATE,
    "userid": steps.USER_ID,
    "len": steps.LENGTH,
}
MEDIA_KINDS = ("audio", "image", "video")
_STREAM_PORTS = {"rtpstream_audio_port": ("audio", 0), "rtpstream_video_port": ("video", 2)}
"""Medium, and where in the call's block of ports it is."""
CREDENTIALS = ("username", "password", "aka_OP", "aka_AMF", "aka_K")
"""Parameters of [authentication], in the order of its slot's argument."""


class TemplateCompiler:
    """Makes the templates of one program. Remembers which features they use."""

    def __init__(
        self,
        endpoint: Endpoint,
        names: Names,
        injections: list[str],
        *,
        service: str,
        users: int | None,
        keys: Mapping[str, str],
        circuits: bool = False,
    ) -> None:
        self.names = names
        self.keys = keys
        self.circuits = circuits
        self.injections = injections
        self.service = service
        self.endpoint = endpoint
        self.headers: set[bytes] = set()
        self.uses_lines = False
        self.uses_cseq = False
        self.auto_media = False
        self.shared_media = False
        self._constants: dict[str, Callable[[int], str]] = {
            "remote_ip": lambda _: bracketed(endpoint.remote_ip),
            "remote_host": lambda _: endpoint.remote_host,
            "remote_port": lambda offset: str(endpoint.remote_port + offset),
            "transport": lambda _: endpoint.transport,
            "local_ip": lambda _: bracketed(endpoint.local_ip),
            "local_ip_type": lambda _: "6" if ":" in endpoint.local_ip else "4",
            "local_port": lambda offset: str(endpoint.local_port + offset),
            "server_ip": lambda _: bracketed(endpoint.server_ip or endpoint.local_ip),
            "media_ip": lambda _: endpoint.media_ip,
            "media_ip_type": lambda _: "6" if ":" in endpoint.media_ip else "4",
            "media_port": lambda offset: str(endpoint.media_port + offset),
            "pid": lambda _: str(endpoint.pid),
            "service": lambda _: service,
            "sipp_version": lambda _: f"sipreplay-{__version__}",
            "users": lambda _: str(users if users is not None else -1),
        }

    def compile(self, text: Text, *, index: int | None, in_message: bool, source: str) -> Template:
        """A template.

        `index` is the message's place in the scenario, None for texts of actions and default messages.
        """
        out = _Builder()
        media: list[tuple[str, bool, int]] = []
        for number, part in enumerate(text):
            if isinstance(part, bytes):
                out.literal(part)
                continue
            if part.name in ("media_port", "auto_media_port"):
                media.extend(_announced(text, number, part))
            elif part.name in _STREAM_PORTS and not part.offset:
                media.append((_STREAM_PORTS[part.name][0], True, _STREAM_PORTS[part.name][1]))
            self._keyword(out, part, index)
        parts, slots = out.finish()
        template = Template(parts, slots, in_message=in_message, source=source)
        template.media_ports = media
        for position, code, argument in slots:
            if code == steps.LENGTH:
                template.length.append((position, int(argument)))
            elif code == steps.AUTHENTICATION:
                template.authentication = position
        return _with_constant_length(template)

    def argument(self, text: Text | None) -> Template | None:
        """A nested text, such as `line=`."""
        if text is None:
            return None
        return self.compile(text, index=None, in_message=False, source="")

    def _keyword(self, out: _Builder, word: Keyword, index: int | None) -> None:
        name = word.name
        constant = self._constants.get(name)
        if constant is not None:
            self.shared_media |= name == "media_port"
            out.literal(constant(word.offset).encode("utf-8", "surrogateescape"))
        elif name == "branch":
            if index is None:
                out.slot(steps.BRANCH, word.offset)
            else:
                out.literal(b"z9hG4bK-%d-" % self.endpoint.pid)
                out.slot(steps.CALL_NUMBER, None)
                out.literal(b"-%d" % (index + word.offset))
        elif name == "msg_index":
            out.literal(b"%d" % (index if index is not None else -1))
        elif name in _DYNAMIC:
            self.auto_media |= name == "auto_media_port"
            self.uses_cseq |= name == "cseq"
            out.slot(_DYNAMIC[name], word.offset)
        elif name in _STREAM_PORTS:
            self.auto_media = True
            out.slot(steps.AUTO_MEDIA_PORT, _STREAM_PORTS[name][1] + word.offset)
        elif name == "last_header":
            header = word.plain("name").encode("utf-8", "surrogateescape")
            self.headers.add(header.lower())
            out.slot(steps.LAST_HEADER, header)
        elif name == "variable":
            out.slot(steps.VARIABLE, self.names.reference(word.plain("name")))
        elif name == "field":
            out.slot(steps.FIELD, self._field(word))
        elif name == "file":
            out.slot(steps.FILE, self.argument(word.argument("name")))
        elif name == "fill":
            text = self.argument(word.argument("text")) or Template([], [], in_message=False, source="")
            out.slot(steps.FILL, (text, self.names.reference(word.plain("variable"))))
        elif name == "authentication":
            out.slot(steps.AUTHENTICATION, tuple(self.argument(word.argument(name)) for name in CREDENTIALS))
        elif name == "tdmmap":
            if not self.circuits:
                raise ScenarioError("[tdmmap] needs a map of circuits; give one with -tdmmap")
            out.slot(steps.CIRCUIT, None)
        else:
            raise ScenarioError(
                f"keyword [{name}] belongs to SRTP, which is not built yet for what is sent: offer RTP/AVP"
            )

    def _field(self, word: Keyword) -> tuple[int, int, Template | None]:
        if not self.injections:
            raise ScenarioError("[fieldN] needs an injection file; give one with -inf")
        name = word.plain("file")
        if name and name not in self.injections:
            raise ScenarioError(
                f"injection file '{name}' was not given with -inf (given: {', '.join(self.injections)})"
            )
        number = self.injections.index(name) if name else 0
        self.uses_lines = True
        return number, int(word.plain("index")), self.argument(word.argument("line"))


class _Builder:
    """Collects literals and slots so that literals between slots are one part."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._slots: list[tuple[int, int, Any]] = []
        self._open = bytearray()

    def literal(self, data: bytes) -> None:
        self._open += data

    def slot(self, code: int, argument: Any) -> None:
        self._flush()
        self._slots.append((len(self._parts), code, argument))
        self._parts.append(b"")

    def finish(self) -> tuple[list[bytes], list[tuple[int, int, Any]]]:
        self._flush()
        return self._parts, self._slots

    def _flush(self) -> None:
        if self._open:
            self._parts.append(bytes(self._open))
            self._open.clear()


def _with_constant_length(template: Template) -> Template:
    """[len] of a body without slots is a literal: the usual case, and worth a microsecond a message."""
    if not template.length or template.authentication >= 0:
        return template
    first = next((n for n, part in enumerate(template.parts) if b"\r\n\r\n" in part), -1)
    if first < 0 or any(position > first for position, _, _ in template.slots):
        return template
    if any(code in _MAY_END_HEADERS for _, code, _ in template.slots):
        return template
    body = b"".join(template.parts[first:]).split(b"\r\n\r\n", 1)[1]
    offsets = dict(template.length)
    out = _Builder()
    slots = {position: (code, argument) for position, code, argument in template.slots}
    for position, part in enumerate(template.parts):
        if position in offsets:
            out.literal(b"%5d" % max(0, len(body) + offsets[position]))
        elif position in slots:
            out.slot(*slots[position])
        else:
            out.literal(part)
    parts, new_slots = out.finish()
    constant = Template(parts, new_slots, in_message=template.in_message, source=template.source)
    constant.media_ports = template.media_ports
    return constant


_MAY_END_HEADERS = frozenset((steps.VARIABLE, steps.FIELD, steps.FILE, steps.FILL, steps.LAST_MESSAGE))
"""Values that could hold an empty line, after which all would be body."""


def _announced(text: Text, number: int, word: Keyword) -> list[tuple[str, bool, int]]:
    """The media that the line of a port keyword names: their ports become the source of what is played."""
    line = b""
    for part in text[:number]:
        line = line + part if isinstance(part, bytes) else line
        line = line.rpartition(b"\n")[2]
    for part in text[number + 1 :]:
        if isinstance(part, bytes):
            line += part.partition(b"\n")[0]
            if b"\n" in part:
                break
    own = word.name == "auto_media_port"
    return [(kind, own, word.offset) for kind in MEDIA_KINDS if re.search(kind.encode(), line)]
