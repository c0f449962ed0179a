"""A proxy that stays out of the dialog: what baresip does past it is learned, and done again by sipp and our engine."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sipreplay.bundle.model import BundleScenario
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Baresip, Program, free_port, kamailio, recording, sipp_uac, sipp_uas, tshark_sequences
from tests.learn import flows

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]
RUN = [sys.executable, "-c", "import sys; from sipreplay.cli import main; main()", "run"]
PATIENT = ["--max-lateness", "1000", "--max-media-lateness", "1000"]
ALICE, BOB = "alice", "bob"
UAC_PORT, UAS_PORT = 5068, 5072


@dataclass(frozen=True, slots=True)
class Past:
    """What was learned from a call past a proxy: the hop to the proxy and the hop behind it."""

    folder: Path
    first: BundleScenario
    second: BundleScenario
    """The answering side."""


def sent(pcap: Path, caller: str, callee: str) -> list[str]:
    """What went between two hosts past the proxy: `> ACK` from the caller, `< 200` from the callee."""
    found = tshark_sequences(pcap)
    messages = [row for (_, hosts), rows in found.items() if hosts == frozenset((caller, callee)) for row in rows]
    return [f"{'>' if source.startswith(caller + ':') else '<'} {what}" for source, _, what in messages]


def called(tmp_path: Path, loopback: Loopback, ending: str) -> Path:
    """A call of baresip to baresip through a Kamailio that records no route, recorded."""
    caller, proxy, callee = loopback(), loopback(), loopback()
    with (
        recording(tmp_path / "call.pcap", hosts=[caller, proxy, callee]) as pcap,
        Baresip(tmp_path, BOB, ip=callee, port=UAS_PORT) as bob,
        kamailio(tmp_path, proxy, routes={BOB: bob.address}, record_route=False),
        Baresip(tmp_path, ALICE, ip=caller, answer=False) as alice,
    ):
        alice.dial(f"sip:{BOB}@{proxy}:5060")
        time.sleep(0.5)
        (alice if ending == "caller" else bob).hang_up()
        alice.wait_ended()
        bob.wait_ended()
    expected = ["> ACK", "> BYE", "< 200"] if ending == "caller" else ["> ACK", "< BYE", "> 200"]
    assert sent(pcap, caller, callee) == expected
    return pcap


def learned(tmp_path: Path, loopback: Loopback, ending: str) -> Past:
    folder = tmp_path / "bundle"
    options = LearnOptions(max_pause_s=0.5, timewait_ms=300)
    scenarios = learn([called(tmp_path, loopback, ending)], folder, options).bundle.scenarios
    (first,) = (each for each in scenarios if each.hop == 0 and each.role == "uac")
    (second,) = (each for each in scenarios if each.hop == 1 and each.role == "uas")
    return Past(folder, first, second)


def options_of(side: BundleScenario) -> list[str | Path]:
    words: list[str | Path] = ["-m", "1", "-timeout", "40s", "-timeout_error"]
    if side.injection:
        words += ["-inf", side.injection]
    if side.injection and side.injection_index >= 0:
        words += ["-infindex", side.injection, str(side.injection_index)]
    return words


def ends_well(program: Program) -> None:
    done = program.wait(50)
    assert done.exit_code == 0, done.explain()


def play_caller(past: Past, ip: str, proxy: str, engine: str) -> Program:
    if engine == "sipp":
        file = past.folder / past.first.file
        return sipp_uac(past.folder, file, ip, UAC_PORT, f"{proxy}:5060", *options_of(past.first))
    address = ["--local-ip", ip, "--port", str(UAC_PORT), "--calls", "1", "--callers-only"]
    return Program([*RUN, past.folder, f"{proxy}:5060", *address, *PATIENT], past.folder, "run")


@pytest.mark.parametrize("engine", ["sipp", "sipreplay"])
def test_a_learned_caller_goes_past_kamailio_to_baresip(tmp_path: Path, loopback: Loopback, engine: str) -> None:
    past = learned(tmp_path, loopback, "caller")
    caller, proxy, callee = loopback(), loopback(), loopback()
    logs = tmp_path / "again"
    with (
        recording(tmp_path / "again.pcap", hosts=[caller, proxy, callee]) as pcap,
        Baresip(logs, BOB, ip=callee, port=UAS_PORT) as bob,
        kamailio(logs, proxy, routes={BOB: bob.address}, record_route=False),
        play_caller(past, caller, proxy, engine) as uac,
    ):
        ends_well(uac)
        bob.wait_ended()
    assert sent(pcap, caller, callee) == ["> ACK", "> BYE", "< 200"]


@pytest.mark.parametrize("ending", ["caller", "callee"])
def test_both_learned_sides_meet_past_kamailio(tmp_path: Path, loopback: Loopback, ending: str) -> None:
    past = learned(tmp_path, loopback, ending)
    caller, proxy, callee = loopback(), loopback(), loopback()
    file = past.folder / past.second.file
    with (
        recording(tmp_path / "again.pcap", hosts=[caller, proxy, callee]) as pcap,
        sipp_uas(past.folder, file, callee, UAS_PORT, *options_of(past.second)) as uas,
        kamailio(tmp_path / "again", proxy, routes={BOB: f"{callee}:{UAS_PORT}"}, record_route=False),
        play_caller(past, caller, proxy, "sipp") as uac,
    ):
        ends_well(uac)
        ends_well(uas)
    expected = ["> ACK", "> BYE", "< 200"] if ending == "caller" else ["> ACK", "< BYE", "> 200"]
    assert sent(pcap, caller, callee) == expected


def answer(request: bytes, contact: str) -> bytes:
    """200 to a request, with that Contact."""
    kept = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
    lines = [line for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] if line.lower().startswith(kept)]
    return b"\r\n".join([b"SIP/2.0 200 OK", *lines, f"Contact: {contact}".encode(), b"Content-Length: 0", b"", b""])


@pytest.mark.interop("sipp")
@pytest.mark.parametrize(
    ("host", "contact"),
    [
        ("::1", "<sip:bob@[::1]:{port};ob>;q=1"),
        ("", '"q \\"<sip:x@192.0.2.1>" <sip:b:x;y@{host}:{port}>'),
        ("", "sip:bob@{host}:{port};q=1"),
        ("", "<sip:{host}>"),
    ],
    ids=["ipv6", "quoted", "bare", "no-port"],
)
def test_sipp_reads_every_form_of_contact(tmp_path: Path, loopback: Loopback, host: str, contact: str) -> None:
    made = flows.learned(
        tmp_path, [flows.past_proxy(flows.basic_call())], LearnOptions(max_pause_s=0.2, timewait_ms=100)
    )
    family = socket.AF_INET6 if host else socket.AF_INET
    host = host or loopback()
    with socket.socket(family, socket.SOCK_DGRAM) as proxy, socket.socket(family, socket.SOCK_DGRAM) as callee:
        proxy.bind((host, 0))
        callee.bind((host, 0 if "{port}" in contact else 5060))
        for peer in (proxy, callee):
            peer.settimeout(20)
        written = f"[{host}]" if ":" in host else host
        remote = f"{written}:{proxy.getsockname()[1]}"
        options = ["-inf", "invite-bye.csv", "-m", "1", "-timeout", "30s", "-timeout_error"]
        file = made.folder / "invite-bye-uac.xml"
        with sipp_uac(made.folder, file, written, free_port(), remote, *options) as uac:
            invite, source = proxy.recvfrom(65536)
            here = contact.format(host=host, port=callee.getsockname()[1])
            proxy.sendto(answer(invite, here), source)
            heard = [callee.recv(65536) for _ in range(2)]
            callee.sendto(answer(heard[1], here), source)
            ends_well(uac)
    assert [message.split()[0] for message in heard] == [b"ACK", b"BYE"]
