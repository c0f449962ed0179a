"""Conversations for tests of the learner: written as text, put into a pcap, learned, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.capture.write import PcapWriter
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions, LearnReport
from sipreplay.scenario.keywords import Keyword, compile_text, keywords_in
from sipreplay.scenario.model import Element, Pause, Recv, Scenario, Send
from sipreplay.scenario.reader import read_scenario

ALICE = ("198.51.100.7", 5066)
BOB = ("203.0.113.9", 5060)
SDP = (
    "v=0\r\no=alice 77 88 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    "m=audio 41000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
ANSWER = SDP.replace("alice", "bob").replace("198.51.100.7", "203.0.113.9").replace("41000", "42000")


@dataclass
class Talk:
    """One call, message by message. Times count from 1000 s."""

    call_id: str = "call-1@198.51.100.7"
    caller: str = "alice"
    callee: str = "bob"
    from_tag: str = "tag-a"
    to_tag: str = "tag-b"
    start: float = 1000.0
    packets: list[tuple[float, tuple[str, int], tuple[str, int], bytes]] = field(default_factory=list)
    requests: dict[tuple[str, str], str] = field(default_factory=dict)

    def request(
        self,
        at: float,
        method: str,
        cseq: int,
        *,
        up: bool = False,
        more: str = "",
        body: str = "",
        target: str = "",
        from_value: str = "",
        to_value: str = "",
        branch: str = "",
        in_dialog: bool | None = None,
        record: bool = True,
    ) -> None:
        """A request of the caller, or of the callee if `up`."""
        inside = in_dialog if in_dialog is not None else up or method in ("ACK", "BYE", "PRACK", "UPDATE", "INFO")
        mine, theirs = (BOB, ALICE) if up else (ALICE, BOB)
        a = from_value or f"<sip:{self.caller}@example.com>"
        b = to_value or f"<sip:{self.callee}@example.com>"
        if up:
            a, b, own, other = b, a, self.to_tag, self.from_tag
        else:
            own, other = self.from_tag, self.to_tag
        key = branch or f"z9hG4bK-{self.call_id}-{method}-{cseq}-{up}"
        uri = target or (f"sip:{self.caller}@{theirs[0]}:{theirs[1]}" if up else f"sip:{self.callee}@example.com")
        via = f"SIP/2.0/UDP {mine[0]}:{mine[1]};branch={key};rport"
        head = (
            f"Via: {via}\r\nMax-Forwards: 70\r\nFrom: {a};tag={own}\r\n"
            f"To: {b}{';tag=' + other if inside else ''}\r\nCall-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n"
        )
        self.requests[(str(cseq), method)] = head
        if record:
            contact = f"Contact: <sip:{self.callee if up else self.caller}@{mine[0]}:{mine[1]}>\r\n"
            self._put(at, mine, theirs, f"{method} {uri} SIP/2.0", head + contact + more, body)

    def response(
        self, at: float, code: int, cseq: int, method: str, *, up: bool = True, more: str = "", body: str = ""
    ) -> None:
        """A response of the callee, or of the caller if not `up`."""
        mine, theirs = (BOB, ALICE) if up else (ALICE, BOB)
        head = self.requests[(str(cseq), method)]
        if up and code > 100 and ";tag=" + self.to_tag not in head:
            line = next(x for x in head.split("\r\n") if x.startswith("To:"))
            head = head.replace(line, f"{line};tag={self.to_tag}")
        head = head.replace("Max-Forwards: 70\r\n", "")
        contact = f"Contact: <sip:{self.callee}@{mine[0]}:{mine[1]}>\r\n"
        self._put(at, mine, theirs, f"SIP/2.0 {code} Said", head + contact + more, body)

    def _put(self, at: float, mine: tuple[str, int], theirs: tuple[str, int], start: str, head: str, body: str) -> None:
        data = body.encode("utf-8", "surrogateescape")
        kind = "Content-Type: application/sdp\r\n" if body.startswith("v=0") else ""
        text = f"{start}\r\n{head}{kind}Content-Length: {len(data)}\r\n\r\n"
        self.packets.append((self.start + at, mine, theirs, text.encode("utf-8", "surrogateescape") + data))


def basic_call(**names: str | float) -> Talk:
    """INVITE, 180, 200, ACK, BYE by the caller: rings for 2 s, holds for 4 s."""
    talk = Talk(**names)  # type: ignore[arg-type]
    talk.request(0.0, "INVITE", 1, body=SDP, more="User-Agent: tester\r\n")
    talk.response(0.01, 100, 1, "INVITE")
    talk.response(0.05, 180, 1, "INVITE")
    talk.response(2.05, 200, 1, "INVITE", body=ANSWER)
    talk.request(2.06, "ACK", 1)
    talk.request(6.06, "BYE", 2)
    talk.response(6.07, 200, 2, "BYE")
    return talk


@dataclass
class Learned:
    """A bundle that was learned in a test."""

    folder: Path
    report: LearnReport

    def text(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode("utf-8", "surrogateescape")

    def scenario(self, name: str) -> Scenario:
        return read_scenario((self.folder / f"{name}.xml").read_bytes(), name)


def learned(
    tmp_path: Path,
    talks: Sequence[Talk],
    options: LearnOptions | None = None,
    extra: Sequence[tuple[float, tuple[str, int], tuple[str, int], bytes]] = (),
) -> Learned:
    """Learn these conversations."""
    capture = tmp_path / "calls.pcap"
    packets = sorted([p for talk in talks for p in talk.packets] + list(extra), key=lambda p: p[0])
    with PcapWriter(capture) as writer:
        for packet in packets:
            writer.udp(*packet)
    folder = tmp_path / "bundle"
    return Learned(folder, learn([capture], folder, options or LearnOptions(force=True)))


def main_steps(scenario: Scenario) -> list[Element]:
    """The steps before the handler of unexpected requests."""
    return scenario.elements[: scenario.labels["_unexp.main"]]


def said(scenario: Scenario) -> list[str]:
    """The captured steps in short: "> INVITE", "< 180?" (optional), "wait 2000"."""
    lines = []
    for element in main_steps(scenario):
        if isinstance(element, Send):
            lines.append(
                "> "
                + element.text.strip().split("\n")[0].split(" ")[1 if "SIP/2.0 " in element.text.strip()[:8] else 0]
            )
        elif isinstance(element, Recv):
            lines.append(f"< {element.request or element.response}{'?' if element.optional != 'false' else ''}")
        elif isinstance(element, Pause):
            lines.append(f"wait {element.milliseconds}")
    return lines


def sends(scenario: Scenario) -> list[str]:
    """The texts of all sends before the handler, without indentation."""
    return [
        "\n".join(line.strip() for line in e.text.strip().split("\n"))
        for e in main_steps(scenario)
        if isinstance(e, Send)
    ]


def literal_bytes(element: Send) -> bytes:
    """What is sent, with every keyword taken for nothing."""
    return b"".join(part for part in compile_text(element.text, message=True) if isinstance(part, bytes))


def all_keywords(scenario: Scenario) -> set[str]:
    """Names of the keywords of all messages."""
    found: list[Keyword] = []
    for element in scenario.elements:
        if isinstance(element, Send):
            found += keywords_in(compile_text(element.text, message=True))
    return {keyword.name for keyword in found}


PROXY = ("192.0.2.33", 5060)


def past_proxy(talk: Talk) -> Talk:
    """The same call through a proxy that records no route: all but the INVITE goes past it. Both hops are seen."""
    packets = []
    for at, mine, theirs, data in talk.packets:
        opens = b"\r\nCSeq: 1 INVITE\r\n" in data
        if not opens:
            packets.append((at, mine, theirs, data))
            continue
        top = f"\r\nVia: SIP/2.0/UDP {PROXY[0]}:{PROXY[1]};branch=z9hG4bK-p-{talk.call_id}\r\nVia:".encode()
        lower = data.replace(b"\r\nVia:", top, 1)
        first, second = ((mine, PROXY, data), (PROXY, theirs, lower))
        if mine == BOB:
            first, second = (mine, PROXY, lower), (PROXY, theirs, data)
        packets += [(at, *first), (at + 0.001, *second)]
    talk.packets[:] = packets
    return talk


def moved(talk: Talk, party: tuple[str, int], place: tuple[str, int]) -> Talk:
    """The same call with one of its parties elsewhere, in addresses and texts."""
    talk.packets[:] = [
        (
            at,
            place if mine == party else mine,
            place if theirs == party else theirs,
            data.replace(f"{party[0]}:{party[1]}".encode(), f"{place[0]}:{place[1]}".encode()).replace(
                party[0].encode(), place[0].encode()
            ),
        )
        for at, mine, theirs, data in talk.packets
    ]
    return talk


def through_b2bua(
    number: int = 1, *, called: str = "+4930123", passed_on: str = "030123", start: float = 1000.0
) -> list[Talk]:
    """Two legs of one call, alice to PROXY and PROXY to bob: another Call-ID, other tags, a rewritten number."""
    first = Talk(call_id=f"a-{number}", callee=called, from_tag=f"a{number}", to_tag=f"pa{number}", start=start)
    second = Talk(
        call_id=f"b-{number}", callee=passed_on, from_tag=f"pb{number}", to_tag=f"b{number}", start=start + 0.02
    )
    for talk in (first, second):
        talk.request(0.0, "INVITE", 1, body=SDP, more=f"X-Call-ID: token-{number}-{start:.0f}\r\n")
        talk.response(0.05, 180, 1, "INVITE")
        talk.response(2.05, 200, 1, "INVITE", body=ANSWER)
        talk.request(2.06, "ACK", 1)
        talk.request(6.06, "BYE", 2)
        talk.response(6.07, 200, 2, "BYE")
    return [moved(first, BOB, PROXY), moved(second, ALICE, PROXY)]
