"""SIPp's texts: CDATA normalisation, `\\xHH`, and `[keyword]` parsing into literals and keywords.

Owns what a text means; never fills anything in (the engine does) and reads no file. Errors carry no place: the reader
adds file and line. Texts are Unicode; on the wire they are UTF-8, with surrogate escapes for bytes that are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from sipreplay.errors import ScenarioError


@dataclass(frozen=True, slots=True)
class Keyword:
    """One `[name...]`.

    Fixed keywords have SIPp's name. The parameterised ones are named `field` (index, file, line), `file` (name),
    `variable` (name), `fill` (text, variable), `last_header` (name) and `authentication` (username, password, aka_OP,
    aka_AMF, aka_K); their arguments are compiled texts, absent where the scenario leaves them out.
    """

    name: str
    offset: int = 0
    arguments: tuple[tuple[str, tuple[bytes | Keyword, ...]], ...] = ()

    def argument(self, name: str) -> Text | None:
        """A compiled argument; None if it is not given."""
        return next((text for key, text in self.arguments if key == name), None)

    def plain(self, name: str, default: str = "") -> str:
        """An argument that is literal text (`name`, `index`), as text. Raises ScenarioError if it holds a keyword."""
        text = self.argument(name)
        if text is None:
            return default
        if any(isinstance(part, Keyword) for part in text):
            raise ScenarioError(f"[{self.name}] cannot take its {name} from another keyword")
        return b"".join(part for part in text if isinstance(part, bytes)).decode("utf-8", "surrogateescape")


Text: TypeAlias = tuple[bytes | Keyword, ...]
"""A compiled text: literal bytes and keywords in turn."""

_KEY_PARAMETERS = frozenset(f"cryptokeyparams{line}{medium}" for line in "12" for medium in ("audio", "video"))
SRTP_KEYWORDS = _KEY_PARAMETERS | frozenset(
    f"{name}{line}{medium}"
    for name in (
        "cryptotag",
        "cryptosuiteaescm128sha180",
        "cryptosuiteaescm128sha132",
        "cryptosuitenullsha180",
        "cryptosuitenullsha132",
        "ueaescm128sha180",
        "ueaescm128sha132",
    )
    for line in "12"
    for medium in ("audio", "video")
)
"""Those of an SDES offer: primary and secondary line, audio and video."""

OFFSET_KEYWORDS = _KEY_PARAMETERS | frozenset(
    (
        "remote_port",
        "local_port",
        "media_port",
        "auto_media_port",
        "rtpstream_audio_port",
        "rtpstream_video_port",
        "cseq",
        "branch",
        "last_cseq_number",
        "len",
    )
)
"""Fixed keywords whose offset counts; others ignore it, as SIPp does."""

_WITHOUT_OFFSET = """
    remote_ip remote_host transport local_ip local_ip_type server_ip media_ip media_ip_type
    call_number call_id pid service msg_index next_url last_Request_URI last_message peer_tag_param routes
    dynamic_id clock_tick timestamp date users userid sipp_version tdmmap
"""
FIXED_KEYWORDS = OFFSET_KEYWORDS | SRTP_KEYWORDS | frozenset(_WITHOUT_OFFSET.split())

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "field": ("file", "line"),
    "file": ("name",),
    "fill": ("text", "variable"),
    "authentication": ("username", "password", "aka_OP", "aka_AMF", "aka_K"),
}
_PARAMETER = re.compile(r"""([A-Za-z_]\w*)=(?:"((?:\\.|[^"\\])*)"|0x([0-9A-Fa-f]+)(?=\s|$)|(\S*))""", re.DOTALL)
_SPECIAL = re.compile(r"\\x([0-9A-Fa-f]{1,2})|\n|\[")
_LITERAL_TOKEN = re.compile(rb"[^\s]+ ")
_UNSAFE = re.compile(r"[\[\\\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ud800-\udfff]|(?<![^\n])[ \t]|[ \t](?![^\n])")
MAXIMUM_KEYWORD = 256


def normalise(text: str, *, send: bool = True) -> str:
    """The CDATA as SIPp reads it: no indentation, no blanks at line ends, one empty line at the end of the headers.

    `send`: the text of a `<send>` (a body that stands on its own lines keeps its last line end), not of a sendCmd or
    a default message. Raises ScenarioError for an empty text. SIPp's order of deletions is kept, so lines indented
    with tabs and then blanks stay folded header lines.
    """
    text = text.lstrip(" \t\n")
    stripped = text.rstrip(" \t\n")
    line_ends = text.count("\n", len(stripped))
    text = stripped
    if len(text) < 2:
        raise ScenarioError("the CDATA is empty; write the message between <![CDATA[ and ]]>")
    text = re.sub("\n +", "\n", text)
    text = re.sub(" +\n", "\n", text)
    text = re.sub("\n\t+", "\n", text)
    text = re.sub("\t+\n", "\n", text)
    if "\n\n" not in text:
        text += "\n\n"
    if send and not text.endswith("\n") and line_ends:
        text += "\n"
    return text


