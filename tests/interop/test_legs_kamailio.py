"""Both legs of a proxy are emulated: what was learned from a capture of Kamailio is played against a live Kamailio."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Program, free_port, kamailio, recording, tshark_sequences

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]
RUN = [sys.executable, "-c", "import sys; from sipreplay.cli import main; main()", "run"]
PATIENT = ["--max-lateness", "2000", "--max-media-lateness", "2000"]
PASSWORD = "open-sesame"
CALLED = ["INVITE", "180", "200", "ACK", "BYE", "200"]


@pytest.fixture
def bundle(own_captures: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    capture = own_captures / "kamailio-auth-record-route.pcap"
    learn([capture], folder, LearnOptions(sut="127.0.0.20", max_pause_s=0.2, timewait_ms=300))
    return folder


def run(folder: Path, proxy: str, caller: str, callee: str, port: int, *more: str) -> tuple[int, str]:
    """Exit code and output of a run with both legs."""
    addresses = ["--local-ip", caller, "--listen", f"{callee}:{port}"]
    done = Program([*RUN, folder, f"{proxy}:5060", *addresses, *PATIENT, *more], folder, "run").wait(90)
    return done.exit_code, done.stdout + done.stderr


def between(pcap: Path, one: str, other: str) -> list[list[str]]:
    """What was said between two hosts, call by call, without 100."""
    found = tshark_sequences(pcap)
    return [
        [what for _, _, what in rows if what != "100"] for (_, hosts), rows in found.items() if hosts == {one, other}
    ]


def test_both_phones_register_and_call_each_other_through_kamailio(
    bundle: Path, tmp_path: Path, loopback: Loopback
) -> None:
    caller, proxy, callee = loopback(), loopback(), loopback()
    port = free_port(callee)
    with (
        recording(tmp_path / "run.pcap", hosts=[caller, proxy, callee]) as pcap,
        kamailio(tmp_path, proxy, password=PASSWORD),
    ):
        code, output = run(
            bundle,
            proxy,
            caller,
            callee,
            port,
            "--calls",
            "6",
            "--rate",
            "10",
            "--set",
            f"auth_password={PASSWORD}",
            "--report",
            str(tmp_path / "report"),
            "--record",
            str(tmp_path / "own.pcap"),
        )
    assert code == 0, output
    assert f"bob: registered at {callee}:{port}, nothing to route (invite-bye-uas)" in output
    assert "6 of 6 calls passed as one; 6 legs linked by call-id 6" in output
    second = [rows for rows in between(pcap, proxy, callee) if "INVITE" in rows]
    assert second == [CALLED] * 6
    # What the run recorded of itself holds both legs too.
    assert [rows for rows in between(tmp_path / "own.pcap", proxy, callee) if "INVITE" in rows] == second
    assert between(tmp_path / "own.pcap", caller, proxy) == between(pcap, caller, proxy)
    report = tmp_path / "report"
    assert {"report.html", "run.json", "junit.xml", "first-call.pcap"} <= {path.name for path in report.iterdir()}
    assert {path.name for path in report.glob("*_stat.csv")} == {
        f"{name}_stat.csv" for name in ("register-auth-uac", "invite-auth-bye-uac", "invite-bye-uas")
    }


def quick(folder: Path, proxy: str, loopback: Loopback, *more: str) -> tuple[int, str]:
    callee = loopback()
    password = ["--set", f"auth_password={PASSWORD}"]
    return run(folder, proxy, loopback(), callee, free_port(callee), "--calls", "2", *password, *more)


def test_a_call_that_kamailio_does_not_forward_is_told_apart(bundle: Path, tmp_path: Path, loopback: Loopback) -> None:
    proxy = loopback()
    with kamailio(tmp_path, proxy, password=PASSWORD, routes={"bob": f"{loopback()}:{free_port()}"}):
        nobody = (bundle / "invite-auth-bye.csv").read_text().replace(";bob;", ";nobody;")
        (bundle / "invite-auth-bye.csv").write_text(nobody)
        code, output = quick(bundle, proxy, loopback)
    assert code == 1, output
    assert "the system under test did not forward in 2 of 2 calls" in output
    assert "not linked" not in output


def test_a_call_that_comes_and_cannot_be_linked_is_told_apart(bundle: Path, tmp_path: Path, loopback: Loopback) -> None:
    proxy = loopback()
    tables = (bundle / "bundle.toml").read_text()
    for place in ("call-id", "ruri.user", "to.user", "from.user"):
        tables = tables.replace(
            f'from = "{place}"\nto = "{place}"', f'from = "x-lost-{place[:2]}"\nto = "x-lost-{place[:2]}"'
        )
    (bundle / "bundle.toml").write_text(tables)
    with kamailio(tmp_path, proxy, password=PASSWORD):
        code, output = quick(bundle, proxy, loopback)
    assert code == 1, output
    assert "arrived but not linked in 2 of 2 calls" in output
    assert "did not forward" not in output


def test_a_leg_that_fails_is_told_apart(bundle: Path, tmp_path: Path, loopback: Loopback) -> None:
    proxy = loopback()
    first, second = bundle / "invite-auth-bye-uac.xml", bundle / "invite-bye-uas.xml"
    first.write_text(first.read_text().replace('timeout="32000"', 'timeout="1500"'))
    second.write_text(
        second.read_text().replace('<recv request="BYE" timeout="32000"', '<recv request="BYE" timeout="50"')
    )
    with kamailio(tmp_path, proxy, password=PASSWORD):
        code, output = quick(bundle, proxy, loopback)
    assert code == 1, output
    assert "the answering leg failed in 2 of 2 calls" in output
    assert "did not forward" not in output
    assert "not linked" not in output
