"""The texts of SIPp's media actions: `exec play_dtmf`, `rtp_stream` and `rtp_echo`, as values.

Knows the grammar and the table of codecs, and plays nothing. Errors carry no place: the caller adds file and line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sipreplay.errors import ScenarioError
from sipreplay.scenario.attributes import parse_integer

DTMF_DIGITS = "0123456789*#ABCD"
DEFAULT_TONE_MS = 200
_TONE_RANGE_MS = (50, 2000)

STREAM_COMMANDS = ("pause", "resume", "pauseapattern", "resumeapattern", "pausevpattern", "resumevpattern")
PATTERNS = ("apattern", "vpattern")
ECHO_VERBS = ("startaudio", "updateaudio", "stopaudio", "startvideo", "updatevideo", "stopvideo")
PATTERN_BYTES = {1: 0xAA, 2: 0xBB, 3: 0xCC, 4: 0xDD, 5: 0xEE, 6: 0xFF}
"""Pattern id to the byte that fills its packets."""


class Codec(NamedTuple):
    """How a raw codec stream is cut into packets."""

    name: str
    """As in SDP, with the clock rate."""
    packet_bytes: int
    packet_ms: int
    ticks: int
    """RTP timestamp of one packet."""
    video: bool = False


_STATIC = {
    0: Codec("PCMU/8000", 160, 20, 160),
    8: Codec("PCMA/8000", 160, 20, 160),
    9: Codec("G722/8000", 160, 20, 160),
    13: Codec("CN/8000", 1, 150, 1200),
    18: Codec("G729/8000", 20, 20, 160),
}
_DYNAMIC = {
    "ilbc/8000": Codec("iLBC/8000", 50, 30, 240),
    "h264/90000": Codec("H264/90000", 1280, 160, 1280, True),
}


@dataclass(frozen=True, slots=True)
class Dtmf:
    """`play_dtmf`: digits and the length of each tone, and of the gap after it."""

    digits: str
    tone_ms: int = DEFAULT_TONE_MS


@dataclass(frozen=True, slots=True)
class RtpStream:
    """`rtp_stream`: a file or a pattern to play, or one of `STREAM_COMMANDS`."""

    command: str
    """file, apattern, vpattern, or one of `STREAM_COMMANDS`."""
    file: str = ""
    pattern: int = 1
    loops: int = 1
    """-1: for ever."""
    payload_type: int | None = None
    """None: the run's `-rtp_payload`."""
    codec: Codec | None = None
    """None if the payload type is."""


@dataclass(frozen=True, slots=True)
class RtpEcho:
    """`rtp_echo`: one of `ECHO_VERBS`, and what is echoed."""

    verb: str
    payload_type: int | None = None
    codec: Codec | None = None


def codec(payload_type: int, name: str = "") -> Codec:
    """The codec of a payload type. Raises ScenarioError for one that SIPp does not stream."""
    known = _STATIC.get(payload_type)
    if known is not None:
        if name and name.lower() != known.name.lower():
            raise ScenarioError(f"payload type {payload_type} is {known.name}, not {name}")
        return known
    if 96 <= payload_type <= 127:
        dynamic = _DYNAMIC.get(name.lower())
        if dynamic is not None:
            return dynamic
        given = f"not {name}" if name else "and one is needed"
        raise ScenarioError(f"payload type {payload_type} can be named iLBC/8000 or H264/90000, {given}")
    raise ScenarioError(f"payload type {payload_type} is not one of 0, 8, 9, 13, 18 and 96 to 127")


def parse_dtmf(text: str) -> Dtmf:
    """`digits[,tone_ms]`. Other characters among the digits are left out, a tone that is too long or short is 200 ms.

    Raises ScenarioError if no digit is left.
    """
    written, _, tone = text.partition(",")
    digits = "".join(digit for digit in written.upper() if digit in DTMF_DIGITS)
    if not digits:
        raise ScenarioError(f"'{text}' names none of the digits {DTMF_DIGITS}")
    if not tone.strip():
        return Dtmf(digits)
    tone_ms = _number(tone, "the length of a tone")
    least, most = _TONE_RANGE_MS
    return Dtmf(digits, tone_ms if least <= tone_ms <= most else DEFAULT_TONE_MS)


def parse_rtp_stream(text: str) -> RtpStream:
    """`file[,loops[,payload_type[,name]]]`, `apattern` or `vpattern` `[,id[,payload_type[,name]]]`, or a command.

    Raises ScenarioError for a number that is none, a pattern that does not exist, a codec that cannot be streamed.
    """
    word, *rest = (part.strip() for part in text.split(","))
    if not word:
        raise ScenarioError("names no file and no pattern")
    if word in STREAM_COMMANDS:
        if rest:
            raise ScenarioError(f"'{word}' takes no parameters")
        return RtpStream(word)
    if len(rest) > 3:
        raise ScenarioError("has more than four parts; a file name cannot hold a comma")
    payload_type, chosen = _payload(rest[1:])
    first = rest[0] if rest else ""
    if word in PATTERNS:
        pattern = _number(first, "the pattern's id") if first else 1
        if pattern not in PATTERN_BYTES:
            raise ScenarioError(f"pattern {pattern} does not exist; there are 1 to {len(PATTERN_BYTES)}")
        return RtpStream(word, pattern=pattern, loops=-1, payload_type=payload_type, codec=chosen)
    loops = _number(first, "the number of loops") if first else 1
    if loops < -1:
        raise ScenarioError("the number of loops must be -1 (for ever) or more")
    return RtpStream("file", file=word, loops=loops, payload_type=payload_type, codec=chosen)


def parse_rtp_echo(text: str) -> RtpEcho:
    """`verb[,payload_type[,name]]`. Raises ScenarioError for an unknown verb or codec."""
    verb, *rest = (part.strip() for part in text.split(","))
    if verb not in ECHO_VERBS:
        raise ScenarioError(f"'{verb}' must be one of {', '.join(ECHO_VERBS)}")
    if len(rest) > 2:
        raise ScenarioError("has more than three parts")
    return RtpEcho(verb, *_payload(rest))


def _payload(parts: list[str]) -> tuple[int | None, Codec | None]:
    if not parts or not parts[0]:
        return None, None
    payload_type = _number(parts[0], "the payload type")
    return payload_type, codec(payload_type, parts[1] if len(parts) > 1 else "")


def _number(text: str, what: str) -> int:
    number = parse_integer(text.strip())
    if number is None:
        raise ScenarioError(f"{what} must be a number, not '{text.strip()}'")
    return number
