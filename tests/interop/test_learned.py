"""What was learned, against programs that did not record it: Kamailio with baresip behind it, and baresip as caller.

A pair that shares a mistake passes against itself; these do not share it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sipreplay.bundle.model import BundleScenario
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import (
    Baresip,
    Ladder,
    Program,
    free_port,
    kamailio,
    recording,
    sipp_uac,
    sipp_uas,
    tshark_ladders,
    wait_until,
)

pytestmark = pytest.mark.interop

Loopback = Callable[[], str]
PASSWORD = "password"
"""What learn writes into the column of a password that no capture tells."""
ANSWERED = ">INVITE <180 <200 >ACK >BYE <200"
CHALLENGED = ">INVITE <407 >ACK >INVITE <180 <200 >ACK >BYE <200"
HELD = ">INVITE <180 <200 >ACK >INVITE <200 >ACK >INVITE <200 >ACK >BYE <200"
REGISTERED = ">REGISTER <401 >REGISTER <200"
REJECTED = ">INVITE <180 <486 >ACK"
CANCELLED = ">INVITE <180 >CANCEL <200 <487 >ACK"
CALLEE_ENDS = ">INVITE <180 <200 >ACK <BYE >200"


def rows(ladder: Ladder) -> str:
    return " ".join(f"{row.direction}{row.what}" for row in ladder.rows)


def named(value: object) -> str:
    """A test's name: capture and scenario, without the ladder."""
    return "" if str(value).startswith(">") else str(value)


@dataclass(frozen=True, slots=True)
class Learned:
    """A learned pair of scenarios, and the values of the first line of its injection file."""

    folder: Path
    uac: BundleScenario
    uas: BundleScenario
    values: dict[str, str]

    def options(self, side: BundleScenario, calls: int = 1) -> list[str | Path]:
        """What `sipp.sh` gives SIPp for this side, but for addresses and the number of calls."""
        words: list[str | Path] = ["-m", str(calls), "-l", "1", "-timeout", "40s", "-timeout_error"]
        if side.injection:
            words += ["-inf", side.injection]
        if side.injection and side.injection_index >= 0:
            words += ["-infindex", side.injection, str(side.injection_index)]
        return words

    @property
    def transport(self) -> str:
        """SIPp's name of it."""
        return "t1" if self.uac.transport == "TCP" else "u1"


def learned(capture: Path, tmp_path: Path, scenario: str) -> Learned:
    """Learn a capture and pick a pair by the name of its calling side."""
    folder = tmp_path / "bundle"
    bundle = learn([capture], folder, LearnOptions(max_pause_s=0.5, timewait_ms=300)).bundle
    found = {each.id: each for each in bundle.scenarios}
    assert scenario in found, sorted(found)
    uac = found[scenario]
    values: dict[str, str] = {}
    if uac.injection:
        lines = (folder / uac.injection).read_text().splitlines()
        names = lines[1].removeprefix("# columns: ").split(";")
        values = dict(zip(names, lines[2].split(";"), strict=True))
    return Learned(folder, uac, found[uac.pair], values)


def play_uac(pair: Learned, ip: str, remote: str, calls: int = 1) -> Program:
    options = pair.options(pair.uac, calls)
    file = pair.folder / pair.uac.file
    return sipp_uac(pair.folder, file, ip, 5068, remote, *options, transport=pair.transport)


# ---- learned UAC -> Kamailio -> baresip


@contextmanager
def behind_kamailio(
    tmp_path: Path, pair: Learned, proxy: str, *, challenge: bool, answer: bool
) -> Iterator[tuple[str, Baresip]]:
    """Kamailio on `proxy`, with a baresip registered for the number that the first call dials."""
    callee = pair.values["callee"]
    tcp = pair.transport == "t1"
    with (
        kamailio(tmp_path, proxy, 5060, password=PASSWORD, challenge_invite=challenge, tcp=tcp),
        Baresip(
            tmp_path,
            callee,
            registrar=f"{proxy}:5060",
            password=PASSWORD,
            answer=answer,
            codecs=("opus/48000/2", "pcma", "pcmu"),
        ) as phone,
    ):
        yield f"{proxy}:5060", phone


