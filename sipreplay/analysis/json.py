"""The document of `inspect --json`, schema sipreplay/inspect/1, from an `Analysis`.

All times are seconds since the epoch, addresses "host:port" ("[host]:port" for IPv6). Puts together what others find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.facts_json import actor_json, facts_json, finding_json, peers_json
from sipreplay.analysis.findings import findings
from sipreplay.analysis.model import Analysis, Call, CapturedMessage, CaptureFile, Evidence, HopDialog
from sipreplay.analysis.peers import peers
from sipreplay.analysis.roles import describe_actors
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
    for captured in messages:
        if captured.message.status:
            responses[captured.message.status] += 1
        else:
            requests[_printable(captured.message.method)] += 1
    return {
        "messages": len(messages),
        "requests": dict(sorted(requests.items())),
        "responses": {str(code): count for code, count in sorted(responses.items())},
        "retransmissions": sum(m.retransmission for m in messages),
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
        "messages": [_message(captured) for captured in dialog.messages],
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


def inspect_json(analysis: Analysis) -> dict[str, Any]:
    """The whole document, of values that `json.dumps` takes."""
    actors = Actors(analysis.dialogs)
    return {
        "schema": SCHEMA,
        "captures": [_capture(capture) for capture in analysis.captures],
        "sip": sip_counts(analysis.messages, analysis.malformed),
        "dialogs": [_dialog(dialog) for dialog in analysis.dialogs],
        "calls": [_call(call) for call in analysis.calls],
        "streams": [stream_json(stream) for stream in analysis.streams],
        "tls": [_tls(session) for session in analysis.tls],
        "findings": [finding_json(finding) for finding in findings(analysis)],
        "actors": [actor_json(actor) for actor in describe_actors(analysis, actors)],
        "peers": peers_json(peers(analysis, actors)),
    }
