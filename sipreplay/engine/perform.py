"""Performs operations (compiled actions) in order. A failed check skips the rest and marks the call; it goes on.

Never sends SIP and ends no call: what must happen to the call is returned or raised.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sipreplay.engine import playing, steps
from sipreplay.engine.authentication import verify
from sipreplay.engine.call import Call
from sipreplay.engine.failure import CallFailed, FatalError, StopNow
from sipreplay.engine.reach import may_reach
from sipreplay.engine.render import render
from sipreplay.engine.searching import ereg
from sipreplay.engine.steps import NO_VARIABLE, Operation, Template
from sipreplay.engine.variables import as_double, as_text, parse_double, read, write
from sipreplay.errors import ScenarioError
from sipreplay.scenario.distributions import draw

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

RESOLVED_LIMIT = 1000


def perform(engine: Engine, call: Call, operations: list[Operation], subject: bytes, now: float) -> bool:
    """Do all of them. `subject` is the message that an ereg searches. False if the call is to be stopped.

    Raises CallFailed where the call cannot go on, FatalError where the run cannot.
    """
    for operation in operations:
        kind = operation.kind
        if kind == steps.EREG:
            failure = ereg(engine, call, operation.extra, subject)
        elif kind == steps.TEST or kind == steps.STRCMP:
            failure = _compare(engine, call, operation)
        elif kind == steps.INTERNAL_COMMAND:
            if operation.name == "stop_call":
                return False
            engine.stopping = True
            if operation.name == "stop_now":
                raise StopNow("stop_now")
            continue
        else:
            _simple(engine, call, operation, subject, now)
            continue
        if failure:
            engine.warn(f"call {call.call_id.decode('latin-1')}: {failure} at step {call.index}")
            call.failure = failure
            return True
    return True


def _text(engine: Engine, call: Call, template: Template | None, now: float) -> bytes:
    return render(engine, call, template, now) if template is not None else b""


def _compare(engine: Engine, call: Call, operation: Operation) -> str:
    """`test` and `strcmp`; "" or the reason of a failed check."""
    value = read(engine, call, operation.source)
    if operation.kind == steps.STRCMP:
        left = as_text(value)
        right = as_text(read(engine, call, operation.source2)) if operation.source2 != NO_VARIABLE else operation.extra
        result = (left > right) - (left < right)
        write(engine, call, operation.target, float(result))
        if operation.check and result:
            return "StrcmpDoesntMatch"
        return "StrcmpShouldntMatch" if operation.check_inverse and not result else ""
    number = as_double(value)
    other = as_double(read(engine, call, operation.source2)) if operation.source2 != NO_VARIABLE else operation.number
    holds = operation.extra(number, other)
    write(engine, call, operation.target, holds)
    if operation.check and not holds:
        return "TestDoesntMatch"
    return "TestShouldntMatch" if operation.check_inverse and holds else ""


def _operand(engine: Engine, call: Call, operation: Operation) -> float:
    if operation.source != NO_VARIABLE:
        return as_double(read(engine, call, operation.source))
    return operation.number


def _simple(engine: Engine, call: Call, operation: Operation, subject: bytes, now: float) -> None:
    """Everything that cannot fail a check."""
    kind = operation.kind
    if kind == steps.ASSIGN:
        write(engine, call, operation.target, _operand(engine, call, operation))
    elif kind == steps.ARITHMETIC:
        _arithmetic(engine, call, operation)
    elif kind == steps.ASSIGN_STRING:
        write(engine, call, operation.target, _text(engine, call, operation.text, now))
    elif kind == steps.TO_DOUBLE:
        value = read(engine, call, operation.source)
        number = float(value) if isinstance(value, float | bool) else parse_double(as_text(value))
        if number is None:
            engine.warn(f"todouble: not a number (call {call.call_id.decode('latin-1')})")
        else:
            write(engine, call, operation.target, number)
    elif kind == steps.TRIM:
        write(engine, call, operation.target, as_text(read(engine, call, operation.target)).strip())
    elif kind == steps.INDEX:
        write(engine, call, operation.target, float(call.index))
    elif kind == steps.TIME_OF_DAY:
        wall = engine.wall(now)
        write(engine, call, operation.targets[0], float(int(wall)))
        write(engine, call, operation.targets[1], float(int(wall % 1.0 * 1_000_000)))
    elif kind == steps.JUMP:
        target = int(_operand(engine, call, operation))
        if target == call.index or not 0 <= target < engine.end:
            raise FatalError(
                f"<jump> at step {call.index} to {target}: no such step, or the same ({engine.program.file})"
            )
        call.index = -1 - target
    elif kind == steps.PAUSE_RESTORE:
        tick = _operand(engine, call, operation)
        call.paused_until = engine.started + tick / 1000.0 if tick > 0 else 0.0
    elif kind == steps.LOG:
        _log(engine, call, operation, now)
    elif kind == steps.LOOKUP:
        _lookup(engine, call, operation, now)
    elif kind == steps.SET_DESTINATION:
        _set_destination(engine, call, operation, now)
    elif kind == steps.PLAY:
        playing.play_file(engine, call, operation)
    elif kind == steps.DTMF:
        playing.play_digits(engine, call, operation, now)
    elif kind == steps.STREAM:
        playing.stream(engine, call, operation, now)
    elif kind == steps.ECHO:
        playing.echo(engine, call, operation)
    elif kind == steps.SWITCH_ECHO:
        playing.switch_echo(engine, call, operation)
    elif kind == steps.VERIFY_AUTH:
        username = _text(engine, call, operation.text, now)
        password = _text(engine, call, operation.text2, now)
        write(engine, call, operation.target, verify(subject or call.last_received, username, password))
    elif kind == steps.SAMPLE:
        write(engine, call, operation.target, float(draw(operation.extra, engine.random)))
    elif kind == steps.URL_ENCODE or kind == steps.URL_DECODE:
        text = as_text(read(engine, call, operation.target))
        coded = _url_encoded(text) if kind == steps.URL_ENCODE else unquote_to_bytes(text.replace(b"+", b" "))
        write(engine, call, operation.target, coded)
    elif kind == steps.INSERT or kind == steps.REPLACE:
        _change_line(engine, call, operation, now)
    elif kind == steps.COMMAND:
        command = _text(engine, call, operation.text, now).decode("utf-8", "surrogateescape")
        # The shell puts it in the background and ends: the run waits for a fork, never for the command.
        shell = ["/bin/sh", "-c", 'eval "$1" &', "sh", command]
        subprocess.run(shell, stdin=subprocess.DEVNULL, start_new_session=True, check=False)


def _arithmetic(engine: Engine, call: Call, operation: Operation) -> None:
    left = as_double(read(engine, call, operation.target))
    right = _operand(engine, call, operation)
    if operation.name == "add":
        left += right
    elif operation.name == "subtract":
        left -= right
    elif operation.name == "multiply":
        left *= right
    elif right == 0.0:
        engine.warn("divide by zero: the variable keeps its value")
    else:
        left /= right
    write(engine, call, operation.target, left)


def _log(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    text = _text(engine, call, operation.text, now).decode("utf-8", "replace")
    if operation.name == "error":
        raise FatalError(f"the scenario stopped the run: {text}")
    if operation.name == "warning":
        engine.warn(text)
    elif engine.on_log is not None:
        engine.on_log(text)


def _lookup(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    name = _text(engine, call, operation.text, now).decode("utf-8", "surrogateescape")
    key = _text(engine, call, operation.text2, now).decode("utf-8", "surrogateescape")
    index = engine.indexes.get(name)
    if index is None:
        raise FatalError(f"<lookup>: there is no index of the injection file {name!r}; name it with -infindex")
    write(engine, call, operation.target, float(index.get(key, -1)))


def _change_line(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    """`insert` and `replace`: for this engine's later look-ups and calls; the file itself is not touched."""
    name = _text(engine, call, operation.text, now).decode("utf-8", "surrogateescape")
    value = _text(engine, call, operation.text2, now).decode("utf-8", "surrogateescape")
    source = next((source for source in engine.injections if source.name == name), None)
    if source is None:
        raise FatalError(f"the scenario changes the injection file {name!r}, which was not given with -inf")
    try:
        if operation.kind == steps.INSERT:
            source.insert(value)
        else:
            row = parse_double(_text(engine, call, operation.text3, now))
            source.replace(int(row) if row is not None and abs(row) < 1e15 else -1, value)
    except ScenarioError as error:
        raise FatalError(str(error)) from None


