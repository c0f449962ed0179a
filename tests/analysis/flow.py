"""Small SIP conversations, written down and collected as a capture would hold them."""

from __future__ import annotations

from collections.abc import Sequence

from sipreplay.analysis.calls import build_calls
from sipreplay.analysis.dialogs import build_dialogs
from sipreplay.analysis.messages import SipCollector
from sipreplay.analysis.model import Address, Analysis, CapturedMessage, HopDialog

A = Address("192.0.2.1", 5060)
P = Address("192.0.2.9", 5060)
B = Address("192.0.2.2", 5060)
SDP = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n{attributes}"


def sdp(host: str, port: int, *attributes: str) -> str:
    """A description with one audio medium."""
    return SDP.format(host=host, port=port, attributes="".join(f"a={a}\r\n" for a in attributes))


class Flow:
    """Messages in the order they are said. Each takes 10 ms unless a time is given."""

    def __init__(self, call_id: str = "call-1") -> None:
        self.collector = SipCollector()
        self.call_id = call_id
        self.time = 1000.0
        self.packet = 0
        self.capture = 0

    def say(
        self,
        source: Address,
        destination: Address,
        start: str,
        cseq: str,
        *,
        via: str = "b1",
        tags: tuple[str, str] = ("a", ""),
        headers: str = "",
        body: str = "",
        at: float | None = None,
        transport: str = "UDP",
        ip_id: int = 0,
        call_id: str | None = None,
    ) -> None:
        """One message. `start`: a method, or "180 Ringing". `via`: branch or branch@host, top first, by commas."""
        self.time = self.time + 0.01 if at is None else at
        self.packet += 1
        line = f"SIP/2.0 {start}" if start[:1].isdigit() else f"{start} sip:bob@example.com SIP/2.0"
        lines = [line]
        for part in via.split(","):
            branch, _, host = part.partition("@")
            lines.append(f"Via: SIP/2.0/{transport} {host or 'host.invalid'};branch=z9hG4bK{branch}")
        lines.append(f"From: <sip:alice@example.com>;tag={tags[0]}")
        lines.append("To: <sip:bob@example.com>" + (f";tag={tags[1]}" if tags[1] else ""))
        lines += [f"Call-ID: {call_id or self.call_id}", f"CSeq: {cseq}"]
        if headers:
            lines += headers.split("|")
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body)}", "", body]
        data = "\r\n".join(lines).encode()
        taken = self.collector.datagram(
            self.capture, self.packet, self.time, source, destination, transport, data, ip_id
        )
        assert taken

    @property
    def messages(self) -> Sequence[CapturedMessage]:
        """What was collected so far."""
        return self.collector.messages

    def dialogs(self) -> list[HopDialog]:
        """The hop-dialogs in it."""
        return build_dialogs(self.messages)

    def analysis(self) -> Analysis:
        """All but streams."""
        dialogs = self.dialogs()
        return Analysis([], self.messages, 0, dialogs, build_calls(dialogs), [])


def call(flow: Flow, caller: Address = A, callee: Address = B, *, body: bool = True) -> None:
    """A plain call: ringing, answered, ended by the caller."""
    offer = sdp(caller.host, 4000) if body else ""
    answer = sdp(callee.host, 6000) if body else ""
    flow.say(caller, callee, "INVITE", "1 INVITE", body=offer)
    flow.say(callee, caller, "100 Trying", "1 INVITE")
    flow.say(callee, caller, "180 Ringing", "1 INVITE", tags=("a", "b"))
    flow.say(callee, caller, "200 OK", "1 INVITE", tags=("a", "b"), body=answer)
    flow.say(caller, callee, "ACK", "1 ACK", via="b2", tags=("a", "b"))
    flow.say(caller, callee, "BYE", "2 BYE", via="b3", tags=("a", "b"))
    flow.say(callee, caller, "200 OK", "2 BYE", via="b3", tags=("a", "b"))