def completes(pair: Learned, program: Program) -> None:
    done = program.wait(50)
    log = pair.folder / "uac.errors.log"
    assert done.exit_code == 0, done.explain() + (log.read_text() if log.exists() else "")


@pytest.mark.parametrize(
    ("capture", "scenario", "challenge", "ladder"),
    [
        ("uac_pcap-g711-dtmf.pcap", "invite-bye-uac", False, ANSWERED),
        ("tcp-call.pcap", "invite-bye-uac", False, ANSWERED),
        ("kamailio-auth-record-route.pcap", "invite-auth-bye-uac", True, CHALLENGED),
        ("kamailio-auth-record-route.pcap", "invite-bye-uac", False, ANSWERED),
        ("baresip-opus-hold-rtcp.pcap", "invite-hold-resume-bye-uac", False, HELD),
    ],
    ids=named,
)
def test_learned_callers_reach_a_baresip_behind_kamailio(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, scenario: str, challenge: bool, ladder: str
) -> None:
    pair = learned(own_captures / capture, tmp_path, scenario)
    caller, proxy = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        behind_kamailio(tmp_path, pair, proxy, challenge=challenge, answer=True) as (remote, phone),
    ):
        with play_uac(pair, caller, remote) as uac:
            completes(pair, uac)
        phone.wait_ended()
        heard = phone.results()[0]
    assert [rows(each) for each in tshark_ladders(pcap)] == [ladder]
    assert heard.rtp_received > 10


def test_a_learned_caller_is_rejected_by_baresip(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-486-uac")
    caller, proxy = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        behind_kamailio(tmp_path, pair, proxy, challenge=False, answer=False) as (remote, phone),
        play_uac(pair, caller, remote) as uac,
    ):
        phone.program.wait_output("Incoming call from")
        time.sleep(0.3)
        phone.command("hangup")
        completes(pair, uac)
    assert [rows(each) for each in tshark_ladders(pcap)] == [REJECTED]


def test_a_learned_caller_cancels_a_ringing_baresip(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-cancel-uac")
    caller, proxy = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        behind_kamailio(tmp_path, pair, proxy, challenge=False, answer=False) as (remote, _),
        play_uac(pair, caller, remote) as uac,
    ):
        completes(pair, uac)
    assert [rows(each) for each in tshark_ladders(pcap)] == [CANCELLED]


def test_baresip_ends_the_call_of_a_learned_caller(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-bye-callee-uac")
    caller, proxy = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        behind_kamailio(tmp_path, pair, proxy, challenge=False, answer=True) as (remote, phone),
        play_uac(pair, caller, remote) as uac,
    ):
        phone.program.wait_output("Call established")
        time.sleep(0.5)
        phone.hang_up()
        completes(pair, uac)
    assert [rows(each) for each in tshark_ladders(pcap)] == [CALLEE_ENDS]


def test_learned_registrations_satisfy_kamailio(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "kamailio-auth-record-route.pcap", tmp_path, "register-auth-uac")
    caller, proxy = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        kamailio(tmp_path, proxy, 5060, password=PASSWORD),
        play_uac(pair, caller, f"{proxy}:5060", calls=2) as uac,
    ):
        completes(pair, uac)
    assert [rows(each) for each in tshark_ladders(pcap)] == [REGISTERED] * 2


# ---- baresip -> learned UAS


@contextmanager
def answering(pair: Learned, tmp_path: Path, ip: str) -> Iterator[tuple[str, Program]]:
    """The learned answering side on `ip`; yields its host:port."""
    port = free_port(ip)
    file = pair.folder / pair.uas.file
    options = pair.options(pair.uas)
    with sipp_uas(pair.folder, file, ip, port, *options, transport=pair.transport) as uas:
        yield f"{ip}:{port}", uas


