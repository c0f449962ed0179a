"""Fills templates: the common slots in one loop, the others by function, then [len] and [authentication].

Owns what each keyword prints (docs: keywords); decides nothing about when something is sent.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from sipreplay.dumps.times import timestamp
from sipreplay.engine import authentication, headers, steps
from sipreplay.engine.call import Call
from sipreplay.engine.failure import CallFailed
from sipreplay.engine.steps import CALL_ID, CALL_NUMBER, CSEQ, FIELD, LAST_HEADER, PEER_TAG, Template
from sipreplay.engine.templates import CREDENTIALS
from sipreplay.engine.variables import as_double, parse_double, printed, read
from sipreplay.errors import ScenarioError
from sipreplay.scenario.keywords import Keyword, compile_text

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

PLACEHOLDER = b"Authorization:"
"""Where credentials will stand, while length and digest of the body are taken."""
MAXIMUM_FILL = 65_000


def render(engine: Engine, call: Call, template: Template, now: float) -> bytes:
    """The bytes of a message or text for this call, as of now. Raises FatalError for a text that cannot be made."""
    out = template.parts.copy()
    late = False
    for position, code, argument in template.slots:
        if code == CALL_NUMBER:
            out[position] = call.number_text
        elif code == CALL_ID:
            out[position] = call.call_id
        elif code == PEER_TAG:
            tag = call.peer_tag if not call.last_response else _peer_tag(call)
            if tag:
                out[position] = tag
        elif code == LAST_HEADER:
            known = call.headers
            value = known.get(argument) if known is not None else None
            if value is None:
                value = last_header(engine, call, argument)
            if value:
                out[position] = value
            else:
                _suppress(template, out, position)
        elif code == CSEQ:
            out[position] = b"%d" % ((call.cseq + argument) & 0xFFFFFFFF)
        else:
            value = _value(engine, call, code, argument, now)
            if value:
                out[position] = value
                if value[-1] == _LINE_END and code in _SUPPRESSED:
                    _suppress(template, out, position, bodied=b"\r\n\r\n" in value)
                late = late or (code == FIELD and b"[authentication" in value)
            elif code in _SUPPRESSED:
                _suppress(template, out, position)
    if template.length or template.authentication >= 0:
        _fix(engine, call, template, out, now)
    if late:
        return _with_late_authentication(engine, call, b"".join(out), now)
    return b"".join(out)


_LINE_END = 0x0A
_SUPPRESSED = frozenset((steps.ROUTES, steps.VARIABLE, steps.FIELD))


def _peer_tag(call: Call) -> bytes:
    tag = headers.tag_of(call.last_response, b"To")
    call.last_response = b""
    if tag:
        call.peer_tag = b";tag=" + tag
    return call.peer_tag


def last_header(engine: Engine, call: Call, name: bytes) -> bytes:
    """What [last_<name>] prints: the line as the keyword spells the name, values joined; b"" if there is none."""
    message = call.last_received
    if not message:
        return b""
    known = call.headers
    if known is None:
        known = call.headers = {}
    index = call.head
    if index is None:
        index = call.head = engine.program.heads.read(message)
    values = index.get(name.lower())
    if values is None:
        value = b""
    elif len(values) == 1:
        value = name + b": " + values[0]
    else:
        value = name + b": " + b", ".join(values)
    known[name] = value
    return value


def _suppress(template: Template, out: list[bytes], position: int, *, bodied: bool = False) -> None:
    """A keyword that began a line and printed nothing: the line goes, but never the empty line before the body.

    The same for one that printed whole lines: no other line end follows. `bodied`: with the empty line in them.
    """
    before = position
    while before >= 0 and not out[before]:
        before -= 1
    if before >= 0 and not out[before].endswith(b"\n"):
        return
    after = position + 1
    while after < len(out) and not template.parts[after]:
        after += 1
    if after >= len(out) or out[after] is not template.parts[after]:
        return
    if bodied:
        out[after] = out[after].lstrip(b" \t\r\n")
        return
    short = template.shortened.get(after)
    if short is None:
        literal = template.parts[after]
        rest = literal.lstrip(b" \t\r\n")
        blank = literal.find(b"\r\n\r\n", 0, len(literal) - len(rest))
        short = literal[blank + 2 :] if blank >= 0 and template.in_message else rest
        template.shortened[after] = short
    out[after] = short


def _fix(engine: Engine, call: Call, template: Template, out: list[bytes], now: float) -> None:
    """[len] first, then [authentication], whose digest may cover the body."""
    if template.authentication >= 0:
        # An empty line in its place would end the headers.
        out[template.authentication] = PLACEHOLDER
    if template.length:
        for position, _ in template.length:
            out[position] = b""
        body = headers.body_of(b"".join(out))
        for position, offset in template.length:
            out[position] = b"%5d" % max(0, len(body) + offset)
    if template.authentication >= 0:
        arguments = next(slot[2] for slot in template.slots if slot[0] == template.authentication)
        message = b"".join(out)
        out[template.authentication] = authentication.credentials(engine, call, arguments, message, now)


def _with_late_authentication(engine: Engine, call: Call, message: bytes, now: float) -> bytes:
    """A field of an injection file held the [authentication] keyword: SIPp's place for credentials of each call."""
    match = _LATE.search(message)
    if match is None:
        return message
    try:
        parts = compile_text(match.group().decode("utf-8", "surrogateescape"), message=False)
        word = next((part for part in parts if isinstance(part, Keyword)), None)
        texts = [_literal(word, name) if word is not None else None for name in CREDENTIALS]
    except ScenarioError as error:
        raise CallFailed("", f"a field of the injection file: {error.message}") from None
    rest = message[: match.start()] + PLACEHOLDER + message[match.end() :]
    line = authentication.credentials(engine, call, tuple(texts), rest, now)
    return message[: match.start()] + line + message[match.end() :]


