"""A call through a proxy, as the analysis would find it, and a finished run: what the reports are tested with."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.analysis.model import (
    Address,
    Analysis,
    Call,
    CapturedMessage,
    CaptureFile,
    Evidence,
    HopDialog,
    Stream,
)
from sipreplay.media.results import MediaSummary
from sipreplay.report.model import RunSummary
from sipreplay.sip.message import parse_message
from sipreplay.stats.calls import CallStatistics, FailureExample

START = 1_795_445_127.25
HOSTILE = "</title><script>alert(1)</script>\x1b[31m"

CALLER = Address("10.0.0.1", 5060)
PROXY = Address("192.168.100.20", 5060)
CALLEE = Address("10.0.0.77", 49152)


def _sdp(address: Address, port: int, extra: str = "") -> str:
    return (
        f"v=0\no=- 1 1 IN IP4 {address.host}\ns=-\nc=IN IP4 {address.host}\nt=0 0\nm=audio {port} RTP/AVP 0 8 101\n"
        f"a=rtpmap:101 telephone-event/8000\n{extra}"
    )


def make_message(
    packet: int,
    after: float,
    source: Address,
    destination: Address,
    start_line: str,
    cseq: str,
    *,
    branch: str = "z9hG4bKa",
    extra: str = "",
    body: str = "",
    name: str = HOSTILE,
    retransmission: bool = False,
    copy: bool = False,
) -> CapturedMessage:
    content = f"Content-Type: application/sdp\nContent-Length: {len(body) + body.count(chr(10))}\n\n{body}"
    text = (
        f"{start_line}\nVia: SIP/2.0/UDP 10.0.0.1;branch={branch}\n"
        f'From: "{name}" <sip:alice@example.com;x=1>;tag=1\nTo: <sip:bob@example.com>\nCall-ID: abc@h\n'
        f"CSeq: {cseq}\n{extra}" + (content if body else "Content-Length: 0\n\n")
    )
    data = text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    return CapturedMessage(
        0, packet, START + after, source, destination, "UDP", data, parse_message(data), retransmission, copy
    )


def _hop(number: int, caller: Address, callee: Address, branch: str) -> HopDialog:
    late, early = 0.003 * number, 0.003 * (1 - number)
    m = make_message
    agent = "User-Agent: Linphone/4.1\n" if number == 0 else ""
    messages = [
        m(1 + number, late, caller, callee, "INVITE sip:bob@h SIP/2.0", "1 INVITE", branch=branch, extra=agent,
          body=_sdp(caller, 4000)),
        m(30 + number, 1.6 + early, callee, caller, "SIP/2.0 180 Ringing", "1 INVITE", branch=branch),
        m(34 + number, 4.2 + early, callee, caller, "SIP/2.0 200 OK", "1 INVITE", branch=branch,
          body=_sdp(CALLEE, 7078)),
        m(36 + number, 4.21 + late, caller, callee, "ACK sip:bob@h SIP/2.0", "1 ACK", branch=branch + "2"),
        m(50 + number, 16.4 + early, callee, caller, "BYE sip:alice@h SIP/2.0", "7 BYE", branch=branch + "5",
          extra='Reason: Q.850;cause=16;text="bye"\n'),
        m(52 + number, 16.41 + late, caller, callee, "SIP/2.0 200 OK", "7 BYE", branch=branch + "5"),
    ]  # fmt: skip
    if number == 1:
        again = "INVITE sip:bob@h SIP/2.0"
        for packet, when in ((20, 0.5), (21, 1.5)):
            messages.append(
                m(packet, when + late, caller, callee, again, "1 INVITE", branch=branch, body=_sdp(caller, 4000),
                  retransmission=True)
            )  # fmt: skip
        messages.append(
            m(22, 0.0031, caller, callee, again, "1 INVITE", branch=branch, body=_sdp(caller, 4000), copy=True)
        )
    else:
        messages.append(
            m(3, 0.004, callee, caller, "SIP/2.0 100 trying", "1 INVITE", branch=branch, extra="Server: kamailio\n")
        )
    messages.sort(key=lambda message: message.time)
    return HopDialog(
        number + 1, "invite", "abc@h", "1", "b", caller, callee, "UDP", hop=number, state="completed",
        messages=messages, pdd_ms=1603.0, setup_ms=4203.0, call=1, upstream=number or None,
    )  # fmt: skip


@pytest.fixture
def message() -> Callable[..., CapturedMessage]:
    """Builds a captured message."""
    return make_message


@pytest.fixture
def analysis() -> Analysis:
    """One call over two hops, with a stream each way; its From display name tries to be HTML and a terminal escape."""
    hops = [_hop(0, CALLER, PROXY, "z9hG4bKa"), _hop(1, PROXY, CALLEE, "z9hG4bKb")]
    to_callee = Stream(
        Address("10.0.0.1", 4000), Address("10.0.0.77", 7078), 0xDEADBEEF, [8, 101], "PCMA", 598, 3, 0, 1,
        20.0, 41.2, 0.41, 3.2, 4.31, "123#", START + 4.25, START + 16.3, 1, "audio", True,
    )  # fmt: skip
    to_caller = Stream(
        Address("10.0.0.77", 7078), Address("10.0.0.1", 4000), 0x1234, [8], "PCMA", 610, 0, 0, 0,
        20.0, 21.2, 0.11, 0.2, 4.41, "", START + 4.23, START + 16.3, 1, "audio", False,
    )  # fmt: skip
    messages = sorted((m for hop in hops for m in hop.messages), key=lambda m: m.time)
    capture = CaptureFile("captures/proxy<b>.pcap", "pcap", ["ETHERNET"], 1260, START, START + 17)
    return Analysis(
        [capture], messages, 0, hops, [Call(1, [1, 2], [Evidence((1, 2), "Call-ID", 1.0)])], [to_callee, to_caller]
    )


def _side(**numbers: int) -> CallStatistics:
    statistics = CallStatistics()
    for name, value in numbers.items():
        setattr(statistics, name, value)
    return statistics


@pytest.fixture
def summary() -> RunSummary:
    """A failed run of 200 calls with media."""
    source = random.Random(4)
    uac = _side(outgoing=200, peak=62, successful=186, failed=14, retransmissions=9, not_started=6)
    uac.receive_buffer = uac.send_buffer = 425_984
    uac.busy_seconds = 2.1
    uac.failures = {"UnexpectedMessage": 12}
    uac.examples = {
        "a": FailureExample(
            "UnexpectedMessage", 4, "200", "SIP/2.0 486 Busy Here", "17@h", 11, "packet 17 of trace.pcap"
        ),
        "b": FailureExample(
            "UnexpectedMessage", 4, "200", f"SIP/2.0 503 {HOSTILE}", "18@h", 1, "packet 17 of trace.pcap"
        ),
    }
    for _ in range(200):
        setup_us = int(source.lognormvariate(14, 0.2))
        uac.setup_time.record(setup_us)
        uac.call_length.record(setup_us + 4_000_000)
        uac.ring_time.record(int(source.lognormvariate(8, 0.6)))
        uac.start_lateness.record(int(source.expovariate(1 / 200)))
        uac.loop_lateness.record(int(source.expovariate(1 / 150)))
    uac.response_times["1"] = uac.setup_time
    media = MediaSummary(
        streams=400, sent_packets=101_231, sent_bytes=17_411_732, received_packets=101_100, received_bytes=17_000_000,
        lost=131, scheduling="fifo", receive_buffer=212_992, calls=400, one_way_calls=2,
    )  # fmt: skip
    for _ in range(398):
        media.jitter_us.record(int(source.expovariate(1 / 90)))
        media.lateness_us.record(int(source.expovariate(1 / 110)))
    return RunSummary(
        "out/bundle",
        uac,
        _side(incoming=200, successful=198, failed=2),
        media,
        calls_expecting_media=400,
        calls_silent=2,
        started=START,
        wall_s=13.2,
        generating_s=10.0,
        wanted_rate_cps=20.0,
        achieved_rate_cps=19.98,
        wanted_calls=200,
        limit=60,
        lateness_limit_ms=50.0,
        verdict="failed",
        exit_code=1,
        reasons=["14 of 200 calls failed", "2 calls received no RTP"],
        command="sipreplay run out/bundle --rate 20 --calls 200",
        tool_version="0.1.0",
    )


@pytest.fixture
def data() -> Path:
    """Dumps of sipp 3.6.1: of `-sn uac` against a slow answering side that lost packets, and of an answering side."""
    return Path(__file__).parent / "data"