def caller_for(pair: Learned, tmp_path: Path, target: str = "") -> Baresip:
    return Baresip(
        tmp_path,
        pair.values.get("caller", "alice"),
        registrar=target,
        password=PASSWORD,
        answer=False,
        codecs=("opus/48000/2", "pcma", "pcmu"),
        transport="tcp" if pair.transport == "t1" else "udp",
    )


def dialled(pair: Learned, target: str) -> str:
    transport = ";transport=tcp" if pair.transport == "t1" else ""
    return f"sip:{pair.values['callee']}@{target}{transport}"


def ends(pair: Learned, uas: Program) -> None:
    done = uas.wait(50)
    log = pair.folder / "uas.errors.log"
    assert done.exit_code == 0, done.explain() + (log.read_text() if log.exists() else "")


@pytest.mark.parametrize(
    ("capture", "scenario", "ladder"),
    [
        ("uac_pcap-g711-dtmf.pcap", "invite-bye-uac", ANSWERED),
        ("tcp-call.pcap", "invite-bye-uac", ANSWERED),
        ("kamailio-auth-record-route.pcap", "invite-auth-bye-uac", CHALLENGED),
        ("kamailio-auth-record-route.pcap", "invite-bye-uac", ANSWERED),
        ("baresip-opus-hold-rtcp.pcap", "invite-hold-resume-bye-uac", HELD),
    ],
    ids=named,
)
def test_baresip_calls_a_learned_callee(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, scenario: str, ladder: str
) -> None:
    pair = learned(own_captures / capture, tmp_path, scenario)
    callee = loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[callee]) as pcap,
        answering(pair, tmp_path, callee) as (target, uas),
        caller_for(pair, tmp_path) as phone,
    ):
        phone.dial(dialled(pair, target))
        time.sleep(0.5)
        if ladder == HELD:
            for command in ("hold", "resume"):
                phone.command(command)
                time.sleep(0.4)
        phone.hang_up()
        ends(pair, uas)
        heard = phone.results()[0]
    assert [rows(each) for each in tshark_ladders(pcap)] == [ladder]
    assert heard.rtp_received > 10


def test_a_learned_callee_rejects_baresip(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-486-uac")
    callee = loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[callee]) as pcap,
        answering(pair, tmp_path, callee) as (target, uas),
        caller_for(pair, tmp_path) as phone,
    ):
        phone.command("dial", dialled(pair, target))
        phone.program.wait_output("session closed")
        ends(pair, uas)
    assert [rows(each) for each in tshark_ladders(pcap)] == [REJECTED]


def test_baresip_cancels_a_call_to_a_learned_callee(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-cancel-uac")
    callee = loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[callee]) as pcap,
        answering(pair, tmp_path, callee) as (target, uas),
        caller_for(pair, tmp_path) as phone,
    ):
        phone.command("dial", dialled(pair, target))
        phone.program.wait_output("180 Ringing")
        time.sleep(0.5)
        phone.command("hangup")
        ends(pair, uas)
    assert [rows(each) for each in tshark_ladders(pcap)] == [CANCELLED]


def test_a_learned_callee_ends_the_call_of_baresip(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "baresip-busy-cancel-callee-bye.pcap", tmp_path, "invite-bye-callee-uac")
    callee = loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[callee]) as pcap,
        answering(pair, tmp_path, callee) as (target, uas),
        caller_for(pair, tmp_path) as phone,
    ):
        phone.dial(dialled(pair, target))
        phone.wait_ended()
        ends(pair, uas)
    assert [rows(each) for each in tshark_ladders(pcap)] == [CALLEE_ENDS]


def test_baresip_registers_with_a_learned_registrar(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    pair = learned(own_captures / "kamailio-auth-record-route.pcap", tmp_path, "register-auth-uac")
    registrar = loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[registrar]) as pcap,
        answering(pair, tmp_path, registrar) as (target, _),
        caller_for(pair, tmp_path, target) as phone,
    ):
        wait_until(lambda: "} 200 OK (" in phone.program.output(), 5.0, phone.program.describe)
    assert rows(tshark_ladders(pcap)[0]).startswith(REGISTERED)
