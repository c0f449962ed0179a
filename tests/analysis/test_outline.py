"""What is decided by the shape of a dialog is what looking at each message decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.analysis import sdp_media, sip_findings
from sipreplay.analysis.facts_json import facts_json
from sipreplay.analysis.findings import findings
from sipreplay.analysis.model import Address, Analysis, HopDialog
from sipreplay.analysis.outline import draw, outline
from sipreplay.analysis.peers import peers
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.sdp_media import sdp_in, sdp_of
from tests.analysis.flow import Flow, sdp
from tests.analysis.test_shapes import CAPTURES


def looked_at(dialog: HopDialog) -> HopDialog:
    """A dialog whose shape nobody knows."""
    return replace(dialog, messages=list(dialog.messages), transactions=list(dialog.transactions))


def agree(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings, facts and peers of an analysis, the quick way and with every check and parser at every message."""
    quick = findings(analysis), [facts_json(d) for d in analysis.dialogs], peers(analysis)
    for dialog in analysis.dialogs:
        assert outline(dialog) == draw(dialog)
    for captured in analysis.messages:
        assert sdp_in(captured.data) == sdp_of(captured)
    plain = replace(analysis, dialogs=[looked_at(d) for d in analysis.dialogs])
    with monkeypatch.context() as patch:
        patch.setattr(sip_findings, "_chosen", lambda _: sip_findings.ALL_CHECKS)
        patch.setattr(sdp_media, "_usual_head", lambda *_: False)
        slow = findings(plain), [facts_json(d) for d in plain.dialogs], peers(plain)
    assert quick == slow


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_captures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(analyse([path]), monkeypatch)


STARTS = (
    "INVITE", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "INFO", "REGISTER", "100 Trying", "180 Ringing",
    "183 Progress", "200 OK", "200 OK", "302 Moved", "401 No", "407 No", "486 Busy", "488 No", "491 Later", "503 Down",
)  # fmt: skip
HEADERS = (
    "", "RSeq: 1", "Reason: Q.850;cause=31;text=\"RTP timeout\"", "Session-Expires: 90;refresher=uac",
    "RAck: 1 1 INVITE",
    "Warning: 399 x \"no\"", "Contact: <sip:u@10.0.0.9>", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"",
)  # fmt: skip
BODIES: tuple[tuple[str, ...] | None, ...] = (None, None, (), ("sendonly",), ("inactive",), ("rtpmap:0 PCMU/8000",))
STEP: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    st.sampled_from(STARTS),
    st.booleans(),
    st.sampled_from(("INVITE", "INVITE", "BYE", "UPDATE", "REGISTER")),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(HEADERS),
    st.sampled_from(BODIES),
    st.integers(0, 2),
    st.sampled_from((0.01, 0.01, 0.5, 5.0, 40.0)),
)


@given(st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=80, deadline=None)
def test_made_dialogs(steps: list[tuple[Any, ...]]) -> None:
    """Four Call-IDs of the same steps, of which one has other headers and one other bodies."""
    flow = Flow()
    for number in range(4):
        flow.call_id = f"call-{number}"
        caller, callee = Address("192.0.2.1", 5060 + number), Address("192.0.2.2", 5060)
        for start, back, of, cseq, tagged, header, attributes, again, pause_s in steps:
            source, destination = (callee, caller) if back else (caller, callee)
            method = of if start[0].isdigit() else start
            body = "" if attributes is None else sdp(source.host, 4000 + 2 * number, *attributes)
            if number == 3 and attributes is not None:
                body = body.replace("sendonly", "recvonly").replace(" 0 101", " 8")
            for _ in range(again + 1):
                flow.time += pause_s
                flow.say(
                    source,
                    destination,
                    start,
                    f"{cseq} {method}",
                    via=f"{number}b{cseq}{method}@192.0.2.1",
                    tags=(f"a{number}", f"b{number}" if tagged else ""),
                    headers="" if number == 2 else header,
                    body=body,
                )
    with pytest.MonkeyPatch.context() as patch:
        agree(flow.analysis(), patch)


@pytest.mark.parametrize(
    ("head", "usual"),
    [
        ("Content-Type: application/sdp\r\nContent-Length: {length}", True),
        ("Content-Type: application/sdp\r\n ;x=y\r\nContent-Length: {length}", True),
        ("Content-Encoding: gzip\r\nContent-Type: application/sdp\r\nContent-Length: {length}", False),
        ("e: deflate\r\nContent-Type: application/sdp\r\nContent-Length: {length}", False),
        ("Content-Type: text/plain\r\nContent-Type: application/sdp\r\nContent-Length: {length}", False),
        ("Content-Type: application/sdp\r\nContent-Length: 40", True),
    ],
)
def test_sdp_is_read_by_what_headers_say(head: str, usual: bool) -> None:
    for port in (4000, 4002, 0):
        body = sdp("192.0.2.1", port)
        data = f"INVITE sip:b SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{head}\r\n\r\n{body}".replace(
            "{length}", str(len(body))
        )
        flow = Flow()
        assert flow.collector.datagram(
            0, 1, 1.0, Address("192.0.2.1", 5060), Address("192.0.2.2", 5060), "UDP", data.encode()
        )
        found = sdp_in(data.encode())
        assert found == sdp_of(flow.messages[0])
        assert (found is not None) is usual