_LATE = re.compile(rb"\[authentication(?:[^\]\"\r\n]|\"[^\"\r\n]*\")*\]")


def _literal(word: Keyword, name: str) -> Template | None:
    """A parameter of a field's [authentication]: text, in which nothing is filled in."""
    if word.argument(name) is None:
        return None
    text = word.plain(name)
    return Template([text.encode("utf-8", "surrogateescape")], [], in_message=False, source=text)


def _value(engine: Engine, call: Call, code: int, argument: Any, now: float) -> bytes:
    """The slots that are not in the loop above."""
    if code == steps.VARIABLE:
        return printed(read(engine, call, argument))
    if code == steps.FIELD:
        return field(engine, call, argument, now)
    if code == steps.ROUTES:
        return call.more.routes or b"" if call.more is not None else b""
    if code == steps.NEXT_URL:
        if call.more is not None and call.more.next_url:
            return call.more.next_url
        return headers.uri_of(headers.header(call.last_received, b"To"))
    if code == steps.LAST_REQUEST_URI:
        return headers.uri_of(headers.header(call.last_received, b"To"))
    if code == steps.LAST_CSEQ:
        return b"%d" % ((headers.cseq_of(call.last_received)[0] + int(argument)) & 0xFFFFFFFF)
    if code == steps.LAST_MESSAGE:
        return call.last_received
    if code == steps.AUTO_MEDIA_PORT:
        return b"%d" % (engine.media_port_of(call) + int(argument))
    if code == steps.BRANCH:
        return engine.branch(call, call.index - 1 + int(argument))
    if code == steps.DYNAMIC_ID:
        return b"%d" % engine.next_dynamic_id()
    if code == steps.CLOCK_TICK:
        return b"%d" % engine.tick(now)
    if code == steps.TIMESTAMP:
        return timestamp(engine.wall(now), rfc3339=engine.config.rfc3339).encode()
    if code == steps.DATE:
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(engine.wall(now))).encode()
    if code == steps.USER_ID:
        return b"%d" % call.user
    if code == steps.CIRCUIT:
        return _circuit(engine, call)
    if code == steps.FILE:
        return engine.read_file(render(engine, call, argument, now).decode("utf-8", "surrogateescape"))
    if code == steps.FILL:
        text, reference = argument
        count = min(max(0, int(as_double(read(engine, call, reference)))), MAXIMUM_FILL)
        pattern = render(engine, call, text, now) or b"X"
        return (pattern * (count // len(pattern) + 1))[:count]
    return b""


def _circuit(engine: Engine, call: Call) -> bytes:
    """The call's circuit, taken when it is first printed."""
    more = call.extra()
    if not more.circuit and engine.circuits is not None:
        more.circuit = engine.circuits.take(engine.random)
        if not more.circuit:
            raise CallFailed("OutboundCongestion", "all circuits of -tdmmap are taken")
    return more.circuit


def field(engine: Engine, call: Call, argument: tuple[int, int, Template | None], now: float) -> bytes:
    """A field of the call's line of an injection file, or of the line that `line=` names."""
    number, column, line_text = argument
    source = engine.injections[number]
    if line_text is not None:
        value = parse_double(render(engine, call, line_text, now))
        line = int(value) if value is not None and abs(value) < 1e15 else 0
    else:
        line = call.lines[number] if call.lines is not None else -1
    return source.field(line, column).encode("utf-8", "surrogateescape")
