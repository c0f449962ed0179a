"""A message or a stream in a few words: class, SDP in a line, what else is worth saying, the text to read."""

from __future__ import annotations

from sipreplay.analysis.model import Address, Stream
from sipreplay.report.words import clip, count, duration_s, printable
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import Message
from sipreplay.sip.sdp import MediaDescription, parse_sdp
from sipreplay.sip.syntax import SipSyntaxError

MAX_RAW = 16_384


def style_of(message: Message) -> str:
    """The class of a message: request, provisional, success, redirect or failure."""
    if message.is_request:
        return "request"
    return {1: "provisional", 2: "success", 3: "redirect"}.get(message.status // 100, "failure")


def raw_text(data: bytes) -> str:
    """The message for a reader: text as UTF-8 where it is, anything else shown; cut when very long."""
    text = data[:MAX_RAW].decode("utf-8", "surrogateescape")
    lines = (printable(line) for line in text.replace("\r\n", "\n").split("\n"))
    more = f"\n... {count(len(data) - MAX_RAW)} more bytes" if len(data) > MAX_RAW else ""
    return "\n".join(lines).rstrip("\n") + more


def sdp_text(message: Message) -> str:
    """The SDP in one line: "PCMU/PCMA 10.0.0.1:4000 sendonly, video H264 ..."; "" when the message carries none."""
    try:
        body = sdp_body(message)
        media = parse_sdp(body).media if body is not None else ()
    except SipSyntaxError:
        return "unreadable SDP"
    return printable(", ".join(_media_text(section) for section in media[:4])) + (", ..." if len(media) > 4 else "")


def _media_text(media: MediaDescription) -> str:
    kind = "" if media.kind == "audio" else f"{media.kind} "
    if media.port == 0:
        return f"{media.kind} refused"
    names = []
    for payload_type in media.payload_types:
        codec = media.codec(payload_type)
        name = codec[0] if codec else str(payload_type)
        if name.lower() not in ("telephone-event", "cn") and name not in names:
            names.append(name)
    shown = "/".join(names[:3]) + ("/..." if len(names) > 3 else "") or "/".join(media.formats[:2])
    host = media.connection.host if media.connection else "?"
    direction = "" if media.direction == "sendrecv" else f" {media.direction}"
    if media.direction in ("sendonly", "inactive") or host == "0.0.0.0":
        direction += " (hold)"  # RFC 3264 8.4, and RFC 2543's way
    secure = " SRTP" if "SAVP" in media.proto else ""
    return f"{kind}{clip(shown, 40)} {Address(host, media.port)}{direction}{secure}"


def notes_of(message: Message) -> list[str]:
    """What else is worth a word under the arrow: credentials, Refer-To, Replaces, Reason, the digit of a DTMF INFO."""
    notes = []
    if message.get("Authorization") or message.get("Proxy-Authorization"):
        notes.append("with credentials")
    for header in ("Refer-To", "Replaces", "Reason"):
        value = message.get(header)
        if value:
            notes.append(f"{header}: {clip(printable(value.strip()), 60)}")
    content_type = (message.get("Content-Type") or "").lower()
    if message.is_request and message.method == "INFO" and "dtmf" in content_type:
        for line in message.body.decode("latin-1").splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                notes.append(f"DTMF {printable(value.strip())[:4]}")
    return notes


def codec_text(stream: Stream) -> str:
    """The codec; of a stream of digits alone its RFC 4733 name, of an unknown one its payload types."""
    if stream.codec:
        return printable(stream.codec)
    if stream.dtmf:
        return "telephone-event"
    return "PT " + ",".join(map(str, stream.payload_types[:4]))


def stream_numbers(stream: Stream) -> list[str]:
    """Packets, loss, jitter, MOS and digits of a stream, in words."""
    parts = [f"{count(stream.packets)} packets", f"{count(stream.lost)} lost", f"jitter {stream.mean_jitter_ms:.1f} ms"]
    if stream.mos is not None:
        parts.append(f"MOS {stream.mos:.2f}")
    if stream.reordered:
        parts.append(f"{count(stream.reordered)} out of order")
    if stream.dtmf:
        parts.append(f"DTMF {clip(printable(stream.dtmf), 32)}")
    parts.append(f"for {duration_s(max(stream.last - stream.first, 0.0))}")
    return parts
