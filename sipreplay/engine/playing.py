"""Media actions of a call: play_pcap, play_dtmf, rtp_stream, rtp_echo. Finds ports, addresses and sources, and asks.

Sends nothing itself: the media port does, from another process. Nothing here waits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.engine.failure import CallFailed
from sipreplay.engine.render import render
from sipreplay.engine.steps import NO_VARIABLE, Operation
from sipreplay.engine.variables import as_double, read
from sipreplay.errors import ScenarioError
from sipreplay.media.made import Made
from sipreplay.scenario.media_actions import (
    PATTERN_BYTES,
    STREAM_COMMANDS,
    Dtmf,
    RtpEcho,
    RtpStream,
    codec,
    parse_dtmf,
    parse_rtp_stream,
)

if TYPE_CHECKING:
    from sipreplay.engine.call import Call
    from sipreplay.engine.engine import Engine

EVENT_TYPE = 96
"""Payload type of digits, where the peer's SDP names none (SIPp: always)."""
SIPP_FILLER = 20
_VIDEO_OFFSET = 2


def play_file(engine: Engine, call: Call, operation: Operation) -> None:
    """Start a media file towards the address that the peer's SDP named for its medium."""
    _start(engine, call, operation.name, int(operation.extra), f"play_pcap_{operation.name}")


def play_digits(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    """Send digits as telephone events. Raises CallFailed if the text holds none."""
    digits = operation.extra
    if digits is None:
        digits = _parsed(engine, call, operation, now)
    assert isinstance(digits, Dtmf)
    payload_type, filler = EVENT_TYPE, SIPP_FILLER
    if not engine.config.sipp_media:
        payload_type, filler = call.extra().event_type or EVENT_TYPE, 0
    made = Made("dtmf", digits.digits, payload_type, tone_ms=digits.tone_ms, filler=filler)
    source = _defined(engine, call, made, "play_dtmf")
    if source >= 0:
        _start(engine, call, "audio", source, "play_dtmf")


def stream(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    """Start, stop for a while or resume what rtp_stream plays. Raises CallFailed for a text that is none."""
    source = -1
    asked = operation.extra
    if asked is None:
        asked = _parsed(engine, call, operation, now)
    elif isinstance(asked, tuple):
        asked, source = asked
    assert isinstance(asked, RtpStream)
    kind = "video" if asked.command.endswith("vpattern") else "audio"
    if asked.command in STREAM_COMMANDS:
        engine.media.hold(call.number, _port(engine, call, kind), held=asked.command.startswith("pause"), stream=True)
        return
    if source < 0:
        source = _defined(engine, call, _made(engine, asked), "rtp_stream")
    if source >= 0:
        _start(engine, call, kind, source, "rtp_stream", laps=asked.loops, stream=True)


def echo(engine: Engine, call: Call, operation: Operation) -> None:
    """Begin or end the echo on the call's own port."""
    asked = operation.extra
    assert isinstance(asked, RtpEcho)
    port = engine.media_port_of(call) + (_VIDEO_OFFSET if asked.verb.endswith("video") else 0)
    engine.media.echo(call.number, port, on=not asked.verb.startswith("stop"))


def switch_echo(engine: Engine, call: Call, operation: Operation) -> None:
    """The echo of the ports that all calls share (SIPp's -rtp_echo); 0 is off."""
    value = operation.number
    if operation.source != NO_VARIABLE:
        value = as_double(read(engine, call, operation.source))
    engine.media.switch_echo(on=value != 0.0)


def stream_source(asked: RtpStream, payload_type: int, path: str) -> Made:
    """What rtp_stream plays. `payload_type` counts if the action names none. Raises ScenarioError for its codec."""
    number = payload_type if asked.payload_type is None else asked.payload_type
    layout = asked.codec or codec(number)
    byte = 0 if asked.command == "file" else PATTERN_BYTES[asked.pattern]
    kind = "file" if asked.command == "file" else "pattern"
    return Made(kind, path, number, layout.packet_bytes, layout.packet_ms, layout.ticks, byte)


def _made(engine: Engine, asked: RtpStream) -> Made:
    """The same while the call runs, when a keyword named the file.

    It must lie in the scenario's folder or the working directory: the name may come from the peer.
    """
    path = ""
    if asked.command == "file":
        folders = [Path(engine.program.file or ".").parent.resolve(), Path.cwd()]
        found = [(folder / asked.file).resolve() for folder in folders]
        inside = [one for one in found if any(one.is_relative_to(folder) for folder in folders)]
        if not inside:
            raise CallFailed("", f"rtp_stream: {asked.file!r} lies outside of the scenario's and the working folder")
        path = str(next((one for one in inside if one.is_file()), inside[0]))
    try:
        return stream_source(asked, engine.config.rtp_payload, path)
    except ScenarioError as error:
        raise CallFailed("", f"rtp_stream: {error.message}") from None


def _parsed(engine: Engine, call: Call, operation: Operation, now: float) -> object:
    assert operation.text is not None
    text = render(engine, call, operation.text, now).decode("utf-8", "surrogateescape")
    try:
        return parse_dtmf(text) if operation.name == "play_dtmf" else parse_rtp_stream(text)
    except ScenarioError as error:
        raise CallFailed("", f"{operation.name}: {error.message}") from None


def _port(engine: Engine, call: Call, kind: str) -> int:
    """The port that the call announced for a medium; without an announcement its own one."""
    program = engine.program
    own, offset = call.extra().sources.get(kind, (program.auto_media or not program.shared_media, 0))
    return (engine.media_port_of(call) if own else engine.endpoint.media_port) + offset


def _start(
    engine: Engine, call: Call, kind: str, source: int, what: str, *, laps: int = 1, stream: bool = False
) -> None:
    more = call.extra()
    target = more.targets.get(kind)
    if target is None:
        name = call.call_id.decode("latin-1")
        engine.warn(f"{what}: no SDP of the peer gave an address for {kind} (call {name})")
        return
    more.playing = True
    port = _port(engine, call, kind)
    if not engine.media.play(call.number, port, source, target[0], target[1], laps=laps, stream=stream):
        _behind(engine, call, what)


def _defined(engine: Engine, call: Call, made: Made, what: str) -> int:
    """Its source, or -1 if it cannot be had."""
    source = engine.media.define(made)
    if source < 0:
        _behind(engine, call, what)
    return source


def _behind(engine: Engine, call: Call, what: str) -> None:
    engine.warn(f"{what}: the media process is behind, or has made thousands of different ones: it was not played")
    call.failure = call.failure or "OutboundCongestion"
