"""Regression against Kamailio with baresip behind it: an unchanged system shows no difference, a changed one does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import Baresip, Program, kamailio, recording

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]
REGRESS = [sys.executable, "-c", "import sys; from sipreplay.cli import main; main()", "regress"]
BOB_PORT, CALLER_PORT = 5074, 5069
REPEATS = 2
LENIENT = ["--time-slack", "3s", "--mos-drop", "4", "--jitter-slack", "2s"]
"""A machine that runs other tests beside this one keeps no time."""


def learned(tmp_path: Path, loopback: Loopback, record_route: bool) -> Path:
    caller, proxy, callee = loopback(), loopback(), loopback()
    with (
        recording(tmp_path / "call.pcap", hosts=[caller, proxy, callee]) as pcap,
        Baresip(tmp_path, "bob", ip=callee, port=BOB_PORT) as bob,
        kamailio(tmp_path, proxy, routes={"bob": bob.address}, record_route=record_route),
        Baresip(tmp_path, "alice", ip=caller, answer=False) as alice,
    ):
        alice.dial(f"sip:bob@{proxy}:5060")
        time.sleep(0.7)
        alice.hang_up()
        alice.wait_ended()
        bob.wait_ended()
    learn([pcap], tmp_path / "bundle", LearnOptions(timewait_ms=300))
    return tmp_path / "bundle"


def regress(bundle: Path, caller: str, proxy: str, verdict: Path) -> tuple[int, str]:
    where = [f"{proxy}:5060", "--local-ip", caller, "--port", str(CALLER_PORT), "--max-lateness", "5000", *LENIENT]
    done = Program([*REGRESS, bundle, *where, "--json", verdict], bundle.parent, "regress").wait(60)
    return done.exit_code, done.explain()


@pytest.mark.parametrize("record_route", [True, False])
def test_an_unchanged_kamailio_shows_no_difference_and_a_changed_one_does(
    tmp_path: Path, loopback: Loopback, record_route: bool
) -> None:
    bundle = learned(tmp_path, loopback, record_route)
    proxy, callee, again = loopback(), loopback(), tmp_path / "again"
    with Baresip(again, "bob", ip=callee, port=BOB_PORT) as bob:
        with kamailio(again, proxy, routes={"bob": bob.address}, record_route=record_route):
            for _ in range(REPEATS):
                code, said = regress(bundle, loopback(), proxy, tmp_path / "same.json")
                assert code == 0, said
        other = loopback()
        with kamailio(again / "other", other, routes={"bob": bob.address}, record_route=not record_route):
            code, said = regress(bundle, loopback(), other, tmp_path / "other.json")
    assert code == 1, said
    (call,) = json.loads((tmp_path / "other.json").read_text())["bundles"][0]["calls"]
    first = call["differences"][0]
    assert (first["kind"], first["message"]) == ("header", "< 180 INVITE")
    assert first["what"].startswith("Record-Route is missing" if record_route else "Record-Route was added")
