"""The document of `inspect --json`, schema sipreplay/inspect/1, from an `Analysis`.

All times are seconds since the epoch, addresses "host:port" ("[host]:port" for IPv6). Puts together what others find.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, TextIO

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.facts_json import actor_json, facts_json, finding_json, peers_json
from sipreplay.analysis.findings import Finding, findings
from sipreplay.analysis.model import Address, Analysis, Call, CapturedMessage, CaptureFile, Evidence, HopDialog
from sipreplay.analysis.peers import peers
from sipreplay.analysis.roles import describe_actors
from sipreplay.analysis.store import COPY, RETRANSMISSION, MessageStore
from sipreplay.analysis.stored import DialogMessages
from sipreplay.analysis.stream_json import stream_json
from sipreplay.capture.layers import TlsSession
from sipreplay.sip.uri import join_host_port

SCHEMA = "sipreplay/inspect/1"


def _printable(text: str) -> str:
    """Text that any JSON reader takes: bytes that were no UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _capture(capture: CaptureFile) -> dict[str, Any]:
    return {
        "path": _printable(capture.path),
        "format": capture.format,
        "link_types": list(capture.link_types),
        "packets": capture.packets,
        "first": capture.first,
        "last": capture.last,
        "problems": [{"packet": problem.packet, "what": problem.what} for problem in capture.problems],
    }


def sip_counts(messages: Sequence[CapturedMessage], malformed: int) -> dict[str, Any]:
    """Messages (copies too), requests by method, responses by code, retransmissions, malformed."""
    requests: Counter[str] = Counter()
    responses: Counter[int] = Counter()
    if isinstance(messages, MessageStore):
        said, responses, again = messages.counts()
        for method, count in said.items():
            requests[_printable(method)] += count
    else:
        for captured in messages:
            if captured.message.status:
                responses[captured.message.status] += 1
            else:
                requests[_printable(captured.message.method)] += 1
        again = sum(m.retransmission for m in messages)
    return {
        "messages": len(messages),
        "requests": dict(sorted(requests.items())),
        "responses": {str(code): count for code, count in sorted(responses.items())},
        "retransmissions": again,
        "malformed": malformed,
    }


def _message(captured: CapturedMessage) -> dict[str, Any]:
    return {
        "packet": captured.packet,
        "time": captured.time,
        "from": str(captured.source),
        "to": str(captured.destination),
        "start_line": _printable(captured.message.start_line),
        "retransmission": captured.retransmission,
        "copy": captured.copy,
    }


def _messages(dialog: HopDialog) -> list[dict[str, Any]]:
    if not isinstance(dialog.messages, DialogMessages):
        return [_message(captured) for captured in dialog.messages]
    return [
        {
            "packet": row[5],
            "time": row[0],
            "from": _written(source),
            "to": _written(destination),
            "start_line": _start_line(data),
            "retransmission": row[18] & RETRANSMISSION != 0,
            "copy": row[18] & COPY != 0,
        }
        for row, (source, destination), data in dialog.messages.rows()
    ]


@lru_cache(maxsize=65536)
def _written(address: Address) -> str:
    return str(address)


def _start_line(data: bytes) -> str:
    """`Message.start_line`, printable, from the bytes."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else len(data)].rstrip(b"\r").decode("utf-8", "replace")


def _dialog(dialog: HopDialog) -> dict[str, Any]:
    return {
        "id": dialog.id,
        "kind": _printable(dialog.kind),
        "call_id": _printable(dialog.call_id),
        "from_tag": _printable(dialog.from_tag),
        "to_tag": _printable(dialog.to_tag),
        "hop": dialog.hop,
        "caller": str(dialog.caller),
        "callee": str(dialog.callee),
        "state": dialog.state,
        "first": dialog.first,
        "last": dialog.last,
        "pdd_ms": _milliseconds(dialog.pdd_ms),
        "setup_ms": _milliseconds(dialog.setup_ms),
        "call": dialog.call,
        "messages": _messages(dialog),
        "facts": facts_json(dialog),
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "dialogs": list(call.dialogs),
        "evidence": [_evidence(item) for item in call.evidence],
        "left_apart": [_evidence(item) for item in call.left_apart],
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "dialogs": list(item.dialogs),
        "rule": _printable(item.rule),
        "confidence": item.confidence,
        "values": [_printable(value) for value in item.values],
    }


def _tls(session: TlsSession) -> dict[str, Any]:
    return {
        "capture": session.capture,
        "packet": session.packet,
        "client": join_host_port(session.client, session.client_port),
        "server": join_host_port(session.server, session.server_port),
        "time": session.time,
        "version": session.version,
        "server_name": session.server_name,
        "protocols": list(session.protocols),
        "decrypted": session.decrypted,
        "records": session.records,
        "failed": session.failed,
        "why": session.why,
    }


def _parts(analysis: Analysis, found: Sequence[Finding] | None) -> Iterator[tuple[str, Any]]:
    """The members of the document, in order; an iterator stands for a list of which each item is made when it is asked
    for."""
    actors = Actors(analysis.dialogs)
    yield "schema", SCHEMA
    yield "captures", map(_capture, analysis.captures)
    broken = [{"capture": capture, "packet": packet} for capture, packet in analysis.malformed_packets]
    yield "sip", {**sip_counts(analysis.messages, analysis.malformed), "malformed_packets": broken}
    yield "dialogs", map(_dialog, analysis.dialogs)
    yield "calls", map(_call, analysis.calls)
    yield "streams", map(stream_json, analysis.streams)
    yield "tls", map(_tls, analysis.tls)
    yield "findings", map(finding_json, findings(analysis) if found is None else found)
    yield "actors", map(actor_json, describe_actors(analysis, actors))
    yield "peers", peers_json(peers(analysis, actors))


def inspect_json(analysis: Analysis) -> dict[str, Any]:
    """The whole document, of values that `json.dumps` takes."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in _parts(analysis, None)}


def write_json(analysis: Analysis, to: TextIO, found: Sequence[Finding] | None = None) -> None:
    """Write the document as `json.dumps(..., indent=1)` would, without ever holding more of it than one item.

    `found`: the findings, from a caller who knows them.
    """
    before = "{"
    for name, value in _parts(analysis, found):
        to.write(f"{before}\n {json.dumps(name)}: ")
        before = ","
        if isinstance(value, Iterator):
            _write_list(value, to)
        else:
            to.write(_indented(value, 1))
    to.write("\n}\n")


def _write_list(items: Iterator[Any], to: TextIO) -> None:
    before = "["
    for item in items:
        to.write(f"{before}\n  {_indented(item, 2)}")
        before = ","
    to.write("[]" if before == "[" else "\n ]")


def _indented(value: Any, depth: int) -> str:
    """JSON that stands `depth` deep, as `json.dumps(value, indent=1)` writes it, which takes three times as long."""
    return _text(value, "\n" + " " * depth)


def _text(value: Any, line: str) -> str:
    """`line`: a line end and what it is followed by."""
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is int:
        return int.__repr__(value)
    if kind is float and isfinite(value):
        return float.__repr__(value)
    inner = line + " "
    if kind is dict:
        members = [f"{inner}{_quoted(name)}: {_text(item, inner)}" for name, item in value.items()]
        return f"{{{','.join(members)}{line}}}" if members else "{}"
    if kind is list or kind is tuple:
        items = [inner + _text(item, inner) for item in value]
        return f"[{','.join(items)}{line}]" if items else "[]"
    return _WORDS[value] if kind is bool or value is None else json.dumps(value)


_quoted = json.encoder.encode_basestring_ascii
_WORDS = {None: "null", True: "true", False: "false"}