def compile_text(text: str, *, message: bool, keys: Mapping[str, str] | None = None) -> Text:
    """A text as literals and keywords; line ends become CRLF and `\\xHH` one byte.

    `message`: the CDATA of a `<send>`, which is normalised first; False for the texts of actions. `keys` are the
    `-key` values, which count as literals. Raises ScenarioError for an empty message, a keyword that is unknown, not
    closed or not supported.
    """
    return _compiled(text, message, keys) if keys else _remembered(text, message)


def _compiled(text: str, message: bool, keys: Mapping[str, str]) -> Text:
    parts = _compile(normalise(text) if message else text, keys)
    if message:
        _check_message(parts)
    return parts


@lru_cache(maxsize=4096)
def _remembered(text: str, message: bool) -> Text:
    """The reader, its checks and the engine all compile the same texts."""
    return _compiled(text, message, {})


def compile_default_message(text: str, keys: Mapping[str, str] | None = None) -> Text:
    """The CDATA of a `<DefaultMessage>`: like a sent message, but without the last line end of a body."""
    return _compile(normalise(text, send=False), keys or {})


def sent_kind(parts: Text) -> tuple[str, int]:
    """Method of a compiled request, or ("", code) of a response.

    Raises ScenarioError if the first word is not literal, or the code is not within 100 to 699.
    """
    first = parts[0] if parts else b""
    token = _LITERAL_TOKEN.match(first) if isinstance(first, bytes) else None
    if token is None:
        raise ScenarioError("the message must begin with its method or SIP/2.0 and a blank, not with a keyword")
    word = token.group().decode("utf-8", "surrogateescape").rstrip(" ")
    if word != "SIP/2.0":
        return word, 0
    rest = first[token.end() :] if isinstance(first, bytes) else b""
    digits = re.match(rb" *([0-9]+)", rest)
    code = int(digits.group(1)) if digits and len(digits.group(1)) < 6 else 0
    if not 100 <= code <= 699:
        shown = rest.split(b"\r")[0].decode("utf-8", "replace") or "a keyword"
        raise ScenarioError(f"response code must be a number from 100 to 699, not '{shown}'")
    return "", code


def keywords_in(parts: Text) -> list[Keyword]:
    """All keywords of a compiled text, nested ones too."""
    found: list[Keyword] = []
    for part in parts:
        if isinstance(part, Keyword):
            found.append(part)
            for _, nested in part.arguments:
                found.extend(keywords_in(nested))
    return found


