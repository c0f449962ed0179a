"""What was learned meets strangers: a proxy with a softphone behind it, and a softphone that calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Baresip, kamailio, recording, sipp_uac, sipp_uas, tshark_ladders

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]
PASSWORD = "open-sesame"


def with_columns(file: Path, **values: str) -> None:
    """Set columns of an injection file on every line, as `run --set` does."""
    mode, names, *lines = file.read_text().splitlines()
    columns = names.removeprefix("# columns: ").split(";")
    written = []
    for line in lines:
        fields = line.split(";")
        for name, value in values.items():
            if name in columns:
                fields[columns.index(name)] = value
        written.append(";".join(fields))
    file.write_text("\n".join([mode, names, *written]) + "\n")


def rows(pcap: Path, caller: str) -> list[str]:
    return [
        " ".join(f"{r.direction}{r.what}" for r in ladder.rows)
        for ladder in tshark_ladders(pcap)
        if ladder.caller == caller
    ]


@pytest.mark.parametrize(
    ("capture", "name", "challenged"),
    [
        ("kamailio-auth-record-route.pcap", "invite-auth-bye", True),
        ("uac_pcap-g711-dtmf.pcap", "invite-bye", False),
        ("baresip-opus-hold-rtcp.pcap", "invite-reinvite-bye", False),
    ],
)
def test_the_calling_side_completes_through_kamailio_to_baresip(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, name: str, challenged: bool
) -> None:
    bundle = tmp_path / "bundle"
    learn([own_captures / capture], bundle, LearnOptions(max_pause_s=2.0))
    with_columns(bundle / f"{name}.csv", callee="bob", auth_password=PASSWORD)
    proxy, caller = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        kamailio(tmp_path, proxy, password=PASSWORD, challenge_invite=challenged),
        Baresip(tmp_path, "bob", registrar=f"{proxy}:5060", password=PASSWORD, codecs=("opus", "pcma", "pcmu")) as bob,
        sipp_uac(
            bundle, bundle / f"{name}-uac.xml", caller, 15062, f"{proxy}:5060", "-inf", f"{name}.csv", "-m", "1"
        ) as uac,
    ):
        done = uac.wait()
        assert done.exit_code == 0, done.explain() + (bundle / "uac.errors.log").read_text()
        bob.wait_ended()
        assert bob.results()[0].rtp_received > 20
    (ladder,) = rows(pcap, caller)
    assert ladder.endswith(">ACK >BYE <200")
    assert (">INVITE <407 >ACK >INVITE" in ladder) == challenged


def test_the_calling_side_cancels_a_ringing_softphone(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    bundle = tmp_path / "bundle"
    learn([own_captures / "baresip-busy-cancel-callee-bye.pcap"], bundle, LearnOptions(filter="method=CANCEL"))
    with_columns(bundle / "invite-cancel.csv", callee="bob")
    proxy, caller = loopback(), loopback()
    injection = ("-inf", "invite-cancel.csv", "-m", "1")
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        kamailio(tmp_path, proxy, password=PASSWORD, challenge_invite=False),
        Baresip(tmp_path, "bob", registrar=f"{proxy}:5060", password=PASSWORD, answer=False),
        sipp_uac(bundle, bundle / "invite-cancel-uac.xml", caller, 15062, f"{proxy}:5060", *injection) as uac,
    ):
        done = uac.wait()
        assert done.exit_code == 0, done.explain() + (bundle / "uac.errors.log").read_text()
    assert rows(pcap, caller) == [">INVITE <180 >CANCEL <200 <487 >ACK"]


def test_the_learned_registration_registers_with_kamailio(
    own_captures: Path, tmp_path: Path, loopback: Loopback
) -> None:
    bundle = tmp_path / "bundle"
    learn([own_captures / "kamailio-auth-record-route.pcap"], bundle, LearnOptions(filter="kind=register"))
    with_columns(bundle / "register-auth.csv", auth_password=PASSWORD)
    proxy, caller = loopback(), loopback()
    with (
        kamailio(tmp_path, proxy, password=PASSWORD),
        sipp_uac(
            bundle,
            bundle / "register-auth-uac.xml",
            caller,
            15062,
            f"{proxy}:5060",
            "-inf",
            "register-auth.csv",
            "-m",
            "2",
        ) as uac,
    ):
        done = uac.wait()
    assert done.exit_code == 0, done.explain()


@pytest.mark.parametrize(
    ("capture", "name", "callee_ends"),
    [
        ("uac_pcap-g711-dtmf.pcap", "invite-bye", False),
        ("baresip-opus-hold-rtcp.pcap", "invite-reinvite-bye", None),
        ("baresip-busy-cancel-callee-bye.pcap", "invite-bye-callee", True),
    ],
)
def test_baresip_completes_a_call_to_the_answering_side(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, name: str, callee_ends: bool | None
) -> None:
    bundle = tmp_path / "bundle"
    learn([own_captures / capture], bundle, LearnOptions(max_pause_s=2.0))
    caller, callee = loopback(), loopback()
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        sipp_uas(bundle, bundle / f"{name}-uas.xml", callee, 15060, "-m", "1") as uas,
        Baresip(tmp_path, "alice", ip=caller, codecs=("opus", "pcma", "pcmu")) as alice,
    ):
        alice.dial(f"sip:bob@{callee}:15060")
        if callee_ends:
            alice.wait_ended()
        else:
            if callee_ends is None:
                for command in ("hold", "resume"):
                    time.sleep(0.5)
                    alice.command(command)
            time.sleep(1.0)
            alice.hang_up()
        done = uas.wait()
        assert done.exit_code == 0, done.explain() + (bundle / "uas.errors.log").read_text()
        assert alice.results()[0].rtp_received > 20
    assert rows(pcap, caller)[0].endswith("<BYE >200" if callee_ends else ">BYE <200")
