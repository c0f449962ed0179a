"""The harness itself: peers start, talk, are recorded to the last packet, and tshark's ladders are as expected."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.peers import (
    Baresip,
    Ladder,
    kamailio,
    recording,
    sipp_uac,
    sipp_uas,
    tshark_count,
    tshark_ladders,
    tshark_streams,
)
from tests.interop.recorder import first_packets

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]

BASIC = ">INVITE <180 <200 >ACK >BYE <200"
REGISTERED = ">REGISTER <401 >REGISTER <200"


def rows(ladder: Ladder) -> str:
    return " ".join(f"{row.direction}{row.what}" for row in ladder.rows)


def test_sipp_calls_sipp_through_kamailio(tmp_path: Path, loopback: Loopback, own_captures: Path) -> None:
    caller, proxy, callee = loopback(), loopback(), loopback()
    for scenario in ("proxied_uac.xml", "proxied_uas.xml"):
        shutil.copy(own_captures / "scenarios" / scenario, tmp_path / scenario)
    for media in ("talk.pcap", "answer.pcap"):
        first_packets(Path("/usr/share/sip-tester/g711a.pcap"), tmp_path / media, 20)
    login = "[authentication username=alice password=open-sesame]"
    (tmp_path / "calls.csv").write_text(f"SEQUENTIAL\nalice;{login};bob\n")
    calls = ("-inf", tmp_path / "calls.csv", "-m", "2")
    with (
        recording(tmp_path / "call.pcap", hosts=[caller, proxy, callee]) as pcap,
        kamailio(tmp_path, proxy, 5060, password="open-sesame", routes={"bob": f"{callee}:5064"}),
        sipp_uas(tmp_path, tmp_path / "proxied_uas.xml", callee, 5064, "-m", "2") as uas,
        sipp_uac(tmp_path, tmp_path / "proxied_uac.xml", caller, 5066, f"{proxy}:5060", *calls) as uac,
    ):
        caller_end, callee_end = uac.wait(), uas.wait()
    assert caller_end.exit_code == 0, caller_end.explain()
    assert callee_end.exit_code == 0, callee_end.explain()
    challenged = ">INVITE <407 >ACK >INVITE <180 <200 >ACK >BYE <200"
    hops = [(ladder.caller, ladder.callee, rows(ladder)) for ladder in tshark_ladders(pcap)]
    assert sorted(hops) == sorted([(caller, proxy, challenged), (proxy, callee, BASIC)] * 2)


def test_a_recording_holds_every_packet_and_no_other(tmp_path: Path, loopback: Loopback) -> None:
    caller, callee = loopback(), loopback()
    options = ("-m", "40", "-r", "200")
    with (
        recording(tmp_path / "calls.pcap", hosts=[caller]) as pcap,
        sipp_uas(tmp_path, "uas", callee, 5070) as uas,
        sipp_uac(tmp_path, "uac", caller, 5070, f"{callee}:5070", *options) as uac,
    ):
        assert uac.wait().exit_code == 0
        uas.stop()
    assert [rows(ladder) for ladder in tshark_ladders(pcap)] == [BASIC] * 40
    assert tshark_count(pcap, "!sip") == 0


def test_retransmissions_are_not_in_a_ladder(tmp_path: Path, loopback: Loopback) -> None:
    caller, nobody = loopback(), loopback()
    with (
        recording(tmp_path / "lost.pcap", hosts=[caller]) as pcap,
        sipp_uac(tmp_path, "uac", caller, 5070, f"{nobody}:5070", "-m", "1", "-max_retrans", "2") as uac,
    ):
        assert uac.wait().exit_code == 1
    assert tshark_count(pcap, "sip.Method == INVITE") > 1
    assert rows(tshark_ladders(pcap)[0]).split()[0] == ">INVITE"
    assert rows(tshark_ladders(pcap)[0]).count("INVITE") == 1


def test_sip_over_tcp_on_any_port_has_a_ladder(tmp_path: Path, loopback: Loopback) -> None:
    caller, callee = loopback(), loopback()
    with (
        recording(tmp_path / "tcp.pcap", hosts=[caller]) as pcap,
        sipp_uas(tmp_path, "uas", callee, 17070, transport="t1") as uas,
        sipp_uac(tmp_path, "uac", caller, 17072, f"{callee}:17070", "-m", "2", transport="t1") as uac,
    ):
        done = uac.wait()
        assert done.exit_code == 0, done.explain()
        uas.stop()
    assert [rows(ladder) for ladder in tshark_ladders(pcap)] == [BASIC] * 2


def test_baresip_registers_answers_and_counts_its_media(tmp_path: Path, loopback: Loopback) -> None:
    proxy = loopback()
    with (
        recording(tmp_path / "call.pcap", hosts=[proxy]) as pcap,
        kamailio(tmp_path, proxy, 5062, password="open-sesame"),
        Baresip(tmp_path, "bob", registrar=f"{proxy}:5062", password="open-sesame") as bob,
        Baresip(tmp_path, "alice", registrar=f"{proxy}:5062", password="open-sesame", answer=False) as alice,
    ):
        alice.dial(f"sip:bob@{proxy}:5062")
        time.sleep(1.0)
        alice.hang_up()
        bob.wait_ended()
        assert alice.results()[0].rtp_received > 20
        assert bob.results()[0].rtp_received > 20
    ladders = [rows(ladder) for ladder in tshark_ladders(pcap)]
    assert ">INVITE <407 >ACK >INVITE <180 <200 >ACK >BYE <200" in ladders
    assert BASIC in ladders


@pytest.mark.parametrize(
    ("name", "expected", "streams"),
    [
        ("uac_pcap-g711-dtmf.pcap", [BASIC] * 3, {"g711A": 3, "g711A, telephone-event": 3}),
        ("tcp-call.pcap", [BASIC] * 2, {"g711A": 4, "telephone-event": 2}),
        (
            "kamailio-auth-record-route.pcap",
            [REGISTERED, REGISTERED, ">INVITE <407 >ACK >INVITE <180 <200 >ACK >BYE <200", BASIC],
            {"g711A": 2},
        ),
        (
            "baresip-opus-hold-rtcp.pcap",
            [">INVITE <180 <200 >ACK >INVITE <200 >ACK >INVITE <200 >ACK >BYE <200"],
            {"opus": 2},
        ),
        (
            "baresip-busy-cancel-callee-bye.pcap",
            [">INVITE <180 <486 >ACK", ">INVITE <180 >CANCEL <200 <487 >ACK", ">INVITE <180 <200 >ACK <BYE >200"],
            {"opus": 2},
        ),
    ],
)
def test_own_captures_hold_what_their_readme_says(
    own_captures: Path, name: str, expected: list[str], streams: dict[str, int]
) -> None:
    ladders = tshark_ladders(own_captures / name)
    assert [rows(ladder) for ladder in ladders] == expected
    assert all(ladder.caller != ladder.callee for ladder in ladders)
    payloads = [stream.payload for stream in tshark_streams(own_captures / name)]
    assert {payload: payloads.count(payload) for payload in payloads} == streams
    assert (own_captures / name).stat().st_size < 1_000_000


def test_a_skip_is_a_failure_where_peers_are_required(tmp_path: Path) -> None:
    folder = tmp_path / "interop"
    folder.mkdir()
    source = Path(__file__).with_name("conftest.py")
    (folder / "conftest.py").write_text(source.read_text())
    (folder / "test_it.py").write_text(
        "import pytest\n@pytest.mark.interop('no-such-program')\ndef test_it():\n    raise AssertionError\n"
    )
    repository = source.parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-c", repository / "pyproject.toml", "--rootdir", repository]
    command += ["-p", "no:cacheprovider", folder]
    codes = {}
    for value in ("0", "1"):
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SIPREPLAY_REQUIRE_INTEROP": value}
        codes[value] = subprocess.run(command, env=environment, cwd=repository, capture_output=True).returncode
    assert codes == {"0": 0, "1": 1}