def escape_literal(text: str) -> str:
    """Text that compiles to exactly itself (line ends, written LF, reach the wire as CRLF).

    `[`, `\\`, control characters, bytes that are not UTF-8, and blanks beside a line end become `\\xHH`.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02X}" for byte in match.group().encode("utf-8", "surrogateescape"))


def _compile(text: str, keys: Mapping[str, str], depth: int = 0) -> Text:
    if depth > 3:
        raise ScenarioError("keywords are nested too deeply")
    parts: list[bytes | Keyword] = []
    literal = bytearray()
    position = 0
    while True:
        special = _SPECIAL.search(text, position)
        if special is None:
            literal += _encode(text[position:])
            break
        literal += _encode(text[position : special.start()])
        position = special.end()
        if special.group() == "\n":
            literal += b"\r\n"
        elif special.group() != "[":
            literal.append(int(special.group(1), 16))
        else:
            end = _keyword_end(text, position)
            keyword = _keyword(text[position:end], keys, depth)
            if isinstance(keyword, bytes):
                literal += keyword
            else:
                if literal:
                    parts.append(bytes(literal))
                    literal.clear()
                parts.append(keyword)
            position = end + 1
    if literal:
        parts.append(bytes(literal))
    return tuple(parts)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ScenarioError(f"the text holds a character that has no bytes: {text[error.start]!r}") from None


def _keyword_end(text: str, start: int) -> int:
    """Where the `]` of a keyword stands; quoted text may hold brackets, a quote does not span lines."""
    quoted = False
    position = start
    while position < len(text):
        character = text[position]
        if character == "]" and not quoted:
            break
        if character == '"':
            quoted = not quoted
        elif character == "\\" and quoted:
            position += 1
        elif character == "\n":
            quoted = False
        position += 1
    else:
        raise ScenarioError(
            f"'[{text[start : start + 30].split(chr(10))[0]}' has no closing ']'; write \\x5B for a literal '['"
        )
    if position == start:
        raise ScenarioError("'[]' is not a keyword; write \\x5B for a literal '['")
    if position - start > MAXIMUM_KEYWORD:
        raise ScenarioError(
            f"the keyword that begins '[{text[start : start + 30]}' is longer than {MAXIMUM_KEYWORD} characters"
        )
    return position


def _keyword(body: str, keys: Mapping[str, str], depth: int) -> Keyword | bytes:
    """What SIPp's order of tables says: fixed, field, file, variable, fill, last, authentication, -key."""
    name, offset = _split_offset(body)
    if name in FIXED_KEYWORDS:
        return Keyword(name, offset if name in OFFSET_KEYWORDS else 0)
    field = re.match(r"field([0-9]{1,6})(?=\s|$)", body.split(" ")[0] if " " in body else name)
    if field:
        parameters = _parameters("field", body[field.end() :], keys, depth)
        return Keyword("field", 0, (("index", (field.group(1).encode(),)), *parameters))
    if re.match(r"file(\s|$)", body):
        parameters = _parameters("file", body[4:], keys, depth)
        if not parameters:
            raise ScenarioError('[file] needs name="PATH"')
        return Keyword("file", 0, parameters)
    if name.startswith("$"):
        if len(name) == 1 or "," in name or "$" in name[1:]:
            raise ScenarioError(f"[{body}] is not the name of a variable")
        return Keyword("variable", 0, (("name", (_encode(name[1:]),)),))
    if re.match(r"fill(\s|$)", body):
        parameters = _parameters("fill", body[4:], keys, depth)
        if not any(key == "variable" for key, _ in parameters):
            raise ScenarioError('[fill] needs variable="NAME"')
        return Keyword("fill", 0, parameters)
    if body.startswith("last_"):
        header = body[len("last_") :].removesuffix(":")
        if not re.fullmatch(r"[^\s\[\]:]+", header):
            raise ScenarioError(f"[{body}] does not name a header")
        return Keyword("last_header", 0, (("name", (_encode(header),)),))
    if re.match(r"authentication(\s|$)", body):
        return Keyword("authentication", 0, _parameters("authentication", body[len("authentication") :], keys, depth))
    if name in keys:
        return _encode(keys[name])
    shown = body.replace("\n", " ")
    raise ScenarioError(f"unknown keyword [{shown}]{_nearest(name, keys)}")


def _split_offset(body: str) -> tuple[str, int]:
    """Name and offset: the first sign that a digit follows ends the name."""
    match = re.search(r"[+-][0-9]+", body)
    if match is None or body.startswith(("authentication", "tdmmap")):
        return body, 0
    return body[: match.start()], int(match.group()[:10])


def _parameters(name: str, text: str, keys: Mapping[str, str], depth: int) -> tuple[tuple[str, Text], ...]:
    """The `name=value` pairs that a keyword knows, values compiled; others are ignored, as SIPp does."""
    found: dict[str, Text] = {}
    for match in _PARAMETER.finditer(text):
        key, quoted, hexadecimal, bare = match.groups()
        if key not in _PARAMETERS[name] or key in found:
            continue
        if hexadecimal is not None:
            found[key] = (bytes.fromhex(hexadecimal + "0" * (len(hexadecimal) % 2)),)
        else:
            value = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else bare
            found[key] = _compile(value, keys, depth + 1)
    return tuple((key, found[key]) for key in _PARAMETERS[name] if key in found)


def _nearest(name: str, keys: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    known = [*FIXED_KEYWORDS, *keys, "field0", "file", "fill", "authentication", "last_From", "last_To", "last_Via"]
    near = get_close_matches(name, known, 1, 0.6)
    hint = f"; did you mean [{near[0]}]?" if near else ""
    return hint or "; write \\x5B for a literal '[', or give it a value with -key"


def _check_message(parts: Text) -> None:
    """What SIPp refuses in a message when it loads it."""
    sent_kind(parts)
    first_line, in_body = True, False
    authentications = 0
    for part in parts:
        if isinstance(part, bytes):
            first_line = first_line and b"\n" not in part
            in_body = in_body or b"\r\n\r\n" in part
            continue
        if first_line and part.name in ("media_port", "auto_media_port"):
            raise ScenarioError(f"[{part.name}] cannot stand in the first line of a message")
        authentications += part.name == "authentication"
        if in_body and part.name == "authentication":
            raise ScenarioError("[authentication] writes a header; it cannot stand in the body")
    if authentications > 1:
        raise ScenarioError("a message can hold one [authentication] only")