def _url_encoded(text: bytes) -> bytes:
    return quote_from_bytes(text, safe="").encode("ascii")


def _resolved(engine: Engine, host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of a name, of the same IP version as the remote host's; the whole engine waits for the resolver."""
    if host == engine.endpoint.remote_host:
        return ipaddress.ip_address(engine.endpoint.remote_ip)
    known = engine.resolved.get(host)
    if known is None:
        family = socket.AF_INET6 if ":" in engine.endpoint.local_ip else socket.AF_INET
        try:
            found = socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise CallFailed("", f"setdest: cannot resolve {host!r}: {error}") from None
        if len(engine.resolved) < RESOLVED_LIMIT:
            engine.resolved[host] = str(found[0][4][0])
        known = str(found[0][4][0])
    return ipaddress.ip_address(known)


def _set_destination(engine: Engine, call: Call, operation: Operation, now: float) -> None:
    """Change the call's peer, within the networks that the run may send to. A name is resolved once in a run."""
    host = _text(engine, call, operation.text, now).decode("utf-8", "replace").strip().strip("[]")
    port_text = _text(engine, call, operation.text2, now).decode("utf-8", "replace").strip()
    protocol = _text(engine, call, operation.text3, now).decode("utf-8", "replace").strip().upper()
    transport = engine.endpoint.transport
    if protocol != transport:
        raise CallFailed("", f"setdest to {protocol or 'no protocol'}: the call's transport is {transport}")
    port = int(port_text) if port_text.isdigit() and len(port_text) < 6 else 5060 if not port_text else 0
    if not 0 < port < 65536:
        raise CallFailed("", f"setdest: {port_text!r} is not a port")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = _resolved(engine, host)
    if not may_reach(engine.allowed, address):
        raise CallFailed(
            "", f"setdest to {address}: a network that the run may not send to; allow it with --allow-net {address}"
        )
    if transport == "UDP":
        call.address = (str(address), port)
    elif call.address != (str(address), port):
        raise CallFailed("TcpConnect", "setdest over TCP needs a connection for each call, which is not supported yet")
